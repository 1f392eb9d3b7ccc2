//! Templates: text with `{{ name }}`, and JSON whose strings are templates.

use domain::json::Pointer;
use toml::de::DeValue;

use super::call::Kind;
use super::provider::Context;
use super::reader::{Node, shown};
use super::sign::Use;
use crate::model::{AttemptForm, JsonTemplate, Name, Part, SimValue, Template};

/// Longest made-up text of a simulator.
const SIM_LENGTH_MAX: usize = 200;

/// How the id of an attempt may be written.
const ATTEMPT_FORMS: [(&str, AttemptForm); 3] = [("id", AttemptForm::Id), ("hex32", AttemptForm::Hex32), ("upper32", AttemptForm::Upper32)];

/// Which fields a place may name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldUse {
    /// None at all.
    None,
    /// Those that are not secret: what is sent here is logged, shown or kept by somebody.
    Open,
    /// All: these places exist to carry secrets.
    Any,
}

/// Whether a place may name a line of `[sign]`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LineUse {
    /// It may not.
    None,
    /// In a header.
    Header,
    /// In a member of the body, which is there before the body is.
    Body,
    /// In another line; those are read by `sign` itself.
    Line,
}

/// Which names a place may hold.
#[derive(Clone, Copy)]
pub(super) struct Allowed {
    pub(super) field: FieldUse,
    pub(super) method_code: bool,
    pub(super) token: bool,
    /// `attempt.x`.
    pub(super) attempt: bool,
    /// `sign.x`.
    pub(super) sign: LineUse,
    /// `first /pointer`.
    pub(super) first: bool,
    /// `sim.x` and `request /pointer`.
    pub(super) simulator: bool,
}

