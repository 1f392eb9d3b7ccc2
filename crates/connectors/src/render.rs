//! Makes the request of a call. Pure: no socket, no clock, the same input gives the same bytes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::{JsonObject, Problem, Secret, Timestamp};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::{Position, Url};

use crate::body::{BodyError, Edits, Written};
use crate::caller::Attempt;
use crate::catalogue::Connector;
use crate::credentials::{Credentials, Mode};
use crate::model::{Auth, Call, Idempotency, IdempotencyPlace, Sign, Template};
use crate::outbound::{AGENT, Answer, IdentityError, OutgoingRequest, Route};
use crate::scheme::{self, AnswerError, Scheme, SchemeError, Signing};
use crate::sign::{Sent, SignError, SignShown, Signed};
use crate::template_fill::{FillError, First, Slot, Values, fill};

/// The most bytes of a request's header values; no server takes more.
const HEADERS_BYTES_MAX: usize = 256 * 1024;

/// Where providers live, as far as that is not the definition's business.
#[derive(Clone, Debug, Default)]
pub struct Places {
    overrides: BTreeMap<String, Url>,
    simulators: Option<Url>,
}

/// Scheme, host and path prefix of a call, and the rules that it is under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Without a slash at the end.
    pub url: String,
    /// What the egress guard makes of it.
    pub route: Route,
}

/// What a request is filled with.
#[derive(Clone, Copy)]
pub struct Filled<'a> {
    /// The opened values of the payment service.
    pub credentials: &'a Credentials,
    /// What the token call answered.
    pub token: Option<&'a Secret>,
    /// What the first step answered; for the second one.
    pub first: First<'a>,
    /// Its id goes along as idempotency key.
    pub attempt: &'a Attempt,
    /// The moment that the request is made: that of the attempt, or later where a token was waited for first. Signatures carry it.
    pub now: Timestamp,
    /// The caller's body; `None` for calls that have no caller.
    pub body: Option<&'a JsonObject>,
    /// What becomes of it, if that was written before: only where neither token nor attempt nor signature is in it.
    pub written: Option<&'a Written>,
}

/// Why a request can not be made. Nothing was sent. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The caller's body is at fault.
    #[error("the body is at fault in {} places", .0.len())]
    Body(Vec<Problem>),
    /// A value does not fit its place.
    #[error(transparent)]
    Value(#[from] FillError),
    /// A value that a path, a host or a choice needs is not there.
    #[error("{0} has no line for this method and these values, or names a value that is not there")]
    Absent(&'static str),
    /// The client certificate can not be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A line of `[sign]` can not be made.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The recipe that signs the call can not sign it.
    #[error(transparent)]
    Scheme(#[from] SchemeError),
    /// The definition's own text is at fault.
    #[error("the definition does not make a request: {0}")]
    Definition(&'static str),
    /// The finished host is none that the definition allows.
    #[error("the host does not end as the definition says it must")]
    Suffix,
    /// Simulators are off, and this payment service or its provider has no other place.
    #[error("simulators are off here")]
    NoSimulator,
    /// A provider that is only simulated has no host.
    #[error("the provider lives in the simulator only")]
    OnlySimulated,
    /// A replaced address is for tests; live credentials must not go there.
    #[error("the provider's address is replaced, which is refused for a payment service in live mode")]
    OverrideInLive,
}

// === impl RenderError ===

impl From<BodyError> for RenderError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Problems(problems) => Self::Body(problems),
            BodyError::Fill(error) => Self::Value(error),
            BodyError::Definition(what) => Self::Definition(what),
        }
    }
}

// === impl Places ===

impl Places {
    /// `overrides` replace scheme, host and path prefix of every call of a provider; `simulators` is the address under which each provider is played at its id.
    ///
    /// Keys of overrides are provider ids in any case, with underscores for dashes where that is all their source can write.
    pub fn new(overrides: impl IntoIterator<Item = (String, Url)>, simulators: Option<Url>) -> Self {
        Self { overrides: overrides.into_iter().map(|(id, url)| (override_key(&id), url)).collect(), simulators }
    }

