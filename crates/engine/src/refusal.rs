//! What the engine answers when it does not do what it was asked. How that looks on the wire is the API's business.

use std::error::Error;
use std::fmt;

use domain::Problem;
use store::StoreError;

use crate::definitions::foreign_cursor;

/// Why an operation was not done.
#[derive(Debug)]
pub enum Refusal {
    /// There is no such thing, or the caller may not see it.
    NotFound,
    /// The caller may not do this.
    Forbidden,
    /// The input is wrong; every problem is named.
    Invalid(Vec<Problem>),
    /// There is one already.
    Duplicate {
        /// The member that must be unique.
        field: &'static str,
        /// The id of the one there is, where the caller may know it.
        resource_id: Option<String>,
    },
    /// The same request, by its idempotency key, is being carried out.
    Concurrent,
    /// The database can not be used. Nothing was done, or what was done could not be recorded; it has been logged.
    Unavailable,
    /// A payment service did not answer where its answer is the result.
    BadGateway,
    /// We failed. To be logged by whoever answers.
    Internal(Fault),
}

/// What failed, for the log. Never holds a value that is secret.
#[derive(Debug)]
pub struct Fault {
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

// === impl Refusal ===

impl Refusal {
    /// A single problem.
    pub(crate) fn invalid(problem: Problem) -> Self {
        Self::Invalid(vec![problem])
    }

    /// A failure of ours without a cause below it.
    pub(crate) fn internal(what: impl Into<String>) -> Self {
        Self::Internal(Fault { what: what.into(), source: None })
    }

    /// A failure of ours and its cause.
    pub(crate) fn failed(what: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Internal(Fault { what: what.into(), source: Some(Box::new(source)) })
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } => {
                tracing::error!(%error, "The database is not available.");
                Self::Unavailable
            }
            StoreError::ForeignCursor => Self::invalid(foreign_cursor()),
            StoreError::Refused { .. } | StoreError::Unexpected { .. } | StoreError::Corrupt { .. } => {
                Self::failed("the database did not do what it should", error)
            }
        }
    }
}

// === impl Fault ===

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source: &(dyn Error + 'static) = self.source.as_deref()?;
        Some(source)
    }
}
