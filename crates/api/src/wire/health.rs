//! Whether the process lives and may have traffic.

use std::collections::BTreeMap;

use serde::Serialize;

/// The answer of `/healthz` and `/readyz`.
#[derive(Serialize)]
pub(crate) struct WireHealth {
    pub(crate) status: &'static str,
    pub(crate) reasons: Vec<String>,
    /// For machines of the house alone: what decides whether an acknowledged write survives the loss of power.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) durability: BTreeMap<&'static str, String>,
}
