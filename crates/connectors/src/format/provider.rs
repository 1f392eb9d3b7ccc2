//! A file as a whole.

use std::cell::RefCell;

use super::call::{self, Kind};
use super::reader::{Table, shown};
use super::report::Report;
use super::{auth, fields, hosts, methods, sign, simulator, tls};
use crate::model::{Auth, Choice, Field, Method, Provider};

/// The one version of the format.
const FORMAT: u32 = 1;

/// What the places of a file may refer to.
pub(super) struct Context<'a> {
    pub(super) report: &'a Report<'a>,
    pub(super) fields: Vec<Field>,
    pub(super) methods: Vec<Method>,
    pub(super) has_token: bool,
    /// `[sign]`.
    pub(super) sign: Option<sign::Read>,
    /// Lines that `[auth]` names: every call without `auth` of its own names them.
    pub(super) auth_uses: Vec<sign::Use>,
    /// Lines that were named since somebody took them.
    pub(super) uses: RefCell<Vec<sign::Use>>,
}

// === impl Context ===

impl Context<'_> {
    /// Lines that were named since the last time.
    pub(super) fn take_uses(&self) -> Vec<sign::Use> {
        self.uses.take()
    }

    /// `sign.x` for every line of `[sign]`, for messages.
    pub(super) fn line_names(&self) -> Vec<String> {
        self.sign.iter().flat_map(|sign| &sign.lines).map(|line| format!("sign.{}", line.name)).collect()
    }
}

