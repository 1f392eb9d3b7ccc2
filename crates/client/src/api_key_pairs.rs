//! API key pairs: who may call the API.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::client::Client;
use crate::error::Error;
use crate::merchant_accounts::MerchantAccountSummary;
use crate::page::{Page, PageRequest, Pages};
use crate::request::Request;
use crate::roles::Role;
use crate::sensitive::Sensitive;
use crate::words::open_words;

/// Operations on API key pairs.
#[derive(Clone, Copy, Debug)]
pub struct ApiKeyPairs<'a> {
    pub(crate) client: &'a Client,
}

open_words! {
    /// The kind of a key.
    CertificateAlgorithm {
        /// P-521, for ES512.
        Ecdsa = "ECDSA",
        /// RSA, for RS512.
        Rsa = "RSA",
    }
}

/// An API key pair.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ApiKeyPair {
    /// The id.
    pub id: Uuid,
    /// The RFC 7638 thumbprint, which tokens carry as `kid`.
    pub thumbprint: String,
    /// Its name for people.
    pub display_name: String,
    /// The kind of key.
    pub algorithm: CertificateAlgorithm,
    /// Whether its tokens are accepted.
    pub active: bool,
    /// The private key, in the answer to the creation of a generated pair and never again.
    #[serde(default)]
    pub private_key: Option<Sensitive>,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// When it was last changed, RFC 3339.
    pub updated_at: String,
    /// When a token of it was last seen, RFC 3339; may lag.
    #[serde(default)]
    pub last_used_at: Option<String>,
    /// Who created it.
    #[serde(default)]
    pub creator: Option<Creator>,
    /// The merchant accounts it can reach; none means all.
    #[serde(default)]
    pub merchant_accounts: Vec<MerchantAccountSummary>,
    /// What it may do.
    #[serde(default)]
    pub roles: Vec<Role>,
}

/// Who created a key pair.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Creator {
    /// The id of a user or key pair.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// A user's address.
    #[serde(default)]
    pub email_address: Option<String>,
    /// A key pair's thumbprint.
    #[serde(default)]
    pub thumbprint: Option<String>,
}

/// A new API key pair. Without `public_key` the server makes the keys and returns the private one once.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ApiKeyPairCreate {
    /// Its name for people.
    pub display_name: String,
    /// What it may do: no more than the caller.
    pub role_ids: Vec<Uuid>,
    /// The merchant accounts it can reach; none means all.
    pub merchant_account_ids: Vec<String>,
    /// The kind of key; ECDSA unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<CertificateAlgorithm>,
    /// Whether its tokens are accepted; true unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// A public key of the caller's own, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

/// Changes of an API key pair. What is left out stays as it is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ApiKeyPairUpdate {
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether its tokens are accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// What it may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_ids: Option<Vec<Uuid>>,
    /// The merchant accounts it can reach; none means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant_account_ids: Option<Vec<String>>,
}

const ROUTE: &str = "api-key-pairs";

// === impl ApiKeyPairs ===

impl<'a> ApiKeyPairs<'a> {
    /// One page of the key pairs, newest first.
    pub async fn list(&self, page: &PageRequest) -> Result<Page<ApiKeyPair>, Error> {
        self.client.fetch(page.apply(Request::new(Method::GET, [ROUTE]))).await
    }

    /// The key pairs, page by page.
    pub fn pages(&self, first: PageRequest) -> Pages<'a, ApiKeyPair> {
        Pages::new(self.client, Request::new(Method::GET, [ROUTE]), first)
    }

    /// Creates a key pair.
    pub async fn create(&self, pair: &ApiKeyPairCreate) -> Result<ApiKeyPair, Error> {
        self.client.fetch(Request::new(Method::POST, [ROUTE]).json(pair)?).await
    }

    /// One key pair.
    pub async fn get(&self, id: Uuid) -> Result<ApiKeyPair, Error> {
        self.client.fetch(of_pair(Method::GET, id)).await
    }

    /// Changes a key pair.
    pub async fn update(&self, id: Uuid, changes: &ApiKeyPairUpdate) -> Result<ApiKeyPair, Error> {
        self.client.fetch(of_pair(Method::PUT, id).json(changes)?).await
    }

    /// Deletes a key pair; its tokens are refused from then on.
    pub async fn delete(&self, id: Uuid) -> Result<(), Error> {
        self.client.send(&of_pair(Method::DELETE, id)).await.map(drop)
    }
}

fn of_pair(method: Method, id: Uuid) -> Request {
    Request::new(method, [ROUTE, &id.to_string()])
}
