//! `tollhouse secrets status`: the histogram of a rotation.

use std::process::ExitCode;

use engine::rotation::{self, KeyStatus, RootKeyRole};
use serde_json::json;

use super::super::remote::output::{Format, print};
use super::super::remote::table;
use super::{FileOption, Vault};

/// The options of `secrets status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    #[command(flatten)]
    file: FileOption,
    /// Print JSON on a terminal too.
    #[arg(long)]
    json: bool,
}

/// Prints which keys there are. Nothing is opened, so it tells of keys whose root key is lost as well.
pub(super) async fn run(options: &Status) -> anyhow::Result<ExitCode> {
    let vault = Vault::open(&options.file).await?;
    let status = rotation::status(&vault.database, &vault.root_keys).await;
    vault.database.close().await;
    let status = status?;
    match if options.json { Format::Json } else { Format::detect() } {
        Format::Json => print(&as_json(&status))?,
        Format::Table => print(&as_tables(&status))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(status: &KeyStatus) -> String {
    let root_keys = status.root_keys.iter().map(|key| json!({ "id": key.id, "role": word(key.role), "data_keys": key.data_keys }));
    let data_keys = status.data_keys.iter().map(|key| {
        json!({
            "merchant_account_id": key.account.as_str(),
            "version": key.version,
            "root_key_id": key.root_key,
            "sealed_values": key.values,
            "sealed_answers": key.answers,
        })
    });
    let object = json!({ "root_keys": root_keys.collect::<Vec<_>>(), "data_keys": data_keys.collect::<Vec<_>>() });
    object.to_string()
}

fn as_tables(status: &KeyStatus) -> String {
    let root_keys = status.root_keys.iter().map(|key| vec![key.id.clone(), word(key.role).to_owned(), key.data_keys.to_string()]);
    let data_keys = status.data_keys.iter().map(|key| {
        let numbers = [key.values, key.answers].map(|number| number.to_string());
        [&[key.account.to_string(), key.version.to_string(), key.root_key.clone()][..], &numbers].concat()
    });
    let roots = table::of_rows(&["ROOT KEY", "ROLE", "DATA KEYS"], root_keys);
    let keys = table::of_rows(&["MERCHANT ACCOUNT", "DATA KEY", "ROOT KEY", "SEALED VALUES", "SEALED ANSWERS"], data_keys);
    format!("{roots}\n{keys}")
}

fn word(role: RootKeyRole) -> &'static str {
    match role {
        RootKeyRole::Active => "active",
        RootKeyRole::Retired => "retired",
        RootKeyRole::Unknown => "unknown",
    }
}
