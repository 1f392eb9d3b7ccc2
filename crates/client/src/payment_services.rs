//! Configured payment services, and sessions by service.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::answers::{Change, null_as_default};
use crate::client::Client;
use crate::error::Error;
use crate::page::{Page, PageRequest, Pages};
use crate::request::Request;
use crate::sensitive::Sensitive;
use crate::session::PaymentServiceSession;
use crate::words::open_words;

/// Operations on payment services.
#[derive(Clone, Copy, Debug)]
pub struct PaymentServices<'a> {
    pub(crate) client: &'a Client,
}

/// A payment service of one merchant account, with its credentials stored.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct PaymentService {
    /// The id.
    pub id: Uuid,
    /// The merchant account it belongs to.
    pub merchant_account_id: String,
    /// Its definition, such as `adyen-ideal`.
    pub payment_service_definition_id: String,
    /// Whether sessions may be created with it.
    #[serde(default = "yes")]
    pub active: bool,
    /// The payment method.
    pub method: String,
    /// Its name for people.
    pub display_name: String,
    /// Lower ones are taken first.
    pub position: i64,
    /// Whether it is ready.
    #[serde(default)]
    pub status: Option<PaymentServiceStatus>,
    /// Currencies, ISO 4217.
    pub accepted_currencies: Vec<String>,
    /// Countries, ISO 3166-1 alpha-2.
    pub accepted_countries: Vec<String>,
    /// Whether payment methods are tokenised.
    #[serde(default)]
    pub payment_method_tokenization_enabled: bool,
    /// Whether network tokens are used.
    #[serde(default)]
    pub network_tokens_enabled: bool,
    /// Whether it takes tokens made elsewhere.
    #[serde(default)]
    pub open_loop: bool,
    /// Whether settlement reports are read.
    #[serde(default)]
    pub settlement_reporting_enabled: bool,
    /// Whether 3-D Secure is used.
    #[serde(default)]
    pub three_d_secure_enabled: Option<bool>,
    /// The merchant as card schemes know it, by scheme.
    #[serde(default)]
    pub merchant_profile: Option<BTreeMap<String, Option<MerchantProfileScheme>>>,
    /// Where the payment service sends its own events.
    #[serde(default)]
    pub webhook_url: Option<String>,
    /// The stored fields that are not secret.
    #[serde(default, deserialize_with = "null_as_default")]
    pub fields: Vec<Field>,
    /// The stored reporting fields that are not secret.
    #[serde(default, deserialize_with = "null_as_default")]
    pub reporting_fields: Vec<Field>,
    /// Whether it was deleted.
    #[serde(default)]
    pub is_deleted: bool,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// When it was last changed, RFC 3339.
    pub updated_at: String,
}

open_words! {
    /// Whether a payment service is ready.
    PaymentServiceStatus {
        /// Being set up.
        Pending = "pending",
        /// Ready.
        Created = "created",
        /// Set-up failed.
        Failed = "failed",
    }
}

/// A credential or setting. Its value does not print, for nobody here knows whether it is a secret one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The key, as the definition names it.
    pub key: String,
    /// The value. In an update `""` removes the field.
    pub value: Sensitive,
}

/// The merchant as one card scheme knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MerchantProfileScheme {
    /// The acquirer's BIN.
    pub merchant_acquirer_bin: String,
    /// The merchant's id at the acquirer.
    pub merchant_acquirer_id: String,
    /// The merchant's name.
    pub merchant_name: String,
    /// ISO 3166-1 numeric.
    pub merchant_country_code: String,
    /// The merchant category code.
    pub merchant_category_code: String,
    /// The merchant's site.
    pub merchant_url: String,
}

/// A new payment service. `Default` fills in what the server decides; the first five members are needed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PaymentServiceCreate {
    /// Its name for people.
    pub display_name: String,
    /// Its definition, such as `adyen-ideal`.
    pub payment_service_definition_id: String,
    /// Credentials and settings.
    pub fields: Vec<Field>,
    /// Currencies, ISO 4217.
    pub accepted_currencies: Vec<String>,
    /// Countries, ISO 3166-1 alpha-2.
    pub accepted_countries: Vec<String>,
    /// Credentials and settings for settlement reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reporting_fields: Option<Vec<Field>>,
    /// Lower ones are taken first; behind all others unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// Whether sessions may be created with it; true unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Whether 3-D Secure is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub three_d_secure_enabled: Option<bool>,
    /// The merchant as card schemes know it, by scheme.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant_profile: Option<BTreeMap<String, MerchantProfileScheme>>,
    /// Whether payment methods are tokenised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method_tokenization_enabled: Option<bool>,
    /// Whether network tokens are used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_tokens_enabled: Option<bool>,
    /// Whether it takes tokens made elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_loop: Option<bool>,
    /// Whether settlement reports are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_reporting_enabled: Option<bool>,
}

