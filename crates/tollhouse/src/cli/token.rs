//! `tollhouse token`: signs a token with a private key and prints it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tollhouse_client::SigningKey;

use super::exit::UsageError;
use super::output;

/// Where `dev` leaves its key.
pub(crate) const KEY_FILE: &str = "./tollhouse-data/private_key.pem";

/// The options of `token`.
#[derive(Debug, clap::Args)]
pub(crate) struct Token {
    /// Private key of an API key pair (PKCS#8 PEM, P-521).
    #[arg(long, value_name = "FILE", env = "TOLLHOUSE_KEY_FILE", default_value = KEY_FILE)]
    key_file: PathBuf,
    /// Scopes, separated by commas. The server grants those that the key pair's roles have as well.
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', default_values = ["*.read", "*.write"])]
    scopes: Vec<String>,
    /// How long the token is valid: 30s, 15m, 1h, 7d.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = super::duration::parse)]
    expires: Duration,
}

/// Prints one token.
pub(crate) fn run(options: &Token) -> anyhow::Result<ExitCode> {
    let key = read_key(&options.key_file)?;
    output::data(&key.token(&options.scopes, options.expires)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a private key.
pub(crate) fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let pem = std::fs::read_to_string(path).map_err(|error| {
        UsageError(format!("the key file {}: {error}. Name another with --key-file; `tollhouse dev` makes {KEY_FILE}", path.display()))
    })?;
    SigningKey::from_pem(&pem).map_err(|error| UsageError(error.to_string())).with_context(|| format!("the key file {}", path.display()))
}
