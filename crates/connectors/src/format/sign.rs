//! `[sign]`: named lines, what each of them is (text or bytes), and who uses them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::call::Kind;
use super::provider::Context;
use super::reader::{Node, Table, pointer, shown};
use super::sign_scheme;
use super::template::{Allowed, Piece, parse_name, pieces};
use crate::model::{Body, Name, Sign, SignFunction, SignLine, SignPart, SignValue};
use crate::sign::used;

/// Most lines of one table.
const LINES_MAX: usize = 30;

/// The functions, for messages and for the search of the nearest.
const FUNCTIONS: [&str; 8] = ["sha256", "hmac_sha256(sign.key)", "base64", "from_base64", "hex", "http_date", "iso8601", "compact"];

/// What a value is on its way through functions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Bytes,
    /// `now`, before a function makes it text.
    Time,
}

/// A table of lines, with what is needed to say where a mistake stands.
pub(super) struct Read {
    /// None where a recipe signs.
    pub(super) lines: Vec<SignLine>,
    scheme: Option<Sign>,
    places: Vec<Line>,
    at: usize,
    path: String,
    /// Names of lines that something uses.
    used: RefCell<BTreeSet<String>>,
}

/// What is known of a line beside what it is made of.
struct Line {
    /// Of its key.
    at: usize,
    form: Form,
    /// `sent /pointer`, with their offsets.
    members: Vec<(usize, domain::json::Pointer)>,
}

/// One `{{ sign.x }}` in a template of a call or of `auth`.
#[derive(Clone)]
pub(super) struct Use {
    pub(super) name: String,
    pub(super) at: usize,
    pub(super) in_body: bool,
}

/// Where a line is read.
struct Place<'p, 'n> {
    node: &'p Node<'n>,
    cx: &'p Context<'p>,
    kind: Kind,
    /// What stands above it.
    earlier: &'p Read,
    /// The names of all lines.
    names: &'p [String],
}

pub(super) fn read(node: &Node<'_>, cx: &Context<'_>, kind: Kind) -> Option<Read> {
    let table = node.table()?;
    let empty = |scheme| Read {
        lines: Vec::new(),
        scheme,
        places: Vec::new(),
        at: node.key_at(),
        path: node.path().to_owned(),
        used: RefCell::default(),
    };
    if table.has("scheme") {
        return sign_scheme::read(node, cx).map(|scheme| empty(Some(scheme)));
    }
    let entries = table.entries();
    if entries.is_empty() || entries.len() > LINES_MAX {
        table.wrong(format!("`{}` must have 1 to {LINES_MAX} lines", node.path()));
    }
    let names: Vec<String> = entries.iter().map(|entry| entry.key().to_owned()).collect();
    let mut read = empty(None);
    for entry in entries.iter().take(LINES_MAX) {
        if !is_line_name(entry.key()) {
            entry.wrong_key(format!("`{}` is no name of a line: 1 to 50 lower-case letters, digits and underscores", shown(entry.key())));
        }
        let place = Place { node: entry, cx, kind, earlier: &read, names: &names };
        let (line, form, members) = place.line().unwrap_or_else(|| {
            // One mistake is one: the line is taken for an empty text, and whatever it may name is used.
            let written = entry.value().as_str().unwrap_or_default();
            let meant = names.iter().filter(|name| written.contains(&format!("sign.{name}")));
            read.used.borrow_mut().extend(meant.cloned());
            (place.named(Vec::new()), Form::Text, Vec::new())
        });
        read.used.borrow_mut().extend(line.lines_named().map(str::to_owned));
        read.places.push(Line { at: entry.key_at(), form, members });
        read.lines.push(line);
    }
    Some(read)
}

