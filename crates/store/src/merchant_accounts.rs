//! Merchant accounts and their sealed members.

use domain::merchant_account::{MerchantAccount, MerchantAccountSettings};
use domain::page::{Page, PageRequest, Position};
use domain::{MerchantAccountId, Scope, Timestamp};

use crate::row::{self, At};
use crate::{StoreError, Tx};

/// A secret member of a merchant account, sealed. What opens it is the vault's business.
#[derive(Clone, Debug)]
pub struct SealedSecret {
    /// The member's name.
    pub key: String,
    /// Version of the account's data key it is sealed under.
    pub data_key_version: i64,
    /// Nonce, ciphertext and tag.
    pub sealed: Vec<u8>,
}

/// Longest term that is looked for: a display name has at most 255 characters, so that nothing holds a longer one, and SQLite refuses patterns of more than 50,000 bytes.
const SEARCH_CHARACTERS_MAX: usize = 255;

macro_rules! columns {
    () => {
        "id, display_name, account_updater_enabled, account_updater_request_encryption_key, account_updater_request_encryption_key_id, \
         account_updater_response_decryption_key_id, over_capture_amount, over_capture_percentage, loon_client_key, loon_accepted_schemes, \
         loon_merchant_account_id, visa_network_tokens_requestor_id, visa_network_tokens_app_id, amex_network_tokens_requestor_id, \
         amex_network_tokens_app_id, mastercard_network_tokens_requestor_id, mastercard_network_tokens_app_id, \
         discover_network_tokens_requestor_id, discover_network_tokens_app_id, async_network_tokens_enabled, created_at, updated_at"
    };
}

statements! {
    INSERT = concat!(
        "INSERT INTO merchant_accounts (", columns!(), ") \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) ON CONFLICT DO NOTHING"
    );
    UPDATE = "UPDATE merchant_accounts SET display_name = $2, account_updater_enabled = $3, account_updater_request_encryption_key = $4, \
              account_updater_request_encryption_key_id = $5, account_updater_response_decryption_key_id = $6, over_capture_amount = $7, \
              over_capture_percentage = $8, loon_client_key = $9, loon_accepted_schemes = $10, loon_merchant_account_id = $11, \
              visa_network_tokens_requestor_id = $12, visa_network_tokens_app_id = $13, amex_network_tokens_requestor_id = $14, \
              amex_network_tokens_app_id = $15, mastercard_network_tokens_requestor_id = $16, mastercard_network_tokens_app_id = $17, \
              discover_network_tokens_requestor_id = $18, discover_network_tokens_app_id = $19, async_network_tokens_enabled = $20, \
              created_at = $21, updated_at = $22 WHERE id = $1";
    GET = concat!("SELECT ", columns!(), " FROM merchant_accounts WHERE id = $1");
    ALL_ACCOUNTS = concat!("SELECT ", columns!(), " FROM merchant_accounts ORDER BY id");
    PUT_SECRET = "INSERT INTO merchant_account_secrets (merchant_account_id, secret_key, data_key_version, sealed) VALUES ($1, $2, $3, $4) \
                  ON CONFLICT (merchant_account_id, secret_key) DO UPDATE SET data_key_version = excluded.data_key_version, sealed = excluded.sealed";
    REMOVE_SECRET = "DELETE FROM merchant_account_secrets WHERE merchant_account_id = $1 AND secret_key = $2";
    SECRETS = "SELECT secret_key, data_key_version, sealed FROM merchant_account_secrets WHERE merchant_account_id = $1 ORDER BY secret_key";
    [newest_first] {
        LIST = concat!(
            "SELECT ", columns!(), " FROM merchant_accounts \
             WHERE (lower(id) LIKE lower($4) ESCAPE '\\' OR lower(display_name) LIKE lower($4) ESCAPE '\\') \
             AND (replace($5, ',' || id || ',', '') <> $5 OR $5 IS NULL)"
        );
    }
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    id: String,
    display_name: String,
    account_updater_enabled: bool,
    account_updater_request_encryption_key: Option<String>,
    account_updater_request_encryption_key_id: Option<String>,
    account_updater_response_decryption_key_id: Option<String>,
    over_capture_amount: Option<i64>,
    over_capture_percentage: Option<i64>,
    loon_client_key: Option<String>,
    loon_accepted_schemes: Option<String>,
    loon_merchant_account_id: Option<String>,
    visa_network_tokens_requestor_id: Option<String>,
    visa_network_tokens_app_id: Option<String>,
    amex_network_tokens_requestor_id: Option<String>,
    amex_network_tokens_app_id: Option<String>,
    mastercard_network_tokens_requestor_id: Option<String>,
    mastercard_network_tokens_app_id: Option<String>,
    discover_network_tokens_requestor_id: Option<String>,
    discover_network_tokens_app_id: Option<String>,
    async_network_tokens_enabled: bool,
    created_at: i64,
    updated_at: i64,
}

/// Adds an account; `false` if the id is taken. Its data key must be inserted in the same transaction if it has secrets.
pub async fn insert(tx: &mut Tx, account: &MerchantAccount, secrets: &[SealedSecret]) -> Result<bool, StoreError> {
    if write(tx, INSERT, account).await? == 0 {
        return Ok(false);
    }
    let scope = Scope::of(account.id.clone());
    for secret in secrets {
        put_secret(tx, &scope, secret).await?;
    }
    Ok(true)
}

/// Replaces an account's settings; `false` if there is no such account.
pub async fn update(tx: &mut Tx, account: &MerchantAccount) -> Result<bool, StoreError> {
    Ok(write(tx, UPDATE, account).await? > 0)
}

