//! The audit log: who changed what, and when.

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

/// One entry, written in the transaction of the change it describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditEntryId,
    /// The account that was changed; null for changes of the instance.
    pub merchant_account_id: Option<MerchantAccountId>,
    /// What was done.
    pub action: AuditAction,
    /// The API's `type` of the resource, such as `payment-service`.
    pub resource_type: String,
    /// Its id.
    pub resource_id: String,
    /// Its name at that moment.
    pub resource_name: String,
    /// The key pair that did it; null for the server's own commands.
    pub actor_id: Option<ApiKeyPairId>,
    /// The display name of that key pair at that moment.
    pub actor_name: String,
    /// The `x-request-id` of the answer, or the name of the command.
    pub request_id: String,
    /// The address that asked, as text; empty for commands.
    pub origin: String,
    /// When.
    pub created_at: Timestamp,
}
