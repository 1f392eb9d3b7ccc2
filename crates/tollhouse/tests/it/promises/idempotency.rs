//! The same request twice: one session.
