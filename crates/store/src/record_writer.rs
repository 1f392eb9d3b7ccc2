//! The way of session records into the database: a task of its own that commits them in groups.
//!
//! A durable commit costs a wait for the disk, whatever it holds. So records queue while a commit is under way, and the next commit takes all of them. Each [`RecordWriter::write`] resolves when its own record is durable.

mod insert;

use std::sync::Arc;
use std::time::Instant;

use domain::session::SessionRecord;
use sqlx::PgConnection;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::StoreError;
use crate::database::{PostgresPool, Source, SqliteFile, Store};
use crate::health::Health;
use crate::statement::within;

pub(crate) use insert::one;
#[cfg(test)]
pub(crate) use insert::{inserts, inserts_for_sqlite, sizes};

/// Most records that wait to be written. Each belongs to a session in flight, so more would mean that the disk has stood still for seconds.
pub const QUEUE_ROWS_MAX: usize = 4096;

/// Most records in one commit, so that the first of them does not wait for a long transaction.
pub const BATCH_ROWS_MAX: usize = 256;

/// Rows that are worth a commit: as many as one statement of SQLite's takes.
const ROWS_ENOUGH: usize = 16;

/// How often all tasks that are ready go before a commit. Each round is as long as the line for the processor.
const ROUNDS_MAX: usize = 3;

/// Hands session records to the task that writes them. Cheap to clone.
#[derive(Clone)]
pub struct RecordWriter {
    queue: mpsc::Sender<Message>,
    health: Health,
    patience: std::time::Duration,
}

enum Message {
    Write(Box<SessionRecord>, oneshot::Sender<Result<(), StoreError>>),
    /// Take what is queued and end.
    Close,
}

/// The task's side.
struct Task {
    queue: mpsc::Receiver<Message>,
    source: Arc<Source>,
    /// On PostgreSQL, the connection of this task; empty until it is needed and after a failure.
    connection: Option<PgConnection>,
}

pub(crate) fn start(source: Arc<Source>, tasks: &mut JoinSet<()>) -> RecordWriter {
    let (sender, receiver) = mpsc::channel(QUEUE_ROWS_MAX);
    let writer = RecordWriter { queue: sender, health: source.health.clone(), patience: source.patience.connection };
    tasks.spawn(Task { queue: receiver, source, connection: None }.run());
    writer
}

// === impl RecordWriter ===

impl RecordWriter {
    /// Resolves when the record is durable, or has failed to become so. A record whose write was given up may exist all the same.
    pub async fn write(&self, record: SessionRecord) -> Result<(), StoreError> {
        let (answer, outcome) = oneshot::channel();
        match self.queue.try_send(Message::Write(Box::new(record), answer)) {
            Ok(()) => {}
            Err(TrySendError::Full(message)) => match tokio::time::timeout(self.patience, self.queue.send(message)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(self.closed()),
                Err(_) => return Err(StoreError::unavailable("write a session record", "too many records are waiting")),
            },
            Err(TrySendError::Closed(_)) => return Err(self.closed()),
        }
        outcome.await.unwrap_or_else(|_| Err(self.closed()))
    }

    pub(crate) async fn close(&self) {
        // An error means that the task has ended already, which is what we want.
        if self.queue.send(Message::Close).await.is_err() {
            tracing::debug!("the record writer had ended before it was closed");
        }
    }

    /// The task is gone, so nothing will be written any more; readiness must say so.
    fn closed(&self) -> StoreError {
        let error = StoreError::unavailable("write a session record", "the database is closed");
        self.health.fails(&error);
        error
    }
}

// === impl Task ===

impl Task {
    async fn run(mut self) {
        let mut messages = Vec::with_capacity(BATCH_ROWS_MAX);
        loop {
            let received = tokio::select! {
                received = self.queue.recv_many(&mut messages, BATCH_ROWS_MAX) => received,
                () = probe_is_due(&self.source) => {
                    // The outcome is kept and logged by `Health`.
                    if self.source.probe().await.is_err() {
                        tracing::debug!("the database still can not be written");
                    }
                    continue;
                }
            };
            if received == 0 {
                break;
            }
            self.gather(&mut messages).await;
            self.take(&mut messages).await;
        }
        if let Some(connection) = self.connection.take() {
            let closed = within(self.source.patience.connection, sqlx::Connection::close(connection)).await;
            if let Err(error) = closed {
                tracing::debug!(%error, "the record writer's connection was not closed in order");
            }
        }
    }

