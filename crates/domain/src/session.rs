//! The payment service session: what the server exists for.

use crate::code::words;
use crate::{
    ApiKeyPairId, CountryCode, CurrencyCode, DefinitionId, JsonObject, MerchantAccountId, PaymentServiceId, SessionRecordId, Timestamp,
};

words! {
    /// How a session ended. There is no third value: old clients parse this as a closed set.
    SessionStatus {
        /// The payment service created what was asked for.
        Succeeded = "succeeded",
        /// It did not, for whatever reason; `code` says which.
        Failed = "failed",
    }
}

words! {
    /// Why a session failed, in generic words. Clients treat the set as open.
    SessionCode {
        /// A redirect, or a success that is not a JSON object, too long or undecodable.
        InvalidServiceResponse = "INVALID_SERVICE_RESPONSE",
        /// The service refused the stored credentials.
        InvalidServiceCredentials = "INVALID_SERVICE_CREDENTIALS",
        /// The service asks for fewer calls.
        ServiceRateLimit = "SERVICE_RATE_LIMIT",
        /// The service refused the request.
        InvalidServiceRequest = "INVALID_SERVICE_REQUEST",
        /// The service failed.
        ServiceError = "SERVICE_ERROR",
        /// No complete answer: name, connection, TLS, reset or time limit.
        ServiceNetworkError = "SERVICE_NETWORK_ERROR",
        /// Nothing was sent: too many calls are in flight, or the service has failed too often.
        ServiceUnavailable = "SERVICE_UNAVAILABLE",
        /// Nothing was sent: the request can not be rendered, or its address is not allowed.
        InvalidServiceConfiguration = "INVALID_SERVICE_CONFIGURATION",
        /// Everything else.
        UnknownError = "UNKNOWN_ERROR",
    }
}

words! {
    /// Whether the payment service may have acted on a request.
    Delivered {
        /// Provably nothing was sent.
        No = "no",
        /// Something was sent and no complete answer came.
        Unknown = "unknown",
        /// A complete answer came.
        Yes = "yes",
    }
}

/// The answer to a session call: the same shape for every payment service, whatever happened.
#[derive(Clone, Debug)]
pub struct Session {
    /// How it ended.
    pub status: SessionStatus,
    /// Null when it succeeded.
    pub code: Option<SessionCode>,
    /// The HTTP status of the payment service; null if it never answered.
    pub status_code: Option<u16>,
    /// The payment service's own JSON object; null for anything else.
    pub response_body: Option<JsonObject>,
}

impl Session {
    /// A session for which no answer of the payment service exists.
    pub fn failed(code: SessionCode) -> Self {
        Self { status: SessionStatus::Failed, code: Some(code), status_code: None, response_body: None }
    }
}

/// What is kept of the two bodies: the values at the places that a definition's `record` names, length-limited and free of card numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedFacts {
    /// Minor units of `currency`; null where the service's own form can not be read as one amount.
    pub amount: Option<i64>,
    /// ISO 4217, upper case.
    pub currency: Option<CurrencyCode>,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<CountryCode>,
    /// The merchant's own reference, at most 255 characters.
    pub reference: Option<String>,
    /// The payment service's id of what it created, at most 255 characters.
    pub service_session_id: Option<String>,
    /// What the payment service's support asks for, at most 255 characters.
    pub support_id: Option<String>,
    /// The payment service's own error code, at most 64 characters.
    pub service_code: Option<String>,
}

/// The one trace that a session leaves: no bodies, no secrets, no message text.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    /// Also the attempt's id, sent to the service as idempotency key where it takes one; a repetition under the caller's idempotency key has a record of its own and the attempt's id of the first.
    pub id: SessionRecordId,
    /// The `x-request-id` of the answer.
    pub request_id: String,
    /// The merchant account.
    pub merchant_account_id: MerchantAccountId,
    /// The payment service that was called.
    pub payment_service_id: PaymentServiceId,
    /// Its definition.
    pub definition_id: DefinitionId,
    /// First 8 hexadecimal characters of the definition file's SHA-256.
    pub definition_hash: String,
    /// The key pair that asked.
    pub api_key_pair_id: ApiKeyPairId,
    /// How it ended.
    pub status: SessionStatus,
    /// Why it failed.
    pub code: Option<SessionCode>,
    /// The service's HTTP status.
    pub status_code: Option<u16>,
    /// Whether the service may have acted; `Unknown` is `outcome_known: false` on the wire.
    pub delivered: Delivered,
    /// Values from the places that the definition names.
    pub facts: RecordedFacts,
    /// From the request's arrival at the engine to the write of this record, ms.
    pub duration_ms: i64,
    /// Time spent on calls of the payment service, ms; null if none was made.
    pub service_duration_ms: Option<i64>,
    /// When the session was asked for.
    pub created_at: Timestamp,
}
