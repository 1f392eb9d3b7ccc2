//! `definitions from-curl`: a curl command of a service's documentation becomes a definition file.
//!
//! Pure from text to text. The credentials of the command become fields; their values are looked for in everything that is written, and a file that would hold one is not made.

use std::fmt;

use connectors::format;
use domain::card_number::contains_card_number;

mod address;
mod answer;
mod body;
mod command;
mod draft;
mod file;
mod names;
mod places;
mod played;
mod proof;
mod tree;
mod words;

use draft::Draft;
pub(super) use file::{Options, run};

/// Which of the two texts a mistake is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Command,
    Answer,
}

/// A place in a text, line and column from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

/// What can not become a definition, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mistake {
    input: Input,
    at: Place,
    message: String,
}

/// A definition file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Made {
    /// The service's id.
    id: String,
    /// The file.
    text: String,
    /// For whoever has pasted the command.
    notes: Vec<String>,
}

impl Place {
    const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Makes a file of a command and the answer that the documentation shows. `month` is the current one, `2026-11`.
fn make(command: &str, answer: Option<&str>, id: Option<&str>, month: &str) -> Result<Made, Mistake> {
    let curl = command::read(command)?;
    let answer = answer.map(answer::read).transpose()?;
    let wrong = |message: &str| Mistake {
        input: Input::Command,
        at: curl.body.as_ref().map_or(curl.url.at, |body| body.at),
        message: message.to_owned(),
    };
    let mut proof = proof::of(&curl);
    let address = address::read(&curl.url, &mut proof)?;
    let (encoding, mut request) = body::of(&curl)?;
    proof.take_from(&mut request);
    if let Some((pointer, _)) =
        request.scalars().into_iter().find(|(_, value)| value.text().is_some_and(|text| contains_card_number(&text)))
    {
        return Err(wrong(&format!(
            "`{pointer}` of the body holds a card number: card data must not pass through a session, take a call without it"
        )));
    }
    if request.scalars().into_iter().any(|(_, value)| value.text().is_some_and(|text| proof.is_in(&text))) {
        return Err(wrong(
            "a member of the body repeats one of the credentials: give the member a name that says so, such as `api_key`, or another value",
        ));
    }
    let id = id.map_or_else(|| address.id.clone(), str::to_owned);
    let draft =
        Draft { id: &id, month, curl: &curl, address: &address, proof: &proof, encoding, request: &request, answer: answer.as_ref() };
    let text = draft.text();
    if proof.is_in(&text) {
        return Err(wrong(
            "one of the credentials stands in another place of the command too; write a placeholder such as $API_KEY for it there",
        ));
    }
    let notes = curl.notes.iter().chain(&proof.left_out).cloned().collect();
    Ok(Made { id, text, notes })
}

/// What is wrong with the file that was made: nothing, unless the command holds what nobody has thought of.
fn faults(made: &Made, file: &str) -> Vec<format::Diagnostic> {
    format::parse(&made.text, file).err().unwrap_or_default()
}

#[cfg(test)]
mod tests;
