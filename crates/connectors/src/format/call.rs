//! `[call.x]`: one HTTP request, and how its answer is read.

use domain::json::Pointer;
use http::Method as HttpMethod;

use super::choice::{Pickers, choice};
use super::places::{Side, places};
use super::provider::Context;
use super::reader::{Node, Table, shown};
use super::sign::{self, Signing};
use super::template::{Allowed, line_template};
use super::{answer, auth, call_body, hosts, success};
use crate::model::{
    AnswerShape, Auth, Call, Choice, Encoding, Idempotency, IdempotencyPlace, Name, Part, Place, Record, RequestLine, Success, Template,
    TokenCall, Verify,
};

/// Which call is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `call.session`: has the caller's body.
    Session,
    /// `call.second`: has the caller's body and the answer of the first.
    Second,
    /// `call.verify`: has no caller.
    Verify,
    /// `call.token`: has no caller, and comes before there is a token.
    Token,
}

/// A call of a session with the pointers that its examples must be able to hold.
pub(super) struct Read {
    /// What the file calls it.
    pub(super) path: String,
    pub(super) call: Call,
    /// Pointers into the finished body, with their offsets: `set` and `default`.
    pub(super) finished: Vec<(usize, Pointer)>,
    /// Pointers into the caller's body, with their offsets: `request` places.
    pub(super) asked: Vec<(usize, Pointer)>,
}

/// Reads the first or only step of a session, or its second one.
pub(super) fn session(node: &Node<'_>, cx: &Context<'_>, kind: Kind) -> Option<Read> {
    let table = node.table()?;
    let Common { mut call, mut finished, is_signed } = common(&table, cx, kind)?;
    call.success = required_success(&table, cx, kind);
    call.answer = table.get("answer").and_then(|node| answer::read(&node, cx)).unwrap_or_default();
    call.error_code = table.get("error_code").map(|node| plain_places(&node, cx)).unwrap_or_default();
    call.idempotency = table.get("idempotency").and_then(|node| {
        if is_signed {
            node.wrong_key("a call that is signed is never sent twice once it was seen, so it can not have `idempotency`");
        }
        idempotency(&node, cx, &call, &mut finished)
    });
    call.private = answer_pointers(&table, "private", cx, &call.answer);
    call.withhold = answer_pointers(&table, "withhold", cx, &call.answer);
    let (record, kept) = table.get("record").and_then(|node| record(&node, cx)).unwrap_or_default();
    call.record = record;
    let mut asked = Vec::new();
    for (at, place) in kept {
        match place {
            Place::Request(pointer) => asked.push((at, pointer)),
            Place::Answer(pointer) | Place::AnswerKey(pointer) => answer::check_pointer(cx, &call.answer, at, &pointer),
            Place::AnswerHeader(_) => {}
        }
    }
    table.finish();
    Some(Read { path: node.path().to_owned(), call, finished, asked })
}

/// What two steps can not have together.
pub(super) fn check_steps(second: &Node<'_>, first: Option<&Node<'_>>, read: (Option<&Call>, Option<&Call>)) {
    let Some(first) = first else {
        second.wrong_key("`call.second` follows `call.session`, and there is none");
        return;
    };
    let (Some(one), Some(two)) = read else { return };
    if matches!(one.answer, AnswerShape::Pick(_)) {
        first.wrong_key("the caller gets the answer of `call.second`: `answer.pick` belongs there");
    }
    let lines = two.request.all();
    if one.request.all().into_iter().any(|line| lines.iter().any(|other| other.method == line.method && other.path == line.path)) {
        second.wrong_key("`call.second` has a request line of `call.session`: nobody could tell which of them is meant");
    }
}

fn answer_pointers(table: &Table<'_>, key: &'static str, cx: &Context<'_>, shape: &AnswerShape) -> Vec<Pointer> {
    let items = table.get(key).map(|node| node.one_or_list()).unwrap_or_default();
    let pointers = items.iter().filter_map(|item| Some((item.at(), item.pointer()?)));
    pointers.inspect(|(at, pointer)| answer::check_pointer(cx, shape, *at, pointer)).map(|(_, pointer)| pointer).collect()
}

