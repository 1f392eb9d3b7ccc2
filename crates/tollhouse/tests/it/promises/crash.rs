//! Killed at any moment: what was acknowledged is there.
