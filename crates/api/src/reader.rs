//! Reads typed members out of a JSON body and collects every problem on the way.
//!
//! It reads the body's own bytes instead of a parsed tree: the spelling of a number decides whether it is an integer, a tree would have rounded it, and a member nobody asks for costs nothing, however strange it is. Members are asked for in the order of the API's document, and so are the problems.

mod kinds;

use std::collections::HashSet;
use std::ops::Range;

use domain::json::{self, Kind, Member};
use domain::{JsonObject, Patch, Problem};

pub(crate) use kinds::{boolean, country, currency, identifier, integer, list, one_of, raw_text, text, uuid};

use crate::error::{self, Error, PROBLEMS_MAX};

/// Members and elements in one typed body, at most: the largest honest one lists all currencies and countries, some 500.
const ITEMS_MAX: usize = 10_000;

/// What is wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

/// One value in a body and the way to it.
#[derive(Clone, Debug)]
pub(crate) struct Value<'a> {
    bytes: &'a [u8],
    range: Range<usize>,
    pointer: String,
}

/// Reads the members of one object.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    members: Vec<Member<'a>>,
    pointer: String,
}

// === impl Problems ===

impl Problems {
    /// Adds one, as long as somebody will read it.
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.0.len() < PROBLEMS_MAX {
            self.0.push(problem);
        }
    }

    /// Adds those that were found elsewhere.
    pub(crate) fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Goes on when there is none.
    pub(crate) fn check(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(error::invalid(self.0)) }
    }

    /// All of them.
    pub(crate) fn into_vec(self) -> Vec<Problem> {
        self.0
    }

    /// The refusal for a member that could not be read, whose problem was pushed where it was met.
    pub(crate) fn refusal(self) -> Error {
        error::invalid(self.0)
    }
}

// === impl Value ===

impl<'a> Value<'a> {
    /// What kind of value it is.
    pub(crate) fn kind(&self) -> Option<Kind> {
        json::kind_at(self.bytes, self.range.start)
    }

    /// The text as written.
    pub(crate) fn raw(&self) -> &'a str {
        self.bytes.get(self.range.clone()).and_then(|raw| std::str::from_utf8(raw).ok()).unwrap_or_default()
    }

    /// Notes a problem with it.
    pub(crate) fn note(&self, problems: &mut Problems, kind: &'static str, message: impl Into<String>) {
        problems.push(Problem::body(self.pointer.as_str(), kind, message));
    }

    /// Notes a problem with it, and gives what a reader gives for a value that can not be read.
    pub(crate) fn refuse<T>(&self, problems: &mut Problems, kind: &'static str, message: impl Into<String>) -> Option<T> {
        self.note(problems, kind, message);
        None
    }

    /// The elements, if it is an array.
    pub(crate) fn elements(&self, problems: &mut Problems) -> Option<Vec<Value<'a>>> {
        let Some(ranges) = json::elements(self.bytes, self.range.start) else {
            return self.refuse(problems, "type_error", "Must be an array");
        };
        let element = |(index, range)| Value { bytes: self.bytes, range, pointer: format!("{}/{index}", self.pointer) };
        Some(ranges.into_iter().enumerate().map(element).collect())
    }

    /// The members, if it is an object.
    pub(crate) fn object(&self, problems: &mut Problems) -> Option<Reader<'a>> {
        let Some(members) = json::members(self.bytes, self.range.start) else {
            return self.refuse(problems, "type_error", "Must be an object");
        };
        Some(Reader { bytes: self.bytes, members, pointer: self.pointer.clone() })
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// Begins with a whole body.
    pub(crate) fn of(body: &'a JsonObject) -> Result<Self, Error> {
        let bytes: &[u8] = body.bytes();
        if separators(bytes) > ITEMS_MAX {
            return Err(error::invalid(vec![Problem::body("", "out_of_range", format!("Must not have more than {ITEMS_MAX} members"))]));
        }
        let root = json::root(bytes).unwrap_or_default();
        let mut problems = Problems::default();
        let whole = Value { bytes, range: root, pointer: String::new() };
        whole.object(&mut problems).ok_or_else(|| problems.refusal())
    }

    /// A member that must be there and not be null.
    pub(crate) fn required<T>(
        &self,
        problems: &mut Problems,
        name: &str,
        read: impl Fn(&Value<'_>, &mut Problems) -> Option<T>,
    ) -> Option<T> {
        match self.member(name) {
            Some(value) => read(&value, problems),
            None => {
                problems.push(Problem::body(self.pointer_to(name), "missing", "This member is required"));
                None
            }
        }
    }

    /// A member that may be left out and must not be null. `None` also means that it could not be read: its problem is noted.
    pub(crate) fn optional<T>(
        &self,
        problems: &mut Problems,
        name: &str,
        read: impl Fn(&Value<'_>, &mut Problems) -> Option<T>,
    ) -> Option<T> {
        self.member(name).and_then(|value| read(&value, problems))
    }

    /// A member that may be left out or null, which are the same on create.
    pub(crate) fn nullable<T>(
        &self,
        problems: &mut Problems,
        name: &str,
        read: impl Fn(&Value<'_>, &mut Problems) -> Option<T>,
    ) -> Option<T> {
        self.patch(problems, name, read).value()
    }

    /// A member of an update that may be left out or null, which are not the same.
    pub(crate) fn patch<T>(&self, problems: &mut Problems, name: &str, read: impl Fn(&Value<'_>, &mut Problems) -> Option<T>) -> Patch<T> {
        match self.member(name) {
            None => Patch::Absent,
            Some(value) if value.kind() == Some(Kind::Null) => Patch::Null,
            Some(value) => read(&value, problems).map_or(Patch::Absent, Patch::Value),
        }
    }

    /// Every member, for objects whose names are data. Of repeated members the last one counts.
    pub(crate) fn entries(&self) -> Vec<(String, Value<'a>)> {
        // From the end, with a set: comparing each with all others would take seconds for as many members as a body may have.
        let mut seen = HashSet::new();
        let last = self.members.iter().rev().filter(|member| seen.insert(&member.name));
        let mut entries: Vec<_> = last
            .map(|member| {
                let value = Value { bytes: self.bytes, range: member.value_range.clone(), pointer: self.pointer_to(&member.name) };
                (member.name.to_string(), value)
            })
            .collect();
        entries.reverse();
        entries
    }

    /// Of repeated members the last one counts, as in most parsers.
    fn member(&self, name: &str) -> Option<Value<'a>> {
        let member = self.members.iter().rev().find(|member| member.name == name)?;
        Some(Value { bytes: self.bytes, range: member.value_range.clone(), pointer: self.pointer_to(name) })
    }

    fn pointer_to(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"))
    }
}

/// The commas outside strings: one less than the members and elements of all containers together, give or take the empty ones. Counted before anything is allocated.
fn separators(bytes: &[u8]) -> usize {
    let (mut count, mut in_string, mut escaped) = (0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests;
