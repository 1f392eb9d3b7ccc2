//! Session records, our own extension.

pub(crate) mod get;
pub(crate) mod list;
