//! Evaluates the lines of `[sign]`, for one request. Pure: the moment and the request are given.
//!
//! Lines that do not need the bytes of the body are made first, over the body before it is signed, since they may become members of it; the others are made over what is sent. Only lines that the request uses are made: a service that takes credentials in several forms has not all of their values. No error holds a value.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::json::{Kind, Pointer, kind_at};
use domain::{JsonObject, Secret, Timestamp};

use crate::model::{Name, Sign, SignFunction, SignLine, SignPart, SignValue, Template};
use crate::template_fill::{FillError, Values};

/// The most bytes that the lines of one request may read and write together: the longest body of a caller eight times over, and never more than a definition may take altogether. A line with the body in it, and its hash, cost four times the body.
pub const LINES_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The request that lines are made over.
#[derive(Clone, Copy)]
pub struct Sent<'a> {
    /// When it is made.
    pub now: Timestamp,
    /// The host as the service sees it, with its port where that is not the usual one.
    pub host: &'a str,
    /// The path with its query.
    pub path: &'a str,
    /// The body as JSON, before it is signed; `None` where the call has none.
    pub members: Option<&'a JsonObject>,
    /// The bytes of the body; `None` as long as they are not known.
    pub body: Option<&'a [u8]>,
}

/// Why a line can not be made. Nothing was sent. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// A value that `from_base64` reads.
    #[error("the line `{0}` of `[sign]` reads a value as base64 that is none")]
    Base64(String),
    /// What a file that was read does not hold: a line of bytes in a text, a name that is not known yet.
    #[error("the line `{0}` of `[sign]` can not be made of what it names")]
    OutOfPlace(String),
    /// More than [`LINES_BYTES_MAX`].
    #[error("the lines of `[sign]` read and write more than {LINES_BYTES_MAX} bytes")]
    TooLong,
}

/// A line as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignShown {
    /// A text as it is.
    Text(String),
    /// Bytes, in hexadecimal digits.
    Bytes(String),
    /// What holds a secret that no hash covers: the secret is its name in brackets, what is done to it is written as a call.
    Masked(String),
    /// It names an optional value that is not there.
    Absent,
}

/// The lines that one request uses. Without `Debug`: they hold secrets.
pub struct Signed<'a> {
    /// In the order of the file.
    lines: Vec<&'a SignLine>,
    /// Those that were made; `None` where a line names an absent optional value.
    made: BTreeMap<&'a str, Option<Made>>,
    budget: usize,
}

/// What a line, or a part of one, has become.
struct Made {
    bytes: Secret,
    is_text: bool,
    /// How it may be shown, where it holds a secret.
    masked: Option<String>,
}

// === impl Signed ===

impl<'a> Signed<'a> {
    /// The lines that these templates use, directly or by other lines. Nothing is made yet.
    pub fn of(sign: Option<&'a Sign>, templates: &[&Template]) -> Self {
        let lines = match sign {
            Some(Sign::Lines(lines)) => used(lines, templates.iter().flat_map(|template| template.names())),
            Some(Sign::Scheme { .. }) | None => Vec::new(),
        };
        Self { lines, made: BTreeMap::new(), budget: LINES_BYTES_MAX }
    }

    /// The names that the lines begin with, other lines among them.
    pub fn names(&self) -> impl Iterator<Item = &'a Name> + '_ {
        self.lines.iter().flat_map(|line| line.names())
    }

