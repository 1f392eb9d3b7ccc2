//! What a definition says, in words.

use connectors::model::{
    Call, Choice, Field, Idempotency, IdempotencyPlace, Name, Part, Place, Provider, RequestLine, Required, Selector, Sign, Success,
    Template, TextForm, Verify,
};
use domain::json::Pointer;

/// A table of Markdown. Bars in cells would end them.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut lines = vec![row(header.iter().map(|cell| (*cell).to_owned())), row(header.iter().map(|_| "---".to_owned()))];
    lines.extend(rows.into_iter().map(row));
    lines.join("\n")
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    format!("| {} |", cells.join(" | "))
}

/// What was checked and when, in short and as a sentence about how.
pub(super) fn checked(checked: &str) -> (String, String) {
    let (kind, month) = checked.split_once(' ').unwrap_or((checked, ""));
    let (what, how) = match kind {
        "docs" => (
            "documentation",
            "Requests, answers and errors were read in the service's own documentation. The service itself was not called.",
        ),
        "openapi" => (
            "OpenAPI document",
            "Requests and answers were compared with the OpenAPI document that the service publishes. The service itself was not called.",
        ),
        "schema" => {
            ("schema", "Requests and answers were compared with the schema that the service publishes. The service itself was not called.")
        }
        "sdk" => (
            "client library",
            "Requests and answers were read in the source of the service's own client library. The service itself was not called.",
        ),
        "clients" => (
            "clients of others",
            "Requests and answers were read in the source of clients that others have written. The service itself was not called.",
        ),
        "memory" => ("memory", "Written from memory, and compared with nothing: try it in the sandbox first."),
        "sandbox" => ("sandbox", "The sandbox of the service has answered a session."),
        "live" => ("live service", "The live service has answered a session."),
        other => (other, ""),
    };
    (format!("{what}, {month}"), how.to_owned())
}

/// The fields that are entered: label, key, secret, required, value, where to find it.
pub(super) fn fields(provider: &Provider) -> Vec<Vec<String>> {
    let own = provider.fields.iter().filter(|field| field.key != "mode" && field.key != "timeout_ms");
    own.map(|field| {
        vec![
            field.label.clone(),
            format!("`{}`", field.key),
            if field.secret { "yes" } else { "no" }.to_owned(),
            match field.required {
                _ if field.default.is_some() => "no",
                Required::Always => "yes",
                Required::Live => "when live",
                Required::Never => "no",
            }
            .to_owned(),
            value(field),
            field.find.clone().unwrap_or_default(),
        ]
    })
    .collect()
}

/// What a value may be.
fn value(field: &Field) -> String {
    let mut said = Vec::new();
    let quoted = |values: &[String]| values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ");
    if !field.choices.is_empty() {
        said.push(quoted(&field.choices));
    }
    if let Some(pattern) = &field.pattern {
        let text = pattern.as_str().trim_start_matches("^(?:").trim_end_matches(")$");
        said.push(format!("matches `{text}`"));
    }
    for (prefixes, environment) in [(&field.prefix_sandbox, "in the sandbox"), (&field.prefix_live, "live")] {
        if !prefixes.is_empty() {
            said.push(format!("begins with {} {environment}", quoted(prefixes)));
        }
    }
    match field.text {
        TextForm::Any => {}
        TextForm::Base64 => said.push("base64".to_owned()),
        TextForm::Pem => said.push("PEM".to_owned()),
    }
    if let Some(default) = &field.default {
        said.push(format!("default `{default}`"));
    }
    said.join("; ")
}

/// The request lines of a call, with what picks among them.
pub(super) fn request_lines(provider: &Provider, call: &Call) -> String {
    let shown = |line: &RequestLine| format!("`{} {}`", line.method, template(&line.path));
    let hosts = if call.hosts.is_some() { " at a host of its own" } else { "" };
    let proof = match provider.sign_of(call) {
        Some(Sign::Lines(_) | Sign::Scheme { .. }) => ", signed",
        None => "",
    };
    match &call.request {
        Choice::One(line) => format!("{}{hosts}{proof}", shown(line)),
        Choice::By { selector, cases, otherwise } => {
            let by = match selector {
                Selector::Method => "the method".to_owned(),
                Selector::Field(key) => format!("the field `{key}`"),
            };
            let mut lines: Vec<String> = cases.iter().map(|(value, line)| format!("{} for `{value}`", shown(line))).collect();
            lines.extend(otherwise.iter().map(|line| format!("{} for the rest", shown(line))));
            format!("by {by}: {}{hosts}{proof}", lines.join(", "))
        }
    }
}

/// A template as it is written in the file.
fn template(template: &Template) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Name(Name::Field(key)) => format!("{{{{ field.{key} }}}}"),
        Part::Name(Name::MethodCode) => "{{ method.code }}".to_owned(),
        Part::Name(Name::Token) => "{{ token }}".to_owned(),
        Part::Name(Name::Attempt(_)) => "{{ attempt }}".to_owned(),
        Part::Name(Name::Sign(name)) => format!("{{{{ sign.{name} }}}}"),
        Part::Name(Name::First(pointer)) => format!("{{{{ first {pointer} }}}}"),
        Part::Name(Name::Request(pointer)) => format!("{{{{ request {pointer} }}}}"),
        Part::Name(Name::Sim(_)) => "…".to_owned(),
    };
    template.0.iter().map(part).collect()
}

