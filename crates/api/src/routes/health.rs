//! Whether the process lives, and whether it wants traffic. Neither asks the database: a probe must not add to what it measures.

use std::collections::BTreeMap;

use axum::extract::State;

use crate::App;
use crate::error::{self, Answer};
use crate::wire::health::WireHealth;

/// The process runs and answers.
pub(crate) async fn live() -> Answer {
    error::ok(&WireHealth { status: "ok", reasons: Vec::new(), durability: BTreeMap::new() })
}

/// Whether this instance should be sent requests, and if not, why not.
pub(crate) async fn ready(State(app): State<App>) -> Answer {
    answer(&app, BTreeMap::new())
}

/// The same for machines of the house, with the settings of the database that the operator answers for.
pub(crate) async fn ready_in_detail(State(app): State<App>) -> Answer {
    let settings = app.engine.database().durability();
    answer(&app, settings.iter().map(|setting| (setting.name, setting.value.clone())).collect())
}

fn answer(app: &App, durability: BTreeMap<&'static str, String>) -> Answer {
    let health = app.engine.health();
    let draining = app.draining.has_begun();
    let ready = health.ready && !draining;
    // Anybody can ask. A ready instance's notes are for its operator, who finds them in the log.
    let mut reasons = if health.ready { Vec::new() } else { health.reasons };
    if draining {
        reasons.insert(0, "the server is stopping".to_owned());
    }
    error::readiness(ready, &WireHealth { status: if ready { "ready" } else { "not_ready" }, reasons, durability })
}