fn is_line_name(name: &str) -> bool {
    (1..=50).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

// === impl Place ===

type LineRead = (SignLine, Form, Vec<(usize, domain::json::Pointer)>);

impl Place<'_, '_> {
    fn line(&self) -> Option<LineRead> {
        let text = self.node.text()?;
        let pieces = pieces(text);
        let is_alone = pieces.len() == 1;
        let (mut parts, mut whole, mut members) = (Vec::new(), Form::Text, Vec::new());
        let mut sound = true;
        for piece in pieces {
            match piece {
                Piece::Text(text, _) => parts.push(SignPart::Text(text.to_owned())),
                Piece::Open(at) => sound &= self.wrong::<()>(at, "`{{` has no `}}` behind it").is_some(),
                Piece::Name(written, at) => match self.value(written, at) {
                    Some((SignPart::Value(value, functions), form)) => {
                        if let SignValue::SentMember(pointer) = &value {
                            members.push((self.node.offset(at), pointer.clone()));
                        }
                        sound &= self.fits(form, is_alone, at).is_some();
                        whole = if is_alone { form } else { Form::Text };
                        parts.push(SignPart::Value(value, functions));
                    }
                    Some((SignPart::Text(_), _)) | None => sound = false,
                },
            }
        }
        sound.then(|| (self.named(parts), whole, members))
    }

    fn named(&self, parts: Vec<SignPart>) -> SignLine {
        let mut line = SignLine { name: self.node.key().to_owned(), parts, needs_sent: false };
        let names_body = line.parts.iter().any(|part| matches!(part, SignPart::Value(SignValue::SentBody, _)));
        let needs = |name: &str| self.earlier.lines.iter().any(|line| line.name == name && line.needs_sent);
        line.needs_sent = names_body || line.lines_named().any(needs);
        line
    }

    /// Whether a value can stand where it stands: bytes only for themselves, time nowhere.
    fn fits(&self, form: Form, is_alone: bool, at: usize) -> Option<()> {
        match form {
            Form::Text => Some(()),
            Form::Bytes if is_alone => Some(()),
            Form::Bytes => self.wrong(at, "bytes are no text: a line that has more in it needs `base64` or `hex` behind them"),
            Form::Time => self.wrong(at, "`now` needs one of `http_date`, `iso8601`, `compact`"),
        }
    }

    /// `name | function | function(sign.x)`; `at` is the offset of the whole in the line.
    fn value(&self, written: &str, at: usize) -> Option<(SignPart, Form)> {
        let mut segments = segments(written, at).into_iter();
        let (name, name_at) = segments.next()?;
        let (value, mut form) = self.name(name, name_at)?;
        let mut functions = Vec::new();
        for (word, word_at) in segments {
            let function = self.function(word, word_at)?;
            form = self.applied(&function, word, form, word_at)?;
            functions.push(function);
        }
        Some((SignPart::Value(value, functions), form))
    }

    fn name(&self, name: &str, at: usize) -> Option<(SignValue, Form)> {
        if let Some(text) = name.strip_prefix("sent ") {
            let text = text.trim_start();
            let offset = self.node.offset(at + name.len() - text.len());
            return pointer(self.cx.report, offset, text).map(|pointer| (SignValue::SentMember(pointer), Form::Text));
        }
        match name {
            "now" => return Some((SignValue::Now, Form::Time)),
            "sent.body" => return Some((SignValue::SentBody, Form::Text)),
            "sent.host" => return Some((SignValue::SentHost, Form::Text)),
            "sent.path" => return Some((SignValue::SentPath, Form::Text)),
            _ => {}
        }
        if let Some(line) = name.strip_prefix("sign.") {
            let form = self.earlier(line, at)?;
            return Some((SignValue::Name(Name::Sign(line.to_owned())), form));
        }
        let allowed = Allowed { token: self.kind != Kind::Token, ..Allowed::SIGN };
        parse_name(self.node, self.cx, allowed, name, at).map(|name| (SignValue::Name(name), Form::Text))
    }

    /// What an earlier line is.
    fn earlier(&self, line: &str, at: usize) -> Option<Form> {
        let found = self.earlier.find(line);
        if let Some((_, place)) = found {
            return Some(place.form);
        }
        if self.names.iter().any(|name| name == line) {
            return self.wrong(at, &format!("`sign.{line}` is this line or a later one: a line names earlier lines only"));
        }
        self.earlier.unknown(self.cx, self.node.offset(at), line);
        None
    }

    fn function(&self, word: &str, at: usize) -> Option<SignFunction> {
        let (name, argument) = match word.split_once('(') {
            Some((name, rest)) => (name.trim_end(), Some((rest, at + word.len() - rest.len()))),
            None => (word, None),
        };
        let plain = match name {
            "hmac_sha256" => return self.key(argument, at).map(SignFunction::HmacSha256),
            "sha256" => SignFunction::Sha256,
            "base64" => SignFunction::Base64,
            "from_base64" => SignFunction::FromBase64,
            "hex" => SignFunction::Hex,
            "http_date" => SignFunction::HttpDate,
            "iso8601" => SignFunction::Iso8601,
            "compact" => SignFunction::Compact,
            _ => {
                let message = format!("`{}` is no function; allowed: {}", shown(word), FUNCTIONS.join(", "));
                let known = FUNCTIONS.iter().map(|known| known.split('(').next().unwrap_or_default());
                self.cx.report.add_name(self.node.offset(at), message, name, known);
                return None;
            }
        };
        if argument.is_some() {
            return self.wrong(at, &format!("`{name}` takes nothing in parentheses"));
        }
        Some(plain)
    }

    /// The line that is the key of `hmac_sha256`.
    fn key(&self, argument: Option<(&str, usize)>, at: usize) -> Option<String> {
        let line = argument.and_then(|(text, at)| Some((text.strip_suffix(')')?, at)));
        let line = line.and_then(|(text, at)| Some((text.trim().strip_prefix("sign.")?, at + text.len() - text.trim_start().len())));
        match line {
            Some((line, at)) => self.earlier(line, at).map(|_| line.to_owned()),
            None => self.wrong(at, "`hmac_sha256` takes its key from an earlier line: `hmac_sha256(sign.key)`"),
        }
    }

    /// What a function makes of a value.
    fn applied(&self, function: &SignFunction, word: &str, form: Form, at: usize) -> Option<Form> {
        let name = word.split('(').next().unwrap_or_default().trim_end();
        match (function, form) {
            (SignFunction::HttpDate | SignFunction::Iso8601 | SignFunction::Compact, Form::Time) => Some(Form::Text),
            (SignFunction::HttpDate | SignFunction::Iso8601 | SignFunction::Compact, Form::Text | Form::Bytes) => {
                self.wrong(at, &format!("`{name}` makes text of `now`, and stands right behind it"))
            }
            (_, Form::Time) => self.wrong(at, "`now` needs one of `http_date`, `iso8601`, `compact` first"),
            (SignFunction::FromBase64, Form::Bytes) => self.wrong(at, "`from_base64` reads text, and this is bytes"),
            (SignFunction::Sha256 | SignFunction::HmacSha256(_) | SignFunction::FromBase64, _) => Some(Form::Bytes),
            (SignFunction::Base64 | SignFunction::Hex, _) => Some(Form::Text),
        }
    }

    /// Notes a mistake at an offset of the line.
    fn wrong<T>(&self, at: usize, message: &str) -> Option<T> {
        self.cx.report.add(self.node.offset(at), message);
        None
    }
}

/// The parts between bars, trimmed, with their offsets. A bar can be part of no name and no argument.
fn segments(written: &str, at: usize) -> Vec<(&str, usize)> {
    let mut from = at;
    let mut segments = Vec::new();
    for segment in written.split('|') {
        segments.push((segment.trim(), from + segment.len() - segment.trim_start().len()));
        from += segment.len() + 1;
    }
    segments
}

// === impl Read ===

impl Read {
    /// What signs.
    pub(super) fn into_sign(self) -> Sign {
        self.scheme.unwrap_or(Sign::Lines(self.lines))
    }

    fn find(&self, name: &str) -> Option<(&SignLine, &Line)> {
        self.lines.iter().zip(&self.places).find(|(line, _)| line.name == name)
    }

    fn unknown(&self, cx: &Context<'_>, offset: usize, name: &str) {
        let known: Vec<&str> = self.lines.iter().map(|line| line.name.as_str()).collect();
        let lines = if known.is_empty() { "there is none yet".to_owned() } else { format!("lines: {}", known.join(", ")) };
        let message = format!("`sign.{}` is no line of `{}` that can be named here; {lines}", shown(name), self.path);
        cx.report.add_name(offset, message, name, known);
    }

    /// Names the lines that nothing uses.
    pub(super) fn check_unused(&self, cx: &Context<'_>) {
        let used = self.used.borrow();
        for (line, place) in self.lines.iter().zip(&self.places).filter(|(line, _)| !used.contains(&line.name)) {
            cx.report.add(place.at, format!("nothing uses `sign.{}`: leave the line out", line.name));
        }
    }
}

// === checks across a call ===

/// What of a call its signature is checked against.
pub(super) struct Signing<'c> {
    pub(super) kind: Kind,
    /// `[call.x.sign]`.
    pub(super) own: Option<&'c Read>,
    /// Lines that are named in the call itself.
    pub(super) uses: Vec<Use>,
    /// Whether `auth` is the call's own.
    pub(super) own_auth: bool,
    pub(super) body: &'c Body,
}

