//! What an operation declares about itself: read by the router, which obeys it, and by the document, which shows it.

use domain::Permission;
use engine::session_records::FILTER_VALUES_MAX;
use http::Method;
use serde_json::{Value, json};

use super::schema::{array, integer_from_to, nullable, reference, string, timestamp, uuid};
use crate::error::Success;

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// The contract's operation id, and the name of the handler.
    pub(crate) id: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    /// The one scope that the caller must hold. Embed tokens hold none of these.
    pub(crate) permission: Permission,
    pub(crate) account: Account,
    pub(crate) query: &'static [QueryParameter],
    pub(crate) body: Body,
    pub(crate) success: Success,
}

/// Whether the operation declares the header that names the merchant account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// It does.
    Declared,
    /// It does not, so official clients never send it.
    Undeclared,
}

/// What an operation wants in the body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    /// Nothing.
    None,
    /// Any JSON object, passed on as it is.
    AnyObject,
    /// A schema of our document.
    Schema(&'static str),
}

/// One parameter of the query string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryParameter {
    pub(crate) name: &'static str,
    pub(crate) schema: fn() -> Value,
    pub(crate) about: &'static str,
}

/// The one parameter that a path may have.
pub(crate) struct PathParameter {
    pub(crate) name: &'static str,
    pub(crate) uuid: bool,
}

// === impl Operation ===

impl Operation {
    /// The parameter of the path, if it has one. Accounts and definitions have ids that people choose; all others are UUIDs.
    pub(crate) fn path_parameter(&self) -> Option<PathParameter> {
        let (_, rest) = self.path.split_once('{')?;
        let (name, _) = rest.split_once('}')?;
        Some(PathParameter { name, uuid: !matches!(name, "merchant_account_id" | "payment_service_definition_id") })
    }

    /// Whether it honours the header `idempotency-key`. Every other operation ignores it.
    pub(crate) fn takes_idempotency_key(&self) -> bool {
        matches!(self.id, "create_payment_service_session" | "create_payment_service_definition_session")
    }
}

// === parameters that several operations have ===

/// Where a page begins.
pub(crate) const CURSOR: QueryParameter =
    QueryParameter { name: "cursor", schema: || nullable(string()), about: "The `next_cursor` or `previous_cursor` of another page." };

/// How long a page is.
pub(crate) const LIMIT: QueryParameter =
    QueryParameter { name: "limit", schema: limit_schema, about: "How many items a page has at most." };

fn limit_schema() -> Value {
    let mut schema = integer_from_to(1, 100);
    if let Value::Object(members) = &mut schema {
        members.insert("default".to_owned(), json!(20));
    }
    schema
}

/// A parameter that is any text.
pub(crate) const fn text(name: &'static str, about: &'static str) -> QueryParameter {
    QueryParameter { name, schema: || nullable(string()), about }
}

/// A parameter that is a UUID.
pub(crate) const fn id(name: &'static str, about: &'static str) -> QueryParameter {
    QueryParameter { name, schema: || nullable(uuid()), about }
}

/// A filter by texts: repeated, it means any of them.
pub(crate) const fn texts(name: &'static str, about: &'static str) -> QueryParameter {
    QueryParameter { name, schema: || alternatives(string()), about }
}

/// A filter by UUIDs: repeated, it means any of them.
pub(crate) const fn ids(name: &'static str, about: &'static str) -> QueryParameter {
    QueryParameter { name, schema: || alternatives(uuid()), about }
}

fn alternatives(value: Value) -> Value {
    let mut list = array(value);
    if let Value::Object(members) = &mut list {
        members.insert("maxItems".to_owned(), json!(FILTER_VALUES_MAX));
    }
    nullable(list)
}

/// A parameter that is a moment.
pub(crate) const fn moment(name: &'static str, about: &'static str) -> QueryParameter {
    QueryParameter { name, schema: || nullable(timestamp()), about }
}

/// A payment method.
pub(crate) const METHOD: QueryParameter =
    QueryParameter { name: "method", schema: || nullable(reference("Method")), about: "Only services of this payment method." };

/// Whether deleted ones are listed.
pub(crate) const DELETED: QueryParameter =
    QueryParameter { name: "deleted", schema: deleted_schema, about: "Lists the deleted services instead of the others." };

fn deleted_schema() -> Value {
    let mut schema = nullable(json!({ "type": "boolean" }));
    if let Value::Object(members) = &mut schema {
        members.insert("default".to_owned(), json!(false));
    }
    schema
}

/// An action of the audit log.
pub(crate) const ACTION: QueryParameter =
    QueryParameter { name: "action", schema: || nullable(reference("AuditLogAction")), about: "Only entries of this action." };

/// How sessions ended.
pub(crate) const SESSION_STATUSES: QueryParameter = QueryParameter {
    name: "status",
    schema: || alternatives(reference("PaymentServiceSessionStatus")),
    about: "Only sessions that ended so.",
};
