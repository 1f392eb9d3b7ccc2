//! Edits of the caller's bytes, by table and by property.

use proptest::prelude::*;

use super::*;
use crate::fixtures::{any_json, any_object_text, credentials, literal, named, object, pointer, provider};
use crate::model::Template;

const STORED: &str = "Shop\"ECOM";

fn edited(rules: &Body, text: &str) -> Result<String, BodyError> {
    let provider = provider(&["account", "absent"]);
    let credentials = credentials(&provider, &[("account", STORED)]);
    let values = Values::new(&credentials, &provider.methods[0]);
    plain(rules).edit(Some(&object(text)), &values).map(|json| json.unwrap().as_str().to_owned())
}

fn plain(rules: &Body) -> Edits<'_> {
    Edits { rules, idempotency: None, signed: vec![] }
}

fn text_template(template: Template) -> JsonTemplate {
    JsonTemplate::Text(template)
}

fn sets(at: &str) -> Body {
    Body { set: vec![(pointer(at), text_template(named("account")))], ..Body::default() }
}

fn defaults(at: &str) -> Body {
    Body { default: vec![(pointer(at), JsonTemplate::List(vec![text_template(literal("x"))]))], ..Body::default() }
}

#[test]
fn without_rules_every_byte_stays() {
    for text in [" {\n\"a\" : 1.0 , \"a\":18446744073709551616,\"\\u0062\":\"\\/\" }\t", "{}", r#"{"\ud800":"\ud800"}"#] {
        assert_eq!(edited(&Body::default(), text).unwrap(), text);
    }
}

