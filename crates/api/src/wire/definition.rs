//! Payment service definitions.

use std::collections::BTreeMap;

use domain::definition::{Definition, DefinitionField, Flow};
use serde::Serialize;

/// `PaymentServiceDefinition` of the API's document.
#[derive(Serialize)]
pub(crate) struct WireDefinition {
    id: String,
    r#type: &'static str,
    display_name: String,
    method: String,
    fields: Vec<WireDefinitionField>,
    reporting_fields: [WireDefinitionField; 0],
    supported_currencies: Vec<String>,
    supported_countries: Vec<String>,
    mode: &'static str,
    icon_url: Option<&'static str>,
    supported_features: BTreeMap<String, bool>,
    required_checkout_fields: [&'static str; 0],
    configuration: WireConfiguration,
    supported_integration_clients: Option<[&'static str; 1]>,
}

/// `DefinitionField` of the API's document.
#[derive(Serialize)]
struct WireDefinitionField {
    key: String,
    display_name: String,
    required: bool,
    format: &'static str,
    secret: bool,
    verifiable: bool,
}

/// `PaymentServiceConfiguration` of the API's document.
#[derive(Serialize)]
struct WireConfiguration {
    approval_ui_target: &'static str,
    approval_ui_height: &'static str,
    approval_ui_width: &'static str,
    cart_items_limit: u32,
    cart_items_required: bool,
    cart_items_should_match_amount: bool,
}

/// How an approval page is shown where a service says nothing: definition files do not, since sessions leave it to the caller.
const CONFIGURATION: WireConfiguration = WireConfiguration {
    approval_ui_target: "any",
    approval_ui_height: "100vh",
    approval_ui_width: "100vw",
    cart_items_limit: 100,
    cart_items_required: false,
    cart_items_should_match_amount: false,
};

impl WireDefinition {
    /// The wire form of a definition.
    pub(crate) fn of(definition: &Definition) -> Self {
        Self {
            id: definition.id.to_string(),
            r#type: "payment-service-definition",
            display_name: definition.display_name.clone(),
            method: definition.method.clone(),
            fields: definition.fields.iter().map(WireDefinitionField::of).collect(),
            reporting_fields: [],
            supported_currencies: definition.supported_currencies.iter().map(ToString::to_string).collect(),
            supported_countries: definition.supported_countries.iter().map(ToString::to_string).collect(),
            mode: definition.flow.as_str(),
            icon_url: None,
            supported_features: definition.supported_features.clone(),
            required_checkout_fields: [],
            configuration: CONFIGURATION,
            supported_integration_clients: (definition.flow == Flow::Redirect).then_some(["redirect"]),
        }
    }
}

impl WireDefinitionField {
    fn of(field: &DefinitionField) -> Self {
        Self {
            key: field.key.clone(),
            display_name: field.display_name.clone(),
            required: field.required,
            format: field.format.as_str(),
            secret: field.secret,
            verifiable: field.verifiable,
        }
    }
}
