//! How much of what a payment service is sent may be repetition.

use std::sync::atomic::{AtomicU32, Ordering};

use metrics::Counter;

/// A retry costs what so many calls bring in: at most a tenth of the requests are retries.
const CALLS_PER_RETRY: u32 = 10;

/// Retries that are there before any call has brought one in, so that a service that is seldom called may be called again too.
const RETRIES_FIRST: u32 = 10;

/// Retries that can be saved up. More would let a service that was well for a day be met with a flood on the day it is not.
const RETRIES_MAX: u32 = 100;

/// The budget of one payment service. Every call pays in, every retry takes out; where nothing is left, the failure of the first attempt is the answer.
#[derive(Debug)]
pub struct Budget {
    /// In shares: [`CALLS_PER_RETRY`] of them pay for a retry.
    shares: AtomicU32,
    retries: Counter,
    exhausted: Counter,
}

// === impl Budget ===

impl Budget {
    /// A budget whose retries are counted, and beside them the times that nothing was left for one.
    pub fn counted(retries: Counter, exhausted: Counter) -> Self {
        Self { shares: AtomicU32::new(RETRIES_FIRST * CALLS_PER_RETRY), retries, exhausted }
    }

    /// Pays in for one call.
    pub(crate) fn pay_in(&self) {
        let more = |shares: u32| Some((shares + 1).min(RETRIES_MAX * CALLS_PER_RETRY));
        self.change(more);
    }

    /// Whether a retry may be made; if so, it is paid.
    pub(crate) fn pay_out(&self) -> bool {
        let is_paid = self.change(|shares| shares.checked_sub(CALLS_PER_RETRY));
        if is_paid { &self.retries } else { &self.exhausted }.increment(1);
        is_paid
    }

    /// One number guards nothing but itself, so that no order with others is asked for.
    fn change(&self, change: impl FnMut(u32) -> Option<u32>) -> bool {
        self.shares.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

impl Default for Budget {
    /// A budget that nobody counts.
    fn default() -> Self {
        Self::counted(Counter::noop(), Counter::noop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries(budget: &Budget) -> u32 {
        let mut retries = 0;
        while budget.pay_out() {
            retries += 1;
        }
        retries
    }

    #[test]
    fn a_tenth_of_the_calls_may_be_retries() {
        let budget = Budget::default();
        assert_eq!(retries(&budget), 10, "so many for a service that was never called");
        for (calls, expected) in [(9, 0), (1, 1), (25, 2), (5, 1)] {
            (0..calls).for_each(|_| budget.pay_in());
            assert_eq!(retries(&budget), expected, "{calls}");
        }
    }

    #[test]
    fn what_is_saved_up_has_a_limit() {
        let budget = Budget::default();
        (0..100_000).for_each(|_| budget.pay_in());
        assert_eq!(retries(&budget), 100);
    }

    #[test]
    fn many_threads_do_not_pay_twice_with_one_share() {
        let budget = Budget::default();
        (0..990).for_each(|_| budget.pay_in());
        let taken = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| taken.fetch_add(retries(&budget), Ordering::Relaxed));
            }
        });
        assert_eq!(taken.into_inner(), 100);
    }
}
