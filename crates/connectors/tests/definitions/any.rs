//! Whatever a caller, a merchant or a payment service may send.

use bytes::Bytes;
use connectors::model::{Call, Success};
use domain::json::Pointer;
use proptest::prelude::*;
use proptest::string::{RegexGeneratorStrategy, string_regex};

/// The text of any JSON object whose names are often those that a definition speaks of: escaped, repeated, at the wrong place.
pub(crate) fn body(call: &Call) -> impl Strategy<Value = String> + use<> {
    let rules = &call.body;
    let pointers =
        rules.refuse.iter().map(|(at, _)| at).chain(&rules.remove).chain(rules.default.iter().chain(&rules.set).map(|(at, _)| at));
    let mut names: Vec<String> = pointers.flat_map(Pointer::tokens).map(|token| quoted(token)).collect();
    names.extend(["a", "b", "0", "a[b]", "x/~y", "é"].map(quoted));
    object(prop::sample::select(names).boxed())
}

fn object(name: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1.0".to_owned()),
        Just("18446744073709551616".to_owned()),
        Just("-1E+5".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        text(".{0,10}").prop_map(|text| quoted(&text)),
        text(".{0,10}").prop_map(|text| escaped(&text)),
    ];
    let name = prop_oneof![8 => name, 1 => text("[a-z]{1,3}").prop_map(|text| quoted(&text))];
    let members = move |value: BoxedStrategy<String>| {
        let member = (name.clone(), any::<bool>(), prop_oneof![4 => Just(""), 1 => Just(" \n")], value);
        let member = member.prop_map(|(name, escape, space, value)| {
            let name = if escape { escaped(name.trim_matches('"')) } else { name };
            format!("{space}{name}{space}:{space}{value}{space}")
        });
        prop::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(",")))
    };
    let value = leaf.prop_recursive(3, 24, 4, {
        let members = members.clone();
        move |inner| {
            let list = prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(",")));
            prop_oneof![3 => members(inner.boxed()), 1 => list]
        }
    });
    members(value.boxed())
}

/// Text that tries to leave its place.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let known = [
        "..",
        ".",
        "../..",
        "/",
        "//",
        "a/b",
        "a/../b",
        "%2e%2e",
        "%2F",
        "a?b=c",
        "a&b=c",
        "a#b",
        "evil.example",
        "evil.example/",
        "@evil.example",
        "user:password@evil.example",
        ":8080",
        "a\r\nX-Evil: 1",
        "a\nb",
        "a\0b",
        "\u{85}",
        "\\",
        "\"",
        "{{ field.x }}",
        "é",
        "\u{202e}",
        " ",
        "a b",
        "-",
        "-a",
    ];
    prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), text(".{1,40}"), text("[A-Za-z0-9-]{1,70}")]
}

/// Bytes of an answer: known ones, cut, changed and mixed up, or anything.
pub(crate) fn answer_bytes(known: Vec<Bytes>, success: &Success) -> impl Strategy<Value = Bytes> + use<> {
    let mut words: Vec<String> =
        success.absent.iter().chain(success.equals.iter().map(|(at, _)| at)).flat_map(Pointer::tokens).map(|t| quoted(t)).collect();
    words.extend(success.equals.iter().map(|(_, value)| value.to_string()));
    words.extend(["{", "}", "[", "]", ":", ",", "null", "[ ]", "1", "\"\\ud800\"", "\"a\"", " ", "true"].map(str::to_owned));
    let soup = prop::collection::vec(prop::sample::select(words), 0..12).prop_map(|words| Bytes::from(words.concat()));
    let anything = prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    let changed = (prop::sample::select(known), any::<prop::sample::Index>(), any::<u8>(), 0..4_u8).prop_map(|(bytes, at, byte, how)| {
        let mut bytes = bytes.to_vec();
        let at = if bytes.is_empty() { 0 } else { at.index(bytes.len()) };
        match how {
            0 => bytes.truncate(at),
            1 if !bytes.is_empty() => bytes[at] = byte,
            2 => bytes.insert(at, byte),
            _ => {}
        }
        Bytes::from(bytes)
    });
    prop_oneof![3 => changed, 1 => soup, 1 => anything]
}

/// Text of a form. A bare string would be read as an expression for each case anew.
fn text(expression: &str) -> RegexGeneratorStrategy<String> {
    string_regex(expression).unwrap()
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text as JSON, every character escaped.
pub(crate) fn escaped(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{units}\"")
}
