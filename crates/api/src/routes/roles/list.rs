//! `GET /roles`.

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
use crate::wire::list::WireList;
use crate::wire::role::WireRole;

/// `list_roles`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::GET,
            path: "/roles",
            id: "list_roles",
            tag: "Roles",
            summary: "List roles",
            permission: Permission::named("roles.read"),
            account: Account::Undeclared,
            query: &[CURSOR, LIMIT],
            body: Body::None,
            success: Success::Ok("Roles"),
        },
        list_roles,
    )
}

async fn list_roles(State(app): State<App>, _caller: Instance, query: Query) -> Answer {
    let mut problems = Problems::default();
    let page = query.page(&mut problems, Sorted::Time);
    problems.check()?;
    let roles = engine::roles::list(&app.engine, &page).await?;
    error::ok(&WireList::of(roles, &page, |role| WireRole::of(&role)))
}
