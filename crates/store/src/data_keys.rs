//! Data keys: one or more per merchant account, wrapped by a root key.

use domain::{MerchantAccountId, Timestamp};

use crate::row::At;
use crate::{StoreError, Tx};

/// A wrapped data key. What unwraps it is the vault's business.
#[derive(Clone, Debug)]
pub struct WrappedDataKey {
    /// Whose credentials it seals.
    pub account: MerchantAccountId,
    /// Counts up from 1; the highest one seals.
    pub version: i64,
    /// Which root key wraps it.
    pub root_key_id: String,
    /// Nonce, ciphertext and tag.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

statements! {
    INSERT = "INSERT INTO data_keys (merchant_account_id, version, root_key_id, wrapped, created_at) VALUES ($1, $2, $3, $4, $5) \
              ON CONFLICT DO NOTHING";
    ALL_KEYS = "SELECT merchant_account_id, version, root_key_id, wrapped, created_at FROM data_keys ORDER BY merchant_account_id, version";
}

/// Adds a key; `false` if the account has that version already.
pub async fn insert(tx: &mut Tx, key: &WrappedDataKey) -> Result<bool, StoreError> {
    let rows = run!(tx, execute, INSERT, key.account.as_str(), key.version, &key.root_key_id, &key.wrapped, key.created_at.micros())?;
    Ok(rows > 0)
}

/// Every key of every account, by account and version.
pub async fn all(tx: &mut Tx) -> Result<Vec<WrappedDataKey>, StoreError> {
    let rows = run!(tx, all(String, i64, String, Vec<u8>, i64), ALL_KEYS)?;
    rows.into_iter()
        .map(|(account, version, root_key_id, wrapped, created_at)| {
            let at = At { table: "data_keys", id: &format!("{account}/{version}") };
            let account = at.known("merchant_account_id", MerchantAccountId::parse(&account))?;
            Ok(WrappedDataKey { account, version, root_key_id, wrapped, created_at: Timestamp::from_micros(created_at) })
        })
        .collect()
}
