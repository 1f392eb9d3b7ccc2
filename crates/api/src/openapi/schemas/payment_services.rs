//! Schemas of definitions and payment services.

use domain::definition::{FieldFormat, Flow};
use domain::method::{card_schemes, methods};
use serde_json::{Value, json};

use super::super::schema::{
    any_object, array, array_of_some, boolean, constant, country, currency, default, integer, may, must, nullable, object, reference, set,
    string, text, text_up_to, timestamp, uuid, words,
};
use super::list;

/// By name.
pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("Method", words(methods())),
        ("CardScheme", words(card_schemes())),
        ("Mode", words(Flow::ALL.iter().map(|flow| flow.as_str()))),
        ("DefinitionFieldFormat", words(FieldFormat::ALL.iter().map(|format| format.as_str()))),
        ("ApprovalTarget", words(["new_window", "any"])),
        ("IntegrationClient", words(["redirect", "web", "android", "ios"])),
        ("PaymentServiceStatus", words(["pending", "created", "failed"])),
        ("PaymentServiceDefinition", definition()),
        ("PaymentServiceDefinitions", list("Definitions, by id.", "PaymentServiceDefinition")),
        ("DefinitionField", definition_field()),
        ("RequiredCheckoutFields", required_checkout_fields()),
        ("PaymentServiceConfiguration", configuration()),
        ("PaymentService", payment_service()),
        ("PaymentServices", list("Payment services, newest first.", "PaymentService")),
        ("PaymentServiceCreate", create()),
        ("PaymentServiceUpdate", update()),
        ("VerifyCredentials", verify()),
        ("Field", field()),
        ("VoidableField", voidable_field()),
        ("MerchantProfileScheme", object("What a card scheme's authentication needs to know.", profile())),
        ("MerchantProfileSchemeSummary", profile_summary()),
    ]
}

fn definition() -> Value {
    object(
        "A payment service and a method that can be configured.",
        vec![
            must("id", text(1, 50)),
            may("type", constant("payment-service-definition")),
            must("display_name", text(1, 200)),
            must("method", reference("Method")),
            must("fields", array(reference("DefinitionField"))),
            must("reporting_fields", array(reference("DefinitionField"))),
            must("supported_currencies", array(currency())),
            must("supported_countries", array(country())),
            must("mode", reference("Mode")),
            may("icon_url", nullable(string())),
            must("supported_features", json!({ "type": "object", "additionalProperties": { "type": "boolean" } })),
            must("required_checkout_fields", array(reference("RequiredCheckoutFields"))),
            must("configuration", reference("PaymentServiceConfiguration")),
            must("supported_integration_clients", nullable(array(reference("IntegrationClient")))),
        ],
    )
}

fn definition_field() -> Value {
    object(
        "A credential or a related value.",
        vec![
            must("key", text(1, 50)),
            must("display_name", text(1, 200)),
            must("required", boolean()),
            must("format", reference("DefinitionFieldFormat")),
            must("secret", boolean()),
            must("verifiable", boolean()),
        ],
    )
}

fn required_checkout_fields() -> Value {
    object("What a payment must say.", vec![must("required_fields", set(string())), may("conditions", nullable(any_object()))])
}

fn configuration() -> Value {
    object(
        "How an approval page is shown.",
        vec![
            must("approval_ui_target", reference("ApprovalTarget")),
            must("approval_ui_height", json!({ "type": "string", "pattern": r"^\d+(?:vh|px)$" })),
            must("approval_ui_width", json!({ "type": "string", "pattern": r"^\d+(?:vw|px)$" })),
            must("cart_items_limit", integer()),
            must("cart_items_required", boolean()),
            must("cart_items_should_match_amount", boolean()),
        ],
    )
}

