//! Disks: what is acknowledged is on one, and a full one takes nothing that was acknowledged away.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::disk::Disk;
use testkit::load::{Counts, Ledger, Load};
use testkit::promise::{Promise, is_full};
use testkit::server::{Plan, Server};

use super::crash::recipe;
use super::instances::postgres;
use crate::observability::internal_address;
use crate::support::{BINARY, adyen_request, plans, simulated_adyen};

/// How soon writes go on when there is space again.
const HEALED_AFTER: Duration = Duration::from_secs(5);
/// A disk is full when so many sessions in a row were refused.
const REFUSED_IN_A_ROW: usize = 20;

fn refused(counts: &Counts) -> usize {
    counts.refused.get(&503).copied().unwrap_or_default()
}

/// Waits until nothing is acknowledged any more. Filling up, a disk takes a small write and refuses a larger one for a while.
async fn until_full(load: &Load) -> Counts {
    let mut before = load.counts();
    loop {
        let wished = refused(&before) + REFUSED_IN_A_ROW;
        let after = load.until("a full disk", |counts| refused(counts) >= wished).await;
        if after.acknowledged == before.acknowledged {
            return after;
        }
        before = after;
    }
}

#[tokio::test]
async fn r19_a_full_disk_acknowledges_nothing_and_heals_without_a_restart() {
    let promise = Promise::new("R19");
    let rounds = promise.count(1, 5);
    let disk = if is_full() { Disk::mounted().unwrap_or_else(Disk::limited) } else { Disk::limited() };
    let server = disk.under(Plan::sqlite(BINARY).with("TOLLHOUSE_LOG", "info")).start().await;
    let id = simulated_adyen(&server, "adyen-card").await;
    let ledger = Ledger::new(&server.plan.file("ledger"), "load");
    let mut slowest = Duration::ZERO;
    for _ in 0..rounds {
        let load = Load::start(vec![server.base.clone()], &server.plan, recipe(&id, 100), ledger.clone());
        load.until("sessions and changes", |counts| counts.acknowledged >= 10 && counts.changed > 0).await;
        disk.fill(&server).await;
        let full = until_full(&load).await;
        let merchant = server.merchant();
        for path in ["/payment-services", "/payment-service-sessions", "/audit-logs", "/roles"] {
            merchant.get(path).await.expect(200);
        }
        let change = merchant.put(&format!("/payment-services/{id}"), &json!({ "display_name": "Full" })).await;
        assert_eq!(change.expect(503)["code"], "service_unavailable");
        assert_eq!(load.counts().acknowledged, full.acknowledged, "still nothing");
        assert!(full.refused.keys().all(|status| *status == 503) && full.broken + full.unconnected == 0, "{full:?}");

        let freed = Instant::now();
        disk.free(&server).await;
        load.until("writes go on", |counts| counts.acknowledged > full.acknowledged && counts.changed > full.changed).await;
        slowest = slowest.max(freed.elapsed());
        load.finish().await;
    }
    promise.in_time("writing again", slowest, HEALED_AFTER);
    let found = ledger.compare(&server).await;
    found.expect_none();
    assert_eq!(store::scratch::integrity(server.plan.database_url()).await.unwrap(), ["ok"]);
    assert!(!server.log().contains("panicked"), "{}", server.log());
    let (status, plan) = server.terminate().await;
    assert!(status.success(), "{status}");
    plan.serve().await.end().await;
    let measured =
        format!("{}: {} sessions and {} changes kept, writing again after {slowest:?}", disk.name(), found.sessions, found.changes);
    promise.kept(rounds, &measured);
}

async fn readiness(server: &Server) -> Value {
    ready(&format!("http://{}", internal_address(server))).await
}

