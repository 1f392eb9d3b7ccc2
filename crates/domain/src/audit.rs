//! The audit log: who changed what, and when; and what else happened that somebody may have to answer for.

use std::fmt;

use crate::code::words;
use crate::{ApiKeyPairId, AuditEntryId, MerchantAccountId, Timestamp};

words! {
    /// What was done; the API's six words.
    AuditAction {
        /// Something was made.
        Created = "created",
        /// Something was changed.
        Updated = "updated",
        /// Something was deleted.
        Deleted = "deleted",
        /// A transaction was voided.
        Voided = "voided",
        /// A transaction was cancelled.
        Canceled = "canceled",
        /// A transaction was captured.
        Captured = "captured",
    }
}

words! {
    /// What happened without changing anything that the API shows. These words are ours: the API's list leaves such entries out.
    AuditEvent {
        /// Tokens were refused: why, from where and how often is in the details.
        AuthenticationFailed = "authentication_failed",
        /// Tokens named a key pair that is switched off or deleted.
        RevokedKeyUsed = "revoked_key_used",
        /// Somebody has read the audit log through the API.
        AuditRead = "audit_read",
        /// A server began to answer.
        ServerStarted = "server_started",
        /// A server ended in order. One that was killed has a start and no stop.
        ServerStopped = "server_stopped",
        /// A command of the operator's worked on the database itself, such as a rotation or a restore.
        CommandRun = "command_run",
    }
}

/// One entry: a change, written in its transaction, or an event. Its details go beside it, since what lists entries leaves them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry<W = AuditAction> {
    /// Its id.
    pub id: AuditEntryId,
    /// The account that was changed or that it is about; null where that is the instance.
    pub merchant_account_id: Option<MerchantAccountId>,
    /// What was done, or what happened.
    pub action: W,
    /// The API's `type` of the resource, such as `payment-service`, or a word of ours where it has none.
    pub resource_type: String,
    /// Its id; may be empty for events.
    pub resource_id: String,
    /// Its name at that moment; may be empty for events.
    pub resource_name: String,
    /// The key pair that did it; null for the server's own commands, and where it is not proven: a refused token proves nothing.
    pub actor_id: Option<ApiKeyPairId>,
    /// The display name of that key pair at that moment, or the name of the program; may be empty for events.
    pub actor_name: String,
    /// The `x-request-id` of the answer, or the name of the command; empty where several requests share the entry.
    pub request_id: String,
    /// The address that asked, as text; empty for commands, and where there were more than are told apart.
    pub origin: String,
    /// When; the last time, where it happened more than once.
    pub created_at: Timestamp,
}

/// SHA-256 of an entry of the log and of everything before it. Prints as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChainHash(pub [u8; 32]);

// === impl ChainHash ===

impl ChainHash {
    /// What stands before the first entry.
    pub const BEFORE_THE_FIRST: Self = Self([0; 32]);

    /// From bytes as they are stored; `None` unless there are 32.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Reads what [`fmt::Display`] has written.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(digit(high)? * 16 + digit(low)?),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        Self::of_bytes(&bytes?)
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_no_actions_of_the_api() {
        for event in AuditEvent::ALL {
            assert_eq!(AuditAction::parse(event.as_str()), None, "{event}");
        }
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = ChainHash(std::array::from_fn(|index| u8::try_from(index * 7).unwrap()));
        assert_eq!(ChainHash::parse(&hash.to_string()), Some(hash));
        assert_eq!(hash.to_string().get(..8), Some("00070e15"));
        for nonsense in ["", "00", &"0".repeat(63), &"g".repeat(64), &"0".repeat(66), "é"] {
            assert_eq!(ChainHash::parse(nonsense), None, "{nonsense}");
        }
    }
}
