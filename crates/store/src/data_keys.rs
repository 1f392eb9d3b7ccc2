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

/// How much is sealed under one version of an account's data key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Whose data key.
    pub account: MerchantAccountId,
    /// Which version of it.
    pub version: i64,
    /// Fields of payment services and secrets of the account.
    pub values: i64,
    /// Answers of idempotency keys, which live for a day and are never sealed anew.
    pub answers: i64,
}

macro_rules! columns {
    () => {
        "merchant_account_id, version, root_key_id, wrapped, created_at"
    };
}

statements! {
    INSERT = "INSERT INTO data_keys (merchant_account_id, version, root_key_id, wrapped, created_at) VALUES ($1, $2, $3, $4, $5) \
              ON CONFLICT DO NOTHING";
    ALL_KEYS = concat!("SELECT ", columns!(), " FROM data_keys ORDER BY merchant_account_id, version");
    OF_ACCOUNT = concat!("SELECT ", columns!(), " FROM data_keys WHERE merchant_account_id = $1 ORDER BY version");
    NOT_UNDER = concat!("SELECT ", columns!(), " FROM data_keys WHERE root_key_id <> $1 ORDER BY merchant_account_id, version LIMIT $2");
    WRAP_ANEW = "UPDATE data_keys SET root_key_id = $3, wrapped = $4 WHERE merchant_account_id = $1 AND version = $2";
    REMOVE_UNUSED = "DELETE FROM data_keys WHERE merchant_account_id = $1 \
                     AND version < (SELECT MAX(version) FROM data_keys WHERE merchant_account_id = $1) \
                     AND NOT EXISTS (SELECT 1 FROM payment_service_fields f \
                                     WHERE f.merchant_account_id = data_keys.merchant_account_id AND f.data_key_version = data_keys.version) \
                     AND NOT EXISTS (SELECT 1 FROM merchant_account_secrets s \
                                     WHERE s.merchant_account_id = data_keys.merchant_account_id AND s.data_key_version = data_keys.version) \
                     AND NOT EXISTS (SELECT 1 FROM idempotency_keys k \
                                     WHERE k.merchant_account_id = data_keys.merchant_account_id AND k.data_key_version = data_keys.version) \
                     RETURNING version";
    USAGE = "SELECT merchant_account_id, data_key_version, CAST(SUM(sealed_values) AS BIGINT), CAST(SUM(sealed_answers) AS BIGINT) FROM ( \
             SELECT merchant_account_id, data_key_version, COUNT(*) AS sealed_values, 0 AS sealed_answers FROM payment_service_fields \
             GROUP BY merchant_account_id, data_key_version \
             UNION ALL \
             SELECT merchant_account_id, data_key_version, COUNT(*) AS sealed_values, 0 AS sealed_answers FROM merchant_account_secrets \
             GROUP BY merchant_account_id, data_key_version \
             UNION ALL \
             SELECT merchant_account_id, data_key_version, 0 AS sealed_values, COUNT(*) AS sealed_answers FROM idempotency_keys \
             WHERE data_key_version IS NOT NULL GROUP BY merchant_account_id, data_key_version) AS used \
             GROUP BY merchant_account_id, data_key_version ORDER BY merchant_account_id, data_key_version";
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    merchant_account_id: String,
    version: i64,
    root_key_id: String,
    wrapped: Vec<u8>,
    created_at: i64,
}

/// Adds a key; `false` if the account has that version already.
pub async fn insert(tx: &mut Tx, key: &WrappedDataKey) -> Result<bool, StoreError> {
    let rows = run!(tx, execute, INSERT, key.account.as_str(), key.version, &key.root_key_id, &key.wrapped, key.created_at.micros())?;
    Ok(rows > 0)
}

/// Every key of every account, by account and version.
pub async fn all(tx: &mut Tx) -> Result<Vec<WrappedDataKey>, StoreError> {
    run!(tx, all KeyRow, ALL_KEYS)?.into_iter().map(WrappedDataKey::try_from).collect()
}

/// Every key of one account, by version.
pub async fn of_account(tx: &mut Tx, account: &MerchantAccountId) -> Result<Vec<WrappedDataKey>, StoreError> {
    run!(tx, all KeyRow, OF_ACCOUNT, account.as_str())?.into_iter().map(WrappedDataKey::try_from).collect()
}

/// The first few keys that another root key than this one wraps, by account and version.
pub async fn not_under(tx: &mut Tx, root_key_id: &str, limit: i64) -> Result<Vec<WrappedDataKey>, StoreError> {
    run!(tx, all KeyRow, NOT_UNDER, root_key_id, limit)?.into_iter().map(WrappedDataKey::try_from).collect()
}

/// Replaces what wraps a key; the key itself stays the same. `false` if there is no such key.
pub async fn wrap_anew(tx: &mut Tx, key: &WrappedDataKey) -> Result<bool, StoreError> {
    Ok(run!(tx, execute, WRAP_ANEW, key.account.as_str(), key.version, &key.root_key_id, &key.wrapped)? > 0)
}

/// Deletes the former keys of an account that seal nothing any more, and answers their versions.
pub async fn remove_unused(tx: &mut Tx, account: &MerchantAccountId) -> Result<Vec<i64>, StoreError> {
    let rows = run!(tx, all(i64,), REMOVE_UNUSED, account.as_str())?;
    Ok(rows.into_iter().map(|(version,)| version).collect())
}

/// How many values and answers are sealed under which key, by account and version. A key that seals nothing is not among them.
pub async fn usage(tx: &mut Tx) -> Result<Vec<Usage>, StoreError> {
    let rows = run!(tx, all(String, i64, i64, i64), USAGE)?;
    rows.into_iter()
        .map(|(account, version, values, answers)| {
            let at = At { table: "data_keys", id: &format!("{account}/{version}") };
            Ok(Usage { account: at.known("merchant_account_id", MerchantAccountId::parse(&account))?, version, values, answers })
        })
        .collect()
}

impl TryFrom<KeyRow> for WrappedDataKey {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        let at = At { table: "data_keys", id: &format!("{}/{}", row.merchant_account_id, row.version) };
        let account = at.known("merchant_account_id", MerchantAccountId::parse(&row.merchant_account_id))?;
        let KeyRow { version, root_key_id, wrapped, created_at, .. } = row;
        Ok(Self { account, version, root_key_id, wrapped, created_at: Timestamp::from_micros(created_at) })
    }
}
