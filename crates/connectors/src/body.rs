//! Edits the caller's JSON by splicing ranges of its bytes: what no rule names goes out byte for byte.
//!
//! A parser and a serialiser would lose the spelling of numbers, the order of members, escapes and white space. So members are found by position, and only the bytes of an injection are new.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use bytes::Bytes;
use domain::json::{JsonError, Kind, Pointer, array_index, each_member, elements, kind_at, member, members, root};
use domain::{JsonObject, Problem};

use crate::encode::{self, Protected};
use crate::model::{AttemptForm, Body, Call, Encoding, IdempotencyPlace, JsonTemplate, Name};
use crate::template_fill::{FillError, Values, fill_json, json_string};

/// The most problems that one body is told about: a body of repeated members would have a hundred thousand.
const PROBLEMS_MAX: usize = 100;

/// The most bytes that a definition adds to one body.
pub const ADDED_BYTES_MAX: usize = 1024 * 1024;

/// A body as it is sent. Without `Debug`: it holds personal data, and for some services a credential.
#[derive(Clone)]
pub struct Written {
    /// The bytes.
    pub bytes: Bytes,
    /// What they are.
    pub content_type: &'static str,
}

/// Why a body can not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The caller's body is at fault; in document order.
    Problems(Vec<Problem>),
    /// A value can not be filled in.
    Fill(FillError),
    /// The definition's own text is at fault.
    Definition(&'static str),
}

/// What becomes of a body: the rules that the call has for it, and whatever else of the call concerns its members.
#[derive(Clone, Debug)]
pub struct Edits<'a> {
    rules: &'a Body,
    /// Carries the attempt's id where the caller has nothing.
    idempotency: Option<&'a Pointer>,
    /// What a signature is made of.
    signed: Vec<&'a Pointer>,
}

/// One member that the definition adds.
struct Injection<'a> {
    at: &'a Pointer,
    json: String,
    replaces: Replaces,
}

/// What an injection may take the place of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replaces {
    /// Of nothing: whatever the caller has stays.
    Nothing,
    /// Of null and of an empty string, by which no payment service recognises a request.
    Blank,
    /// Of anything.
    Anything,
}

// === impl Edits ===

impl<'a> Edits<'a> {
    /// Those of a call; `signed` are the members that its signature names.
    pub fn of(call: &'a Call, signed: Vec<&'a Pointer>) -> Self {
        let idempotency = match call.idempotency.as_ref().map(|idempotency| &idempotency.at) {
            Some(IdempotencyPlace::Body(pointer)) => Some(pointer),
            Some(IdempotencyPlace::Header(_) | IdempotencyPlace::Path) | None => None,
        };
        Self { rules: &call.body, idempotency, signed }
    }

    /// The body of a call as JSON, before it is signed: every edit but the members that name a line of `[sign]`. `None`: the call has no body.
    ///
    /// Order: refuse, remove, wrap, default, set.
    pub fn edit(&self, caller: Option<&JsonObject>, values: &Values<'_>) -> Result<Option<JsonObject>, BodyError> {
        let rules = self.rules;
        let has_own = rules.constant.is_some() || rules.wrap.is_some() || !rules.default.is_empty() || !rules.set.is_empty();
        if caller.is_none() && !has_own && self.idempotency.is_none() {
            return Ok(None);
        }
        let injections = self.injections(values)?;
        let mut bytes = match (&rules.constant, caller) {
            (Some(constant), _) => constant.clone().into_bytes(),
            (None, Some(body)) => {
                let problems = self.problems(&injections, body.bytes());
                if !problems.is_empty() {
                    return Err(BodyError::Problems(problems));
                }
                remove(body.bytes(), &rules.remove).ok_or(BodyError::Definition("a member can not be removed"))?
            }
            (None, None) => b"{}".to_vec(),
        };
        if let Some((template, at)) = &rules.wrap {
            let inner = String::from_utf8(bytes).map_err(|_| BodyError::Definition("a body is not UTF-8"))?;
            bytes = put(template.clone().into_bytes(), at, &inner, Replaces::Anything)
                .ok_or(BodyError::Definition("the wrap has no place for the body"))?;
        }
        inject(bytes, &injections).map(Some)
    }