    /// Where a call of a payment service goes: to the hosts of the call or those of its provider. What replaces them replaces all of them.
    pub fn base(&self, connector: &Connector, call: &Call, credentials: &Credentials) -> Result<Base, RenderError> {
        let provider = &connector.provider;
        let mode = credentials.mode();
        // The simulator comes first: whoever configured `mode = simulator` means the one in this server, wherever the provider has moved.
        if mode == Mode::Simulator {
            let simulators = self.simulators.as_ref().ok_or(RenderError::NoSimulator)?;
            return Ok(Base { url: format!("{}/{}", without_slash(simulators), provider.id), route: Route::Simulator });
        }
        if let Some(url) = self.overrides.get(&override_key(&provider.id)) {
            return match mode {
                Mode::Live => Err(RenderError::OverrideInLive),
                Mode::Sandbox | Mode::Simulator => Ok(Base { url: without_slash(url).to_owned(), route: Route::Override }),
            };
        }
        let hosts = call.hosts.as_ref().or(provider.hosts.as_ref()).ok_or(RenderError::OnlySimulated)?;
        let choice = match mode {
            Mode::Live => &hosts.live,
            Mode::Sandbox | Mode::Simulator => &hosts.sandbox,
        };
        let template = choice.pick(&connector.method().key, |key| credentials.get(key)).ok_or(RenderError::Absent("the table of hosts"))?;
        let values = Values::new(credentials, connector.method());
        let text = fill(template, Slot::Host, &values)?.ok_or(RenderError::Absent("the host"))?;
        let url = Url::parse(&text).map_err(|_| RenderError::Definition("its host is no URL"))?;
        check_plain(&url)?;
        let has_names = template.0.iter().any(|part| matches!(part, crate::model::Part::Name(_)));
        if has_names && !ends_in_one_of(url.host_str().unwrap_or_default(), &hosts.suffix) {
            return Err(RenderError::Suffix);
        }
        Ok(Base { url: without_slash(&url).to_owned(), route: Route::Guarded })
    }
}

/// The request of a call.
pub fn render(connector: &Connector, call: &Call, filled: &Filled<'_>, base: &Base) -> Result<OutgoingRequest, RenderError> {
    let values = values(connector, filled);
    let (method, url) = address(connector, call, &values, base)?;
    let mut signed = signed_by(connector, call, filled.credentials);
    let written = write(call, filled, &url, &values, &mut signed)?;
    let unsigned = values;
    let values = Values { signed: Some(&signed), ..values };

    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, AGENT);
    if let Some(written) = &written {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(written.content_type));
    }
    // A definition may know better: services with media types of their own name them in `headers`.
    let auth = connector.provider.auth_of(call).pick(&connector.method().key, |key| filled.credentials.get(key));
    add_auth(&mut headers, auth.ok_or(RenderError::Absent("the table of `auth`"))?, &values)?;
    add_headers(&mut headers, &call.headers, &values)?;
    if let Some(Idempotency { at: IdempotencyPlace::Header(name), .. }) = &call.idempotency {
        headers.insert(name.clone(), header_value(&filled.attempt.id.to_string())?);
    }
    if headers.values().map(HeaderValue::len).sum::<usize>() > HEADERS_BYTES_MAX {
        return Err(RenderError::Value(FillError::TooLong));
    }
    let body = written.map_or_else(Bytes::new, |Written { bytes, .. }| bytes);
    let mut request = OutgoingRequest { method, url, headers, body, identity: None };
    if let Some((scheme, signing)) = signing_of(connector, call, &unsigned, filled.now)? {
        if let Some(problem) = unsignable(connector, call, &request.body) {
            return Err(RenderError::Body(vec![problem]));
        }
        scheme.sign(&mut request, &signing)?;
    }
    Ok(request)
}

