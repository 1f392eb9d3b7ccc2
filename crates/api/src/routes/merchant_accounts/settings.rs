//! The members that creating and updating a merchant account have in common.

use domain::method::is_card_scheme;
use domain::{Patch, Secret};

use crate::reader::{Problems, Reader, Value, boolean, integer, list, one_of, text};

/// Largest amount of the API, minor units.
const MONEY_MAX: i64 = 99_999_999;

/// Where the document sets no length. Accounts are kept in memory and come back in every list; the fields of payment services have the same limit.
const TEXT_CHARACTERS_MAX: usize = 10_000;

/// What a body says about them.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) account_updater_enabled: Option<bool>,
    pub(super) account_updater_request_encryption_key: Patch<String>,
    pub(super) account_updater_request_encryption_key_id: Patch<String>,
    pub(super) account_updater_response_decryption_key: Patch<Secret>,
    pub(super) account_updater_response_decryption_key_id: Patch<String>,
    pub(super) over_capture_amount: Patch<i64>,
    pub(super) over_capture_percentage: Patch<i64>,
    pub(super) loon_client_key: Patch<String>,
    pub(super) loon_secret_key: Patch<Secret>,
    pub(super) loon_accepted_schemes: Patch<Vec<String>>,
    pub(super) loon_merchant_account_id: Patch<String>,
    pub(super) visa_network_tokens_requestor_id: Patch<String>,
    pub(super) visa_network_tokens_app_id: Patch<String>,
    pub(super) amex_network_tokens_requestor_id: Patch<String>,
    pub(super) amex_network_tokens_app_id: Patch<String>,
    pub(super) mastercard_network_tokens_requestor_id: Patch<String>,
    pub(super) mastercard_network_tokens_app_id: Patch<String>,
    pub(super) discover_network_tokens_requestor_id: Patch<String>,
    pub(super) discover_network_tokens_app_id: Patch<String>,
    pub(super) async_network_tokens_enabled: Option<bool>,
}

impl Settings {
    /// Reads them in the order of the document.
    pub(super) fn read(reader: &Reader<'_>, problems: &mut Problems) -> Self {
        Self {
            account_updater_enabled: reader.optional(problems, "account_updater_enabled", boolean),
            account_updater_request_encryption_key: reader.patch(
                problems,
                "account_updater_request_encryption_key",
                text(0..=TEXT_CHARACTERS_MAX),
            ),
            account_updater_request_encryption_key_id: reader.patch(
                problems,
                "account_updater_request_encryption_key_id",
                text(0..=TEXT_CHARACTERS_MAX),
            ),
            account_updater_response_decryption_key: reader.patch(problems, "account_updater_response_decryption_key", secret),
            account_updater_response_decryption_key_id: reader.patch(
                problems,
                "account_updater_response_decryption_key_id",
                text(0..=TEXT_CHARACTERS_MAX),
            ),
            over_capture_amount: reader.patch(problems, "over_capture_amount", integer(0..=MONEY_MAX)),
            over_capture_percentage: reader.patch(problems, "over_capture_percentage", integer(0..=MONEY_MAX)),
            loon_client_key: reader.patch(problems, "loon_client_key", text(0..=TEXT_CHARACTERS_MAX)),
            loon_secret_key: reader.patch(problems, "loon_secret_key", secret),
            loon_accepted_schemes: reader.patch(problems, "loon_accepted_schemes", schemes),
            loon_merchant_account_id: reader.patch(problems, "loon_merchant_account_id", text(0..=TEXT_CHARACTERS_MAX)),
            visa_network_tokens_requestor_id: reader.patch(problems, "visa_network_tokens_requestor_id", text(0..=300)),
            visa_network_tokens_app_id: reader.patch(problems, "visa_network_tokens_app_id", text(0..=300)),
            amex_network_tokens_requestor_id: reader.patch(problems, "amex_network_tokens_requestor_id", text(0..=300)),
            amex_network_tokens_app_id: reader.patch(problems, "amex_network_tokens_app_id", text(0..=300)),
            mastercard_network_tokens_requestor_id: reader.patch(problems, "mastercard_network_tokens_requestor_id", text(0..=300)),
            mastercard_network_tokens_app_id: reader.patch(problems, "mastercard_network_tokens_app_id", text(0..=300)),
            discover_network_tokens_requestor_id: reader.patch(problems, "discover_network_tokens_requestor_id", text(0..=300)),
            discover_network_tokens_app_id: reader.patch(problems, "discover_network_tokens_app_id", text(0..=300)),
            async_network_tokens_enabled: reader.optional(problems, "async_network_tokens_enabled", boolean),
        }
    }
}

fn secret(value: &Value<'_>, problems: &mut Problems) -> Option<Secret> {
    text(0..=TEXT_CHARACTERS_MAX)(value, problems).map(Secret::from)
}

fn schemes(value: &Value<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let schemes = list(0, one_of(is_card_scheme, "card scheme"))(value, problems)?;
    let repeated = schemes.iter().enumerate().any(|(index, scheme)| schemes.iter().take(index).any(|earlier| earlier == scheme));
    if repeated { value.refuse(problems, "value_error", "Must not repeat an element") } else { Some(schemes) }
}
