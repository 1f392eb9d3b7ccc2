//! The request that a definition makes, as text. Secrets are filled in as their own names, so that one sees where they go and not what they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectors::caller::Attempt;
use connectors::catalogue::Connector;
use connectors::credentials::Credentials;
use connectors::model::{Call, Field, Name, Template, TextForm};
use connectors::outbound::{OutgoingRequest, Route};
use connectors::render::{Base, Filled, RenderError, render, signed_lines};
use connectors::sign::SignShown;
use connectors::template_fill::First;
use domain::{JsonObject, Secret};

/// What requests are made of that are shown.
pub(super) struct Scene<'a> {
    pub(super) connector: &'a Connector,
    real: Credentials,
    masked: Credentials,
    /// Secrets that could not be replaced by their names before, since something is made of them: what stands there, and the name.
    hidden: Vec<(String, String)>,
    attempt: Attempt,
    base: Base,
}

// === impl Scene ===

impl<'a> Scene<'a> {
    /// Requests to the simulator.
    pub(super) fn simulated(connector: &'a Connector, values: &[(String, String)], attempt: Attempt) -> Self {
        let base = Base { url: format!("https://{}.simulator", connector.provider.id), route: Route::Simulator };
        Self::at(connector, values, attempt, base)
    }

    /// Requests to a server.
    pub(super) fn at(connector: &'a Connector, values: &[(String, String)], attempt: Attempt, base: Base) -> Self {
        let mut hidden = Vec::new();
        let masked = values.iter().map(|(key, value)| {
            let secret = connector.provider.fields.iter().find(|field| field.secret && field.key == *key);
            let shown = secret.map_or_else(|| value.clone(), |field| stand_in(field, value, &mut hidden));
            (key.clone(), Secret::from(shown))
        });
        let masked = Credentials::for_connector(connector, masked.collect::<Vec<_>>());
        let real = values.iter().map(|(key, value)| (key.clone(), Secret::from(value.as_str())));
        Self { connector, real: Credentials::for_connector(connector, real), masked, hidden, attempt, base }
    }

    /// Whether a call proves who asks with a token, by the line of `auth` that these values pick.
    pub(super) fn uses_token(&self, call: &Call) -> bool {
        let auth = self.connector.provider.auth_of(call).pick(&self.connector.method().key, |key| self.masked.get(key));
        auth.is_some_and(|auth| auth.templates().flat_map(Template::names).any(|name| *name == Name::Token))
    }
}

/// What a request holds instead of the value of a secret field: its name, or what the name is found behind afterwards.
fn stand_in(field: &Field, value: &str, hidden: &mut Vec<(String, String)>) -> String {
    let name = named(&field.key);
    match field.text {
        TextForm::Any => name,
        TextForm::Base64 => {
            let encoded = STANDARD.encode(&name);
            hidden.push((encoded.clone(), name));
            encoded
        }
        // A key that signs must be one.
        TextForm::Pem => {
            hidden.push((value.to_owned(), name));
            value.to_owned()
        }
    }
}

fn named(key: &str) -> String {
    format!("[{key}]")
}

/// The request of a call, as text, with the lines of `[sign]` before it where it is signed by lines.
pub(super) fn text(scene: &Scene<'_>, call: &Call, body: Option<&JsonObject>) -> Result<String, RenderError> {
    let token = Secret::from(named("token"));
    let filled = |credentials| {
        let (attempt, now) = (&scene.attempt, scene.attempt.now);
        Filled { credentials, token: Some(&token), first: First::ToCome, attempt, now, body, written: None }
    };
    let lines = |credentials| signed_lines(scene.connector, call, &filled(credentials), &scene.base);
    let request = print(&render(scene.connector, call, &filled(&scene.masked), &scene.base)?);
    let (made, masked) = (lines(&scene.real)?, lines(&scene.masked)?);
    // Signatures give nothing away, so those are shown that are really sent.
    let request = made.iter().zip(&masked).fold(request, |request, ((_, made), (_, masked))| match (made, masked) {
        (SignShown::Text(made), SignShown::Text(masked)) if !masked.is_empty() && made != masked => request.replace(masked.as_str(), made),
        (SignShown::Text(_) | SignShown::Bytes(_) | SignShown::Masked(_) | SignShown::Absent, _) => request,
    });
    let request = scene.hidden.iter().fold(request, |text, (there, name)| text.replace(there.as_str(), name));
    let lines: Vec<String> = made.iter().map(|(name, shown)| format!("sign.{name}:{}", sign_line(shown))).collect();
    Ok(if lines.is_empty() { request } else { format!("{}\n\n{request}", lines.join("\n")) })
}

/// A line of `[sign]`; the lines of a text stand below its name.
fn sign_line(shown: &SignShown) -> String {
    match shown {
        SignShown::Text(text) if text.contains('\n') => format!("\n    {}", text.replace('\n', "\n    ")),
        SignShown::Text(text) | SignShown::Masked(text) => format!(" {text}"),
        SignShown::Bytes(digits) => format!(" bytes {digits}"),
        SignShown::Absent => " left out".to_owned(),
    }
}

fn print(request: &OutgoingRequest) -> String {
    let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut lines = vec![format!("{} {}{query}", request.method, request.url.path())];
    for (name, value) in &request.headers {
        lines.push(format!("{name}: {}", opened(value.to_str().unwrap_or("[not text]"))));
    }
    if !request.body.is_empty() {
        lines.push(String::new());
        lines.push(String::from_utf8_lossy(&request.body).into_owned());
    }
    lines.join("\n")
}

/// Basic authentication hides its two halves behind base64; here they hold names, which should be read.
fn opened(value: &str) -> String {
    let halves = value.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
    halves.map_or_else(|| value.to_owned(), |halves| format!("Basic base64({halves})"))
}
