//! Tokens that have been verified, so that the same one is not verified again.
//!
//! Two generations per shard instead of a list in order of use: when the young one is full it becomes the old one, and what is asked for again moves back. That bounds the number without bookkeeping on the hot path; SDKs mint a token per request, so most entries are never asked for again and only have to be cheap.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest;

/// Tokens kept at most.
pub(super) const TOKENS_MAX: usize = 65_536;
/// So that many requests at once seldom wait for each other.
const SHARDS: usize = 16;
/// Tokens in one generation of one shard.
const GENERATION_TOKENS: usize = TOKENS_MAX / SHARDS / 2;

/// SHA-256 of a whole token. A token itself is never kept.
pub(super) type Fingerprint = [u8; 32];

/// A bounded map from tokens to what they say.
pub(super) struct Cache<T> {
    shards: [Mutex<Shard<T>>; SHARDS],
}

struct Shard<T> {
    young: HashMap<Fingerprint, Arc<T>>,
    old: HashMap<Fingerprint, Arc<T>>,
}

/// What a token is kept under.
pub(super) fn fingerprint(token: &str) -> Fingerprint {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

impl<T> Cache<T> {
    pub(super) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::new(Shard { young: HashMap::new(), old: HashMap::new() })) }
    }

    pub(super) fn get(&self, key: &Fingerprint) -> Option<Arc<T>> {
        let mut shard = self.shard(key);
        if let Some(value) = shard.young.get(key) {
            return Some(Arc::clone(value));
        }
        let value = shard.old.remove(key)?;
        shard.insert(*key, Arc::clone(&value));
        Some(value)
    }

    pub(super) fn insert(&self, key: Fingerprint, value: Arc<T>) {
        self.shard(&key).insert(key, value);
    }

    pub(super) fn remove(&self, key: &Fingerprint) {
        let mut shard = self.shard(key);
        shard.young.remove(key);
        shard.old.remove(key);
    }

    fn shard(&self, key: &Fingerprint) -> MutexGuard<'_, Shard<T>> {
        let index = usize::from(key.first().copied().unwrap_or_default()) % SHARDS;
        let shard = self.shards.get(index).expect("the remainder is below the number of shards");
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Shard<T> {
    fn insert(&mut self, key: Fingerprint, value: Arc<T>) {
        if self.young.len() >= GENERATION_TOKENS {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_its_limit_and_keeps_what_is_used() {
        let cache = Cache::new();
        let used = fingerprint("used");
        cache.insert(used, Arc::new(0));
        for number in 1..=200_000_u32 {
            cache.insert(fingerprint(&number.to_string()), Arc::new(number));
            assert!(number % 1_000 != 0 || cache.get(&used).is_some(), "after {number}");
        }
        let held: usize = cache.shards.iter().map(|shard| shard.lock().unwrap()).map(|shard| shard.young.len() + shard.old.len()).sum();
        assert!(held <= TOKENS_MAX, "{held}");
        cache.remove(&used);
        assert!(cache.get(&used).is_none());
    }
}
