//! `GET /payment-services/{payment_service_id}`.

use axum::extract::State;
use domain::{PaymentServiceId, Permission};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{Id, Tenant};
use crate::openapi::operation::{Account, Body, Operation};
use crate::routes::Route;
use crate::wire::payment_service::WirePaymentService;

/// `get_payment_service`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::GET,
            path: "/payment-services/{payment_service_id}",
            id: "get_payment_service",
            tag: "Payment services",
            summary: "Get payment service",
            permission: Permission::named("payment-services.read"),
            account: Account::Declared,
            query: &[],
            body: Body::None,
            success: Success::Ok("PaymentService"),
        },
        get_payment_service,
    )
}

async fn get_payment_service(State(app): State<App>, tenant: Tenant, Id(id): Id<PaymentServiceId>) -> Answer {
    let view = engine::payment_services::get(&app.engine, &tenant.scope, id).await?;
    error::ok(&WirePaymentService::of(view))
}
