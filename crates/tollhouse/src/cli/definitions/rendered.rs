//! The request that a definition makes, as text. Secrets are filled in as their own names, so that one sees where they go and not what they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectors::caller::Attempt;
use connectors::catalogue::Connector;
use connectors::credentials::Credentials;
use connectors::model::Call;
use connectors::outbound::{OutgoingRequest, Route};
use connectors::render::{Base, Filled, RenderError, render};
use connectors::template_fill::First;
use domain::{JsonObject, Secret};

/// What a request holds instead of the value of a secret field.
fn stand_in(key: &str) -> String {
    format!("[{key}]")
}

/// The same values with every secret replaced by its name.
pub(super) fn masked(connector: &Connector, values: &[(String, String)]) -> Credentials {
    let is_secret = |key: &str| connector.provider.fields.iter().any(|field| field.secret && field.key == key);
    let masked = values.iter().map(|(key, value)| {
        let value = if is_secret(key) { stand_in(key) } else { value.clone() };
        (key.clone(), Secret::from(value))
    });
    Credentials::for_connector(connector, masked)
}

/// The request of a call, as text.
pub(super) fn text(
    connector: &Connector,
    call: &Call,
    credentials: &Credentials,
    attempt: &Attempt,
    body: Option<&JsonObject>,
) -> Result<String, RenderError> {
    let token = Secret::from(stand_in("token"));
    let filled = Filled { credentials, token: Some(&token), first: First::ToCome, attempt, now: attempt.now, body };
    let base = Base { url: format!("https://{}.simulator", connector.provider.id), route: Route::Simulator };
    Ok(print(&render(connector, call, &filled, &base)?))
}

fn print(request: &OutgoingRequest) -> String {
    let mut lines = vec![format!("{} {}", request.method, request.url.path())];
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
