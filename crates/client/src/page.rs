//! Lists, page by page.

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::error::Error;
use crate::request::Request;

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// `next_cursor` or `previous_cursor` of another page.
    pub cursor: Option<String>,
    /// How many items, 1 to 100; 20 unless set.
    pub limit: Option<u32>,
}

/// One page of a list.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// How many items a page has at most.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Leads to the next page; absent on the last one.
    #[serde(default)]
    pub next_cursor: Option<String>,
    /// Leads to the page before.
    #[serde(default)]
    pub previous_cursor: Option<String>,
}

/// All pages of a list, read one at a time.
#[derive(Debug)]
#[must_use = "a list is read by asking for its pages"]
pub struct Pages<'a, T> {
    client: &'a Client,
    request: Request,
    next: Next,
    items: PhantomData<fn() -> T>,
}

#[derive(Debug)]
enum Next {
    /// The page that the caller asked for.
    First(PageRequest),
    /// The page behind this cursor.
    Cursor { cursor: String, limit: Option<u32> },
    /// No further page.
    End,
}

// === impl PageRequest ===

impl PageRequest {
    pub(crate) fn apply(&self, request: Request) -> Request {
        request.query("cursor", self.cursor.as_ref()).query("limit", self.limit)
    }
}

// === impl Pages ===

impl<'a, T: DeserializeOwned> Pages<'a, T> {
    pub(crate) fn new(client: &'a Client, request: Request, first: PageRequest) -> Self {
        Self { client, request, next: Next::First(first), items: PhantomData }
    }

    /// The next page; `None` after the last one.
    pub async fn next_page(&mut self) -> Result<Option<Page<T>>, Error> {
        let wanted = match &self.next {
            Next::First(first) => first.clone(),
            Next::Cursor { cursor, limit } => PageRequest { cursor: Some(cursor.clone()), limit: *limit },
            Next::End => return Ok(None),
        };
        let page: Page<T> = self.client.fetch(wanted.apply(self.request.clone())).await?;
        // A blank cursor ends the list, as it does for the other official clients.
        self.next = match page.next_cursor.as_deref().map(str::trim).filter(|cursor| !cursor.is_empty()) {
            Some(cursor) if wanted.cursor.as_deref() == Some(cursor) => return Err(Error::RepeatedCursor(cursor.to_owned())),
            Some(cursor) => Next::Cursor { cursor: cursor.to_owned(), limit: wanted.limit },
            None => Next::End,
        };
        Ok(Some(page))
    }

    /// Every item of every page.
    pub async fn all(mut self) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        while let Some(page) = self.next_page().await? {
            items.extend(page.items);
        }
        Ok(items)
    }
}
