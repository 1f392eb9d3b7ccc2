//! Definitions: what can be configured.

pub(crate) mod create_session;
pub(crate) mod get;
pub(crate) mod list;
