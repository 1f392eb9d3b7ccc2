//! Values for the fields of a simulated payment service: the simulator takes anything that has the right form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectors::catalogue::Connector;
use connectors::credentials::{Credentials, FieldRules, MODE, Mode, TIMEOUT_MS, check};
use connectors::model::{Field, Name, Required, Template, TextForm};
use domain::Secret;

/// A key, its certificate and its public half for simulated services whose requests are really signed. Everybody knows them, so they are good for nothing else.
const PRIVATE_KEY: &str = include_str!("simulated/private_key.pem");
const CERTIFICATE: &str = include_str!("simulated/certificate.pem");
const PUBLIC_KEY: &str = include_str!("simulated/public_key.pem");

/// What is tried where a field has a pattern. The first that matches is taken.
const TRIES: &[&str] = &[
    "simulated",
    "Simulated",
    "SIMULATED",
    "simulated-1",
    "simulated1",
    "123456789",
    "1234567890",
    "1234567890123456",
    "0123456789abcdef0123456789abcdef",
    "00000000-0000-4000-8000-000000000000",
    "a1",
    "1",
    "a",
];

/// Key and value of every field that must have one, of those that the requests prove with who asks, and `mode`. `Err` holds what no value could be found for.
pub(crate) fn fields(connector: &Connector) -> Result<Vec<(String, String)>, Vec<String>> {
    let own = connector.provider.fields.iter().filter(|field| field.key != MODE && field.key != TIMEOUT_MS);
    let mut values: Vec<(String, String)> = own
        .filter(|field| field.required == Required::Always && field.default.is_none())
        .map(|field| (field.key.clone(), value(connector, field)))
        .collect();
    values.push((MODE.to_owned(), Mode::Simulator.as_str().to_owned()));
    values.extend(proof(connector, &values));
    let rules = FieldRules { environment: None, simulators: true };
    let problems: Vec<String> = check(connector, &values, &rules).into_iter().map(|problem| problem.message).collect();
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

/// Optional fields without which no request can be made, since the line of `auth` that the other values pick is made of them.
fn proof(connector: &Connector, values: &[(String, String)]) -> Vec<(String, String)> {
    let provider = &connector.provider;
    let stored = values.iter().map(|(key, value)| (key.clone(), Secret::from(value.as_str())));
    let credentials = Credentials::for_connector(connector, stored);
    let calls = provider.session.iter().chain(provider.token.iter().map(|token| &token.call));
    let picked = calls.filter_map(|call| provider.auth_of(call).pick(&connector.method().key, |key| credentials.get(key)));
    let templates = picked.flat_map(|auth| auth.basic.iter().flat_map(|(user, password)| [user, password]).chain(&auth.bearer));
    let named: Vec<&Name> = templates.flat_map(Template::names).collect();
    let missing = provider.fields.iter().filter(|field| credentials.get(&field.key).is_none());
    missing
        .filter(|field| named.iter().any(|name| matches!(name, Name::Field(key) if *key == field.key)))
        .map(|field| (field.key.clone(), value(connector, field)))
        .collect()
}

fn value(connector: &Connector, field: &Field) -> String {
    if let Some(choice) = field.choices.first() {
        return choice.clone();
    }
    let prefix = field.prefix_sandbox.first().map(String::as_str).unwrap_or_default();
    let mut tries = TRIES.iter().map(|text| format!("{prefix}{text}"));
    let fallback = format!("{prefix}simulated");
    match &field.pattern {
        _ if field.text == TextForm::Pem => pem(connector, field).to_owned(),
        Some(pattern) => tries.find(|text| pattern.is_match(text)).unwrap_or(fallback),
        None if field.text == TextForm::Base64 => STANDARD.encode("simulated"),
        None => fallback,
    }
}

/// The key where one may stand, the certificate where `[tls]` wants one, and elsewhere the public key: of what is not secret it is all that a recipe could need.
fn pem(connector: &Connector, field: &Field) -> &'static str {
    let tls = connector.provider.tls.as_ref();
    let certificates = tls.into_iter().flat_map(|tls| [Some(&tls.certificate), tls.roots.as_ref()]).flatten();
    if certificates.filter_map(Template::only_field).any(|key| key == field.key) {
        CERTIFICATE
    } else if field.secret {
        PRIVATE_KEY
    } else {
        PUBLIC_KEY
    }
}

#[cfg(test)]
mod tests {
    use connectors::catalogue::Catalogue;

    #[test]
    fn every_shipped_definition_can_be_simulated() {
        let (catalogue, mistakes) = Catalogue::load(&[], true).unwrap();
        assert!(mistakes.is_empty() && catalogue.iter().count() > 0);
        for connector in catalogue.iter() {
            let fields = super::fields(connector);
            assert!(fields.is_ok(), "{}: {fields:?}", connector.definition.id);
        }
    }
}
