//! Merchant accounts: every record of the API belongs to one.

use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::answers::Change;
use crate::client::Client;
use crate::error::Error;
use crate::page::{Page, PageRequest, Pages};
use crate::request::Request;
use crate::sensitive::Sensitive;

/// Operations on merchant accounts.
#[derive(Clone, Copy, Debug)]
pub struct MerchantAccounts<'a> {
    pub(crate) client: &'a Client,
}

/// A merchant account.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct MerchantAccount {
    /// The id, chosen on creation.
    pub id: String,
    /// Its name for people.
    pub display_name: String,
    /// The account updater client key.
    #[serde(default)]
    pub loon_client_key: Option<String>,
    /// The account updater secret.
    #[serde(default)]
    pub loon_secret_key: Option<Sensitive>,
    /// The card schemes that the account updater takes.
    #[serde(default)]
    pub loon_accepted_schemes: Option<Vec<String>>,
    /// The account's id at the account updater.
    #[serde(default)]
    pub loon_merchant_account_id: Option<String>,
    /// The key that account updater requests are encrypted with.
    #[serde(default)]
    pub account_updater_request_encryption_key: Option<Sensitive>,
    /// The id of that key.
    #[serde(default)]
    pub account_updater_request_encryption_key_id: Option<String>,
    /// The key that account updater answers are decrypted with.
    #[serde(default)]
    pub account_updater_response_decryption_key: Option<Sensitive>,
    /// The id of that key.
    #[serde(default)]
    pub account_updater_response_decryption_key_id: Option<String>,
    /// How much more than authorised may be captured, in minor units.
    #[serde(default)]
    pub over_capture_amount: Option<i64>,
    /// How much more than authorised may be captured, in per cent.
    #[serde(default)]
    pub over_capture_percentage: Option<i64>,
    /// The network token requestor at Visa.
    #[serde(default)]
    pub visa_network_tokens_requestor_id: Option<String>,
    /// The network token application at Visa.
    #[serde(default)]
    pub visa_network_tokens_app_id: Option<String>,
    /// The network token requestor at American Express.
    #[serde(default)]
    pub amex_network_tokens_requestor_id: Option<String>,
    /// The network token application at American Express.
    #[serde(default)]
    pub amex_network_tokens_app_id: Option<String>,
    /// The network token requestor at Mastercard.
    #[serde(default)]
    pub mastercard_network_tokens_requestor_id: Option<String>,
    /// The network token application at Mastercard.
    #[serde(default)]
    pub mastercard_network_tokens_app_id: Option<String>,
    /// The network token requestor at Discover.
    #[serde(default)]
    pub discover_network_tokens_requestor_id: Option<String>,
    /// The network token application at Discover.
    #[serde(default)]
    pub discover_network_tokens_app_id: Option<String>,
    /// Whether stored cards are kept up to date.
    #[serde(default)]
    pub account_updater_enabled: bool,
    /// Whether network tokens are made after the payment rather than before.
    #[serde(default)]
    pub async_network_tokens_enabled: bool,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// When it was last changed, RFC 3339.
    pub updated_at: String,
}

/// A merchant account as other records show it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct MerchantAccountSummary {
    /// The id.
    pub id: String,
    /// Its name for people.
    pub display_name: String,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// When it was last changed, RFC 3339.
    pub updated_at: String,
}

/// A new merchant account. `Default` fills in everything but the id and the name.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MerchantAccountCreate {
    /// The id: letters, digits and dashes, at most 50.
    pub id: String,
    /// Its name for people.
    pub display_name: String,
    /// The account updater client key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loon_client_key: Option<String>,
    /// The account updater secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loon_secret_key: Option<Sensitive>,
    /// The card schemes that the account updater takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loon_accepted_schemes: Option<Vec<String>>,
    /// The account's id at the account updater.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loon_merchant_account_id: Option<String>,
    /// The key that account updater requests are encrypted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_updater_request_encryption_key: Option<Sensitive>,
    /// The id of that key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_updater_request_encryption_key_id: Option<String>,
    /// The key that account updater answers are decrypted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_updater_response_decryption_key: Option<Sensitive>,
    /// The id of that key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_updater_response_decryption_key_id: Option<String>,
    /// How much more than authorised may be captured, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_capture_amount: Option<i64>,
    /// How much more than authorised may be captured, in per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_capture_percentage: Option<i64>,
    /// The network token requestor at Visa.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visa_network_tokens_requestor_id: Option<String>,
    /// The network token application at Visa.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visa_network_tokens_app_id: Option<String>,
    /// The network token requestor at American Express.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amex_network_tokens_requestor_id: Option<String>,
    /// The network token application at American Express.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amex_network_tokens_app_id: Option<String>,
    /// The network token requestor at Mastercard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mastercard_network_tokens_requestor_id: Option<String>,
    /// The network token application at Mastercard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mastercard_network_tokens_app_id: Option<String>,
    /// The network token requestor at Discover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discover_network_tokens_requestor_id: Option<String>,
    /// The network token application at Discover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discover_network_tokens_app_id: Option<String>,
    /// Whether stored cards are kept up to date.
    pub account_updater_enabled: bool,
    /// Whether network tokens are made after the payment rather than before.
    pub async_network_tokens_enabled: bool,
}

