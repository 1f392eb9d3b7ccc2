//! Everything that a session needs to know, read at once, so that sessions read nothing.

use domain::api_key_pair::ApiKeyPair;
use domain::merchant_account::MerchantAccount;
use domain::payment_service::{PaymentService, SealedField};
use domain::role::Role;

use crate::data_keys::WrappedDataKey;
use crate::{StoreError, Tx, api_key_pairs, data_keys, merchant_accounts, payment_services, roles};

/// The configuration of the installation as of one version.
#[derive(Clone, Debug)]
pub struct StoredSnapshot {
    /// Moves with every change.
    pub version: i64,
    /// By id.
    pub accounts: Vec<MerchantAccount>,
    /// Newest first.
    pub roles: Vec<Role>,
    /// Newest first.
    pub key_pairs: Vec<ApiKeyPair>,
    /// Those that are not deleted, by account and id, with their fields.
    pub services: Vec<(PaymentService, Vec<SealedField>)>,
    /// By account and version.
    pub data_keys: Vec<WrappedDataKey>,
}

statements! {
    VERSION = "SELECT version FROM instance WHERE id = 1";
}

/// Reads the configuration: one state of it, since a transaction sees one state.
pub async fn load(tx: &mut Tx) -> Result<StoredSnapshot, StoreError> {
    Ok(StoredSnapshot {
        version: version(tx).await?,
        accounts: merchant_accounts::all(tx).await?,
        roles: roles::all(tx).await?,
        key_pairs: api_key_pairs::all(tx).await?,
        services: payment_services::all_with_fields(tx).await?,
        data_keys: data_keys::all(tx).await?,
    })
}

/// The version of the configuration, to see whether a snapshot is old.
pub async fn version(tx: &mut Tx) -> Result<i64, StoreError> {
    let (version,) = run!(tx, one(i64,), VERSION)?;
    Ok(version)
}
