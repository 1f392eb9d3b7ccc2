//! `tollhouse secrets`: which keys there are, and new ones in their place. It opens the database itself, beside running servers.

use std::process::ExitCode;

use anyhow::Context as _;
use connectors::catalogue::Catalogue;
use domain::MerchantAccountId;
use engine::bootstrap::Ground;
use engine::rotation::{self, DataRotation, RotationError, Start};
use engine::vault::RootKeys;
use engine::{RandomIds, SystemClock};
use store::Database;

use super::exit::{FAILED, UsageError};
use super::{FileOption, output};
use crate::compose::storage;
use crate::config::layers::Layers;
use crate::config::{Config, Profile};

mod status;

/// The subcommands of `secrets`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Say which root keys and data keys there are, and how much each holds.
    Status(status::Status),
    /// Wrap every data key with the active root key, so that a retired one can be removed.
    RotateRoot(FileOption),
    /// Give merchant accounts new data keys, and seal their credentials under them.
    RotateData(RotateData),
}

/// The options of `secrets rotate-data`.
#[derive(Debug, clap::Args)]
pub(crate) struct RotateData {
    #[command(flatten)]
    file: FileOption,
    /// Merchant account whose data key is replaced; may be repeated. Without it, those of all accounts.
    #[arg(long = "merchant-account", value_name = "ID")]
    merchant_accounts: Vec<String>,
}

/// Runs one of them.
pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Status(options) => status::run(&options).await,
        Command::RotateRoot(file) => rotate_root(&file).await,
        Command::RotateData(options) => rotate_data(&options).await,
    }
}

/// What the commands work with.
struct Vault {
    config: Config,
    database: Database,
    root_keys: RootKeys,
}

// === impl Vault ===

impl Vault {
    /// The schema is left as it is: a command beside running servers does not migrate.
    async fn open(file: &FileOption) -> anyhow::Result<Self> {
        let layers = Layers::load(Profile::Serve, file.config.as_deref(), std::env::vars_os())?;
        let config = Config::read(layers)?;
        let root_keys = storage::read_root_keys(&config)?;
        let database = storage::open(&config.database).await?;
        database.check_schema().await?;
        Ok(Self { config, database, root_keys })
    }

    /// A root key that opens nothing is a matter of its file, which the message should name.
    fn named<T>(&self, outcome: Result<T, RotationError>) -> anyhow::Result<T> {
        match outcome {
            Err(error @ RotationError::RootKey(_)) => Err(error).with_context(|| storage::root_key_files(&self.config)),
            outcome => Ok(outcome?),
        }
    }
}

async fn rotate_root(file: &FileOption) -> anyhow::Result<ExitCode> {
    let vault = Vault::open(file).await?;
    let ids = RandomIds::new();
    let ground = Ground {
        database: &vault.database,
        root_keys: &vault.root_keys,
        clock: &SystemClock,
        ids: &ids,
        command: "tollhouse secrets rotate-root",
    };
    let rewrapped = rotation::rotate_root(&ground).await;
    vault.database.close().await;
    let active = vault.root_keys.active().id();
    match vault.named(rewrapped)? {
        0 => output::words(&format!("Every data key was under root key {active} already."))?,
        1 => output::words(&format!("1 data key was wrapped anew. Every data key is under root key {active} now."))?,
        count => output::words(&format!("{count} data keys were wrapped anew. Every data key is under root key {active} now."))?,
    }
    if !vault.config.retired_root_key_files.is_empty() {
        let retired: Vec<String> = vault.config.retired_root_key_files.iter().map(|path| path.display().to_string()).collect();
        output::words(&format!(
            "Nothing here needs a former root key any more: when every server runs with this root key as vault.root_key_file, \
             remove from vault.retired_root_key_files: {}. Backups from before still need it, so keep the file as long as you keep them.",
            retired.join(", ")
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn rotate_data(options: &RotateData) -> anyhow::Result<ExitCode> {
    let vault = Vault::open(&options.file).await?;
    let catalogue = crate::compose::load(&vault.config)?;
    let accounts = accounts(&vault.database, &options.merchant_accounts).await?;
    let closed = rotate_accounts(&vault, &catalogue, &accounts).await;
    vault.database.close().await;
    match closed? {
        0 => Ok(ExitCode::SUCCESS),
        count => {
            output::words(&format!(
                "{count} values do not open and were left as they are, under the data keys that they had: load the definitions that are missing and \
                 run the command again, or enter the values anew."
            ))?;
            Ok(ExitCode::from(FAILED))
        }
    }
}

/// How many values do not open.
async fn rotate_accounts(vault: &Vault, catalogue: &Catalogue, accounts: &[MerchantAccountId]) -> anyhow::Result<usize> {
    let ids = RandomIds::new();
    let ground = Ground {
        database: &vault.database,
        root_keys: &vault.root_keys,
        clock: &SystemClock,
        ids: &ids,
        command: "tollhouse secrets rotate-data",
    };
    let mut closed = 0;
    for account in accounts {
        match vault.named(rotation::rotate_data(&ground, catalogue, account).await)? {
            None => output::words(&format!("Merchant account {account} has sealed nothing yet."))?,
            Some(done) => {
                output::words(&format!("Merchant account {account}: {}", sentence(&done)))?;
                for value in &done.closed {
                    output::words(&format!("  {value}"))?;
                }
                closed += done.closed.len();
            }
        }
    }
    Ok(closed)
}

/// What was done for one account.
fn sentence(done: &DataRotation) -> String {
    let versions = |versions: &[i64]| versions.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let start = match done.start {
        Start::Begun => "made",
        Start::Resumed => "gone on with",
    };
    let mut text = format!("version {} of the data key {start}, values sealed anew: {}", done.version, done.resealed);
    if !done.removed.is_empty() {
        text.push_str(&format!("; deleted: version {}", versions(&done.removed)));
    }
    if !done.kept.is_empty() {
        text.push_str(&format!("; still used: version {}", versions(&done.kept)));
    }
    text + "."
}

/// The accounts that are named, or all of them. One that does not exist stops the command before anything is done.
async fn accounts(database: &Database, named: &[String]) -> anyhow::Result<Vec<MerchantAccountId>> {
    let mut tx = database.read().await?;
    let all: Vec<MerchantAccountId> = store::merchant_accounts::all(&mut tx).await?.into_iter().map(|account| account.id).collect();
    if named.is_empty() {
        return Ok(all);
    }
    let known = |id: &String| {
        let known = all.iter().find(|account| account.as_str() == id).cloned();
        known.ok_or_else(|| UsageError(format!("--merchant-account {}: there is no such merchant account", id.escape_debug())))
    };
    Ok(named.iter().map(known).collect::<Result<_, _>>()?)
}
