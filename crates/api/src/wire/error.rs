//! The error object.

use domain::Problem;
use serde::Serialize;

/// `{"type":"error",…}`. `details` is always an array and its entries have no nulls: clients refuse either.
#[derive(Serialize)]
pub(crate) struct WireError<'a> {
    pub(crate) r#type: &'static str,
    pub(crate) code: &'static str,
    pub(crate) status: u16,
    pub(crate) message: &'a str,
    pub(crate) details: Vec<WireProblem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource_id: Option<&'a Option<String>>,
}

/// One entry of `details`.
#[derive(Serialize)]
pub(crate) struct WireProblem<'a> {
    location: &'static str,
    pointer: &'a str,
    message: &'a str,
    r#type: &'static str,
}

impl<'a> WireProblem<'a> {
    /// The wire form of a problem.
    pub(crate) fn of(problem: &'a Problem) -> Self {
        Self { location: problem.location.as_str(), pointer: &problem.pointer, message: &problem.message, r#type: problem.kind }
    }
}
