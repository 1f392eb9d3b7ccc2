//! Where ids and other random bytes come from. Everything that asks for them goes through [`Ids`], so that a seed replays a test.

use std::sync::{Mutex, PoisonError};

use domain::Timestamp;
use uuid::{Builder, Uuid};

/// A source of identifiers.
pub trait Ids: Send + Sync {
    /// A version 7 id: sorts by the moment it was made, and after every earlier one of this source.
    fn v7(&self, now: Timestamp) -> Uuid;
    /// A version 4 id: nothing but chance.
    fn v4(&self) -> Uuid;
}

/// Ids from the system's random numbers.
#[derive(Debug, Default)]
pub struct RandomIds {
    last: Mutex<u128>,
}

/// Bits of a version 7 id that are not its milliseconds, version and variant.
const RANDOM_BITS: u32 = 74;
/// How far an id within one millisecond may be from the one before it: far enough not to be guessed from it by counting.
const STEP_MASK: u128 = 0xffff_ffff;

// === impl RandomIds ===

impl RandomIds {
    /// A source whose first id is after none.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Ids for RandomIds {
    fn v7(&self, now: Timestamp) -> Uuid {
        let milliseconds = u128::try_from(now.micros().max(0) / 1000).unwrap_or_default();
        let random = u128::from_be_bytes(random_bytes());
        let fresh = (milliseconds << RANDOM_BITS) | (random >> (u128::BITS - RANDOM_BITS));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Within a millisecond, or when the clock has gone back, the ids go on counting from the last one.
        let payload = if fresh > *last { fresh } else { *last + 1 + (random & STEP_MASK) };
        *last = payload;
        v7_of(payload)
    }

    fn v4(&self) -> Uuid {
        Builder::from_random_bytes(random_bytes()).into_uuid()
    }
}

/// Spreads 48 bits of milliseconds and 74 others around version and variant.
fn v7_of(payload: u128) -> Uuid {
    let milliseconds = payload >> RANDOM_BITS;
    let upper = (payload >> 62) & 0xfff;
    let lower = payload & 0x3fff_ffff_ffff_ffff;
    Uuid::from_u128((milliseconds << 80) | (0x7 << 76) | (upper << 64) | (0b10 << 62) | lower)
}

/// Random bytes for ids. Keys and nonces are made by the cryptographic library itself.
fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers, or nothing here could be trusted");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v7_ids_are_valid_and_never_go_back() {
        let ids = RandomIds::new();
        let start = 1_700_000_000_000_000;
        let mut last = Uuid::nil();
        for step in [0, 0, 0, 500, 1_000, 900, -5_000_000, 2_000].into_iter().cycle().take(4_000) {
            let id = ids.v7(Timestamp::from_micros(start + step));
            assert!(id > last, "{id} after {last}");
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
            last = id;
        }
        let (seconds, _) = last.get_timestamp().unwrap().to_unix();
        assert_eq!(seconds, 1_700_000_000);
        assert_eq!(ids.v4().get_version_num(), 4);
        assert_ne!(ids.v4(), ids.v4());
    }
}