pub(super) fn verify(node: &Node<'_>, cx: &Context<'_>) -> Option<Verify> {
    let table = node.table()?;
    if let Some(same_as) = table.get("same_as") {
        same_as.word(&["token"]);
        if !cx.has_token {
            same_as.wrong("there is no `[call.token]` to prove credentials with");
        }
        table.finish();
        return Some(Verify::Token);
    }
    let Common { mut call, .. } = common(&table, cx, Kind::Verify)?;
    call.success = required_success(&table, cx, Kind::Verify);
    table.finish();
    Some(Verify::Call(Box::new(call)))
}

pub(super) fn token(node: &Node<'_>, cx: &Context<'_>, provider: &Choice<Auth>) -> Option<TokenCall> {
    let table = node.table()?;
    let Common { mut call, .. } = common(&table, cx, Kind::Token)?;
    call.success = match table.get("success") {
        Some(node) => success::read(&node, cx, Kind::Token),
        None => Success { statuses: vec![200, 201], ..Success::default() },
    };
    let token = table.require("token").map(|node| plain_places(&node, cx)).unwrap_or_default();
    let expires = table.get("expires").map(|node| plain_places(&node, cx)).unwrap_or_default();
    let mut names = provider.all().into_iter().flat_map(Auth::templates).flat_map(Template::names);
    if call.auth.is_none() && names.any(|name| *name == Name::Token) {
        table.wrong("the token call needs an `auth` of its own: that of the file uses the token it fetches");
    }
    table.finish();
    Some(TokenCall { call, token, expires })
}

/// What every call has.
struct Common {
    call: Call,
    /// Pointers into the finished body, with their offsets.
    finished: Vec<(usize, Pointer)>,
    /// Whether a line of `[sign]` is named anywhere.
    is_signed: bool,
}

/// What every call has; its success and what only sessions have are left to the caller.
fn common(table: &Table<'_>, cx: &Context<'_>, kind: Kind) -> Option<Common> {
    let request = table.require("request").and_then(|node| choice(&node, cx, Pickers::All, |node| request_line(node, cx, kind)));
    let hosts = table.get("hosts").and_then(|node| hosts::read(&node, cx));
    let sign = table.get("sign").and_then(|node| sign::read(&node, cx, kind));
    let auth = table.get("auth").and_then(|node| auth::read(&node, cx, kind));
    let headers = table.get("headers").map(|node| auth::call_headers(&node, cx, kind)).unwrap_or_default();
    let (body, finished) = table.get("body").and_then(|node| call_body::read(&node, cx, kind)).unwrap_or_default();
    let signing = Signing { kind, own: sign.as_ref(), uses: cx.take_uses(), own_auth: table.has("auth"), body: &body };
    let is_signed = sign::check(&signing, table, cx);
    let call = Call {
        request: request?,
        hosts,
        auth,
        sign: sign.map(sign::Read::into_sign),
        headers,
        body,
        success: Success::default(),
        answer: AnswerShape::Whole,
        error_code: Vec::new(),
        idempotency: None,
        private: Vec::new(),
        withhold: Vec::new(),
        record: Record::default(),
    };
    if matches!(kind, Kind::Session | Kind::Second) && call.request.all().iter().any(|line| line.method == HttpMethod::GET) {
        table.wrong("a session carries the caller's body: its request can not be a GET");
    }
    Some(Common { call, finished, is_signed })
}

fn required_success(table: &Table<'_>, cx: &Context<'_>, kind: Kind) -> Success {
    table.require("success").map(|node| success::read(&node, cx, kind)).unwrap_or_default()
}

fn plain_places(node: &Node<'_>, cx: &Context<'_>) -> Vec<Place> {
    places(node, cx, Side::Answer).into_iter().map(|(_, place)| place).collect()
}

