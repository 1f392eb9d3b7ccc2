//! How a promise is put to the test: how often, from which seed, and the line that says so.
//!
//! In the checks of every change the counts are reduced; with `TOLLHOUSE_PROMISES=full`, which `just promises` sets, they are the full ones. `TOLLHOUSE_SEED` replays a run.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "test equipment reads its own settings and tells its seed")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One promise under test. Made at the beginning of the test, so that its seed is printed even if the test fails.
pub struct Promise {
    row: &'static str,
    seed: u64,
}

/// Random numbers that a seed repeats (SplitMix64). Good enough to choose moments, not secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

/// Whether the full counts are asked for.
pub fn is_full() -> bool {
    std::env::var("TOLLHOUSE_PROMISES").is_ok_and(|word| word == "full")
}

impl Promise {
    /// Begins the test of a row, such as `R18`, and prints its seed.
    pub fn new(row: &'static str) -> Self {
        let seed = match std::env::var("TOLLHOUSE_SEED") {
            Ok(text) => text.parse().expect("TOLLHOUSE_SEED is a whole number"),
            Err(_) => u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_nanos() % (1 << 48))
                .expect("48 bits fit"),
        };
        println!("promise {row}: seed {seed}");
        Self { row, seed }
    }

    /// How often: in the checks of every change, and in the full run.
    pub fn count(&self, reduced: usize, full: usize) -> usize {
        if is_full() { full } else { reduced }
    }

    /// Random numbers of this run.
    pub fn random(&self) -> Random {
        Random(self.seed)
    }

    /// Makes sure of a time limit: the promised one in the full run, ten times as long where a busy machine checks a change.
    pub fn in_time(&self, what: &str, took: Duration, promised: Duration) {
        let limit = if is_full() { promised } else { promised * 10 };
        assert!(took <= limit, "promise {}: {what} took {took:?}, {promised:?} are promised", self.row);
    }

    /// Says what was run and what came of it, in one line that the full run collects. To be called at the end, when everything held.
    pub fn kept(self, count: usize, measured: &str) {
        println!("promise {}: kept, count {count}, seed {}, {measured}", self.row, self.seed);
    }
}

impl Random {
    /// Random numbers of a seed.
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "numbers without end are asked for one by one")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a limit above zero.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// One of some things.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(u64::try_from(things.len()).expect("a length fits"))).expect("below the length");
        things.get(index).expect("below the length")
    }
}
