//! Whether a simulated service accepts the credentials of a request: every non-empty value except those that begin with `invalid`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectors::model::{Auth, Body, JsonTemplate, Name, Part, Provider, Required, Template};
use http::HeaderMap;
use serde_json::Value;

use super::Received;

/// Checks whatever the definition puts in as a credential: headers, Basic, Bearer, members of the body.
pub(super) fn accepted(provider: &Provider, auth: &Auth, body: &Body, received: &Received, sent: &Value) -> bool {
    let basic = auth.basic.as_ref().is_none_or(|(user, password)| {
        basic_pair(&received.headers)
            .is_some_and(|(sent_user, sent_password)| is_good(provider, user, &sent_user) && is_good(provider, password, &sent_password))
    });
    let bearer =
        auth.bearer.as_ref().is_none_or(|token| scheme(&received.headers, "Bearer").is_some_and(|sent| is_good(provider, token, sent)));
    let headers = auth.headers.iter().all(|(name, template)| match received.headers.get(name).map(|value| value.to_str()) {
        Some(Ok(value)) => is_good(provider, template, value),
        Some(Err(_)) => false,
        None => is_optional(provider, template),
    });
    let members = body.set.iter().all(|(pointer, template)| match (template, sent.pointer(&pointer.to_string())) {
        (JsonTemplate::Text(template), Some(Value::String(value))) => is_good(provider, template, value),
        (JsonTemplate::Text(template), None) => is_optional(provider, template),
        _ => true,
    });
    basic && bearer && headers && members
}

/// The values that a text has at a template's names; `None` if the text was not made by the template. A value ends at the text that follows it, and never holds a slash where the text is a path.
pub(super) fn values<'a>(template: &Template, text: &'a str) -> Option<Vec<&'a str>> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut parts = template.0.iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            Part::Text(expected) => rest = rest.strip_prefix(expected.as_str())?,
            Part::Name(_) => {
                let end = match parts.peek() {
                    Some(Part::Text(next)) => rest.find(next.as_str())?,
                    Some(Part::Name(_)) | None => rest.len(),
                };
                let (value, after) = rest.split_at(end);
                found.push(value);
                rest = after;
            }
        }
    }
    rest.is_empty().then_some(found)
}

fn is_good(provider: &Provider, template: &Template, sent: &str) -> bool {
    let names = template.0.iter().filter_map(|part| match part {
        Part::Name(name) => Some(name),
        Part::Text(_) => None,
    });
    values(template, sent).is_some_and(|values| {
        names.zip(values).all(|(name, value)| {
            let may_be_empty = matches!(name, Name::Field(key) if !is_required(provider, key));
            (may_be_empty || !value.is_empty()) && !value.starts_with("invalid")
        })
    })
}

fn is_optional(provider: &Provider, template: &Template) -> bool {
    template.0.iter().any(|part| matches!(part, Part::Name(Name::Field(key)) if !is_required(provider, key)))
        || template.0.iter().any(|part| matches!(part, Part::Name(Name::MethodCode)))
}

fn is_required(provider: &Provider, key: &str) -> bool {
    provider.fields.iter().find(|field| field.key == key).is_some_and(|field| field.required == Required::Always)
}

fn scheme<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let (scheme, value) = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(name).then_some(value)
}

fn basic_pair(headers: &HeaderMap) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(scheme(headers, "Basic")?).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(key: &str) -> Part {
        Part::Name(Name::Field(key.into()))
    }

    fn text(text: &str) -> Part {
        Part::Text(text.into())
    }

    #[test]
    fn a_template_is_read_backwards() {
        let check =
            |parts: Vec<Part>, sent: &str, expected: Option<Vec<&str>>| assert_eq!(values(&Template(parts), sent), expected, "{sent}");
        check(vec![field("key")], "k1", Some(vec!["k1"]));
        check(vec![text("merchant."), field("id")], "merchant.M1", Some(vec!["M1"]));
        check(vec![text("merchant."), field("id")], "M1", None);
        check(
            vec![text("/v/"), field("version"), text("/m/"), field("id"), text("/session")],
            "/v/70/m/M1/session",
            Some(vec!["70", "M1"]),
        );
        check(vec![text("/sessions")], "/sessions/2", None);
    }
}
