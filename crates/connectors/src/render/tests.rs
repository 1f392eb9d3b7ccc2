//! Requests as definitions render them, and values that try to leave their place.

use std::collections::BTreeMap;

use domain::{SessionRecordId, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::fixtures::{call, connector, credentials, filled, literal, named, object, pointer, provider};
use crate::model::{AttemptForm, Body, Choice, Encoding, Hosts, Idempotency, JsonTemplate, Name, Part, Provider, RequestLine, Selector};

const ATTEMPT: Attempt =
    Attempt { id: SessionRecordId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001)), now: Timestamp::from_micros(0) };

fn base() -> Base {
    Base { url: "https://sandbox.service.test/v1".into(), route: Route::Guarded }
}

fn rendered(provider: Provider, call: &Call, values: &[(&str, &str)], body: &str) -> Result<OutgoingRequest, RenderError> {
    let credentials = credentials(&provider, values);
    let token = Secret::from("t0ken");
    let filled = Filled { token: Some(&token), body: Some(&object(body)), ..filled(&ATTEMPT, &credentials) };
    render(&connector(provider), call, &filled, &base())
}

fn header<'a>(request: &'a OutgoingRequest, name: &str) -> Option<&'a str> {
    request.headers.get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn a_plain_call_carries_the_callers_bytes_and_nothing_of_us_but_our_name() {
    let mut call = call();
    call.idempotency = Some(Idempotency { at: IdempotencyPlace::Header(HeaderName::from_static("idempotency-key")), hours: 24 });
    let request = rendered(provider(&[]), &call, &[], " {\"a\":1.0}").unwrap();
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://sandbox.service.test/v1/sessions"));
    assert_eq!(request.body, " {\"a\":1.0}");
    let mut headers: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    headers.sort();
    assert_eq!(
        headers,
        [
            "accept: application/json".to_owned(),
            "content-type: application/json".to_owned(),
            "idempotency-key: 01920000-0000-7000-8000-000000000001".to_owned(),
            format!("user-agent: tollhouse/{}", env!("CARGO_PKG_VERSION")),
        ]
    );
}

