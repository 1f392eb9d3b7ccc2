//! The data directory of `dev`: made with its two keys where it is not there.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use engine::signing::SigningKey;
use engine::vault::RootKey;

use crate::cli::exit::UsageError;
use crate::cli::init::write_private;
use crate::config::Config;

/// The key pair of whoever develops.
pub(super) struct Keys {
    /// All scopes, all merchant accounts.
    pub(super) private_key: SigningKey,
    /// Where it is.
    pub(super) private_key_file: PathBuf,
}

/// Makes what is missing.
pub(super) fn prepare(data: &Path, config: &Config) -> anyhow::Result<Keys> {
    make_directory(data).map_err(|error| UsageError(format!("the data directory {} can not be made: {error}", data.display())))?;
    // Beside a database that is there, a missing root key is a loss that must be told and not papered over.
    let has_database = data.join("tollhouse.db").exists();
    if !config.root_key_file.exists() && !has_database {
        RootKey::generate(&config.root_key_file)?;
    }
    let private_key_file = data.join("private_key.pem");
    let private_key = if private_key_file.exists() {
        let pem = std::fs::read_to_string(&private_key_file).with_context(|| format!("the key file {}", private_key_file.display()))?;
        SigningKey::from_pem(&pem).map_err(|error| UsageError(format!("the key file {}: {error}", private_key_file.display())))?
    } else {
        let key = SigningKey::generate();
        write_private(&private_key_file, &key.to_pem()).with_context(|| format!("the key file {}", private_key_file.display()))?;
        key
    };
    Ok(Keys { private_key, private_key_file })
}

/// A new directory, or an empty one, is closed to others. One that holds something is left as it is: opening the database looks at it.
fn make_directory(data: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data)?;
    if std::fs::read_dir(data)?.next().is_none() {
        std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