#[test]
fn stored_values_always_win_and_nothing_else_moves() {
    let check = |at: &str, text: &str, expected: &str| assert_eq!(edited(&sets(at), text).unwrap(), expected, "{at} {text}");
    check("/m", "{}", r#"{"m":"Shop\"ECOM"}"#);
    check("/m", " { } ", " {\"m\":\"Shop\\\"ECOM\" } ");
    check("/m", r#"{"a":1.0 }"#, r#"{"a":1.0,"m":"Shop\"ECOM" }"#);
    check("/m", r#"{"m" : {"x":[1]} , "z":10.00}"#, r#"{"m" : "Shop\"ECOM" , "z":10.00}"#);
    check("/m", r#"{"\u006d":"evil"}"#, r#"{"\u006d":"Shop\"ECOM"}"#);
    check("/a/b/c", r#"{"z":1}"#, r#"{"z":1,"a":{"b":{"c":"Shop\"ECOM"}}}"#);
    check("/a/b/c", r#"{"a":{ },"z":1}"#, r#"{"a":{"b":{"c":"Shop\"ECOM"} },"z":1}"#);
    check("/a/0/c", r#"{"a":[{"c":1},{"c":1}]}"#, r#"{"a":[{"c":"Shop\"ECOM"},{"c":1}]}"#);
    check("/x~1y", r#"{"x/y":1}"#, r#"{"x/y":"Shop\"ECOM"}"#);
}

#[test]
fn defaults_are_added_only_where_nothing_is() {
    let check = |text: &str, expected: &str| assert_eq!(edited(&defaults("/l"), text).unwrap(), expected);
    check(r#"{"l":null}"#, r#"{"l":null}"#);
    check(r#"{"l":[]}"#, r#"{"l":[]}"#);
    check(r#"{"k":1}"#, r#"{"k":1,"l":["x"]}"#);
}

#[test]
fn an_absent_optional_value_adds_nothing_and_opens_nothing() {
    let rules = Body { set: vec![(pointer("/m"), text_template(named("absent")))], ..Body::default() };
    let text = r#"{"m":"mine","m":"again"}"#;
    assert_eq!(edited(&rules, text).unwrap(), text);
}

#[test]
fn members_are_removed_with_their_comma() {
    let check = |at: &[&str], text: &str, expected: &str| {
        let rules = Body { remove: at.iter().map(|at| pointer(at)).collect(), ..Body::default() };
        assert_eq!(edited(&rules, text).unwrap(), expected, "{at:?} {text}");
    };
    check(&["/a"], r#"{"a":1}"#, "{}");
    check(&["/a"], r#"{ "a" : 1 , "b":2 }"#, r#"{ "b":2 }"#);
    check(&["/b"], r#"{ "a" : 1 , "b":2 }"#, r#"{ "a" : 1 }"#);
    check(&["/b"], r#"{"a":1,"b":2,"c":3}"#, r#"{"a":1,"c":3}"#);
    check(&["/a", "/b"], r#"{"a":1,"b":2,"c":3}"#, r#"{"c":3}"#);
    check(&["/a/b"], r#"{"a":{"b":1},"c":3}"#, r#"{"a":{},"c":3}"#);
    check(&["/a/1"], r#"{"a":[1,2,3]}"#, r#"{"a":[1,3]}"#);
    check(&["/a/b", "/c/d", "/e"], r#"{"a":"text"}"#, r#"{"a":"text"}"#);
}

#[test]
fn repeated_members_of_an_answer_are_all_removed() {
    let check = |text: &str, expected: &str| {
        assert_eq!(String::from_utf8(remove(text.as_bytes(), &[pointer("/s/t")]).unwrap()).unwrap(), expected);
    };
    check(r#"{"s":{"t":1,"x":0,"t":2},"y":1,"s":{"t":3,"t":4}}"#, r#"{"s":{"x":0},"y":1,"s":{}}"#);
    check(r#"{"s":{"x":0,"t":2,"\u0074":3}}"#, r#"{"s":{"x":0}}"#);
    assert_eq!(remove(br#"{"\ud800":1,"s":{}}"#, &[pointer("/s/t")]), None);
}

#[test]
fn a_hundred_thousand_removals_are_one_pass() {
    let text = format!("{{{}\"end\":1}}", r#""s":1,"x":1,"#.repeat(80_000));
    let left = remove(text.as_bytes(), &[pointer("/s")]).unwrap();
    assert_eq!(left.len(), text.len() - 80_000 * r#""s":1,"#.len());
}

#[test]
fn the_callers_body_can_be_wrapped() {
    let mut rules = sets("/variables/input/m");
    rules.wrap = Some((r#"{"query":"q { a }","variables":{}}"#.into(), pointer("/variables/input")));
    assert_eq!(edited(&rules, r#" {"a":1.0} "#).unwrap(), r#"{"query":"q { a }","variables":{"input": {"a":1.0,"m":"Shop\"ECOM"} }}"#);
    rules.set = vec![(pointer("/variables/input/a/b"), text_template(named("account")))];
    let problems = problems_of(&rules, r#"{"a":1}"#);
    assert_eq!(problems, [("/a".to_owned(), "type_error")]);
}

fn problems_of(rules: &Body, text: &str) -> Vec<(String, &'static str)> {
    match edited(rules, text) {
        Err(BodyError::Problems(problems)) => problems.into_iter().map(|p| (p.pointer, p.kind)).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn problems_are_named_at_once_in_document_order() {
    let check = |rules: &Body, text: &str, expected: &[(&str, &'static str)]| {
        let found = problems_of(rules, text);
        assert_eq!(found.iter().map(|(at, kind)| (at.as_str(), *kind)).collect::<Vec<_>>(), expected, "{text}");
    };
    check(&sets("/m"), r#"{"m":1,"m":2}"#, &[("/m", "value_error")]);
    check(&sets("/m"), r#"{"m":1,"\u006d":2}"#, &[("/m", "value_error")]);
    check(&sets("/m"), r#"{"a/b":1,"a/b":2}"#, &[("/a~1b", "value_error")]);
    check(&sets("/a/m"), r#"{"a":{"x":1,"x":2}}"#, &[("/a/x", "value_error")]);
    check(&sets("/a/m"), r#"{"a":null}"#, &[("/a", "type_error")]);
    check(&sets("/a/m"), r#"{"a":[]}"#, &[("/a", "type_error")]);
    check(&sets("/a/0"), r#"{"a":[1]}"#, &[("/a", "type_error")]);
    check(&sets("/a/b/m"), r#"{"a":"text"}"#, &[("/a", "type_error")]);
    check(&sets("/m"), r#"{"\ud800":1}"#, &[("", "value_error")]);
    check(&defaults("/a/m"), r#"{"a":1}"#, &[("/a", "type_error")]);
    let mut rules = sets("/s/m");
    rules.refuse = vec![(pointer("/z"), "z is not for you".into()), (pointer("/b/card"), "no cards".into())];
    check(
        &rules,
        r#"{"s":1,"b":{"card":null},"z":false,"z":1}"#,
        &[("/s", "type_error"), ("/b/card", "value_error"), ("/z", "value_error"), ("/z", "value_error")],
    );
}

#[test]
fn a_refusal_says_why_and_lets_everything_else_pass() {
    let rules = Body { refuse: vec![(pointer("/a/card"), "no cards".into())], ..Body::default() };
    let Err(BodyError::Problems(problems)) = edited(&rules, r#"{"a":{"c\u0061rd":1}}"#) else { panic!() };
    assert_eq!(problems, [Problem::body("/a/card", "value_error", "no cards")]);
    for text in [r#"{"a":1}"#, r#"{"a":[{"card":1}]}"#, r#"{"card":1}"#, r#"{"a":{"b":{"x":1,"x":2}}}"#] {
        assert_eq!(edited(&rules, text).unwrap(), text);
    }
    // A level that a refusal opens may not repeat a member either.
    assert_eq!(problems_of(&rules, r#"{"a":{},"a":{"card":1}}"#), [("/a".into(), "value_error"), ("/a/card".into(), "value_error")]);
}

#[test]
fn problems_are_limited() {
    let text = format!("{{{}\"m\":1}}", r#""m":1,"#.repeat(50_000));
    assert_eq!(problems_of(&sets("/m"), &text).len(), PROBLEMS_MAX);
}

#[test]
fn a_call_without_a_caller_has_a_body_only_if_the_definition_writes_one() {
    let provider = provider(&["account"]);
    let credentials = credentials(&provider, &[("account", "Shop")]);
    let values = Values::new(&credentials, &provider.methods[0]);
    let check = |rules: &Body, expected: Option<(&str, &str)>| {
        let written = write(&plain(rules), None, &values).unwrap();
        let written = written.as_ref().map(|w| (std::str::from_utf8(&w.bytes).unwrap(), w.content_type));
        assert_eq!(written, expected);
    };
    check(&Body::default(), None);
    check(&sets("/m"), Some((r#"{"m":"Shop"}"#, "application/json")));
    check(&Body { constant: Some(r#"{"query":"q"}"#.into()), ..Body::default() }, Some((r#"{"query":"q"}"#, "application/json")));
    check(&Body { encoding: Encoding::Form, ..sets("/m") }, Some(("m=Shop", "application/x-www-form-urlencoded")));
}

#[test]
fn brackets_in_a_form_name_do_not_get_round_a_rule() {
    let provider = provider(&["account"]);
    let credentials = credentials(&provider, &[("account", "Shop")]);
    let values = Values::new(&credentials, &provider.methods[0]);
    let rules =
        Body { encoding: Encoding::FormBrackets, refuse: vec![(pointer("/method/card"), "no cards".into())], ..sets("/account/id") };
    let check = |text: &str, expected: Result<&str, (&str, &str)>| {
        let found = match write(&plain(&rules), Some(&object(text)), &values) {
            Ok(written) => Ok(String::from_utf8(written.unwrap().bytes.to_vec()).unwrap()),
            Err(BodyError::Problems(problems)) => Err((problems[0].pointer.clone(), problems[0].message.clone())),
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(found, expected.map(str::to_owned).map_err(|(at, why)| (at.to_owned(), why.to_owned())), "{text}");
    };
    check(r#"{"method[card][number]":"4"}"#, Err(("/method[card][number]", "no cards")));
    check(r#"{"method":{"card][number":"4"}}"#, Err(("/method/card][number", "no cards")));
    check(r#"{"method[card":"4"}"#, Err(("/method[card", "no cards")));
    let ours = "as a form name it would mean `/account/id`, which the definition writes";
    check(r#"{"account[id]":"other"}"#, Err(("/account[id]", ours)));
    check(r#"{"account[]":"other"}"#, Err(("/account[]", ours)));
    check(r#"{"metadata":{"a[b]":"x"}}"#, Ok("metadata[a%5Bb%5D]=x&account[id]=Shop"));
}

proptest! {
    #[test]
    fn any_object_arrives_equal_apart_from_what_is_declared(value in any_json(), pretty in any::<bool>()) {
        let sent = serde_json::json!({ "payload": value, "n": 1 });
        let text = if pretty { serde_json::to_string_pretty(&sent) } else { serde_json::to_string(&sent) }.unwrap();
        let mut rules = sets("/ours/account");
        rules.default = vec![(pointer("/n"), JsonTemplate::Literal("2".into())), (pointer("/d"), JsonTemplate::Literal("1.50".into()))];
        let arrived: serde_json::Value = serde_json::from_str(&edited(&rules, &text).unwrap()).unwrap();
        let expected = serde_json::json!({ "payload": value, "n": 1, "d": 1.50, "ours": { "account": STORED } });
        prop_assert_eq!(arrived, expected);
    }

    #[test]
    fn what_is_removed_is_gone_and_the_rest_is_equal(value in any_json(), first in any::<bool>()) {
        let map = if first { serde_json::json!({ "gone": value, "kept": value }) } else { serde_json::json!({ "kept": value, "zgone": value }) };
        let at = if first { "/gone" } else { "/zgone" };
        let rules = Body { remove: vec![pointer(at)], ..Body::default() };
        let arrived: serde_json::Value = serde_json::from_str(&edited(&rules, &map.to_string()).unwrap()).unwrap();
        prop_assert_eq!(arrived, serde_json::json!({ "kept": value }));
    }

    #[test]
    fn no_spelling_gets_round_a_rule(text in any_object_text()) {
        let rules = Body {
            refuse: vec![(pointer("/a/b"), "no".into())],
            remove: vec![pointer("/a/c"), pointer("/c/0")],
            ..sets("/b/a")
        };
        let provider = provider(&["account", "absent"]);
        let credentials = credentials(&provider, &[("account", STORED)]);
        let values = Values::new(&credentials, &provider.methods[0]);
        match plain(&rules).edit(Some(&object(&text)), &values) {
            Ok(body) => {
                let body = body.unwrap();
                prop_assert_eq!(body.string_at(&pointer("/b/a")), Some(STORED.to_owned()));
                prop_assert_eq!((body.at(&pointer("/a/b")), body.at(&pointer("/a/c"))), (None, None));
                // Whoever takes the first of two members and whoever takes the last see the same.
                for level in ["", "/b"] {
                    let at = domain::json::resolve(body.bytes(), &pointer(level)).unwrap().start;
                    let names: Vec<String> = members(body.bytes(), at).unwrap().into_iter().map(|member| member.name.into_owned()).collect();
                    prop_assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
                }
                for encoding in [Encoding::Form, Encoding::FormBrackets] {
                    let rules = Body { encoding, ..rules.clone() };
                    if let Ok(Some(form)) = write(&plain(&rules), Some(&object(&text)), &values) {
                        let form = percent_encoding::percent_decode(&form.bytes).decode_utf8().unwrap().into_owned();
                        prop_assert_eq!(form.matches("b[a]=").count(), 1, "{}", form);
                    }
                }
            }
            Err(BodyError::Problems(problems)) => prop_assert!(!problems.is_empty()),
            Err(other) => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn without_rules_no_byte_of_any_object_changes(text in any_object_text()) {
        prop_assert_eq!(edited(&Body::default(), &text).unwrap(), text);
    }
}
