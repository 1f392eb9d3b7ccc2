//! `tollhouse serve`: the server in production.

use std::path::PathBuf;
use std::process::ExitCode;

use super::FileOption;
use super::exit::FAILED;
use crate::compose::signals::Signals;
use crate::compose::storage;
use crate::compose::{self, Ended, Foundation, Reload};
use crate::config::layers::{Layers, Raw, Source};
use crate::config::{Config, Profile};
use crate::ready;

/// The options of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    file: FileOption,
    /// Where the API listens, over what the configuration says.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// File that gets the base URL once requests are answered.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

/// Serves until it is told to stop.
pub(crate) async fn run(options: Serve) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::install()?;
    let mut layers = Layers::load(Profile::Serve, options.file.config.as_deref(), std::env::vars_os())?;
    if let Some(listen) = options.listen {
        layers.set("server.listen".to_owned(), Raw::Text(listen), Source::Option("--listen"));
    }
    let config = Config::read(layers)?;
    let (database, root_key) = storage::open_for_service(&config).await?;
    let running = compose::start(&config, Foundation { database, root_key, reload: Reload::OnHangup }).await?;
    if let Some(file) = &options.ready_file {
        ready::write(file, &running.base)?;
    }
    Ok(code_of(running.until_stopped(&mut signals).await))
}

/// The exit code of a server.
pub(crate) fn code_of(ended: Ended) -> ExitCode {
    match ended {
        Ended::Drained => ExitCode::SUCCESS,
        Ended::Unclean => ExitCode::from(FAILED),
    }
}
