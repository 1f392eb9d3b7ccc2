//! What is wrong with a backup file, seen without any key: everything that can be said, not the first thing.

use std::path::Path;

use domain::Timestamp;
use sqlx::{Connection as _, SqliteConnection};

use super::{FORMAT_VERSION, Info, count};
use crate::copy::TABLES;
use crate::database::SqliteFile;
use crate::{OpenError, schema};

/// Most complaints of SQLite that are repeated: a file with more of them needs no longer list.
const INTEGRITY: &str = "PRAGMA integrity_check(20)";
const FOREIGN_KEYS: &str =
    "SELECT \"table\", parent, COUNT(*) FROM pragma_foreign_key_check GROUP BY \"table\", parent ORDER BY \"table\", parent";
const INFO: &str = "SELECT format_version, tollhouse_version, schema_version, engine, created_at, root_key_ids FROM backup_info";
const COUNTS: &str = "SELECT name, \"rows\" FROM backup_tables ORDER BY name";
const SCHEMA: &str = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name <> '_sqlx_migrations' ORDER BY name";
/// The entries are numbered from 1 without gaps, and the installation knows the last number.
const AUDIT_LOG: &str = "SELECT COUNT(*), COALESCE(MIN(sequence), 1), COALESCE(MAX(sequence), 0), \
                         (SELECT audit_sequence FROM instance WHERE id = 1) FROM audit_log";
const RECORDS_WITHOUT_SERVICE: &str = "SELECT COUNT(*) FROM session_records r WHERE NOT EXISTS \
    (SELECT 1 FROM payment_services s WHERE s.id = r.payment_service_id AND s.merchant_account_id = r.merchant_account_id)";

/// What a file was found to be.
#[derive(Clone, Debug, Default)]
pub struct Examination {
    /// What it says about itself, if that can be read.
    pub info: Option<Info>,
    /// Everything that is wrong, one sentence each.
    pub problems: Vec<String>,
    /// Whether its content can be read once a copy has been migrated.
    pub is_older: bool,
}

type InfoRow = (i64, String, i64, String, i64, String);

/// Looks at a file without changing anything in or beside it.
pub async fn examine(path: &Path) -> Examination {
    let mut found = Examination::default();
    let file = SqliteFile::finished(path);
    match file.reader().await {
        Ok(mut connection) => found.look(&mut connection).await,
        Err(error) => found.problem(format!("it can not be opened: {error}")),
    }
    file.close().await;
    found
}

// === impl Examination ===

impl Examination {
    async fn look(&mut self, connection: &mut SqliteConnection) {
        match sqlx::query_scalar::<_, String>(INTEGRITY).fetch_all(&mut *connection).await {
            Ok(lines) => lines.into_iter().filter(|line| line != "ok").for_each(|line| self.problem(format!("it is damaged: {line}"))),
            Err(error) => self.unreadable(&error),
        }
        self.info = match sqlx::query_as::<_, InfoRow>(INFO).fetch_one(&mut *connection).await {
            Ok(row) => self.read_info(row),
            Err(error) => {
                self.problem(format!("it does not say what it is, so it is no backup or a damaged one: {error}"));
                None
            }
        };
        if let Err(error) = self.look_at_schema(connection).await {
            self.unreadable(&error);
        }
        match sqlx::query_as::<_, (String, String, i64)>(FOREIGN_KEYS).fetch_all(&mut *connection).await {
            Ok(rows) => rows.into_iter().for_each(|(table, parent, rows)| {
                self.problem(format!("{table}: {rows} rows point at rows of {parent} that are not there"))
            }),
            Err(error) => self.unreadable(&error),
        }
        if self.info.is_some()
            && let Err(error) = self.look_at_counts(connection).await
        {
            self.unreadable(&error);
        }
    }

