//! `GET /merchant-accounts/{merchant_account_id}`.

use axum::extract::State;
use domain::{MerchantAccountId, Permission};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{Id, Instance};
use crate::openapi::operation::{Account, Body, Operation};
use crate::routes::Route;
use crate::wire::merchant_account::WireMerchantAccount;

/// `get_merchant_account`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::GET,
            path: "/merchant-accounts/{merchant_account_id}",
            id: "get_merchant_account",
            tag: "Merchant accounts",
            summary: "Get a merchant account",
            permission: Permission::named("merchant-accounts.read"),
            account: Account::Undeclared,
            query: &[],
            body: Body::None,
            success: Success::Ok("MerchantAccount"),
        },
        get_merchant_account,
    )
}

async fn get_merchant_account(State(app): State<App>, instance: Instance, Id(id): Id<MerchantAccountId>) -> Answer {
    let account = engine::merchant_accounts::get(&app.engine, &instance.caller, &id).await?;
    error::ok(&WireMerchantAccount::of(account))
}
