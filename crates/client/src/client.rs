//! The client: one place where calls are sent, and the resources that hang off it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::de::DeserializeOwned;
use url::Url;

use crate::auth::Tokens;
use crate::builder::{BuildError, ClientBuilder, check_account};
use crate::error::{ApiError, Error};
use crate::request::{AccountHeader, Answer, Request};
use crate::{ApiKeyPairs, AuditLogs, MerchantAccounts, PaymentServiceDefinitions, PaymentServiceSessions, PaymentServices, Roles};

/// The longest answer that is read. The largest sensible one is a page of 100 payment services; a session's is at most a little over 1 MiB.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest wait between two tries of a read, whatever the server asks for.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(5);

/// A client of one server. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
    pub(crate) merchant_account: Option<Arc<str>>,
}

pub(crate) struct Inner {
    pub(crate) http: reqwest::Client,
    pub(crate) base: Url,
    pub(crate) tokens: Tokens,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) retry_delay: Duration,
}

// === impl Client ===

impl Client {
    /// Begins to set up a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// The same client for another merchant account.
    pub fn for_merchant_account(&self, id: &str) -> Result<Self, BuildError> {
        check_account(id)?;
        Ok(Self { inner: Arc::clone(&self.inner), merchant_account: Some(id.into()) })
    }

    /// The catalogue of payment services, and sessions by definition.
    pub fn payment_service_definitions(&self) -> PaymentServiceDefinitions<'_> {
        PaymentServiceDefinitions { client: self }
    }

    /// The configured payment services, and sessions by service.
    pub fn payment_services(&self) -> PaymentServices<'_> {
        PaymentServices { client: self }
    }

    /// The records of past sessions. Tollhouse only: hosted Gr4vy has no such route.
    pub fn payment_service_sessions(&self) -> PaymentServiceSessions<'_> {
        PaymentServiceSessions { client: self }
    }

    /// The merchant accounts.
    pub fn merchant_accounts(&self) -> MerchantAccounts<'_> {
        MerchantAccounts { client: self }
    }

    /// The API key pairs.
    pub fn api_key_pairs(&self) -> ApiKeyPairs<'_> {
        ApiKeyPairs { client: self }
    }

    /// The roles that key pairs can have.
    pub fn roles(&self) -> Roles<'_> {
        Roles { client: self }
    }

    /// Who changed what.
    pub fn audit_logs(&self) -> AuditLogs<'_> {
        AuditLogs { client: self }
    }

    /// Sends any request of the API. A GET is tried again after a 5xx or a lost connection; everything else is sent once.
    pub async fn send(&self, request: &Request) -> Result<Answer, Error> {
        let url = self.url(request)?;
        let mut left = if request.method == Method::GET { self.inner.retries } else { 0 };
        let mut delay = self.inner.retry_delay;
        loop {
            let wait = match self.attempt(request, &url).await {
                Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer),
                Ok(answer) if answer.status >= 500 && left > 0 => retry_after(&answer).unwrap_or(delay),
                Ok(answer) => return Err(refusal(&url, &answer)),
                Err(error) if left > 0 && is_lost_connection(&error) => delay,
                Err(error) => return Err(error),
            };
            left = left.saturating_sub(1);
            delay = delay.saturating_mul(2);
            tokio::time::sleep(wait.min(RETRY_DELAY_MAX)).await;
        }
    }

    /// Sends a request and reads its answer as a type.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, request: Request) -> Result<T, Error> {
        self.send(&request).await?.json()
    }

    fn url(&self, request: &Request) -> Result<Url, Error> {
        let mut url = self.inner.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            for segment in &request.segments {
                // The URL type drops dots on its own, and the call would go to the route above.
                if segment.is_empty() || segment == "." || segment == ".." {
                    return Err(Error::InvalidId(segment.clone()));
                }
                path.push(segment);
            }
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        Ok(url)
    }

    async fn attempt(&self, request: &Request, url: &Url) -> Result<Answer, Error> {
        let transport = |source: reqwest::Error| Error::Transport { url: url.to_string(), source: source.without_url() };
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {}", self.inner.tokens.next()?)).map_err(|_| Error::InvalidHeader("authorization"))?;
        authorization.set_sensitive(true);
        let mut call = self
            .inner
            .http
            .request(request.method.clone(), url.clone())
            .timeout(self.inner.timeout)
            .header(AUTHORIZATION, authorization)
            .header(reqwest::header::ACCEPT, "application/json");
        let account = match &request.account {
            AccountHeader::Undeclared => None,
            AccountHeader::OfClient => self.merchant_account.as_deref(),
            AccountHeader::Named(account) => Some(account.as_str()),
        };
        if let Some(account) = account {
            let account = HeaderValue::from_str(account).map_err(|_| Error::InvalidHeader("x-gr4vy-merchant-account-id"))?;
            call = call.header("x-gr4vy-merchant-account-id", account);
        }
        if let Some(key) = &request.idempotency_key {
            let key = HeaderValue::from_str(key).map_err(|_| Error::InvalidHeader("idempotency-key"))?;
            call = call.header("idempotency-key", key);
        }
        if let Some(body) = &request.body {
            call = call.header(CONTENT_TYPE, "application/json").body(body.0.clone());
        }
        let mut response = call.send().await.map_err(transport)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
                return Err(Error::TooLong { url: url.to_string(), limit: ANSWER_BYTES_MAX });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.inner.base.as_str())
            .field("merchant_account", &self.merchant_account)
            .finish_non_exhaustive()
    }
}

fn refusal(url: &Url, answer: &Answer) -> Error {
    let request_id = answer.header("x-request-id").map(ToOwned::to_owned);
    match ApiError::read(answer.status, &answer.body, request_id) {
        Some(error) => Error::Api(Box::new(error)),
        None => Error::NotTheApi { url: url.to_string(), status: answer.status },
    }
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    answer.header(RETRY_AFTER.as_str())?.trim().parse().ok().map(Duration::from_secs)
}

/// A time limit that ran out is not tried again: the caller has waited long enough.
fn is_lost_connection(error: &Error) -> bool {
    match error {
        Error::Transport { source, .. } => source.is_connect() || !(source.is_timeout() || source.is_builder()),
        _ => false,
    }
}
