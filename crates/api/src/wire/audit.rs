//! Audit log entries.

use domain::audit::AuditEntry;
use serde::Serialize;

/// `AuditLogEntry` of the API's document.
#[derive(Serialize)]
pub(crate) struct WireAuditEntry {
    r#type: &'static str,
    id: String,
    merchant_account_id: Option<String>,
    resource: WireResource,
    action: &'static str,
    user: WireUser,
    timestamp: String,
}

#[derive(Serialize)]
struct WireResource {
    r#type: String,
    id: String,
    name: String,
}

#[derive(Serialize)]
struct WireUser {
    r#type: &'static str,
    id: Option<String>,
    name: String,
    email_address: Option<&'static str>,
    is_staff: bool,
    status: &'static str,
}

impl WireAuditEntry {
    /// The wire form of an entry. Where the API has a user, we have a key pair, or a command of the server without one.
    pub(crate) fn of(entry: AuditEntry) -> Self {
        Self {
            r#type: "audit-log",
            id: entry.id.to_string(),
            merchant_account_id: entry.merchant_account_id.map(|id| id.to_string()),
            resource: WireResource { r#type: entry.resource_type, id: entry.resource_id, name: entry.resource_name },
            action: entry.action.as_str(),
            user: WireUser {
                r#type: "user",
                id: entry.actor_id.map(|id| id.to_string()),
                name: entry.actor_name,
                email_address: None,
                is_staff: false,
                status: "active",
            },
            timestamp: entry.created_at.to_string(),
        }
    }
}
