//! `GET /payment-service-definitions/{payment_service_definition_id}`.

use axum::extract::State;
use domain::{DefinitionId, Permission};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{Id, Instance};
use crate::openapi::operation::{Account, Body, Operation};
use crate::routes::Route;
use crate::wire::definition::WireDefinition;

/// `get_payment_service_definition`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::GET,
            path: "/payment-service-definitions/{payment_service_definition_id}",
            id: "get_payment_service_definition",
            tag: "Payment service definitions",
            summary: "Get a payment service definition",
            permission: Permission::named("payment-service-definitions.read"),
            account: Account::Undeclared,
            query: &[],
            body: Body::None,
            success: Success::Ok("PaymentServiceDefinition"),
        },
        get_payment_service_definition,
    )
}

async fn get_payment_service_definition(State(app): State<App>, _caller: Instance, Id(id): Id<DefinitionId>) -> Answer {
    let connector = engine::definitions::get(&app.engine, id.as_str())?;
    error::ok(&WireDefinition::of(&connector.definition))
}
