//! `DELETE /api-key-pairs/{api_key_pair_id}`.

use axum::extract::State;
use domain::{ApiKeyPairId, Permission};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{Id, Instance};
use crate::openapi::operation::{Account, Body, Operation};
use crate::routes::Route;

/// `delete_api_key_pair`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::DELETE,
            path: "/api-key-pairs/{api_key_pair_id}",
            id: "delete_api_key_pair",
            tag: "API key pairs",
            summary: "Delete an API key pair",
            permission: Permission::named("api-key-pairs.write"),
            account: Account::Undeclared,
            query: &[],
            body: Body::None,
            success: Success::NoContent,
        },
        delete_api_key_pair,
    )
}

async fn delete_api_key_pair(State(app): State<App>, instance: Instance, Id(id): Id<ApiKeyPairId>) -> Answer {
    engine::key_pairs::delete(&app.engine, &instance.caller, &instance.request, id).await?;
    error::no_content()
}
