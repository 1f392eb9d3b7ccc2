//! `tollhouse dev`: everything in one command, for whoever writes against the API.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use connectors::credentials::Environment;
use engine::bootstrap::{self, Ground};
use engine::{RandomIds, SystemClock};
use tempfile::TempDir;

use super::durability::DurabilityOption;
use super::exit::UsageError;
use super::serve::code_of;
use super::{FileOption, output};
use crate::compose::signals::Signals;
use crate::compose::storage;
use crate::compose::{self, Foundation, Reload, Running};
use crate::config::layers::{Layers, Raw, Source};
use crate::config::{Config, Profile};
use crate::ready;
use crate::telemetry::steps::LastSession;

mod banner;
mod directory;
mod first_run;

use directory::Keys;

/// The options of `dev`.
#[derive(Debug, clap::Args)]
pub(crate) struct Dev {
    /// Directory for database, root key and private key; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "./tollhouse-data")]
    data: PathBuf,
    /// Where the API listens [default: 127.0.0.1:8080]. Port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// File that gets the base URL once requests are answered.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Keep everything in a temporary directory that is removed at the end.
    #[arg(long, conflicts_with = "data")]
    ephemeral: bool,
    /// Directory of definition files that add to the built-in ones or replace them; read again when one changes. May be repeated.
    #[arg(long, value_name = "DIR")]
    definitions: Vec<PathBuf>,
    #[command(flatten)]
    durability: DurabilityOption,
    #[command(flatten)]
    file: FileOption,
}

/// Serves until it is told to stop.
pub(crate) async fn run(options: Dev, last_session: &LastSession) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::install()?;
    let (data, temporary) = data_directory(&options)?;
    let config = read_config(&options, &data)?;
    let keys = directory::prepare(&data, &config)?;
    let running = tokio::select! {
        running = start(&config, &keys) => running?,
        // The first run talks to the server, so it is not waited for by somebody who has changed their mind.
        _ = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    let shown = tokio::select! {
        shown = first_run::show(&running, &keys.private_key_file, last_session) => Some(shown),
        _ = signals.next() => None,
    };
    if let Some(session) = shown {
        if let Some(file) = &options.ready_file {
            ready::write(file, &running.base)?;
        }
        output::data(&banner::text(&running, &keys.private_key_file, &session)?)?;
    }
    let ended = running.until_stopped(&mut signals).await;
    if let Some(directory) = temporary {
        directory.close().context("the temporary directory can not be removed")?;
    }
    Ok(code_of(ended))
}

/// The data directory, and its owner if it is a temporary one.
fn data_directory(options: &Dev) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    if options.ephemeral {
        let directory = tempfile::Builder::new().prefix("tollhouse-").tempdir().context("a temporary directory can not be made")?;
        return Ok((directory.path().to_owned(), Some(directory)));
    }
    let data = std::path::absolute(&options.data).map_err(|error| UsageError(format!("--data {}: {error}", options.data.display())))?;
    Ok((data, None))
}

fn read_config(options: &Dev, data: &Path) -> anyhow::Result<Config> {
    let mut layers = Layers::load(Profile::Dev(data), options.file.config.as_deref(), std::env::vars_os())?;
    if let Some(listen) = &options.listen {
        layers.set("server.listen".to_owned(), Raw::Text(listen.clone()), Source::Option("--listen"));
    }
    if !options.definitions.is_empty() {
        let texts = options.definitions.iter().map(|path| path.display().to_string()).collect();
        layers.set("definitions.dirs".to_owned(), Raw::List(texts), Source::Option("--definitions"));
    }
    let mut config = Config::read(layers)?;
    options.durability.apply(&mut config);
    match config.server.environment {
        Environment::Sandbox => Ok(config),
        Environment::Live => {
            let message = "`dev` serves the sandbox only, and server.environment is `live`: real money needs `tollhouse serve`";
            Err(UsageError(message.to_owned()).into())
        }
    }
}

async fn start(config: &Config, keys: &Keys) -> anyhow::Result<Running> {
    let (database, root_keys) = storage::open_for_service(config).await?;
    let ids = RandomIds::new();
    let ground = Ground { database: &database, root_keys: &root_keys, clock: &SystemClock, ids: &ids, command: "tollhouse dev" };
    let ready = bootstrap::ensure_key_pair(&ground, keys.private_key.public(), "Development").await;
    ready.with_context(|| storage::root_key_files(config))?;
    compose::start(config, Foundation { database, root_keys, reload: Reload::OnChange }).await
}
