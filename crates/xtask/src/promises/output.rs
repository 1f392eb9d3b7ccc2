//! What the test program says: which tests ran, how they ended, and what the promises measured.

use std::collections::BTreeMap;
use std::fmt;

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Every test that began, by its name with modules.
    pub(super) tests: BTreeMap<String, Outcome>,
    /// What promises said of themselves, in order.
    pub(super) kept: Vec<Kept>,
    /// Whether the whole run ended without an error.
    pub(super) ended_well: bool,
    /// The test that began last and has not ended.
    running: Option<String>,
    /// Whether the lines that follow are the names of tests that failed.
    failures: bool,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It passed.
    Ok,
    /// It failed, or began and never ended.
    Failed,
}

/// One promise's own line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) row: String,
    count: String,
    seed: String,
    measured: String,
}

// === impl Outcome ===

impl Outcome {
    /// The word in the table.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "FAILED",
        }
    }
}

// === impl Kept ===

impl Kept {
    /// Reads `promise R18: kept, count 3, seed 7, measured …`.
    fn of(line: &str) -> Option<Self> {
        let (row, rest) = line.strip_prefix("promise ")?.split_once(": kept, count ")?;
        let (count, rest) = rest.split_once(", seed ")?;
        let (seed, measured) = rest.split_once(", ")?;
        Some(Self { row: row.to_owned(), count: count.to_owned(), seed: seed.to_owned(), measured: measured.to_owned() })
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6} {:>16}  {}", self.count, self.seed, self.measured)
    }
}

// === impl Output ===

impl Output {
    /// Reads one line. What a test prints stands between its name and its end, on the same line or on others.
    pub(super) fn read(&mut self, line: &str) {
        let said = match line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
            Some((name, said)) => {
                // `#[should_panic]` and the like are noted behind the name.
                let name = name.split(' ').next().unwrap_or(name).to_owned();
                // Failed until it is known to have passed, so that a program that dies is no success.
                self.tests.insert(name.clone(), Outcome::Failed);
                self.running = Some(name);
                self.failures = false;
                said
            }
            None => line,
        };
        if self.failures
            && let Some(outcome) = self.tests.get_mut(line.trim())
        {
            *outcome = Outcome::Failed;
        }
        self.failures |= line == "failures:";
        self.kept.extend(said.find("promise ").and_then(|at| said.get(at..)).and_then(Kept::of));
        // Anything may stand before the word, where a test printed without a line break.
        if said.ends_with("ok")
            && !said.starts_with("promise ")
            && let Some(outcome) = self.running.take().and_then(|name| self.tests.get_mut(&name))
        {
            *outcome = Outcome::Ok;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_never_ends_has_failed() {
        let mut output = Output::default();
        output.read("test a::r18_x ... promise R18: seed 1");
        output.read("the program is gone");
        assert_eq!(output.tests["a::r18_x"], Outcome::Failed);
        output.read("test a::r19_x ... ok");
        assert_eq!(output.tests["a::r19_x"], Outcome::Ok);
    }

    #[test]
    fn a_line_of_a_promise_is_taken_apart() {
        let kept = Kept::of("promise R18: kept, count 3, seed 7, SQLite: lost 0, invented 0").unwrap();
        assert_eq!((kept.row.as_str(), kept.count.as_str(), kept.seed.as_str()), ("R18", "3", "7"));
        assert_eq!(kept.measured, "SQLite: lost 0, invented 0");
        assert_eq!(Kept::of("promise R18: seed 7"), None);
    }
}
