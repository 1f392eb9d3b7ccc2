//! `tollhouse init`: the first start of production.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use domain::Secret;
use engine::bootstrap::{self, FirstKey, Ground};
use engine::vault::RootKey;
use engine::{RandomIds, SystemClock};

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
}

/// Prepares the database that the configuration names.
pub(crate) async fn run(options: &Init) -> anyhow::Result<ExitCode> {
    let layers = Layers::load(Profile::Serve, options.file.config.as_deref(), std::env::vars_os())?;
    let config = Config::read(layers)?;
    let first_key = match &options.public_key {
        Some(path) => FirstKey::Registered(
            std::fs::read_to_string(path).map_err(|error| UsageError(format!("the public key {}: {error}", path.display())))?,
        ),
        None => FirstKey::Generated,
    };
    if let Some(path) = options.key_out.as_deref().filter(|path| path.exists()) {
        return Err(
            UsageError(format!("{} exists already and is not overwritten: name another file with --key-out", path.display())).into()
        );
    }
    let database = storage::open(&config.database).await?;
    database.migrate().await?;
    let root_key = if config.root_key_file.exists() {
        RootKey::read_file(&config.root_key_file)?
    } else {
        let key = RootKey::generate(&config.root_key_file)?;
        output::words(&format!(
            "The root key is {}. Keep a copy: without it the stored credentials can not be opened.",
            config.root_key_file.display()
        ))?;
        key
    };
    let ids = RandomIds::new();
    let ground = Ground { database: &database, root_key: &root_key, clock: &SystemClock, ids: &ids, command: "tollhouse init" };
    let (pair, private_key) = bootstrap::init(&ground, first_key, "First key pair").await?;
    // Only a key that opens something is written: whoever has lost one finds a database that refuses to begin again.
    if let Some(private_key) = private_key {
        hand_over(&private_key, options.key_out.as_deref())?;
    }
    output::words(&format!("API key pair {} has full access to all merchant accounts. Start the server with `tollhouse serve`.", pair.id))?;
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

fn hand_over(private_key: &Secret, to: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = to else {
        let pem = private_key.expose_str().context("the private key is not text")?;
        return Ok(output::data(pem)?);
    };
    write_private(path, private_key).with_context(|| format!("the private key can not be written to {}", path.display()))?;
    Ok(output::words(&format!("The private key is {}. It signs tokens and is kept nowhere else.", path.display()))?)
}

/// Writes a secret to a new file that only its owner may read.
pub(crate) fn write_private(path: &Path, secret: &Secret) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret.expose())?;
    file.sync_all()
}
