//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod audit;
mod backup;
mod config;
mod definitions;
mod dev;
mod durability;
mod duration;
pub(crate) mod exit;
mod init;
mod migrate;
mod output;
mod remote;
mod secrets;
mod serve;
mod simulated;
mod token;

use crate::telemetry::steps::LastSession;
use crate::telemetry::{Telemetry, Voice};

/// A self-hosted payment orchestration server that speaks the Gr4vy API.
#[derive(Debug, Parser)]
#[command(name = "tollhouse", version, after_help = exit::HELP, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// All commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything for development: database, key, simulated payment services, server.
    Dev(dev::Dev),
    /// Start the server in production.
    Serve(serve::Serve),
    /// Prepare a production database: schema, root key, first key pair.
    Init(init::Init),
    /// Bring the database up to date without starting a server.
    Migrate(migrate::MigrateOptions),
    /// Replace root keys and data keys, and say which there are.
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Look at the whole audit log, and verify that nobody has changed it.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Copy the database, check a copy, restore one.
    #[command(subcommand)]
    Backup(backup::Command),
    /// Print a token, signed with a private key.
    Token(token::Token),
    /// Check and test definition files, begin new ones.
    #[command(subcommand)]
    Definitions(definitions::Command),
    /// Check and show the configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Print the version.
    Version,
    #[command(flatten)]
    Remote(remote::RemoteCommand),
}

/// Which configuration file is read.
#[derive(Debug, clap::Args)]
struct FileOption {
    /// TOML file; without it, variables and defaults alone.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the command that the process was started with.
pub(crate) async fn run(cli: Cli) -> ExitCode {
    let voice = match &cli.command {
        Command::Dev(_) => Voice::Development,
        Command::Serve(_) => Voice::Server,
        Command::Init(_)
        | Command::Migrate(_)
        | Command::Secrets(_)
        | Command::Audit(_)
        | Command::Backup(_)
        | Command::Token(_)
        | Command::Definitions(_)
        | Command::Config(_)
        | Command::Version
        | Command::Remote(_) => Voice::Command,
    };
    let done = match Telemetry::install(voice) {
        Ok(telemetry) => {
            let done = dispatch(cli.command, telemetry.last_session()).await;
            telemetry.shut_down().await;
            done
        }
        Err(error) => Err(error),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell when standard error is gone as well.
            output::words(&format!("error: {}", message(&error))).ok();
            exit::code_of(&error)
        }
    }
}

/// An error with everything that caused it, on one line. Some libraries repeat the cause in their own message; once is enough.
fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.ends_with(&cause) {
            let colon = if text.is_empty() { "" } else { ": " };
            text = format!("{text}{colon}{cause}");
        }
    }
    text
}

async fn dispatch(command: Command, last_session: LastSession) -> anyhow::Result<ExitCode> {
    match command {
        Command::Dev(options) => dev::run(options, &last_session).await,
        Command::Serve(options) => serve::run(options).await,
        Command::Init(options) => init::run(&options).await,
        Command::Migrate(options) => migrate::run(&options).await,
        Command::Secrets(command) => secrets::run(command).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Backup(command) => backup::run(command).await,
        Command::Token(options) => token::run(&options),
        Command::Definitions(command) => definitions::run(command).await,
        Command::Config(command) => config::run(command),
        Command::Version => {
            output::data(concat!("tollhouse ", env!("CARGO_PKG_VERSION")))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Remote(command) => remote::run(command).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("refused").context("connecting: refused").context("opening: connecting: refused").context("start");
        assert_eq!(message(&error), "start: opening: connecting: refused");
    }

    #[test]
    fn the_command_line_is_consistent_and_documented() {
        Cli::command().debug_assert();
        let page = include_str!("../../../docs/cli.md");
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            assert!(page.contains(&format!("## `tollhouse {name}")), "docs/cli.md has no section for {name}");
            for argument in command.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(page.contains(&format!("--{argument}")), "docs/cli.md does not name --{argument} of {name}");
            }
        }
        for line in exit::HELP.lines().skip(1) {
            let (code, meaning) = line.trim().split_once("  ").expect("code and meaning");
            assert!(page.contains(&format!("| {code} | {meaning}")), "docs/cli.md explains exit code {code} otherwise");
        }
    }
}
