//! Payment services: a definition with credentials, in one merchant account.

use crate::{CountryCode, CurrencyCode, DefinitionId, MerchantAccountId, PaymentServiceId, Timestamp};

/// A configured payment service, without the values of its fields.
#[derive(Clone, Debug)]
pub struct PaymentService {
    /// Its id.
    pub id: PaymentServiceId,
    /// The merchant account it belongs to.
    pub merchant_account_id: MerchantAccountId,
    /// What it is an instance of.
    pub definition_id: DefinitionId,
    /// The payment method of its definition, kept so that it still reads when the definition is gone.
    pub method: String,
    /// Everything that an update may change.
    pub settings: PaymentServiceSettings,
    /// Deleted services are listed on request and can not be called.
    pub is_deleted: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The members of a payment service that the caller writes, credentials apart; names as on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the API's own, and each says what it is")]
pub struct PaymentServiceSettings {
    pub display_name: String,
    /// Among active services of one definition the lowest position is called, then the oldest.
    pub position: i64,
    pub active: bool,
    pub accepted_currencies: Vec<CurrencyCode>,
    pub accepted_countries: Vec<CountryCode>,
    pub three_d_secure_enabled: bool,
    /// The API's map of card scheme to acquirer profile, as JSON text; null if unset.
    pub merchant_profile: Option<String>,
    pub payment_method_tokenization_enabled: bool,
    pub network_tokens_enabled: bool,
    pub open_loop: bool,
    pub settlement_reporting_enabled: bool,
}

/// Which of the two credential sets a field belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldSet {
    /// `fields`: what calls need.
    Credentials,
    /// `reporting_fields`: what settlement reports need; a session never does.
    Reporting,
}

impl FieldSet {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Reporting => "reporting",
        }
    }

    /// The set of a word in the database.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "credentials" => Some(Self::Credentials),
            "reporting" => Some(Self::Reporting),
            _ => None,
        }
    }
}

/// One stored field, sealed. What opens it is the vault's business.
#[derive(Clone, Debug)]
pub struct SealedField {
    /// Which set.
    pub set: FieldSet,
    /// The definition's key.
    pub key: String,
    /// Whether the definition called it secret when it was written.
    pub secret: bool,
    /// Version of the account's data key it is sealed under.
    pub data_key_version: i64,
    /// Nonce, ciphertext and tag.
    pub sealed: Vec<u8>,
}
