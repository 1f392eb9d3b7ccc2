//! Definitions as the catalogue shows them. How one is called is the connectors' business.

use std::collections::BTreeMap;

use crate::code::words;
use crate::{CountryCode, CurrencyCode, DefinitionId};

words! {
    /// How a buyer pays with a method; the API's `Mode`.
    Flow {
        /// Card data.
        Card = "card",
        /// The buyer is sent elsewhere.
        Redirect = "redirect",
        /// Apple Pay.
        ApplePay = "applepay",
        /// Google Pay.
        GooglePay = "googlepay",
        /// A checkout session.
        CheckoutSession = "checkout-session",
        /// Click to Pay.
        ClickToPay = "click-to-pay",
        /// A gift card.
        GiftCard = "gift-card",
        /// A bank account.
        Bank = "bank",
        /// Paze.
        Paze = "paze",
    }
}

words! {
    /// What kind of input a field needs; the API's `DefinitionFieldFormat`.
    FieldFormat {
        /// One line.
        Text = "text",
        /// Several lines, such as a certificate.
        Multiline = "multiline",
        /// A file's content.
        File = "file",
        /// A number.
        Number = "number",
        /// A time zone.
        Timezone = "timezone",
        /// True or false.
        Boolean = "boolean",
    }
}

/// One credential or related value that a payment service is configured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionField {
    /// 1 to 50 characters.
    pub key: String,
    /// For people, 1 to 200 characters.
    pub display_name: String,
    /// Whether a payment service can not be created without it, whatever its mode.
    pub required: bool,
    /// The kind of input.
    pub format: FieldFormat,
    /// Secret values never come back.
    pub secret: bool,
    /// Whether verification proves it.
    pub verifiable: bool,
}

/// One entry of the catalogue: a payment service and a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// `<provider>-<method>`.
    pub id: DefinitionId,
    /// The provider's id: the `id` of its file.
    pub provider: String,
    /// For people, 1 to 200 characters.
    pub display_name: String,
    /// A word of the API's `Method`.
    pub method: String,
    /// How a buyer pays.
    pub flow: Flow,
    /// What to enter, in the order of the file, `mode` and `timeout_ms` last.
    pub fields: Vec<DefinitionField>,
    /// ISO 4217 codes.
    pub supported_currencies: Vec<CurrencyCode>,
    /// ISO 3166-1 alpha-2 codes.
    pub supported_countries: Vec<CountryCode>,
    /// The API's map of features; `create_session` is our own key.
    pub supported_features: BTreeMap<String, bool>,
}
