//! `GET /payment-service-definitions`: the catalogue, by id.

use axum::extract::State;
use domain::Permission;
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::Instance;
use crate::openapi::operation::{Account, Body, CURSOR, LIMIT, Operation};
use crate::query::{Query, Sorted};
use crate::reader::Problems;
use crate::routes::Route;
use crate::wire::definition::WireDefinition;
use crate::wire::list::WireList;

/// `list_payment_service_definitions`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::GET,
            path: "/payment-service-definitions",
            id: "list_payment_service_definitions",
            tag: "Payment service definitions",
            summary: "List payment service definitions",
            permission: Permission::named("payment-service-definitions.read"),
            account: Account::Undeclared,
            query: &[CURSOR, LIMIT],
            body: Body::None,
            success: Success::Ok("PaymentServiceDefinitions"),
        },
        list_payment_service_definitions,
    )
}

async fn list_payment_service_definitions(State(app): State<App>, _caller: Instance, query: Query) -> Answer {
    let mut problems = Problems::default();
    let page = query.page(&mut problems, Sorted::Id);
    problems.check()?;
    let found = engine::definitions::list(&app.engine, &page)?;
    error::ok(&WireList::of(found, &page, |connector| WireDefinition::of(&connector.definition)))
}
