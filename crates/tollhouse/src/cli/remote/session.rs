//! One session, shown. On a terminal, where somebody may look over a shoulder or a recording runs, private members of the answer are covered.

use std::ops::Range;

use connectors::answer::private_pointers;
use connectors::catalogue::Catalogue;
use domain::json::{Pointer, resolve};
use domain::session::SessionStatus;
use tollhouse_client::{Answer, PaymentServiceSession, Request};

use super::failure::{Failure, Outcome};
use super::output::{Format, print, print_answer, say};
use super::pretty::indent;
use super::table::{of_members, or_empty};

/// What stands in for a private value.
const COVER: &str = "\"[private]\"";

/// Which members of an answer are private.
#[derive(Debug, PartialEq)]
pub(crate) enum Private {
    /// These.
    Members(Vec<Pointer>),
    /// Nobody here knows: the definition is not a shipped one.
    Unknown,
}

/// How a session may be sent again.
#[derive(Debug, clap::Args)]
pub(crate) struct Repeat {
    /// Name the request: sent again under this key within 24 hours, the same session is created once
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

// === impl Repeat ===

impl Repeat {
    /// The request with the name it was given.
    pub(crate) fn name(&self, request: Request) -> Request {
        match &self.idempotency_key {
            Some(key) => request.idempotency_key(key),
            None => request,
        }
    }
}

// === impl Private ===

impl Private {
    /// What the shipped definition of this id says about a session that ended so.
    pub(crate) fn of_definition(id: &str, succeeded: bool) -> Self {
        let Ok((catalogue, _)) = Catalogue::load(&[], true) else { return Self::Unknown };
        let status = if succeeded { SessionStatus::Succeeded } else { SessionStatus::Failed };
        match catalogue.get(id).filter(|connector| connector.provider.session.is_some()) {
            Some(connector) => Self::Members(private_pointers(&connector.provider, status)),
            None => Self::Unknown,
        }
    }
}

/// Writes a session out. What is private depends on whether it succeeded.
pub(crate) fn show(answer: &Answer, format: Format, private: impl FnOnce(bool) -> Private) -> Result<Outcome, Failure> {
    let session: PaymentServiceSession = answer.json()?;
    match format {
        Format::Json => print_answer(answer)?,
        Format::Table => {
            print(&of_members([
                ("status", or_empty(session.status.as_ref())),
                ("code", or_empty(session.code.as_ref())),
                ("status_code", or_empty(session.status_code)),
            ]))?;
            if let Some(body) = &session.response_body {
                let covered = cover(body.get(), &private(session.is_succeeded()));
                print(&indent(&covered.json))?;
                if let Some(words) = covered.words {
                    say(&words)?;
                }
            }
        }
    }
    Ok(if session.is_succeeded() { Outcome::Succeeded } else { Outcome::Failed })
}

/// An answer that may be looked at.
#[derive(Debug, PartialEq)]
pub(crate) struct Covered {
    pub(crate) json: String,
    pub(crate) words: Option<String>,
}

/// Covers the private members of a JSON object.
pub(crate) fn cover(json: &str, private: &Private) -> Covered {
    match private {
        Private::Unknown => Covered {
            json: COVER.to_owned(),
            words: Some(
                "The definition is not one of the shipped ones, so nobody here knows what in its answer is private. --json shows all."
                    .to_owned(),
            ),
        },
        Private::Members(pointers) => {
            let found: Vec<(&Pointer, Range<usize>)> =
                pointers.iter().filter_map(|pointer| resolve(json.as_bytes(), pointer).map(|range| (pointer, range))).collect();
            let name = |pointer: &Pointer| if pointer.tokens().is_empty() { "the whole answer".to_owned() } else { pointer.to_string() };
            let names: Vec<String> = found.iter().map(|(pointer, _)| name(pointer)).collect();
            let words = (!names.is_empty()).then(|| format!("Private: {}. --json shows all.", names.join(", ")));
            Covered { json: replace(json, found.into_iter().map(|(_, range)| range).collect()), words }
        }
    }
}

/// Puts the cover over each range. Ranges may lie inside one another; then the outer one counts.
fn replace(json: &str, mut ranges: Vec<Range<usize>>) -> String {
    ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    let mut out = String::with_capacity(json.len());
    let mut at = 0;
    for range in ranges {
        if range.start < at {
            continue;
        }
        out.push_str(json.get(at..range.start).unwrap_or_default());
        out.push_str(COVER);
        at = range.end;
    }
    out.push_str(json.get(at..).unwrap_or_default());
    out
}
