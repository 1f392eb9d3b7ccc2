//! `POST /merchant-accounts`: the caller chooses the id.

use axum::extract::{FromRequestParts, State};
use domain::{
    MerchantAccountId, Permission,
    merchant_account::{MerchantAccountSecrets, MerchantAccountSettings},
};
use engine::merchant_accounts::{self, NewMerchantAccount};
use http::Method;
use http::request::Parts;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{Instance, JsonBody};
use crate::openapi::operation::{Account, Body, Operation};
use crate::reader::{Problems, Reader, identifier, text};
use crate::routes::Route;
use crate::routes::merchant_accounts::settings::Settings;
use crate::wire::merchant_account::WireMerchantAccount;

/// `create_merchant_account`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::POST,
            path: "/merchant-accounts",
            id: "create_merchant_account",
            tag: "Merchant accounts",
            summary: "Create a merchant account",
            permission: Permission::named("merchant-accounts.write"),
            account: Account::Undeclared,
            query: &[],
            body: Body::Schema("MerchantAccountCreate"),
            success: Success::Created("MerchantAccount"),
        },
        create_merchant_account,
    )
}

/// A caller that may make merchant accounts. An extractor, since rights come before the body.
struct Founder(Instance);

impl FromRequestParts<App> for Founder {
    type Rejection = error::Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, error::Error> {
        let instance = Instance::from_request_parts(parts, app).await?;
        merchant_accounts::check_may_create(&instance.caller)?;
        Ok(Self(instance))
    }
}

async fn create_merchant_account(State(app): State<App>, Founder(instance): Founder, JsonBody(body): JsonBody) -> Answer {
    let new = read(&Reader::of(&body)?)?;
    let account = merchant_accounts::create(&app.engine, &instance.caller, &instance.request, new).await?;
    error::created(&WireMerchantAccount::of(account))
}

fn read(reader: &Reader<'_>) -> Result<NewMerchantAccount, error::Error> {
    let mut problems = Problems::default();
    let settings = Settings::read(reader, &mut problems);
    let id = reader.required(&mut problems, "id", identifier(1..=50, MerchantAccountId::parse, "^[a-zA-Z0-9-]+$"));
    let display_name = reader.required(&mut problems, "display_name", text(1..=255));
    let (Some(id), Some(display_name)) = (id, display_name) else {
        return Err(problems.refusal());
    };
    problems.check()?;
    Ok(NewMerchantAccount {
        id,
        settings: MerchantAccountSettings {
            display_name,
            account_updater_enabled: settings.account_updater_enabled.unwrap_or(false),
            async_network_tokens_enabled: settings.async_network_tokens_enabled.unwrap_or(false),
            account_updater_request_encryption_key: settings.account_updater_request_encryption_key.value(),
            account_updater_request_encryption_key_id: settings.account_updater_request_encryption_key_id.value(),
            account_updater_response_decryption_key_id: settings.account_updater_response_decryption_key_id.value(),
            over_capture_amount: settings.over_capture_amount.value(),
            over_capture_percentage: settings.over_capture_percentage.value(),
            loon_client_key: settings.loon_client_key.value(),
            loon_accepted_schemes: settings.loon_accepted_schemes.value(),
            loon_merchant_account_id: settings.loon_merchant_account_id.value(),
            visa_network_tokens_requestor_id: settings.visa_network_tokens_requestor_id.value(),
            visa_network_tokens_app_id: settings.visa_network_tokens_app_id.value(),
            amex_network_tokens_requestor_id: settings.amex_network_tokens_requestor_id.value(),
            amex_network_tokens_app_id: settings.amex_network_tokens_app_id.value(),
            mastercard_network_tokens_requestor_id: settings.mastercard_network_tokens_requestor_id.value(),
            mastercard_network_tokens_app_id: settings.mastercard_network_tokens_app_id.value(),
            discover_network_tokens_requestor_id: settings.discover_network_tokens_requestor_id.value(),
            discover_network_tokens_app_id: settings.discover_network_tokens_app_id.value(),
        },
        secrets: MerchantAccountSecrets {
            account_updater_response_decryption_key: settings.account_updater_response_decryption_key.value(),
            loon_secret_key: settings.loon_secret_key.value(),
        },
    })
}
