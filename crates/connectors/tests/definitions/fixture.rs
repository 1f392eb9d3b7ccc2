//! `definitions/fixtures/<id>.toml`: answers that a payment service has given or documents, for its snapshot.
//!
//! ```toml
//! [values]                  # stored fields, where the made-up ones do not do
//! shop = "shop-1"
//! [[answer]]
//! name = "created"
//! status = 201
//! call = "second"           # or `verify`; without it the session call
//! headers = { x-request-id = "req-1" }
//! body = '''{"id":"1"}'''
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use connectors::outbound::Answer;
use http::{HeaderMap, HeaderName};
use toml::{Table, Value};

/// What stands beside a definition.
#[derive(Debug, Default)]
pub(crate) struct Fixture {
    /// Stored fields by key.
    pub(crate) values: BTreeMap<String, String>,
    /// In the order of the file.
    pub(crate) answers: Vec<Played>,
}

/// One answer of a payment service.
pub(crate) struct Played {
    pub(crate) name: String,
    /// `session`, `second` or `verify`.
    pub(crate) call: String,
    pub(crate) answer: Answer,
}

impl std::fmt::Debug for Played {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.name, self.call)
    }
}

/// The fixture of a file that is there; `None` where there is none.
pub(crate) fn read(path: &Path) -> Option<Fixture> {
    let text = std::fs::read_to_string(path).ok()?;
    let table: Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(fixture(&table, &path.display().to_string()))
}

fn fixture(table: &Table, file: &str) -> Fixture {
    closed(table, &["values", "answer"], file);
    let values = table.get("values").map(|values| values.as_table().unwrap_or_else(|| panic!("{file}: `values` is a table")));
    let values = values.into_iter().flatten().map(|(key, value)| (key.clone(), text(value, &format!("{file}: values.{key}"))));
    let answers = table.get("answer").map(|answers| answers.as_array().unwrap_or_else(|| panic!("{file}: write `[[answer]]`")));
    let answers: Vec<Played> = answers.into_iter().flatten().map(|answer| played(answer.as_table().unwrap(), file)).collect();
    let mut names = std::collections::BTreeSet::new();
    for answer in &answers {
        assert!(names.insert(&answer.name), "{file}: two answers are called `{}`", answer.name);
    }
    Fixture { values: values.collect(), answers }
}

fn played(table: &Table, file: &str) -> Played {
    closed(table, &["name", "call", "status", "headers", "body"], file);
    let name = text(table.get("name").unwrap_or_else(|| panic!("{file}: an answer has no `name`")), file);
    let place = format!("{file}: answer `{name}`");
    let call = table.get("call").map_or_else(|| "session".to_owned(), |call| text(call, &place));
    assert!(["session", "second", "verify"].contains(&call.as_str()), "{place}: `{call}` is no call: session, second or verify");
    let status = table.get("status").and_then(Value::as_integer).and_then(|status| u16::try_from(status).ok());
    let mut headers = HeaderMap::new();
    for (header, value) in table.get("headers").and_then(Value::as_table).into_iter().flatten() {
        let header: HeaderName = header.parse().unwrap_or_else(|_| panic!("{place}: `{header}` is no header"));
        headers.append(header, text(value, &place).parse().unwrap());
    }
    let body = table.get("body").map(|body| text(body, &place)).unwrap_or_default();
    let answer = Answer { status: status.unwrap_or_else(|| panic!("{place} has no `status`")), headers, body: Ok(Bytes::from(body)) };
    Played { name, call, answer }
}

fn closed(table: &Table, known: &[&str], place: &str) {
    for key in table.keys() {
        assert!(known.contains(&key.as_str()), "{place}: `{key}` is no key here; allowed: {}", known.join(", "));
    }
}

fn text(value: &Value, place: &str) -> String {
    value.as_str().unwrap_or_else(|| panic!("{place}: must be text, not {value}")).to_owned()
}