    /// The body as it is sent: with the members that name a line of `[sign]`, and encoded.
    pub fn finish(&self, edited: JsonObject, values: &Values<'_>) -> Result<Written, BodyError> {
        let late = filled(self.rules.set.iter().filter(|(_, template)| template.names_sign()), Replaces::Anything, values)?;
        let json = if late.is_empty() { edited } else { inject(edited.bytes().to_vec(), &late)? };
        let content_type = match self.rules.encoding {
            Encoding::Json => "application/json",
            Encoding::Form | Encoding::FormBrackets => "application/x-www-form-urlencoded",
        };
        let bytes = encode::encode(&json, self.rules.encoding, &self.protected())
            .map_err(|problems| BodyError::Problems(seen_by_caller(problems, self.rules)))?;
        Ok(Written { bytes, content_type })
    }

    /// What is added before signing.
    fn injections(&self, values: &Values<'_>) -> Result<Vec<Injection<'a>>, BodyError> {
        let mut injections = filled(&self.rules.default, Replaces::Nothing, values)?;
        if let Some(at) = self.idempotency {
            let id = values.get(&Name::Attempt(AttemptForm::Id)).map_err(BodyError::Fill)?.unwrap_or_default();
            injections.push(Injection { at, json: json_string(&id), replaces: Replaces::Blank });
        }
        injections.extend(filled(self.rules.set.iter().filter(|(_, template)| !template.names_sign()), Replaces::Anything, values)?);
        Ok(injections)
    }

    /// Every place of the finished body that a caller's form name must not reach by spelling brackets itself.
    fn protected(&self) -> Vec<Protected> {
        let rules = self.rules;
        let wrapped = |at: &Pointer| match &rules.wrap {
            Some((_, outside)) => at.tokens().iter().fold(outside.clone(), |whole, token| whole.child(token)),
            None => at.clone(),
        };
        let refused = rules.refuse.iter().map(|(at, why)| Protected { at: wrapped(at), why: why.clone() });
        let removed = rules.remove.iter().map(wrapped);
        let added = rules.default.iter().chain(&rules.set).map(|(at, _)| at).chain(self.idempotency).cloned();
        let ours = removed
            .chain(added)
            .map(|at| Protected { why: format!("as a form name it would mean `{at}`, which the definition writes"), at });
        let signed = self
            .signed
            .iter()
            .map(|at| Protected { why: format!("as a form name it would mean `{at}`, which the signature reads"), at: (*at).clone() });
        refused.chain(ours).chain(signed).collect()
    }

    fn problems(&self, injections: &[Injection<'_>], bytes: &[u8]) -> Vec<Problem> {
        let rules = self.rules;
        let mut check = Check { bytes, levels: HashSet::new(), found: BTreeMap::new() };
        for (pointer, why) in &rules.refuse {
            check.walk(pointer.tokens(), Purpose::Refuse(why));
        }
        for pointer in &rules.remove {
            check.walk(pointer.tokens(), Purpose::Read);
        }
        let outside = rules.wrap.as_ref().map_or(&[][..], |(_, at)| at.tokens());
        let late = rules.set.iter().filter(|(_, template)| template.names_sign()).map(|(at, _)| at);
        let added = injections.iter().map(|injection| injection.at).chain(late).map(|at| (at, Purpose::Inject));
        let signed = self.signed.iter().map(|at| (*at, Purpose::Read));
        for (at, purpose) in added.chain(signed) {
            // A pointer that stays outside the caller's part opens nothing of it.
            if let Some(inside) = at.tokens().strip_prefix(outside) {
                check.walk(inside, purpose);
            }
        }
        check.found.into_values().take(PROBLEMS_MAX).collect()
    }
}

/// The body of a call, edited and finished, for calls and checks that have nothing to sign in between. `None`: it has none, as a call without a caller and without members of its own.
pub fn write(edits: &Edits<'_>, caller: Option<&JsonObject>, values: &Values<'_>) -> Result<Option<Written>, BodyError> {
    edits.edit(caller, values)?.map(|edited| edits.finish(edited, values)).transpose()
}

/// The bytes without the members and elements at the pointers, repeated ones included. `None`: a name on the way can not be read.
pub(crate) fn remove(bytes: &[u8], pointers: &[Pointer]) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    for pointer in pointers {
        let mut cuts = Vec::new();
        find_cuts(&bytes, root(&bytes)?.start, pointer.tokens(), &mut cuts)?;
        if !cuts.is_empty() {
            bytes = without(&bytes, &cuts)?;
        }
    }
    Some(bytes)
}

/// Problems that were found in the finished body, at the pointers of the caller's own.
fn seen_by_caller(mut problems: Vec<Problem>, rules: &Body) -> Vec<Problem> {
    if let Some((_, at)) = &rules.wrap {
        let outside = at.to_string();
        for problem in &mut problems {
            problem.pointer = problem.pointer.strip_prefix(&outside).unwrap_or_default().to_owned();
        }
    }
    problems
}

// === what is added ===

fn filled<'a>(
    members: impl IntoIterator<Item = &'a (Pointer, JsonTemplate)>,
    replaces: Replaces,
    values: &Values<'_>,
) -> Result<Vec<Injection<'a>>, BodyError> {
    let mut injections = Vec::new();
    for (at, template) in members {
        if let Some(json) = fill_json(template, values).map_err(BodyError::Fill)? {
            injections.push(Injection { at, json, replaces });
        }
    }
    Ok(injections)
}

