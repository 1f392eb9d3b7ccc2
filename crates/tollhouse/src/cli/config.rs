//! `tollhouse config`: what is configured, from where, and whether it holds.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::output;
use crate::config::layers::Layers;
use crate::config::{Config, Profile, Sources};

/// The subcommands of `config`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Read everything that `serve` would read, say what is wrong, start nothing.
    Check(File),
    /// Print the configuration in force as TOML; secrets are masked.
    Show {
        #[command(flatten)]
        file: File,
        /// Name the file and line, variable or default that each value came from.
        #[arg(long)]
        sources: bool,
    },
}

/// Which file is read.
#[derive(Debug, clap::Args)]
pub(crate) struct File {
    /// TOML file; without it, variables and defaults alone.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Runs one of them.
pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check(file) => {
            let config = Config::read(load(file.config.as_deref())?)?;
            crate::compose::check(&config)?;
            output::words("The configuration is sound.")?;
        }
        Command::Show { file, sources } => {
            let layers = load(file.config.as_deref())?;
            let sources = if sources { Sources::Shown } else { Sources::Hidden };
            output::data(&layers.show(sources))?;
            Config::read(layers)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn load(file: Option<&Path>) -> anyhow::Result<Layers> {
    Ok(Layers::load(Profile::Serve, file, std::env::vars_os())?)
}
