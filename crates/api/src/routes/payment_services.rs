//! Payment services: what is configured.

pub(crate) mod create;
pub(crate) mod create_session;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod update;
pub(crate) mod verify;

mod fields;
mod merchant_profile;

/// Positions stay exact in a client that reads numbers as floats.
const POSITION_MAX: i64 = (1 << 53) - 1;
