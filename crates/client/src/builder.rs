//! How a client is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect;
use url::Url;

use crate::auth::{KeyError, SigningKey, Tokens};
use crate::client::{Client, Inner};

/// Scopes of a client that names none: everything its key may do.
const ALL_SCOPES: [&str; 2] = ["*.read", "*.write"];
/// How long a token is good for. One is signed for each request, so it need only outlast the way and a clock that is a little off.
const TOKEN_LIFETIME: Duration = Duration::from_secs(60);
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call may take: a payment service may be given 30 s, and its answer still has to travel.
const CALL_TIMEOUT: Duration = Duration::from_secs(40);
/// How often a read is tried again.
const RETRIES: u32 = 3;
/// The wait before the first retry; each next one is twice as long.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Which of an instance's two environments is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Test payment services.
    Sandbox,
    /// Real money.
    Production,
}

/// Collects what a [`Client`] needs: where the server is and how to sign in, then options.
#[derive(Clone)]
#[must_use]
pub struct ClientBuilder {
    server: Option<String>,
    access: Option<Access>,
    scopes: Vec<String>,
    token_lifetime: Duration,
    merchant_account: Option<String>,
    timeout: Duration,
    retries: u32,
    retry_delay: Duration,
    http: Option<reqwest::Client>,
}

#[derive(Clone)]
enum Access {
    Pem(String),
    Key(SigningKey),
    Token(String),
}

/// Why a client could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Neither a URL nor an instance was named.
    #[error("no server: name a URL or an instance")]
    NoServer,
    /// The server's URL can not be used.
    #[error("`{url}` is no server URL: {reason}")]
    InvalidUrl {
        /// The URL as given, without a password in it.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither a key nor a token was given.
    #[error("no credentials: give a private key or a token")]
    NoCredentials,
    /// The private key can not be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The merchant account's id can not be sent in a header.
    #[error("`{0}` can not be a merchant account id")]
    InvalidMerchantAccount(String),
    /// The HTTP client could not be set up, for instance without readable trust roots.
    #[error("the HTTP client could not be set up")]
    Http(#[source] reqwest::Error),
}

// === impl ClientBuilder ===

impl ClientBuilder {
    pub(crate) fn new() -> Self {
        Self {
            server: None,
            access: None,
            scopes: ALL_SCOPES.iter().map(|&scope| scope.to_owned()).collect(),
            token_lifetime: TOKEN_LIFETIME,
            merchant_account: None,
            timeout: CALL_TIMEOUT,
            retries: RETRIES,
            retry_delay: RETRY_DELAY,
            http: None,
        }
    }

    /// The server's base URL. A path is kept as prefix of every route.
    pub fn server_url(mut self, url: impl Into<String>) -> Self {
        self.server = Some(url.into());
        self
    }

    /// A hosted Gr4vy instance.
    pub fn instance(mut self, id: &str, environment: Environment) -> Self {
        self.server = Some(match environment {
            Environment::Sandbox => format!("https://api.sandbox.{id}.gr4vy.app"),
            Environment::Production => format!("https://api.{id}.gr4vy.app"),
        });
        self
    }

    /// The private key of an API key pair, as PKCS#8 PEM: a token is signed for each request.
    pub fn private_key(mut self, pem: impl Into<String>) -> Self {
        self.access = Some(Access::Pem(pem.into()));
        self
    }

    /// A key that was read before.
    pub fn signing_key(mut self, key: SigningKey) -> Self {
        self.access = Some(Access::Key(key));
        self
    }

    /// A token that somebody else signed, sent as it is.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.access = Some(Access::Token(token.into()));
        self
    }

    /// The scopes of signed tokens; all that the key has unless named.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// How long signed tokens are good for.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// The merchant account of operations that take one.
    pub fn merchant_account(mut self, id: impl Into<String>) -> Self {
        self.merchant_account = Some(id.into());
        self
    }

    /// How long one call may take in all; 40 s unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a read is tried again after a 5xx or a lost connection, and the wait before the first time. Writes are never sent twice.
    pub fn retries(mut self, retries: u32, first_delay: Duration) -> Self {
        self.retries = retries;
        self.retry_delay = first_delay;
        self
    }

    /// An HTTP client of your own, for proxies or extra trust roots. It should follow no redirects and resend nothing.
    pub fn http_client(mut self, http: reqwest::Client) -> Self {
        self.http = Some(http);
        self
    }

    /// Checks everything and builds the client. Nothing is sent yet.
    pub fn build(self) -> Result<Client, BuildError> {
        let base = server_url(&self.server.ok_or(BuildError::NoServer)?)?;
        let sign = |key| Tokens::Signed { key, scopes: self.scopes.into(), lifetime: self.token_lifetime };
        let tokens = match self.access.ok_or(BuildError::NoCredentials)? {
            Access::Pem(pem) => sign(SigningKey::from_pem(&pem)?),
            Access::Key(key) => sign(key),
            Access::Token(token) => Tokens::Fixed(token.into()),
        };
        if let Some(account) = &self.merchant_account {
            check_account(account)?;
        }
        let http = match self.http {
            Some(http) => http,
            None => reqwest::Client::builder()
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .connect_timeout(CONNECT_TIMEOUT)
                .user_agent(concat!("tollhouse-client/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(BuildError::Http)?,
        };
        let inner = Inner { http, base, tokens, timeout: self.timeout, retries: self.retries, retry_delay: self.retry_delay };
        Ok(Client { inner: Arc::new(inner), merchant_account: self.merchant_account.map(Into::into) })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("server", &self.server)
            .field("merchant_account", &self.merchant_account)
            .finish_non_exhaustive()
    }
}

fn server_url(text: &str) -> Result<Url, BuildError> {
    let invalid = |url: &str, reason: &str| BuildError::InvalidUrl { url: url.to_owned(), reason: reason.to_owned() };
    let url = Url::parse(text).map_err(|error| invalid(text, &error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(invalid(text, "it must begin with http:// or https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(url.host_str().unwrap_or_default(), "it must not hold a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid(text, "it must not hold a query or fragment"));
    }
    Ok(url)
}

pub(crate) fn check_account(account: &str) -> Result<(), BuildError> {
    let fits = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits { Ok(()) } else { Err(BuildError::InvalidMerchantAccount(account.to_owned())) }
}
