//! Exit codes: what a script can tell from the end of a command.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use engine::vault::{RootKeyError, UnwrapError};
use store::OpenError;

use crate::config::ConfigError;

/// Explained at the end of `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done; a session succeeded
  1  failed or refused, or a session failed: the message says why
  2  the command line, the configuration or a key file is wrong; nothing was done
  3  the database can not be reached; trying again may help";

/// What it was asked to do could not be done.
pub(crate) const FAILED: u8 = 1;
/// The command line or the configuration is wrong. The same code as the argument parser's own.
const USAGE: u8 = 2;
/// The database does not answer.
const UNREACHABLE: u8 = 3;

/// The command line, a variable or a file that it names is wrong.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for UsageError {}

/// The code of an error.
pub(crate) fn code_of(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(error.chain().find_map(code_of_cause).unwrap_or(FAILED))
}

fn code_of_cause(cause: &(dyn Error + 'static)) -> Option<u8> {
    if cause.is::<UsageError>() || cause.is::<ConfigError>() || cause.is::<RootKeyError>() || cause.is::<UnwrapError>() {
        return Some(USAGE);
    }
    match cause.downcast_ref::<OpenError>()? {
        OpenError::Url(_) | OpenError::File { .. } => Some(USAGE),
        OpenError::Connect(_) => Some(UNREACHABLE),
        _ => Some(FAILED),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_code_is_that_of_the_cause_whatever_was_said_around_it() {
        let error = Err::<(), _>(UsageError("x".into())).context("while").unwrap_err();
        assert_eq!(code_of(&error), ExitCode::from(USAGE));
        assert_eq!(code_of(&anyhow::anyhow!("no")), ExitCode::from(FAILED));
        assert_eq!(code_of(&OpenError::Url("x").into()), ExitCode::from(USAGE));
    }
}
