//! `[methods]`: what a buyer can pay with, one definition each.

use domain::definition::Flow;
use domain::{CountryCode, CurrencyCode, DefinitionId};

use super::reader::{Node, shown};
use crate::model::Method;

/// Most methods of one file: the API itself knows about 120.
const METHODS_MAX: usize = 150;

pub(super) fn read(node: &Node<'_>, provider: &str) -> Vec<Method> {
    let Some(table) = node.table() else { return Vec::new() };
    let entries = table.entries();
    if entries.is_empty() || entries.len() > METHODS_MAX {
        table.wrong(format!("`methods` must have 1 to {METHODS_MAX} methods"));
    }
    let mut methods: Vec<Method> = Vec::new();
    for entry in entries.iter().take(METHODS_MAX) {
        let Some(method) = method(entry, provider) else { continue };
        if methods.iter().any(|earlier| earlier.definition_id == method.definition_id) {
            entry.wrong_key(format!("there are two definitions with the id `{}`", method.definition_id));
        }
        methods.push(method);
    }
    methods
}

fn method(entry: &Node<'_>, provider: &str) -> Option<Method> {
    let key = entry.key();
    if ["by", "else"].contains(&key) {
        entry.wrong_key(format!("`{key}` can not be a method: it is a word of the format"));
    }
    let table = entry.table()?;
    let name = table.require("name").and_then(|node| node.line(200)).unwrap_or_default().to_owned();
    let code = table.get("code").and_then(|node| node.line(100)).map(str::to_owned);
    let id = table.get("id");
    let id_text = id.as_ref().and_then(Node::text).map_or_else(|| format!("{provider}-{key}"), str::to_owned);
    let definition_id = DefinitionId::parse(&id_text);
    if definition_id.is_none() {
        let at = id.as_ref().map_or(entry.key_at(), Node::at);
        let message = format!("`{}` is no id of a definition: 1 to 50 lower-case letters, digits, dashes and underscores", shown(&id_text));
        entry.report().add(at, message);
    }
    let method = api_method(entry, table.get("method"));
    let flow = table.get("flow").and_then(|node| {
        let words: Vec<&str> = Flow::ALL.iter().map(|flow| flow.as_str()).collect();
        node.word(&words).and_then(Flow::parse)
    });
    let flow = flow.unwrap_or(if method == "card" { Flow::Card } else { Flow::Redirect });
    let currencies = codes(table.get("currencies"), CurrencyCode::parse, "an active ISO 4217 code, such as EUR");
    let countries = codes(table.get("countries"), CountryCode::parse, "an ISO 3166-1 alpha-2 code, such as NL");
    let sessions = table.get("sessions").and_then(|node| node.flag()).unwrap_or(true);
    table.finish();
    Some(Method {
        key: key.to_owned(),
        definition_id: definition_id?,
        name,
        code,
        method,
        flow,
        currencies: currencies.unwrap_or_else(CurrencyCode::all),
        countries: countries.unwrap_or_else(CountryCode::all),
        sessions,
    })
}

fn api_method(entry: &Node<'_>, said: Option<Node<'_>>) -> String {
    let (word, at) = match said {
        Some(node) => (node.text().unwrap_or(entry.key()), node.at()),
        None => (entry.key(), entry.key_at()),
    };
    if !domain::method::is_method(word) {
        let message = format!("`{}` is no payment method of the API: say which one it is with `method = \"…\"`", shown(word));
        entry.report().add_name(at, message, word, domain::method::methods());
    }
    word.to_owned()
}

fn codes<T>(node: Option<Node<'_>>, parse: impl Fn(&str) -> Option<T>, expected: &str) -> Option<Vec<T>> {
    let items = node?.list()?;
    let mut codes = Vec::new();
    for item in &items {
        let Some(text) = item.text() else { continue };
        match parse(text) {
            Some(code) => codes.push(code),
            None => item.wrong(format!("`{}` is not {expected}", shown(text))),
        }
    }
    Some(codes)
}
