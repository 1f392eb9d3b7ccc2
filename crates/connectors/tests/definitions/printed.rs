//! Requests as text: every byte that is sent, secrets by their names.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectors::outbound::OutgoingRequest;

/// The lines of a request that does not stay the same when it is made once more: what differs is not shown.
pub(crate) fn lines(request: &OutgoingRequest, again: &OutgoingRequest, secrets: &[(String, String)]) -> Vec<String> {
    let mut lines = vec![format!("{} {}", request.method, request.url)];
    let mut headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    // Our own two say nothing about a definition unless it has changed them.
    headers.retain(|(name, value)| {
        !(*name == "user-agent" && value.starts_with("tollhouse/") || *name == "accept" && *value == "application/json")
    });
    headers.sort_unstable();
    for (name, value) in headers {
        let is_same = again.headers.get(name).is_some_and(|other| other == value);
        let shown = if is_same { masked(&opened(value), secrets) } else { format!("(another one each time, {} characters)", value.len()) };
        lines.push(format!("{name}: {shown}"));
    }
    if !request.body.is_empty() {
        lines.push(String::new());
        if request.body == again.body {
            lines.extend(masked(std::str::from_utf8(&request.body).unwrap(), secrets).lines().map(str::to_owned));
        } else {
            lines.push(format!("(another one each time, {} bytes)", request.body.len()));
        }
    }
    lines
}

/// What has changed from one request to another, as lines that begin with `-` and `+`.
pub(crate) fn difference(from: &[String], to: &[String]) -> Vec<String> {
    let set = |lines: &[String]| lines.iter().cloned().collect::<BTreeSet<_>>();
    let (before, after) = (set(from), set(to));
    let gone = from.iter().filter(|line| !after.contains(*line)).map(|line| format!("- {line}"));
    let come = to.iter().filter(|line| !before.contains(*line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect()
}

/// A text with every secret replaced by its name.
pub(crate) fn masked(text: &str, secrets: &[(String, String)]) -> String {
    secrets.iter().fold(text.to_owned(), |text, (secret, name)| text.replace(secret.as_str(), name))
}

/// Basic authentication hides its two halves behind base64; here they should be read.
fn opened(value: &str) -> String {
    let halves = value.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
    halves.map_or_else(|| value.to_owned(), |halves| format!("Basic base64({halves})"))
}
