//! Starting: what is stored is loaded and checked before the first request is taken.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use connectors::caller::Caller;
use connectors::catalogue::Catalogue;
use connectors::credentials::{FieldRules, check};
use store::{Database, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits::Limits;
use crate::payment_services::fields::open_all;
use crate::snapshot::{Snapshot, SnapshotError};
use crate::token::Verifier;
use crate::touches::Touches;
use crate::vault::RootKeys;
use crate::{Clock, Engine, Ids, Rules};

/// What an engine is made of.
pub struct Parts {
    /// With an up-to-date schema.
    pub database: Database,
    /// Replaced from outside when definition files change.
    pub catalogue: Arc<ArcSwap<Catalogue>>,
    /// What calls payment services.
    pub caller: Caller,
    /// What opens the data keys.
    pub root_keys: RootKeys,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<dyn Ids>,
    /// What the configuration allows.
    pub rules: Rules,
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database can not be read.
    #[error("what is stored can not be read")]
    Store(#[from] StoreError),
    /// What it holds can not be used.
    #[error("{0}")]
    Snapshot(#[from] SnapshotError),
    /// Payment services that may not live here.
    #[error(
        "{} of the payment services in this database do not belong here; change or delete them where they do, or start with the environment and simulators they need:\n  {}",
        .0.len(),
        .0.join("\n  ")
    )]
    Environment(Vec<String>),
}

impl Engine {
    /// Loads what is stored, refuses what the configuration does not allow, and begins its background work.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, StartError> {
        let Parts { database, catalogue, caller, root_keys, clock, ids, rules } = parts;
        let mut tx = database.read().await?;
        let stored = store::snapshot::load(&mut tx).await?;
        drop(tx);
        let snapshot = Snapshot::build(stored, &root_keys, None)?;
        let strangers = strangers(&snapshot, &catalogue.load(), rules);
        if !strangers.is_empty() {
            return Err(StartError::Environment(strangers));
        }
        let limits = Limits::new(rules.rates, &clock);
        let engine = Arc::new(Self {
            database,
            catalogue,
            connectors: caller,
            root_keys,
            clock,
            ids,
            rules,
            snapshot: ArcSwap::from_pointee(snapshot),
            refreshing: tokio::sync::Mutex::new(()),
            stale: AtomicBool::new(false),
            outdated: AtomicBool::new(false),
            verifier: Verifier::new(rules.token_lifetime_max_seconds),
            limits,
            touches: Touches::default(),
            events: crate::audit::Events::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        });
        engine.spawn_flushing();
        engine.spawn_purging();
        engine.spawn_forgetting();
        engine.begin_concluding().await;
        Ok(engine)
    }
}

/// The services that these rules refuse, each with the reason. A problem that exists without the rules too is none of theirs: its sessions fail and say why.
fn strangers(snapshot: &Snapshot, catalogue: &Catalogue, rules: Rules) -> Vec<String> {
    let strict = FieldRules { environment: rules.environment, simulators: rules.simulators };
    let lenient = FieldRules { environment: None, simulators: true };
    let mut strangers = Vec::new();
    for service in snapshot.services() {
        let Some(connector) = catalogue.get(service.service.definition_id.as_str()) else {
            continue;
        };
        // What does not open can not be called either, and is checked when it is entered again.
        let Some(values) = open_all(snapshot.keyring(), &service.service, connector, &service.fields) else {
            continue;
        };
        let known = check(connector, &values, &lenient);
        let refused = check(connector, &values, &strict).into_iter().find(|problem| !known.contains(problem));
        if let Some(problem) = refused {
            let service = &service.service;
            let (id, account, name) = (service.id, &service.merchant_account_id, &service.settings.display_name);
            strangers.push(format!("{id} ({name}) of merchant account {account}: {}", problem.message));
        }
    }
    strangers.sort();
    strangers
}
