//! Callers of the API: raw JSON in, raw JSON out.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "test equipment fails by panicking")]

use reqwest::Method;
use serde_json::Value;

use crate::server::Server;

/// Somebody who calls the API. Each call signs a token of its own, as the SDKs do.
pub struct Caller<'s> {
    server: &'s Server,
    scopes: Option<Vec<String>>,
    token: Option<String>,
    headers: Vec<(String, String)>,
    client: reqwest::Client,
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body as it came.
    pub text: String,
    /// What was asked, for messages.
    pub asked: String,
}

impl<'s> Caller<'s> {
    pub(crate) fn new(server: &'s Server, scopes: &[&str]) -> Self {
        Self { scopes: Some(scopes.iter().map(|scope| (*scope).to_owned()).collect()), ..Self::anonymous(server) }
    }

    pub(crate) fn anonymous(server: &'s Server) -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { server, scopes: None, token: None, headers: Vec::new(), client }
    }

    /// The same caller for another merchant account.
    #[must_use]
    pub fn for_account(self, id: &str) -> Self {
        self.header("x-gr4vy-merchant-account-id", id)
    }

    /// The same caller with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same caller with this very token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None).await
    }

    /// `POST` with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, Some(body.to_string())).await
    }

    /// `PUT` with JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::PUT, path, Some(body.to_string())).await
    }

    /// `POST` with exactly this text.
    pub async fn post_text(&self, path: &str, body: impl Into<String>) -> Reply {
        self.send(Method::POST, path, Some(body.into())).await
    }

    /// Any call. A body goes with `content-type: application/json` unless the caller has another.
    pub async fn send(&self, method: Method, path: &str, body: Option<String>) -> Reply {
        let asked = format!("{method} {path} {}", body.as_deref().unwrap_or_default());
        let verb = method.to_string();
        let mut request = self.client.request(method, format!("{}{path}", self.server.base));
        let token = self.token.clone().or_else(|| {
            let scopes: Vec<&str> = self.scopes.as_ref()?.iter().map(String::as_str).collect();
            Some(self.server.key.token(&scopes))
        });
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let typed = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if let Some(body) = body {
            request = request.body(body);
            if !typed {
                request = request.header("content-type", "application/json");
            }
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let reply = Reply { status, headers, text: response.text().await.expect("the answer is text"), asked };
        reply.check_manners();
        if let Some(conformance) = self.server.plan.conformance {
            conformance
                .check(&verb, path, reply.status, &reply.text)
                .unwrap_or_else(|problem| panic!("{}: {problem}: {}", reply.asked, reply.text));
        }
        reply
    }
}

impl Reply {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{}: {error} in {}", self.asked, self.text))
    }

    /// The body as JSON, after making sure of the status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The `details` of an error object as `pointer type` lines, after making sure of status and code.
    #[track_caller]
    pub fn problems(&self, status: u16, code: &str) -> Vec<String> {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{}: {}", self.asked, self.text);
        let details = body["details"].as_array().expect("details is a list");
        details.iter().map(|detail| format!("{} {}", detail["pointer"].as_str().unwrap(), detail["type"].as_str().unwrap())).collect()
    }

    /// One header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What holds for every answer of the API, whatever was asked.
    #[track_caller]
    fn check_manners(&self) {
        assert!(self.header("x-request-id").is_some(), "{}: no x-request-id", self.asked);
        if self.status == 204 {
            assert!(self.text.is_empty(), "{}: 204 with a body", self.asked);
            return;
        }
        assert_eq!(self.header("content-type"), Some("application/json"), "{}", self.asked);
        let body = self.json();
        if self.status >= 400 {
            assert_eq!(body["type"], "error", "{}: {}", self.asked, self.text);
            assert_eq!(body["status"], self.status, "{}: {}", self.asked, self.text);
            assert!(body["message"].is_string() && body["code"].is_string(), "{}: {}", self.asked, self.text);
            for detail in body["details"].as_array().expect("details is a list") {
                for member in ["location", "pointer", "message", "type"] {
                    assert!(detail[member].is_string(), "{}: {member} of {detail}", self.asked);
                }
            }
        }
    }
}
