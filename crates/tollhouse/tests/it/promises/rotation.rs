//! New root keys and data keys under load.