/// One piece of a template as it is written.
pub(super) enum Piece<'t> {
    /// Plain text and its offset.
    Text(&'t str, usize),
    /// What stands between the braces, trimmed, and its offset in the text.
    Name(&'t str, usize),
    /// `{{` without an end, and its offset.
    Open(usize),
}

impl Allowed {
    /// Paths: no secrets.
    pub(super) const OPEN: Self =
        Self { field: FieldUse::Open, method_code: true, token: false, attempt: true, sign: LineUse::None, first: false, simulator: false };
    /// Headers that prove nothing, but may be a part of what is signed.
    pub(super) const HEADERS: Self = Self { sign: LineUse::Header, ..Self::OPEN };
    /// Members that are set: secrets may be among them.
    pub(super) const SET: Self = Self { field: FieldUse::Any, sign: LineUse::Body, ..Self::OPEN };
    /// Proof of who asks.
    pub(super) const AUTH: Self = Self { token: true, sign: LineUse::Header, ..Self::SET };
    /// Lines of `[sign]`, which know more names than these.
    pub(super) const SIGN: Self = Self { sign: LineUse::Line, ..Self::AUTH };
    /// Hosts: fields only, and no secret ones.
    pub(super) const HOST: Self = Self { method_code: false, attempt: false, ..Self::OPEN };
    /// Client certificates: fields only, secret ones among them.
    pub(super) const TLS: Self = Self { field: FieldUse::Any, ..Self::HOST };
    /// What a simulator answers.
    pub(super) const SIMULATOR: Self = Self {
        field: FieldUse::None,
        method_code: false,
        token: false,
        attempt: false,
        sign: LineUse::None,
        first: false,
        simulator: true,
    };

    /// The same in a call that may come second.
    pub(super) fn of_call(self, kind: Kind) -> Self {
        Self { first: kind == Kind::Second, ..self }
    }

    /// The names in words, for messages and for the search of the nearest.
    fn names(self, cx: &Context<'_>) -> Vec<String> {
        let mut names = Vec::new();
        match self.field {
            FieldUse::None => {}
            FieldUse::Open => names.extend(cx.fields.iter().filter(|f| !f.secret).map(|f| format!("field.{}", f.key))),
            FieldUse::Any => names.extend(cx.fields.iter().map(|f| format!("field.{}", f.key))),
        }
        names.extend(self.method_code.then(|| "method.code".to_owned()));
        if self.attempt {
            names.extend(ATTEMPT_FORMS.iter().map(|(form, _)| format!("attempt.{form}")));
        }
        names.extend((self.token && cx.has_token).then(|| "token".to_owned()));
        match self.sign {
            LineUse::None => {}
            LineUse::Header | LineUse::Body => names.extend(cx.line_names()),
            LineUse::Line => names.extend(["now", "sent.body", "sent.host", "sent.path", "sent /pointer", "sign.x"].map(str::to_owned)),
        }
        names.extend(self.first.then(|| "first /pointer".to_owned()));
        if self.simulator {
            let words =
                ["request /pointer", "sim.uuid", "sim.textN", "sim.upperN", "sim.hexN", "sim.page", "sim.missing", "sim.time", "sim.jwt"];
            names.extend(words.map(str::to_owned));
        }
        names
    }
}

/// Reads a string as a template.
pub(super) fn template(node: &Node<'_>, cx: &Context<'_>, allowed: Allowed) -> Option<Template> {
    let text = node.text()?;
    let parts = pieces(text).into_iter().map(|piece| match piece {
        Piece::Text(text, _) => Some(Part::Text(text.to_owned())),
        Piece::Name(name, at) => parse_name(node, cx, allowed, name, at).map(Part::Name),
        Piece::Open(at) => {
            cx.report.add(node.offset(at), "`{{` has no `}}` behind it");
            None
        }
    });
    // Collected first, so that all mistakes of one template are named.
    let parts: Vec<Option<Part>> = parts.collect();
    parts.into_iter().collect::<Option<Vec<_>>>().map(Template)
}

/// Reads a template that becomes one line of a header or path.
pub(super) fn line_template(node: &Node<'_>, cx: &Context<'_>, allowed: Allowed) -> Option<Template> {
    let text = node.text()?;
    if let Some(at) = text.find(|c: char| c.is_control() || !c.is_ascii()) {
        cx.report.add(node.offset(at), format!("`{}` must be one line of ASCII", node.path()));
        return None;
    }
    template(node, cx, allowed)
}

/// Reads a TOML value as JSON whose strings are templates.
pub(super) fn json_template(node: &Node<'_>, cx: &Context<'_>, allowed: Allowed) -> Option<JsonTemplate> {
    match node.value() {
        DeValue::String(_) => template(node, cx, allowed).map(JsonTemplate::Text),
        DeValue::Integer(integer) if integer.radix() == 10 => {
            Some(JsonTemplate::Literal(integer.as_str().trim_start_matches('+').to_owned()))
        }
        DeValue::Float(float) if serde_json::from_str::<serde_json::Number>(float.as_str()).is_ok() => {
            Some(JsonTemplate::Literal(float.as_str().to_owned()))
        }
        DeValue::Boolean(flag) => Some(JsonTemplate::Literal(flag.to_string())),
        DeValue::Array(_) => {
            let items: Vec<_> = node.list()?.iter().map(|item| json_template(item, cx, allowed)).collect();
            items.into_iter().collect::<Option<Vec<_>>>().map(JsonTemplate::List)
        }
        DeValue::Table(_) => {
            let entries = node.table()?.entries();
            let members: Vec<_> = entries.iter().map(|e| Some((e.key().to_owned(), json_template(e, cx, allowed)?))).collect();
            members.into_iter().collect::<Option<Vec<_>>>().map(JsonTemplate::Object)
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) => {
            node.wrong(format!("`{}` has no form in JSON: write it as a string or as a decimal number", node.path()));
            None
        }
    }
}

/// The names of a template, for checks across places.
pub(super) fn fields_of(template: &Template) -> impl Iterator<Item = &str> {
    template.0.iter().filter_map(|part| match part {
        Part::Name(Name::Field(key)) => Some(key.as_str()),
        Part::Text(_) | Part::Name(_) => None,
    })
}

pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(open) = rest.find("{{") else {
            pieces.push(Piece::Text(rest, at));
            break;
        };
        if let Some(before) = rest.get(..open).filter(|before| !before.is_empty()) {
            pieces.push(Piece::Text(before, at));
        }
        let inside = rest.get(open + 2..).unwrap_or_default();
        let Some(close) = inside.find("}}") else {
            pieces.push(Piece::Open(at + open));
            break;
        };
        let name = inside.get(..close).unwrap_or_default();
        let lead = name.len() - name.trim_start().len();
        pieces.push(Piece::Name(name.trim(), at + open + 2 + lead));
        at += open + 2 + close + 2;
    }
    pieces
}

