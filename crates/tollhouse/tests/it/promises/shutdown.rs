//! Stopping without losing what was accepted.
