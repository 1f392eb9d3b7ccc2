//! `GET /payment-service-sessions`, our own extension: what became of sessions, newest first.

use axum::extract::State;
use domain::{
    DefinitionId, PaymentServiceId, Permission, SessionRecordId,
    session::{SessionCode, SessionStatus},
};
use engine::session_records::{self, Filter};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::Tenant;
use crate::openapi::operation::{Account, Body, CURSOR, LIMIT, Operation, QueryParameter, SESSION_STATUSES, ids, moment, texts};
use crate::query::{Query, Sorted};
use crate::reader::Problems;
use crate::routes::Route;
use crate::wire::list::WireList;
use crate::wire::session_record::WireSessionRecord;

/// `list_payment_service_sessions`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::GET,
            path: "/payment-service-sessions",
            id: "list_payment_service_sessions",
            tag: "Payment service sessions",
            summary: "List the records of sessions",
            permission: Permission::named("transactions.read"),
            account: Account::Declared,
            query: &PARAMETERS,
            body: Body::None,
            success: Success::Ok("PaymentServiceSessionRecords"),
        },
        list_payment_service_sessions,
    )
}

const PARAMETERS: [QueryParameter; 13] = [
    CURSOR,
    LIMIT,
    ids("id", "Only these records."),
    ids("payment_service_id", "Only sessions with one of these payment services."),
    texts("payment_service_definition_id", "Only sessions with services of one of these definitions."),
    texts("reference", "Only sessions with one of these references of the merchant."),
    texts("service_session_id", "Only the sessions that the payment service calls so."),
    texts("support_id", "Only the sessions that the payment service's support calls so."),
    texts("request_id", "Only the sessions that were asked for with these requests."),
    SESSION_STATUSES,
    texts("code", "Only sessions that failed with one of these codes."),
    moment("created_at_gte", "Only sessions from this moment on."),
    moment("created_at_lte", "Only sessions up to this moment."),
];

async fn list_payment_service_sessions(State(app): State<App>, tenant: Tenant, query: Query) -> Answer {
    let mut problems = Problems::default();
    let page = query.page_of(&mut problems, Sorted::Time, &tenant.scope);
    let filter = read(&mut problems, &query);
    problems.check()?;
    let found = session_records::list(&app.engine, &tenant.scope, &page, &filter).await?;
    error::ok(&WireList::in_account(&tenant.scope, found, &page, WireSessionRecord::of))
}

fn read(problems: &mut Problems, query: &Query) -> Filter {
    Filter {
        id: query.any_id(problems, "id", SessionRecordId::parse),
        payment_service_id: query.any_id(problems, "payment_service_id", PaymentServiceId::parse),
        definition_id: query.any(problems, "payment_service_definition_id", DefinitionId::parse, "Not an id of a definition"),
        reference: query.any_text(problems, "reference"),
        service_session_id: query.any_text(problems, "service_session_id"),
        support_id: query.any_text(problems, "support_id"),
        request_id: query.any_text(problems, "request_id"),
        status: query.any(problems, "status", SessionStatus::parse, "Unknown status"),
        code: query.any(problems, "code", SessionCode::parse, "Unknown code"),
        created_at_gte: query.moment(problems, "created_at_gte"),
        created_at_lte: query.moment(problems, "created_at_lte"),
    }
}