/// A place in words.
fn place(place: &Place) -> String {
    match place {
        Place::Request(pointer) => format!("`{pointer}` of the request"),
        Place::Answer(pointer) => format!("`{pointer}` of the answer"),
        Place::AnswerKey(pointer) => format!("the name of the first member of `{pointer}` of the answer"),
        Place::AnswerHeader(name) => format!("the header `{name}` of the answer"),
    }
}

fn places(found: &[Place]) -> String {
    found.iter().map(place).collect::<Vec<_>>().join(", else ")
}

/// What is kept of the two bodies.
pub(super) fn record(provider: &Provider) -> String {
    let calls: Vec<&Call> = provider.session.iter().chain(&provider.second).collect();
    let of = |name: &str, pick: fn(&Call) -> &Vec<Place>| {
        // What the second step says wins.
        let found = calls.iter().rev().map(|call| pick(call)).find(|places| !places.is_empty())?;
        Some(format!("{name} ({})", places(found)))
    };
    let major = calls.iter().any(|call| call.record.amount_in_major_units && !call.record.amount.is_empty());
    let amount = if major { "the amount, written in major units" } else { "the amount" };
    let kept: Vec<String> = [
        of(amount, |call| &call.record.amount),
        of("the currency", |call| &call.record.currency),
        of("the country", |call| &call.record.country),
        of("the reference", |call| &call.record.reference),
        of("the id at the service", |call| &call.record.service_id),
        of("the id for the service's support", |call| &call.record.support_id),
        of("the service's code of a failure", |call| &call.error_code),
    ]
    .into_iter()
    .flatten()
    .collect();
    if kept.is_empty() { "nothing of the two bodies".to_owned() } else { kept.join("; ") }
}

/// The members that the file adds to the caller's body.
pub(super) fn added(provider: &Provider) -> Vec<String> {
    let mut added = Vec::new();
    for call in provider.session.iter().chain(&provider.second) {
        added.extend(call.body.wrap.iter().map(|(_, at)| format!("everything around it, the caller's body at `{at}`")));
        added.extend(call.body.set.iter().map(|(pointer, _)| format!("`{pointer}`")));
        added.extend(call.body.default.iter().map(|(pointer, _)| format!("`{pointer}` where the caller has none")));
    }
    added
}

/// Members that are refused, with the reasons.
pub(super) fn refused(provider: &Provider) -> Vec<(String, String)> {
    let calls = provider.session.iter().chain(&provider.second);
    let mut refused: Vec<(String, String)> =
        calls.flat_map(|call| &call.body.refuse).map(|(pointer, reason)| (pointer.to_string(), reason.clone())).collect();
    refused.dedup();
    refused
}

/// Members that do not reach the caller.
pub(super) fn withheld(provider: &Provider) -> Option<String> {
    let pointers: Vec<&Pointer> = provider.session.iter().chain(&provider.second).flat_map(|call| &call.withhold).collect();
    let shown = pointers.iter().map(|pointer| format!("`{pointer}`")).collect::<Vec<_>>().join(", ");
    (!pointers.is_empty()).then_some(shown)
}

/// How credentials are proved.
pub(super) fn verification(provider: &Provider) -> String {
    match (&provider.verify, &provider.token) {
        (Some(Verify::Call(call)), _) => format!("by {}, which moves nothing{}", request_lines(provider, call), proving(&call.success)),
        (Some(Verify::Token), Some(token)) => format!("by fetching a token: {}", request_lines(provider, &token.call)),
        (Some(Verify::Token), None) | (None, _) if uses_certificate(provider) => {
            "by the first session only; certificate and key are read when they are entered".to_owned()
        }
        (Some(Verify::Token), None) | (None, _) => "by the first session only: the file has no call for it".to_owned(),
    }
}

fn uses_certificate(provider: &Provider) -> bool {
    provider.tls.is_some()
}

fn proving(success: &Success) -> String {
    let unusual: Vec<String> = success.statuses.iter().filter(|status| !(200..300).contains(*status)).map(u16::to_string).collect();
    if unusual.is_empty() { String::new() } else { format!("; {} proves them too", unusual.join(" or ")) }
}

/// Whether a lost request goes out once more.
pub(super) fn repeated(call: &Call) -> String {
    let Some(Idempotency { at, hours }) = &call.idempotency else {
        return "is not recognised, so a request is never sent twice once it was seen".to_owned();
    };
    let place = match at {
        IdempotencyPlace::Header(name) => format!("by the header `{name}`"),
        IdempotencyPlace::Body(pointer) => format!("by the member `{pointer}`"),
        IdempotencyPlace::Path => "by its path".to_owned(),
    };
    format!("is recognised {place} for {hours} hours, so a request whose answer was lost is sent once more")
}
