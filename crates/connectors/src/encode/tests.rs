//! Forms, written and read back.

use proptest::prelude::*;

use super::*;
use crate::fixtures::{any_json, object};

fn form(text: &str, encoding: Encoding) -> Result<String, Vec<(String, &'static str)>> {
    match encode(&object(text), encoding, &[]) {
        Ok(bytes) => Ok(String::from_utf8(bytes.to_vec()).unwrap()),
        Err(problems) => Err(problems.into_iter().map(|p| (p.pointer, p.kind)).collect()),
    }
}

#[test]
fn nested_bodies_become_names_with_brackets() {
    let check = |text: &str, expected: &str| assert_eq!(form(text, Encoding::FormBrackets).unwrap(), expected, "{text}");
    check(r#"{"amount":1000,"currency":"eur"}"#, "amount=1000&currency=eur");
    check(r#"{"metadata":{"order":"1"},"z":true,"y":false,"n":null}"#, "metadata[order]=1&z=true&y=false&n=");
    check(r#"{"l":["a",{"b":{"c":"x y"}}]}"#, "l[0]=a&l[1][b][c]=x%20y");
    check(r#"{"a":1.0,"b":1E+5,"c":10.00,"d":18446744073709551616}"#, "a=1.0&b=1E%2B5&c=10.00&d=18446744073709551616");
    check(r#"{"e":[],"o":{},"x":1}"#, "x=1");
    check("{}", "");
    check(r#"{"\u0061":"\u00e9\n&="}"#, "a=%C3%A9%0A%26%3D");
    check(r#"{"a[b]&c=d":"1"}"#, "a%5Bb%5D%26c%3Dd=1");
    check(r#"{"m":{"a[b]":"1","é":"2"}}"#, "m[a%5Bb%5D]=1&m[%C3%A9]=2");
}

#[test]
fn flat_forms_take_scalars_only() {
    assert_eq!(form(r#"{"grant_type":"client_credentials","n":1}"#, Encoding::Form).unwrap(), "grant_type=client_credentials&n=1");
    assert_eq!(form(r#"{"a":[],"b":{},"c":""}"#, Encoding::Form).unwrap(), "c=");
    let expected = vec![("/a".to_owned(), "type_error"), ("/b".to_owned(), "type_error")];
    assert_eq!(form(r#"{"a":[1],"b":{"c":1}}"#, Encoding::Form), Err(expected));
}

#[test]
fn what_can_not_be_written_unambiguously_is_refused() {
    let check = |text: &str, expected: &[&str]| {
        let found = form(text, Encoding::FormBrackets).unwrap_err();
        assert_eq!(found.iter().map(|(at, _)| at.as_str()).collect::<Vec<_>>(), expected, "{text}");
    };
    check(r#"{"a":1,"a":2}"#, &["/a"]);
    check(r#"{"a":["x"],"a":{"0":"y"}}"#, &["/a"]);
    check(r#"{"a":{"b":1},"\u0061":{"c":2}}"#, &["/a"]);
    check(r#"{"a":{"b":null,"b":[]}}"#, &["/a/b"]);
    check(r#"{"a":{"b":1},"a[b]":2}"#, &["/a[b]"]);
    check(r#"{"a":{"":1}}"#, &["/a/"]);
    check(r#"{"a":"\ud800","b":{"\ud800":1}}"#, &["/a", "/b"]);
}

#[test]
fn long_names_over_long_lists_end_at_the_limit() {
    let name = "n".repeat(500_000);
    for element in ["1,", "[],"] {
        let text = format!("{{\"{name}\":[{}1]}}", element.repeat(150_000));
        assert_eq!(form(&text, Encoding::FormBrackets), Err(vec![(String::new(), "value_error")]));
    }
    let many = format!("{{\"a\":[{}null]}}", "\"\\ud800\",".repeat(10_000));
    assert_eq!(form(&many, Encoding::FormBrackets).unwrap_err().len(), PROBLEMS_MAX);
}

/// Reads a form back: names by their brackets before decoding, as the strictest servers do.
fn leaves(form: &str) -> Vec<(Vec<String>, String)> {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        let parts = name.split('[').map(|part| decode(part.strip_suffix(']').unwrap_or(part))).collect();
        (parts, decode(value))
    };
    form.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

fn expected_leaves(value: &serde_json::Value, path: &[String], out: &mut Vec<(Vec<String>, String)>) {
    let below = |token: &str| [path, &[token.to_owned()]].concat();
    match value {
        serde_json::Value::Object(map) => map.iter().for_each(|(name, value)| expected_leaves(value, &below(name), out)),
        serde_json::Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, value)| expected_leaves(value, &below(&i.to_string()), out))
        }
        serde_json::Value::String(text) => out.push((path.to_vec(), text.clone())),
        serde_json::Value::Null => out.push((path.to_vec(), String::new())),
        serde_json::Value::Bool(_) | serde_json::Value::Number(_) => out.push((path.to_vec(), value.to_string())),
    }
}

proptest! {
    #[test]
    fn a_form_reads_back_as_what_was_written(value in any_json()) {
        let sent = serde_json::json!({ "root": value });
        if let Ok(form) = form(&sent.to_string(), Encoding::FormBrackets) {
            let mut expected = Vec::new();
            expected_leaves(&sent, &[], &mut expected);
            prop_assert_eq!(leaves(&form), expected);
        }
    }
}
