//! The catalogue: what can be configured, and sessions by definition.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::answers::null_as_default;
use crate::client::Client;
use crate::error::Error;
use crate::page::{Page, PageRequest, Pages};
use crate::request::Request;
use crate::session::PaymentServiceSession;
use crate::words::open_words;

/// Operations on payment service definitions.
#[derive(Clone, Copy, Debug)]
pub struct PaymentServiceDefinitions<'a> {
    pub(crate) client: &'a Client,
}

/// One method of one payment service, such as `adyen-ideal`.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct PaymentServiceDefinition {
    /// The id, service and method joined by a dash.
    pub id: String,
    /// Its name for people.
    pub display_name: String,
    /// The payment method.
    pub method: String,
    /// The credentials and settings that a service of this definition takes.
    #[serde(default)]
    pub fields: Vec<DefinitionField>,
    /// The same for settlement reports.
    #[serde(default)]
    pub reporting_fields: Vec<DefinitionField>,
    /// Currencies, ISO 4217.
    #[serde(default)]
    pub supported_currencies: Vec<String>,
    /// Countries, ISO 3166-1 alpha-2.
    #[serde(default)]
    pub supported_countries: Vec<String>,
    /// How the buyer pays: `card`, `redirect`, …
    #[serde(default)]
    pub mode: Option<String>,
    /// A picture.
    #[serde(default)]
    pub icon_url: Option<String>,
    /// What the connection can do, by name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub supported_features: Map<String, Value>,
    /// What a checkout must ask the buyer for.
    #[serde(default)]
    pub required_checkout_fields: Vec<RequiredCheckoutFields>,
    /// How approval pages are shown and carts are checked.
    #[serde(default)]
    pub configuration: Option<PaymentServiceConfiguration>,
    /// Where the buyer's side can run.
    #[serde(default, deserialize_with = "null_as_default")]
    pub supported_integration_clients: Vec<String>,
}

/// One credential or setting.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct DefinitionField {
    /// Its key in `fields`.
    pub key: String,
    /// Its name for people.
    pub display_name: String,
    /// Whether a service can be created without it.
    pub required: bool,
    /// How to ask for it.
    pub format: FieldFormat,
    /// Whether it is never shown again.
    pub secret: bool,
    /// Whether `verify` checks it.
    #[serde(default)]
    pub verifiable: bool,
}

open_words! {
    /// How a field is asked for.
    FieldFormat {
        /// One line.
        Text = "text",
        /// Several lines.
        Multiline = "multiline",
        /// A file's content.
        File = "file",
        /// A number.
        Number = "number",
        /// A time zone.
        Timezone = "timezone",
        /// Yes or no.
        Boolean = "boolean",
    }
}

/// Fields that a checkout must ask for.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct RequiredCheckoutFields {
    /// The fields.
    #[serde(default)]
    pub required_fields: Vec<String>,
    /// When they are needed.
    #[serde(default)]
    pub conditions: Option<Map<String, Value>>,
}

/// How approval pages are shown and carts are checked.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct PaymentServiceConfiguration {
    /// `new_window` or `any`.
    pub approval_ui_target: String,
    /// A CSS height.
    #[serde(default)]
    pub approval_ui_height: Option<String>,
    /// A CSS width.
    #[serde(default)]
    pub approval_ui_width: Option<String>,
    /// How many cart items may be sent.
    #[serde(default)]
    pub cart_items_limit: Option<i64>,
    /// Whether a cart is needed.
    #[serde(default)]
    pub cart_items_required: bool,
    /// Whether the cart must add up to the amount.
    #[serde(default)]
    pub cart_items_should_match_amount: bool,
}

const ROUTE: &str = "payment-service-definitions";

impl<'a> PaymentServiceDefinitions<'a> {
    /// One page of the catalogue, by id.
    pub async fn list(&self, page: &PageRequest) -> Result<Page<PaymentServiceDefinition>, Error> {
        self.client.fetch(page.apply(Request::new(Method::GET, [ROUTE]))).await
    }

    /// The catalogue, page by page.
    pub fn pages(&self, first: PageRequest) -> Pages<'a, PaymentServiceDefinition> {
        Pages::new(self.client, Request::new(Method::GET, [ROUTE]), first)
    }

    /// One definition.
    pub async fn get(&self, id: &str) -> Result<PaymentServiceDefinition, Error> {
        self.client.fetch(Request::new(Method::GET, [ROUTE, id])).await
    }

    /// Creates a session with the account's first active service of a definition. The body is the payment service's own.
    pub async fn create_session<B: Serialize + ?Sized>(&self, id: &str, body: &B) -> Result<PaymentServiceSession, Error> {
        self.client.fetch(session(id).json(body)?).await
    }

    /// The same under an idempotency key: called again with the same key and body within 24 hours, it creates nothing anew and answers the same. Tollhouse only: hosted Gr4vy declares no key here.
    pub async fn create_session_once<B: Serialize + ?Sized>(&self, id: &str, body: &B, key: &str) -> Result<PaymentServiceSession, Error> {
        self.client.fetch(session(id).idempotency_key(key).json(body)?).await
    }

    /// Creates a session in one merchant account. This route declares none: hosted Gr4vy lets the key decide, Tollhouse honours one that is named.
    pub async fn create_session_for<B: Serialize + ?Sized>(
        &self,
        merchant_account: &str,
        id: &str,
        body: &B,
    ) -> Result<PaymentServiceSession, Error> {
        self.client.fetch(session(id).for_account(merchant_account).json(body)?).await
    }
}

fn session(id: &str) -> Request {
    Request::new(Method::POST, [ROUTE, id, "sessions"])
}
