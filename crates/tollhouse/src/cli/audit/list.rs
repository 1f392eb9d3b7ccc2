//! `tollhouse audit list`: entries of the audit log, newest first.

use std::process::ExitCode;

use domain::audit::{AuditAction, AuditEvent};
use domain::{ApiKeyPairId, Timestamp};
use serde_json::{Value, json};
use store::audit_log::journal::{self, JournalEntry, JournalFilter};

use super::open;
use crate::cli::exit::UsageError;
use crate::cli::remote::output::{Format, print, say};
use crate::cli::remote::table::of_rows;
use crate::cli::{FileOption, output};

/// The options of `audit list`.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    file: FileOption,
    /// Only these: created, updated, deleted, authentication_failed, revoked_key_used, audit_read, server_started, server_stopped, command_run.
    #[arg(long, value_name = "WORD")]
    action: Option<String>,
    /// Only those of this key pair (its id or its name) or command.
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,
    /// Not before this moment (RFC 3339 with a zone).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not after this moment (RFC 3339 with a zone).
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// How many, 1 to 1000.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only entries below this number: where the list before ended.
    #[arg(long, value_name = "NUMBER")]
    before: Option<i64>,
    /// Print JSON on a terminal too.
    #[arg(long)]
    json: bool,
}

/// Lists them.
pub(super) async fn run(options: &List) -> anyhow::Result<ExitCode> {
    let filter = options.filter()?;
    let (_, database) = open(&options.file).await?;
    let mut tx = database.read().await?;
    let entries = journal::list(&mut tx, &filter).await?;
    drop(tx);
    database.close().await;
    // A full page may be followed by another one.
    let full = u32::try_from(entries.len()).is_ok_and(|count| count == options.limit);
    let next = entries.last().filter(|last| full && last.sequence > 1).map(|last| last.sequence);
    if options.json || Format::detect() == Format::Json {
        let items: Vec<Value> = entries.iter().map(as_json).collect();
        output::data(&json!({ "items": items, "before": next }).to_string())?;
    } else {
        let rows = entries.iter().map(as_row);
        print(&of_rows(&["NO", "TIME", "ACTION", "WHAT", "NAME", "WHO", "FROM", "REQUEST", "DETAILS"], rows))?;
        if let Some(next) = next {
            say(&format!("More: --before {next}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

// === impl List ===

impl List {
    fn filter(&self) -> Result<JournalFilter, UsageError> {
        let moment = |name: &str, text: Option<&String>, otherwise| match text {
            None => Ok(Timestamp::from_micros(otherwise)),
            Some(text) => Timestamp::parse(text)
                .ok_or_else(|| UsageError(format!("{name} {text}: write a moment with a zone, such as 2026-11-22T10:00:00Z"))),
        };
        if let Some(word) = self.action.as_deref().filter(|word| AuditAction::parse(word).is_none() && AuditEvent::parse(word).is_none()) {
            let known: Vec<&str> =
                AuditAction::ALL.iter().map(|word| word.as_str()).chain(AuditEvent::ALL.iter().map(|word| word.as_str())).collect();
            return Err(UsageError(format!("--action {word}: must be one of {}", known.join(", "))));
        }
        let actor_id = self.actor.as_deref().and_then(ApiKeyPairId::parse);
        Ok(JournalFilter {
            before: self.before.unwrap_or(i64::MAX),
            action: self.action.clone(),
            actor_id,
            actor_name: self.actor.clone().filter(|_| actor_id.is_none()),
            since: moment("--since", self.since.as_ref(), i64::MIN)?,
            until: moment("--until", self.until.as_ref(), i64::MAX)?,
            limit: self.limit,
        })
    }
}

fn as_json(entry: &JournalEntry) -> Value {
    json!({
        "number": entry.sequence,
        "id": entry.id.to_string(),
        "created_at": entry.created_at.to_string(),
        "action": entry.action,
        "merchant_account_id": entry.merchant_account_id,
        "resource": { "type": entry.resource_type, "id": entry.resource_id, "name": entry.resource_name },
        "actor": { "id": entry.actor_id.map(|id| id.to_string()), "name": entry.actor_name },
        "request_id": entry.request_id,
        "origin": entry.origin,
        "details": details(&entry.details),
    })
}

fn details(text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    // What is no JSON was changed, and is shown as the text that it is.
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn as_row(entry: &JournalEntry) -> Vec<String> {
    vec![
        entry.sequence.to_string(),
        // To the second: the rest is in the JSON.
        entry.created_at.to_string().chars().take(19).collect(),
        entry.action.clone(),
        entry.resource_type.clone(),
        if entry.resource_name.is_empty() { entry.resource_id.clone() } else { entry.resource_name.clone() },
        entry.actor_name.clone(),
        entry.origin.clone(),
        entry.request_id.clone(),
        entry.details.clone(),
    ]
}
