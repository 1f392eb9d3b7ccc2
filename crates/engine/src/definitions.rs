//! The catalogue of payment service definitions, page by page.

use std::sync::Arc;

use connectors::catalogue::Connector;
use domain::Problem;
use domain::page::{Direction, Page, PageRequest, Position};

use crate::{Engine, Refusal};

/// A definition and what calls it.
pub fn get(engine: &Engine, id: &str) -> Result<Arc<Connector>, Refusal> {
    engine.connector(id).ok_or(Refusal::NotFound)
}

/// A page of definitions, by id.
pub fn list(engine: &Engine, page: &PageRequest) -> Result<Page<Arc<Connector>>, Refusal> {
    let catalogue = engine.catalogue();
    let wanted = usize::try_from(page.limit).unwrap_or(usize::MAX).saturating_add(1);
    let all: Vec<&Arc<Connector>> = catalogue.iter().collect();
    let id = |connector: &Connector| connector.definition.id.to_string();
    let rows: Vec<Arc<Connector>> = match page.cursor.as_ref().map(|cursor| (cursor.direction, &cursor.position)) {
        Some((Direction::Next, Position::Text(after))) => {
            all.into_iter().filter(|connector| id(connector) > *after).take(wanted).cloned().collect()
        }
        Some((Direction::Previous, Position::Text(before))) => {
            all.into_iter().rev().filter(|connector| id(connector) < *before).take(wanted).cloned().collect()
        }
        Some((_, Position::Moment(..) | Position::NamedMoment(..))) => return Err(Refusal::invalid(foreign_cursor())),
        None => all.into_iter().take(wanted).cloned().collect(),
    };
    Ok(Page::from_rows(page, rows, |connector| Position::Text(id(connector))))
}

/// A cursor that was made by another list.
pub(crate) fn foreign_cursor() -> Problem {
    Problem::query("cursor", "value_error", "the cursor belongs to another list")
}
