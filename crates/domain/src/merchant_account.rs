//! Merchant accounts.

use crate::{MerchantAccountId, Timestamp};

/// A tenant: its records are invisible to every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerchantAccount {
    /// Chosen by whoever created it.
    pub id: MerchantAccountId,
    /// Everything that an update may change.
    pub settings: MerchantAccountSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The members of a merchant account that the caller writes; names as on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the API's own, and each says what it is")]
pub struct MerchantAccountSettings {
    pub display_name: String,
    pub account_updater_enabled: bool,
    pub account_updater_request_encryption_key: Option<String>,
    pub account_updater_request_encryption_key_id: Option<String>,
    pub account_updater_response_decryption_key_id: Option<String>,
    /// Minor units, 0 to 99,999,999.
    pub over_capture_amount: Option<i64>,
    pub over_capture_percentage: Option<i64>,
    pub loon_client_key: Option<String>,
    /// Words of the API's `CardScheme`.
    pub loon_accepted_schemes: Option<Vec<String>>,
    pub loon_merchant_account_id: Option<String>,
    pub visa_network_tokens_requestor_id: Option<String>,
    pub visa_network_tokens_app_id: Option<String>,
    pub amex_network_tokens_requestor_id: Option<String>,
    pub amex_network_tokens_app_id: Option<String>,
    pub mastercard_network_tokens_requestor_id: Option<String>,
    pub mastercard_network_tokens_app_id: Option<String>,
    pub discover_network_tokens_requestor_id: Option<String>,
    pub discover_network_tokens_app_id: Option<String>,
    pub async_network_tokens_enabled: bool,
}

/// The two members that are secret. They are accepted, sealed and never come back.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are the API's own, and each says what it is")]
pub struct MerchantAccountSecrets {
    pub account_updater_response_decryption_key: Option<crate::Secret>,
    pub loon_secret_key: Option<crate::Secret>,
}
