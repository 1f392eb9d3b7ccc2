//! More than somebody may ask for.
