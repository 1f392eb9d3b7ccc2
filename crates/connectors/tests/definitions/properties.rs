//! What holds for every shipped definition, whatever callers, merchants and payment services send.

use std::cell::Cell;

use bytes::Bytes;
use connectors::catalogue::Connector;
use connectors::classify::{classify, verified};
use connectors::credentials::{MODE, TIMEOUT_MS};
use connectors::mask::Mask;
use connectors::model::{AnswerShape, Call, Place, Provider, Success, Verify};
use connectors::outbound::{Answer, OutgoingRequest};
use connectors::render::RenderError;
use domain::json::Pointer;
use domain::session::SessionStatus;
use domain::{JsonObject, JsonText};
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::any::{self, escaped, quoted};
use crate::service::{Service, example, object, request};
use crate::{check_each, expected};

/// Cases per definition, of which there are thirty.
const CASES: u32 = 64;

fn runner() -> TestRunner {
    TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() })
}

/// The calls that carry a body of the caller, each with the last method: where methods differ, the first is often the one without a word of its own.
fn check_each_called(check: impl Fn(&Service, &Connector, &Call)) {
    check_each(|service| {
        let provider = service.provider();
        for call in provider.session.iter().chain(&provider.second).filter(|_| provider.hosts.is_some()) {
            check(service, service.sessions().last().unwrap(), call);
        }
    });
}

#[test]
fn any_object_arrives_equal_apart_from_what_is_declared() {
    check_each_called(|service, connector, call| {
        let stored = service.stored("sandbox");
        let sent = Cell::new(0);
        let result = runner().run(&any::body(call), |text| {
            match request(connector, call, &stored, Some(&object(&text))) {
                Ok(request) => {
                    let caller = serde_json::from_str(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
                    let expected = expected::body(connector, call, &stored, &caller);
                    expected::is_said(call.body.encoding, &request.body, &expected).map_err(TestCaseError::fail)?;
                    sent.set(sent.get() + 1);
                }
                Err(RenderError::Body(problems)) => prop_assert!(!problems.is_empty()),
                Err(other) => prop_assert!(false, "{other}"),
            }
            Ok(())
        });
        assert_eq!(result, Ok(()), "{}", connector.definition.id);
        assert!(sent.get() > CASES / 5, "{}: of {CASES} bodies {} were sent", connector.definition.id, sent.get());
    });
}

/// What no value may change.
#[derive(Debug, PartialEq)]
struct Outline {
    host: String,
    segments: usize,
    query: Option<String>,
    fragment: bool,
    headers: Vec<String>,
}

fn outline(provider: &Provider, call: &Call, request: &OutgoingRequest) -> Outline {
    let host = request.url.host_str().unwrap();
    let suffixes = &call.hosts.as_ref().or(provider.hosts.as_ref()).unwrap().suffix;
    // Where a value is part of the host, what stands behind it and the number of labels must stay.
    let end = suffixes.iter().filter(|suffix| host.ends_with(suffix.as_str())).max_by_key(|suffix| suffix.len());
    let mut headers: Vec<String> = request.headers.keys().map(ToString::to_string).collect();
    headers.sort();
    Outline {
        host: end.map_or_else(|| host.to_owned(), |end| format!("{} labels, {end}", host.split('.').count())),
        segments: request.url.path_segments().unwrap().count(),
        query: request.url.query().map(str::to_owned),
        fragment: request.url.fragment().is_some() || !request.url.username().is_empty() || request.url.port().is_some(),
        headers,
    }
}

/// The calls of a provider, and the body of the caller where one has it.
fn calls<'a>(connector: &'a Connector, body: &'a JsonObject) -> Vec<(&'a Call, Option<&'a JsonObject>)> {
    let provider = &connector.provider;
    let with = provider.session.iter().chain(&provider.second).map(|call| (call, Some(body)));
    let token = provider.token.as_ref().map(|token| (&token.call, None));
    let verify = provider.verify.as_ref().and_then(|verify| match verify {
        Verify::Call(call) => Some((call.as_ref(), None)),
        Verify::Token => None,
    });
    with.chain(token).chain(verify).collect()
}