/// Changes of a merchant account. What is left out stays as it is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MerchantAccountUpdate {
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The account updater client key.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub loon_client_key: Change<String>,
    /// The account updater secret.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub loon_secret_key: Change<Sensitive>,
    /// The card schemes that the account updater takes.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub loon_accepted_schemes: Change<Vec<String>>,
    /// The account's id at the account updater.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub loon_merchant_account_id: Change<String>,
    /// The key that account updater requests are encrypted with.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub account_updater_request_encryption_key: Change<Sensitive>,
    /// The id of that key.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub account_updater_request_encryption_key_id: Change<String>,
    /// The key that account updater answers are decrypted with.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub account_updater_response_decryption_key: Change<Sensitive>,
    /// The id of that key.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub account_updater_response_decryption_key_id: Change<String>,
    /// How much more than authorised may be captured, in minor units.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub over_capture_amount: Change<i64>,
    /// How much more than authorised may be captured, in per cent.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub over_capture_percentage: Change<i64>,
    /// The network token requestor at Visa.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub visa_network_tokens_requestor_id: Change<String>,
    /// The network token application at Visa.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub visa_network_tokens_app_id: Change<String>,
    /// The network token requestor at American Express.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub amex_network_tokens_requestor_id: Change<String>,
    /// The network token application at American Express.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub amex_network_tokens_app_id: Change<String>,
    /// The network token requestor at Mastercard.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub mastercard_network_tokens_requestor_id: Change<String>,
    /// The network token application at Mastercard.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub mastercard_network_tokens_app_id: Change<String>,
    /// The network token requestor at Discover.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub discover_network_tokens_requestor_id: Change<String>,
    /// The network token application at Discover.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub discover_network_tokens_app_id: Change<String>,
    /// Whether stored cards are kept up to date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_updater_enabled: Option<bool>,
    /// Whether network tokens are made after the payment rather than before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub async_network_tokens_enabled: Option<bool>,
}

/// Which merchant accounts a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MerchantAccountFilter {
    /// Only those whose id or name holds this text.
    pub search: Option<String>,
}

const ROUTE: &str = "merchant-accounts";

// === impl MerchantAccounts ===

impl<'a> MerchantAccounts<'a> {
    /// One page of the merchant accounts that the key can reach, newest first.
    pub async fn list(&self, page: &PageRequest, filter: &MerchantAccountFilter) -> Result<Page<MerchantAccount>, Error> {
        self.client.fetch(page.apply(filter.request())).await
    }

    /// The merchant accounts, page by page.
    pub fn pages(&self, first: PageRequest, filter: &MerchantAccountFilter) -> Pages<'a, MerchantAccount> {
        Pages::new(self.client, filter.request(), first)
    }

    /// Creates a merchant account.
    pub async fn create(&self, account: &MerchantAccountCreate) -> Result<MerchantAccount, Error> {
        self.client.fetch(Request::new(Method::POST, [ROUTE]).json(account)?).await
    }

    /// One merchant account.
    pub async fn get(&self, id: &str) -> Result<MerchantAccount, Error> {
        self.client.fetch(Request::new(Method::GET, [ROUTE, id])).await
    }

    /// Changes a merchant account.
    pub async fn update(&self, id: &str, changes: &MerchantAccountUpdate) -> Result<MerchantAccount, Error> {
        self.client.fetch(Request::new(Method::PUT, [ROUTE, id]).json(changes)?).await
    }
}

impl MerchantAccountFilter {
    fn request(&self) -> Request {
        Request::new(Method::GET, [ROUTE]).query("search", self.search.as_ref())
    }
}
