//! Roles. Every instance has the built-in ones; there is no operation that makes another.

use domain::page::{Page, PageRequest};
use domain::role::Role;

use crate::{Engine, Refusal};

/// A page of roles.
pub async fn list(engine: &Engine, page: &PageRequest) -> Result<Page<Role>, Refusal> {
    let mut tx = engine.database.read().await?;
    Ok(store::roles::list(&mut tx, page).await?)
}
