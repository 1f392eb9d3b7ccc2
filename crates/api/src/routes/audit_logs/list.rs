//! `GET /audit-logs`.

use axum::extract::State;
use domain::{ApiKeyPairId, Permission, audit::AuditAction};
use engine::audit::{self, Filter};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::Tenant;
use crate::openapi::operation::{ACTION, Account, Body, CURSOR, LIMIT, Operation, QueryParameter, id, text};
use crate::query::{Query, Sorted};
use crate::reader::Problems;
use crate::routes::Route;
use crate::wire::audit::WireAuditEntry;
use crate::wire::list::WireList;

/// `list_audit_logs`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::GET,
            path: "/audit-logs",
            id: "list_audit_logs",
            tag: "Audit logs",
            summary: "List audit log entries",
            permission: Permission::named("audit-logs.read"),
            account: Account::Declared,
            query: &[CURSOR, LIMIT, ACTION, USER_ID, RESOURCE_TYPE],
            body: Body::None,
            success: Success::Ok("AuditLogEntries"),
        },
        list_audit_logs,
    )
}

const USER_ID: QueryParameter = id("user_id", "Only entries of this key pair.");
const RESOURCE_TYPE: QueryParameter = text("resource_type", "Only entries about this type of resource, such as `payment-service`.");

async fn list_audit_logs(State(app): State<App>, tenant: Tenant, query: Query) -> Answer {
    let mut problems = Problems::default();
    let page = query.page_of(&mut problems, Sorted::Time, &tenant.scope);
    let filter = Filter {
        action: query.one(&mut problems, "action", AuditAction::parse, "Unknown action"),
        user_id: query.id(&mut problems, "user_id", ApiKeyPairId::parse),
        resource_type: query.text(&mut problems, "resource_type"),
    };
    problems.check()?;
    let found = audit::list(&app.engine, &tenant.caller, &tenant.request, &tenant.scope, &page, &filter).await?;
    error::ok(&WireList::in_account(&tenant.scope, found, &page, WireAuditEntry::of))
}
