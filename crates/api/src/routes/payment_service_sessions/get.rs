//! `GET /payment-service-sessions/{payment_service_session_id}`, our own extension.

use axum::extract::State;
use domain::{Permission, SessionRecordId};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{Id, Tenant};
use crate::openapi::operation::{Account, Body, Operation};
use crate::routes::Route;
use crate::wire::session_record::WireSessionRecord;

/// `get_payment_service_session`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::GET,
            path: "/payment-service-sessions/{payment_service_session_id}",
            id: "get_payment_service_session",
            tag: "Payment service sessions",
            summary: "Get the record of a session",
            permission: Permission::named("transactions.read"),
            account: Account::Declared,
            query: &[],
            body: Body::None,
            success: Success::Ok("PaymentServiceSessionRecord"),
        },
        get_payment_service_session,
    )
}

async fn get_payment_service_session(State(app): State<App>, tenant: Tenant, Id(id): Id<SessionRecordId>) -> Answer {
    let record = engine::session_records::get(&app.engine, &tenant.scope, id).await?;
    error::ok(&WireSessionRecord::of(record))
}