/// Whether the answer to a request is one that its payment service has given to it, as far as the recipe that signed it can say. `filled` is what the request was made of.
pub fn check_answer(
    connector: &Connector,
    call: &Call,
    filled: &Filled<'_>,
    request: &OutgoingRequest,
    answer: &Answer,
) -> Result<(), AnswerError> {
    match signing_of(connector, call, &values(connector, filled), filled.now) {
        Ok(Some((scheme, signing))) => scheme.check(request, answer, &signing),
        // The request was signed with the same values.
        Ok(None) | Err(_) => Ok(()),
    }
}

/// What is wrong with a finished body so that the recipe that signs the call can not sign it.
pub(crate) fn unsignable(connector: &Connector, call: &Call, body: &[u8]) -> Option<Problem> {
    let Sign::Scheme { name, .. } = connector.provider.sign_of(call)? else { return None };
    scheme::find(name)?.refusal(body).map(|refusal| Problem::body("", "value_error", refusal))
}

/// The recipe that signs a call, with its values; `None` where none does.
fn signing_of<'a>(
    connector: &'a Connector,
    call: &'a Call,
    values: &Values<'_>,
    now: Timestamp,
) -> Result<Option<(&'static dyn Scheme, Signing<'a>)>, RenderError> {
    let Some(Sign::Scheme { name, parameters }) = connector.provider.sign_of(call) else { return Ok(None) };
    let scheme = scheme::find(name).ok_or(RenderError::Definition("it is signed by a scheme that is not known"))?;
    let mut filled = Vec::new();
    for (parameter, template) in parameters {
        if let Some(value) = fill(template, Slot::Json, values)? {
            filled.push((parameter.as_str(), value));
        }
    }
    Ok(Some((scheme, Signing::new(filled, now))))
}

/// The lines of `[sign]` that the request of a call uses, as far as they may be shown: each line with its name, in the order of the file. Empty where the call is not signed by lines.
pub fn signed_lines(connector: &Connector, call: &Call, filled: &Filled<'_>, base: &Base) -> Result<Vec<(String, SignShown)>, RenderError> {
    let values = values(connector, filled);
    let (_, url) = address(connector, call, &values, base)?;
    let mut signed = signed_by(connector, call, filled.credentials);
    write(call, filled, &url, &values, &mut signed)?;
    Ok(signed.shown())
}

/// The lines that one request of a call uses; none of them is made yet.
pub(crate) fn signed_by<'a>(connector: &'a Connector, call: &'a Call, credentials: &Credentials) -> Signed<'a> {
    // Asked first: most services sign nothing, and picking the templates of a call costs a list.
    let Some(sign) = connector.provider.sign_of(call) else { return Signed::of(None, &[]) };
    let templates = connector.provider.picked_templates(call, connector.method(), |key| credentials.get(key));
    Signed::of(Some(sign), &templates)
}

/// The body, and with it every line that is used: those that may become members of it before, those over its bytes after.
fn write(
    call: &Call,
    filled: &Filled<'_>,
    url: &Url,
    values: &Values<'_>,
    signed: &mut Signed<'_>,
) -> Result<Option<Written>, RenderError> {
    if let Some(written) = filled.written {
        return Ok(Some(written.clone()));
    }
    let edits = Edits::of(call, signed.members());
    let edited = edits.edit(filled.body, values)?;
    let members = edited.clone();
    let host = authority(url);
    let mut sent = Sent {
        now: filled.now,
        host: &host,
        path: &url[Position::BeforePath..Position::AfterQuery],
        members: members.as_ref(),
        body: None,
    };
    signed.make(values, &sent)?;
    let written = edited.map(|edited| edits.finish(edited, &Values { signed: Some(signed), ..*values })).transpose()?;
    sent.body = Some(written.as_ref().map(|written| written.bytes.as_ref()).unwrap_or_default());
    signed.make(values, &sent)?;
    Ok(written)
}

// === address ===

/// What is called, and how.
fn address(connector: &Connector, call: &Call, values: &Values<'_>, base: &Base) -> Result<(Method, Url), RenderError> {
    let line =
        call.request.pick(&connector.method().key, |key| values.credentials.get(key)).ok_or(RenderError::Absent("the request line"))?;
    let path = fill(&line.path, Slot::Path, values)?.ok_or(RenderError::Absent("the path"))?;
    Ok((line.method.clone(), join(base, &path)?))
}

