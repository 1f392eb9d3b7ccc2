//! `cargo xtask promises`: puts every promise to the test, with full counts, and says in one table what was kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::tidy::rust_files;

mod output;

use output::{Outcome, Output};

/// The promises that this release makes, each with what it is about. Tests carry the number in their names.
pub(crate) const ROWS: &[(&str, &str)] = &[
    ("R01", "a repeated request is answered as the first time"),
    ("R10", "a payment service that can not be reached"),
    ("R11", "a request that was read is not sent again"),
    ("R12", "503 with Retry-After"),
    ("R13", "a payment service that never ends"),
    ("R14", "answers that are too long or broken"),
    ("R18", "a kill under load"),
    ("R19", "a full disk"),
    ("R20", "settings of durability"),
    ("R23", "migrations"),
    ("R24", "stopping under load"),
    ("R30", "hostile URLs"),
    ("R31", "names with private addresses"),
    ("R32", "redirects"),
    ("R33", "certificates of payment services"),
    ("R34", "algorithms and signatures of tokens"),
    ("R35", "times of tokens"),
    ("R36", "headers of tokens"),
    ("R37", "scopes"),
    ("R38", "revoked keys and followed changes"),
    ("R39", "floods of bad tokens"),
    ("R40", "comparing secrets"),
    ("R42", "the wall between merchant accounts"),
    ("R43", "the header of the merchant account"),
    ("R44", "extra members in bodies"),
    ("R45", "canaries"),
    ("R47", "rotation of keys"),
    ("R48", "root keys and directories that are wrong"),
    ("R49", "the audit log has every change"),
    ("R50", "the audit log shows every edit"),
    ("R51", "slow connections"),
    ("R52", "requests beyond the limits"),
    ("R53", "floods of frames, and no descriptors left"),
    ("R54", "rate limits"),
    ("R55", "definition bombs"),
    ("R56", "fuzz"),
    ("R59", "supply chain"),
    ("R60", "panics, unknown paths and listeners"),
];

/// How often each promise is put to the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// As for every change.
    Reduced,
    /// As before a release.
    Full,
}

/// Runs the tests of all rows and prints the table; an error if a row failed or has no test.
pub(crate) fn run(root: &Path, counts: Counts) -> Result<()> {
    let output = tested(root, counts)?;
    let rows = rows(&output);
    print(&rows)?;
    let bad: Vec<&str> = rows.iter().filter(|row| row.result != Outcome::Ok.as_str()).map(|row| row.number.as_str()).collect();
    if !bad.is_empty() {
        bail!("not kept, or without a test: {}", bad.join(", "));
    }
    if !output.ended_well {
        bail!("cargo ended with an error that belongs to no row: see above");
    }
    Ok(())
}

/// The rows that no test in the workspace is named after.
pub(crate) fn without_test(root: &Path) -> Result<Vec<String>> {
    let mut tested = BTreeSet::new();
    for file in rust_files(&root.join("crates"))? {
        let source = fs::read_to_string(&file)?;
        tested.extend(source.split("fn r").skip(1).filter_map(|rest| number_of(&format!("r{rest}"))));
    }
    let missing = ROWS.iter().filter(|(number, _)| !tested.contains(*number));
    Ok(missing
        .map(|(number, title)| format!("{number} ({title}) has no test: no function is called {}_…", number.to_lowercase()))
        .collect())
}

/// The row of a test's name, without its modules: `r18_what_was` belongs to `R18`.
fn number_of(name: &str) -> Option<String> {
    let number = name.strip_prefix('r')?.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    name.get(3..)?.starts_with('_').then(|| format!("R{number}"))
}

/// Runs the tests, shows what they say as they say it, and reads it.
fn tested(root: &Path, counts: Counts) -> Result<Output> {
    let mut command = Command::new("cargo");
    command.args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast", "--", "--nocapture", "--test-threads", "1"]);
    command.args((0..100).map(|number| format!("r{number:02}_"))).current_dir(root).stdout(Stdio::piped());
    match counts {
        Counts::Reduced => command.env_remove("TOLLHOUSE_PROMISES"),
        Counts::Full => command.env("TOLLHOUSE_PROMISES", "full"),
    };
    let mut process = command.spawn().context("cargo can not be run")?;
    let lines = BufReader::new(process.stdout.take().context("the output of cargo is piped")?);
    let mut output = Output::default();
    let mut shown = std::io::stdout().lock();
    for line in lines.lines() {
        let line = line.context("the output of cargo can not be read")?;
        writeln!(shown, "{line}")?;
        output.read(&line);
    }
    output.ended_well = process.wait()?.success();
    Ok(output)
}

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    number: String,
    title: &'static str,
    tests: usize,
    result: &'static str,
    /// What each promise of the row said of itself: count, seed, and what was measured.
    kept: Vec<output::Kept>,
}

