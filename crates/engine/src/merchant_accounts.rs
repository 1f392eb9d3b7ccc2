//! Merchant accounts: tenants. Their two secret members are accepted, sealed and never answered.

use domain::audit::AuditAction;
use domain::merchant_account::{MerchantAccount, MerchantAccountSecrets, MerchantAccountSettings};
use domain::page::{Page, PageRequest};
use domain::{MerchantAccountId, Patch, Scope, Secret};
use store::Tx;
use store::merchant_accounts::{self as stored, SealedSecret};

use crate::audit::Change;
use crate::vault::{DataKey, OpenError, Place};
use crate::{Caller, Engine, Refusal, Request};

#[cfg(test)]
mod tests;

/// A merchant account to be made.
#[derive(Clone, Debug)]
pub struct NewMerchantAccount {
    /// Chosen by the caller.
    pub id: MerchantAccountId,
    /// What it begins with.
    pub settings: MerchantAccountSettings,
    /// Its secrets.
    pub secrets: MerchantAccountSecrets,
}

/// What is to be changed of a merchant account.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of the merchant account")]
pub struct MerchantAccountPatch {
    pub display_name: Patch<String>,
    pub account_updater_enabled: Patch<bool>,
    pub account_updater_request_encryption_key: Patch<String>,
    pub account_updater_request_encryption_key_id: Patch<String>,
    pub account_updater_response_decryption_key: SecretPatch,
    pub account_updater_response_decryption_key_id: Patch<String>,
    pub over_capture_amount: Patch<i64>,
    pub over_capture_percentage: Patch<i64>,
    pub loon_client_key: Patch<String>,
    pub loon_secret_key: SecretPatch,
    pub loon_accepted_schemes: Patch<Vec<String>>,
    pub loon_merchant_account_id: Patch<String>,
    pub visa_network_tokens_requestor_id: Patch<String>,
    pub visa_network_tokens_app_id: Patch<String>,
    pub amex_network_tokens_requestor_id: Patch<String>,
    pub amex_network_tokens_app_id: Patch<String>,
    pub mastercard_network_tokens_requestor_id: Patch<String>,
    pub mastercard_network_tokens_app_id: Patch<String>,
    pub discover_network_tokens_requestor_id: Patch<String>,
    pub discover_network_tokens_app_id: Patch<String>,
    pub async_network_tokens_enabled: Patch<bool>,
}

/// A secret member in a partial update.
pub type SecretPatch = Patch<Secret>;

/// Whether a caller may make merchant accounts, whatever they are. A key pair that is bound to accounts may not, since the new one would lie outside its wall.
pub fn check_may_create(caller: &Caller) -> Result<(), Refusal> {
    if caller.accounts().is_some() { Err(Refusal::Forbidden) } else { Ok(()) }
}

/// Makes a merchant account, for a caller that may.
pub async fn create(engine: &Engine, caller: &Caller, request: &Request, new: NewMerchantAccount) -> Result<MerchantAccount, Refusal> {
    check_may_create(caller)?;
    let now = engine.now();
    let account = MerchantAccount { id: new.id, settings: new.settings, created_at: now, updated_at: now };
    let mut tx = engine.database.write().await?;
    if !stored::insert(&mut tx, &account, &[]).await? {
        return Err(Refusal::Duplicate { field: "id", resource_id: Some(account.id.to_string()) });
    }
    let MerchantAccountSecrets { account_updater_response_decryption_key, loon_secret_key } = new.secrets;
    put_secret(engine, &mut tx, &account.id, RESPONSE_DECRYPTION_KEY, sent(account_updater_response_decryption_key)).await?;
    put_secret(engine, &mut tx, &account.id, LOON_SECRET_KEY, sent(loon_secret_key)).await?;
    finish(engine, request, tx, AuditAction::Created, &account).await?;
    Ok(account)
}

/// Changes what the patch names.
pub async fn update(
    engine: &Engine,
    caller: &Caller,
    request: &Request,
    id: &MerchantAccountId,
    patch: MerchantAccountPatch,
) -> Result<MerchantAccount, Refusal> {
    let mut tx = engine.database.write().await?;
    let mut account = visible(&mut tx, caller, id).await?;
    put_secret(engine, &mut tx, id, RESPONSE_DECRYPTION_KEY, patch.account_updater_response_decryption_key.clone()).await?;
    put_secret(engine, &mut tx, id, LOON_SECRET_KEY, patch.loon_secret_key.clone()).await?;
    patch.apply_to(&mut account.settings);
    account.updated_at = engine.now();
    stored::update(&mut tx, &account).await?;
    finish(engine, request, tx, AuditAction::Updated, &account).await?;
    Ok(account)
}

/// One merchant account.
pub async fn get(engine: &Engine, caller: &Caller, id: &MerchantAccountId) -> Result<MerchantAccount, Refusal> {
    let mut tx = engine.database.read().await?;
    visible(&mut tx, caller, id).await
}

/// A page of the merchant accounts that the caller may act in.
pub async fn list(engine: &Engine, caller: &Caller, page: &PageRequest, search: Option<&str>) -> Result<Page<MerchantAccount>, Refusal> {
    let mut tx = engine.database.read().await?;
    Ok(stored::list(&mut tx, page, search, caller.accounts()).await?)
}

