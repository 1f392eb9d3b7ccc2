//! Measurements have three homes: the code that makes them, the page that explains them, and the rules and pictures that use them. They must name the same things.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::tidy::before_tests;

/// How the names of all measurements begin.
const PREFIX: &str = "tollhouse_";
/// What Prometheus appends to the name of a histogram.
const OF_HISTOGRAMS: [&str; 3] = ["_bucket", "_count", "_sum"];
/// Where measurements are explained.
const PAGE: &str = "docs/operations.md";

/// Complains about measurements that the page does not explain, and about names that nothing measures.
pub(crate) fn check(root: &Path, files: &[PathBuf], wrong: &mut Vec<String>) -> Result<()> {
    let sources: Vec<String> = files.iter().filter(|file| measures(file)).map(fs::read_to_string).collect::<Result<_, _>>()?;
    let made: BTreeSet<&str> = sources.iter().flat_map(|source| quoted(before_tests(source))).collect();
    let page = read(root, PAGE)?;
    let explained: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("| `")).flat_map(names).collect();
    for name in made.difference(&explained) {
        wrong.push(format!("{PAGE}: no row explains the measurement {name}"));
    }
    for name in explained.difference(&made) {
        wrong.push(format!("{PAGE}: nothing measures {name}"));
    }
    for file in ["ops/alerts.yml", "ops/dashboard.json"] {
        let text = read(root, file)?;
        for name in names(&text).filter(|name| !made.contains(name) && !of_a_histogram(name, &made)) {
            wrong.push(format!("{file}: nothing measures {name}"));
        }
    }
    let alerts = read(root, "ops/alerts.yml")?;
    for alert in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        if !page.contains(&format!("**{alert}**")) {
            wrong.push(format!("{PAGE}: does not say what to do about {alert}"));
        }
    }
    Ok(())
}

/// Whether a file is of the product: tests and tools measure nothing.
fn measures(file: &Path) -> bool {
    let path = file.display().to_string();
    path.contains("/src/") && !["/xtask/", "/testkit/", "/store/src/scratch.rs"].iter().any(|part| path.contains(part))
}

fn read(root: &Path, file: &str) -> Result<String> {
    fs::read_to_string(root.join(file)).with_context(|| format!("{file} can not be read"))
}

/// Names between quotation marks, as the macros want them. A name alone in its quotes: messages hold others.
fn quoted(source: &str) -> impl Iterator<Item = &str> {
    source.split('"').filter(|text| text.starts_with(PREFIX) && text.chars().all(of_a_name))
}

/// Every name in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter| !of_a_name(letter)).filter(|word| word.starts_with(PREFIX) && word.len() > PREFIX.len())
}

fn of_a_name(letter: char) -> bool {
    letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_'
}

fn of_a_histogram(name: &str, made: &BTreeSet<&str>) -> bool {
    OF_HISTOGRAMS.iter().any(|ending| name.strip_suffix(ending).is_some_and(|name| made.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_they_stand() {
        let source = r#"metrics::counter!("tollhouse_a_total", "b" => c); info!("see tollhouse_b"); x("tollhouse_c")"#;
        assert_eq!(quoted(source).collect::<Vec<_>>(), ["tollhouse_a_total", "tollhouse_c"]);
        assert_eq!(names("rate(tollhouse_a_bucket{x=\"y\"}[5m])").collect::<Vec<_>>(), ["tollhouse_a_bucket"]);
        let made = BTreeSet::from(["tollhouse_a"]);
        assert!(of_a_histogram("tollhouse_a_bucket", &made) && !of_a_histogram("tollhouse_a_total", &made));
    }
}
