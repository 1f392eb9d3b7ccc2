//! `tollhouse audit`: the whole audit log, and whether it is what was written. Both open the database themselves, beside a running server.

use std::path::Path;
use std::process::ExitCode;

use engine::audit::{self, CheckpointFile, Verdict};
use engine::vault::{RootKey, RootKeys};
use store::Database;
use store::audit_log::chain;

use super::exit::FAILED;
use super::{FileOption, output};
use crate::compose::storage;
use crate::config::layers::Layers;
use crate::config::{Config, Profile};

mod list;

/// The subcommands of `audit`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Compute every hash of the audit log again, and hold the log against its checkpoints.
    Verify(Verify),
    /// List entries, newest first: changes, and what the API does not show.
    List(list::List),
}

/// The options of `audit verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    file: FileOption,
    /// Where there is no checkpoint file, as on another machine: the hashes alone. An end that was cut off is not found then.
    #[arg(long)]
    without_checkpoint: bool,
}

/// Runs one of them.
pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify(options) => verify(&options).await,
        Command::List(options) => list::run(&options).await,
    }
}

async fn open(file: &FileOption) -> anyhow::Result<(Config, Database)> {
    let layers = Layers::load(Profile::Serve, file.config.as_deref(), std::env::vars_os())?;
    let config = Config::read(layers)?;
    let database = storage::open(&config.database).await?;
    database.check_schema().await?;
    Ok((config, database))
}

async fn verify(options: &Verify) -> anyhow::Result<ExitCode> {
    let (config, database) = open(&options.file).await?;
    let root_keys = RootKeys::read_files(&config.root_key_file, &config.retired_root_key_files)?;
    let root_keys: Vec<&RootKey> = root_keys.all().collect();
    let file = CheckpointFile::at(&config.audit_checkpoint_file);
    // The file first: what a server writes into it meanwhile is about entries that this transaction does not see.
    let lines = if options.without_checkpoint { None } else { file.read()? };
    if lines.is_none() && !options.without_checkpoint {
        output::words(&no_checkpoints(file.path()))?;
        return Ok(ExitCode::from(FAILED));
    }
    let mut tx = database.read().await?;
    let installation = chain::head(&mut tx).await?.installation;
    let checkpoints = file.trusted(lines.unwrap_or_default(), &root_keys, installation)?;
    let verdict = audit::verify(&mut tx, &checkpoints).await?;
    drop(tx);
    database.close().await;
    match verdict {
        Verdict::Sound(sound) => {
            let (entries, hash) = (sound.head.counted, sound.head.hash);
            let held = match checkpoints.last() {
                Some(last) => format!("{}, the last one at entry {} of {}", holding(sound.checkpoints), last.sequence, last.at),
                None => "it was not held against a checkpoint".to_owned(),
            };
            output::data(&format!("The audit log is sound: {entries} entries, head {hash}; {held}."))?;
            Ok(ExitCode::SUCCESS)
        }
        Verdict::Flawed(finding) => {
            output::data(&format!("The audit log is not what was written: {finding}."))?;
            Ok(ExitCode::from(FAILED))
        }
    }
}

fn holding(checkpoints: usize) -> String {
    match checkpoints {
        1 => "1 checkpoint holds".to_owned(),
        several => format!("{several} checkpoints hold"),
    }
}

fn no_checkpoints(path: &Path) -> String {
    format!(
        "error: there are no audit checkpoints at {}: a server of this configuration writes them from its start on. Name the file with audit.checkpoint_file, or verify the hashes alone with --without-checkpoint; if the file was there, somebody has removed it",
        path.display()
    )
}
