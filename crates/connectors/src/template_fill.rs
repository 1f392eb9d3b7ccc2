//! Fills a template's names with values, escaped for the place they stand in.
//!
//! The place decides the escaping, never the template, so that no definition can forget it. No error holds a value.

use std::borrow::Cow;

use domain::json::Pointer;
use domain::{JsonText, Secret, SessionRecordId};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::credentials::Credentials;
use crate::facts::Sources;
use crate::model::{AttemptForm, JsonTemplate, Method, Name, Part, Place, Template};
use crate::sign::Signed;

/// The most bytes that one template may become: a certificate fits, a definition that repeats a long value without end does not.
pub const FILLED_BYTES_MAX: usize = 256 * 1024;

/// Longest label of a host name (RFC 1035).
const HOST_LABEL_BYTES_MAX: usize = 63;

/// Everything but the unreserved characters of RFC 3986: a value can neither end its segment nor begin a query.
pub(crate) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the names of a template mean, for one call.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    /// `field.x`.
    pub credentials: &'a Credentials,
    /// `method.code`.
    pub method: &'a Method,
    /// `token`.
    pub token: Option<&'a Secret>,
    /// `first /pointer`.
    pub first: First<'a>,
    /// `attempt.x`; `None` where there is no request yet, as in hosts.
    pub attempt: Option<SessionRecordId>,
    /// `sign.x`; `None` where nothing is signed yet.
    pub signed: Option<&'a Signed<'a>>,
}

/// The answer of the first step, for the second one.
#[derive(Clone, Copy, Debug, Default)]
pub enum First<'a> {
    /// The call is no second step.
    #[default]
    Never,
    /// It has not come yet: each name stands for itself.
    ToCome,
    /// It has come; `None`: without a body.
    Here(Option<&'a JsonText>),
}

/// Where a template stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The value of a header.
    Header,
    /// The user of `Authorization: Basic`: a header value without a colon.
    BasicUser,
    /// A path: a value is one segment of it, or a part of one.
    Path,
    /// Scheme, host and path prefix: a value is a part of one host label.
    Host,
    /// A string in a JSON text; what is filled in is not escaped yet.
    Json,
}

/// Why a template can not be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// A line break or another control character in a header.
    #[error("a value holds a control character, which a header can not")]
    Control,
    /// A colon ends the user in `Authorization: Basic`.
    #[error("a user name holds a colon")]
    Colon,
    /// A segment that a URL parser would take as a step up, or none at all.
    #[error("a path segment is empty, `.` or `..`")]
    Segment,
    /// A value in a host that could leave its label.
    #[error("a value in a host name may hold letters, digits and dashes only")]
    HostLabel,
    /// More than [`FILLED_BYTES_MAX`].
    #[error("a filled template is longer than {FILLED_BYTES_MAX} bytes")]
    TooLong,
    /// The second step takes what the first one has not answered.
    #[error("the answer of the first step has no text and no number where the second step takes it")]
    NotInFirst,
    /// A name that this place does not know: one of the simulators' in a call, the attempt in a host.
    #[error("a name stands where it is not known")]
    OutOfPlace,
}

// === impl Values ===

impl<'a> Values<'a> {
    /// What is stored and the method; everything else is not known yet.
    pub fn new(credentials: &'a Credentials, method: &'a Method) -> Self {
        Self { credentials, method, token: None, first: First::Never, attempt: None, signed: None }
    }

    /// `None`: an optional value that is not there.
    pub(crate) fn get(&self, name: &Name) -> Result<Option<Cow<'a, str>>, FillError> {
        match name {
            Name::Field(key) => Ok(self.credentials.get(key).map(Cow::Borrowed)),
            Name::MethodCode => Ok(self.method.code.as_deref().map(Cow::Borrowed)),
            Name::Token => Ok(self.token.and_then(Secret::expose_str).map(Cow::Borrowed)),
            Name::Attempt(form) => self.attempt.map(|id| Some(Cow::Owned(attempt(id, *form)))).ok_or(FillError::OutOfPlace),
            Name::Sign(line) => self.signed.ok_or(FillError::OutOfPlace)?.get(line).map(|text| text.map(Cow::Borrowed)),
            Name::First(pointer) => self.first.text(pointer).map(Some),
            Name::Request(_) | Name::Sim(_) => Err(FillError::OutOfPlace),
        }
    }
}

// === impl First ===

