//! Whether the process lives and may have traffic.

use serde::Serialize;

/// The answer of `/healthz` and `/readyz`.
#[derive(Serialize)]
pub(crate) struct WireHealth {
    pub(crate) status: &'static str,
    pub(crate) reasons: Vec<String>,
}
