//! Payment services.

use engine::payment_services::PaymentServiceView;
use serde::Serialize;
use serde_json::value::RawValue;

/// `PaymentService` of the API's document.
#[derive(Serialize)]
pub(crate) struct WirePaymentService {
    r#type: &'static str,
    id: String,
    merchant_account_id: String,
    payment_service_definition_id: String,
    active: bool,
    method: String,
    display_name: String,
    position: i64,
    status: &'static str,
    accepted_currencies: Vec<String>,
    accepted_countries: Vec<String>,
    payment_method_tokenization_enabled: bool,
    network_tokens_enabled: bool,
    open_loop: bool,
    settlement_reporting_enabled: bool,
    /// Always false. The contract does not know it, but the Python client reads no payment service without it.
    refund_ingestion_enabled: bool,
    three_d_secure_enabled: bool,
    /// As it was written by [`crate::routes::payment_services`], which knows its members.
    merchant_profile: Option<Box<RawValue>>,
    webhook_url: Option<&'static str>,
    fields: Vec<WireField>,
    reporting_fields: Vec<WireField>,
    is_deleted: bool,
    created_at: String,
    updated_at: String,
}

/// `Field` of the API's document.
#[derive(Serialize)]
struct WireField {
    key: String,
    value: String,
}

impl WirePaymentService {
    /// The wire form of a payment service; its secret fields are not in the view.
    pub(crate) fn of(view: PaymentServiceView) -> Self {
        let service = view.service;
        let settings = service.settings;
        Self {
            r#type: "payment-service",
            id: service.id.to_string(),
            merchant_account_id: service.merchant_account_id.to_string(),
            payment_service_definition_id: service.definition_id.to_string(),
            active: settings.active,
            method: service.method,
            display_name: settings.display_name,
            position: settings.position,
            status: "created",
            accepted_currencies: settings.accepted_currencies.iter().map(ToString::to_string).collect(),
            accepted_countries: settings.accepted_countries.iter().map(ToString::to_string).collect(),
            payment_method_tokenization_enabled: settings.payment_method_tokenization_enabled,
            network_tokens_enabled: settings.network_tokens_enabled,
            open_loop: settings.open_loop,
            settlement_reporting_enabled: settings.settlement_reporting_enabled,
            refund_ingestion_enabled: false,
            three_d_secure_enabled: settings.three_d_secure_enabled,
            merchant_profile: settings.merchant_profile.and_then(|text| RawValue::from_string(text).ok()),
            webhook_url: None,
            fields: wire_fields(view.fields),
            reporting_fields: wire_fields(view.reporting_fields),
            is_deleted: service.is_deleted,
            created_at: service.created_at.to_string(),
            updated_at: service.updated_at.to_string(),
        }
    }
}

fn wire_fields(fields: Vec<(String, String)>) -> Vec<WireField> {
    fields.into_iter().map(|(key, value)| WireField { key, value }).collect()
}
