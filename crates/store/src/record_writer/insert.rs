//! The hot statement: inserts of several rows, with a few fixed numbers of rows so that each is prepared once.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::LazyLock;

use domain::session::{SessionCode, SessionRecord};
use domain::{CountryCode, CurrencyCode};
use sqlx::{PgConnection, SqliteConnection};

use crate::session_records::columns;
use crate::statement::Statement;
use crate::{StoreError, Tx};

/// The fixed numbers of rows, largest first. A group of one of these sizes is one statement, and needs no transaction around it; most groups of a busy server have a dozen rows. Thirty-two is for what comes together beyond that.
const SIZES: [usize; 17] = [32, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1];

/// Values per row.
const COLUMNS: usize = 21;

/// One statement per size.
type Inserts = [Statement; SIZES.len()];

/// Their parameters have numbers, which either engine reads.
static INSERTS: LazyLock<Inserts> = LazyLock::new(|| inserts_with(|place, text| write!(text, "${place}")));

/// The same with parameters that have no names: SQLite's driver asks for the name of each, which is a search among all of them.
static INSERTS_FOR_SQLITE: LazyLock<Inserts> = LazyLock::new(|| inserts_with(|_, text| write!(text, "?")));

fn inserts_with(parameter: fn(usize, &mut String) -> std::fmt::Result) -> Inserts {
    SIZES.map(|rows| Statement { name: "record_writer::INSERT", text: text(rows, parameter).leak() })
}

/// The insert of a number of rows. Made once per size and kept for the life of the process, since the driver wants static text.
fn text(rows: usize, parameter: fn(usize, &mut String) -> std::fmt::Result) -> String {
    let mut text = String::from(concat!("INSERT INTO session_records (", columns!(), ") VALUES "));
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=COLUMNS {
            text.push_str(if column == 1 { "" } else { ", " });
            parameter(row * COLUMNS + column, &mut text).expect("writing to a string can not fail");
        }
        text.push(')');
    }
    text
}

/// The statements, for the test that prepares each one.
#[cfg(test)]
pub(crate) fn inserts() -> &'static [Statement] {
    &*INSERTS
}

/// Those that only SQLite reads.
#[cfg(test)]
pub(crate) fn inserts_for_sqlite() -> &'static [Statement] {
    &*INSERTS_FOR_SQLITE
}

/// The fixed numbers of rows.
#[cfg(test)]
pub(crate) fn sizes() -> &'static [usize] {
    &SIZES
}

/// Whether these rows go in one statement, which needs no transaction around it.
pub(super) fn is_one_statement(records: &[SessionRecord]) -> bool {
    SIZES.contains(&records.len())
}

/// Hands the values of a record, in the order of the columns, to another macro, behind what that is to get before them.
macro_rules! with_values {
    ($r:expr, $macro:ident, $($before:tt)*) => {
        $macro!(
            $($before)*,
            $r.id.0,
            $r.merchant_account_id.as_str(),
            storable(&$r.request_id),
            $r.payment_service_id.0,
            $r.definition_id.as_str(),
            $r.definition_hash.as_str(),
            $r.api_key_pair_id.0,
            $r.status.as_str(),
            $r.code.map(SessionCode::as_str),
            $r.status_code.map(i64::from),
            $r.delivered.as_str(),
            $r.facts.amount,
            $r.facts.currency.as_ref().map(CurrencyCode::as_str),
            $r.facts.country.as_ref().map(CountryCode::as_str),
            $r.facts.reference.as_deref().map(storable),
            $r.facts.service_session_id.as_deref().map(storable),
            $r.facts.support_id.as_deref().map(storable),
            $r.facts.service_code.as_deref().map(storable),
            $r.duration_ms,
            $r.service_duration_ms,
            $r.created_at.micros(),
        )
    };
}

macro_rules! bind {
    ($query:expr $(, $value:expr)* $(,)?) => { $query$(.bind($value))* };
}

/// Runs the statements for some rows on one of the two drivers, which share no type that a function could take.
macro_rules! insert {
    ($connection:expr, $inserts:expr, $records:expr) => {{
        let mut rest: &[SessionRecord] = $records;
        for (rows, statement) in SIZES.iter().zip($inserts.iter()) {
            while let Some((group, others)) = rest.split_at_checked(*rows) {
                let mut query = sqlx::query(statement.text);
                for r in group {
                    query = with_values!(r, bind, query);
                }
                query.execute(&mut *$connection).await?;
                rest = others;
            }
        }
        Ok(())
    }};
}

/// Writes one record in a transaction that writes other things too.
pub(crate) async fn one(tx: &mut Tx, record: &SessionRecord) -> Result<(), StoreError> {
    let [.., of_one_row] = *INSERTS;
    with_values!(record, run, tx, execute, of_one_row).map(|_| ())
}

pub(super) async fn sqlite(connection: &mut SqliteConnection, records: &[SessionRecord]) -> Result<(), sqlx::Error> {
    insert!(connection, INSERTS_FOR_SQLITE, records)
}

pub(super) async fn postgres(connection: &mut PgConnection, records: &[SessionRecord]) -> Result<(), sqlx::Error> {
    insert!(connection, INSERTS, records)
}

/// PostgreSQL's text holds no NUL, and JSON may. A payment that was made must be recorded, so the character goes, on both engines.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { Cow::Borrowed(text) }
}