// === impl MerchantAccountPatch ===

impl MerchantAccountPatch {
    fn apply_to(self, settings: &mut MerchantAccountSettings) {
        self.display_name.apply_to_required(&mut settings.display_name);
        self.account_updater_enabled.apply_to_required(&mut settings.account_updater_enabled);
        self.account_updater_request_encryption_key.apply_to(&mut settings.account_updater_request_encryption_key);
        self.account_updater_request_encryption_key_id.apply_to(&mut settings.account_updater_request_encryption_key_id);
        self.account_updater_response_decryption_key_id.apply_to(&mut settings.account_updater_response_decryption_key_id);
        self.over_capture_amount.apply_to(&mut settings.over_capture_amount);
        self.over_capture_percentage.apply_to(&mut settings.over_capture_percentage);
        self.loon_client_key.apply_to(&mut settings.loon_client_key);
        self.loon_accepted_schemes.apply_to(&mut settings.loon_accepted_schemes);
        self.loon_merchant_account_id.apply_to(&mut settings.loon_merchant_account_id);
        self.visa_network_tokens_requestor_id.apply_to(&mut settings.visa_network_tokens_requestor_id);
        self.visa_network_tokens_app_id.apply_to(&mut settings.visa_network_tokens_app_id);
        self.amex_network_tokens_requestor_id.apply_to(&mut settings.amex_network_tokens_requestor_id);
        self.amex_network_tokens_app_id.apply_to(&mut settings.amex_network_tokens_app_id);
        self.mastercard_network_tokens_requestor_id.apply_to(&mut settings.mastercard_network_tokens_requestor_id);
        self.mastercard_network_tokens_app_id.apply_to(&mut settings.mastercard_network_tokens_app_id);
        self.discover_network_tokens_requestor_id.apply_to(&mut settings.discover_network_tokens_requestor_id);
        self.discover_network_tokens_app_id.apply_to(&mut settings.discover_network_tokens_app_id);
        self.async_network_tokens_enabled.apply_to_required(&mut settings.async_network_tokens_enabled);
    }
}

/// Where the secrets say they are; part of what they are sealed with.
pub(crate) const TABLE: &str = "merchant_accounts";
/// Name of a secret member.
const RESPONSE_DECRYPTION_KEY: &str = "account_updater_response_decryption_key";
/// Name of a secret member.
const LOON_SECRET_KEY: &str = "loon_secret_key";

async fn visible(tx: &mut Tx, caller: &Caller, id: &MerchantAccountId) -> Result<MerchantAccount, Refusal> {
    if !caller.reaches(id) {
        return Err(Refusal::NotFound);
    }
    stored::get(tx, id).await?.ok_or(Refusal::NotFound)
}

/// On create, null is the same as absent.
fn sent(secret: Option<Secret>) -> SecretPatch {
    secret.map_or(Patch::Absent, Patch::Value)
}

async fn put_secret(
    engine: &Engine,
    tx: &mut Tx,
    account: &MerchantAccountId,
    member: &'static str,
    secret: SecretPatch,
) -> Result<(), Refusal> {
    let scope = Scope::of(account.clone());
    match secret {
        Patch::Absent => {}
        Patch::Null => {
            stored::remove_secret(tx, &scope, member).await?;
        }
        Patch::Value(secret) => {
            let key = engine.data_key(tx, account).await?;
            stored::put_secret(tx, &scope, &seal(&key, account, member, &secret)).await?;
        }
    }
    Ok(())
}

fn seal(key: &DataKey, account: &MerchantAccountId, member: &str, secret: &Secret) -> SealedSecret {
    let place = place(account, member, key.version());
    SealedSecret { key: member.to_owned(), data_key_version: key.version(), sealed: key.seal(&place, secret.expose()) }
}

/// Whether a stored secret opens under a data key.
pub(crate) fn opens(key: &DataKey, account: &MerchantAccountId, stored: &SealedSecret) -> bool {
    key.open(&place(account, &stored.key, key.version()), &stored.sealed).is_ok()
}

/// Seals what is stored under another data key of the account.
pub(crate) fn reseal(from: &DataKey, to: &DataKey, account: &MerchantAccountId, stored: &SealedSecret) -> Result<SealedSecret, OpenError> {
    let value = from.open(&place(account, &stored.key, from.version()), &stored.sealed)?;
    Ok(seal(to, account, &stored.key, &value))
}

fn place<'a>(account: &'a MerchantAccountId, member: &'a str, version: i64) -> Place<'a> {
    Place { table: TABLE, column: member, row: account.as_str(), account, version, hosts: "" }
}

async fn finish(engine: &Engine, request: &Request, tx: Tx, action: AuditAction, account: &MerchantAccount) -> Result<(), Refusal> {
    let change = Change {
        account: Some(&account.id),
        action,
        resource_type: "merchant-account",
        resource_id: account.id.to_string(),
        resource_name: &account.settings.display_name,
    };
    engine.commit(tx, request, change).await
}
