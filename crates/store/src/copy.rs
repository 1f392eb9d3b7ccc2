//! Copying everything from one database to another, whichever engines they are: the one list of tables and columns, and the way of the rows.
//!
//! Rows go in the order of their primary keys, a limited number at a time, so that the size of a table costs time and no memory. Both sides are transactions: what is read is one state, and what is written is whole or not there.

use std::sync::LazyLock;

use sqlx::Row as _;
use uuid::Uuid;

use crate::statement::{Statement, limited};
use crate::tx::Connection;
use crate::{StoreError, Tx};

/// Numbers of rows in one statement, largest first, so that each is prepared once. The largest is also how many rows are in memory, twice: those being written and those being read. With the widest table it stays below the 32,766 values that SQLite takes.
const SIZES: [usize; 3] = [128, 16, 1];

/// How a column is handed to the drivers; the engines store booleans and UUIDs each in their own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Boolean,
    Text,
    Uuid,
    Bytes,
}

/// One value, or the null of its kind: PostgreSQL wants to know the kind of a null as well.
#[derive(Clone, Debug)]
enum Cell {
    Integer(Option<i64>),
    Boolean(Option<bool>),
    Text(Option<String>),
    Uuid(Option<Uuid>),
    Bytes(Option<Vec<u8>>),
}

/// A table and its columns, in the order of the schema.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) key: &'static [&'static str],
    pub(crate) columns: &'static [(&'static str, Kind)],
}

/// The statements of a table. Made once and kept for the life of the process, since the driver wants static text.
struct Statements {
    table: &'static Table,
    first: Statement,
    next: Statement,
    any: Statement,
    clear: Statement,
    inserts: [Statement; SIZES.len()],
}

/// How many rows of a table were copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
}

macro_rules! tables {
    ($($table:ident ($($key:ident),+) = $($column:ident $kind:ident),+;)*) => {
        &[$(Table {
            name: stringify!($table),
            key: &[$(stringify!($key)),+],
            columns: &[$((stringify!($column), Kind::$kind)),+],
        }),*]
    };
}

/// Every table with its primary key, those that others point at first. A test compares the list with the schema of both engines.
pub(crate) const TABLES: &[Table] = tables! {
    instance (id) =
        id Integer, version Integer, audit_sequence Integer, audit_chained Integer, audit_head Bytes, installation_id Uuid;
    write_probe (id) = id Integer, tries Integer;
    merchant_accounts (id) =
        id Text, display_name Text, account_updater_enabled Boolean, account_updater_request_encryption_key Text,
        account_updater_request_encryption_key_id Text, account_updater_response_decryption_key_id Text, over_capture_amount Integer,
        over_capture_percentage Integer, loon_client_key Text, loon_accepted_schemes Text, loon_merchant_account_id Text,
        visa_network_tokens_requestor_id Text, visa_network_tokens_app_id Text, amex_network_tokens_requestor_id Text,
        amex_network_tokens_app_id Text, mastercard_network_tokens_requestor_id Text, mastercard_network_tokens_app_id Text,
        discover_network_tokens_requestor_id Text, discover_network_tokens_app_id Text, async_network_tokens_enabled Boolean,
        created_at Integer, updated_at Integer;
    data_keys (merchant_account_id, version) =
        merchant_account_id Text, version Integer, root_key_id Text, wrapped Bytes, created_at Integer;
    merchant_account_secrets (merchant_account_id, secret_key) =
        merchant_account_id Text, secret_key Text, data_key_version Integer, sealed Bytes;
    payment_services (id) =
        id Uuid, merchant_account_id Text, definition_id Text, method Text, display_name Text, position Integer, active Boolean,
        accepted_currencies Text, accepted_countries Text, three_d_secure_enabled Boolean, merchant_profile Text,
        payment_method_tokenization_enabled Boolean, network_tokens_enabled Boolean, open_loop Boolean,
        settlement_reporting_enabled Boolean, is_deleted Boolean, created_at Integer, updated_at Integer;
    payment_service_fields (payment_service_id, field_set, field_key) =
        payment_service_id Uuid, merchant_account_id Text, field_set Text, field_key Text, secret Boolean, data_key_version Integer,
        sealed Bytes;
    roles (id) = id Uuid, name Text, slug Text, description Text, permissions Text, created_at Integer;
    api_key_pairs (id) =
        id Uuid, display_name Text, thumbprint Text, thumbprint_unpadded Text, public_key Bytes, active Boolean, role_ids Text,
        creator_id Uuid, creator_name Text, creator_thumbprint Text, created_at Integer, updated_at Integer, last_used_at Integer;
    api_key_pair_merchant_accounts (api_key_pair_id, merchant_account_id) = api_key_pair_id Uuid, merchant_account_id Text;
    audit_log (sequence) =
        sequence Integer, id Uuid, merchant_account_id Text, action Text, resource_type Text, resource_id Text, resource_name Text,
        actor_id Uuid, actor_name Text, request_id Text, origin Text, created_at Integer, details Text, hash Bytes;
    session_records (id) =
        id Uuid, merchant_account_id Text, request_id Text, payment_service_id Uuid, definition_id Text, definition_hash Text,
        api_key_pair_id Uuid, status Text, code Text, status_code Integer, delivered Text, amount Integer, currency Text, country Text,
        reference Text, service_session_id Text, support_id Text, service_code Text, duration_ms Integer, service_duration_ms Integer,
        created_at Integer;
    idempotency_keys (merchant_account_id, operation, path, idempotency_key) =
        merchant_account_id Text, operation Text, path Text, idempotency_key Text, fingerprint Bytes, attempt_id Uuid, state Text,
        execution_id Uuid, lease_until Integer, payment_service_id Uuid, definition_id Text, definition_hash Text, api_key_pair_id Uuid,
        request_id Text, started_at Integer, recognised_until Integer, data_key_version Integer, sealed Bytes, created_at Integer,
        expires_at Integer;
};