fn request_line(node: &Node<'_>, cx: &Context<'_>, kind: Kind) -> Option<RequestLine> {
    const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let template = line_template(node, cx, Allowed::OPEN.of_call(kind))?;
    let mut parts = template.0;
    let first = match parts.first_mut() {
        Some(Part::Text(first)) => std::mem::take(first),
        Some(Part::Name(_)) | None => String::new(),
    };
    let (word, path) = first.split_once(' ').unwrap_or((first.as_str(), ""));
    if !METHODS.contains(&word) {
        let message =
            format!("`{}` must be a method and a path, such as `POST /v1/sessions`; methods: {}", node.path(), METHODS.join(", "));
        cx.report.add_name(node.at(), message, word, METHODS);
        return None;
    }
    let texts = parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None });
    let whole: String = std::iter::once(path).chain(texts).collect();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&b);
    let query = whole.split_once('?').map_or("", |(_, query)| query);
    let good_path = path.starts_with('/') && whole.split('?').next().unwrap_or_default().bytes().all(plain);
    if !good_path || !query.bytes().all(|b| plain(b) || b == b'%') || whole.split('/').any(|segment| segment == "." || segment == "..") {
        node.wrong(format!("the path of `{}` must begin with a slash and hold what an address may hold: `{}`", node.path(), shown(&whole)));
        return None;
    }
    if let Some(Part::Text(first)) = parts.first_mut() {
        path.clone_into(first);
    }
    Some(RequestLine { method: HttpMethod::from_bytes(word.as_bytes()).ok()?, path: Template(parts) })
}

fn idempotency(node: &Node<'_>, cx: &Context<'_>, call: &Call, finished: &mut Vec<(usize, Pointer)>) -> Option<Idempotency> {
    const PLACES: [&str; 3] = ["header", "body", "path"];
    let table = node.table()?;
    if PLACES.iter().filter(|place| table.has(place)).count() != 1 {
        table.wrong(format!("`{}` says where the service looks for the id by exactly one of {}", node.path(), PLACES.join(", ")));
    }
    let header = table.get("header").and_then(|node| idempotency_header(&node, cx, call));
    let body = table.get("body").and_then(|node| {
        let pointer = node.pointer()?;
        if call.body.default.iter().chain(&call.body.set).any(|(at, _)| *at == pointer) {
            node.wrong(format!("`{pointer}` is in `body.default` or `body.set` too"));
        }
        if call.body.encoding == Encoding::Form && pointer.tokens().len() != 1 {
            node.wrong("the encoding `form` has plain names only: `form-brackets` has objects");
        }
        finished.push((node.at(), pointer.clone()));
        Some(IdempotencyPlace::Body(pointer))
    });
    let path = table.get("path").and_then(|node| {
        if !node.flag()? {
            node.wrong("`path` is `true` or not there");
        }
        let names_attempt = |line: &&RequestLine| line.path.names().any(|name| matches!(name, Name::Attempt(_)));
        if !call.request.all().iter().all(names_attempt) {
            node.wrong("the path of the request names no `attempt.id`, `attempt.hex32` or `attempt.upper32`, so the service could not recognise it");
        }
        Some(IdempotencyPlace::Path)
    });
    let hours = table.require("hours").and_then(|node| node.whole(1..=8760));
    table.finish();
    Some(Idempotency { at: header.or(body).or(path)?, hours: hours? })
}

fn idempotency_header(node: &Node<'_>, cx: &Context<'_>, call: &Call) -> Option<IdempotencyPlace> {
    let header = auth::header_name(node.line(100)?, node.at(), cx)?;
    if call.headers.iter().any(|(name, _)| *name == header) {
        node.wrong(format!("the header {header} is in `headers` too"));
    }
    Some(IdempotencyPlace::Header(header))
}

/// Places with their offsets.
type Kept = Vec<(usize, Place)>;

fn record(node: &Node<'_>, cx: &Context<'_>) -> Option<(Record, Kept)> {
    let table = node.table()?;
    let mut kept = Vec::new();
    let mut keep = |found: Kept| {
        kept.extend(found.iter().cloned());
        found.into_iter().map(|(_, place)| place).collect::<Vec<_>>()
    };
    let mut amount_in_major_units = false;
    let amount = table.get("amount").map(|node| match node.as_table() {
        None => places(&node, cx, Side::Both),
        Some(table) => {
            let at = table.require("at").map(|node| places(&node, cx, Side::Both)).unwrap_or_default();
            amount_in_major_units = table.require("unit").and_then(|node| node.word(&["minor", "major"])) == Some("major");
            table.finish();
            at
        }
    });
    let amount = keep(amount.unwrap_or_default());
    let mut of = |key| keep(table.get(key).map(|node| places(&node, cx, Side::Both)).unwrap_or_default());
    let (currency, country, reference) = (of("currency"), of("country"), of("reference"));
    let (service_id, support_id) = (of("service_id"), of("support_id"));
    table.finish();
    Some((Record { amount, amount_in_major_units, currency, country, reference, service_id, support_id }, kept))
}
