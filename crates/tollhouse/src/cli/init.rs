//! `tollhouse init`: the first start of production.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use domain::Secret;
use domain::api_key_pair::ApiKeyPair;
use engine::bootstrap::{self, BootstrapError, FirstKey, Ground};
use engine::signing::SigningKey;
use engine::vault::{RootKey, RootKeyError, RootKeys};
use engine::{RandomIds, SystemClock};
use store::Database;

use super::durability::DurabilityOption;
use super::exit::UsageError;
use super::{FileOption, output};
use crate::compose::storage;
use crate::config::layers::Layers;
use crate::config::{Config, Profile};

/// The options of `init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    #[command(flatten)]
    file: FileOption,
    /// Public key of a key pair of your own (PEM, P-521). Without it a pair is made.
    #[arg(long, value_name = "PEM", conflicts_with = "key_out")]
    public_key: Option<PathBuf>,
    /// New file for the private key that is made. Without it the key is printed, and kept nowhere.
    #[arg(long, value_name = "FILE")]
    key_out: Option<PathBuf>,
    #[command(flatten)]
    durability: DurabilityOption,
}

/// What the first key pair is called.
const NAME: &str = "First key pair";

/// Prepares the database that the configuration names.
pub(crate) async fn run(options: &Init) -> anyhow::Result<ExitCode> {
    let layers = Layers::load(Profile::Serve, options.file.config.as_deref(), std::env::vars_os())?;
    let mut config = Config::read(layers)?;
    options.durability.apply(&mut config);
    let public_key = match &options.public_key {
        Some(path) => Some(read_public_key(path)?),
        None => None,
    };
    // Read before the database is made: a key that can not be used leaves nothing behind.
    let present = if config.root_key_file.exists() { Some(storage::read_root_keys(&config)?) } else { None };
    let database = storage::open(&config.database).await?;
    database.migrate().await?;
    let root_keys = match present {
        Some(keys) => keys,
        None => first_root_key(&config, &database).await?,
    };
    let ids = RandomIds::new();
    let ground = Ground { database: &database, root_keys: &root_keys, clock: &SystemClock, ids: &ids, command: "tollhouse init" };
    let done = match public_key {
        Some(pem) => bootstrap::init(&ground, FirstKey::Registered(pem), NAME).await.map(|(pair, _)| pair).map_err(Into::into),
        None => with_new_key(&ground, options.key_out.as_deref()).await,
    };
    database.close().await;
    let done = done.map_err(|error| of_root_keys(error, &config))?;
    output::words(&format!("API key pair {} has full access to all merchant accounts. Start the server with `tollhouse serve`.", done.id))?;
    Ok(ExitCode::SUCCESS)
}

fn read_public_key(path: &Path) -> Result<String, UsageError> {
    std::fs::read_to_string(path).map_err(|error| UsageError(format!("the public key {}: {error}", path.display())))
}

/// Makes the root key of a database that has sealed nothing yet. Beside one that has, the missing key is a loss that must be told and not papered over.
async fn first_root_key(config: &Config, database: &Database) -> anyhow::Result<RootKeys> {
    let file = &config.root_key_file;
    let mut tx = database.read().await?;
    if !store::data_keys::all(&mut tx).await?.is_empty() {
        return Err(RootKeyError::Missing(file.clone()).into());
    }
    drop(tx);
    RootKey::generate(file)?;
    output::words(&format!("The root key is {}. Keep a copy: without it the stored credentials can not be opened.", file.display()))?;
    Ok(storage::read_root_keys(config)?)
}

/// A root key that opens nothing is a matter of its file, which the message should name.
fn of_root_keys(error: anyhow::Error, config: &Config) -> anyhow::Error {
    match error.downcast_ref() {
        Some(BootstrapError::RootKey(_)) => error.context(storage::root_key_files(config)),
        Some(_) | None => error,
    }
}

/// The private key is on disk before the database knows the public one: the other way round, a full disk would lose the only key there is.
async fn with_new_key(ground: &Ground<'_>, key_out: Option<&Path>) -> anyhow::Result<ApiKeyPair> {
    let key = SigningKey::generate();
    if let Some(path) = key_out {
        write_private(path, &key.to_pem()).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                UsageError(format!("{} exists already and is not overwritten: name another file with --key-out", path.display()))
            }
            _ => UsageError(format!("the private key can not be written to {}: {error}", path.display())),
        })?;
    }
    match bootstrap::init(ground, FirstKey::Registered(key.public().to_pem()), NAME).await {
        Ok((pair, _)) => {
            match key_out {
                Some(path) => output::words(&format!("The private key is {}. It signs tokens and is kept nowhere else.", path.display()))?,
                None => output::data(key.to_pem().expose_str().context("the private key is not text")?)?,
            }
            Ok(pair)
        }
        Err(error) => {
            if let Some(path) = key_out {
                std::fs::remove_file(path).with_context(|| format!("{} holds a key that opens nothing: remove it", path.display()))?;
            }
            Err(error.into())
        }
    }
}

/// Writes a secret to a new file that only its owner may read.
pub(crate) fn write_private(path: &Path, secret: &Secret) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret.expose())?;
    file.sync_all()
}