    /// Lets every task that is ready go first, and takes what those have brought; again while they bring something, for a few rounds. On an idle server that is no time at all. On a busy one it is what makes groups, since a commit costs more than a row, and sessions that wait for a core would come one by one.
    async fn gather(&mut self, messages: &mut Vec<Message>) {
        for _ in 0..ROUNDS_MAX {
            let known = messages.len();
            tokio::task::yield_now().await;
            while messages.len() < BATCH_ROWS_MAX
                && let Ok(message) = self.queue.try_recv()
            {
                messages.push(message);
            }
            if messages.len() == known || messages.len() >= ROWS_ENOUGH {
                return;
            }
        }
    }

    async fn take(&mut self, messages: &mut Vec<Message>) {
        let mut records = Vec::with_capacity(messages.len());
        let mut answers = Vec::with_capacity(messages.len());
        for message in messages.drain(..) {
            match message {
                Message::Write(record, answer) => {
                    records.push(*record);
                    answers.push(answer);
                }
                Message::Close => self.queue.close(),
            }
        }
        if records.is_empty() {
            return;
        }
        let outcome = self.write(&records).await;
        if records.len() > 1 && matches!(outcome, Err(StoreError::Refused { .. })) {
            // One record that the database does not take must not cost the others theirs.
            for (record, answer) in records.iter().zip(answers) {
                let outcome = self.write(std::slice::from_ref(record)).await;
                reply(answer, outcome);
            }
        } else {
            for answer in answers {
                reply(answer, outcome.clone());
            }
        }
    }

    /// Writes and commits some records: all of them or none.
    async fn write(&mut self, records: &[SessionRecord]) -> Result<(), StoreError> {
        let begun = Instant::now();
        let Self { source, connection, .. } = self;
        let work = async {
            // On SQLite the one connection that writes is shared with everyone else; on PostgreSQL this task has its own.
            match &source.store {
                Store::Sqlite(file) => write_sqlite(file, records).await,
                Store::Postgres(pool) => write_postgres(pool, connection, records).await,
            }
        };
        let outcome = within(source.patience.batch, work).await.map_err(|error| StoreError::of("write session records", error));
        source.health.note(&outcome);
        metrics::histogram!("tollhouse_record_batch_rows").record(u32::try_from(records.len()).unwrap_or(u32::MAX));
        metrics::histogram!("tollhouse_record_batch_seconds").record(begun.elapsed());
        outcome
    }
}

/// Waits for as long as writing works, and then for the time between two tries.
async fn probe_is_due(source: &Source) {
    source.health.broken().await;
    tokio::time::sleep(source.patience.probe).await;
}

async fn write_sqlite(file: &SqliteFile, records: &[SessionRecord]) -> Result<(), sqlx::Error> {
    let mut lane = file.lane().await?;
    if insert::is_one_statement(records) {
        // A statement on its own is its own transaction, with two messages to the connection's thread less.
        insert::sqlite(lane.connection(), records).await?;
        lane.keep();
        return Ok(());
    }
    lane.begin().await?;
    insert::sqlite(lane.connection(), records).await?;
    lane.commit().await
}

/// Takes the connection out of its place and puts it back when all went well: whatever else happens, the next group gets a new one.
async fn write_postgres(pool: &PostgresPool, place: &mut Option<PgConnection>, records: &[SessionRecord]) -> Result<(), sqlx::Error> {
    let mut connection = match place.take() {
        Some(connection) => connection,
        None => pool.connect().await?,
    };
    if insert::is_one_statement(records) {
        insert::postgres(&mut connection, records).await?;
    } else {
        let mut transaction = sqlx::Connection::begin(&mut connection).await?;
        insert::postgres(&mut transaction, records).await?;
        transaction.commit().await?;
    }
    *place = Some(connection);
    Ok(())
}

fn reply(answer: oneshot::Sender<Result<(), StoreError>>, outcome: Result<(), StoreError>) {
    // Whoever asked may have stopped waiting: the record is written all the same.
    if answer.send(outcome).is_err() {
        tracing::debug!("nobody waits for a session record any more");
    }
}
