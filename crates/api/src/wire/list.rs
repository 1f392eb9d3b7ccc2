//! Pages of lists.

use domain::Scope;
use domain::page::{Cursor, Page, PageRequest};
use serde::Serialize;

/// `{"items":[…],"limit":20,"next_cursor":null,"previous_cursor":null}`.
#[derive(Serialize)]
pub(crate) struct WireList<T> {
    items: Vec<T>,
    limit: u32,
    next_cursor: Option<String>,
    previous_cursor: Option<String>,
}

impl<T> WireList<T> {
    /// The wire form of a page of the instance's.
    pub(crate) fn of<S>(page: Page<S>, request: &PageRequest, item: impl FnMut(S) -> T) -> Self {
        Self::with(page, request, Cursor::encode, item)
    }

    /// The wire form of a page of a merchant account's, whose cursors lead nowhere else.
    pub(crate) fn in_account<S>(scope: &Scope, page: Page<S>, request: &PageRequest, item: impl FnMut(S) -> T) -> Self {
        Self::with(page, request, |cursor| cursor.encode_for(scope), item)
    }

    fn with<S>(page: Page<S>, request: &PageRequest, encode: impl Fn(&Cursor) -> String, item: impl FnMut(S) -> T) -> Self {
        Self {
            limit: request.limit,
            next_cursor: page.next.as_ref().map(&encode),
            previous_cursor: page.previous.as_ref().map(&encode),
            items: page.items.into_iter().map(item).collect(),
        }
    }
}
