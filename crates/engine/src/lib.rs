//! What needs more than one port: sessions, verification, vault, tokens, audit.
