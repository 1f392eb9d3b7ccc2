//! One spelling for the same JSON, so that a repeated request is recognised although its sender has written it anew.
//!
//! As in RFC 8785: members sorted by name, no white space, as few escapes as possible. Unlike there, numbers keep their spelling: as doubles, two different numbers of twenty digits would be the same one. And repeated members stay, in their order, for they are not the same as one.

use std::borrow::Cow;
use std::ops::Range;

use super::{JsonText, decode_string, next_item, root, skip_space, string_end, value_end};

/// The canonical spelling of a value. As deep as the value, which is never deeper than [`super::DEPTH_MAX`], and at most a little longer.
pub fn canonical(text: &JsonText) -> Vec<u8> {
    let bytes = text.bytes();
    let mut out = Vec::with_capacity(bytes.len());
    // What can not be read by position is taken as it stands; `JsonText` holds nothing of the kind.
    let written = root(bytes).and_then(|range| value(bytes, range.start, &mut out));
    if written.is_some() { out } else { bytes.to_vec() }
}

/// Writes the value that begins at a position; answers where it ends.
fn value(bytes: &[u8], at: usize, out: &mut Vec<u8>) -> Option<usize> {
    match bytes.get(at)? {
        b'{' => object(bytes, at, out),
        b'[' => array(bytes, at, out),
        b'"' => {
            let end = string_end(bytes, at)?;
            string(bytes.get(at..end)?, out);
            Some(end)
        }
        _ => {
            let end = value_end(bytes, at)?;
            out.extend_from_slice(bytes.get(at..end)?);
            Some(end)
        }
    }
}

fn object(bytes: &[u8], start: usize, out: &mut Vec<u8>) -> Option<usize> {
    let mut values = Vec::new();
    let mut found: Vec<(Cow<'_, str>, &[u8], Range<usize>)> = Vec::new();
    let mut at = skip_space(bytes, start + 1);
    while bytes.get(at)? != &b'}' {
        let name_end = string_end(bytes, at)?;
        let name = bytes.get(at..name_end)?;
        let colon = skip_space(bytes, name_end);
        let value_start = values.len();
        let end = value(bytes, skip_space(bytes, colon + 1), &mut values)?;
        found.push((sort_key(name), name, value_start..values.len()));
        at = next_item(bytes, end)?;
    }
    // Stable, so that repeated members keep their order. UTF-16, as the RFC has it: languages that compare strings so need no code for it.
    found.sort_by(|(one, ..), (other, ..)| one.encode_utf16().cmp(other.encode_utf16()));
    out.push(b'{');
    for (index, (_, name, range)) in found.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        string(name, out);
        out.push(b':');
        out.extend_from_slice(values.get(range)?);
    }
    out.push(b'}');
    Some(at + 1)
}

fn array(bytes: &[u8], start: usize, out: &mut Vec<u8>) -> Option<usize> {
    out.push(b'[');
    let mut at = skip_space(bytes, start + 1);
    let mut is_first = true;
    while bytes.get(at)? != &b']' {
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        let end = value(bytes, at, out)?;
        at = next_item(bytes, end)?;
    }
    out.push(b']');
    Some(at + 1)
}

/// Half of a character, which JSON can write as an escape, is no text: it is sorted as it stands.
fn sort_key(quoted: &[u8]) -> Cow<'_, str> {
    decode_string(quoted).unwrap_or_else(|| String::from_utf8_lossy(quoted))
}

fn string(quoted: &[u8], out: &mut Vec<u8>) {
    let Some(text) = decode_string(quoted) else {
        out.extend_from_slice(quoted);
        return;
    };
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            0x00..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{DEPTH_MAX, JsonText};
    use super::*;

    fn check(text: &str, expected: &str) {
        let canonical = canonical(&JsonText::parse(text.to_owned()).unwrap());
        assert_eq!(std::str::from_utf8(&canonical).unwrap(), expected, "{text}");
    }

    #[test]
    fn white_space_order_and_escapes_do_not_count() {
        check(" { \"b\" : [ 1 , { } , [ ] ] ,\n\"a\" : null , \"\" : true } ", r#"{"":true,"a":null,"b":[1,{},[]]}"#);
        check(r#"{"\u0061":"\u0041\/\u000a\u0001\u007f\u20ac\ud83d\ude00\"\\"}"#, "{\"a\":\"A/\\n\\u0001\u{7f}€😀\\\"\\\\\"}");
        check(r#"{"a":"\b\f\n\r\t"}"#, r#"{"a":"\b\f\n\r\t"}"#);
        check(" \"x\" ", "\"x\"");
    }

    /// The example of the RFC: U+1F600 comes before U+FB33, since UTF-16 writes it with surrogates.
    #[test]
    fn members_are_sorted_by_utf16() {
        check(
            r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#,
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}",
        );
    }

    #[test]
    fn numbers_and_repeated_members_stay_as_they_are() {
        check(
            r#"{"n":[1.0,1,1e0,-0,12345678901234567890,12345678901234567891]}"#,
            r#"{"n":[1.0,1,1e0,-0,12345678901234567890,12345678901234567891]}"#,
        );
        check(r#"{"b":1,"a":2,"a":1}"#, r#"{"a":2,"a":1,"b":1}"#);
        check(r#"{"a":1,"b":1,"a":2}"#, r#"{"a":1,"a":2,"b":1}"#);
        check(r#"{"z":1,"\ud800":"\ud800"}"#, r#"{"\ud800":"\ud800","z":1}"#);
    }

    #[test]
    fn the_deepest_value_is_written() {
        let deep = format!("{}1{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
        check(&deep, &deep);
    }

    proptest! {
        /// What was written anew by another program is the same, and what is canonical stays as it is.
        #[test]
        fn another_spelling_of_the_same_is_the_same(
            members in proptest::collection::btree_map(".{0,8}", proptest::collection::vec(any::<i64>(), 0..4), 0..8),
            texts in proptest::collection::vec(".{0,12}", 0..4),
        ) {
            let value = serde_json::json!({ "members": members, "texts": texts });
            let compact = JsonText::parse(serde_json::to_string(&value).unwrap()).unwrap();
            let pretty = JsonText::parse(serde_json::to_string_pretty(&value).unwrap()).unwrap();
            let written = canonical(&compact);
            prop_assert_eq!(&written, &canonical(&pretty));
            prop_assert_eq!(&written, &canonical(&JsonText::parse(written.clone()).unwrap()));
            let read: serde_json::Value = serde_json::from_slice(&written).unwrap();
            prop_assert_eq!(read, value);
        }
    }
}