/// All promised rows, and those for which there are tests before their time.
fn rows(output: &Output) -> Vec<Row> {
    let titles: BTreeMap<&str, &'static str> = ROWS.iter().copied().collect();
    let mut numbers: BTreeSet<String> = ROWS.iter().map(|(number, _)| (*number).to_owned()).collect();
    numbers.extend(output.tests.keys().filter_map(|name| number_of(name.rsplit("::").next().unwrap_or_default())));
    numbers
        .into_iter()
        .map(|number| {
            let outcomes: Vec<Outcome> = output
                .tests
                .iter()
                .filter(|(name, _)| number_of(name.rsplit("::").next().unwrap_or_default()).as_ref() == Some(&number))
                .map(|(_, outcome)| *outcome)
                .collect();
            let result = match outcomes.iter().find(|outcome| **outcome != Outcome::Ok) {
                Some(outcome) => outcome.as_str(),
                None if outcomes.is_empty() => "MISSING",
                None => Outcome::Ok.as_str(),
            };
            let kept = output.kept.iter().filter(|kept| kept.row == number).cloned().collect();
            Row {
                title: titles.get(number.as_str()).copied().unwrap_or("beyond this release"),
                tests: outcomes.len(),
                result,
                kept,
                number,
            }
        })
        .collect()
}

fn print(rows: &[Row]) -> Result<()> {
    let mut shown = std::io::stdout().lock();
    writeln!(shown, "\n{:<4} {:<50} {:>5} {:<8} {:>6} {:>16}  measured", "row", "promise", "tests", "result", "count", "seed")?;
    for row in rows {
        let head = format!("{:<4} {:<50} {:>5} {:<8}", row.number, row.title, row.tests, row.result);
        match row.kept.split_first() {
            None => writeln!(shown, "{head}")?,
            Some((first, others)) => {
                writeln!(shown, "{head} {first}")?;
                for kept in others {
                    writeln!(shown, "{:<70} {kept}", "")?;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_belongs_to_the_row_it_begins_with() {
        assert_eq!(number_of("r18_what_was_acknowledged").as_deref(), Some("R18"));
        for other in ["r1_x", "r180_x", "rows", "r18", "a_r18_x", "r1x_y"] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_row_fails_with_one_test_and_is_missing_without_any() {
        let mut output = Output::default();
        for line in [
            "test crash::r18_one ... promise R18: seed 7",
            "promise R18: kept, count 3, seed 7, lost 0, invented 0",
            "ok",
            "test crash::r18_two ... ok",
            "test tokens::r34_one ... ok",
            "test tokens::r34_two ... FAILED",
            "test later::r02_early ... ok",
            "failures:",
            "    tokens::r34_two",
        ] {
            output.read(line);
        }
        let rows = rows(&output);
        let row = |number: &str| rows.iter().find(|row| row.number == number).unwrap();
        assert_eq!((row("R18").tests, row("R18").result, row("R18").kept.len()), (2, "ok", 1));
        assert_eq!((row("R34").tests, row("R34").result), (2, "FAILED"));
        assert_eq!((row("R01").tests, row("R01").result), (0, "MISSING"));
        assert_eq!(row("R02").title, "beyond this release");
    }

    #[test]
    fn a_row_without_a_function_named_after_it_is_found() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("crates/one/src");
        fs::create_dir_all(&folder).unwrap();
        let functions: String = ROWS.iter().skip(1).map(|(number, _)| format!("async fn {}_x() {{}}\n", number.to_lowercase())).collect();
        fs::write(folder.join("lib.rs"), functions).unwrap();
        let missing = without_test(root.path()).unwrap();
        assert!(missing.len() == 1 && missing[0].starts_with("R01 "), "{missing:?}");
    }
}
