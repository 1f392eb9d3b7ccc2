//! Covers stored secrets that a payment service echoes: the caller of a session may use the service without knowing its credentials.
//!
//! Every byte becomes one `*`, so that the rest of the answer stays where it was and the answer stays JSON.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use domain::Secret;

/// Shortest secret that is looked for. Shorter ones occur by chance, and covering them would spoil answers.
pub const SECRET_CHARACTERS_MIN: usize = 12;

/// The secrets of one payment service.
#[derive(Clone)]
pub struct Mask {
    needles: Vec<Secret>,
}

// === impl Mask ===

impl Mask {
    /// Takes secrets; those that are too short to be told from chance are left out.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        // A secret of nothing but stars could not be covered, and gives nothing away.
        let is_sought = |secret: &&str| secret.chars().count() >= SECRET_CHARACTERS_MIN && secret.chars().any(|c| c != '*');
        Self { needles: secrets.into_iter().filter(is_sought).map(Secret::from).collect() }
    }

    /// The JSON text with the secrets covered, in names and values, however they are escaped. `None` where that would not leave JSON.
    pub fn cover<'a>(&self, json: &'a str) -> Option<Cow<'a, str>> {
        // Nearly every answer: nothing is escaped and nothing is echoed.
        if !json.contains('\\') && !self.is_in(json) {
            return Some(Cow::Borrowed(json));
        }
        let mut covered = json.as_bytes().to_vec();
        for token in tokens(json) {
            match token {
                Token::String(range) => self.cover_string(json.get(range.clone())?, range.start, &mut covered),
                Token::Number(range) => {
                    if self.is_in(json.get(range.clone())?) {
                        // A number can not hold a star, so it becomes a string of its own length.
                        fill(&mut covered, range.clone(), b'*');
                        fill(&mut covered, range.start..range.start + 1, b'"');
                        fill(&mut covered, range.end - 1..range.end, b'"');
                    }
                }
            }
        }
        let covered = String::from_utf8(covered).ok()?;
        // What is left crosses the borders of values: better no answer than that one.
        (!self.is_in(&covered)).then_some(Cow::Owned(covered))
    }

    /// Whether a secret occurs in a text, as it is.
    pub fn is_in(&self, text: &str) -> bool {
        self.needles().any(|needle| text.contains(needle))
    }

    fn needles(&self) -> impl Iterator<Item = &str> {
        self.needles.iter().filter_map(Secret::expose_str)
    }

    /// `inner` is what stands between the quotes, at `offset` of the whole.
    fn cover_string(&self, inner: &str, offset: usize, covered: &mut [u8]) {
        let decoded = Decoded::of(inner);
        for needle in self.needles() {
            for (start, found) in decoded.text.match_indices(needle) {
                let from = decoded.written_at(start);
                let to = decoded.written_at(start + found.len());
                fill(covered, offset + from..offset + to, b'*');
            }
        }
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} secrets)", self.needles.len())
    }
}

fn fill(bytes: &mut [u8], range: Range<usize>, with: u8) {
    if let Some(part) = bytes.get_mut(range) {
        part.fill(with);
    }
}

// === the parts of a JSON text that can hold a secret ===

enum Token {
    /// What stands between two quotes.
    String(Range<usize>),
    /// A number as written.
    Number(Range<usize>),
}

fn tokens(json: &str) -> Vec<Token> {
    let bytes = json.as_bytes();
    let length = |from: usize, belongs: fn(u8) -> bool| bytes.iter().skip(from).take_while(|b| belongs(**b)).count();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = string_end(bytes, at + 1);
                found.push(Token::String(at + 1..end));
                at = end + 1;
            }
            b'-' | b'0'..=b'9' => {
                let end = at + length(at, |b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
                found.push(Token::Number(at..end));
                at = end;
            }
            _ => at += 1,
        }
    }
    found
}

/// The position of the closing quote.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// A string with its escapes decoded, and where each byte of it was written.
struct Decoded {
    text: String,
    /// For each byte of `text`, and for its end, the offset as written; empty where nothing is escaped.
    written: Vec<usize>,
}

impl Decoded {
    fn of(inner: &str) -> Self {
        if !inner.contains('\\') {
            return Self { text: inner.to_owned(), written: Vec::new() };
        }
        let mut decoded = Self { text: String::with_capacity(inner.len()), written: Vec::with_capacity(inner.len() + 1) };
        let mut rest = inner;
        while !rest.is_empty() {
            let at = inner.len() - rest.len();
            let (character, length) = next_character(rest);
            decoded.text.push(character);
            decoded.written.resize(decoded.text.len(), at);
            rest = rest.get(length..).unwrap_or_default();
        }
        decoded.written.push(inner.len());
        decoded
    }

    fn written_at(&self, decoded: usize) -> usize {
        self.written.get(decoded).copied().unwrap_or(decoded)
    }
}

