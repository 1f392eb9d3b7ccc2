//! The same request twice: what a caller's idempotency key means, as rules without a clock or a database.

use bytes::Bytes;

use crate::code::words;
use crate::session::{Delivered, Session, SessionCode, SessionStatus};
use crate::{ApiKeyPairId, DefinitionId, MerchantAccountId, PaymentServiceId, SessionRecordId, Timestamp};

/// How long a key is known after its first use.
pub const KEPT_SECONDS: i64 = 24 * 60 * 60;

/// How long after the time limit of its call an execution still counts as running: far more than storing its outcome takes.
pub const LEASE_SECONDS: i64 = 30;

/// Longest key, characters.
pub const KEY_LENGTH_MAX: usize = 255;

/// A caller's name for one thing that is to be done once: 1 to [`KEY_LENGTH_MAX`] printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is nothing.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`KEY_LENGTH_MAX`].
    #[error("must not be longer than {KEY_LENGTH_MAX} characters")]
    TooLong,
    /// Something that can not be printed, or is not ASCII.
    #[error("must consist of printable ASCII characters")]
    NotPrintable,
}

/// What a request is, but for its spelling: SHA-256 over path, query and canonical body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// Where a key counts: in one account, for one operation, at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPlace {
    /// The operation's id.
    pub operation: String,
    /// The path, in one spelling.
    pub path: String,
    /// The key.
    pub key: IdempotencyKey,
}

words! {
    /// How far a key has come.
    KeyState {
        /// It is being executed, or was when its process died: the lease tells.
        Started = "started",
        /// There is a final answer, which every repetition gets.
        Answered = "answered",
        /// The payment service may have acted, and nobody knows the end.
        Unknown = "unknown",
        /// What was done has come to nothing: it may be done again.
        Open = "open",
    }
}

/// A key in use, as it is stored.
#[derive(Clone, Debug)]
pub struct UsedKey {
    /// Whose it is.
    pub merchant_account_id: MerchantAccountId,
    /// Where it counts.
    pub place: KeyPlace,
    /// The request that it was first used for.
    pub fingerprint: Fingerprint,
    /// The id that the payment service recognises the request by: that of the first execution, the same for every repetition.
    pub attempt: SessionRecordId,
    /// How far it has come.
    pub state: KeyState,
    /// The last execution.
    pub execution: Execution,
    /// Until when the payment service recognises the attempt; `None` if it never does.
    pub recognised_until: Option<Timestamp>,
    /// The stored answer, in the states `answered` and `unknown`.
    pub answer: Option<SealedAnswer>,
    /// Its first use.
    pub created_at: Timestamp,
    /// When it counts as never used again.
    pub expires_at: Timestamp,
}

/// One time that a request was carried out under a key: what its record would need if its process died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The id of its session record, and what tells it from an execution that took over.
    pub id: SessionRecordId,
    /// Until when nobody else may take over.
    pub lease_until: Timestamp,
    /// The payment service that it calls.
    pub payment_service_id: PaymentServiceId,
    /// Its definition.
    pub definition_id: DefinitionId,
    /// The version of its file.
    pub definition_hash: String,
    /// The key pair that asked.
    pub api_key_pair_id: ApiKeyPairId,
    /// The `x-request-id` of the request.
    pub request_id: String,
    /// When it began.
    pub started_at: Timestamp,
}

/// An answer under its account's data key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedAnswer {
    /// The version of the data key.
    pub data_key_version: i64,
    /// Nonce, ciphertext and tag.
    pub sealed: Vec<u8>,
}

/// What a request was answered, to be answered again byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// What was said about the payment service.
    pub delivered: Delivered,
    /// Body.
    pub body: Bytes,
}

/// What is to be done with a request whose key is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The key was used for something else.
    Mismatch,
    /// Its execution has not ended.
    Running,
    /// The stored answer is the answer.
    Replay,
    /// It is carried out once more, as the same attempt.
    Repeat(Earlier),
    /// Its process died and the payment service can not tell: the outcome is unknown, and stays so.
    Conclude,
    /// Its time is over: it is as if it had never been used.
    Forget,
}

/// What the executions before this one have left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing that the payment service would have to be asked about.
    Nothing,
    /// The payment service may have acted on one of them.
    MayHaveActed,
}

/// Whether the payment service would recognise the attempt if it were sent again now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognition {
    /// It would, and would not act twice.
    Certain,
    /// It takes no idempotency key, has forgotten it, or is not the one that was called.
    None,
}