    fn read_info(
        &mut self,
        (format_version, tollhouse_version, schema_version, engine, created_at, root_key_ids): InfoRow,
    ) -> Option<Info> {
        if format_version > FORMAT_VERSION {
            self.problem(format!("its form has version {format_version}, this binary knows {FORMAT_VERSION}: use Tollhouse {tollhouse_version} or a newer one"));
        }
        let Ok(root_key_ids) = serde_json::from_str(&root_key_ids) else {
            self.problem("table backup_info, column root_key_ids: the stored value can not be read".to_owned());
            return None;
        };
        let created_at = Timestamp::from_micros(created_at);
        Some(Info { format_version, tollhouse_version, schema_version, engine, created_at, root_key_ids, tables: Vec::new() })
    }

    /// The tables must be those that our migrations make: what else would the rows in them mean?
    async fn look_at_schema(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        match schema::check_sqlite(&mut *connection).await {
            Ok(()) => {}
            Err(OpenError::OlderSchema { database, .. }) if database > 0 => self.is_older = true,
            Err(error @ OpenError::NewerSchema { .. }) => {
                self.problem(error.to_string());
                return Ok(());
            }
            Err(error) => {
                self.problem(format!("its schema can not be told: {error}"));
                return Ok(());
            }
        }
        for version in schema::changed_migrations(connection).await? {
            self.problem(OpenError::ChangedMigration { version }.to_string());
        }
        let version = self.info.as_ref().map_or_else(schema::newest_version, |info| info.schema_version);
        let mut pristine = SqliteConnection::connect("sqlite::memory:").await?;
        if let Err(error) = schema::migrate_sqlite_to(version, &mut pristine).await {
            self.problem(error.to_string());
        }
        let there: Vec<(String, String)> = sqlx::query_as(SCHEMA).fetch_all(connection).await?;
        let ours: Vec<(String, String)> = sqlx::query_as(SCHEMA).fetch_all(&mut pristine).await?;
        for (name, sql) in ours {
            if !there.iter().any(|(table, text)| *table == name && *text == sql) {
                self.problem(format!("{name} is missing or is not what schema version {version} makes it"));
            }
        }
        pristine.close().await
    }

    async fn look_at_counts(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let is_older = self.is_older;
        let promised: Vec<(String, i64)> = sqlx::query_as(COUNTS).fetch_all(&mut *connection).await?;
        let untold = TABLES.iter().filter(|table| !promised.iter().any(|(name, _)| name == table.name));
        // An older schema has fewer tables.
        for table in untold.filter(|_| !is_older) {
            self.problem(format!("it does not say how many rows {} has", table.name));
        }
        for (name, rows) in &promised {
            // A name that is not one of ours never becomes part of a statement.
            let Some(table) = TABLES.iter().find(|table| table.name == name) else {
                self.problem(format!("it says that it holds a table {name}, which this version does not know"));
                continue;
            };
            match count(connection, table.name).await {
                Ok(found) if found == *rows => {}
                Ok(found) => self.problem(format!("{name} has {found} rows and had {rows} when the backup was made")),
                Err(error) => self.unreadable(&error),
            }
        }
        if let Some(info) = &mut self.info {
            info.tables = promised;
        }
        Ok(())
    }

    fn unreadable(&mut self, error: &sqlx::Error) {
        self.problem(format!("it can not be read: {error}"));
    }

    /// One kind of damage is met again and again; it is told once.
    fn problem(&mut self, problem: String) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// Where rows contradict one another, the foreign keys aside.
pub(super) async fn contradictions(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let mut found = Vec::new();
    let (entries, first, last, known): (i64, i64, i64, Option<i64>) = sqlx::query_as(AUDIT_LOG).fetch_one(&mut *connection).await?;
    if first != 1 || last != entries || known != Some(entries) {
        let known = known.map_or_else(|| "nothing".to_owned(), |known| known.to_string());
        found.push(format!("the audit log has {entries} entries numbered from {first} to {last}, and the installation counts {known}"));
    }
    let lost: i64 = sqlx::query_scalar(RECORDS_WITHOUT_SERVICE).fetch_one(&mut *connection).await?;
    if lost > 0 {
        found.push(format!("session_records: {lost} rows belong to payment services that are not there"));
    }
    Ok(found)
}