#[test]
fn no_value_changes_host_segments_query_or_header_names() {
    check_each(|service| {
        let provider = service.provider();
        if provider.hosts.is_none() {
            return;
        }
        let free = |key: &str| key != MODE && key != TIMEOUT_MS;
        let keys = provider.fields.iter().filter(|field| free(&field.key) && field.choices.is_empty()).map(|field| field.key.clone());
        let keys: Vec<String> = keys.collect();
        let group = crate::requests::groups(service).into_iter().next();
        let connector = group.map_or(&service.connectors[0], |group| group[0]);
        let body = example(connector);
        let rendered = Cell::new(0);
        for mode in ["sandbox", "live"] {
            let stored = service.stored(mode);
            let usual: Vec<Outline> = calls(connector, &body)
                .into_iter()
                .map(|(call, body)| outline(provider, call, &request(connector, call, &stored, body).unwrap()))
                .collect();
            let values = (prop::sample::select(keys.clone()), any::hostile(), any::<bool>(), any::body(provider.session.as_ref().unwrap()));
            let result = runner().run(&values, |(key, value, is_changed, text)| {
                let changed = if is_changed { stored.with(&key, &value) } else { stored.clone() };
                let other = object(&text);
                for ((call, body), usual) in calls(connector, &other).into_iter().zip(&usual) {
                    if let Ok(after) = request(connector, call, &changed, body) {
                        prop_assert_eq!(usual, &outline(provider, call, &after), "{} = {:?}", key, value);
                        prop_assert!(after.headers.values().all(|value| !value.as_bytes().iter().any(u8::is_ascii_control)));
                        rendered.set(rendered.get() + 1);
                    }
                }
                Ok(())
            });
            assert_eq!(result, Ok(()), "{}", service.id);
        }
        assert!(rendered.get() > CASES / 4, "{}: {}", service.id, rendered.get());
    });
}

/// Every way in which a caller may spell a member at a place: JSON with `EVIL` there and nowhere else.
fn spellings(tokens: &[String]) -> Vec<String> {
    let nest = |names: &[String], value: &str| names.iter().rev().fold(value.to_owned(), |inner, name| format!("{{{name}:{inner}}}"));
    let plain: Vec<String> = tokens.iter().map(|token| quoted(token)).collect();
    let odd: Vec<String> = tokens.iter().map(|token| escaped(token)).collect();
    let (last, parents) = plain.split_last().unwrap();
    let evil = "\"EVIL\"";
    let twice = |first: &str, second: &str| nest(parents, &format!("{{{first}:{evil},{second}:{evil}}}"));
    let mut all = vec![
        nest(&plain, evil),
        nest(&odd, evil),
        nest(&plain, &format!("{{\"a\":[{evil}]}}")),
        twice(last, last),
        twice(last, odd.last().unwrap()),
        twice(odd.last().unwrap(), last),
    ];
    if let Some((first, rest)) = plain.split_first().filter(|(_, rest)| !rest.is_empty()) {
        let inner = nest(rest, evil);
        all.push(format!("{{{first}:{inner},{first}:{inner}}}"));
        all.push(format!("{{{first}:{{}},{}:{inner}}}", odd[0]));
        let brackets: String = tokens[1..].iter().map(|token| format!("[{token}]")).collect();
        all.push(format!("{{{}:{evil}}}", quoted(&format!("{}{brackets}", tokens[0]))));
    }
    all
}

#[test]
fn stored_values_win_however_the_caller_spells_the_member() {
    let tried = Cell::new(0);
    check_each_called(|service, connector, call| {
        let stored = service.stored("sandbox");
        let places = call.body.set.iter().map(|(at, _)| at).chain(&call.body.remove);
        for tokens in places.filter_map(|at| expected::seen_by_caller(call, at)) {
            for text in spellings(&tokens) {
                match request(connector, call, &stored, Some(&object(&text))) {
                    // A flat name with brackets means nothing but itself to whoever reads JSON.
                    Ok(_)
                        if text.contains('[')
                            && call.body.encoding == connectors::model::Encoding::Json
                            && !text.contains("[\"EVIL\"]") => {}
                    Ok(request) => {
                        let sent = String::from_utf8(request.body.to_vec()).unwrap();
                        assert!(!sent.contains("EVIL"), "{}: {text} is sent as {sent}", connector.definition.id);
                    }
                    Err(RenderError::Body(problems)) => assert!(!problems.is_empty()),
                    Err(other) => panic!("{}: {other}", connector.definition.id),
                }
                tried.set(tried.get() + 1);
            }
        }
    });
    assert!(tried.get() > 20, "{}", tried.get());
}

#[test]
fn what_is_refused_is_refused_however_it_is_spelled() {
    let tried = Cell::new(0);
    check_each_called(|service, connector, call| {
        let stored = service.stored("sandbox");
        for (at, _) in &call.body.refuse {
            for text in spellings(at.tokens()).into_iter().filter(|text| !text.contains('[') || text.contains("[\"EVIL\"]")) {
                let refused = matches!(request(connector, call, &stored, Some(&object(&text))), Err(RenderError::Body(problems)) if !problems.is_empty());
                assert!(refused, "{}: {text}", connector.definition.id);
                tried.set(tried.get() + 1);
            }
        }
    });
    assert!(tried.get() > 20, "{}", tried.get());
}