/// The character that a JSON string begins with, and how many bytes it takes as written.
fn next_character(rest: &str) -> (char, usize) {
    let mut characters = rest.chars();
    let first = characters.next().unwrap_or_default();
    if first != '\\' {
        return (first, first.len_utf8());
    }
    match characters.next() {
        Some('u') => unicode_escape(rest),
        Some('n') => ('\n', 2),
        Some('r') => ('\r', 2),
        Some('t') => ('\t', 2),
        Some('b') => ('\u{8}', 2),
        Some('f') => ('\u{c}', 2),
        Some(other) => (other, 1 + other.len_utf8()),
        None => (first, 1),
    }
}

fn unicode_escape(rest: &str) -> (char, usize) {
    let unit = |from: usize| rest.get(from..from + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let Some(high) = unit(2) else { return (char::REPLACEMENT_CHARACTER, rest.len().min(2)) };
    if let Some(character) = char::from_u32(high) {
        return (character, 6);
    }
    let low = rest.get(6..8).filter(|text| *text == "\\u").and_then(|_| unit(8)).filter(|low| (0xDC00..0xE000).contains(low));
    match low {
        Some(low) if (0xD800..0xDC00).contains(&high) => {
            let character = char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00));
            (character.unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        // Half of a pair alone is no character; nothing that is sought can match it.
        Some(_) | None => (char::REPLACEMENT_CHARACTER, 6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::any_json;
    use proptest::prelude::*;

    #[test]
    fn secrets_are_covered_however_they_are_written() {
        let check = |secret: &str, json: &str, expected: Option<&str>| {
            let covered = Mask::new([secret]).cover(json);
            assert_eq!(covered.as_deref(), expected, "{secret} in {json}");
            if let Some(covered) = covered {
                assert_eq!(covered.len(), json.len());
                assert!(domain::JsonObject::parse(covered.into_owned()).is_ok());
            }
        };
        check("sk_test_secret", r#"{"a":"Bearer sk_test_secret!","n":1.0}"#, Some(r#"{"a":"Bearer **************!","n":1.0}"#));
        check("sk_test_secret", r#"{"sk_test_secret":["sk_test_secret"]}"#, Some(r#"{"**************":["**************"]}"#));
        check("sk/test\"secret", r#"{"a":"sk\/test\"secret\n"}"#, Some(r#"{"a":"****************\n"}"#));
        check("sk_test_secret", r#"{"a":"\u0073k_test_secre\u0074"}"#, Some(r#"{"a":"************************"}"#));
        check(
            "sk_test_sécret😀",
            r#"{"a":"sk_test_s\u00e9cret\ud83d\ude00","b":"é"}"#,
            Some(r#"{"a":"*******************************","b":"é"}"#),
        );
        check("sk_test_sécret", "{\"a\":\"sk_test_sécret\"}", Some("{\"a\":\"***************\"}"));
        check("123456789012", r#"{"a":123456789012,"b":"x123456789012"}"#, Some(r#"{"a":"**********","b":"x************"}"#));
        check("123456789012", r#"{"a":-91234567890125.5e1}"#, Some(r#"{"a":"*****************"}"#));
        check("11_characte", r#"{"a":"11_characte"}"#, Some(r#"{"a":"11_characte"}"#));
        check("************", r#"{"a":"************"}"#, Some(r#"{"a":"************"}"#));
        check(r#"{"key":"value"}"#, r#"{"a":{"key":"value"}}"#, None);
        check("sk_test_secret", r#"{"a":"\ud800\udc","b":"\ud800"}"#.replace("\\udc", "").as_str(), Some(r#"{"a":"\ud800","b":"\ud800"}"#));
    }

    #[test]
    fn nothing_shows_a_secret() {
        assert_eq!(format!("{:?}", Mask::new(["sk_test_secret", "short"])), "Mask(1 secrets)");
    }

    proptest! {
        #[test]
        fn a_covered_answer_is_json_without_the_secret(value in any_json(), secret in "[a-z\"\\\\/é\n]{12,20}", escape in any::<bool>()) {
            let mut echo = serde_json::json!([format!("x{secret}y"), { secret.clone(): 1 }]).to_string();
            if escape {
                echo = echo.replace('a', "\\u0061").replace('/', "\\/");
            }
            let text = format!("{{\"v\":{value},\"echo\":{echo}}}");
            let covered = Mask::new([secret.as_str()]).cover(&text).unwrap();
            prop_assert_eq!(covered.len(), text.len());
            let parsed: serde_json::Value = serde_json::from_str(&covered).unwrap();
            prop_assert!(parsed["echo"][1].get(&secret).is_none());
            prop_assert!(parsed["echo"][0].as_str().unwrap().trim_matches(['x', 'y']).chars().all(|c| c == '*'));
        }
    }
}