#[test]
fn credentials_go_into_headers_and_are_marked_sensitive() {
    let mut provider = provider(&["user", "secret", "optional"]);
    provider.auth = Choice::One(Auth {
        basic: Some((named("user"), named("secret"))),
        bearer: None,
        headers: vec![
            (HeaderName::from_static("x-key"), named("secret")),
            (HeaderName::from_static("x-optional"), named("optional")),
            (HeaderName::from_static("content-type"), literal("application/vnd.service+json")),
        ],
    });
    let values = [("user", "Aladdin"), ("secret", "open sesame")];
    let request = rendered(provider.clone(), &call(), &values, "{}").unwrap();
    assert_eq!(header(&request, "authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_eq!((header(&request, "x-key"), header(&request, "x-optional")), (Some("open sesame"), None));
    assert_eq!(header(&request, "content-type"), Some("application/vnd.service+json"));
    assert!(request.headers["authorization"].is_sensitive() && request.headers["x-key"].is_sensitive());
    assert!(!format!("{request:?}").contains("sesame"));

    let mut own = call();
    own.auth = Some(Choice::One(Auth { bearer: Some(Template(vec![Part::Name(Name::Token)])), ..Auth::default() }));
    let request = rendered(provider.clone(), &own, &values, "{}").unwrap();
    assert_eq!((header(&request, "authorization"), header(&request, "x-key")), (Some("Bearer t0ken"), None));

    assert_eq!(
        rendered(provider.clone(), &call(), &[("user", "a:b"), ("secret", "c")], "{}").unwrap_err(),
        RenderError::Value(FillError::Colon)
    );
    let split = [("user", "a"), ("secret", "c\r\nx-evil: 1")];
    assert_eq!(rendered(provider, &call(), &split, "{}").unwrap_err(), RenderError::Value(FillError::Control));
}

#[test]
fn a_value_that_basic_or_bearer_needs_is_there_or_nothing_is_sent() {
    let mut provider = provider(&["user", "secret"]);
    let absent = RenderError::Absent("`auth`");
    provider.auth = Choice::One(Auth { basic: Some((named("user"), named("secret"))), ..Auth::default() });
    assert_eq!(rendered(provider.clone(), &call(), &[("user", "u")], "{}").unwrap_err(), absent);
    assert_eq!(rendered(provider.clone(), &call(), &[("secret", "s")], "{}").unwrap_err(), absent);
    provider.auth = Choice::One(Auth { bearer: Some(named("secret")), ..Auth::default() });
    assert_eq!(rendered(provider.clone(), &call(), &[], "{}").unwrap_err(), absent);
    // What the file writes itself may be empty: some services want a user and no password.
    provider.auth = Choice::One(Auth { basic: Some((named("user"), literal(""))), ..Auth::default() });
    assert_eq!(header(&rendered(provider, &call(), &[("user", "u")], "{}").unwrap(), "authorization"), Some("Basic dTo="));
}

#[test]
fn a_stored_choice_picks_who_asks() {
    let mut provider = provider(&["form", "secret"]);
    let bearer = |template| Auth { bearer: Some(template), ..Auth::default() };
    let token = Template(vec![Part::Name(Name::Token)]);
    let cases = [("key", bearer(named("secret"))), ("oauth", bearer(token)), ("certificate", Auth::default())];
    let cases = cases.into_iter().map(|(key, auth)| (key.to_owned(), auth)).collect::<BTreeMap<_, _>>();
    provider.auth = Choice::By { selector: Selector::Field("form".into()), cases, otherwise: None };
    let check = |form: &str, expected: Result<Option<&str>, RenderError>| {
        let request = rendered(provider.clone(), &call(), &[("form", form), ("secret", "s3cret")], "{}");
        assert_eq!(request.map(|request| header(&request, "authorization").map(str::to_owned)), expected.map(|v| v.map(str::to_owned)));
    };
    check("key", Ok(Some("Bearer s3cret")));
    check("oauth", Ok(Some("Bearer t0ken")));
    check("certificate", Ok(None));
    check("other", Err(RenderError::Absent("the table of `auth`")));
}

#[test]
fn the_attempt_is_written_in_three_forms() {
    let mut call = call();
    let part = |form| Part::Name(Name::Attempt(form));
    let path = Template(vec![Part::Text("/sessions/".into()), part(AttemptForm::Upper32)]);
    call.request = Choice::One(RequestLine { method: http::Method::PUT, path });
    call.headers = vec![(HeaderName::from_static("x-id"), Template(vec![part(AttemptForm::Id)]))];
    call.body.default = vec![(pointer("/nonce"), JsonTemplate::Text(Template(vec![part(AttemptForm::Hex32)])))];
    let id = SessionRecordId(Uuid::from_u128(0x0192_abcd_0000_7000_8000_0000_0000_00ef));
    let attempt = Attempt { id, now: Timestamp::from_micros(0) };
    let provider = provider(&[]);
    let credentials = credentials(&provider, &[]);
    let filled = Filled { body: Some(&object("{}")), ..filled(&attempt, &credentials) };
    let request = render(&connector(provider), &call, &filled, &base()).unwrap();
    assert_eq!(request.url.path(), "/v1/sessions/0192ABCD0000700080000000000000EF");
    assert_eq!(header(&request, "x-id"), Some("0192abcd-0000-7000-8000-0000000000ef"));
    assert_eq!(request.body, r#"{"nonce":"0192abcd0000700080000000000000ef"}"#);
}

#[test]
fn an_id_in_the_body_is_added_where_the_caller_has_none() {
    let mut call = call();
    call.idempotency = Some(Idempotency { at: IdempotencyPlace::Body(pointer("/order/key")), hours: 24 });
    let id = "01920000-0000-7000-8000-000000000001";
    let check = |sent: &str, expected: &str| assert_eq!(rendered(provider(&[]), &call, &[], sent).unwrap().body, expected, "{sent}");
    check("{}", &format!(r#"{{"order":{{"key":"{id}"}}}}"#));
    check(r#"{"order":{"key":"mine"}}"#, r#"{"order":{"key":"mine"}}"#);
    check(r#"{"order":{"key":7}}"#, r#"{"order":{"key":7}}"#);
    // By null or an empty text nothing can be recognised.
    check(r#"{"order":{"key":null}}"#, &format!(r#"{{"order":{{"key":"{id}"}}}}"#));
    check(r#"{"order":{"key":""}}"#, &format!(r#"{{"order":{{"key":"{id}"}}}}"#));
    let refused = |sent: &str| matches!(rendered(provider(&[]), &call, &[], sent), Err(RenderError::Body(_)));
    assert!(refused(r#"{"order":1}"#) && refused(r#"{"order":{},"order":{"key":"k"}}"#) && refused(r#"{"order":{"key":"a","key":"b"}}"#));

    call.body.encoding = Encoding::FormBrackets;
    assert_eq!(rendered(provider(&[]), &call, &[], r#"{"a":1}"#).unwrap().body, format!("a=1&order[key]={id}"));
    assert!(matches!(rendered(provider(&[]), &call, &[], r#"{"order[key]":"other"}"#), Err(RenderError::Body(_))));
}

#[test]
fn the_method_picks_the_request_line() {
    let line = |path: &str| RequestLine { method: http::Method::PUT, path: literal(path) };
    let by = |cases: &[(&str, &str)], otherwise: Option<&str>| {
        let mut call = call();
        let cases = cases.iter().map(|(key, path)| ((*key).to_owned(), line(path))).collect::<BTreeMap<_, _>>();
        call.request = Choice::By { selector: Selector::Method, cases, otherwise: otherwise.map(line) };
        rendered(provider(&[]), &call, &[], "{}").map(|request| request.url.path().to_owned())
    };
    assert_eq!(by(&[("card", "/cards")], Some("/rest")).unwrap(), "/v1/cards");
    assert_eq!(by(&[("other", "/cards")], Some("/rest")).unwrap(), "/v1/rest");
    assert_eq!(by(&[("other", "/cards")], None).unwrap_err(), RenderError::Absent("the request line"));
}

#[test]
fn values_in_a_path_stay_one_segment() {
    let check = |value: &str, expected: Result<&str, RenderError>| {
        let mut call = call();
        let path =
            Template(vec![Part::Text("/merchants/".into()), Part::Name(Name::Field("id".into())), Part::Text("/sessions?v=1".into())]);
        call.request = Choice::One(RequestLine { method: http::Method::POST, path });
        let url = rendered(provider(&["id"]), &call, &[("id", value)], "{}").map(|request| request.url.to_string());
        assert_eq!(url, expected.map(|path| format!("https://sandbox.service.test/v1{path}")), "{value}");
    };
    check("shop", Ok("/merchants/shop/sessions?v=1"));
    check("a/../b?c#d", Ok("/merchants/a%2F..%2Fb%3Fc%23d/sessions?v=1"));
    check("%2e%2e", Ok("/merchants/%252e%252e/sessions?v=1"));
    check("..", Err(RenderError::Value(FillError::Segment)));
    check("", Err(RenderError::Absent("the path")));
}

#[test]
fn forms_are_sent_as_forms() {
    let mut call = call();
    let code = JsonTemplate::Text(literal("card"));
    call.body =
        Body { encoding: Encoding::FormBrackets, default: vec![(pointer("/types"), JsonTemplate::List(vec![code]))], ..Body::default() };
    let request = rendered(provider(&[]), &call, &[], r#"{"amount":10.00,"m":{"o":"1 2"}}"#).unwrap();
    assert_eq!(request.body, "amount=10.00&m[o]=1%202&types[0]=card");
    assert_eq!(header(&request, "content-type"), Some("application/x-www-form-urlencoded"));
    assert!(matches!(rendered(provider(&[]), &call, &[], r#"{"types":1,"types":2}"#), Err(RenderError::Body(_))));
}

#[test]
fn a_call_without_a_body_says_nothing_about_one() {
    let mut get = call();
    get.request = Choice::One(RequestLine { method: http::Method::GET, path: literal("/balance") });
    let provider = provider(&[]);
    let credentials = credentials(&provider, &[]);
    let filled = filled(&ATTEMPT, &credentials);
    let request = render(&connector(provider), &get, &filled, &base()).unwrap();
    assert!(request.body.is_empty() && !request.headers.contains_key("content-type"));
}

// === places ===

fn place(places: &Places, provider: Provider, values: &[(&str, &str)]) -> Result<(String, Route), RenderError> {
    let credentials = credentials(&provider, values);
    places.base(&connector(provider), &call(), &credentials).map(|base| (base.url, base.route))
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn mode_override_and_simulator_decide_where_calls_go() {
    let plain = Places::default();
    assert_eq!(place(&plain, provider(&[]), &[]), Ok(("https://sandbox.service.test/v1".into(), Route::Guarded)));
    assert_eq!(place(&plain, provider(&[]), &[("mode", "live")]), Ok(("https://live.service.test/v1".into(), Route::Guarded)));
    assert_eq!(place(&plain, provider(&[]), &[("mode", "simulator")]), Err(RenderError::NoSimulator));

    let overrides = [("SERVICE".to_owned(), url("http://127.0.0.1:4101/"))];
    let moved = Places::new(overrides, Some(url("http://127.0.0.1:9999/sim/")));
    assert_eq!(place(&moved, provider(&[]), &[]), Ok(("http://127.0.0.1:4101".into(), Route::Override)));
    assert_eq!(place(&moved, provider(&[]), &[("mode", "live")]), Err(RenderError::OverrideInLive));
    assert_eq!(place(&moved, provider(&[]), &[("mode", "simulator")]), Ok(("http://127.0.0.1:9999/sim/service".into(), Route::Simulator)));

    let mut dashed = provider(&[]);
    dashed.id = "two-words".into();
    let moved = Places::new([("TWO_WORDS".to_owned(), url("https://stand.in.test/prefix"))], None);
    assert_eq!(place(&moved, dashed, &[]), Ok(("https://stand.in.test/prefix".into(), Route::Override)));

    let mut own = call();
    own.hosts = Some(Hosts {
        sandbox: Choice::One(literal("https://id.test.service.test")),
        live: Choice::One(literal("https://id.service.test")),
        suffix: vec![],
    });
    let found = |places: &Places, values: &[(&str, &str)]| {
        let provider = provider(&[]);
        let credentials = credentials(&provider, values);
        places.base(&connector(provider), &own, &credentials).map(|base| base.url)
    };
    assert_eq!(found(&plain, &[]), Ok("https://id.test.service.test".into()));
    assert_eq!(found(&plain, &[("mode", "live")]), Ok("https://id.service.test".into()));
    let moved = Places::new([("service".to_owned(), url("http://127.0.0.1:4101/"))], Some(url("http://127.0.0.1:9999/sim/")));
    assert_eq!(found(&moved, &[]), Ok("http://127.0.0.1:4101".into()));
    assert_eq!(found(&moved, &[("mode", "simulator")]), Ok("http://127.0.0.1:9999/sim/service".into()));

    let mut simulated = provider(&[]);
    simulated.hosts = None;
    assert_eq!(place(&plain, simulated, &[]), Err(RenderError::OnlySimulated));
}

fn with_host(parts: Vec<Part>, suffix: &[&str]) -> Provider {
    let mut provider = provider(&["prefix", "region"]);
    let suffix = suffix.iter().map(|text| (*text).to_owned()).collect();
    provider.hosts = Some(Hosts { sandbox: Choice::One(Template(parts)), live: Choice::One(literal("https://live.test")), suffix });
    provider
}

#[test]
fn a_host_from_a_value_can_not_leave_its_suffix() {
    let live = |end: &str| vec![Part::Text("https://".into()), Part::Name(Name::Field("prefix".into())), Part::Text(end.into())];
    let check = |end: &str, suffix: &[&str], value: &str, expected: Result<&str, RenderError>| {
        let found = place(&Places::default(), with_host(live(end), suffix), &[("prefix", value)]).map(|(url, _)| url);
        assert_eq!(found, expected.map(str::to_owned), "{value}{end}");
    };
    let own = &["-checkout-live.service.test"];
    check(
        "-checkout-live.service.test/checkout/v71",
        own,
        "1797a841fbb37ca7-Shop",
        Ok("https://1797a841fbb37ca7-shop-checkout-live.service.test/checkout/v71"),
    );
    check("-checkout-live.service.test", own, "evil.test/", Err(RenderError::Value(FillError::HostLabel)));
    check("-checkout-live.service.test", own, "evil.test", Err(RenderError::Value(FillError::HostLabel)));
    check("-checkout-live.other.test", own, "shop", Err(RenderError::Suffix));
    check(".api.service.test", &["api.service.test"], "shop", Ok("https://shop.api.service.test"));
    check("api.service.test", &["api.service.test"], "evil", Err(RenderError::Suffix));
    check("api.service.test", &[], "evil", Err(RenderError::Suffix));
    check(".service.test", &[".service.test", ""], "", Err(RenderError::Absent("the host")));
}

#[test]
fn a_region_picks_its_host() {
    let mut provider = provider(&["region"]);
    let cases = [("eu", "https://api.service.test"), ("na", "https://api-na.service.test")];
    let cases = cases.iter().map(|(key, host)| ((*key).to_owned(), literal(host))).collect();
    let sandbox = Choice::By { selector: Selector::Field("region".into()), cases, otherwise: None };
    provider.hosts = Some(Hosts { live: sandbox.clone(), sandbox, suffix: vec![] });
    let check = |region: &str| place(&Places::default(), provider.clone(), &[("region", region)]).map(|(url, _)| url);
    assert_eq!(check("na").unwrap(), "https://api-na.service.test");
    assert_eq!(check("oc").unwrap_err(), RenderError::Absent("the table of hosts"));
}

proptest! {
    #[test]
    fn no_values_make_a_call_leave_its_base(value in ".{0,30}") {
        let mut provider = provider(&["id"]);
        provider.auth = Choice::One(Auth { headers: vec![(HeaderName::from_static("x-id"), named("id"))], ..Auth::default() });
        let mut call = call();
        let path = Template(vec![Part::Text("/a/".into()), Part::Name(Name::Field("id".into())), Part::Text("/b".into())]);
        call.request = Choice::One(RequestLine { method: http::Method::POST, path });
        call.body.set = vec![(pointer("/id"), JsonTemplate::Text(named("id")))];
        call.headers = vec![(HeaderName::from_static("x-attempt"), Template(vec![Part::Name(Name::Attempt(AttemptForm::Id))]))];
        if let Ok(request) = rendered(provider, &call, &[("id", &value)], "{\"id\":1}") {
            prop_assert!(request.url.as_str().starts_with("https://sandbox.service.test/v1/a/"));
            prop_assert_eq!((request.url.path_segments().unwrap().count(), request.url.query(), request.url.fragment()), (4, None, None));
            let sent: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            prop_assert_eq!(sent, serde_json::json!({ "id": value }));
            prop_assert_eq!(request.headers["x-id"].as_bytes(), value.as_bytes());
        }
    }
}

#[test]
fn what_one_definition_adds_to_a_request_is_limited() {
    let long = "x".repeat(60_000);
    let mut call = call();
    call.body.set = (0..50).map(|number| (pointer(&format!("/{number}")), JsonTemplate::Text(named("id")))).collect();
    assert_eq!(rendered(provider(&["id"]), &call, &[("id", &long)], "{}").unwrap_err(), RenderError::Value(FillError::TooLong));
    let mut headed = self::call();
    headed.headers = (0..20).map(|number| (HeaderName::try_from(format!("x-{number}")).unwrap(), named("id"))).collect();
    assert_eq!(rendered(provider(&["id"]), &headed, &[("id", &long)], "{}").unwrap_err(), RenderError::Value(FillError::TooLong));
}

#[test]
fn an_override_with_a_query_is_no_base() {
    let places = Places::new([("service".to_owned(), url("https://stand.test/?x=1"))], None);
    let credentials = credentials(&provider(&[]), &[]);
    let connector = connector(provider(&[]));
    let base = places.base(&connector, &call(), &credentials).unwrap();
    let filled = filled(&ATTEMPT, &credentials);
    assert_eq!(render(&connector, &call(), &filled, &base).unwrap_err(), RenderError::Definition("its address leaves the base"));
}
