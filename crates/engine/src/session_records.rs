//! The records that sessions leave.

use domain::page::{Page, PageRequest};
use domain::session::SessionRecord;
use domain::{Scope, SessionRecordId};

use crate::{Engine, Refusal};

pub use store::session_records::{AnyOf, FILTER_VALUES_MAX, Filter};

/// One record.
pub async fn get(engine: &Engine, scope: &Scope, id: SessionRecordId) -> Result<SessionRecord, Refusal> {
    let mut tx = engine.database.read().await?;
    store::session_records::get(&mut tx, scope, id).await?.ok_or(Refusal::NotFound)
}

/// A page of records, newest first.
pub async fn list(engine: &Engine, scope: &Scope, page: &PageRequest, filter: &Filter) -> Result<Page<SessionRecord>, Refusal> {
    let mut tx = engine.database.read().await?;
    Ok(store::session_records::list(&mut tx, scope, page, filter).await?)
}
