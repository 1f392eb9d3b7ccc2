//! Roles.

pub(crate) mod list;
