//! `POST /api-key-pairs`: registers a public key, or makes a pair and shows its private half once.

use axum::extract::State;
use domain::{Permission, Secret, api_key_pair::NewApiKeyPair};
use engine::{Caller, key_pairs};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{Instance, JsonBody};
use crate::openapi::operation::{Account, Body, Operation};
use crate::reader::{Problems, Reader, Value, boolean, list, raw_text, text};
use crate::routes::Route;
use crate::routes::api_key_pairs::members::{account_id, public_key, role_id};
use crate::wire::api_key_pair::WireApiKeyPair;

/// `create_api_key_pair`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::POST,
            path: "/api-key-pairs",
            id: "create_api_key_pair",
            tag: "API key pairs",
            summary: "Create an API key pair",
            permission: Permission::named("api-key-pairs.write"),
            account: Account::Undeclared,
            query: &[],
            body: Body::Schema("APIKeyPairCreate"),
            success: Success::Created("APIKeyPair"),
        },
        create_api_key_pair,
    )
}

async fn create_api_key_pair(State(app): State<App>, instance: Instance, JsonBody(body): JsonBody) -> Answer {
    let new = read(&app, &instance.caller, &Reader::of(&body)?)?;
    let (view, private_pem) = key_pairs::create(&app.engine, &instance.caller, &instance.request, new).await?;
    let private_key = private_pem.as_ref().and_then(Secret::expose_str).map(str::to_owned);
    error::created(&WireApiKeyPair::of(view, private_key))
}

fn read(app: &App, caller: &Caller, reader: &Reader<'_>) -> Result<NewApiKeyPair, error::Error> {
    let mut found = Problems::default();
    let problems = &mut found;
    let display_name = reader.required(problems, "display_name", text(1..=200));
    reader.optional(problems, "algorithm", algorithm);
    let active = reader.optional(problems, "active", boolean).unwrap_or(true);
    let role_ids = reader.required(problems, "role_ids", list(1, role_id(&app.engine)));
    let merchant_account_ids =
        reader.optional(problems, "merchant_account_ids", list(0, account_id(&app.engine, caller))).unwrap_or_default();
    let public_key_pem = reader.nullable(problems, "public_key", public_key);
    let (Some(display_name), Some(role_ids)) = (display_name, role_ids) else {
        return Err(found.refusal());
    };
    found.check()?;
    Ok(NewApiKeyPair { display_name, active, role_ids, merchant_account_ids, public_key_pem })
}

/// The API knows two kinds of key. No official client signs with the other one.
fn algorithm(value: &Value<'_>, problems: &mut Problems) -> Option<()> {
    match raw_text(value, problems)?.as_str() {
        "ECDSA" => Some(()),
        "RSA" => value.refuse(problems, "not_supported", "Only ECDSA key pairs are supported"),
        _ => value.refuse(problems, "value_error", "Unknown algorithm"),
    }
}
