//! `GET /api-key-pairs/{api_key_pair_id}`.

use axum::extract::State;
use domain::{ApiKeyPairId, Permission};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{Id, Instance};
use crate::openapi::operation::{Account, Body, Operation};
use crate::routes::Route;
use crate::wire::api_key_pair::WireApiKeyPair;

/// `get_api_key_pair`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::GET,
            path: "/api-key-pairs/{api_key_pair_id}",
            id: "get_api_key_pair",
            tag: "API key pairs",
            summary: "Get an API key pair",
            permission: Permission::named("api-key-pairs.read"),
            account: Account::Undeclared,
            query: &[],
            body: Body::None,
            success: Success::Ok("APIKeyPair"),
        },
        get_api_key_pair,
    )
}

async fn get_api_key_pair(State(app): State<App>, instance: Instance, Id(id): Id<ApiKeyPairId>) -> Answer {
    let view = engine::key_pairs::get(&app.engine, &instance.caller, id).await?;
    error::ok(&WireApiKeyPair::of(view, None))
}
