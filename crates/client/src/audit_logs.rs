//! The audit log: who changed what.

use reqwest::Method;
use serde::Deserialize;
use uuid::Uuid;

use crate::client::Client;
use crate::error::Error;
use crate::page::{Page, PageRequest, Pages};
use crate::request::Request;
use crate::words::open_words;

/// Operations on the audit log.
#[derive(Clone, Copy, Debug)]
pub struct AuditLogs<'a> {
    pub(crate) client: &'a Client,
}

open_words! {
    /// What was done.
    AuditLogAction {
        /// Something new.
        Created = "created",
        /// Something changed.
        Updated = "updated",
        /// Something gone.
        Deleted = "deleted",
        /// An authorisation voided.
        Voided = "voided",
        /// A payment cancelled.
        Canceled = "canceled",
        /// A payment captured.
        Captured = "captured",
    }
}

/// One change.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct AuditLogEntry {
    /// The id.
    #[serde(default)]
    pub id: Option<Uuid>,
    /// The merchant account; absent when the change concerns all of them.
    #[serde(default)]
    pub merchant_account_id: Option<String>,
    /// What was changed.
    pub resource: AuditLogResource,
    /// How.
    pub action: AuditLogAction,
    /// By whom.
    pub user: AuditLogUser,
    /// When, RFC 3339.
    pub timestamp: String,
}

/// What was changed.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct AuditLogResource {
    /// Its type, such as `payment-service`.
    pub r#type: String,
    /// Its id.
    pub id: String,
    /// Its name at the time.
    #[serde(default)]
    pub name: String,
}

/// Who changed it: a person or a key pair.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct AuditLogUser {
    /// The id.
    #[serde(default)]
    pub id: Option<Uuid>,
    /// The name.
    pub name: String,
    /// A person's address.
    #[serde(default)]
    pub email_address: Option<String>,
    /// Whether they work for the host of the instance.
    #[serde(default)]
    pub is_staff: bool,
    /// Whether they can still sign in: `active`, `pending`, `deleted`.
    #[serde(default)]
    pub status: Option<String>,
}

/// Which changes a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditLogFilter {
    /// Only changes of this kind.
    pub action: Option<AuditLogAction>,
    /// Only changes by this user or key pair.
    pub user_id: Option<Uuid>,
    /// Only changes of this type of record.
    pub resource_type: Option<String>,
}

impl<'a> AuditLogs<'a> {
    /// One page of the log, newest first.
    pub async fn list(&self, page: &PageRequest, filter: &AuditLogFilter) -> Result<Page<AuditLogEntry>, Error> {
        self.client.fetch(page.apply(filter.request())).await
    }

    /// The log, page by page.
    pub fn pages(&self, first: PageRequest, filter: &AuditLogFilter) -> Pages<'a, AuditLogEntry> {
        Pages::new(self.client, filter.request(), first)
    }
}

impl AuditLogFilter {
    fn request(&self) -> Request {
        Request::new(Method::GET, ["audit-logs"])
            .for_client_account()
            .query("action", self.action.as_ref())
            .query("user_id", self.user_id)
            .query("resource_type", self.resource_type.as_ref())
    }
}
