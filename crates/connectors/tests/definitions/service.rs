//! One definition file with stand-ins for what a merchant enters, and the requests that it makes of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use connectors::caller::Attempt;
use connectors::catalogue::{Catalogue, Connector};
use connectors::credentials::{Credentials, FieldRules, MODE, TIMEOUT_MS, check};
use connectors::model::{Call, Field, Provider, Required, TextForm};
use connectors::outbound::{OutgoingRequest, Route};
use connectors::render::{Filled, Places, RenderError, render};
use connectors::template_fill::First;
use domain::definition::FieldFormat;
use domain::{JsonObject, Secret, SessionRecordId, Timestamp};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use crate::fixture::{self, Fixture};
use crate::{definitions, stems};

/// The id and the moment of every request, so that signatures are the same each time.
pub(crate) const ATTEMPT: Attempt = Attempt {
    id: SessionRecordId(Uuid::from_u128(0x0193_5d2e_5800_7000_8000_0000_0000_0001)),
    now: Timestamp::from_micros(1_795_687_200_000_000),
};

/// What the token call has answered.
pub(crate) const TOKEN: &str = "stand-in-of-the-token";

/// What is tried where a field has a pattern; `#` is the key.
const TRIES: &[&str] = &[
    "stand-in-of-#-0123456789",
    "standinof#0123456789",
    "0123456789abcdef0123456789abcdef",
    "00000000-0000-4000-8000-000000000000",
    "https://shop.example/#",
    "shop.example",
    "1234567890",
    "123456",
    "shop-1",
    "shop1",
    "SHOP1",
    "a1",
];

/// A definition file and its fixture.
pub(crate) struct Service {
    /// The file's name without its end.
    pub(crate) id: String,
    /// One per method, in the order of the file.
    pub(crate) connectors: Vec<Arc<Connector>>,
    pub(crate) fixture: Option<Fixture>,
}

/// Which of its fields a payment service has values for, and which.
#[derive(Clone, Debug)]
pub(crate) struct Stored(pub(crate) BTreeMap<String, String>);

// === impl Service ===

impl Service {
    /// Every file of the source tree.
    pub(crate) fn all() -> Vec<Self> {
        let (catalogue, mistakes) = Catalogue::load(&[definitions()], true).unwrap_or_else(|mistakes| panic!("{}", listed(&mistakes)));
        assert!(mistakes.is_empty(), "{}", listed(&mistakes));
        let ids = stems(&definitions(), ".toml");
        assert!(ids.len() > 5, "{ids:?}");
        ids.into_iter().map(|id| Self::of(&catalogue, id)).collect()
    }

    fn of(catalogue: &Catalogue, id: String) -> Self {
        let mut connectors: Vec<Arc<Connector>> = catalogue.iter().filter(|connector| connector.provider.id == id).cloned().collect();
        assert!(!connectors.is_empty(), "{id}.toml has another id");
        connectors.sort_by_key(|connector| connector.method);
        let fixture = fixture::read(&definitions().join("fixtures").join(format!("{id}.toml")));
        Self { id, connectors, fixture }
    }

    /// Those that create sessions.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Arc<Connector>> {
        self.connectors.iter().filter(|connector| connector.creates_sessions())
    }

    pub(crate) fn provider(&self) -> &Provider {
        &self.connectors[0].provider
    }

    /// A value for every field.
    pub(crate) fn stored(&self, mode: &str) -> Stored {
        let own = self.provider().fields.iter().filter(|field| field.key != MODE && field.key != TIMEOUT_MS);
        let mut values: BTreeMap<String, String> = own.map(|field| (field.key.clone(), self.stand_in(field, mode == "live"))).collect();
        values.insert(MODE.to_owned(), mode.to_owned());
        let stored = Stored(values);
        stored.assert_allowed(&self.connectors[0]);
        stored
    }

    /// Only the fields that must have a value.
    pub(crate) fn required(&self, mode: &str) -> Stored {
        let mut stored = self.stored(mode);
        for field in self.provider().fields.iter().filter(|field| field.key != MODE) {
            let is_needed = match field.required {
                Required::Always => true,
                Required::Live => mode == "live",
                Required::Never => false,
            };
            if !is_needed || field.default.is_some() {
                stored.0.remove(&field.key);
            }
        }
        stored
    }

    fn stand_in(&self, field: &Field, live: bool) -> String {
        let given = self.fixture.as_ref().and_then(|fixture| fixture.values.get(&field.key));
        if let Some(value) = given.or(field.choices.first()).or(field.default.as_ref()) {
            return of_environment(field, value, live);
        }
        match (field.text, field.format) {
            (TextForm::Pem, _) => return pem(&field.key).to_owned(),
            (TextForm::Base64, _) => return STANDARD.encode(format!("stand-in-of-{}", field.key)),
            (TextForm::Any, FieldFormat::Boolean) => return "true".to_owned(),
            (TextForm::Any, FieldFormat::Number) => return "1234567890".to_owned(),
            (TextForm::Any, _) => {}
        }
        let prefixes = if live { &field.prefix_live } else { &field.prefix_sandbox };
        let prefix = prefixes.first().map(String::as_str).unwrap_or_default();
        let mut tries = TRIES.iter().map(|text| format!("{prefix}{}", text.replace('#', &field.key)));
        let matches = |text: &String| field.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text));
        tries.find(matches).unwrap_or_else(|| of_pattern(field))
    }

    /// What stands for the secrets, and how it is shown.
    pub(crate) fn secrets(&self, stored: &Stored) -> Vec<(String, String)> {
        let secret = self.provider().fields.iter().filter(|field| field.secret);
        let mut secrets: Vec<(String, String)> =
            secret.filter_map(|field| Some((stored.0.get(&field.key)?.clone(), format!("[{}]", field.key)))).collect();
        secrets.push((TOKEN.to_owned(), "[token]".to_owned()));
        // Where one is part of another, the longer one is covered first.
        secrets.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        secrets
    }

    /// Secrets must not be in a snapshot, in no way in which requests write them.
    pub(crate) fn assert_holds_no_secret(&self, text: &str) {
        for mode in ["sandbox", "live"] {
            for (secret, name) in self.secrets(&self.stored(mode)) {
                let inner = secret.lines().find(|line| !line.starts_with("-----")).unwrap_or_default();
                for form in [secret.clone(), inner.to_owned(), STANDARD.encode(&secret), secret.replace(':', "%3A").replace('/', "%2F")] {
                    assert!(!text.contains(&form), "{}: {name} is in the snapshot", self.id);
                }
            }
        }
    }
}