/// Checks every use of a line in a call. Whether the call is signed.
pub(super) fn check(signing: &Signing<'_>, table: &Table<'_>, cx: &Context<'_>) -> bool {
    let inherited = if signing.own_auth { Vec::new() } else { cx.auth_uses.clone() };
    let Some(read) = signing.own.or(cx.sign.as_ref()) else {
        for one in signing.uses.iter().chain(&inherited) {
            cx.report.add(one.at, format!("`sign.{}` is a line of `[sign]`, and there is no such table", shown(&one.name)));
        }
        return false;
    };
    for one in &signing.uses {
        check_use(read, one, cx);
    }
    for one in &inherited {
        // What `auth` says is right for other calls; the lines of this one are not.
        match signing.own {
            Some(own) if own.find(&one.name).is_none() => {
                cx.report.add(own.at, format!("`{}` has no line `{}`, which `auth` names", own.path, shown(&one.name)));
            }
            Some(_) | None => check_use(read, one, cx),
        }
    }
    let named: Vec<Name> = signing.uses.iter().chain(&inherited).map(|one| Name::Sign(one.name.clone())).collect();
    read.used.borrow_mut().extend(signing.uses.iter().chain(&inherited).map(|one| one.name.clone()));
    let lines = used(&read.lines, named.iter());
    check_members(read, &lines, signing.body, cx);
    if signing.kind == Kind::Token && lines.iter().flat_map(|line| line.names()).any(|name| *name == Name::Token) {
        table.wrong("the token call is signed with a line that names the token it fetches");
    }
    if let Some(own) = signing.own {
        own.check_unused(cx);
    }
    !named.is_empty() || read.scheme.is_some()
}

