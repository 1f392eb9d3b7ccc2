//! The binary: command line, configuration, telemetry, accept loop, composition and shutdown.

mod accept;
mod cli;
mod compose;
mod config;
mod ready;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

/// Memory is asked for some hundred times per session, on every worker at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    cli::run(cli::Cli::parse()).await
}
