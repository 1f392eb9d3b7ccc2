//! Merchant accounts.

use domain::merchant_account::MerchantAccount;
use serde::Serialize;

/// `MerchantAccount` of the API's document.
#[derive(Serialize)]
pub(crate) struct WireMerchantAccount {
    r#type: &'static str,
    id: String,
    display_name: String,
    loon_client_key: Option<String>,
    /// Secret: taken, sealed and never given back.
    loon_secret_key: Option<&'static str>,
    loon_accepted_schemes: Option<Vec<String>>,
    loon_merchant_account_id: Option<String>,
    account_updater_request_encryption_key: Option<String>,
    account_updater_request_encryption_key_id: Option<String>,
    /// Secret: taken, sealed and never given back.
    account_updater_response_decryption_key: Option<&'static str>,
    account_updater_response_decryption_key_id: Option<String>,
    account_updater_enabled: bool,
    over_capture_amount: Option<i64>,
    over_capture_percentage: Option<i64>,
    visa_network_tokens_requestor_id: Option<String>,
    visa_network_tokens_app_id: Option<String>,
    amex_network_tokens_requestor_id: Option<String>,
    amex_network_tokens_app_id: Option<String>,
    mastercard_network_tokens_requestor_id: Option<String>,
    mastercard_network_tokens_app_id: Option<String>,
    discover_network_tokens_requestor_id: Option<String>,
    discover_network_tokens_app_id: Option<String>,
    async_network_tokens_enabled: bool,
    created_at: String,
    updated_at: String,
}

/// `MerchantAccountSummary` of the API's document.
#[derive(Serialize)]
pub(crate) struct WireMerchantAccountSummary {
    r#type: &'static str,
    id: String,
    display_name: String,
    created_at: String,
    updated_at: String,
    over_capture_amount: Option<i64>,
    over_capture_percentage: Option<i64>,
}

impl WireMerchantAccount {
    /// The wire form of an account.
    pub(crate) fn of(account: MerchantAccount) -> Self {
        let settings = account.settings;
        Self {
            r#type: "merchant-account",
            id: account.id.to_string(),
            display_name: settings.display_name,
            loon_client_key: settings.loon_client_key,
            loon_secret_key: None,
            loon_accepted_schemes: settings.loon_accepted_schemes,
            loon_merchant_account_id: settings.loon_merchant_account_id,
            account_updater_request_encryption_key: settings.account_updater_request_encryption_key,
            account_updater_request_encryption_key_id: settings.account_updater_request_encryption_key_id,
            account_updater_response_decryption_key: None,
            account_updater_response_decryption_key_id: settings.account_updater_response_decryption_key_id,
            account_updater_enabled: settings.account_updater_enabled,
            over_capture_amount: settings.over_capture_amount,
            over_capture_percentage: settings.over_capture_percentage,
            visa_network_tokens_requestor_id: settings.visa_network_tokens_requestor_id,
            visa_network_tokens_app_id: settings.visa_network_tokens_app_id,
            amex_network_tokens_requestor_id: settings.amex_network_tokens_requestor_id,
            amex_network_tokens_app_id: settings.amex_network_tokens_app_id,
            mastercard_network_tokens_requestor_id: settings.mastercard_network_tokens_requestor_id,
            mastercard_network_tokens_app_id: settings.mastercard_network_tokens_app_id,
            discover_network_tokens_requestor_id: settings.discover_network_tokens_requestor_id,
            discover_network_tokens_app_id: settings.discover_network_tokens_app_id,
            async_network_tokens_enabled: settings.async_network_tokens_enabled,
            created_at: account.created_at.to_string(),
            updated_at: account.updated_at.to_string(),
        }
    }
}

impl WireMerchantAccountSummary {
    /// The short wire form of an account.
    pub(crate) fn of(account: &MerchantAccount) -> Self {
        Self {
            r#type: "merchant-account",
            id: account.id.to_string(),
            display_name: account.settings.display_name.clone(),
            created_at: account.created_at.to_string(),
            updated_at: account.updated_at.to_string(),
            over_capture_amount: account.settings.over_capture_amount,
            over_capture_percentage: account.settings.over_capture_percentage,
        }
    }
}