    /// The members of the body that the lines name.
    pub fn members(&self) -> Vec<&'a Pointer> {
        let parts = self.lines.iter().flat_map(|line| &line.parts);
        parts.filter_map(|part| if let SignPart::Value(SignValue::SentMember(at), _) = part { Some(at) } else { None }).collect()
    }

    /// Makes the lines that the bytes of the body are not needed for, or, once those are in `sent`, the others.
    pub fn make(&mut self, values: &Values<'_>, sent: &Sent<'_>) -> Result<(), SignError> {
        for line in self.lines.clone().into_iter().filter(|line| line.needs_sent == sent.body.is_some()) {
            let made = self.line(line, values, sent)?;
            self.made.insert(&line.name, made);
        }
        Ok(())
    }

    /// Lines for finding out what is wrong with a body while there is no request yet.
    #[must_use]
    pub fn stand_in(mut self) -> Self {
        for line in &self.lines {
            self.made.insert(&line.name, Some(Made { bytes: Secret::from("x"), is_text: true, masked: None }));
        }
        self
    }

    /// The text of a line; `None` where it names an absent optional value.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, FillError> {
        match self.made.get(name).ok_or(FillError::OutOfPlace)? {
            Some(made) => made.text().map(Some).ok_or(FillError::OutOfPlace),
            None => Ok(None),
        }
    }

    /// The lines that were made, in the order of the file, without the secrets in them.
    pub fn shown(&self) -> Vec<(String, SignShown)> {
        let made = self.lines.iter().filter_map(|line| Some((line.name.clone(), self.made.get(line.name.as_str())?)));
        made.map(|(name, made)| (name, made.as_ref().map_or(SignShown::Absent, Made::shown))).collect()
    }

    fn line(&mut self, line: &SignLine, values: &Values<'_>, sent: &Sent<'_>) -> Result<Option<Made>, SignError> {
        let mut parts = Vec::new();
        for part in &line.parts {
            match part {
                SignPart::Text(text) => parts.push(Made::text_of(text, None)),
                SignPart::Value(value, functions) => match self.value(line, value, functions, values, sent)? {
                    Some(made) => parts.push(made),
                    None => return Ok(None),
                },
            }
        }
        if parts.len() == 1 {
            return Ok(parts.pop());
        }
        self.spend(parts.iter().map(|part| part.bytes.expose().len()).sum())?;
        let texts: Option<Vec<&str>> = parts.iter().map(Made::text).collect();
        let text = texts.ok_or_else(|| SignError::OutOfPlace(line.name.clone()))?.concat();
        let masked = parts.iter().any(|part| part.masked.is_some());
        let masked = masked.then(|| parts.iter().filter_map(Made::open).collect());
        Ok(Some(Made { bytes: Secret::from(text), is_text: true, masked }))
    }

    fn value(
        &mut self,
        line: &SignLine,
        value: &SignValue,
        functions: &[SignFunction],
        values: &Values<'_>,
        sent: &Sent<'_>,
    ) -> Result<Option<Made>, SignError> {
        let out_of_place = || SignError::OutOfPlace(line.name.clone());
        let (mut made, functions) = match (value, functions) {
            (SignValue::Now, [time, rest @ ..]) => (Made::text_of(&moment(sent.now, time).ok_or_else(out_of_place)?, None), rest),
            (SignValue::Now, []) => return Err(out_of_place()),
            (SignValue::Name(Name::Sign(earlier)), rest) => match self.made.get(earlier.as_str()).ok_or_else(out_of_place)? {
                Some(earlier) => (earlier.again(), rest),
                None => return Ok(None),
            },
            (SignValue::Name(name), rest) => match values.get(name).map_err(|_| out_of_place())? {
                Some(text) => (Made::text_of(&text, secret_name(name, values)), rest),
                None => return Ok(None),
            },
            (SignValue::SentBody, rest) => {
                let body = std::str::from_utf8(sent.body.ok_or_else(out_of_place)?).map_err(|_| out_of_place())?;
                (Made::text_of(body, None), rest)
            }
            (SignValue::SentHost, rest) => (Made::text_of(sent.host, None), rest),
            (SignValue::SentPath, rest) => (Made::text_of(sent.path, None), rest),
            (SignValue::SentMember(at), rest) => (Made::text_of(&sent.member(at), None), rest),
        };
        self.spend(made.bytes.expose().len())?;
        for function in functions {
            made = match self.apply(line, made, function)? {
                Some(made) => made,
                None => return Ok(None),
            };
        }
        Ok(Some(made))
    }

    fn apply(&mut self, line: &SignLine, made: Made, function: &SignFunction) -> Result<Option<Made>, SignError> {
        let out_of_place = || SignError::OutOfPlace(line.name.clone());
        let bytes = made.bytes.expose();
        self.spend(bytes.len())?;
        let masked = |name: &str| made.masked.as_ref().map(|inner| format!("{name}({inner})"));
        let text = |text: String, masked| Made { bytes: Secret::from(text), is_text: true, masked };
        let raw = |bytes: Vec<u8>, masked| Made { bytes: Secret::new(bytes), is_text: false, masked };
        Ok(Some(match function {
            SignFunction::Sha256 => raw(digest(&SHA256, bytes).as_ref().to_vec(), None),
            SignFunction::HmacSha256(key) => match self.made.get(key.as_str()).ok_or_else(out_of_place)? {
                Some(key) => raw(hmac::sign(&hmac::Key::new(HMAC_SHA256, key.bytes.expose()), bytes).as_ref().to_vec(), None),
                None => return Ok(None),
            },
            SignFunction::Base64 => text(STANDARD.encode(bytes), masked("base64")),
            SignFunction::FromBase64 => {
                let encoded = made.text().ok_or_else(out_of_place)?;
                let decoded = STANDARD.decode(encoded.trim()).map_err(|_| SignError::Base64(line.name.clone()))?;
                raw(decoded, masked("from_base64"))
            }
            SignFunction::Hex => text(hex(bytes), masked("hex")),
            SignFunction::HttpDate | SignFunction::Iso8601 | SignFunction::Compact => return Err(out_of_place()),
        }))
    }

    fn spend(&mut self, bytes: usize) -> Result<(), SignError> {
        self.budget = self.budget.checked_sub(bytes).ok_or(SignError::TooLong)?;
        Ok(())
    }
}

