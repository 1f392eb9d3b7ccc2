//! Session records, our own extension.

use domain::session::{Delivered, SessionCode, SessionRecord};
use serde::Serialize;

/// The trace of one session.
#[derive(Serialize)]
pub(crate) struct WireSessionRecord {
    r#type: &'static str,
    id: String,
    request_id: String,
    merchant_account_id: String,
    payment_service_id: String,
    payment_service_definition_id: String,
    status: &'static str,
    code: Option<&'static str>,
    status_code: Option<u16>,
    service_code: Option<String>,
    outcome_known: bool,
    amount: Option<i64>,
    currency: Option<String>,
    country: Option<String>,
    reference: Option<String>,
    service_session_id: Option<String>,
    support_id: Option<String>,
    duration_ms: i64,
    service_duration_ms: Option<i64>,
    created_at: String,
}

impl WireSessionRecord {
    /// The wire form of a record.
    pub(crate) fn of(record: SessionRecord) -> Self {
        let facts = record.facts;
        Self {
            r#type: "payment-service-session-record",
            id: record.id.to_string(),
            request_id: record.request_id,
            merchant_account_id: record.merchant_account_id.to_string(),
            payment_service_id: record.payment_service_id.to_string(),
            payment_service_definition_id: record.definition_id.to_string(),
            status: record.status.as_str(),
            code: record.code.map(SessionCode::as_str),
            status_code: record.status_code,
            service_code: facts.service_code,
            outcome_known: record.delivered != Delivered::Unknown,
            amount: facts.amount,
            currency: facts.currency.map(|code| code.to_string()),
            country: facts.country.map(|code| code.to_string()),
            reference: facts.reference,
            service_session_id: facts.service_session_id,
            support_id: facts.support_id,
            duration_ms: record.duration_ms,
            service_duration_ms: record.service_duration_ms,
            created_at: record.created_at.to_string(),
        }
    }
}
