//! Statements: declared once, listed for the tests, run on either engine.

use std::time::Duration;

use domain::page::{Direction, PageRequest, Position};
use uuid::Uuid;

use crate::StoreError;

/// One SQL text for both engines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement {
    /// Module and name, for error messages.
    pub(crate) name: &'static str,
    /// The text, with `$1` and up.
    pub(crate) text: &'static str,
}

/// A list that is sorted newest first, read forwards or backwards from a position. Its texts share the parameters: `$1` and `$2` are the position, `$3` is the number of rows, filters follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewestFirst {
    pub(crate) next: Statement,
    pub(crate) previous: Statement,
}

/// Where a list that is sorted by time and UUID is read from.
pub(crate) struct Window<I> {
    pub(crate) statement: Statement,
    pub(crate) created_at: i64,
    pub(crate) id: I,
    pub(crate) rows: i64,
}

/// Longest time that one statement may take, waiting for locks included. Far above anything that works, below the patience of whoever waits.
const STATEMENT_TIME_MAX: Duration = Duration::from_secs(30);

/// Declares the statements of a module, and lists them in `ALL` for the test that prepares each one on both engines.
///
/// The lists under `[newest_first]` end in a `WHERE` clause; the position, the order and the limit are appended.
macro_rules! statements {
    ($($name:ident = $text:expr;)* $([newest_first] { $($list:ident = $head:expr;)* })?) => {
        $(const $name: $crate::statement::Statement =
            $crate::statement::Statement { name: concat!(module_path!(), "::", stringify!($name)), text: $text };)*
        $($(const $list: $crate::statement::NewestFirst = $crate::statement::NewestFirst {
            next: $crate::statement::Statement {
                name: concat!(module_path!(), "::", stringify!($list)),
                text: concat!($head, " AND (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3"),
            },
            previous: $crate::statement::Statement {
                name: concat!(module_path!(), "::", stringify!($list), " backwards"),
                text: concat!($head, " AND (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3"),
            },
        };)*)?

        #[cfg(test)]
        pub(crate) const ALL: &[$crate::statement::Statement] = &[$($name,)* $($($list.next, $list.previous,)*)?];
    };
}

/// Runs a statement in a transaction: `run!(tx, all Row, LIST, a, b)`, `optional Row`, `one Row`, or `execute` for the number of rows. Arrays of values go behind a semicolon: `run!(tx, all Row, LIST, a, b; several, more)`.
///
/// This is the one place where the code forks on the engine to run SQL: the two drivers share no type that could be named instead.
macro_rules! run {
    ($tx:expr, execute, $statement:expr $(, $value:expr)* $(,)?) => {{
        let tx: &mut $crate::Tx = $tx;
        let statement: $crate::statement::Statement = $statement;
        let outcome = match tx.connection() {
            $crate::tx::Connection::Sqlite(connection) =>
                $crate::statement::limited(async { Ok(sqlx::query(statement.text)$(.bind($value))*.execute(connection).await?.rows_affected()) }).await,
            $crate::tx::Connection::Postgres(connection) =>
                $crate::statement::limited(async { Ok(sqlx::query(statement.text)$(.bind($value))*.execute(connection).await?.rows_affected()) }).await,
        };
        tx.noted(statement, outcome)
    }};
    ($tx:expr, all $row:ty, $statement:expr $(, $value:expr)* $(; $($several:expr),*)? $(,)?) => { run!(@fetch fetch_all, $tx, $row, $statement $(, $value)* ; $($($several),*)?) };
    ($tx:expr, optional $row:ty, $statement:expr $(, $value:expr)* $(,)?) => { run!(@fetch fetch_optional, $tx, $row, $statement $(, $value)* ;) };
    ($tx:expr, one $row:ty, $statement:expr $(, $value:expr)* $(,)?) => { run!(@fetch fetch_one, $tx, $row, $statement $(, $value)* ;) };
    (@fetch $fetch:ident, $tx:expr, $row:ty, $statement:expr $(, $value:expr)* ; $($several:expr),*) => {{
        let tx: &mut $crate::Tx = $tx;
        let statement: $crate::statement::Statement = $statement;
        let outcome = match tx.connection() {
            $crate::tx::Connection::Sqlite(connection) => {
                let query = sqlx::query_as::<_, $row>(statement.text)$(.bind($value))*;
                $(let query = $several.into_iter().fold(query, |query, value| query.bind(value));)*
                $crate::statement::limited(query.$fetch(connection)).await
            }
            $crate::tx::Connection::Postgres(connection) => {
                let query = sqlx::query_as::<_, $row>(statement.text)$(.bind($value))*;
                $(let query = $several.into_iter().fold(query, |query, value| query.bind(value));)*
                $crate::statement::limited(query.$fetch(connection)).await
            }
        };
        tx.noted(statement, outcome)
    }};
}

/// Gives up on a statement that takes too long.
pub(crate) async fn limited<T>(statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    within(STATEMENT_TIME_MAX, statement).await
}

/// Gives up on database work that takes longer than a limit; the error is one of input and output, as for a connection that is gone.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer within the time limit"))),
    }
}

// === impl NewestFirst ===

impl NewestFirst {
    /// Where to read a list whose ids are UUIDs.
    pub(crate) fn window(self, request: &PageRequest) -> Result<Window<Uuid>, StoreError> {
        let (created_at, id) = match request.cursor.as_ref().map(|cursor| &cursor.position) {
            None => (i64::MAX, Uuid::max()),
            Some(Position::Moment(micros, id)) => (*micros, *id),
            Some(Position::NamedMoment(..) | Position::Text(_)) => return Err(StoreError::ForeignCursor),
        };
        Ok(Window { statement: self.towards(request), created_at, id, rows: rows(request) })
    }

    /// Where to read a list whose ids are text.
    pub(crate) fn named_window(self, request: &PageRequest) -> Result<Window<&str>, StoreError> {
        let (created_at, id) = match request.cursor.as_ref().map(|cursor| &cursor.position) {
            // No row is as young as the end of time, so the id does not matter.
            None => (i64::MAX, ""),
            Some(Position::NamedMoment(micros, id)) => (*micros, id.as_str()),
            Some(Position::Moment(..) | Position::Text(_)) => return Err(StoreError::ForeignCursor),
        };
        Ok(Window { statement: self.towards(request), created_at, id, rows: rows(request) })
    }

    fn towards(self, request: &PageRequest) -> Statement {
        match request.cursor.as_ref().map(|cursor| cursor.direction) {
            None | Some(Direction::Next) => self.next,
            Some(Direction::Previous) => self.previous,
        }
    }
}

/// One row more than asked for: it says whether there is a further page.
fn rows(request: &PageRequest) -> i64 {
    i64::from(request.limit) + 1
}
