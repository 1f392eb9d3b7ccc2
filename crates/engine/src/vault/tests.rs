//! Sealed values and root key files.
