//! The database: one SQL text, two engines (SQLite and PostgreSQL).
//!
//! A [`Database`] hands out transactions, `read()` or `write()`, and the functions of the modules below work on them. Each statement is declared once, in a `statements!` block, and runs on both engines.
//!
//! **Writing.** On SQLite there is one connection that writes; on PostgreSQL a write transaction begins by locking the row of the installation. So on both engines changes of configuration follow one another, and what a write transaction reads is current until it ends. Session records take another way: they are many, and go through the [`RecordWriter`], which commits them in groups. Idempotency keys take a third, `write_alongside()`: their rows belong to one request each, so they need not wait for one another.
//!
//! **Tenancy.** Functions on the tables of a merchant account take a [`domain::Scope`]; there is no way to read another account's rows by forgetting a condition.
//!
//! **Durability.** What `commit` or [`RecordWriter::write`] acknowledged survives the loss of power: SQLite runs in WAL mode with `synchronous=FULL`, PostgreSQL with `synchronous_commit`, and a weaker setting is refused unless whoever opens the database accepts it ([`WeakDurability`]).

#[macro_use]
mod statement;

pub mod api_key_pairs;
pub mod audit_log;
pub mod backup;
mod copy;
pub mod data_keys;
mod database;
mod durability;
mod error;
mod health;
pub mod idempotency_keys;
pub mod merchant_accounts;
pub mod payment_services;
mod record_writer;
pub mod roles;
mod row;
mod schema;
pub mod scratch;
pub mod session_records;
pub mod snapshot;
mod tx;

#[cfg(test)]
mod tests;

pub use backup::BackupError;
pub use database::{Database, Engine};
pub use durability::{DurabilitySetting, WeakDurability};
pub use error::{OpenError, StoreError};
pub use record_writer::{BATCH_ROWS_MAX, QUEUE_ROWS_MAX, RecordWriter};
pub use tx::Tx;
