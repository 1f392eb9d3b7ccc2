//! Which server, whose key, which merchant account.

use std::path::PathBuf;

use clap::Args;
use tollhouse_client::Client;

use super::failure::Failure;
use super::output::Format;

/// How the server is found. The defaults are those of `tollhouse dev`.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// Base URL of the server
    #[arg(long, env = "TOLLHOUSE_URL", default_value = "http://127.0.0.1:8080", global = true)]
    url: String,
    /// Private key of an API key pair (PKCS#8 PEM)
    #[arg(long, env = "TOLLHOUSE_KEY_FILE", value_name = "FILE", default_value = "./tollhouse-data/private_key.pem", global = true)]
    key_file: PathBuf,
    /// Merchant account to work in; the key decides unless it is named
    #[arg(long, value_name = "ID", global = true)]
    pub(crate) merchant_account: Option<String>,
    /// Print the server's JSON on a terminal too
    #[arg(long, global = true)]
    json: bool,
}

// === impl Connection ===

impl Connection {
    /// A client of that server. Nothing is sent yet.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let pem = std::fs::read_to_string(&self.key_file).map_err(|error| {
            let hint = "name the key with --key-file or TOLLHOUSE_KEY_FILE; `tollhouse dev` writes one into its data directory";
            Failure::Usage(format!("the key file {} can not be read: {error}; {hint}", self.key_file.display()))
        })?;
        let builder = Client::builder().server_url(&self.url).private_key(pem);
        Ok(match &self.merchant_account {
            Some(account) => builder.merchant_account(account).build()?,
            None => builder.build()?,
        })
    }

    /// How answers are written.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::detect() }
    }
}
