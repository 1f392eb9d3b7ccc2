//! The values of a configured payment service: checked when they are written, opened when they are used.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Secret;
use domain::definition::FieldFormat;

use crate::catalogue::Connector;
use crate::format::nearest::nearest;
use crate::model::{Field, Provider, Required, TextForm};

mod pem_values;

/// Key of the field that says which of a provider's hosts is called.
pub const MODE: &str = "mode";
/// Key of the field that overrides the time limit of a call.
pub const TIMEOUT_MS: &str = "timeout_ms";
/// Longest time that a call may be given.
pub const TIMEOUT_MS_MAX: u64 = 30_000;
/// Longest value of a field: room for a certificate chain, not for an upload.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// How much of an unknown key comes back in a message.
const KEY_SHOWN_MAX: usize = 50;

/// Which payment services this server may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// No real money: live services and live keys are refused.
    Sandbox,
    /// Real money: sandbox services and sandbox keys are refused.
    Live,
}

/// Where the calls of one payment service go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The provider's sandbox.
    Sandbox,
    /// The provider itself.
    Live,
    /// The simulator in this server.
    Simulator,
}

/// What values are checked against beside their definition.
#[derive(Clone, Copy, Debug)]
pub struct FieldRules {
    /// `None`: services of both modes may live here.
    pub environment: Option<Environment>,
    /// Whether `mode = simulator` exists here.
    pub simulators: bool,
}

/// One thing that is wrong with the values of a payment service. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// Position in the list that was checked; `None` for a field that is not there.
    pub index: Option<usize>,
    /// The field.
    pub key: String,
    /// For a person.
    pub message: String,
    /// The slug: `missing`, `value_error`, `pattern_mismatch`, `string_too_long`, `conflict`.
    pub kind: &'static str,
}

/// The opened values of one payment service, defaults applied, keys that its definition does not know left out.
#[derive(Clone)]
pub struct Credentials {
    values: BTreeMap<String, Secret>,
    secret: Vec<String>,
}

// === impl Mode ===

impl Mode {
    /// The word in the field `mode`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Live => "live",
            Self::Simulator => "simulator",
        }
    }

    /// The mode of a word; `None` for any other text.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "sandbox" => Some(Self::Sandbox),
            "live" => Some(Self::Live),
            "simulator" => Some(Self::Simulator),
            _ => None,
        }
    }
}

// === impl Credentials ===

impl Credentials {
    /// Takes what is stored of a payment service. Values of a renamed field are carried over; empty ones count as absent.
    pub fn for_connector(connector: &Connector, stored: impl IntoIterator<Item = (String, Secret)>) -> Self {
        Self::for_provider(&connector.provider, stored)
    }

    /// The same for a provider, whatever the method: the fields are the same.
    pub fn for_provider(provider: &Provider, stored: impl IntoIterator<Item = (String, Secret)>) -> Self {
        let mut stored: BTreeMap<String, Secret> = stored.into_iter().filter(|(_, value)| !value.expose().is_empty()).collect();
        let mut values = BTreeMap::new();
        for field in &provider.fields {
            let former = field.renamed_from.as_ref().and_then(|key| stored.get(key).cloned());
            let value = stored.remove(&field.key).or(former).or_else(|| field.default.as_deref().map(Secret::from));
            if let Some(value) = value {
                values.insert(field.key.clone(), value);
            }
        }
        Self { values, secret: provider.fields.iter().filter(|f| f.secret).map(|f| f.key.clone()).collect() }
    }

    /// The value of a field or its default; `None` where there is neither.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).and_then(Secret::expose_str)
    }

    /// Whether a field is secret.
    pub(crate) fn is_secret(&self, key: &str) -> bool {
        self.secret.iter().any(|secret| secret == key)
    }

    /// Where calls go. Stored values were checked; should one be unknown all the same, the sandbox can do the least harm.
    pub fn mode(&self) -> Mode {
        self.get(MODE).and_then(Mode::parse).unwrap_or(Mode::Sandbox)
    }

    /// The time limit of this service's calls, where it has one of its own.
    pub fn timeout_ms(&self) -> Option<u64> {
        self.get(TIMEOUT_MS).and_then(parse_timeout)
    }

    /// The values of secret fields, for masking them in answers.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secret.iter().filter_map(|key| self.get(key))
    }

    /// Required fields that have no value: with one missing nothing can be called.
    pub fn missing<'a>(&self, provider: &'a Provider) -> Vec<&'a str> {
        let live = self.mode() == Mode::Live;
        provider.fields.iter().filter(|f| is_required(f, live) && self.get(&f.key).is_none()).map(|f| f.key.as_str()).collect()
    }
}

