//! The shipped definitions, rendered: what each service is sent, to the byte.

use std::fmt::Write as _;
use std::sync::Arc;

use domain::{SessionRecordId, Timestamp};
use uuid::Uuid;

use super::*;
use crate::catalogue::Catalogue;
use crate::fixtures::{credentials, filled, object};
use crate::model::TextForm;
use crate::outbound::Route;

const ATTEMPT: Attempt = Attempt { id: SessionRecordId(Uuid::from_u128(7)), now: Timestamp::from_micros(0) };

pub(super) fn find(id: &str) -> Arc<Connector> {
    let (catalogue, _) = Catalogue::load(&[], true).unwrap();
    Arc::clone(catalogue.get(id).unwrap())
}

/// Request line, headers by name, body.
pub(super) fn printed(request: &OutgoingRequest) -> String {
    let mut out = format!("{} {}\n", request.method, request.url);
    let mut headers: Vec<_> = request.headers.iter().filter(|(name, _)| *name != USER_AGENT && *name != ACCEPT).collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        writeln!(out, "{name}: {}", value.to_str().unwrap()).unwrap();
    }
    out + std::str::from_utf8(&request.body).unwrap()
}

fn sent(id: &str, values: &[(&str, &str)], body: &str) -> String {
    let connector = find(id);
    let credentials = credentials(&connector.provider, values);
    let base = Places::default().base(&connector, connector.provider.session.as_ref().unwrap(), &credentials).unwrap();
    assert_eq!(base.route, Route::Guarded);
    let token = Secret::from("t0ken");
    let filled = Filled { token: Some(&token), body: Some(&object(body)), ..filled(&ATTEMPT, &credentials) };
    printed(&render(&connector, connector.provider.session.as_ref().unwrap(), &filled, &base).unwrap())
}

