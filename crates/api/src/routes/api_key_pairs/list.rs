//! `GET /api-key-pairs`.

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
use crate::wire::api_key_pair::WireApiKeyPair;
use crate::wire::list::WireList;

/// `list_api_key_pairs`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::GET,
            path: "/api-key-pairs",
            id: "list_api_key_pairs",
            tag: "API key pairs",
            summary: "List API key pairs",
            permission: Permission::named("api-key-pairs.read"),
            account: Account::Undeclared,
            query: &[CURSOR, LIMIT],
            body: Body::None,
            success: Success::Ok("APIKeyPairs"),
        },
        list_api_key_pairs,
    )
}

async fn list_api_key_pairs(State(app): State<App>, instance: Instance, query: Query) -> Answer {
    let mut problems = Problems::default();
    let page = query.page(&mut problems, Sorted::Time);
    problems.check()?;
    let found = engine::key_pairs::list(&app.engine, &instance.caller, &page).await?;
    error::ok(&WireList::of(found, &page, |view| WireApiKeyPair::of(view, None)))
}
