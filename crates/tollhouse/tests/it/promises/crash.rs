//! Power cuts: what was acknowledged is there afterwards, whole, and nothing else is.

use std::time::Duration;

use serde_json::Value;
use testkit::killer::{self, CrashPoint, kill_at};
use testkit::load::{Connections, Fault, Ledger, Load, Recipe};
use testkit::promise::Promise;
use testkit::server::{Plan, Server};

use super::instances::postgres;
use crate::support::{BINARY, adyen_request, service, simulated_adyen};

mod migrations;

/// After so many crashes the next one gets an empty database, since comparing takes longer with every record.
const CRASHES_PER_DATABASE: usize = 20;
/// How soon a server answers again after a crash.
const READY_AFTER: Duration = Duration::from_secs(5);

/// A load of sessions, and of payment services that are made and renamed.
pub(super) fn recipe(id: &str, per_second: u32) -> Recipe {
    Recipe {
        path: format!("/payment-services/{id}/sessions"),
        body: request,
        per_second,
        at_once: 16,
        connections: Connections::Kept,
        changes: Some(service("adyen-card", &[("api_key", "test-key"), ("merchant_account", "ShopECOM"), ("mode", "simulator")])),
    }
}

/// A request whose reference is found again in the record.
pub(super) fn request(reference: &str) -> Value {
    let mut request = adyen_request();
    request["reference"] = reference.into();
    request
}

/// What came of several crashes.
#[derive(Default)]
struct Tally {
    sessions: usize,
    changes: usize,
    slowest: Duration,
}

impl Tally {
    /// Holds the ledger against a server that was started after a crash.
    async fn check(&mut self, ledger: &Ledger, server: &Server) {
        let found = ledger.compare(server).await;
        found.expect_none();
        assert!(found.sessions > 0 && found.changes > 0, "nothing was promised: {found:?}");
        self.slowest = self.slowest.max(server.ready_after);
        (self.sessions, self.changes) = (found.sessions, found.changes);
        assert_eq!((found.count(Fault::Lost), found.count(Fault::Invented)), (0, 0));
    }

    fn words(&self) -> String {
        let Self { sessions, changes, slowest } = self;
        format!("lost 0 and invented 0 of the last {sessions} sessions and {changes} changes, ready again after {slowest:?} at most")
    }
}

#[tokio::test]
async fn r18_what_was_acknowledged_survives_a_kill_under_load() {
    let promise = Promise::new("R18");
    let (mut random, mut tally) = (promise.random(), Tally::default());
    let crashes = promise.count(3, 200);
    for first in (0..crashes).step_by(CRASHES_PER_DATABASE) {
        let mut server = Plan::sqlite(BINARY).with("TOLLHOUSE_LOG", "info").start().await;
        let id = simulated_adyen(&server, "adyen-card").await;
        let ledger = Ledger::new(&server.plan.file("ledger"), "load");
        for _ in first..crashes.min(first + CRASHES_PER_DATABASE) {
            let load = Load::start(vec![server.base.clone()], &server.plan, recipe(&id, 200), ledger.clone());
            load.until("a change", |counts| counts.changed > 0).await;
            let more = 1 + usize::try_from(random.below(40)).unwrap();
            let plan = kill_at(server, CrashPoint::Promised(&load, more), &mut random).await;
            load.finish().await;
            server = plan.serve().await;
            tally.check(&ledger, &server).await;
            assert_eq!(store::scratch::integrity(server.plan.database_url()).await.unwrap(), ["ok"]);
        }
        server.end().await;
    }
    promise.in_time("the start after a crash", tally.slowest, READY_AFTER);
    promise.kept(crashes, &format!("SQLite: {}", tally.words()));
}

#[tokio::test]
async fn r18_what_was_acknowledged_survives_the_kill_of_one_instance_or_of_all() {
    let Some(plan) = postgres().await else { return };
    let promise = Promise::new("R18");
    let (mut random, mut tally) = (promise.random(), Tally::default());
    let crashes = promise.count(3, 100);
    let mut one = plan.with("TOLLHOUSE_LOG", "info").start().await;
    let mut two = one.plan.sibling().serve().await;
    let id = simulated_adyen(&one, "adyen-card").await;
    for round in 0..crashes {
        let ledger = Ledger::new(&one.plan.file(&format!("ledger-{round}")), &format!("load{round}"));
        let load = Load::start(vec![one.base.clone(), two.base.clone()], &one.plan, recipe(&id, 200), ledger.clone());
        load.until("a change", |counts| counts.changed > 0).await;
        let more = 1 + usize::try_from(random.below(40)).unwrap();
        killer::reach(&one, CrashPoint::Promised(&load, more), &mut random).await;
        match random.below(3) {
            0 => one = one.kill().await.serve().await,
            1 => {
                // A neighbour that stands still for a moment, and is killed when it goes on.
                killer::freeze(&two, &mut random).await;
                two = two.kill().await.serve().await;
            }
            _ => {
                let (first, second) = tokio::join!(one.kill(), two.kill());
                one = first.serve().await;
                two = second.serve().await;
            }
        }
        load.finish().await;
        tally.check(&ledger, &one).await;
        tally.check(&ledger, &two).await;
    }
    two.end().await;
    one.end().await;
    promise.in_time("the start after a crash", tally.slowest, READY_AFTER);
    promise.kept(crashes, &format!("PostgreSQL, two instances: {}", tally.words()));
}
