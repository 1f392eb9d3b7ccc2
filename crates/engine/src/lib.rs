//! What needs more than one port: sessions, verification of credentials, tokens, the vault, and every change with its audit entry.
//!
//! The engine holds an immutable [`snapshot::Snapshot`] of everything a request must know before it may do anything, so that a session reads nothing from the database. A change commits first and replaces the snapshot then; other instances see the version move and do the same within a second.

pub mod audit;
pub mod backup;
pub mod bootstrap;
pub mod caller;
pub mod clock;
pub mod definitions;
pub mod health;
pub mod ids;
pub mod key_pairs;
pub mod limits;
pub mod merchant_accounts;
pub mod payment_services;
pub mod refusal;
pub mod roles;
pub mod rotation;
pub mod session_records;
pub mod sessions;
pub mod signing;
pub mod snapshot;
pub mod start;
pub mod token;
pub mod vault;

mod refresh;
#[cfg(test)]
mod testing;
mod touches;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use connectors::catalogue::{Catalogue, Connector};
use connectors::credentials::{Environment, FieldRules};
use domain::Timestamp;
use store::Database;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::caller::{Actor, Caller, Request, ScopeRefusal};
pub use self::clock::{Clock, SystemClock};
pub use self::health::Health;
pub use self::ids::{Ids, RandomIds};
use self::limits::{Limited, Limits, Rates, Source};
pub use self::refusal::{Fault, Refusal};
use self::snapshot::Snapshot;
pub use self::start::{Parts, StartError};
use self::token::{Rejection, Verifier};
use self::touches::Touches;
use self::vault::RootKeys;

/// How long connections to payment services get to close once no session is left. Nothing depends on how they end.
const GOODBYE: Duration = Duration::from_secs(1);

/// One instance of the server, without HTTP. Shared as `Arc<Engine>`.
pub struct Engine {
    database: Database,
    catalogue: Arc<ArcSwap<Catalogue>>,
    connectors: connectors::caller::Caller,
    root_keys: RootKeys,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    rules: Rules,
    snapshot: ArcSwap<Snapshot>,
    /// Held while a snapshot is loaded and put in place.
    refreshing: tokio::sync::Mutex<()>,
    /// Whether the last attempt to follow the database failed.
    stale: AtomicBool,
    /// Whether the database was older than the snapshot when it was last loaded.
    outdated: AtomicBool,
    verifier: Verifier,
    limits: Limits,
    touches: Touches,
    events: audit::Events,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// What the configuration allows.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Which payment services may live here; `None` for both kinds.
    pub environment: Option<Environment>,
    /// Whether payment services may be simulated.
    pub simulators: bool,
    /// Whether a session whose body holds a card number under a card's name is refused.
    pub refuse_card_numbers: bool,
    /// How many days session records are kept.
    pub session_records_kept_days: u32,
    /// The longest lifetime of a token that is accepted; `None` for any.
    pub token_lifetime_max_seconds: Option<i64>,
    /// How much key pairs, merchant accounts and addresses may take.
    pub rates: Rates,
}

/// Why a request goes no further than its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The token is not accepted. Why is in the log, and nowhere else.
    Unauthorized,
    /// The key pair has sent too many requests, or the address too many wrong tokens.
    Limited(Limited),
}

// === impl Engine ===

impl Engine {
    /// The caller behind a bearer token that came from an address. To be asked once for each request, since requests are counted here.
    pub fn authenticate(&self, bearer: &str, origin: IpAddr) -> Result<Caller, Denied> {
        let snapshot = self.snapshot();
        let now = self.now();
        let source = self.limits.source(origin);
        match self.verifier.verify(bearer, &snapshot, now, &source) {
            Ok((token, key_pair)) => {
                self.limits.key_pair(key_pair.pair.id).map_err(Denied::Limited)?;
                self.touches.note(key_pair.pair.id, now);
                Ok(Caller::new(token, key_pair, snapshot))
            }
            // Nobody knows whether this token is wrong.
            Err(Rejection::Unexamined(limited)) => Err(Denied::Limited(limited)),
            Err(reason) => {
                self.note_refused_token(bearer, origin, reason);
                Err(denied(reason, &source))
            }
        }
    }

    /// What the database held when it was last looked at.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The database, for those who read it alone.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The catalogue as it is now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.load_full()
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Where ids come from.
    pub fn ids(&self) -> &dyn Ids {
        self.ids.as_ref()
    }

    /// Lets running sessions end and the last notes be written, for at most this long. Whether all did.
    pub async fn drain(&self, patience: Duration) -> bool {
        self.stopping.cancel();
        self.tasks.close();
        let finished = tokio::time::timeout(patience, self.tasks.wait()).await.is_ok();
        if !self.connectors.close(GOODBYE).await {
            tracing::debug!("Some connections to payment services did not close in time.");
        }
        finished
    }

    fn connector(&self, definition_id: &str) -> Option<Arc<Connector>> {
        self.catalogue.load().get(definition_id).cloned()
    }

    fn field_rules(&self) -> FieldRules {
        FieldRules { environment: self.rules.environment, simulators: self.rules.simulators }
    }
}

/// Past the limit of an address nothing is logged for each request: there may be thousands, and they are counted.
fn denied(reason: Rejection, source: &Source<'_>) -> Denied {
    match source.failed() {
        Ok(()) => {
            tracing::info!(%reason, "A token was refused.");
            Denied::Unauthorized
        }
        Err(limited) => Denied::Limited(limited),
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("version", &self.snapshot.load().version()).finish_non_exhaustive()
    }
}
