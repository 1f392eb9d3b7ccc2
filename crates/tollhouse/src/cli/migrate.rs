//! `tollhouse migrate`: the schema, without a server.

use std::process::ExitCode;

use super::durability::DurabilityOption;
use super::{FileOption, output};
use crate::compose::storage;
use crate::config::{Config, Profile};

/// The options of `migrate`.
#[derive(Debug, clap::Args)]
pub(crate) struct MigrateOptions {
    #[command(flatten)]
    file: FileOption,
    #[command(flatten)]
    durability: DurabilityOption,
}

/// Brings the database up to date. Running servers of the version before go on working.
pub(crate) async fn run(options: &MigrateOptions) -> anyhow::Result<ExitCode> {
    let layers = crate::config::layers::Layers::load(Profile::Serve, options.file.config.as_deref(), std::env::vars_os())?;
    let mut config = Config::read(layers)?;
    options.durability.apply(&mut config);
    let database = storage::open(&config.database).await?;
    database.migrate().await?;
    // Entries of a version that knew no chain belong to it from now on.
    let mut tx = database.write().await?;
    store::audit_log::chain::chain_rest(&mut tx).await?;
    tx.commit().await?;
    database.close().await;
    output::words("The database is up to date.")?;
    Ok(ExitCode::SUCCESS)
}
