//! Refused tokens, counted: a flood of them must neither fill the disk nor slow the server down.
//!
//! The first one of a kind is due at once, those that follow once a minute, together. Kinds are told apart by address, reason and `kid`, up to a limit; what is beyond it is counted without them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use domain::Timestamp;
use domain::audit::AuditEvent;
use tokio::time::Instant;

/// How often one kind is written at most.
pub(super) const REPEAT_EVERY: Duration = Duration::from_secs(60);

/// Kinds that are told apart within [`REPEAT_EVERY`], for each of the two events. What an attack from everywhere writes in a day stays below twenty megabytes.
const KINDS_MAX: usize = 32;

/// Values of `kid` that are told apart for one address and reason: somebody who guesses must not take the room of everybody else.
const KIDS_PER_ADDRESS_MAX: usize = 4;

/// What was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    /// Whether a key pair that was revoked was named, or not.
    pub(super) event: AuditEvent,
    /// Why.
    pub(super) reason: &'static str,
    /// From where; `None` for all who are not told apart.
    pub(super) origin: Option<IpAddr>,
    /// The key that was named, if it has the form of one; a thumbprint, which is public.
    pub(super) kid: Option<String>,
}

/// How often since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// How often, since it was last written.
    pub(super) count: u64,
    /// The first time since then.
    pub(super) since: Timestamp,
    /// The last time.
    pub(super) last: Timestamp,
    written: Option<Instant>,
}

/// All kinds that there were within the last minute.
#[derive(Debug, Default)]
pub(super) struct RefusedTokens {
    failed: HashMap<Kind, Tally>,
    /// Apart, so that a flood of failures leaves them room.
    revoked: HashMap<Kind, Tally>,
}

// === impl RefusedTokens ===

impl RefusedTokens {
    /// Counts one.
    pub(super) fn note(&mut self, mut kind: Kind, now: Timestamp) {
        let tallies = if kind.event == AuditEvent::RevokedKeyUsed { &mut self.revoked } else { &mut self.failed };
        if kind.kid.is_some() && !tallies.contains_key(&kind) {
            let of_address = |known: &&Kind| known.kid.is_some() && known.origin == kind.origin && known.reason == kind.reason;
            if tallies.keys().filter(of_address).count() >= KIDS_PER_ADDRESS_MAX {
                kind.kid = None;
            }
        }
        if tallies.len() >= KINDS_MAX && !tallies.contains_key(&kind) {
            // There are few reasons, so this has a bound too.
            (kind.origin, kind.kid) = (None, None);
        }
        let tally = tallies.entry(kind).or_insert(Tally { count: 0, since: now, last: now, written: None });
        if tally.count == 0 {
            tally.since = now;
        }
        tally.count = tally.count.saturating_add(1);
        tally.last = now;
    }

    /// What is due: everything that was not written since `before`. Kinds that have rested since then are forgotten.
    pub(super) fn take(&mut self, before: Option<Instant>, now: Instant) -> Vec<(Kind, Tally)> {
        let rested = |written: Option<Instant>| written.is_none_or(|written| before.is_some_and(|before| written <= before));
        let mut due = Vec::new();
        for tallies in [&mut self.failed, &mut self.revoked] {
            tallies.retain(|_, tally| tally.count > 0 || !rested(tally.written));
            for (kind, tally) in tallies.iter_mut().filter(|(_, tally)| tally.count > 0 && rested(tally.written)) {
                due.push((kind.clone(), *tally));
                (tally.count, tally.written) = (0, Some(now));
            }
        }
        // In the order in which they began, not in that of a table.
        due.sort_by_key(|(_, tally)| tally.since);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    fn kind(address: u8, kid: Option<u16>) -> Kind {
        Kind {
            event: AuditEvent::AuthenticationFailed,
            reason: "unknown_key",
            origin: Some(IpAddr::from([192, 0, 2, address])),
            kid: kid.map(|number| format!("kid-{number}")),
        }
    }

    fn counts(due: Vec<(Kind, Tally)>) -> Vec<u64> {
        due.into_iter().map(|(_, tally)| tally.count).collect()
    }

    #[test]
    fn the_first_is_due_at_once_and_the_rest_once_a_minute_together() {
        let mut refused = RefusedTokens::default();
        let start = Instant::now() + REPEAT_EVERY;
        refused.note(kind(1, None), NOON);
        assert_eq!(counts(refused.take(Some(start - REPEAT_EVERY), start)), [1]);
        for second in 1..=500 {
            refused.note(kind(1, None), NOON.plus_seconds(second));
        }
        refused.note(kind(2, None), NOON.plus_seconds(501));
        assert_eq!(counts(refused.take(Some(start - REPEAT_EVERY), start)), [1], "another address");
        let later = start + REPEAT_EVERY;
        let due = refused.take(Some(start), later);
        assert_eq!((due.len(), due[0].1.count), (1, 500));
        assert_eq!((due[0].1.since, due[0].1.last), (NOON.plus_seconds(1), NOON.plus_seconds(500)));
        assert_eq!(counts(refused.take(Some(later), later + REPEAT_EVERY)), Vec::<u64>::new());
        assert!(refused.failed.is_empty(), "what has rested is forgotten");
    }

    #[test]
    fn a_flood_takes_a_bounded_room_and_loses_no_count() {
        let mut refused = RefusedTokens::default();
        let mut noted = 0;
        for kid in 0..1_000 {
            refused.note(kind(7, Some(kid)), NOON);
            noted += 1;
        }
        assert_eq!(refused.failed.len(), KIDS_PER_ADDRESS_MAX + 1, "one address");
        for address in 0..=255 {
            for kid in 0..10 {
                refused.note(kind(address, Some(kid)), NOON);
                noted += 1;
            }
        }
        assert_eq!(refused.failed.len(), KINDS_MAX + 1);
        let revoked = Kind { event: AuditEvent::RevokedKeyUsed, reason: "inactive_key", ..kind(9, Some(1)) };
        refused.note(revoked.clone(), NOON);
        let due = refused.take(None, Instant::now());
        assert_eq!(due.iter().map(|(_, tally)| tally.count).sum::<u64>(), noted + 1);
        assert!(due.iter().any(|(kind, tally)| kind == &revoked && tally.count == 1), "it has room of its own");
        assert!(due.iter().any(|(kind, _)| kind.origin.is_none() && kind.kid.is_none()), "the rest is counted together");
    }
}
