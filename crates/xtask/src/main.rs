//! Automation: the rules as a test, and the comparison of our OpenAPI document with the contract's.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use serde_json::Value;

use self::promises::Counts;

mod measurements;
mod openapi;
mod payment_services;
mod promises;
#[cfg(test)]
mod supply_chain;
mod tidy;

/// What `cargo xtask` does.
#[derive(Parser)]
enum Task {
    /// Checks the rules of the house.
    Tidy,
    /// Prints our OpenAPI document, or compares it with another one.
    Openapi {
        /// The document of the contract; differences that the allow-list does not name are errors.
        #[arg(long)]
        compare: Option<PathBuf>,
    },
    /// Writes docs/payment-services.md from the definition files.
    PaymentServicesPage {
        /// Writes nothing; a page that is not what the files make is an error.
        #[arg(long)]
        check: bool,
    },
    /// Puts every promise to the test, with full counts, and prints what was kept. Takes hours.
    Promises {
        /// Counts as for every change: minutes.
        #[arg(long)]
        reduced: bool,
        /// Runs nothing; a row that no test is named after is an error.
        #[arg(long, conflicts_with = "reduced")]
        named: bool,
    },
    /// Prints the median length of the definition files.
    DefinitionLines,
}

#[expect(clippy::print_stdout, reason = "a command line tool")]
fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the workspace is two levels up")?;
    match Task::parse() {
        Task::Tidy => tidy::run(root)?,
        Task::Openapi { compare: None } => println!("{}", serde_json::to_string_pretty(&api::openapi())?),
        Task::Openapi { compare: Some(file) } => {
            let contract: Value =
                serde_json::from_str(&std::fs::read_to_string(&file).with_context(|| format!("{} can not be read", file.display()))?)?;
            let differences = openapi::against(&contract)?;
            if !differences.is_empty() {
                bail!("{} differences from the contract:\n  {}", differences.len(), differences.join("\n  "));
            }
        }
        Task::PaymentServicesPage { check } => payment_services::run(root, check)?,
        Task::Promises { named: true, .. } => {
            let missing = promises::without_test(root)?;
            if !missing.is_empty() {
                bail!("{} promises have no test:\n  {}", missing.len(), missing.join("\n  "));
            }
        }
        Task::Promises { reduced, .. } => promises::run(root, if reduced { Counts::Reduced } else { Counts::Full })?,
        Task::DefinitionLines => println!("{}", tidy::definition_lines_median(root)?),
    }
    Ok(())
}
