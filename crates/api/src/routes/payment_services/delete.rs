//! `DELETE /payment-services/{payment_service_id}`.

use axum::extract::State;
use domain::{PaymentServiceId, Permission};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{Id, Tenant};
use crate::openapi::operation::{Account, Body, Operation};
use crate::routes::Route;

/// `delete_payment_service`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::DELETE,
            path: "/payment-services/{payment_service_id}",
            id: "delete_payment_service",
            tag: "Payment services",
            summary: "Delete a configured payment service",
            permission: Permission::named("payment-services.write"),
            account: Account::Declared,
            query: &[],
            body: Body::None,
            success: Success::NoContent,
        },
        delete_payment_service,
    )
}

async fn delete_payment_service(State(app): State<App>, tenant: Tenant, Id(id): Id<PaymentServiceId>) -> Answer {
    engine::payment_services::delete(&app.engine, &tenant.scope, &tenant.request, id).await?;
    error::no_content()
}