fn inject(mut bytes: Vec<u8>, injections: &[Injection<'_>]) -> Result<JsonObject, BodyError> {
    if injections.iter().map(|injection| injection.json.len()).sum::<usize>() > ADDED_BYTES_MAX {
        return Err(BodyError::Fill(FillError::TooLong));
    }
    for injection in injections {
        bytes = put(bytes, injection.at, &injection.json, injection.replaces)
            .ok_or(BodyError::Definition("a member can not be added at its pointer"))?;
    }
    JsonObject::parse(bytes).map_err(|error| match error {
        JsonError::TooDeep => {
            BodyError::Problems(vec![Problem::body("", "value_error", "the body is nested too deep for this payment service")])
        }
        JsonError::Syntax | JsonError::NotAnObject => BodyError::Definition("the finished body is not a JSON object"),
    })
}

/// A value at a pointer, missing parents made. `None`: a parent is there and no object.
pub(crate) fn put(bytes: Vec<u8>, pointer: &Pointer, json: &str, replaces: Replaces) -> Option<Vec<u8>> {
    let mut at = root(&bytes)?.start;
    let tokens = pointer.tokens();
    let mut place = None;
    for (index, token) in tokens.iter().enumerate() {
        let is_last = index + 1 == tokens.len();
        match kind_at(&bytes, at)? {
            Kind::Object => {
                let (mut found, mut behind) = (None, None);
                for member in each_member(&bytes, at)? {
                    let member = member?;
                    behind = Some(member.value_range.end);
                    if member.name == token.as_str() {
                        found = Some(member.value_range);
                    }
                }
                match found {
                    Some(value) if is_last => place = Some((value, json.to_owned())),
                    Some(value) => at = value.start,
                    None => {
                        let comma = if behind.is_some() { "," } else { "" };
                        let start = behind.unwrap_or(at + 1);
                        let member = format!("{comma}{}", nested_member(tokens.get(index..)?, json));
                        return Some(spliced(&bytes, start..start, &member));
                    }
                }
            }
            Kind::Array if !is_last => at = elements(&bytes, at)?.into_iter().nth(array_index(token)?)?.start,
            Kind::Array | Kind::String | Kind::Number | Kind::Boolean | Kind::Null => return None,
        }
    }
    let (range, json) = place?;
    let gives_way = match replaces {
        Replaces::Nothing => false,
        Replaces::Blank => matches!(bytes.get(range.clone())?, b"null" | b"\"\""),
        Replaces::Anything => true,
    };
    Some(if gives_way { spliced(&bytes, range, &json) } else { bytes })
}

/// `"a":{"b":json}` for the tokens `a`, `b`.
fn nested_member(tokens: &[String], json: &str) -> String {
    let mut names = tokens.iter().rev();
    let innermost = names.next().map_or_else(String::new, |name| format!("{}:{json}", json_string(name)));
    names.fold(innermost, |inner, name| format!("{}:{{{inner}}}", json_string(name)))
}

fn spliced(bytes: &[u8], range: Range<usize>, text: &str) -> Vec<u8> {
    let before = bytes.get(..range.start).unwrap_or_default();
    let behind = bytes.get(range.end..).unwrap_or_default();
    [before, text.as_bytes(), behind].concat()
}

// === what is taken out ===

fn without(bytes: &[u8], cuts: &[Range<usize>]) -> Option<Vec<u8>> {
    let mut left = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for cut in cuts {
        left.extend_from_slice(bytes.get(from..cut.start)?);
        from = cut.end;
    }
    left.extend_from_slice(bytes.get(from..)?);
    Some(left)
}

/// Collects the ranges to cut, in ascending order and disjoint.
fn find_cuts(bytes: &[u8], at: usize, tokens: &[String], cuts: &mut Vec<Range<usize>>) -> Option<()> {
    let Some((token, rest)) = tokens.split_first() else { return Some(()) };
    let (entries, values): (Vec<Range<usize>>, Vec<Option<usize>>) = match kind_at(bytes, at)? {
        Kind::Object => members(bytes, at)?
            .iter()
            .map(|m| (m.name_range.start..m.value_range.end, (m.name == token.as_str()).then_some(m.value_range.start)))
            .unzip(),
        Kind::Array => {
            let wanted = array_index(token);
            elements(bytes, at)?
                .into_iter()
                .enumerate()
                .map(|(i, range)| (range.clone(), (wanted == Some(i)).then_some(range.start)))
                .unzip()
        }
        Kind::String | Kind::Number | Kind::Boolean | Kind::Null => return Some(()),
    };
    if !rest.is_empty() {
        return values.into_iter().flatten().try_for_each(|value| find_cuts(bytes, value, rest, cuts));
    }
    let mut kept_end = None;
    let mut cut_from = None;
    for (entry, value) in entries.iter().zip(&values) {
        match (value, cut_from) {
            (Some(_), None) => cut_from = Some(entry.start),
            (None, Some(start)) => cuts.push(start..entry.start),
            (Some(_), Some(_)) | (None, None) => {}
        }
        if value.is_none() {
            (kept_end, cut_from) = (Some(entry.end), None);
        }
    }
    if let (Some(start), Some(last)) = (cut_from, entries.last()) {
        // With nothing behind it the comma before it goes too.
        cuts.push(kept_end.unwrap_or(start)..last.end);
    }
    Some(())
}

// === what is refused ===

#[derive(Clone, Copy)]
enum Purpose<'a> {
    Refuse(&'a str),
    /// It is removed or signed.
    Read,
    Inject,
}

struct Check<'a> {
    bytes: &'a [u8],
    levels: HashSet<usize>,
    /// By position in the body, so that they come out in document order; of two at one place the first stays.
    found: BTreeMap<(usize, &'static str), Problem>,
}

impl Check<'_> {
    fn walk(&mut self, tokens: &[String], purpose: Purpose<'_>) {
        let bytes = self.bytes;
        let Some(mut range) = root(bytes) else { return };
        let mut path = String::new();
        for (index, token) in tokens.iter().enumerate() {
            let is_last = index + 1 == tokens.len();
            let next = match kind_at(bytes, range.start) {
                Some(Kind::Object) => {
                    if self.note_repeats(range.start, &path).is_none() {
                        return self.add(range.start, &path, "value_error", "holds a member name that is not Unicode text");
                    }
                    match member(bytes, range.start, token) {
                        Some(member) => member.value_range,
                        None => return,
                    }
                }
                Some(Kind::Array) => {
                    let element = array_index(token).and_then(|wanted| elements(bytes, range.start)?.into_iter().nth(wanted));
                    match element {
                        Some(element) if !(is_last && matches!(purpose, Purpose::Inject)) => element,
                        Some(_) | None => return self.not_an_object(range.start, &path, purpose),
                    }
                }
                Some(Kind::String | Kind::Number | Kind::Boolean | Kind::Null) | None => {
                    return self.not_an_object(range.start, &path, purpose);
                }
            };
            range = next;
            path.push_str(&token_text(token));
        }
        if let Purpose::Refuse(why) = purpose {
            self.add(range.start, &path, "value_error", why);
        }
    }

    /// Services differ on which of two members of one name wins, so a rule about one of them could be dodged by the other. `None`: a name can not be read.
    fn note_repeats(&mut self, level: usize, path: &str) -> Option<()> {
        if !self.levels.insert(level) {
            return Some(());
        }
        let bytes = self.bytes;
        let (mut names, mut repeats) = (HashSet::new(), 0);
        for member in each_member(bytes, level)? {
            let member = member?;
            if repeats < PROBLEMS_MAX && !names.insert(member.name.clone()) {
                repeats += 1;
                let pointer = format!("{path}{}", token_text(&member.name));
                self.add(
                    member.name_range.start,
                    &pointer,
                    "value_error",
                    "is there more than once, and payment services differ on which one counts",
                );
            }
        }
        Some(())
    }

    fn not_an_object(&mut self, position: usize, path: &str, purpose: Purpose<'_>) {
        // Only an injection needs its parents; a refused, removed or signed member that can not be there is not there.
        if matches!(purpose, Purpose::Inject) {
            self.add(position, path, "type_error", "must be an object: the definition adds a member to it");
        }
    }

    fn add(&mut self, position: usize, pointer: &str, kind: &'static str, message: &str) {
        self.found.entry((position, kind)).or_insert_with(|| Problem::body(pointer, kind, message));
    }
}

/// A token as it is written in a pointer, slash included.
fn token_text(token: &str) -> String {
    format!("/{}", token.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests;
