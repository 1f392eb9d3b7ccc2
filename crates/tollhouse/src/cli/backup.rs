//! `tollhouse backup`: copies of the whole database, made beside a running server, checked anywhere, restored into either engine.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use connectors::catalogue::Catalogue;
use engine::audit::record_command;
use engine::backup::Keys;
use engine::vault::RootKeys;
use engine::{Clock as _, RandomIds, SystemClock};
use store::Database;
use store::backup::{Backup, Info, Maker};

use super::exit::FAILED;
use super::{FileOption, output};
use crate::compose::{self, storage};
use crate::config::layers::Layers;
use crate::config::{Config, Profile};

mod file;
mod verdict;

use file::NewFile;
use verdict::Verdict;

/// The subcommands of `backup`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Copy the database into one new file, beside a running server.
    Create(Create),
    /// Say everything that is wrong with a backup.
    Verify(Verify),
    /// Put a backup into an empty database.
    Restore(Restore),
}

/// The options of `backup create`.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    #[command(flatten)]
    config: FileOption,
    /// New file for the backup.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// The options of `backup verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The backup.
    #[arg(value_name = "BACKUP")]
    file: PathBuf,
    /// Configuration whose root key and definitions should open what is sealed in it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The options of `backup restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The backup.
    #[arg(value_name = "BACKUP")]
    file: PathBuf,
    #[command(flatten)]
    config: FileOption,
}

/// Runs one of them.
pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(options) => create(&options).await,
        Command::Verify(options) => verify(&options).await,
        Command::Restore(options) => restore(&options).await,
    }
}

async fn create(options: &Create) -> anyhow::Result<ExitCode> {
    let config = read(&options.config)?;
    let file = NewFile::beside(&options.out)?;
    let database = storage::open(&config.database).await?;
    let maker = Maker { tollhouse_version: env!("CARGO_PKG_VERSION"), now: SystemClock.now() };
    let made = store::backup::create(&database, file.path(), maker).await;
    database.close().await;
    let info = made?;
    file.finish().with_context(|| format!("the backup {}", options.out.display()))?;
    output::words(&format!("The backup is {}: {}.", options.out.display(), summary(&info)))?;
    let ids = info.root_key_ids.join(", ");
    let key_file = config.root_key_file.display();
    output::words(&format!(
        "No root key is in it. Its credentials open with root key {ids} alone ({key_file}): keep a copy of that file in another place."
    ))?;
    Ok(ExitCode::SUCCESS)
}

async fn verify(options: &Verify) -> anyhow::Result<ExitCode> {
    let vault = match &options.config {
        Some(config) => Some(Vault::read(&read(&FileOption { config: Some(config.clone()) })?)?),
        None => None,
    };
    let verdict = Verdict::of(&options.file, vault.as_ref().map(Vault::keys)).await?;
    for line in verdict.refusals().into_iter().chain(verdict.closed()) {
        output::data(&line)?;
    }
    for line in verdict.remarks() {
        output::words(&line)?;
    }
    if !verdict.is_sound() {
        output::words(&format!("{} is not a sound backup.", options.file.display()))?;
        return Ok(ExitCode::from(FAILED));
    }
    let looked_at =
        if vault.is_some() { "everything sealed opens" } else { "what is sealed was not opened: name a configuration for that" };
    output::words(&format!("The backup is sound; {looked_at}. It has {}.", verdict.info().map(summary).unwrap_or_default()))?;
    Ok(ExitCode::SUCCESS)
}

async fn restore(options: &Restore) -> anyhow::Result<ExitCode> {
    let config = read(&options.config)?;
    let vault = Vault::read(&config)?;
    let verdict = Verdict::of(&options.file, Some(vault.keys())).await?;
    let refusals = verdict.refusals();
    let (Some(backup), []) = (verdict.backup(), refusals.as_slice()) else {
        bail!("the backup {} is not restored:\n  {}", options.file.display(), refusals.join("\n  "));
    };
    for line in verdict.closed().into_iter().chain(verdict.remarks()) {
        output::words(&line)?;
    }
    let database = storage::open(&config.database).await?;
    let restored = fill(&database, backup).await;
    database.close().await;
    let rows = restored?;
    let checkpoints = &config.audit_checkpoint_file;
    if checkpoints.exists() {
        output::words(&format!(
            "The checkpoints in {} are of the database as it was, and may be ahead of the backup: move the file away, and keep it.",
            checkpoints.display()
        ))?;
    }
    output::words(&format!("The backup was restored: {rows} rows. Start the server with `tollhouse serve`."))?;
    Ok(ExitCode::SUCCESS)
}

/// Restores, and writes down that somebody did; how many rows came out of the backup.
async fn fill(database: &Database, backup: &Backup) -> anyhow::Result<u64> {
    let rows: u64 = store::backup::restore(backup, database).await?.iter().map(|copied| copied.rows).sum();
    let mut tx = database.write().await?;
    record_command(&mut tx, &SystemClock, &RandomIds::new(), "tollhouse backup restore", &format!("{{\"rows\":{rows}}}")).await?;
    tx.commit().await?;
    Ok(rows)
}

fn read(file: &FileOption) -> anyhow::Result<Config> {
    let layers = Layers::load(Profile::Serve, file.config.as_deref(), std::env::vars_os())?;
    Ok(Config::read(layers)?)
}

/// What a configuration has to open a backup with.
struct Vault {
    root_keys: RootKeys,
    catalogue: Catalogue,
}

impl Vault {
    fn read(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            root_keys: RootKeys::read_files(&config.root_key_file, &config.retired_root_key_files)?,
            catalogue: compose::load(config)?,
        })
    }

    fn keys(&self) -> Keys<'_> {
        Keys { root_keys: &self.root_keys, catalogue: &self.catalogue }
    }
}

/// What a backup holds, in a few words.
fn summary(info: &Info) -> String {
    let rows: i64 = info.tables.iter().map(|(_, rows)| rows).sum();
    let records = info.tables.iter().find(|(name, _)| name == "session_records").map_or(0, |(_, rows)| *rows);
    let (schema, engine, at) = (info.schema_version, &info.engine, info.created_at);
    format!("{rows} rows, of which {records} session records, schema version {schema}, from {engine}, of {at}")
}