/// The tables in which a migration leaves a row: a database in which only these have rows is a new one. A test holds it against a new one.
pub(crate) const FILLED_BY_MIGRATIONS: &[&str] = &["instance", "write_probe"];

static STATEMENTS: LazyLock<Vec<Statements>> = LazyLock::new(|| TABLES.iter().map(Statements::of).collect());

/// Reads values of a row by their kinds, and hands values to a query: the two drivers share no type that a function could take.
macro_rules! cells {
    ($row:expr, $columns:expr) => {{
        let row = $row;
        let cell = |(place, (_, kind)): (usize, &(&str, Kind))| {
            Ok::<Cell, sqlx::Error>(match kind {
                Kind::Integer => Cell::Integer(row.try_get(place)?),
                Kind::Boolean => Cell::Boolean(row.try_get(place)?),
                Kind::Text => Cell::Text(row.try_get(place)?),
                Kind::Uuid => Cell::Uuid(row.try_get(place)?),
                Kind::Bytes => Cell::Bytes(row.try_get(place)?),
            })
        };
        $columns.iter().enumerate().map(cell).collect::<Result<Vec<Cell>, sqlx::Error>>()
    }};
}

macro_rules! bind {
    ($query:expr, $cells:expr) => {
        $cells.fold($query, |query, cell| match cell {
            Cell::Integer(value) => query.bind(value),
            Cell::Boolean(value) => query.bind(value),
            Cell::Text(value) => query.bind(value.as_deref()),
            Cell::Uuid(value) => query.bind(value),
            Cell::Bytes(value) => query.bind(value.as_deref()),
        })
    };
}

/// Copies every row of every table. What the migrations have left in the destination goes away first; anything else there is a conflict.
pub(crate) async fn everything(from: &mut Tx, to: &mut Tx) -> Result<Vec<Copied>, StoreError> {
    for statements in STATEMENTS.iter().rev().filter(|statements| statements.is_filled_by_migrations()) {
        statements.execute(to, statements.clear, &[]).await?;
    }
    let mut copied = Vec::with_capacity(TABLES.len());
    for statements in STATEMENTS.iter() {
        copied.push(Copied { table: statements.table.name, rows: statements.copy(from, to).await? });
    }
    Ok(copied)
}

/// The tables that have rows, but for those that a migration leaves one in.
pub(crate) async fn occupied(tx: &mut Tx) -> Result<Vec<&'static str>, StoreError> {
    let mut occupied = Vec::new();
    for statements in STATEMENTS.iter().filter(|statements| !statements.is_filled_by_migrations()) {
        let rows: Option<(i64,)> = run!(tx, optional(i64,), statements.any)?;
        if rows.is_some() {
            occupied.push(statements.table.name);
        }
    }
    Ok(occupied)
}

/// The statements, for the test that prepares each one.
#[cfg(test)]
pub(crate) fn statements() -> Vec<Statement> {
    STATEMENTS.iter().flat_map(|table| [table.first, table.next, table.any, table.clear].into_iter().chain(table.inserts)).collect()
}