fn check_use(read: &Read, one: &Use, cx: &Context<'_>) {
    match read.find(&one.name) {
        None => read.unknown(cx, one.at, &one.name),
        Some((line, place)) => {
            if place.form == Form::Bytes {
                cx.report.add(one.at, format!("`sign.{}` is bytes, not text: end its line with `base64` or `hex`", line.name));
            }
            if one.in_body && line.needs_sent {
                let message = "names `sent.body`, itself or by an earlier line, so it can not go into the body";
                cx.report.add(one.at, format!("`sign.{}` {message}", line.name));
            }
        }
    }
}

/// A member that is made of lines is not there yet when lines are made.
fn check_members(read: &Read, lines: &[&SignLine], body: &Body, cx: &Context<'_>) {
    let late: Vec<_> = body.set.iter().filter(|(_, template)| template.names_sign()).map(|(at, _)| at).collect();
    for line in lines {
        let Some((_, place)) = read.find(&line.name) else { continue };
        for (offset, member) in &place.members {
            let overlaps =
                |at: &&&domain::json::Pointer| at.tokens().starts_with(member.tokens()) || member.tokens().starts_with(at.tokens());
            if let Some(at) = late.iter().find(overlaps) {
                cx.report.add(*offset, format!("`{at}` is made of a line of `[sign]` itself: name that line instead"));
            }
        }
    }
}
