//! Roles: sets of scopes that key pairs can have.

use reqwest::Method;
use serde::Deserialize;
use uuid::Uuid;

use crate::client::Client;
use crate::error::Error;
use crate::page::{Page, PageRequest, Pages};
use crate::request::Request;

/// Operations on roles.
#[derive(Clone, Copy, Debug)]
pub struct Roles<'a> {
    pub(crate) client: &'a Client,
}

/// A role.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Role {
    /// The id.
    pub id: Uuid,
    /// Its name for people.
    pub name: String,
    /// Its name for programs.
    #[serde(default)]
    pub slug: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// What it allows.
    pub permissions: PermissionSet,
    /// Who can have it: `user`, `api-key-pair`.
    #[serde(default)]
    pub assignable_to: Vec<String>,
    /// What it applies to.
    #[serde(default)]
    pub applies_to: Vec<String>,
    /// Whether it can be somebody's only role.
    #[serde(default)]
    pub is_standalone_assignable: bool,
}

/// What a role allows.
#[derive(Clone, Debug, Default, Deserialize)]
#[non_exhaustive]
pub struct PermissionSet {
    /// Scopes such as `transactions.write` or `*.read`.
    #[serde(default)]
    pub allow: Vec<String>,
}

const ROUTE: &str = "roles";

impl<'a> Roles<'a> {
    /// One page of the roles.
    pub async fn list(&self, page: &PageRequest) -> Result<Page<Role>, Error> {
        self.client.fetch(page.apply(Request::new(Method::GET, [ROUTE]))).await
    }

    /// The roles, page by page.
    pub fn pages(&self, first: PageRequest) -> Pages<'a, Role> {
        Pages::new(self.client, Request::new(Method::GET, [ROUTE]), first)
    }
}
