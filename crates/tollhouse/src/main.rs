//! The binary: command line, configuration, telemetry, accept loop, composition and shutdown.

mod accept;
mod cli;
mod compose;
mod config;
mod ready;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    cli::run(cli::Cli::parse()).await
}
