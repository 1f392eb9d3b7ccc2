//! `PUT /payment-services/{payment_service_id}`: members that are left out keep their value.

use axum::extract::State;
use domain::{Patch, PaymentServiceId, Permission, Scope};
use engine::payment_services::{self, PaymentServicePatch};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{Id, JsonBody, Tenant};
use crate::openapi::operation::{Account, Body, Operation};
use crate::reader::{Problems, Reader, boolean, country, currency, integer, list, text};
use crate::routes::Route;
use crate::routes::payment_services::POSITION_MAX;
use crate::routes::payment_services::fields::voidable_field;
use crate::routes::payment_services::merchant_profile::MerchantProfile;
use crate::wire::payment_service::WirePaymentService;

/// `update_payment_service`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::PUT,
            path: "/payment-services/{payment_service_id}",
            id: "update_payment_service",
            tag: "Payment services",
            summary: "Update a configured payment service",
            permission: Permission::named("payment-services.write"),
            account: Account::Declared,
            query: &[],
            body: Body::Schema("PaymentServiceUpdate"),
            success: Success::Ok("PaymentService"),
        },
        update_payment_service,
    )
}

async fn update_payment_service(State(app): State<App>, tenant: Tenant, Id(id): Id<PaymentServiceId>, JsonBody(body): JsonBody) -> Answer {
    let patch = read(&app, &tenant.scope, id, &Reader::of(&body)?)?;
    let view = payment_services::update(&app.engine, &tenant.scope, &tenant.request, id, patch).await?;
    error::ok(&WirePaymentService::of(view))
}

/// Fields merge by key, so null, which names no key, changes none: credentials are removed one by one, by an empty value.
fn read(app: &App, scope: &Scope, id: PaymentServiceId, reader: &Reader<'_>) -> Result<PaymentServicePatch, error::Error> {
    let mut found = Problems::default();
    let problems = &mut found;
    let display_name = reader.patch(problems, "display_name", text(1..=200));
    let fields = reader.nullable(problems, "fields", list(0, voidable_field)).unwrap_or_default();
    let reporting_fields = reader.nullable(problems, "reporting_fields", list(0, voidable_field)).unwrap_or_default();
    let mut others = Problems::default();
    let problems = &mut others;
    let patch = PaymentServicePatch {
        display_name,
        fields,
        reporting_fields,
        position: reader.patch(problems, "position", integer(-POSITION_MAX..=POSITION_MAX)),
        accepted_currencies: reader.patch(problems, "accepted_currencies", list(1, currency)),
        accepted_countries: reader.patch(problems, "accepted_countries", list(1, country)),
        active: reader.patch(problems, "active", boolean),
        three_d_secure_enabled: reader.patch(problems, "three_d_secure_enabled", boolean),
        merchant_profile: match reader.patch(problems, "merchant_profile", MerchantProfile::read) {
            Patch::Absent => Patch::Absent,
            Patch::Null => Patch::Null,
            Patch::Value(profile) => Patch::Value(profile.stored(app.engine.now())),
        },
        payment_method_tokenization_enabled: reader.patch(problems, "payment_method_tokenization_enabled", boolean),
        network_tokens_enabled: reader.patch(problems, "network_tokens_enabled", boolean),
        open_loop: reader.patch(problems, "open_loop", boolean),
        settlement_reporting_enabled: reader
            .optional(problems, "settlement_reporting_enabled", boolean)
            .map_or(Patch::Absent, Patch::Value),
    };
    if found.is_empty() && others.is_empty() {
        return Ok(patch);
    }
    // What is wrong with the fields for their definition decides nothing here, and stands among the other problems so that all are told at once.
    found.extend(payment_services::patch_problems(&app.engine, scope, id, &patch.fields, &patch.reporting_fields));
    found.extend(others.into_vec());
    Err(found.refusal())
}