/// Reads a file. Mistakes are in the report; with any of them the result is worth nothing.
pub(super) fn read(root: Table<'_>, report: &Report<'_>, hash: String) -> Option<Provider> {
    if let Some(format) = root.require("format") {
        format.whole(FORMAT..=FORMAT);
    }
    let id = root.require("id").and_then(|node| {
        let id = node.text()?;
        if !is_provider_id(id) {
            node.wrong(format!("`{}` is no id: 1 to 40 lower-case letters, digits and dashes, beginning with a letter", shown(id)));
        }
        Some(id.to_owned())
    });
    let name = root.require("name").and_then(|node| node.line(100)).unwrap_or_default().to_owned();
    let docs = root.get("docs").and_then(|node| {
        let docs = node.line(500)?;
        if !docs.starts_with("https://") {
            node.wrong("`docs` must be an address that begins with https://");
        }
        Some(docs.to_owned())
    });
    let checked = checked(&root);
    let simulator_only = root.get("simulator_only").and_then(|node| node.flag()).unwrap_or_default();
    let id = id.unwrap_or_default();
    let methods = root.require("methods").map(|node| methods::read(&node, &id)).unwrap_or_default();
    let fields = root.get("fields").map(|node| fields::read(&node)).unwrap_or_default();
    let calls = root.get("call").and_then(|node| node.table());
    let has = |key| calls.as_ref().is_some_and(|calls: &Table<'_>| calls.has(key));
    let (has_token, has_session, has_second) = (has("token"), has("session"), has("second"));
    let fields = fields::with_implicit(fields);
    let mut cx = Context { report, fields, methods, has_token, sign: None, auth_uses: Vec::new(), uses: RefCell::default() };
    let hosts = root.get("hosts").and_then(|node| hosts::read(&node, &cx));
    cx.sign = root.get("sign").and_then(|node| sign::read(&node, &cx, Kind::Session));
    let auth = root.get("auth").and_then(|node| auth::read(&node, &cx, Kind::Session)).unwrap_or(Choice::One(Auth::default()));
    cx.auth_uses = cx.take_uses();
    let tls = root.get("tls").and_then(|node| tls::read(&node, &cx));
    let calls = calls.map(|calls| read_calls(calls, &cx, &auth)).unwrap_or_default();
    let simulator = root.get("simulator").and_then(|node| simulator::read(&node, &cx, calls.session.as_ref(), calls.second.as_ref()));
    check_whole(&root, &cx, simulator_only, has_session);
    check_second(&root, has_second);
    if let Some(sign) = &cx.sign {
        sign.check_unused(&cx);
    }
    root.finish();
    let Calls { session, second, verify, token } = calls;
    let (session, second) = (session.map(|read| read.call), second.map(|read| read.call));
    let Context { fields, methods, sign, .. } = cx;
    Some(Provider {
        id,
        name,
        docs,
        checked,
        simulator_only,
        methods,
        fields,
        hosts,
        auth,
        tls,
        sign: sign.map(sign::Read::into_sign),
        session,
        second,
        verify,
        token,
        simulator,
        hash,
    })
}

/// The calls of a file.
#[derive(Default)]
struct Calls {
    session: Option<call::Read>,
    second: Option<call::Read>,
    verify: Option<crate::model::Verify>,
    token: Option<crate::model::TokenCall>,
}

fn read_calls(calls: Table<'_>, cx: &Context<'_>, auth: &Choice<Auth>) -> Calls {
    let (first, next) = (calls.get("session"), calls.get("second"));
    let session = first.as_ref().and_then(|node| call::session(node, cx, Kind::Session));
    let second = next.as_ref().and_then(|node| call::session(node, cx, Kind::Second));
    if let Some(next) = &next {
        call::check_steps(next, first.as_ref(), (session.as_ref().map(|read| &read.call), second.as_ref().map(|read| &read.call)));
    }
    let verify = calls.get("verify").and_then(|node| call::verify(&node, cx));
    let token = calls.get("token").and_then(|node| call::token(&node, cx, auth));
    calls.finish();
    Calls { session, second, verify, token }
}

/// What no single section can know.
fn check_whole(root: &Table<'_>, cx: &Context<'_>, simulator_only: bool, has_session: bool) {
    if !simulator_only && !root.has("hosts") {
        root.wrong("there is no `[hosts]`: say where the payment service lives, or `simulator_only = true`");
    }
    if has_session && !root.has("simulator") {
        root.wrong("there is no `[simulator]`: a file that creates sessions says how they are played offline");
    }
    if let Some(simulator) = root.get("simulator").filter(|_| !has_session) {
        simulator.wrong_key("there is no `[call.session]`, so there is nothing to play: leave `[simulator]` out");
    }
    let known = |key: &str| cx.fields.iter().any(|field| field.key == key);
    for field in cx.fields.iter().filter(|field| field.renamed_from.as_deref().is_some_and(known)) {
        let former = field.renamed_from.as_deref().unwrap_or_default();
        root.wrong(format!("the field `{}` was renamed from `{former}`, which is a field too", field.key));
    }
}

fn check_second(root: &Table<'_>, has_second: bool) {
    let step = root.get("simulator").and_then(|node| node.as_table()?.get("second"));
    if let Some(step) = step.filter(|_| !has_second) {
        step.wrong_key("there is no `[call.second]`, so there is no second step to play: leave `[simulator.second]` out");
    }
}

fn checked(root: &Table<'_>) -> String {
    const KINDS: [&str; 8] = ["docs", "openapi", "schema", "sdk", "clients", "memory", "sandbox", "live"];
    let Some(node) = root.require("checked") else { return String::new() };
    let Some(text) = node.text() else { return String::new() };
    let is_month = |month: &str| {
        let (year, month) = month.split_once('-').unwrap_or_default();
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        year.len() == 4 && month.len() == 2 && digits(year) && digits(month) && ("01"..="12").contains(&month)
    };
    let good = text.split_once(' ').is_some_and(|(kind, month)| KINDS.contains(&kind) && is_month(month));
    if !good {
        let kinds = KINDS.join(", ");
        node.wrong(format!("`checked` must be what was checked and in which month, such as `docs 2026-11`; kinds: {kinds}"));
    }
    text.to_owned()
}

fn is_provider_id(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    id.len() <= 40 && id.bytes().all(allowed) && id.starts_with(|c: char| c.is_ascii_lowercase()) && !id.ends_with('-')
}