async fn ready(base: &str) -> Value {
    let url = format!("{base}/readyz");
    reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn r20_the_settings_are_shown_to_machines_of_the_house_alone() {
    let promise = Promise::new("R20");
    for plan in plans().await {
        let sqlite = plan.database_url().starts_with("sqlite:");
        let server = plan.start().await;
        let expected = if sqlite {
            json!({ "journal_mode": "wal", "synchronous": "full" })
        } else {
            json!({ "synchronous_commit": "on", "fsync": "on" })
        };
        assert_eq!(readiness(&server).await, json!({ "status": "ready", "reasons": [], "durability": expected }));
        assert_eq!(ready(&server.base).await, json!({ "status": "ready", "reasons": [] }));
        server.end().await;
    }
    promise.kept(1, "read back at boot and shown by the internal listener");
}

#[tokio::test]
async fn r20_a_weaker_setting_stops_every_start_unless_it_is_accepted() {
    let Some(plan) = postgres().await else { return };
    let promise = Promise::new("R20");
    let plan = plan.start().await.kill().await;
    let name = plan.database_url().rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    store::scratch::run(plan.database_url(), &format!("ALTER DATABASE {name} SET synchronous_commit = off")).await.unwrap();
    let [option, file] = plan.config_option();
    for command in ["serve", "migrate", "init"] {
        let output = plan.run(&[command, &option, &file]).await;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command}: {words}");
        assert!(words.contains("synchronous_commit = off") && words.contains("--unsafe-durability"), "{command}: {words}");
    }
    let migrated = plan.run(&["migrate", "--unsafe-durability", &option, &file]).await;
    assert!(migrated.status.success() && String::from_utf8_lossy(&migrated.stderr).contains("Acknowledged writes can be lost"));
    let mut plan = plan.arguments(&["--unsafe-durability"]);
    for _ in 0..2 {
        let server = plan.serve().await;
        assert!(server.log().contains("Acknowledged writes can be lost"), "at every start: {}", server.log());
        assert_eq!(readiness(&server).await["durability"]["synchronous_commit"], "off");
        let id = simulated_adyen(&server, "adyen-card").await;
        server.merchant().post(&format!("/payment-services/{id}/sessions"), &adyen_request()).await.expect(200);
        plan = server.kill().await;
    }
    promise.kept(1, "PostgreSQL with synchronous_commit = off");
}

/// What a traced process did, in the order in which it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The write-ahead log has reached the disk.
    Synced,
    /// An answer goes out: a simulated payment service's, or ours.
    Answered,
}

/// Reads the lines of `strace -f -y`. A call that another thread interrupts takes two lines and is done with the second.
fn steps(trace: &str) -> Vec<Step> {
    let mut waiting = std::collections::HashSet::new();
    let mut steps = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ').map(|(thread, call)| (thread, call.trim_start())) else { continue };
        let syncs = call.starts_with("fdatasync(") || call.starts_with("fsync(");
        if syncs && call.contains("tollhouse.db-wal>") && call.contains("<unfinished") {
            waiting.insert(thread);
        } else if (syncs && call.contains("tollhouse.db-wal>") && call.ends_with("= 0"))
            || (call.contains("sync resumed>") && call.ends_with("= 0") && waiting.remove(thread))
        {
            steps.push(Step::Synced);
        } else if call.contains("\"HTTP/1.1 2") {
            steps.push(Step::Answered);
        }
    }
    steps
}

#[tokio::test]
async fn r20_a_write_reaches_the_disk_before_its_answer_goes_out() {
    let promise = Promise::new("R20");
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        assert!(!is_full(), "this test watches the system calls of a server: install the package strace");
        eprintln!("strace is not installed: that a write reaches the disk before its answer is not watched here");
        return;
    }
    let plan = Plan::sqlite(BINARY).with("TOLLHOUSE_LOG", "info");
    let file = plan.file("trace");
    // The tracer stands aside (-D), so that the process is the server itself.
    let words = ["strace", "-D", "-f", "-y", "-s", "16", "-e", "trace=fdatasync,fsync,write,writev,sendto,sendmsg", "-o"];
    let wrapper = words.iter().map(|word| (*word).to_owned()).chain([file.display().to_string()]).collect();
    let server = plan.behind(wrapper).start().await;
    let id = simulated_adyen(&server, "adyen-card").await;
    let trace = || std::fs::read_to_string(&file).unwrap();
    let sessions = promise.count(5, 100);
    let began = steps(&trace()).len();
    for _ in 0..sessions {
        server.merchant().post(&format!("/payment-services/{id}/sessions"), &adyen_request()).await.expect(200);
    }
    let (status, _plan) = server.terminate().await;
    assert!(status.success(), "{status}");
    // Each session is the payment service's answer, then our record on disk, then our answer. What follows belongs to the shutdown.
    let seen = steps(&trace());
    let mut rest = seen[began..].iter().peekable();
    for number in 0..sessions {
        while rest.peek() == Some(&&Step::Synced) {
            rest.next();
        }
        assert_eq!(rest.next(), Some(&Step::Answered), "the payment service's answer to session {number}: {seen:?}");
        let mut syncs = 0;
        while rest.peek() == Some(&&Step::Synced) {
            (syncs, _) = (syncs + 1, rest.next());
        }
        assert!(syncs >= 1, "nothing reached the disk before the answer to session {number}: {seen:?}");
        assert_eq!(rest.next(), Some(&Step::Answered), "our answer to session {number}: {seen:?}");
    }
    promise.kept(sessions, "SQLite: the log was synced between the payment service's answer and ours, each time");
}
