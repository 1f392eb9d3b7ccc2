//! `PUT /api-key-pairs/{api_key_pair_id}`: members that are left out keep their value.

use axum::extract::State;
use domain::{ApiKeyPairId, Permission};
use engine::Caller;
use engine::key_pairs::{self, ApiKeyPairPatch};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{Id, Instance, JsonBody};
use crate::openapi::operation::{Account, Body, Operation};
use crate::reader::{Problems, Reader, boolean, list, text};
use crate::routes::Route;
use crate::routes::api_key_pairs::members::{account_id, role_id};
use crate::wire::api_key_pair::WireApiKeyPair;

/// `update_api_key_pair`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::PUT,
            path: "/api-key-pairs/{api_key_pair_id}",
            id: "update_api_key_pair",
            tag: "API key pairs",
            summary: "Update an API key pair",
            permission: Permission::named("api-key-pairs.write"),
            account: Account::Undeclared,
            query: &[],
            body: Body::Schema("APIKeyPairUpdate"),
            success: Success::Ok("APIKeyPair"),
        },
        update_api_key_pair,
    )
}

async fn update_api_key_pair(State(app): State<App>, instance: Instance, Id(id): Id<ApiKeyPairId>, JsonBody(body): JsonBody) -> Answer {
    let patch = read(&app, &instance.caller, &Reader::of(&body)?)?;
    let view = key_pairs::update(&app.engine, &instance.caller, &instance.request, id, patch).await?;
    error::ok(&WireApiKeyPair::of(view, None))
}

fn read(app: &App, caller: &Caller, reader: &Reader<'_>) -> Result<ApiKeyPairPatch, error::Error> {
    let mut problems = Problems::default();
    let patch = ApiKeyPairPatch {
        display_name: reader.patch(&mut problems, "display_name", text(1..=200)),
        active: reader.patch(&mut problems, "active", boolean),
        role_ids: reader.patch(&mut problems, "role_ids", list(1, role_id(&app.engine))),
        merchant_account_ids: reader.patch(&mut problems, "merchant_account_ids", list(0, account_id(&app.engine, caller))),
    };
    problems.check()?;
    Ok(patch)
}
