//! `POST /payment-services/{payment_service_id}/sessions`: a session with one payment service.

use axum::extract::State;
use domain::{PaymentServiceId, Permission};
use engine::sessions::Target;
use http::Method;

use crate::App;
use crate::error::{Answer, Success};
use crate::extract::{Id, RawBody, Tenant};
use crate::idempotency::{self, Repeated};
use crate::openapi::operation::{Account, Body, Operation};
use crate::routes::Route;

/// `create_payment_service_session`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::POST,
            path: "/payment-services/{payment_service_id}/sessions",
            id: "create_payment_service_session",
            tag: "Payment services",
            summary: "Create a session for a payment service",
            permission: Permission::named("transactions.write"),
            account: Account::Declared,
            query: &[],
            body: Body::AnyObject,
            success: Success::Ok("PaymentServiceSession"),
        },
        create_payment_service_session,
    )
}

async fn create_payment_service_session(
    State(app): State<App>,
    tenant: Tenant,
    Id(id): Id<PaymentServiceId>,
    repeated: Repeated,
    RawBody(body): RawBody,
) -> Answer {
    let operation = idempotency::Operation { id: "create_payment_service_session", path: format!("/payment-services/{id}/sessions") };
    idempotency::session(&app, &tenant, operation, repeated, Target::Service(id), body).await
}
