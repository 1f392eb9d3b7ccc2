//! `PUT /merchant-accounts/{merchant_account_id}`: members that are left out keep their value.

use axum::extract::State;
use domain::{MerchantAccountId, Patch, Permission};
use engine::merchant_accounts::{self, MerchantAccountPatch};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{Id, Instance, JsonBody};
use crate::openapi::operation::{Account, Body, Operation};
use crate::reader::{Problems, Reader, text};
use crate::routes::Route;
use crate::routes::merchant_accounts::settings::Settings;
use crate::wire::merchant_account::WireMerchantAccount;

/// `update_merchant_account`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::PUT,
            path: "/merchant-accounts/{merchant_account_id}",
            id: "update_merchant_account",
            tag: "Merchant accounts",
            summary: "Update a merchant account",
            permission: Permission::named("merchant-accounts.write"),
            account: Account::Undeclared,
            query: &[],
            body: Body::Schema("MerchantAccountUpdate"),
            success: Success::Ok("MerchantAccount"),
        },
        update_merchant_account,
    )
}

async fn update_merchant_account(
    State(app): State<App>,
    instance: Instance,
    Id(id): Id<MerchantAccountId>,
    JsonBody(body): JsonBody,
) -> Answer {
    let patch = read(&Reader::of(&body)?)?;
    let account = merchant_accounts::update(&app.engine, &instance.caller, &instance.request, &id, patch).await?;
    error::ok(&WireMerchantAccount::of(account))
}

fn read(reader: &Reader<'_>) -> Result<MerchantAccountPatch, error::Error> {
    let mut problems = Problems::default();
    let settings = Settings::read(reader, &mut problems);
    let display_name = reader.patch(&mut problems, "display_name", text(1..=255));
    problems.check()?;
    Ok(MerchantAccountPatch {
        display_name,
        account_updater_enabled: settings.account_updater_enabled.map_or(Patch::Absent, Patch::Value),
        async_network_tokens_enabled: settings.async_network_tokens_enabled.map_or(Patch::Absent, Patch::Value),
        account_updater_request_encryption_key: settings.account_updater_request_encryption_key,
        account_updater_request_encryption_key_id: settings.account_updater_request_encryption_key_id,
        account_updater_response_decryption_key_id: settings.account_updater_response_decryption_key_id,
        over_capture_amount: settings.over_capture_amount,
        over_capture_percentage: settings.over_capture_percentage,
        loon_client_key: settings.loon_client_key,
        loon_accepted_schemes: settings.loon_accepted_schemes,
        loon_merchant_account_id: settings.loon_merchant_account_id,
        visa_network_tokens_requestor_id: settings.visa_network_tokens_requestor_id,
        visa_network_tokens_app_id: settings.visa_network_tokens_app_id,
        amex_network_tokens_requestor_id: settings.amex_network_tokens_requestor_id,
        amex_network_tokens_app_id: settings.amex_network_tokens_app_id,
        mastercard_network_tokens_requestor_id: settings.mastercard_network_tokens_requestor_id,
        mastercard_network_tokens_app_id: settings.mastercard_network_tokens_app_id,
        discover_network_tokens_requestor_id: settings.discover_network_tokens_requestor_id,
        discover_network_tokens_app_id: settings.discover_network_tokens_app_id,
        account_updater_response_decryption_key: settings.account_updater_response_decryption_key,
        loon_secret_key: settings.loon_secret_key,
    })
}