// === impl Stored ===

impl Stored {
    /// The same with another value of one field.
    pub(crate) fn with(&self, key: &str, value: &str) -> Self {
        let mut values = self.0.clone();
        values.insert(key.to_owned(), value.to_owned());
        Self(values)
    }

    /// As the server would keep them.
    pub(crate) fn opened(&self, provider: &Provider) -> Credentials {
        Credentials::for_provider(provider, self.0.iter().map(|(key, value)| (key.clone(), Secret::from(value.as_str()))))
    }

    fn assert_allowed(&self, connector: &Connector) {
        let values: Vec<(String, String)> = self.0.clone().into_iter().collect();
        let rules = FieldRules { environment: None, simulators: true };
        let mut problems: Vec<String> = check(connector, &values, &rules).into_iter().map(|problem| problem.message).collect();
        problems.retain(|problem| !(connector.provider.simulator_only && problem.contains("`mode` can not be `live`")));
        assert!(problems.is_empty(), "{}: {problems:?}", connector.provider.id);
    }
}

/// The request of a call.
pub(crate) fn request(
    connector: &Connector,
    call: &Call,
    stored: &Stored,
    body: Option<&JsonObject>,
) -> Result<OutgoingRequest, RenderError> {
    let credentials = stored.opened(&connector.provider);
    let base = Places::default().base(connector, call, &credentials)?;
    assert_eq!(base.route, Route::Guarded);
    let token = Secret::from(TOKEN);
    let filled = Filled {
        credentials: &credentials,
        token: Some(&token),
        first: First::ToCome,
        attempt: &ATTEMPT,
        now: ATTEMPT.now,
        body,
        written: None,
    };
    render(connector, call, &filled, &base)
}

/// A body that works.
pub(crate) fn example(connector: &Connector) -> JsonObject {
    let simulator = connector.provider.simulator.as_ref().unwrap_or_else(|| panic!("{} has no simulator", connector.provider.id));
    object(simulator.example_of(&connector.method().key).unwrap())
}

/// A JSON object.
pub(crate) fn object(text: &str) -> JsonObject {
    JsonObject::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

/// A key of the sandbox, as it would look for live payments.
fn of_environment(field: &Field, value: &str, live: bool) -> String {
    let Some(prefix) =
        field.prefix_live.first().filter(|_| live && !field.prefix_live.iter().any(|prefix| value.starts_with(prefix.as_str())))
    else {
        return value.to_owned();
    };
    let rest = field.prefix_sandbox.iter().find_map(|prefix| value.strip_prefix(prefix.as_str()));
    format!("{prefix}{}", rest.unwrap_or(value))
}

/// Any text that a pattern matches, the same each time. Where a telling one is better, the fixture has it in `[values]`.
fn of_pattern(field: &Field) -> String {
    let pattern = field.pattern.as_ref().unwrap().as_str().trim_start_matches("^(?:").trim_end_matches(")$");
    let any = string_regex(pattern).unwrap_or_else(|error| panic!("`{}`: {error}", field.key));
    any.new_tree(&mut TestRunner::deterministic()).unwrap().current()
}

fn pem(key: &str) -> &'static str {
    match key {
        _ if key.contains("cert") => include_str!("../../src/pem/fixtures/rsa_certificate.pem"),
        _ if key.contains("public") || key.contains("answer") => include_str!("../../src/pem/fixtures/rsa_public.pem"),
        _ => include_str!("../../src/pem/fixtures/rsa_pkcs8.pem"),
    }
}

fn listed(mistakes: &[connectors::format::Diagnostic]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