/// Changes of a payment service. What is left out stays as it is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PaymentServiceUpdate {
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Fields to set; an empty value removes one, others stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<Field>>,
    /// The same for settlement reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reporting_fields: Option<Vec<Field>>,
    /// Lower ones are taken first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// Currencies, ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_currencies: Option<Vec<String>>,
    /// Countries, ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_countries: Option<Vec<String>>,
    /// Whether sessions may be created with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Whether 3-D Secure is used.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub three_d_secure_enabled: Change<bool>,
    /// The merchant as card schemes know it, by scheme.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub merchant_profile: Change<BTreeMap<String, MerchantProfileScheme>>,
    /// Whether payment methods are tokenised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method_tokenization_enabled: Option<bool>,
    /// Whether network tokens are used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_tokens_enabled: Option<bool>,
    /// Whether it takes tokens made elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_loop: Option<bool>,
    /// Whether settlement reports are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_reporting_enabled: Option<bool>,
}

/// Credentials to try out without storing them.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyCredentials {
    /// The definition they are for.
    pub payment_service_definition_id: String,
    /// A service whose stored values stand in for fields left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_service_id: Option<Uuid>,
    /// Credentials and settings.
    pub fields: Vec<Field>,
}

/// Which payment services a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentServiceFilter {
    /// Only those of this payment method.
    pub method: Option<String>,
    /// Deleted ones instead of the others.
    pub deleted: Option<bool>,
}

const ROUTE: &str = "payment-services";

// === impl Field ===

impl Field {
    /// A field with a value.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: Sensitive::from(value) }
    }
}

// === impl PaymentServices ===

impl<'a> PaymentServices<'a> {
    /// One page of the account's payment services, newest first.
    pub async fn list(&self, page: &PageRequest, filter: &PaymentServiceFilter) -> Result<Page<PaymentService>, Error> {
        self.client.fetch(page.apply(filter.request())).await
    }

    /// The account's payment services, page by page.
    pub fn pages(&self, first: PageRequest, filter: &PaymentServiceFilter) -> Pages<'a, PaymentService> {
        Pages::new(self.client, filter.request(), first)
    }

    /// Configures a payment service.
    pub async fn create(&self, service: &PaymentServiceCreate) -> Result<PaymentService, Error> {
        self.client.fetch(Request::new(Method::POST, [ROUTE]).for_client_account().json(service)?).await
    }

    /// One payment service.
    pub async fn get(&self, id: Uuid) -> Result<PaymentService, Error> {
        self.client.fetch(of_service(Method::GET, id)).await
    }

    /// Changes a payment service.
    pub async fn update(&self, id: Uuid, changes: &PaymentServiceUpdate) -> Result<PaymentService, Error> {
        self.client.fetch(of_service(Method::PUT, id).json(changes)?).await
    }

    /// Deletes a payment service.
    pub async fn delete(&self, id: Uuid) -> Result<(), Error> {
        self.client.send(&of_service(Method::DELETE, id)).await.map(drop)
    }

    /// Asks the payment service whether credentials are good. A refusal is an [`ApiError`](crate::ApiError) with one detail for each field.
    pub async fn verify(&self, credentials: &VerifyCredentials) -> Result<(), Error> {
        let request = Request::new(Method::POST, [ROUTE, "verify"]).for_client_account().json(credentials)?;
        // Any JSON may come back and none of it means anything.
        self.client.send(&request).await.map(drop)
    }

    /// Creates a session with this payment service. The body is the payment service's own.
    pub async fn create_session<B: Serialize + ?Sized>(&self, id: Uuid, body: &B) -> Result<PaymentServiceSession, Error> {
        self.client.fetch(session(id).json(body)?).await
    }

    /// The same under an idempotency key: called again with the same key and body within 24 hours, it creates nothing anew and answers the same. Tollhouse only: hosted Gr4vy declares no key here.
    pub async fn create_session_once<B: Serialize + ?Sized>(&self, id: Uuid, body: &B, key: &str) -> Result<PaymentServiceSession, Error> {
        self.client.fetch(session(id).idempotency_key(key).json(body)?).await
    }
}

impl PaymentServiceFilter {
    fn request(&self) -> Request {
        Request::new(Method::GET, [ROUTE]).for_client_account().query("method", self.method.as_ref()).query("deleted", self.deleted)
    }
}

fn of_service(method: Method, id: Uuid) -> Request {
    Request::new(method, [ROUTE, &id.to_string()]).for_client_account()
}

fn session(id: Uuid) -> Request {
    Request::new(Method::POST, [ROUTE, &id.to_string(), "sessions"]).for_client_account()
}

fn yes() -> bool {
    true
}