/// The host as it stands in the header Host.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn values<'a>(connector: &'a Connector, filled: &Filled<'a>) -> Values<'a> {
    Values {
        token: filled.token,
        first: filled.first,
        attempt: Some(filled.attempt.id),
        ..Values::new(filled.credentials, connector.method())
    }
}

fn override_key(id: &str) -> String {
    id.to_ascii_lowercase().replace('-', "_")
}

fn without_slash(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// Path and base were filled with values that can not leave their place; this says so once more about the finished address, since credentials go there.
fn join(base: &Base, path: &str) -> Result<Url, RenderError> {
    let invalid = |_| RenderError::Definition("its address is no URL");
    let prefix = Url::parse(&base.url).map_err(invalid)?;
    let text = format!("{}{path}", base.url);
    let url = Url::parse(&text).map_err(invalid)?;
    check_plain(&url)?;
    let stays = url.origin() == prefix.origin() && prefix.query().is_none();
    // A parser that finds a step up takes segments away.
    let slashes = |text: &str| text.bytes().filter(|b| *b == b'/').count();
    let expected = path.split('?').next().map(slashes).unwrap_or_default() + slashes(prefix.path().trim_end_matches('/'));
    if stays && path.starts_with('/') && slashes(url.path()) == expected {
        Ok(url)
    } else {
        Err(RenderError::Definition("its address leaves the base"))
    }
}

fn check_plain(url: &Url) -> Result<(), RenderError> {
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none() && url.has_host();
    if is_plain { Ok(()) } else { Err(RenderError::Definition("its address holds user information or a fragment")) }
}

/// Whether a host is one of the suffixes or ends in one. A suffix that begins with a letter or digit is a whole label; one that begins with a dash or a dot says itself where the values end.
fn ends_in_one_of(host: &str, suffixes: &[String]) -> bool {
    let host = host.trim_end_matches('.');
    suffixes.iter().map(|suffix| suffix.to_ascii_lowercase()).any(|suffix| {
        let Some(front) = host.strip_suffix(&suffix) else { return false };
        match suffix.bytes().next() {
            None => false,
            Some(b'-' | b'.') => !front.is_empty() && !front.ends_with('.'),
            Some(_) => front.is_empty() || front.ends_with('.'),
        }
    })
}

// === headers ===

/// Without a value for `basic` or `bearer` the request could only be refused, so it is not made.
fn add_auth(headers: &mut HeaderMap, auth: &Auth, values: &Values<'_>) -> Result<(), RenderError> {
    let there = |template: &Template, slot| fill(template, slot, values)?.ok_or(RenderError::Absent("`auth`"));
    if let Some((user, password)) = &auth.basic {
        let encoded = STANDARD.encode(format!("{}:{}", there(user, Slot::BasicUser)?, there(password, Slot::Header)?));
        headers.insert(AUTHORIZATION, header_value(&format!("Basic {encoded}"))?);
    }
    if let Some(bearer) = &auth.bearer {
        headers.insert(AUTHORIZATION, header_value(&format!("Bearer {}", there(bearer, Slot::Header)?))?);
    }
    add_headers(headers, &auth.headers, values)
}

fn add_headers(headers: &mut HeaderMap, lines: &[(HeaderName, Template)], values: &Values<'_>) -> Result<(), RenderError> {
    for (name, template) in lines {
        if let Some(text) = fill(template, Slot::Header, values)? {
            headers.insert(name.clone(), header_value(&text)?);
        }
    }
    Ok(())
}

/// Every header but our own constants may hold a credential, so none of them is ever printed or indexed by HTTP/2.
fn header_value(text: &str) -> Result<HeaderValue, RenderError> {
    let mut value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| RenderError::Value(FillError::Control))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod shipped_tests;
#[cfg(test)]
mod signed_tests;
#[cfg(test)]
mod tests;
