//! The payment service session: one shape for every payment service.

use std::fmt;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::words::open_words;

open_words! {
    /// How a session ended.
    SessionStatus {
        /// The payment service created what was asked for.
        Succeeded = "succeeded",
        /// It did not; `code` says why.
        Failed = "failed",
    }
}

/// What a payment service answered to a session call. A refusal by the payment service is such an answer too, with status `failed`.
#[derive(Clone, Default, Deserialize)]
#[non_exhaustive]
pub struct PaymentServiceSession {
    /// Always `payment-service-session`.
    #[serde(default)]
    pub r#type: Option<String>,
    /// How it ended.
    #[serde(default)]
    pub status: Option<SessionStatus>,
    /// Why it failed, in a generic upper-case word such as `SERVICE_NETWORK_ERROR`. New ones may come.
    #[serde(default)]
    pub code: Option<String>,
    /// The HTTP status of the payment service; absent if it never answered.
    #[serde(default, deserialize_with = "whole_number")]
    pub status_code: Option<i64>,
    /// The payment service's own JSON object, byte for byte. It may hold secrets meant for the buyer's device, so it does not print.
    #[serde(default)]
    pub response_body: Option<Box<RawValue>>,
}

// === impl PaymentServiceSession ===

impl PaymentServiceSession {
    /// Whether the payment service created what was asked for.
    pub fn is_succeeded(&self) -> bool {
        self.status == Some(SessionStatus::Succeeded)
    }

    /// The payment service's answer as a JSON value; null when there is none. Numbers beyond 64 bits lose digits here: `response_body` has them all.
    pub fn response_value(&self) -> Result<Value, serde_json::Error> {
        match &self.response_body {
            Some(body) => serde_json::from_str(body.get()),
            None => Ok(Value::Null),
        }
    }

    /// The payment service's answer as a type; `None` when there is none.
    pub fn response_as<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        self.response_body.as_ref().map(|body| serde_json::from_str(body.get())).transpose()
    }
}

impl fmt::Debug for PaymentServiceSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaymentServiceSession")
            .field("type", &self.r#type)
            .field("status", &self.status)
            .field("code", &self.code)
            .field("status_code", &self.status_code)
            .field("response_body", &self.response_body.as_ref().map(|body| format!("[{} bytes]", body.get().len())))
            .finish()
    }
}

/// Reads `200` and `200.0` alike: the member was once declared as a plain number.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else { return Ok(None) };
    if let Some(whole) = number.as_i64() {
        return Ok(Some(whole));
    }
    let text = number.to_string();
    let whole = text.strip_suffix(".0").and_then(|digits| digits.parse().ok());
    whole.map(Some).ok_or_else(|| D::Error::custom(format!("`{text}` is not a whole number")))
}