impl First<'_> {
    fn text<'v>(self, pointer: &Pointer) -> Result<Cow<'v, str>, FillError> {
        match self {
            Self::Never => Err(FillError::OutOfPlace),
            Self::ToCome => Ok(Cow::Owned(format!("[first {pointer}]"))),
            Self::Here(answer) => {
                let found = Sources { answer, ..Sources::default() }.find_text(&[Place::Answer(pointer.clone())]);
                found.map(Cow::Owned).ok_or(FillError::NotInFirst)
            }
        }
    }
}

fn attempt(id: SessionRecordId, form: AttemptForm) -> String {
    match form {
        AttemptForm::Id => id.0.hyphenated().to_string(),
        AttemptForm::Hex32 => id.0.simple().to_string(),
        AttemptForm::Upper32 => format!("{:X}", id.0.simple()),
    }
}

/// Fills a template. `None`: it names an optional value that is not there, so its line is left out.
pub fn fill(template: &Template, slot: Slot, values: &Values<'_>) -> Result<Option<String>, FillError> {
    let mut filled = String::new();
    for part in &template.0 {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Name(name) => match values.get(name)? {
                Some(value) => push(&mut filled, slot, &value)?,
                None => return Ok(None),
            },
        }
        if filled.len() > FILLED_BYTES_MAX {
            return Err(FillError::TooLong);
        }
    }
    if slot == Slot::Path {
        check_segments(&filled)?;
    }
    Ok(Some(filled))
}

/// Fills a JSON template into JSON text. `None`: a string in it names an optional value that is not there.
pub fn fill_json(template: &JsonTemplate, values: &Values<'_>) -> Result<Option<String>, FillError> {
    let mut out = String::new();
    Ok(write_json(&mut out, template, values)?.then_some(out))
}

/// A text as a JSON string.
pub(crate) fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// False as soon as a value is absent: what has been written by then is thrown away.
fn write_json(out: &mut String, template: &JsonTemplate, values: &Values<'_>) -> Result<bool, FillError> {
    match template {
        JsonTemplate::Text(text) => match fill(text, Slot::Json, values)? {
            Some(text) => out.push_str(&json_string(&text)),
            None => return Ok(false),
        },
        JsonTemplate::Literal(text) => out.push_str(text),
        JsonTemplate::List(items) => {
            for (index, item) in items.iter().enumerate() {
                out.push(if index == 0 { '[' } else { ',' });
                if !write_json(out, item, values)? {
                    return Ok(false);
                }
            }
            out.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        JsonTemplate::Object(members) => {
            for (index, (name, member)) in members.iter().enumerate() {
                out.push(if index == 0 { '{' } else { ',' });
                out.push_str(&json_string(name));
                out.push(':');
                if !write_json(out, member, values)? {
                    return Ok(false);
                }
            }
            out.push_str(if members.is_empty() { "{}" } else { "}" });
        }
    }
    if out.len() > FILLED_BYTES_MAX { Err(FillError::TooLong) } else { Ok(true) }
}

fn push(filled: &mut String, slot: Slot, value: &str) -> Result<(), FillError> {
    match slot {
        Slot::Header | Slot::BasicUser if value.chars().any(char::is_control) => return Err(FillError::Control),
        Slot::BasicUser if value.contains(':') => return Err(FillError::Colon),
        Slot::Header | Slot::BasicUser | Slot::Json => filled.push_str(value),
        Slot::Path => filled.extend(utf8_percent_encode(value, RESERVED)),
        Slot::Host => {
            let fits = (1..=HOST_LABEL_BYTES_MAX).contains(&value.len());
            if !fits || !value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                return Err(FillError::HostLabel);
            }
            filled.push_str(value);
        }
    }
    Ok(())
}

