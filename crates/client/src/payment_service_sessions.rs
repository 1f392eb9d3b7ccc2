//! The records of past sessions: no bodies, no secrets. Tollhouse only.

use reqwest::Method;
use serde::Deserialize;
use uuid::Uuid;

use crate::client::Client;
use crate::error::Error;
use crate::page::{Page, PageRequest, Pages};
use crate::request::Request;
use crate::session::SessionStatus;

/// Operations on session records.
#[derive(Clone, Copy, Debug)]
pub struct PaymentServiceSessions<'a> {
    pub(crate) client: &'a Client,
}

/// What is kept of a session.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct PaymentServiceSessionRecord {
    /// The id.
    pub id: Uuid,
    /// The server's id of the request that asked for the session.
    #[serde(default)]
    pub request_id: Option<String>,
    /// The merchant account.
    pub merchant_account_id: String,
    /// The payment service that was called.
    pub payment_service_id: Uuid,
    /// Its definition.
    pub payment_service_definition_id: String,
    /// How it ended.
    pub status: SessionStatus,
    /// Why it failed.
    #[serde(default)]
    pub code: Option<String>,
    /// The HTTP status of the payment service.
    #[serde(default)]
    pub status_code: Option<i64>,
    /// The payment service's own error code.
    #[serde(default)]
    pub service_code: Option<String>,
    /// False when something was sent and no complete answer came.
    #[serde(default)]
    pub outcome_known: Option<bool>,
    /// Minor units of `currency`.
    #[serde(default)]
    pub amount: Option<i64>,
    /// ISO 4217.
    #[serde(default)]
    pub currency: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(default)]
    pub country: Option<String>,
    /// The merchant's own reference.
    #[serde(default)]
    pub reference: Option<String>,
    /// The payment service's id of what it created.
    #[serde(default)]
    pub service_session_id: Option<String>,
    /// What the payment service's support asks for.
    #[serde(default)]
    pub support_id: Option<String>,
    /// How long the whole request took.
    #[serde(default)]
    pub duration_ms: Option<i64>,
    /// How long the payment service took.
    #[serde(default)]
    pub service_duration_ms: Option<i64>,
    /// When, RFC 3339.
    pub created_at: String,
}

/// Which records a list holds. Members combine with AND, the values of one member with OR; an empty member filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentServiceSessionFilter {
    /// Only these records.
    pub id: Vec<Uuid>,
    /// Only these payment services.
    pub payment_service_id: Vec<Uuid>,
    /// Only these definitions.
    pub payment_service_definition_id: Vec<String>,
    /// Only these references of the merchant's.
    pub reference: Vec<String>,
    /// Only these ids of the payment service's.
    pub service_session_id: Vec<String>,
    /// Only these ids of the payment service's support.
    pub support_id: Vec<String>,
    /// Only these requests.
    pub request_id: Vec<String>,
    /// Only those that ended so.
    pub status: Vec<SessionStatus>,
    /// Only those that failed so.
    pub code: Vec<String>,
    /// Not before, RFC 3339 with a zone.
    pub created_at_gte: Option<String>,
    /// Not after, RFC 3339 with a zone.
    pub created_at_lte: Option<String>,
}

const ROUTE: &str = "payment-service-sessions";

// === impl PaymentServiceSessions ===

impl<'a> PaymentServiceSessions<'a> {
    /// One page of the account's records, newest first.
    pub async fn list(&self, page: &PageRequest, filter: &PaymentServiceSessionFilter) -> Result<Page<PaymentServiceSessionRecord>, Error> {
        self.client.fetch(page.apply(filter.request())).await
    }

    /// The account's records, page by page.
    pub fn pages(&self, first: PageRequest, filter: &PaymentServiceSessionFilter) -> Pages<'a, PaymentServiceSessionRecord> {
        Pages::new(self.client, filter.request(), first)
    }

    /// One record.
    pub async fn get(&self, id: Uuid) -> Result<PaymentServiceSessionRecord, Error> {
        self.client.fetch(Request::new(Method::GET, [ROUTE, &id.to_string()]).for_client_account()).await
    }
}

impl PaymentServiceSessionFilter {
    fn request(&self) -> Request {
        Request::new(Method::GET, [ROUTE])
            .for_client_account()
            .query("id", &self.id)
            .query("payment_service_id", &self.payment_service_id)
            .query("payment_service_definition_id", &self.payment_service_definition_id)
            .query("reference", &self.reference)
            .query("service_session_id", &self.service_session_id)
            .query("support_id", &self.support_id)
            .query("request_id", &self.request_id)
            .query("status", &self.status)
            .query("code", &self.code)
            .query("created_at_gte", self.created_at_gte.as_ref())
            .query("created_at_lte", self.created_at_lte.as_ref())
    }
}
