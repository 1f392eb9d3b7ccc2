//! Tokens that must not pass.