/// The first segment is the empty one before the leading slash; a definition may write a query behind the path.
fn check_segments(path: &str) -> Result<(), FillError> {
    let before_query = path.split('?').next().unwrap_or_default();
    let segments = before_query.split('/').skip(1);
    let mut wrong = segments.filter(|segment| matches!(*segment, "." | ".."));
    let doubled = before_query.contains("//");
    if wrong.next().is_some() || doubled { Err(FillError::Segment) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{credentials, provider};
    use proptest::prelude::*;

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    fn field(key: &str) -> Part {
        Part::Name(Name::Field(key.to_owned()))
    }

    fn filled(parts: Vec<Part>, slot: Slot, key: &str) -> Result<Option<String>, FillError> {
        let provider = provider(&["key", "other"]);
        let credentials = credentials(&provider, &[("key", key)]);
        let token = Secret::from("t0ken");
        fill(&Template(parts), slot, &Values { token: Some(&token), ..Values::new(&credentials, &provider.methods[0]) })
    }

    #[test]
    fn each_place_escapes_or_refuses_in_its_own_way() {
        let check = |slot, value: &str, expected: Result<&str, FillError>| {
            let expected = expected.map(|text| Some(text.to_owned()));
            assert_eq!(filled(vec![text("/a/"), field("key")], slot, value), expected, "{slot:?} {value:?}");
        };
        check(Slot::Header, "x y:z", Ok("/a/x y:z"));
        for control in ["a\rb", "a\nb", "a\0b", "a\tb", "a\u{7f}b", "a\u{85}b"] {
            check(Slot::Header, control, Err(FillError::Control));
            check(Slot::BasicUser, control, Err(FillError::Control));
        }
        check(Slot::BasicUser, "a:b", Err(FillError::Colon));
        check(Slot::Path, "a/b?c#d@e", Ok("/a/a%2Fb%3Fc%23d%40e"));
        check(Slot::Path, "é .%", Ok("/a/%C3%A9%20.%25"));
        check(Slot::Path, ".", Err(FillError::Segment));
        check(Slot::Path, "..", Err(FillError::Segment));
        check(Slot::Path, "...", Ok("/a/..."));
        check(Slot::Host, "Ab-9", Ok("/a/Ab-9"));
        for hostile in ["a.b", "a/b", "a@b", "a:1", "a#", "a?", "é", "a b", "%2e", &"a".repeat(64)] {
            check(Slot::Host, hostile, Err(FillError::HostLabel));
        }
        check(Slot::Json, "\"\n", Ok("/a/\"\n"));
    }

    #[test]
    fn an_absent_value_leaves_the_line_out_and_a_name_of_the_simulators_is_out_of_place() {
        assert_eq!(filled(vec![text("a"), field("other"), text("b")], Slot::Header, "k"), Ok(None));
        assert_eq!(filled(vec![Part::Name(Name::MethodCode)], Slot::Header, "k"), Ok(None));
        assert_eq!(filled(vec![text("Bearer "), Part::Name(Name::Token)], Slot::Header, "k"), Ok(Some("Bearer t0ken".into())));
        let sim = Part::Name(Name::Sim(crate::model::SimValue::Uuid));
        assert_eq!(filled(vec![sim], Slot::Header, "k"), Err(FillError::OutOfPlace));
    }

    #[test]
    fn repetition_ends_at_the_limit() {
        let parts = std::iter::repeat_with(|| field("key")).take(1_000_000).collect();
        assert_eq!(filled(parts, Slot::Header, &"x".repeat(60_000)), Err(FillError::TooLong));
    }

    #[test]
    fn a_json_template_is_whole_or_absent() {
        let provider = provider(&["key", "other"]);
        let credentials = credentials(&provider, &[("key", "a\"b\\\u{1}")]);
        let values = Values::new(&credentials, &provider.methods[0]);
        let string = |part| JsonTemplate::Text(Template(vec![part]));
        let check = |template: &JsonTemplate, expected: Option<&str>| {
            assert_eq!(fill_json(template, &values), Ok(expected.map(str::to_owned)));
        };
        check(&string(field("key")), Some(r#""a\"b\\\u0001""#));
        check(&JsonTemplate::List(vec![]), Some("[]"));
        check(&JsonTemplate::Object(vec![]), Some("{}"));
        check(&JsonTemplate::List(vec![string(text("x")), JsonTemplate::Literal("1.0".into())]), Some(r#"["x",1.0]"#));
        let deep = JsonTemplate::Object(vec![("n\"".into(), JsonTemplate::List(vec![string(field("other"))]))]);
        check(&deep, None);
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_place(value in ".{1,40}") {
            if let Ok(Some(path)) = filled(vec![text("/v1/"), field("key"), text("/end")], Slot::Path, &value) {
                let url = url::Url::parse(&format!("https://service.test{path}")).unwrap();
                prop_assert_eq!(url.path_segments().unwrap().count(), 3);
                prop_assert_eq!((url.query(), url.fragment(), url.host_str()), (None, None, Some("service.test")));
            }
            if let Ok(Some(host)) = filled(vec![text("https://"), field("key"), text(".service.test")], Slot::Host, &value) {
                let url = url::Url::parse(&host);
                prop_assert!(url.is_err() || url.unwrap().host_str().unwrap().ends_with(".service.test"));
            }
            if let Ok(Some(header)) = filled(vec![field("key")], Slot::Header, &value) {
                prop_assert!(http::HeaderValue::from_str(&header).is_ok() || !header.is_ascii());
            }
        }
    }
}