#[test]
fn a_host_from_a_credential_and_an_injected_account() {
    let values = [("api_key", "AQE-key"), ("merchant_account", "ShopECOM"), ("live_endpoint_prefix", "1797a-Shop"), ("mode", "live")];
    insta::assert_snapshot!(sent("adyen-ideal", &values, r#"{"merchantAccount":"other","amount":{"value":1000,"currency":"EUR"}, "x":1.0}"#), @r#"
    POST https://1797a-shop-checkout-live.adyenpayments.com/checkout/v71/sessions
    content-type: application/json
    idempotency-key: 00000000-0000-0000-0000-000000000007
    x-api-key: AQE-key
    {"merchantAccount":"ShopECOM","amount":{"value":1000,"currency":"EUR"}, "x":1.0,"allowedPaymentMethods":["ideal"]}
    "#);
    insta::assert_snapshot!(sent("adyen-card", &values[..2], "{}"), @r#"
    POST https://checkout-test.adyen.com/v71/sessions
    content-type: application/json
    idempotency-key: 00000000-0000-0000-0000-000000000007
    x-api-key: AQE-key
    {"merchantAccount":"ShopECOM"}
    "#);
}

#[test]
fn a_nested_form() {
    let values = [("secret_key", "sk_test_1"), ("stripe_account", "acct_1")];
    let body = r#"{"amount":1000,"currency":"eur","automatic_payment_methods":{"enabled":true},"metadata":{"order":"1"}}"#;
    insta::assert_snapshot!(sent("stripe-card", &values, body), @"
    POST https://api.stripe.com/v1/payment_intents
    authorization: Bearer sk_test_1
    content-type: application/x-www-form-urlencoded
    idempotency-key: 00000000-0000-0000-0000-000000000007
    stripe-account: acct_1
    stripe-version: 2026-10-28.endive
    amount=1000&currency=eur&automatic_payment_methods[enabled]=true&metadata[order]=1
    ");
    insta::assert_snapshot!(sent("stripe-klarna", &values[..1], r#"{"amount":1}"#), @"
    POST https://api.stripe.com/v1/payment_intents
    authorization: Bearer sk_test_1
    content-type: application/x-www-form-urlencoded
    idempotency-key: 00000000-0000-0000-0000-000000000007
    stripe-version: 2026-10-28.endive
    amount=1&payment_method_types[0]=klarna
    ");
}

#[test]
fn a_token_and_an_optional_header() {
    let values = [("client_id", "id"), ("client_secret", "secret"), ("partner_attribution_id", "Partner_1")];
    insta::assert_snapshot!(sent("paypal-paypal", &values, r#"{"intent":"CAPTURE"}"#), @r#"
    POST https://api-m.sandbox.paypal.com/v2/checkout/orders
    authorization: Bearer t0ken
    content-type: application/json
    paypal-partner-attribution-id: Partner_1
    paypal-request-id: 00000000-0000-0000-0000-000000000007
    {"intent":"CAPTURE"}
    "#);
    let connector = find("paypal-paypal");
    let credentials = credentials(&connector.provider, &values);
    let base = Places::default().base(&connector, connector.provider.session.as_ref().unwrap(), &credentials).unwrap();
    let filled = filled(&ATTEMPT, &credentials);
    let request = render(&connector, &connector.provider.token.as_ref().unwrap().call, &filled, &base).unwrap();
    insta::assert_snapshot!(printed(&request), @"
    POST https://api-m.sandbox.paypal.com/v1/oauth2/token
    authorization: Basic aWQ6c2VjcmV0
    content-type: application/x-www-form-urlencoded
    grant_type=client_credentials
    ");
}

#[test]
fn a_region_and_a_wrapped_body() {
    insta::assert_snapshot!(sent("klarna-klarna", &[("username", "u"), ("password", "p"), ("region", "na")], r#"{"order_amount":10.00}"#), @r#"
    POST https://api-na.playground.klarna.com/payments/v1/sessions
    authorization: Basic dTpw
    content-type: application/json
    klarna-idempotency-key: 00000000-0000-0000-0000-000000000007
    {"order_amount":10.00}
    "#);
    let values = [("public_key", "pub"), ("private_key", "pri"), ("merchant_account_id", "shop_eur")];
    insta::assert_snapshot!(sent("braintree-card", &values, r#"{"customerId":"c"}"#), @r#"
    POST https://payments.sandbox.braintree-api.com/graphql
    authorization: Basic cHViOnByaQ==
    braintree-version: 2019-01-01
    content-type: application/json
    {"query":"mutation($input: CreateClientTokenInput){createClientToken(input:$input){clientToken}}",
     "variables":{"input":{"clientToken":{"customerId":"c","merchantAccountId":"shop_eur"}}}}
    "#);
}

#[test]
fn every_example_can_be_sent_everywhere() {
    let (catalogue, _) = Catalogue::load(&[], true).unwrap();
    let mut rendered = 0;
    for connector in catalogue.iter().filter(|connector| connector.creates_sessions()) {
        for mode in ["sandbox", "live"] {
            let value = |field: &crate::model::Field| {
                let text = match field.text {
                    TextForm::Pem if field.secret => include_str!("../scheme/test_keys/pkcs8.pem"),
                    TextForm::Pem => include_str!("../scheme/test_keys/public.pem"),
                    TextForm::Base64 => "djE=",
                    TextForm::Any => "v1",
                };
                field.choices.first().cloned().unwrap_or_else(|| field.default.clone().unwrap_or(text.into()))
            };
            let mut values: Vec<(String, String)> =
                connector.provider.fields.iter().map(|field| (field.key.clone(), value(field))).collect();
            values.retain(|(key, _)| key != "mode" && key != "timeout_ms");
            values.push(("mode".into(), mode.into()));
            let values: Vec<(&str, &str)> = values.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let credentials = credentials(&connector.provider, &values);
            let base = Places::default().base(connector, connector.provider.session.as_ref().unwrap(), &credentials).unwrap();
            let example = connector.provider.simulator.as_ref().unwrap().example_of(&connector.method().key).unwrap();
            let token = Secret::from("t0ken");
            let filled = Filled { token: Some(&token), body: Some(&object(example)), ..filled(&ATTEMPT, &credentials) };
            let request = render(connector, connector.provider.session.as_ref().unwrap(), &filled, &base).unwrap();
            assert!(request.url.scheme() == "https" && !request.body.is_empty());
            rendered += 1;
        }
    }
    assert!(rendered > 50);
}