impl fmt::Debug for Credentials {
    /// Keys only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

// === check ===

/// Everything that is wrong with the values of a payment service: the sent ones in their order, then what is missing.
pub fn check(connector: &Connector, values: &[(String, String)], rules: &FieldRules) -> Vec<FieldProblem> {
    let provider = &connector.provider;
    let sent_mode = values.iter().find(|(key, value)| key == MODE && !value.is_empty());
    let mode = sent_mode.map_or(Some(Mode::Sandbox), |(_, value)| Mode::parse(value));
    let mut problems = Vec::new();
    for (index, (key, value)) in values.iter().enumerate() {
        let wrong = match provider.fields.iter().find(|field| &field.key == key) {
            None => Some(unknown_key(provider, key)),
            Some(_) if values.iter().take(index).any(|(earlier, _)| earlier == key) => {
                Some(("conflict", format!("`{key}` is there more than once")))
            }
            Some(_) if value.is_empty() => None,
            Some(_) if key == MODE => wrong_mode(provider, mode, rules),
            Some(field) => wrong_value(field, value, mode, rules).or_else(|| pem_values::wrong(provider, field, value)),
        };
        if let Some((kind, message)) = wrong {
            problems.push(FieldProblem { index: Some(index), key: key.clone(), message, kind });
        }
    }
    if sent_mode.is_none()
        && let Some((kind, message)) = wrong_mode(provider, mode, rules)
    {
        let index = values.iter().position(|(key, _)| key == MODE);
        problems.push(FieldProblem { index, key: MODE.to_owned(), message, kind });
    }
    problems.extend(missing(provider, values, mode));
    problems.extend(pem_values::wrong_pair(provider, values, &problems));
    problems
}

fn unknown_key(provider: &Provider, key: &str) -> (&'static str, String) {
    let known: Vec<&str> = provider.fields.iter().map(|field| field.key.as_str()).collect();
    let near = nearest(key, known.iter().copied()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    // What was sent as a key may be a value in the wrong place, so little of it comes back.
    let shown: String = key.chars().take(KEY_SHOWN_MAX).collect();
    ("value_error", format!("`{}` is no field of this payment service; its fields are {}{near}", shown.escape_debug(), known.join(", ")))
}

fn missing(provider: &Provider, values: &[(String, String)], mode: Option<Mode>) -> Vec<FieldProblem> {
    let there = |key: &str| values.iter().position(|(k, v)| k == key && !v.is_empty());
    let absent = provider.fields.iter().filter(|field| is_required(field, mode == Some(Mode::Live)) && there(&field.key).is_none());
    let problem = |field: &Field| FieldProblem {
        index: values.iter().position(|(key, _)| key == &field.key),
        key: field.key.clone(),
        message: match field.required {
            Required::Live => format!("`{}` is required when `mode` is `live`", field.key),
            Required::Always | Required::Never => format!("`{}` is required", field.key),
        },
        kind: "missing",
    };
    absent.map(problem).collect()
}

fn is_required(field: &Field, live: bool) -> bool {
    match field.required {
        Required::Always => field.default.is_none(),
        Required::Live => live && field.default.is_none(),
        Required::Never => false,
    }
}

fn wrong_value(field: &Field, value: &str, mode: Option<Mode>, rules: &FieldRules) -> Option<(&'static str, String)> {
    let key = &field.key;
    if value.len() > VALUE_BYTES_MAX {
        return Some(("string_too_long", format!("`{key}` is longer than {VALUE_BYTES_MAX} bytes")));
    }
    if key == TIMEOUT_MS {
        let message = || ("value_error", format!("`{key}` is a whole number of milliseconds from 1 to {TIMEOUT_MS_MAX}"));
        return parse_timeout(value).is_none().then(message);
    }
    if !field.choices.is_empty() && !field.choices.iter().any(|choice| choice == value) {
        return Some(("value_error", format!("`{key}` is one of {}", field.choices.join(", "))));
    }
    if let Some(pattern) = &field.pattern
        && !pattern.is_match(value)
    {
        return Some(("pattern_mismatch", format!("`{key}` does not have the form it must have")));
    }
    if field.text == TextForm::Base64 && STANDARD.decode(value.trim()).is_err() {
        return Some(("value_error", format!("`{key}` is not base64")));
    }
    wrong_prefix(field, value, mode, rules.environment).or_else(|| wrong_format(field, value))
}

fn wrong_mode(provider: &Provider, mode: Option<Mode>, rules: &FieldRules) -> Option<(&'static str, String)> {
    let allowed = if rules.simulators { "sandbox, live, simulator" } else { "sandbox, live" };
    match mode {
        None => Some(("value_error", format!("`mode` is one of {allowed}"))),
        Some(Mode::Simulator) if !rules.simulators => Some(("value_error", format!("simulators are off here: `mode` is one of {allowed}"))),
        Some(Mode::Live) if provider.simulator_only => {
            Some(("value_error", "this payment service exists only in the simulator: `mode` can not be `live`".to_owned()))
        }
        Some(Mode::Live) if rules.environment == Some(Environment::Sandbox) => {
            Some(("value_error", "this server is for the sandbox: `mode` can not be `live`".to_owned()))
        }
        Some(Mode::Sandbox) if rules.environment == Some(Environment::Live) => {
            Some(("value_error", "this server is for live payments: `mode` can not be `sandbox`".to_owned()))
        }
        Some(Mode::Sandbox | Mode::Live | Mode::Simulator) => None,
    }
}

/// A key of the other environment is refused where its prefix betrays it, in the simulator too: a live key has no business there.
fn wrong_prefix(field: &Field, value: &str, mode: Option<Mode>, environment: Option<Environment>) -> Option<(&'static str, String)> {
    let begins = |with: &[String]| with.iter().any(|prefix| value.starts_with(prefix.as_str()));
    let message = |what: &str, prefixes: &[String]| Some(("value_error", format!("`{}` {what} {}", field.key, prefixes.join(" or "))));
    match mode {
        _ if environment == Some(Environment::Sandbox) && begins(&field.prefix_live) => {
            Some(("value_error", format!("`{}` is a live key and this server is for the sandbox", field.key)))
        }
        Some(Mode::Sandbox) if !field.prefix_sandbox.is_empty() && !begins(&field.prefix_sandbox) => {
            message("of the sandbox begins with", &field.prefix_sandbox)
        }
        Some(Mode::Live) if !field.prefix_live.is_empty() && !begins(&field.prefix_live) => {
            message("for live payments begins with", &field.prefix_live)
        }
        Some(Mode::Sandbox | Mode::Live | Mode::Simulator) | None => None,
    }
}

fn wrong_format(field: &Field, value: &str) -> Option<(&'static str, String)> {
    let key = &field.key;
    match field.format {
        FieldFormat::Number if value.parse::<f64>().is_err() => Some(("value_error", format!("`{key}` is not a number"))),
        FieldFormat::Boolean if value != "true" && value != "false" => Some(("value_error", format!("`{key}` is `true` or `false`"))),
        FieldFormat::Text if value.chars().any(char::is_control) => {
            Some(("value_error", format!("`{key}` is one line without control characters")))
        }
        FieldFormat::Text
        | FieldFormat::Multiline
        | FieldFormat::File
        | FieldFormat::Number
        | FieldFormat::Timezone
        | FieldFormat::Boolean => None,
    }
}

fn parse_timeout(value: &str) -> Option<u64> {
    let plain = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| value.parse().ok()).flatten().filter(|ms| (1..=TIMEOUT_MS_MAX).contains(ms))
}

#[cfg(test)]
mod tests;
