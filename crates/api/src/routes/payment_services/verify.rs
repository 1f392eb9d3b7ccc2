//! `POST /payment-services/verify`: credentials are proved by asking the payment service, which moves no money.

use axum::extract::State;
use domain::{PaymentServiceId, Permission};
use engine::payment_services::{self, VerifyCredentials};
use http::Method;

use crate::App;
use crate::error::{self, Answer, Success};
use crate::extract::{JsonBody, Tenant};
use crate::openapi::operation::{Account, Body, Operation};
use crate::reader::{Problems, Reader, list, raw_text, uuid};
use crate::routes::Route;
use crate::routes::payment_services::fields::field;

/// `verify_payment_service_credentials`.
pub(crate) fn operation() -> Route {
    Route::new(
        Operation {
            method: Method::POST,
            path: "/payment-services/verify",
            id: "verify_payment_service_credentials",
            tag: "Payment services",
            summary: "Verify payment service credentials",
            permission: Permission::named("payment-services.write"),
            account: Account::Declared,
            query: &[],
            body: Body::Schema("VerifyCredentials"),
            success: Success::OkAnything,
        },
        verify_payment_service_credentials,
    )
}

async fn verify_payment_service_credentials(State(app): State<App>, tenant: Tenant, JsonBody(body): JsonBody) -> Answer {
    let credentials = read(&Reader::of(&body)?)?;
    payment_services::verify(&app.engine, &tenant.scope, credentials).await?;
    error::ok_anything()
}

fn read(reader: &Reader<'_>) -> Result<VerifyCredentials, error::Error> {
    let mut found = Problems::default();
    let problems = &mut found;
    let definition_id = reader.required(problems, "payment_service_definition_id", raw_text);
    let payment_service_id = reader.nullable(problems, "payment_service_id", uuid(PaymentServiceId::parse));
    let fields = reader.required(problems, "fields", list(0, field));
    let (Some(definition_id), Some(fields)) = (definition_id, fields) else {
        return Err(found.refusal());
    };
    found.check()?;
    Ok(VerifyCredentials { definition_id, payment_service_id, fields })
}
