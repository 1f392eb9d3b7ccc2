//! Puts a definition file together from what was found.

use std::fmt::Write as _;

use domain::json::Pointer;

use super::address::{self, Address};
use super::answer::Answer;
use super::body::Encoding;
use super::command::Curl;
use super::names::plain;
use super::places::{self, Places};
use super::played;
use super::proof::{Authorization, Field, Proof};
use super::tree::Tree;

/// Where comments behind a line begin, as far as the line allows.
const COMMENT_COLUMN: usize = 42;

/// Everything that the file is made of.
pub(super) struct Draft<'a> {
    pub(super) id: &'a str,
    /// `2026-11`.
    pub(super) month: &'a str,
    pub(super) curl: &'a Curl,
    pub(super) address: &'a Address,
    pub(super) proof: &'a Proof,
    pub(super) encoding: Encoding,
    /// The caller's body: without what the file adds.
    pub(super) request: &'a Tree,
    pub(super) answer: Option<&'a Answer>,
}

/// Lines of the file.
#[derive(Default)]
struct Page(String);

// === impl Draft ===

impl Draft<'_> {
    /// The file's text.
    pub(super) fn text(&self) -> String {
        let mut page = Page::default();
        self.head(&mut page);
        self.methods(&mut page);
        self.fields(&mut page);
        self.hosts(&mut page);
        self.auth(&mut page);
        let places = places::of_request(self.request);
        self.session(&mut page, &places);
        self.simulator(&mut page, &places);
        page.0
    }

    fn head(&self, page: &mut Page) {
        page.line("# Made from a curl command by `tollhouse definitions from-curl`. What stands behind CHECK was guessed: look at it, and");
        page.line("# run `tollhouse definitions test` on this file. The format is explained in docs/definition-format.md.");
        for left_out in &self.proof.left_out {
            page.line(&format!("# CHECK: {left_out}. It was left out."));
        }
        page.line("");
        page.line("format = 1");
        page.line(&format!("id = {}", quoted(self.id)));
        page.with_comment(&format!("name = {}", quoted(&address::name_of(self.id))), "CHECK: its name for people");
        page.with_comment(
            &format!("checked = {}", quoted(&format!("docs {}", self.month))),
            "read in its documentation only; \"sandbox YYYY-MM\" once it has answered",
        );
        page.line("# docs = \"https://…\"                     CHECK: where the service documents this call");
    }

    fn methods(&self, page: &mut Page) {
        page.line("\n[methods]");
        let (key, code) = self.method();
        let code = code.map(|code| format!(", code = {}", quoted(&code))).unwrap_or_default();
        page.with_comment(
            &format!("{} = {{ name = {}{code} }}", bare(&key), quoted(&address::name_of(&key))),
            "CHECK: one line for each payment method",
        );
    }

    /// The method that the body names, with the service's own word for it.
    fn method(&self) -> (String, Option<String>) {
        const NAMES: [&str; 6] = ["method", "paymentmethod", "paymentmethodtype", "paymentmethodtypes", "paymenttype", "methods"];
        let named = self.request.scalars().into_iter().find_map(|(pointer, value)| {
            let mut names = pointer.tokens().iter().rev().filter(|token| !token.bytes().all(|b| b.is_ascii_digit()));
            let text = value.text()?;
            let method = text.to_ascii_lowercase();
            (NAMES.contains(&plain(names.next()?).as_str()) && domain::method::is_method(&method)).then_some((method, text))
        });
        named.map_or_else(|| ("card".to_owned(), None), |(method, code)| (method, Some(code)))
    }

    fn fields(&self, page: &mut Page) {
        if self.proof.fields.is_empty() {
            page.line("\n# CHECK: the command shows no credential. What a merchant enters stands in `[fields]`.");
            return;
        }
        page.line("\n# What a merchant enters. CHECK: labels, which ones are secret, and where a merchant finds them (`find = \"Dashboard, …\"`).");
        page.line("[fields]");
        for Field { key, label, secret, prefix } in &self.proof.fields {
            let secret = if *secret { ", secret = true" } else { "" };
            let prefix = prefix
                .as_ref()
                .map(|(sandbox, live)| format!(", prefix.sandbox = [{}], prefix.live = [{}]", quoted(sandbox), quoted(live)));
            page.line(&format!("{key} = {{ label = {}{secret}{} }}", quoted(label), prefix.unwrap_or_default()));
        }
    }

    fn hosts(&self, page: &mut Page) {
        let base = quoted(&self.address.base);
        page.line("\n[hosts]");
        page.with_comment(&format!("sandbox = {base}"), "CHECK: the host of the command stands in both lines,");
        page.with_comment(&format!("live = {base}"), "and one of the environments has another");
    }

    fn auth(&self, page: &mut Page) {
        if self.proof.authorization == Authorization::None && self.proof.auth_headers.is_empty() {
            return;
        }
        page.line("\n[auth]");
        match &self.proof.authorization {
            Authorization::None => {}
            Authorization::Basic(user, password) => {
                page.line(&format!("basic = {{ user = {}, password = {} }}", quoted(user), quoted(password)));
            }
            Authorization::Bearer(token) => {
                page.with_comment(&format!("bearer = {}", quoted(token)), "CHECK: a token that is fetched first needs `[call.token]`");
            }
        }
        for (name, template) in &self.proof.auth_headers {
            page.line(&format!("headers.{} = {}", bare(name), quoted(template)));
        }
    }

    fn session(&self, page: &mut Page, places: &Places) {
        page.line("\n[call.session]");
        page.line(&format!("request = {}", quoted(&format!("{} {}", self.curl.method, self.address.path))));
        match self.answer.and_then(|answer| answer.status) {
            Some(status) => page.line(&format!("success = [{status}]")),
            None => page.with_comment("success = [200, 201]", "CHECK: the status that the service documents"),
        }
        for (name, value) in &self.proof.headers {
            let comment = if value.contains("{{") { "another one for each session" } else { "as in the command" };
            page.with_comment(&format!("headers.{} = {}", bare(name), quoted(value)), comment);
        }
        if let Some(place) = &self.proof.idempotency {
            page.with_comment(&format!("idempotency = {{ {place}, hours = 24 }}"), "CHECK: for how many hours the service remembers it");
        }
        page.with_comment("error_code = \"answer /error/code\"", "CHECK: where the service says why it refuses");
        let private = self.answer.map(|answer| played::private(&answer.body)).unwrap_or_default();
        if !private.is_empty() {
            let pointers: Vec<String> = private.iter().map(|pointer| quoted(&pointer.to_string())).collect();
            page.with_comment(&format!("private = [{}]", pointers.join(", ")), "reach the caller, are never kept or shown");
        }
        self.body(page);
        self.record(page, places);
        page.line("\n# CHECK: a call that changes nothing proves credentials when they are entered.");
        page.line("# [call.verify]\n# request = \"GET /…\"\n# success = [200]");
    }

    fn body(&self, page: &mut Page) {
        let encoding = match self.encoding {
            Encoding::Json => None,
            Encoding::Form => Some("form"),
            Encoding::FormBrackets => Some("form-brackets"),
        };
        if encoding.is_none() && self.proof.set.is_empty() {
            return;
        }
        page.line("\n[call.session.body]");
        if let Some(encoding) = encoding {
            page.line(&format!("encoding = {}", quoted(encoding)));
        }
        for (pointer, template) in &self.proof.set {
            page.line(&format!("set.{} = {}", quoted(&pointer.to_string()), quoted(template)));
        }
    }

    fn record(&self, page: &mut Page, places: &Places) {
        let id = match self.answer {
            Some(answer) => places::id_of_answer(&answer.body).map(|pointer| format!("answer {pointer}")),
            None => Some("answer /id".to_owned()),
        };
        let support = self.answer.and_then(|answer| places::support_header(&answer.headers)).map(|name| format!("answer header {name}"));
        let request = |pointer: &Option<Pointer>| pointer.as_ref().map(|pointer| format!("request {pointer}"));
        page.line("\n# All that is kept of the two bodies. CHECK: the places were guessed by their names.");
        page.line("[call.session.record]");
        if let Some(amount) = request(&places.amount) {
            if places.major {
                page.line(&format!("amount = {{ at = {}, unit = \"major\" }}", quoted(&amount)));
            } else {
                page.with_comment(&format!("amount = {}", quoted(&amount)), "CHECK: minor units, cents");
            }
        }
        let rest = [
            ("currency", request(&places.currency)),
            ("country", request(&places.country)),
            ("reference", request(&places.reference)),
            ("service_id", id),
            ("support_id", support),
        ];
        for (key, place) in rest {
            if let Some(place) = place {
                page.line(&format!("{key} = {}", quoted(&place)));
            }
        }
    }

    fn simulator(&self, page: &mut Page, places: &Places) {
        let (method, _) = self.method();
        page.line("\n# How it is played offline.");
        page.line("[simulator]");
        page.line(&format!("first_run = {}", quoted(&method)));
        let required = self.required(places);
        if !required.is_empty() {
            let required: Vec<String> = required.iter().map(|pointer| quoted(&pointer.to_string())).collect();
            page.with_comment(&format!("requires = [{}]", required.join(", ")), "CHECK: what the service insists on");
        }
        page.json("example", &self.request.written());
        match self.answer {
            Some(answer) => {
                let mut body = answer.body.clone();
                played::answer(&mut body, self.request, places, self.proof);
                page.json("answer", &body.written());
            }
            None => {
                page.line("# CHECK: invented, since no answer was given; paste the documented one here.");
                page.json("answer", r#"{"id":"{{ sim.uuid }}"}"#);
            }
        }
        page.line("# CHECK: both refusals are invented; the service documents its own.");
        page.json("refuse.400", r#"{"error":{"code":"invalid_request","message":"{{ sim.missing }} is missing"}}"#);
        page.json("refuse.401", r#"{"error":{"code":"unauthorized","message":"the credentials are not valid"}}"#);
    }

    /// What a simulator can insist on: amount and currency, and the plain members on the outside.
    fn required(&self, places: &Places) -> Vec<Pointer> {
        let outside = self.request.scalars().into_iter().filter(|(pointer, value)| pointer.tokens().len() == 1 && value.text().is_some());
        let mut required: Vec<Pointer> = outside.map(|(pointer, _)| pointer).collect();
        for place in [&places.currency, &places.amount].into_iter().flatten() {
            if !required.contains(place) {
                required.insert(0, place.clone());
            }
        }
        required
    }
}

// === impl Page ===

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn with_comment(&mut self, text: &str, comment: &str) {
        let width = COMMENT_COLUMN.max(text.chars().count() + 2);
        writeln!(self.0, "{text:width$}# {comment}").expect("a string takes everything");
    }

    fn json(&mut self, key: &str, json: &str) {
        self.line(&format!("{key} = '''\n{json}'''"));
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => write!(quoted, "\\u{:04x}", u32::from(c)).expect("a string takes everything"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A key of TOML, quoted where it must be.
fn bare(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if is_bare { key.to_owned() } else { quoted(key) }
}