// === impl Statements ===

impl Statements {
    fn of(table: &'static Table) -> Self {
        let Table { name, key, columns } = table;
        let columns = columns.iter().map(|(column, _)| *column).collect::<Vec<_>>().join(", ");
        let key_columns = key.join(", ");
        let after = (0..key.len()).map(|number| format!("${}", number + 2)).collect::<Vec<_>>().join(", ");
        let statement = |text: String| Statement { name: name_of(name), text: text.leak() };
        Self {
            table,
            first: statement(format!("SELECT {columns} FROM {name} ORDER BY {key_columns} LIMIT $1")),
            next: statement(format!("SELECT {columns} FROM {name} WHERE ({key_columns}) > ({after}) ORDER BY {key_columns} LIMIT $1")),
            any: statement(format!("SELECT CAST(1 AS BIGINT) FROM {name} LIMIT 1")),
            clear: statement(format!("DELETE FROM {name}")),
            inserts: SIZES
                .map(|rows| statement(format!("INSERT INTO {name} ({columns}) VALUES {}", placeholders(rows, table.columns.len())))),
        }
    }

    fn is_filled_by_migrations(&self) -> bool {
        FILLED_BY_MIGRATIONS.contains(&self.table.name)
    }

    /// The next rows are read while those before are written.
    async fn copy(&self, from: &mut Tx, to: &mut Tx) -> Result<u64, StoreError> {
        let mut copied = 0;
        let mut rows = self.read(from, None).await?;
        while let Some(last) = rows.last() {
            let key = self.key_of(last);
            let (next, written) = tokio::join!(self.read(from, Some(&key)), self.write(to, &rows));
            copied += written?;
            rows = next?;
        }
        Ok(copied)
    }

    /// The first rows, or those after a key.
    async fn read(&self, tx: &mut Tx, after: Option<&[Cell]>) -> Result<Vec<Vec<Cell>>, StoreError> {
        let statement = if after.is_some() { self.next } else { self.first };
        let after = after.unwrap_or_default();
        let rows = i64::try_from(SIZES[0]).unwrap_or(i64::MAX);
        let columns = self.table.columns;
        // Only here and in `execute`: `run!` wants to know the types of a row when it is compiled.
        let outcome = match tx.connection() {
            Connection::Sqlite(connection) => {
                let query = bind!(sqlx::query(statement.text).bind(rows), after.iter());
                limited(async { query.fetch_all(connection).await?.iter().map(|row| cells!(row, columns)).collect() }).await
            }
            Connection::Postgres(connection) => {
                let query = bind!(sqlx::query(statement.text).bind(rows), after.iter());
                limited(async { query.fetch_all(connection).await?.iter().map(|row| cells!(row, columns)).collect() }).await
            }
        };
        tx.noted(statement, outcome)
    }

    async fn write(&self, tx: &mut Tx, rows: &[Vec<Cell>]) -> Result<u64, StoreError> {
        let mut written = 0;
        let mut rest = rows;
        for (size, statement) in SIZES.iter().zip(self.inserts) {
            while let Some((group, others)) = rest.split_at_checked(*size) {
                written += self.execute(tx, statement, group).await?;
                rest = others;
            }
        }
        Ok(written)
    }

    async fn execute(&self, tx: &mut Tx, statement: Statement, rows: &[Vec<Cell>]) -> Result<u64, StoreError> {
        // As in `read`.
        let outcome = match tx.connection() {
            Connection::Sqlite(connection) => {
                let query = bind!(sqlx::query(statement.text), rows.iter().flatten());
                limited(async { Ok(query.execute(connection).await?.rows_affected()) }).await
            }
            Connection::Postgres(connection) => {
                let query = bind!(sqlx::query(statement.text), rows.iter().flatten());
                limited(async { Ok(query.execute(connection).await?.rows_affected()) }).await
            }
        };
        tx.noted(statement, outcome)
    }

    fn key_of(&self, row: &[Cell]) -> Vec<Cell> {
        let place = |key: &&str| self.table.columns.iter().position(|(column, _)| column == key);
        self.table.key.iter().filter_map(|key| row.get(place(key)?).cloned()).collect()
    }
}

/// What a failed statement is called in a message.
fn name_of(table: &str) -> &'static str {
    format!("copy {table}").leak()
}

/// `($1, $2), ($3, $4)`.
fn placeholders(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let values: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", values.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}