/// One account.
pub async fn get(tx: &mut Tx, id: &MerchantAccountId) -> Result<Option<MerchantAccount>, StoreError> {
    run!(tx, optional AccountRow, GET, id.as_str())?.map(MerchantAccount::try_from).transpose()
}

/// Every account, by id: for the snapshot.
pub async fn all(tx: &mut Tx) -> Result<Vec<MerchantAccount>, StoreError> {
    run!(tx, all AccountRow, ALL_ACCOUNTS)?.into_iter().map(MerchantAccount::try_from).collect()
}

/// Accounts newest first. `search` is found anywhere in id or display name, whatever its case; `visible` leaves out all others.
pub async fn list(
    tx: &mut Tx,
    request: &PageRequest,
    search: Option<&str>,
    visible: Option<&[MerchantAccountId]>,
) -> Result<Page<MerchantAccount>, StoreError> {
    let window = LIST.named_window(request)?;
    let position = |account: &MerchantAccount| Position::NamedMoment(account.created_at.micros(), account.id.as_str().to_owned());
    if search.is_some_and(|term| term.chars().count() > SEARCH_CHARACTERS_MAX) {
        return Ok(Page::from_rows(request, Vec::new(), position));
    }
    let pattern = format!("%{}%", escaped(search.unwrap_or_default()));
    let visible = visible.map(|ids| row::id_set(ids.iter().map(MerchantAccountId::as_str)));
    let rows = run!(tx, all AccountRow, window.statement, window.created_at, window.id, window.rows, pattern, visible)?;
    let accounts = rows.into_iter().map(MerchantAccount::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::from_rows(request, accounts, position))
}

/// Adds or replaces a sealed member.
pub async fn put_secret(tx: &mut Tx, scope: &Scope, secret: &SealedSecret) -> Result<(), StoreError> {
    run!(tx, execute, PUT_SECRET, scope.account().as_str(), &secret.key, secret.data_key_version, &secret.sealed)?;
    Ok(())
}

/// Removes a sealed member; `false` if there was none.
pub async fn remove_secret(tx: &mut Tx, scope: &Scope, key: &str) -> Result<bool, StoreError> {
    Ok(run!(tx, execute, REMOVE_SECRET, scope.account().as_str(), key)? > 0)
}

/// The sealed members of an account, by key.
pub async fn secrets(tx: &mut Tx, scope: &Scope) -> Result<Vec<SealedSecret>, StoreError> {
    let rows = run!(tx, all(String, i64, Vec<u8>), SECRETS, scope.account().as_str())?;
    Ok(rows.into_iter().map(|(key, data_key_version, sealed)| SealedSecret { key, data_key_version, sealed }).collect())
}

/// Insert and update take the same values in the same order.
async fn write(tx: &mut Tx, statement: crate::statement::Statement, account: &MerchantAccount) -> Result<u64, StoreError> {
    let s = &account.settings;
    run!(
        tx,
        execute,
        statement,
        account.id.as_str(),
        &s.display_name,
        s.account_updater_enabled,
        &s.account_updater_request_encryption_key,
        &s.account_updater_request_encryption_key_id,
        &s.account_updater_response_decryption_key_id,
        s.over_capture_amount,
        s.over_capture_percentage,
        &s.loon_client_key,
        s.loon_accepted_schemes.as_ref().map(|schemes| row::list(schemes.iter().map(String::as_str))),
        &s.loon_merchant_account_id,
        &s.visa_network_tokens_requestor_id,
        &s.visa_network_tokens_app_id,
        &s.amex_network_tokens_requestor_id,
        &s.amex_network_tokens_app_id,
        &s.mastercard_network_tokens_requestor_id,
        &s.mastercard_network_tokens_app_id,
        &s.discover_network_tokens_requestor_id,
        &s.discover_network_tokens_app_id,
        s.async_network_tokens_enabled,
        account.created_at.micros(),
        account.updated_at.micros(),
    )
}

/// A search term in which nothing is a wildcard.
fn escaped(term: &str) -> String {
    term.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

impl TryFrom<AccountRow> for MerchantAccount {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Result<Self, StoreError> {
        let at = At { table: "merchant_accounts", id: &row.id };
        Ok(Self {
            id: at.known("id", MerchantAccountId::parse(&row.id))?,
            settings: MerchantAccountSettings {
                loon_accepted_schemes: row
                    .loon_accepted_schemes
                    .map(|text| at.list("loon_accepted_schemes", &text, |word| Some(word.to_owned())))
                    .transpose()?,
                display_name: row.display_name,
                account_updater_enabled: row.account_updater_enabled,
                account_updater_request_encryption_key: row.account_updater_request_encryption_key,
                account_updater_request_encryption_key_id: row.account_updater_request_encryption_key_id,
                account_updater_response_decryption_key_id: row.account_updater_response_decryption_key_id,
                over_capture_amount: row.over_capture_amount,
                over_capture_percentage: row.over_capture_percentage,
                loon_client_key: row.loon_client_key,
                loon_merchant_account_id: row.loon_merchant_account_id,
                visa_network_tokens_requestor_id: row.visa_network_tokens_requestor_id,
                visa_network_tokens_app_id: row.visa_network_tokens_app_id,
                amex_network_tokens_requestor_id: row.amex_network_tokens_requestor_id,
                amex_network_tokens_app_id: row.amex_network_tokens_app_id,
                mastercard_network_tokens_requestor_id: row.mastercard_network_tokens_requestor_id,
                mastercard_network_tokens_app_id: row.mastercard_network_tokens_app_id,
                discover_network_tokens_requestor_id: row.discover_network_tokens_requestor_id,
                discover_network_tokens_app_id: row.discover_network_tokens_app_id,
                async_network_tokens_enabled: row.async_network_tokens_enabled,
            },
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
        })
    }
}
