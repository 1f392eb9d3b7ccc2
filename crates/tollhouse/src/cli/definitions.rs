//! `tollhouse definitions`: for whoever writes a definition file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use connectors::format::{self, Diagnostic};
use connectors::model::Provider;

use super::exit::{FAILED, UsageError};
use super::output;

mod from_curl;
mod rendered;
mod skeleton;
mod trial;

/// The subcommands of `definitions`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Say what is wrong with definition files, with line, column and the nearest right name.
    Lint {
        /// Definition files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Play a definition against its own simulator, or send its example to a server: the requests it makes, secrets masked, and what comes of them.
    Test(Box<trial::Options>),
    /// Turn a curl command, pasted from a documentation, into a definition file. Credentials become fields; their values are not written.
    FromCurl(from_curl::Options),
    /// Write a commented skeleton that passes `lint` and `test`.
    New {
        /// Id of the payment service: lower-case letters, digits and dashes.
        #[arg(value_name = "NAME")]
        name: String,
        /// Where to write [default: NAME.toml].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Runs one of them.
pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Lint { files } => lint(&files),
        Command::Test(options) => trial::run(&options).await,
        Command::FromCurl(options) => from_curl::run(&options),
        Command::New { name, out } => skeleton::write(&name, out),
    }
}

fn lint(files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut mistakes = Vec::new();
    for file in files {
        match read(file)? {
            Ok(provider) => output::words(&sound(file, &provider))?,
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() { Ok(ExitCode::SUCCESS) } else { report(&mistakes) }
}

/// Mistakes are what was asked for, so they go to standard output.
fn report(mistakes: &[Diagnostic]) -> anyhow::Result<ExitCode> {
    for mistake in mistakes {
        output::data(&mistake.to_string())?;
    }
    Ok(ExitCode::from(FAILED))
}

fn read(file: &Path) -> Result<Result<Provider, Vec<Diagnostic>>, UsageError> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| UsageError(format!("{name}: {error}")))?;
    Ok(format::parse(&text, &name))
}

fn sound(file: &Path, provider: &Provider) -> String {
    let ids: Vec<&str> = provider.methods.iter().map(|method| method.definition_id.as_str()).collect();
    format!("{}: sound, {}", file.display(), ids.join(", "))
}