/// The lines that are named, directly or by other lines, in the order of the file.
pub(crate) fn used<'a, 'n>(lines: &'a [SignLine], names: impl Iterator<Item = &'n Name>) -> Vec<&'a SignLine> {
    let named = |name: &'n Name| if let Name::Sign(line) = name { Some(line.as_str()) } else { None };
    let mut wanted: BTreeSet<String> = names.filter_map(named).map(str::to_owned).collect();
    let mut used = Vec::new();
    // Lines name earlier ones only, so that one walk from the end finds all.
    for line in lines.iter().rev() {
        if wanted.contains(&line.name) {
            wanted.extend(line.lines_named().map(str::to_owned));
            used.push(line);
        }
    }
    used.reverse();
    used
}

// === impl Sent ===

impl Sent<'_> {
    /// A member as text: a string decoded, a number, true or false as spelled, nothing for everything else and where there is none.
    fn member(&self, at: &Pointer) -> String {
        let Some(body) = self.members else { return String::new() };
        let written = body.at(at).unwrap_or_default();
        match kind_at(written.as_bytes(), 0) {
            Some(Kind::String) => body.string_at(at).unwrap_or_default(),
            Some(Kind::Number | Kind::Boolean) => written.to_owned(),
            Some(Kind::Object | Kind::Array | Kind::Null) | None => String::new(),
        }
    }
}

// === impl Made ===

impl Made {
    fn text_of(text: &str, masked: Option<String>) -> Self {
        Self { bytes: Secret::from(text), is_text: true, masked }
    }

    fn again(&self) -> Self {
        Self { bytes: self.bytes.clone(), is_text: self.is_text, masked: self.masked.clone() }
    }

    fn text(&self) -> Option<&str> {
        if self.is_text { self.bytes.expose_str() } else { None }
    }

    /// What may be shown of a text.
    fn open(&self) -> Option<&str> {
        self.masked.as_deref().or(self.text())
    }

    fn shown(&self) -> SignShown {
        match (&self.masked, self.text()) {
            (Some(masked), _) => SignShown::Masked(masked.clone()),
            (None, Some(text)) => SignShown::Text(text.to_owned()),
            (None, None) => SignShown::Bytes(hex(self.bytes.expose())),
        }
    }
}

/// What stands for the value of a name that must not be shown.
fn secret_name(name: &Name, values: &Values<'_>) -> Option<String> {
    match name {
        Name::Field(key) if values.credentials.is_secret(key) => Some(format!("[{key}]")),
        Name::Token => Some("[token]".to_owned()),
        _ => None,
    }
}

/// `None`: the function is none for time.
fn moment(now: Timestamp, function: &SignFunction) -> Option<String> {
    match function {
        SignFunction::HttpDate => Some(now.http_date()),
        SignFunction::Iso8601 => Some(now.iso8601()),
        SignFunction::Compact => Some(now.compact()),
        SignFunction::Sha256 | SignFunction::HmacSha256(_) | SignFunction::Base64 | SignFunction::FromBase64 | SignFunction::Hex => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

#[cfg(test)]
mod tests;
