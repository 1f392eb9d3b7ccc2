//! The schemas of our document, by name. Names are those of the API's document, except for the session and for names that a generator made up.

mod instance;
mod payment_services;

use domain::session::SessionStatus;
use serde_json::{Map, Value, json};

use super::schema::{array, constant, default, integer, integer_from_to, may, must, nullable, object, reference, string, text, words};

/// Every schema.
pub(super) fn all() -> Map<String, Value> {
    let schemas = payment_services::schemas().into_iter().chain(instance::schemas()).chain(sessions()).chain(errors());
    schemas.map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn sessions() -> Vec<(&'static str, Value)> {
    vec![
        (
            "PaymentServiceSession",
            object(
                "What became of a session call, in the same shape for every payment service.",
                vec![
                    may("type", constant("payment-service-session")),
                    must("status", reference("PaymentServiceSessionStatus")),
                    may("code", nullable(string())),
                    may("status_code", nullable(integer())),
                    may("response_body", nullable(super::schema::any_object())),
                ],
            ),
        ),
        ("PaymentServiceSessionStatus", words(SessionStatus::ALL.iter().map(|status| status.as_str()))),
        ("PaymentServiceSessionRecord", record()),
        ("PaymentServiceSessionRecords", list("Session records, newest first.", "PaymentServiceSessionRecord")),
    ]
}

fn record() -> Value {
    use super::schema::{boolean, timestamp, uuid};
    object(
        "The trace of one session: no bodies, no secrets.",
        vec![
            must("type", constant("payment-service-session-record")),
            must("id", uuid()),
            must("request_id", string()),
            must("merchant_account_id", string()),
            must("payment_service_id", uuid()),
            must("payment_service_definition_id", text(1, 50)),
            must("status", reference("PaymentServiceSessionStatus")),
            must("code", nullable(string())),
            must("status_code", nullable(integer())),
            must("service_code", nullable(super::schema::text_up_to(64))),
            must("outcome_known", boolean()),
            must("amount", nullable(integer())),
            must("currency", nullable(super::schema::currency())),
            must("country", nullable(super::schema::country())),
            must("reference", nullable(string())),
            must("service_session_id", nullable(string())),
            must("support_id", nullable(string())),
            must("duration_ms", integer()),
            must("service_duration_ms", nullable(integer())),
            must("created_at", timestamp()),
        ],
    )
}

fn errors() -> Vec<(&'static str, Value)> {
    vec![
        (
            "Error",
            object(
                "Why a request was refused.",
                vec![
                    must("type", constant("error")),
                    must("code", string()),
                    must("status", integer()),
                    must("message", string()),
                    must("details", array(reference("ErrorDetail"))),
                    may("resource_id", nullable(string())),
                ],
            ),
        ),
        (
            "ErrorDetail",
            object(
                "One thing that is wrong with a request.",
                vec![
                    must("location", words(["query", "body", "path", "header", "unknown"])),
                    must(
                        "pointer",
                        json!({ "type": "string", "description": "RFC 6901 pointer into the body, else the parameter's name." }),
                    ),
                    must("message", string()),
                    must("type", string()),
                ],
            ),
        ),
    ]
}

/// A page of something.
fn list(about: &str, item: &str) -> Value {
    object(
        about,
        vec![
            must("items", array(reference(item))),
            may("limit", default(20, integer_from_to(1, 100))),
            may("next_cursor", nullable(text(1, 1000))),
            may("previous_cursor", nullable(text(1, 1000))),
        ],
    )
}