// === impl IdempotencyKey ===

impl IdempotencyKey {
    /// Takes a key as it was sent.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(KeyError::NotPrintable);
        }
        if text.len() > KEY_LENGTH_MAX {
            return Err(KeyError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The key as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// === impl UsedKey ===

impl UsedKey {
    /// What comes of a request with this key. Whether it is the same request is asked first: who sends something else is told so whatever became of the first.
    pub fn verdict(&self, fingerprint: &Fingerprint, now: Timestamp, recognition: Recognition) -> Verdict {
        let is_running = self.state == KeyState::Started && self.execution.lease_until > now;
        if self.expires_at <= now && !is_running {
            return Verdict::Forget;
        }
        if &self.fingerprint != fingerprint {
            return Verdict::Mismatch;
        }
        match (self.state, recognition) {
            (KeyState::Started, _) if is_running => Verdict::Running,
            (KeyState::Started | KeyState::Unknown, Recognition::Certain) => Verdict::Repeat(Earlier::MayHaveActed),
            (KeyState::Started, Recognition::None) => Verdict::Conclude,
            (KeyState::Answered, _) | (KeyState::Unknown, Recognition::None) => Verdict::Replay,
            (KeyState::Open, _) => Verdict::Repeat(Earlier::Nothing),
        }
    }
}

// === impl KeyState ===

impl KeyState {
    /// How far a key has come when an execution has ended.
    ///
    /// A success is final, and so is what the service declines with a complete answer. A rate limit, a failure of the service and what it asks to send again later decide nothing. Where an earlier execution may have acted, only a success is final: a refusal may be about the repetition, such as a key that is still in use, and not about the first.
    pub fn after(session: &Session, delivered: Delivered, earlier: Earlier) -> Self {
        match (session.status, earlier, delivered) {
            (SessionStatus::Succeeded, _, _) => Self::Answered,
            (SessionStatus::Failed, Earlier::MayHaveActed, _) | (SessionStatus::Failed, Earlier::Nothing, Delivered::Unknown) => {
                Self::Unknown
            }
            (SessionStatus::Failed, Earlier::Nothing, Delivered::No) => Self::Open,
            (SessionStatus::Failed, Earlier::Nothing, Delivered::Yes) => after_an_answer(session),
        }
    }
}

/// The service has answered; which of its answers will be another one next time.
fn after_an_answer(session: &Session) -> KeyState {
    match session.code {
        Some(SessionCode::ServiceRateLimit | SessionCode::ServiceError) => KeyState::Open,
        // The first of two requests was answered and the second has no answer.
        Some(SessionCode::ServiceNetworkError | SessionCode::ServiceUnavailable) => KeyState::Unknown,
        Some(SessionCode::InvalidServiceRequest) if matches!(session.status_code, Some(REQUEST_TIMEOUT | TOO_EARLY)) => KeyState::Open,
        Some(
            SessionCode::InvalidServiceRequest
            | SessionCode::InvalidServiceResponse
            | SessionCode::InvalidServiceCredentials
            | SessionCode::InvalidServiceConfiguration
            | SessionCode::UnknownError,
        )
        | None => KeyState::Answered,
    }
}

/// The service has not waited for the whole request.
const REQUEST_TIMEOUT: u16 = 408;
/// The service does not want to act on it yet.
const TOO_EARLY: u16 = 425;

// === impl Delivered ===

impl Delivered {
    /// The same for who sees only the last of several executions: nobody may hear that nothing was sent where an earlier one may have sent it.
    #[must_use]
    pub fn after(self, earlier: Earlier) -> Self {
        match (self, earlier) {
            (Self::No, Earlier::MayHaveActed) => Self::Unknown,
            (Self::No | Self::Unknown | Self::Yes, _) => self,
        }
    }
}

// === impl StoredAnswer ===

impl StoredAnswer {
    /// One line with status and delivery, then the body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {}\n", self.status, self.delivered).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Reads what [`Self::to_bytes`] has written.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (line, body) = (std::str::from_utf8(bytes.get(..end)?).ok()?, bytes.get(end + 1..)?);
        let (status, delivered) = line.split_once(' ')?;
        Some(Self { status: status.parse().ok()?, delivered: Delivered::parse(delivered)?, body: Bytes::copy_from_slice(body) })
    }
}

#[cfg(test)]
mod tests;
