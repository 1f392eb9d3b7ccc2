//! `POST /payment-services`.

use axum::extract::State;
use domain::Permission;
use engine::payment_services::{self, NewPaymentService};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{JsonBody, Tenant};
use crate::openapi::operation::{Account, Body, Operation};
use crate::reader::{Problems, Reader, boolean, country, currency, integer, list, text};
use crate::routes::Route;
use crate::routes::payment_services::POSITION_MAX;
use crate::routes::payment_services::fields::field;
use crate::routes::payment_services::merchant_profile::MerchantProfile;
use crate::wire::payment_service::WirePaymentService;

/// `create_payment_service`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::POST,
            path: "/payment-services",
            id: "create_payment_service",
            tag: "Payment services",
            summary: "Configure a payment service",
            permission: Permission::named("payment-services.write"),
            account: Account::Declared,
            query: &[],
            body: Body::Schema("PaymentServiceCreate"),
            success: Success::Created("PaymentService"),
        },
        create_payment_service,
    )
}

async fn create_payment_service(State(app): State<App>, tenant: Tenant, JsonBody(body): JsonBody) -> Answer {
    let new = read(&app, &Reader::of(&body)?)?;
    let view = payment_services::create(&app.engine, &tenant.scope, &tenant.request, new).await?;
    error::created(&WirePaymentService::of(view))
}

/// Reads the members in the order of the document; what is wrong with the fields for their definition stands among the other problems.
fn read(app: &App, reader: &Reader<'_>) -> Result<NewPaymentService, error::Error> {
    let mut found = Problems::default();
    let problems = &mut found;
    let display_name = reader.required(problems, "display_name", text(1..=200));
    let definition_id = reader.required(problems, "payment_service_definition_id", text(1..=50));
    let fields = reader.required(problems, "fields", list(0, field));
    let reporting_fields = reader.nullable(problems, "reporting_fields", list(0, field)).unwrap_or_default();
    if let (Some(definition_id), Some(fields)) = (&definition_id, &fields) {
        problems.extend(payment_services::field_problems(&app.engine, definition_id, fields, &reporting_fields));
    }
    let position = reader.nullable(problems, "position", integer(-POSITION_MAX..=POSITION_MAX));
    let accepted_currencies = reader.required(problems, "accepted_currencies", list(1, currency));
    let accepted_countries = reader.required(problems, "accepted_countries", list(1, country));
    let active = reader.nullable(problems, "active", boolean).unwrap_or(true);
    let three_d_secure_enabled = reader.optional(problems, "three_d_secure_enabled", boolean).unwrap_or(false);
    let merchant_profile = reader.nullable(problems, "merchant_profile", MerchantProfile::read);
    let payment_method_tokenization_enabled = reader.nullable(problems, "payment_method_tokenization_enabled", boolean).unwrap_or(false);
    let network_tokens_enabled = reader.nullable(problems, "network_tokens_enabled", boolean).unwrap_or(false);
    let open_loop = reader.nullable(problems, "open_loop", boolean).unwrap_or(false);
    let settlement_reporting_enabled = reader.optional(problems, "settlement_reporting_enabled", boolean).unwrap_or(false);
    let (Some(display_name), Some(definition_id), Some(fields), Some(accepted_currencies), Some(accepted_countries)) =
        (display_name, definition_id, fields, accepted_currencies, accepted_countries)
    else {
        return Err(found.refusal());
    };
    found.check()?;
    Ok(NewPaymentService {
        definition_id,
        display_name,
        fields,
        reporting_fields,
        position,
        active,
        accepted_currencies,
        accepted_countries,
        three_d_secure_enabled,
        merchant_profile: merchant_profile.map(|profile| profile.stored(app.engine.now())),
        payment_method_tokenization_enabled,
        network_tokens_enabled,
        open_loop,
        settlement_reporting_enabled,
    })
}
