//! `POST /payment-service-definitions/{payment_service_definition_id}/sessions`: a session with the account's service of a definition.

use axum::extract::State;
use domain::{DefinitionId, Permission};
use engine::sessions::Target;
use http::Method;

use crate::App;
use crate::error::{Answer, Success};
use crate::extract::{Id, RawBody, Tenant};
use crate::idempotency::{self, Repeated};
use crate::openapi::operation::{Account, Body, Operation};
use crate::routes::Route;

/// `create_payment_service_definition_session`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::POST,
            path: "/payment-service-definitions/{payment_service_definition_id}/sessions",
            id: "create_payment_service_definition_session",
            tag: "Payment service definitions",
            summary: "Create a session for a payment service definition",
            permission: Permission::named("transactions.write"),
            account: Account::Undeclared,
            query: &[],
            body: Body::AnyObject,
            success: Success::Ok("PaymentServiceSession"),
        },
        create_payment_service_definition_session,
    )
}

/// The document declares no account header here and official clients send none; a client that adds it means it.
async fn create_payment_service_definition_session(
    State(app): State<App>,
    tenant: Tenant,
    Id(id): Id<DefinitionId>,
    repeated: Repeated,
    RawBody(body): RawBody,
) -> Answer {
    let operation = idempotency::Operation {
        id: "create_payment_service_definition_session",
        path: format!("/payment-service-definitions/{id}/sessions"),
    };
    idempotency::session(&app, &tenant, operation, repeated, Target::Definition(id.as_str().to_owned()), body).await
}
