//! Whether a simulated service accepts the credentials of a request: every non-empty value except those that begin with `invalid`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectors::model::{Auth, Call, JsonTemplate, Name, Part, Provider, Required, Sign, SignLine, SignPart, SignValue, Template};
use http::HeaderMap;
use serde_json::Value;

use super::Received;

/// Whether the credentials of a request are good, by whichever line of `auth` it was made with.
///
/// Which line the stored values have picked is not sent. A line whose proof is there was meant; only where none is, the lines count that prove nothing in a header.
pub(super) fn accepted(proof: &Proof<'_>) -> bool {
    let lines = proof.provider.auth_of(proof.call).all();
    let meant: Vec<&Auth> = lines.iter().copied().filter(|auth| proof.is_shown(auth)).collect();
    let possible = if meant.is_empty() { lines } else { meant };
    proof.members_are_good() && possible.into_iter().any(|auth| proof.headers_are_good(auth))
}

/// What a request is judged by.
pub(super) struct Proof<'a> {
    provider: &'a Provider,
    call: &'a Call,
    lines: &'a [SignLine],
    received: &'a Received,
    /// Its body, as JSON.
    sent: &'a Value,
}

// === impl Proof ===

impl<'a> Proof<'a> {
    pub(super) fn of(provider: &'a Provider, call: &'a Call, received: &'a Received, sent: &'a Value) -> Self {
        let lines = match provider.sign_of(call) {
            Some(Sign::Lines(lines)) => lines.as_slice(),
            Some(Sign::Scheme { .. }) | None => &[],
        };
        Self { provider, call, lines, received, sent }
    }

    /// Whether the request has what a line of `auth` proves who asks with. Headers that hold no secret do not: several lines may have them.
    fn is_shown(&self, auth: &Auth) -> bool {
        let headers = &self.received.headers;
        let proves = |name: &Name| match name {
            Name::Field(key) => self.provider.fields.iter().any(|field| field.key == *key && field.secret),
            Name::Token | Name::Sign(_) => true,
            Name::MethodCode | Name::Attempt(_) | Name::First(_) | Name::Request(_) | Name::Sim(_) => false,
        };
        let basic = auth.basic.is_some() && scheme(headers, "Basic").is_some();
        let bearer = auth.bearer.is_some() && scheme(headers, "Bearer").is_some();
        basic || bearer || auth.headers.iter().any(|(name, template)| headers.contains_key(name) && template.names().any(proves))
    }

    fn headers_are_good(&self, auth: &Auth) -> bool {
        let headers = &self.received.headers;
        let basic = auth.basic.as_ref().is_none_or(|(user, password)| {
            basic_pair(headers)
                .is_some_and(|(sent_user, sent_password)| self.is_good(user, &sent_user) && self.is_good(password, &sent_password))
        });
        let bearer = auth.bearer.as_ref().is_none_or(|token| scheme(headers, "Bearer").is_some_and(|sent| self.is_good(token, sent)));
        let own = auth.headers.iter().all(|(name, template)| match headers.get(name).map(|value| value.to_str()) {
            Some(Ok(value)) => self.is_good(template, value),
            Some(Err(_)) => false,
            None => self.is_optional(template),
        });
        basic && bearer && own
    }

    /// Members that the definition sets may be credentials, or made of them. What the first step has answered is none.
    fn members_are_good(&self) -> bool {
        let is_of_first = |template: &Template| template.names().any(|name| matches!(name, Name::First(_)));
        self.call.body.set.iter().all(|(pointer, template)| match (template, self.sent.pointer(&pointer.to_string())) {
            (JsonTemplate::Text(template), _) if is_of_first(template) => true,
            (JsonTemplate::Text(template), Some(Value::String(value))) => self.is_good(template, value),
            (JsonTemplate::Text(template), None) => self.is_optional(template),
            _ => true,
        })
    }

    /// Whether a text was made by a template of values that nobody refuses. Signatures are not checked: any is good that is there.
    fn is_good(&self, template: &Template, sent: &str) -> bool {
        values(template, sent).is_some_and(|values| {
            template.names().zip(values).all(|(name, value)| {
                let may_be_empty = matches!(name, Name::Field(key) if !self.is_required(key));
                (may_be_empty || !value.is_empty()) && !value.starts_with("invalid")
            })
        })
    }

    fn is_optional(&self, template: &Template) -> bool {
        template.names().any(|name| self.may_be_absent(name))
    }

    fn may_be_absent(&self, name: &Name) -> bool {
        match name {
            Name::Field(key) => !self.is_required(key),
            Name::MethodCode => true,
            // A line names earlier ones only, so this ends.
            Name::Sign(line) => self.lines.iter().find(|earlier| earlier.name == *line).is_some_and(|line| {
                line.parts.iter().any(|part| matches!(part, SignPart::Value(SignValue::Name(name), _) if self.may_be_absent(name)))
            }),
            Name::Token | Name::Attempt(_) | Name::First(_) | Name::Request(_) | Name::Sim(_) => false,
        }
    }

