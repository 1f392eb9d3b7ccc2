//! The database and the root keys as commands open them, and the permissions of the directory they are in.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use engine::vault::{RootKeyError, RootKeys};
use store::Database;
use tracing::warn;

use crate::cli::exit::UsageError;
use crate::config::{self, Config, Migration};

/// What everybody on the machine may do with a directory.
const EVERYBODY: u32 = 0o007;

/// Opens the database without looking at its schema. One that can lose what it acknowledges is refused, or named in the log each time.
pub(crate) async fn open(config: &config::Database) -> anyhow::Result<Database> {
    let url = config.url.expose_str().context("the database URL is not text")?;
    if let Some(file) = sqlite_file(url) {
        refuse_open_directory(&file)?;
    }
    let database = Database::open_allowing(url, config.weak).await?;
    for setting in database.durability().iter().filter(|setting| !setting.holds) {
        warn!(
            setting = setting.name,
            value = setting.value,
            wanted = setting.wanted,
            "Acknowledged writes can be lost: the database is not durable, and --unsafe-durability accepts that."
        );
    }
    Ok(database)
}

/// Opens the database of a server and brings it up to date, if that is the server's business.
pub(crate) async fn open_for_service(config: &Config) -> anyhow::Result<(Database, RootKeys)> {
    let root_keys = read_root_keys(config)?;
    let database = open(&config.database).await?;
    match config.database.migration {
        Migration::AtStart => database.migrate().await?,
        Migration::ByHand => database.check_schema().await?,
    }
    Ok((database, root_keys))
}

/// The root keys that the configuration names.
pub(crate) fn read_root_keys(config: &Config) -> Result<RootKeys, RootKeyError> {
    RootKeys::read_files(&config.root_key_file, &config.retired_root_key_files)
}

/// The files of the root keys, for the message that none of them opens the database.
pub(crate) fn root_key_files(config: &Config) -> String {
    let active = config.root_key_file.display();
    match config.retired_root_key_files.as_slice() {
        [] => format!("the root key file {active}"),
        retired => {
            let retired: Vec<String> = retired.iter().map(|path| path.display().to_string()).collect();
            format!("the root key files {active}, {}", retired.join(", "))
        }
    }
}

/// The file behind an SQLite URL.
fn sqlite_file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.split('?').next().unwrap_or(path);
    Some(PathBuf::from(path))
}

/// The database and its log hold sealed credentials and buyers' references. A directory that everybody may list or enter is a mistake.
pub(crate) fn refuse_open_directory(file: &Path) -> anyhow::Result<()> {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // A directory that does not exist is the database's to complain about.
    let Ok(metadata) = std::fs::metadata(directory) else { return Ok(()) };
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & EVERYBODY != 0 {
        let shown = directory.display();
        let message = format!(
            "the data directory {shown} is open to everybody (mode {mode:04o}): run `chmod 700 {shown}`, or keep the data in a directory of its own"
        );
        return Err(UsageError(message).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r48_a_data_directory_that_everybody_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tollhouse.db");
        let set = |mode| std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        set(0o755);
        let error = refuse_open_directory(&file).unwrap_err().to_string();
        assert!(error.contains("chmod 700") && error.contains("0755"), "{error}");
        set(0o700);
        assert!(refuse_open_directory(&file).is_ok());
    }

    #[test]
    fn the_file_is_what_follows_the_scheme() {
        for (url, file) in [("sqlite:///a/b.db", Some("/a/b.db")), ("sqlite://b.db?mode=rwc", Some("b.db")), ("postgres://h/d", None)] {
            assert_eq!(sqlite_file(url), file.map(PathBuf::from), "{url}");
        }
    }
}