fn payment_service() -> Value {
    object(
        "A configured payment service. Secret fields are left out.",
        vec![
            may("type", constant("payment-service")),
            may("id", uuid()),
            must("merchant_account_id", string()),
            must("payment_service_definition_id", text(1, 50)),
            may("active", default(true, boolean())),
            must("method", reference("Method")),
            must("display_name", text(1, 200)),
            must("position", integer()),
            may("status", reference("PaymentServiceStatus")),
            must("accepted_currencies", array(currency())),
            must("accepted_countries", array(country())),
            must("payment_method_tokenization_enabled", boolean()),
            must("network_tokens_enabled", boolean()),
            must("open_loop", boolean()),
            must("settlement_reporting_enabled", boolean()),
            may("refund_ingestion_enabled", boolean()),
            may("three_d_secure_enabled", nullable(boolean())),
            may("merchant_profile", merchant_profile("MerchantProfileSchemeSummary")),
            may("webhook_url", nullable(string())),
            may("fields", nullable(array(reference("Field")))),
            may("reporting_fields", nullable(array(reference("Field")))),
            may("is_deleted", default(false, boolean())),
            must("created_at", timestamp()),
            must("updated_at", timestamp()),
        ],
    )
}

fn create() -> Value {
    object(
        "A payment service to configure.",
        vec![
            must("display_name", text(1, 200)),
            must("payment_service_definition_id", text(1, 50)),
            must("fields", array(reference("Field"))),
            may("reporting_fields", nullable(array(reference("Field")))),
            may("position", nullable(integer())),
            must("accepted_currencies", array_of_some(currency())),
            must("accepted_countries", array_of_some(country())),
            may("active", default(true, nullable(boolean()))),
            may("three_d_secure_enabled", default(false, boolean())),
            may("merchant_profile", merchant_profile("MerchantProfileScheme")),
            may("payment_method_tokenization_enabled", nullable(boolean())),
            may("network_tokens_enabled", nullable(boolean())),
            may("open_loop", nullable(boolean())),
            may("settlement_reporting_enabled", default(false, boolean())),
        ],
    )
}

fn update() -> Value {
    object(
        "What to change about a payment service; members that are left out keep their value. A field with an empty value is removed.",
        vec![
            may("display_name", nullable(text(1, 200))),
            may("fields", nullable(array(reference("VoidableField")))),
            may("reporting_fields", nullable(array(reference("VoidableField")))),
            may("position", nullable(integer())),
            may("accepted_currencies", nullable(array_of_some(currency()))),
            may("accepted_countries", nullable(array_of_some(country()))),
            may("active", nullable(boolean())),
            may("three_d_secure_enabled", nullable(boolean())),
            may("merchant_profile", merchant_profile("MerchantProfileScheme")),
            may("payment_method_tokenization_enabled", nullable(boolean())),
            may("network_tokens_enabled", nullable(boolean())),
            may("open_loop", nullable(boolean())),
            may("settlement_reporting_enabled", boolean()),
        ],
    )
}

fn verify() -> Value {
    object(
        "Credentials to prove. Stored values fill in what is not sent, where a payment service is named.",
        vec![
            must("payment_service_definition_id", string()),
            may("payment_service_id", nullable(uuid())),
            must("fields", array(reference("Field"))),
        ],
    )
}

fn field() -> Value {
    object("A field and its value.", vec![must("key", text(1, 50)), must("value", text(1, 10_000))])
}

fn voidable_field() -> Value {
    let value = json!({ "anyOf": [text(1, 10_000), { "type": "string", "const": "" }] });
    object("A field and its value; an empty one removes it.", vec![must("key", text(1, 50)), must("value", value)])
}

/// The map of card schemes, or null.
fn merchant_profile(entry: &str) -> Value {
    nullable(json!({
        "type": "object",
        "additionalProperties": nullable(reference(entry)),
        "propertyNames": reference("CardScheme"),
    }))
}

fn profile() -> Vec<super::super::schema::Member> {
    vec![
        must("merchant_acquirer_bin", text_up_to(11)),
        must("merchant_acquirer_id", text_up_to(35)),
        must("merchant_name", text_up_to(40)),
        must("merchant_country_code", string()),
        must("merchant_category_code", text(4, 4)),
        must("merchant_url", string()),
    ]
}

fn profile_summary() -> Value {
    let mut members = profile();
    members.push(must("created_at", timestamp()));
    object("What was configured for a card scheme's authentication.", members)
}
