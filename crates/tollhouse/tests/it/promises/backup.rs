//! Copies of the whole, made while it runs.
