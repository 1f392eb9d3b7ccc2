//! Why a command did not do what it was asked, and the exit code of that.

use std::io;
use std::process::ExitCode;

use tollhouse_client::{BuildError, Error};

use super::output::say;
use super::table::plain;

/// The exit code of a call that the API refused or that got no answer, and of a failed session.
const REFUSED: u8 = 1;
/// The exit code of a command line that can not be carried out.
const USAGE: u8 = 2;

/// What ends a command early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line, or something that it names, is wrong. Nothing was sent.
    Usage(String),
    /// The call failed.
    Call(Error),
    /// The answer could not be written out.
    Output(io::Error),
}

// === impl Failure ===

impl Failure {
    /// Says what happened, and gives the exit code.
    pub(crate) fn report(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Usage(reason) => {
                say(&format!("error: {reason}"))?;
                Ok(ExitCode::from(USAGE))
            }
            Self::Call(error) => {
                for line in explain(&error) {
                    say(&line)?;
                }
                Ok(ExitCode::from(REFUSED))
            }
            // Whoever read our output has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            Self::Output(error) => Err(error.into()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidId(_) => Self::Usage(error.to_string()),
            _ => Self::Call(error),
        }
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::Usage(chain(&error))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// The exit code of a session that ended, well or not.
pub(crate) fn code_of_session(succeeded: Outcome) -> ExitCode {
    match succeeded {
        Outcome::Succeeded => ExitCode::SUCCESS,
        Outcome::Failed => ExitCode::from(REFUSED),
    }
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The payment service created what was asked for.
    Succeeded,
    /// It did not.
    Failed,
}

/// The lines that tell a person what went wrong. Text of the server is made plain: it may hold what moves a terminal's cursor.
pub(crate) fn explain(error: &Error) -> Vec<String> {
    let Some(api) = error.api() else { return vec![format!("error: {}", plain(&chain(error)))] };
    let mut lines = vec![format!("error: {} (HTTP {}, {})", plain(&api.message), api.status, plain(api.code.as_str()))];
    for detail in &api.details {
        let pointer = if detail.pointer.is_empty() { String::new() } else { format!(" {}", plain(&detail.pointer)) };
        lines.push(format!("  {}{pointer}: {} ({})", plain(detail.location.as_str()), plain(&detail.message), plain(&detail.r#type)));
    }
    if let Some(id) = &api.resource_id {
        lines.push(format!("  the existing record is {}", plain(id)));
    }
    if let Some(id) = &api.request_id {
        lines.push(format!("  request id {}", plain(id)));
    }
    lines
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        // Some libraries repeat the cause in their own message.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        next = error.source();
    }
    text
}