/// Whether a success is what the file declares, judged by another parser.
fn is_declared(call: &Call, answer: &Answer) -> bool {
    let Ok(bytes) = &answer.body else { return false };
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let value = serde_json::from_slice::<Value>(bytes);
    (200..300).contains(&answer.status)
        && match &call.answer {
            AnswerShape::TextAs { content, .. } => {
                header("content-type").is_some_and(|media| media.split(';').next() == Some(content))
                    && std::str::from_utf8(bytes).is_ok_and(|text| !text.is_empty())
            }
            AnswerShape::Build(_) => {
                let is_json = JsonText::parse(bytes.clone()).is_ok();
                is_json || (bytes.is_empty() && answer.headers.len() > 1)
            }
            AnswerShape::Whole if bytes.is_empty() => call.success.equals.is_empty(),
            AnswerShape::Whole => match value {
                Ok(value) => value.is_object() && is_yes(&call.success, &value),
                // The other parser takes no halves of surrogate pairs.
                Err(_) => JsonObject::parse(bytes.clone()).is_ok(),
            },
            AnswerShape::Pick(at) => match value {
                Ok(value) => is_yes(&call.success, &value) && value.pointer(&at.to_string()).is_some_and(Value::is_object),
                Err(_) => JsonText::parse(bytes.clone()).is_ok_and(|text| text.object_at(at).is_some()),
            },
        }
}

fn is_yes(success: &Success, value: &Value) -> bool {
    let at = |pointer: &Pointer| value.pointer(&pointer.to_string());
    let is_nothing = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    success.absent.iter().all(|pointer| at(pointer).is_none_or(is_nothing))
        && success.equals.iter().all(|(pointer, value)| at(pointer) == Some(value))
}

#[test]
fn no_answer_breaks_it_and_only_what_is_declared_succeeds() {
    check_each_called(|service, connector, call| {
        let known = crate::answers::bodies(service, connector, call);
        let asked = example(connector);
        let stored = service.stored("sandbox").opened(&connector.provider);
        let mask = Mask::new(stored.secrets());
        let media = match &call.answer {
            AnswerShape::TextAs { content, .. } => content.clone(),
            _ => "application/json".to_owned(),
        };
        // Without both, the answers made up below would prove nothing; whether they are among them is chance.
        let succeeds = |status: u16, bytes: &Bytes| {
            let mut headers = built_of(&call.answer);
            headers.insert("content-type", HeaderValue::from_str(&media).unwrap());
            let answer = Answer { status, headers, body: Ok(bytes.clone()) };
            classify(call, &asked, &answer, &mask).session.status == SessionStatus::Succeeded
        };
        let id = &connector.definition.id;
        assert!(known.iter().any(|bytes| call.success.statuses.iter().any(|status| succeeds(*status, bytes))), "{id}: nothing succeeds");
        assert!(known.iter().all(|bytes| !succeeds(500, bytes)), "{id}: 500 succeeds");
        let media = prop_oneof![3 => Just(media.clone()), 1 => Just("text/html".to_owned()), 1 => Just(String::new())];
        let status = prop_oneof![3 => prop::sample::select(call.success.statuses.clone()), 1 => 0_u16..1000];
        let values = (status, any::answer_bytes(known, &call.success), media, any::<bool>());
        let result = runner().run(&values, |(status, bytes, media, has_headers)| {
            let mut headers = if has_headers { built_of(&call.answer) } else { HeaderMap::new() };
            headers.insert("content-type", HeaderValue::from_str(&media).unwrap());
            let answer = Answer { status, headers, body: Ok(bytes) };
            let session = classify(call, &asked, &answer, &mask).session;
            prop_assert_eq!(session.code.is_some(), session.status == SessionStatus::Failed);
            if session.status == SessionStatus::Succeeded {
                prop_assert!(is_declared(call, &answer), "{} {:?}", answer.status, answer.body);
            }
            if let Some(Verify::Call(verify)) = &connector.provider.verify {
                verified(verify, &answer);
            }
            Ok(())
        });
        assert_eq!(result, Ok(()), "{id}");
    });
}

/// The headers that an answer is built of.
fn built_of(shape: &AnswerShape) -> HeaderMap {
    let AnswerShape::Build(members) = shape else { return HeaderMap::new() };
    let places = members.iter().flat_map(|(_, places)| places);
    let names = places.filter_map(|place| if let Place::AnswerHeader(name) = place { Some(name.clone()) } else { None });
    names.map(|name| (name, HeaderValue::from_static("stand-in"))).collect()
}

#[test]
fn the_judge_of_these_tests_tells_yes_from_no() {
    // A test whose judge says yes to everything proves nothing.
    let services = Service::all();
    let called = services.iter().filter_map(|service| service.provider().session.as_ref());
    let with_equals: Vec<&Call> = called.filter(|call| !call.success.equals.is_empty() && call.answer == AnswerShape::Whole).collect();
    assert!(!with_equals.is_empty());
    for call in with_equals {
        let answer = |body: &'static str| Answer { status: 200, headers: HeaderMap::new(), body: Ok(Bytes::from_static(body.as_bytes())) };
        assert!(!is_declared(call, &answer("{}")) && !is_declared(call, &answer("")) && !is_declared(call, &answer("[]")));
    }
}
