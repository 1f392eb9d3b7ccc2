//! What reads hostile input, as functions that a fuzzer can call. Each takes any bytes, returns whether they were accepted, and panics where a promise about every input is broken.
//!
//! `fuzz/` drives them by coverage (`just fuzz`); `tests/corpus.rs` runs everything that was ever found through them as a plain test.

mod session_body;
mod url_guard;

use domain::Timestamp;
use domain::page::Cursor;

pub use self::session_body::session_body;
pub use self::url_guard::url_guard;

/// A function that takes any bytes and says whether they were accepted.
pub type Target = fn(&[u8]) -> bool;

/// All of them by name. A name is a folder of the corpus and a program of the fuzzer.
pub const TARGETS: &[(&str, Target)] =
    &[("cursor", cursor), ("definition", definition), ("session_body", session_body), ("token", token), ("url_guard", url_guard)];

/// The moment at which tokens are read: 2026-01-01, so that a corpus does not grow old.
const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// A bearer token, up to its signature.
pub fn token(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| engine::token::is_readable(text, NOW))
}

/// A definition file. One that is refused says why, and where.
pub fn definition(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    match connectors::format::parse(text, "fuzz.toml") {
        Ok(provider) => {
            assert!(!provider.methods.is_empty(), "a provider without methods is none");
            true
        }
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "a file is refused for a reason");
            false
        }
    }
}

/// The cursor of a list. What is read is written the same way again.
pub fn cursor(bytes: &[u8]) -> bool {
    let Some(cursor) = std::str::from_utf8(bytes).ok().and_then(Cursor::decode) else { return false };
    assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor), "a cursor survives the trip");
    true
}
