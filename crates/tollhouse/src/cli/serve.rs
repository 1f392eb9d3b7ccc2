//! `tollhouse serve`: the server in production.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use engine::bootstrap::{self, BootstrapError, Ground};
use engine::vault::RootKeys;
use engine::{RandomIds, SystemClock};
use store::Database;
use tracing::warn;

use super::FileOption;
use super::durability::DurabilityOption;
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
    #[command(flatten)]
    durability: DurabilityOption,
}

/// Serves until it is told to stop.
pub(crate) async fn run(options: Serve) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::install()?;
    let mut layers = Layers::load(Profile::Serve, options.file.config.as_deref(), std::env::vars_os())?;
    if let Some(listen) = options.listen {
        layers.set("server.listen".to_owned(), Raw::Text(listen), Source::Option("--listen"));
    }
    let mut config = Config::read(layers)?;
    options.durability.apply(&mut config);
    let (database, root_keys) = storage::open_for_service(&config).await?;
    prepare(&config, &database, &root_keys).await?;
    let running = compose::start(&config, Foundation { database, root_keys, reload: Reload::OnHangup }).await?;
    if let Some(file) = &options.ready_file {
        ready::write(file, &running.base)?;
    }
    Ok(code_of(running.until_stopped(&mut signals).await))
}

/// A newer version may have more of what every instance has, such as roles.
async fn prepare(config: &Config, database: &Database, root_keys: &RootKeys) -> anyhow::Result<()> {
    let ids = RandomIds::new();
    let ground = Ground { database, root_keys, clock: &SystemClock, ids: &ids, command: "tollhouse serve" };
    match bootstrap::ensure_foundations(&ground).await {
        Ok(()) => {}
        // A database that can not be written at the moment can still be read, and so can this server's part of the API.
        Err(BootstrapError::Store(error)) => warn!(%error, "What every instance has could not be checked."),
        Err(error) => return Err(error).with_context(|| storage::root_key_files(config)),
    }
    let mut tx = database.read().await?;
    if store::api_key_pairs::count(&mut tx).await? == 0 {
        warn!("There is no API key pair yet, so nobody can ask anything: run `tollhouse init`.");
    }
    Ok(())
}

/// The exit code of a server.
pub(crate) fn code_of(ended: Ended) -> ExitCode {
    match ended {
        Ended::Drained => ExitCode::SUCCESS,
        Ended::Unclean => ExitCode::from(FAILED),
    }
}