    fn is_required(&self, key: &str) -> bool {
        self.provider.fields.iter().find(|field| field.key == key).is_some_and(|field| field.required == Required::Always)
    }
}

/// Whether a path was made by a template. The template may have a query, which the path that arrived is without.
pub(super) fn is_path(template: &Template, path: &str) -> bool {
    let mut parts = Vec::new();
    for part in &template.0 {
        match part {
            Part::Text(text) if text.contains('?') => {
                parts.push(Part::Text(text.split('?').next().unwrap_or_default().to_owned()));
                break;
            }
            Part::Text(_) | Part::Name(_) => parts.push(part.clone()),
        }
    }
    values(&Template(parts), path).is_some_and(|values| values.iter().all(|value| !value.is_empty() && !value.contains('/')))
}

/// The values that a text has at a template's names; `None` if the text was not made by the template. A value ends at the text that follows it.
fn values<'a>(template: &Template, text: &'a str) -> Option<Vec<&'a str>> {
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
    use connectors::model::AttemptForm;

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

    /// A service that takes a key, a token, or a certificate, and an id in the body.
    const CHOICE: &str = r#"format = 1
id = "psp"
name = "PSP"
checked = "docs 2026-11"
[methods]
card = { name = "Cards" }
[fields]
form = { label = "Form", choices = ["key", "pair", "certificate"] }
key = { label = "Key", secret = true, optional = true }
version = { label = "Version", default = "1" }
[hosts]
sandbox = "https://api.test.psp.example"
live = "https://api.psp.example"
[auth]
by = "form"
key = { headers = { X-Key = "{{ field.key }}", X-Version = "{{ field.version }}" } }
pair = { basic = { user = "shop", password = "{{ field.key }}" }, headers = { X-Version = "{{ field.version }}" } }
certificate = { headers = { X-Version = "{{ field.version }}" } }
[call.session]
request = "PUT /sessions/{{ attempt.hex32 }}"
success = [201]
headers.X-Attempt = "{{ attempt.id }}"
idempotency = { body = "/nonce", hours = 24 }
body.set."/echo" = "{{ attempt.upper32 }}"
[simulator]
requires = ["/nonce"]
example = '{}'
answer = '{}'
refuse.401 = '{}'
"#;

    #[test]
    fn the_line_that_was_meant_is_the_one_that_is_judged() {
        let provider = connectors::format::parse(CHOICE, "x").unwrap();
        let call = provider.session.as_ref().unwrap();
        let check = |headers: &[(&'static str, &str)], sent: &str, expected: bool| {
            let headers = headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect();
            let received = Received { method: http::Method::PUT, path: "/sessions/1".into(), headers, body: bytes::Bytes::new() };
            let sent = serde_json::from_str(sent).unwrap();
            assert_eq!(accepted(&Proof::of(&provider, call, &received, &sent)), expected, "{:?} {sent}", received.headers);
        };
        let (good, pair) = (r#"{"echo":"ID"}"#, |password| format!("Basic {}", STANDARD.encode(format!("shop:{password}"))));
        check(&[("x-key", "k"), ("x-version", "1")], good, true);
        check(&[("x-key", "invalid_k"), ("x-version", "1")], good, false);
        check(&[("authorization", &pair("k")), ("x-version", "1")], good, true);
        check(&[("authorization", &pair("invalid_k")), ("x-version", "1")], good, false);
        check(&[("authorization", &pair("invalid_k")), ("x-key", "k"), ("x-version", "1")], good, true);
        check(&[("x-version", "1")], good, true);
        check(&[("x-version", "invalid")], good, false);
        check(&[("x-key", "k"), ("x-version", "1")], r#"{"echo":""}"#, false);
        check(&[("x-key", "k"), ("x-version", "1")], "{}", false);
    }

    #[test]
    fn a_path_is_recognised_without_its_query() {
        let check = |parts: Vec<Part>, path: &str, expected: bool| assert_eq!(is_path(&Template(parts), path), expected, "{path}");
        let attempt = || Part::Name(Name::Attempt(AttemptForm::Upper32));
        check(vec![text("/methods?country=BR")], "/methods", true);
        check(vec![text("/methods?country="), field("country")], "/methods", true);
        check(vec![text("/methods?country=BR")], "/methods/1", false);
        check(vec![text("/requests/"), attempt()], "/requests/01920000000070008000000000000001", true);
        check(vec![text("/requests/"), attempt()], "/requests/", false);
        check(vec![text("/requests/"), attempt()], "/requests/1/2", false);
    }
}
