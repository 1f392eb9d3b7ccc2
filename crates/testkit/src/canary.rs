//! Values that must not come out, looked for in every form that a program gives to bytes.
#![expect(clippy::indexing_slicing, clippy::panic, reason = "test equipment fails by panicking")]

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::json;

/// Shorter texts are met by chance, and their encoded forms sooner.
const CHARACTERS_MIN: usize = 12;

/// As many bytes of each form are looked up at every place. No form is shorter.
const KEY_BYTES: usize = 8;

/// Texts that were planted, and must be found in none of the places that are looked at.
///
/// Places have many megabytes and the forms are hundreds, so the forms are found by their beginnings.
#[derive(Clone, Debug, Default)]
pub struct Canaries(HashMap<[u8; KEY_BYTES], Vec<Form>>);

/// One way to write one planted text.
#[derive(Clone, Debug)]
struct Form {
    text: String,
    form: String,
}

// === impl Canaries ===

impl Canaries {
    /// Looks for these texts.
    pub fn of<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut canaries = Self::default();
        canaries.plant(texts);
        canaries
    }

    /// Looks for these as well.
    pub fn plant<T: AsRef<str>>(&mut self, texts: impl IntoIterator<Item = T>) {
        for text in texts {
            let text = text.as_ref();
            assert!(text.len() >= CHARACTERS_MIN, "`{text}` is found by chance");
            for form in forms(text) {
                let key = *form.as_bytes().first_chunk().expect("a form is not shorter than the key");
                self.0.entry(key).or_default().push(Form { text: text.to_owned(), form });
            }
        }
    }

    /// The planted text and the form of it that bytes hold, if they hold one.
    pub fn found_in(&self, bytes: &[u8]) -> Option<(&str, &str)> {
        (0..bytes.len()).find_map(|at| {
            let begun = self.0.get(bytes[at..].first_chunk::<KEY_BYTES>()?)?;
            let found = begun.iter().find(|form| bytes[at..].starts_with(form.form.as_bytes()))?;
            Some((found.text.as_str(), found.form.as_str()))
        })
    }

    /// Fails where a place holds one, and names both.
    #[track_caller]
    pub fn assert_absent(&self, place: &str, bytes: &[u8]) {
        if let Some((text, form)) = self.found_in(bytes) {
            panic!("{place} holds {text} as {form}");
        }
    }
}

/// Whether bytes hold others.
pub fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some((first, _)) = wanted.split_first() else { return true };
    // Comparing only where the first byte is right keeps a scan of many megabytes short in a build without optimisation.
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        if rest[at..].starts_with(wanted) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

/// The ways in which a text may be written down: as it is, hex, percent-encoded, escaped for JSON once and twice, base64 wherever it begins.
fn forms(text: &str) -> Vec<String> {
    let hex = |upper: bool| text.bytes().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect::<String>();
    let escaped = |text: &str| {
        let quoted = json!(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let once = escaped(text);
    let mut forms =
        vec![text.to_owned(), hex(false), hex(true), escaped(&once), once, percent_encoded(text, '+'), percent_encoded(text, ' ')];
    for before in 0..3 {
        let encoded = STANDARD_NO_PAD.encode([&vec![b'x'; before][..], text.as_bytes()].concat());
        // The first and the last characters depend on the neighbours.
        let whole = &encoded[if before == 0 { 0 } else { before + 1 }..encoded.len() - 2];
        forms.push(whole.to_owned());
        forms.push(whole.replace('+', "-").replace('/', "_"));
    }
    forms.sort();
    forms.dedup();
    forms
}

/// As in a form (a blank is `+`) or in a path (a blank is `%20`).
fn percent_encoded(text: &str, blank: char) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        b' ' if blank == '+' => "+".to_owned(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    const SECRET: &str = "canary-\"secret\"/+ of 2026";

    #[test]
    fn what_is_planted_is_found_in_every_form() {
        let canaries = Canaries::of([SECRET]);
        let text = SECRET;
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let basic = |user: &str| STANDARD.encode(format!("{user}:{text}:"));
        let url = |before: &str| URL_SAFE_NO_PAD.encode(format!("{before}{text}?"));
        let json = json!({ "a": text }).to_string();
        let twice = json!({ "b": json }).to_string();
        let form = "a=canary-%22secret%22%2F%2B+of+2026&b=1".to_owned();
        let path = "/canary-%22secret%22%2F%2B%20of%202026/".to_owned();
        let hidden = [
            hex.to_uppercase(),
            format!("\\x{hex}"),
            basic("a"),
            basic("ab"),
            basic("abc"),
            url(""),
            url("1"),
            url("12"),
            json,
            twice,
            form,
            path,
        ];
        for place in hidden.iter().chain([&format!("a{text}b")]) {
            assert!(canaries.found_in(place.as_bytes()).is_some(), "{place}");
        }
        assert_eq!(canaries.found_in("canary-secret of 2026".as_bytes()), None);
    }

    #[test]
    fn bytes_are_found_wherever_they_stand() {
        for (bytes, wanted, expected) in [
            ("aab", "ab", true),
            ("ab", "ab", true),
            ("abab", "bab", true),
            ("aba", "abb", false),
            ("a", "ab", false),
            ("", "a", false),
            ("a", "", true),
        ] {
            assert_eq!(contains(bytes.as_bytes(), wanted.as_bytes()), expected, "{bytes} {wanted}");
        }
    }
}
