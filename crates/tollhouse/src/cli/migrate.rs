//! `tollhouse migrate`: the schema, without a server.

use std::process::ExitCode;

use super::{FileOption, output};
use crate::compose::storage;
use crate::config::{Config, Profile};

/// Brings the database up to date. Running servers of the version before go on working.
pub(crate) async fn run(options: &FileOption) -> anyhow::Result<ExitCode> {
    let layers = crate::config::layers::Layers::load(Profile::Serve, options.config.as_deref(), std::env::vars_os())?;
    let config = Config::read(layers)?;
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