pub(super) fn parse_name(node: &Node<'_>, cx: &Context<'_>, allowed: Allowed, name: &str, at: usize) -> Option<Name> {
    let offset = node.offset(at);
    if name.contains('|') {
        cx.report.add(offset, "functions (`|`) are for lines of `[sign]`: elsewhere only names can be filled in");
        return None;
    }
    if let Some(pointer) = name.strip_prefix("request ").filter(|_| allowed.simulator) {
        return super::reader::pointer(cx.report, offset, pointer.trim_start()).map(Name::Request);
    }
    if let Some(pointer) = name.strip_prefix("first ").filter(|_| allowed.first) {
        return super::reader::pointer(cx.report, offset, pointer.trim_start()).map(Name::First);
    }
    let parsed = match name.split_once('.') {
        Some(("sign", line)) if matches!(allowed.sign, LineUse::Header | LineUse::Body) => {
            cx.uses.borrow_mut().push(Use { name: line.to_owned(), at: offset, in_body: allowed.sign == LineUse::Body });
            Some(Name::Sign(line.to_owned()))
        }
        Some(("field", key)) if allowed.field != FieldUse::None => return field(node, cx, allowed, key, offset),
        Some(("method", "code")) if allowed.method_code => Some(Name::MethodCode),
        Some(("attempt", form)) if allowed.attempt => {
            ATTEMPT_FORMS.iter().find(|(word, _)| *word == form).map(|(_, form)| Name::Attempt(*form))
        }
        Some(("sim", value)) if allowed.simulator => sim_value(value).map(Name::Sim),
        None if name == "token" && allowed.token => {
            if !cx.has_token {
                cx.report.add(offset, "`token` is what `[call.token]` answers, and this file has no such call");
                return None;
            }
            Some(Name::Token)
        }
        _ => None,
    };
    if parsed.is_none() {
        let names = allowed.names(cx);
        let message = format!("`{}` is no name that can be filled in here; allowed: {}", shown(name), names.join(", "));
        cx.report.add_name(offset, message, name, names.iter().map(String::as_str));
    }
    parsed
}

fn field(node: &Node<'_>, cx: &Context<'_>, allowed: Allowed, key: &str, offset: usize) -> Option<Name> {
    let Some(field) = cx.fields.iter().find(|field| field.key == key) else {
        let known: Vec<&str> = cx.fields.iter().map(|field| field.key.as_str()).collect();
        let message = format!("`{}` is no field of this file; its fields are {}", shown(key), known.join(", "));
        cx.report.add_name(offset, message, key, known);
        return None;
    };
    if field.secret && allowed.field == FieldUse::Open {
        let message = format!(
            "`{key}` is secret and can not stand in `{}`: secrets go to `auth`, to `sign`, to `tls`, to `call.token` and to `body.set`, which are never logged",
            node.path()
        );
        cx.report.add(offset, message);
        return None;
    }
    Some(Name::Field(key.to_owned()))
}

fn sim_value(word: &str) -> Option<SimValue> {
    match word {
        "uuid" => return Some(SimValue::Uuid),
        "page" => return Some(SimValue::Page),
        "missing" => return Some(SimValue::Missing),
        "time" => return Some(SimValue::Time),
        "jwt" => return Some(SimValue::Jwt),
        _ => {}
    }
    let digits = word.find(|c: char| c.is_ascii_digit())?;
    let (kind, length) = word.split_at_checked(digits)?;
    let length = length.parse().ok().filter(|length| (1..=SIM_LENGTH_MAX).contains(length))?;
    match kind {
        "text" => Some(SimValue::Text(length)),
        "upper" => Some(SimValue::Upper(length)),
        "hex" => Some(SimValue::Hex(length)),
        _ => None,
    }
}

/// A template filled with stand-ins, to be read as JSON: which of its bytes came from where.
pub(super) struct Filled {
    pub(super) text: String,
    /// Offset in `text` and in the template's own text, ascending.
    origins: Vec<(usize, usize)>,
}

impl Filled {
    /// Fills names with harmless values; `request /pointer` with what `request` says.
    pub(super) fn new(written: &str, request: impl Fn(&Pointer) -> String) -> Self {
        let mut filled = Self { text: String::new(), origins: Vec::new() };
        for piece in pieces(written) {
            match piece {
                Piece::Text(text, at) => {
                    filled.origins.push((filled.text.len(), at));
                    filled.text.push_str(text);
                }
                Piece::Name(name, at) => {
                    filled.origins.push((filled.text.len(), at));
                    let pointer = name.strip_prefix("request ").and_then(|pointer| Pointer::parse(pointer.trim_start()));
                    filled.text.push_str(&pointer.map_or("x".to_owned(), |pointer| request(&pointer)));
                }
                Piece::Open(_) => break,
            }
        }
        filled
    }

    /// The offset in the template's text that a byte of the filled text came from.
    pub(super) fn origin(&self, at: usize) -> usize {
        let origin = self.origins.iter().rev().find(|(filled, _)| *filled <= at);
        origin.map_or(0, |(filled, written)| written + (at - filled))
    }
}
