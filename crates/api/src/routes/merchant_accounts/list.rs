//! `GET /merchant-accounts`: those that the key pair may act in.

use axum::extract::State;
use domain::Permission;
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::Instance;
use crate::openapi::operation::{Account, Body, CURSOR, LIMIT, Operation, QueryParameter, text};
use crate::query::{Query, Sorted};
use crate::reader::Problems;
use crate::routes::Route;
use crate::wire::list::WireList;
use crate::wire::merchant_account::WireMerchantAccount;

/// `list_merchant_accounts`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::GET,
            path: "/merchant-accounts",
            id: "list_merchant_accounts",
            tag: "Merchant accounts",
            summary: "List all merchant accounts",
            permission: Permission::named("merchant-accounts.read"),
            account: Account::Undeclared,
            query: &[CURSOR, LIMIT, SEARCH],
            body: Body::None,
            success: Success::Ok("MerchantAccounts"),
        },
        list_merchant_accounts,
    )
}

const SEARCH: QueryParameter = text("search", "Only accounts whose id or display name holds this text.");

async fn list_merchant_accounts(State(app): State<App>, instance: Instance, query: Query) -> Answer {
    let mut problems = Problems::default();
    let page = query.page(&mut problems, Sorted::TimeAndName);
    let search = query.text(&mut problems, "search");
    problems.check()?;
    let found = engine::merchant_accounts::list(&app.engine, &instance.caller, &page, search.as_deref()).await?;
    error::ok(&WireList::of(found, &page, WireMerchantAccount::of))
}
