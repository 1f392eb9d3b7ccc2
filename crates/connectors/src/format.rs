//! Definition files: TOML to [`Provider`], strictly, with every mistake named at once by line and column.

mod answer;
mod auth;
mod call;
mod call_body;
mod choice;
mod fields;
mod hosts;
mod json_text;
mod methods;
pub(crate) mod nearest;
mod places;
mod provider;
mod reader;
mod report;
mod sign;
mod sign_scheme;
mod simulator;
mod success;
mod template;
mod tls;

use std::fmt;
use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use toml::de::DeTable;

use crate::model::Provider;
use reader::Table;
use report::Report;

/// Largest definition file: several times the longest shipped one. Six bytes of TOML can become a table of more than a KiB, and no file may take more than 8 MiB.
pub const FILE_BYTES_MAX: usize = 32 * 1024;

/// One mistake in a definition file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as the caller named it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong and what is allowed.
    pub message: String,
    /// The nearest name that would be right.
    pub suggestion: Option<String>,
}

impl Diagnostic {
    /// A mistake that has no place in the file.
    pub(crate) fn whole_file(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 1, column: 1, message: message.into(), suggestion: None }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        match &self.suggestion {
            Some(name) => write!(f, "; did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

/// Reads one definition file. All mistakes come back together, in the order of the file.
pub fn parse(text: &str, file_name: &str) -> Result<Provider, Vec<Diagnostic>> {
    if text.len() > FILE_BYTES_MAX {
        let message = format!("the file has more than {FILE_BYTES_MAX} bytes; no definition is longer");
        return Err(vec![Diagnostic::whole_file(file_name, message)]);
    }
    let report = Report::new(file_name, text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in &errors {
            report.add(error.span().map_or(0, |span| span.start), error.message());
        }
        return Err(report.into_diagnostics());
    }
    let provider = provider::read(Table::root(&report, root.get_ref()), &report, hash(text));
    let diagnostics = report.into_diagnostics();
    match provider {
        Some(provider) if diagnostics.is_empty() => Ok(provider),
        Some(_) | None => Err(diagnostics),
    }
}

/// First 8 hexadecimal characters of the text's SHA-256: they tell which version of a file a record was made with.
fn hash(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().iter().take(4).fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes everything");
        hex
    })
}

#[cfg(test)]
mod tests;
