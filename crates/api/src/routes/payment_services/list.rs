//! `GET /payment-services`.

use axum::extract::State;
use domain::{Permission, method::is_method};
use engine::payment_services::{self, Filter};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::Tenant;
use crate::openapi::operation::{Account, Body, CURSOR, DELETED, LIMIT, METHOD, Operation};
use crate::query::{Query, Sorted};
use crate::reader::Problems;
use crate::routes::Route;
use crate::wire::list::WireList;
use crate::wire::payment_service::WirePaymentService;

/// `list_payment_services`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::GET,
            path: "/payment-services",
            id: "list_payment_services",
            tag: "Payment services",
            summary: "List payment services",
            permission: Permission::named("payment-services.read"),
            account: Account::Declared,
            query: &[METHOD, CURSOR, LIMIT, DELETED],
            body: Body::None,
            success: Success::Ok("PaymentServices"),
        },
        list_payment_services,
    )
}

async fn list_payment_services(State(app): State<App>, tenant: Tenant, query: Query) -> Answer {
    let mut problems = Problems::default();
    let known = |word: &str| is_method(word).then(|| word.to_owned());
    let filter = Filter {
        method: query.one(&mut problems, "method", known, "Unknown method"),
        deleted: query.boolean(&mut problems, "deleted").unwrap_or(false),
    };
    let page = query.page_of(&mut problems, Sorted::Time, &tenant.scope);
    problems.check()?;
    let found = payment_services::list(&app.engine, &tenant.scope, &page, &filter).await?;
    error::ok(&WireList::in_account(&tenant.scope, found, &page, WirePaymentService::of))
}
