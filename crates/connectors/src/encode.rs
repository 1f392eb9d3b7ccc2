//! Writes JSON as a form: `a[b]=1&a[0]=x`, in the order of the body, numbers as they were spelled.

use std::collections::HashSet;
use std::ops::Range;

use bytes::Bytes;
use domain::json::{Kind, Pointer, elements, kind_at, members, root};
use domain::{JsonObject, Problem};
use percent_encoding::utf8_percent_encode;

use crate::model::Encoding;
use crate::template_fill::RESERVED;

/// The most bytes of a form, and of names looked at on the way: a long name over a long list would multiply to gigabytes.
pub const FORM_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The most problems that one body is told about.
const PROBLEMS_MAX: usize = 100;

const SAME_NAME: &str = "has the same name as another member once it is written as a form";

/// A place of the body that only JSON may reach, not a name with brackets in it.
#[derive(Clone, Debug)]
pub struct Protected {
    /// Where.
    pub at: Pointer,
    /// What the caller is told.
    pub why: String,
}

/// A body as it is sent.
pub fn encode(body: &JsonObject, encoding: Encoding, protected: &[Protected]) -> Result<Bytes, Vec<Problem>> {
    let is_nested = match encoding {
        Encoding::Json => return Ok(body.bytes().clone()),
        Encoding::Form => false,
        Encoding::FormBrackets => true,
    };
    let protected =
        protected.iter().map(|p| (p.at.tokens().iter().filter_map(|t| meaning(t)).collect::<Vec<_>>().join("]"), p.why.clone()));
    let mut form = Form {
        bytes: body.bytes(),
        is_nested,
        protected: protected.collect(),
        out: String::new(),
        seen: HashSet::new(),
        budget: FORM_BYTES_MAX,
        problems: Vec::new(),
        is_stopped: false,
    };
    if let Some(range) = root(body.bytes()) {
        form.value(range, &Name::default());
    }
    if form.problems.is_empty() { Ok(form.out.into()) } else { Err(form.problems) }
}

struct Form<'a> {
    bytes: &'a [u8],
    is_nested: bool,
    /// Meaning of the place, and what the caller is told.
    protected: Vec<(String, String)>,
    out: String,
    /// Meanings of the names that are written.
    seen: HashSet<String>,
    budget: usize,
    problems: Vec<Problem>,
    /// Over a limit: what is left of the body is not looked at.
    is_stopped: bool,
}

/// Where the encoder stands, in three spellings.
#[derive(Default)]
struct Name {
    /// `a[b][0]`, percent-encoded.
    encoded: String,
    /// What a server understands that decodes before it looks for brackets: the parts, joined by `]`, which none of them holds.
    meaning: String,
    /// `/a/b/0`.
    pointer: String,
    depth: usize,
    /// Whether a member's own name holds a bracket.
    is_bracketed: bool,
}

// === impl Name ===

impl Name {
    fn child(&self, token: &str) -> Self {
        let encoded = utf8_percent_encode(token, RESERVED);
        let meaning = match (self.meaning.is_empty(), meaning(token)) {
            (_, None) => self.meaning.clone(),
            (true, Some(own)) => own,
            (false, Some(own)) => format!("{}]{own}", self.meaning),
        };
        Self {
            encoded: if self.depth == 0 { encoded.to_string() } else { format!("{}[{encoded}]", self.encoded) },
            meaning,
            pointer: format!("{}/{}", self.pointer, token.replace('~', "~0").replace('/', "~1")),
            depth: self.depth + 1,
            is_bracketed: self.is_bracketed || token.contains(['[', ']']),
        }
    }
}

/// A name as a server reads it that decodes `%5B` before it looks for structure, as several do; `None` where nothing but brackets is left.
fn meaning(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split(['[', ']']).filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("]"))
}

// === impl Form ===

impl Form<'_> {
    fn value(&mut self, range: Range<usize>, name: &Name) {
        let cost = name.encoded.len() + name.pointer.len() + range.len().min(64);
        match self.budget.checked_sub(cost) {
            Some(left) => self.budget = left,
            None => {
                let message = format!("the body is longer than {FORM_BYTES_MAX} bytes once it is written as a form");
                self.problems = vec![Problem::body("", "value_error", message)];
                self.is_stopped = true;
                return;
            }
        }
        match kind_at(self.bytes, range.start) {
            Some(Kind::Object) => self.object(range, name),
            Some(Kind::Array) => {
                let items = elements(self.bytes, range.start).unwrap_or_default();
                if !self.is_nested && !items.is_empty() {
                    return self.not_a_scalar(name);
                }
                for (index, item) in items.into_iter().enumerate() {
                    if self.is_stopped {
                        return;
                    }
                    self.value(item, &name.child(&index.to_string()));
                }
            }
            Some(Kind::String) => match self.text(range).and_then(|text| serde_json::from_str::<String>(text).ok()) {
                Some(text) => self.pair(name, &text),
                None => self.problem(&name.pointer, "value_error", "is not Unicode text".to_owned()),
            },
            Some(Kind::Null) => self.pair(name, ""),
            Some(Kind::Number | Kind::Boolean) | None => {
                let text = self.text(range).unwrap_or_default().to_owned();
                self.pair(name, &text);
            }
        }
    }

    fn object(&mut self, range: Range<usize>, name: &Name) {
        let bytes = self.bytes;
        let Some(members) = members(bytes, range.start) else {
            return self.problem(&name.pointer, "value_error", "holds a member name that is not Unicode text".to_owned());
        };
        if !self.is_nested && name.depth > 0 && !members.is_empty() {
            return self.not_a_scalar(name);
        }
        // Two members of one name would become one of both, which no reader of the JSON has seen.
        let mut own = HashSet::new();
        for member in members {
            if self.is_stopped {
                return;
            }
            let child = name.child(&member.name);
            let is_repeated = !own.insert(member.name.clone());
            if member.name.is_empty() {
                self.problem(&child.pointer, "value_error", "an empty name means a list once it is written as a form".to_owned());
            } else if is_repeated {
                self.problem(&child.pointer, "value_error", SAME_NAME.to_owned());
            } else {
                self.value(member.value_range, &child);
            }
        }
    }

    fn pair(&mut self, name: &Name, value: &str) {
        if name.is_bracketed
            && let Some(why) = self.protected.iter().find(|(place, _)| overlap(place, &name.meaning)).map(|(_, why)| why.clone())
        {
            return self.problem(&name.pointer, "value_error", why);
        }
        if !self.seen.insert(name.meaning.clone()) {
            return self.problem(&name.pointer, "value_error", SAME_NAME.to_owned());
        }
        if !self.out.is_empty() {
            self.out.push('&');
        }
        self.out.push_str(&name.encoded);
        self.out.push('=');
        self.out.extend(utf8_percent_encode(value, RESERVED));
    }

    fn not_a_scalar(&mut self, name: &Name) {
        let message = "must be a string, a number, a boolean or null: this payment service takes a flat form".to_owned();
        self.problem(&name.pointer, "type_error", message);
    }

    fn problem(&mut self, pointer: &str, kind: &'static str, message: String) {
        self.problems.push(Problem::body(pointer, kind, message));
        self.is_stopped = self.problems.len() >= PROBLEMS_MAX;
    }

    fn text(&self, range: Range<usize>) -> Option<&str> {
        std::str::from_utf8(self.bytes.get(range)?).ok()
    }
}

/// Whether one of two places is the other or lies inside it.
fn overlap(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(']'))
}

#[cfg(test)]
mod tests;
