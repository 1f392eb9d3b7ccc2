//! Edits of the log by whoever can write the database.

use serde_json::json;
use store::scratch;
use testkit::promise::{Promise, Random};
use testkit::server::Plan;

use super::command;
use crate::support::{eventually, plans};

/// One edit: what it is, the SQL that does it, and what must be said of which entry.
#[derive(Debug)]
struct Edit {
    sql: String,
    first: i64,
    said: &'static str,
}

/// All columns but the number.
const COLUMNS: &str = "id, merchant_account_id, action, resource_type, resource_id, resource_name, actor_id, actor_name, request_id, origin, created_at, details, hash";

/// An edit of a log with that many entries. Bytes are written otherwise on each engine.
fn edit(random: &mut Random, entries: i64, sqlite: bool) -> Edit {
    let pick = |random: &mut Random| 1 + i64::try_from(random.below(u64::try_from(entries).unwrap())).unwrap();
    let hex = format!("{:016x}{:016x}", random.next(), random.next());
    let id = if sqlite { format!("x'{hex}'") } else { format!("'{hex}'") };
    let hash = if sqlite { format!("x'{hex}{hex}'") } else { format!("'\\x{hex}{hex}'") };
    let at = pick(random);
    let insert = |number: i64| {
        format!("INSERT INTO audit_log (sequence, {COLUMNS}) SELECT {number}, {id}, {} FROM audit_log WHERE sequence = 1", &COLUMNS[4..])
    };
    match random.below(7) {
        // Half of all: a column, as whoever wants to hide something would.
        0..=2 => {
            let (column, value) = match random.below(13) {
                0 => ("id", id),
                1 => ("merchant_account_id", "'nobody-s'".to_owned()),
                2 => ("action", "'captured'".to_owned()),
                3 => ("resource_type", "resource_type || 's'".to_owned()),
                4 => ("resource_id", "resource_id || '0'".to_owned()),
                5 => ("resource_name", "'Nothing'".to_owned()),
                6 => ("actor_id", id),
                7 => ("actor_name", "actor_name || ' '".to_owned()),
                8 => ("request_id", "'none'".to_owned()),
                9 => ("origin", "'192.0.2.77'".to_owned()),
                10 => ("created_at", "created_at - 1".to_owned()),
                11 => ("details", "details || '{}'".to_owned()),
                _ => ("hash", hash),
            };
            Edit { sql: format!("UPDATE audit_log SET {column} = {value} WHERE sequence = {at}"), first: at, said: "was changed" }
        }
        3 => match random.below(3) {
            0 => Edit { sql: format!("DELETE FROM audit_log WHERE sequence = {at}"), first: at, said: "is missing" },
            1 => Edit { sql: format!("UPDATE audit_log SET hash = NULL WHERE sequence = {at}"), first: at, said: "has no hash" },
            _ => {
                let to = entries + 7;
                Edit { sql: format!("UPDATE audit_log SET sequence = {to} WHERE sequence = {at}"), first: at, said: "was moved to" }
            }
        },
        4 => match random.below(2) {
            0 => Edit { sql: insert(entries + 1), first: entries + 1, said: "was inserted" },
            // In between: what follows makes room, and the installation is made to remember one more.
            _ => {
                let room = format!(
                    "UPDATE audit_log SET sequence = -sequence - 1 WHERE sequence >= {at}; UPDATE audit_log SET sequence = -sequence WHERE sequence < 0; \
                     UPDATE instance SET audit_sequence = audit_sequence + 1, audit_chained = audit_chained + 1"
                );
                // Its own first entry is the one to copy, wherever that is now.
                let from = if at == 1 { 2 } else { 1 };
                let copy = insert(at).replace("WHERE sequence = 1", &format!("WHERE sequence = {from}"));
                Edit { sql: format!("{room}; {copy}"), first: at, said: "was inserted" }
            }
        },
        5 => {
            let other = if at == entries { 1 } else { at + 1 + i64::try_from(random.below(u64::try_from(entries - at).unwrap())).unwrap() };
            let sql = format!(
                "UPDATE audit_log SET sequence = -1 WHERE sequence = {at}; UPDATE audit_log SET sequence = {at} WHERE sequence = {other}; \
                 UPDATE audit_log SET sequence = {other} WHERE sequence = -1"
            );
            Edit { sql, first: at.min(other), said: "was swapped with" }
        }
        _ => {
            let at = at.max(2);
            let last = at - 1;
            let sql = format!(
                "DELETE FROM audit_log WHERE sequence >= {at}; UPDATE instance SET audit_sequence = {last}, audit_chained = {last}, \
                 audit_head = (SELECT hash FROM audit_log WHERE sequence = {last})"
            );
            Edit { sql, first: at, said: "was cut off before the checkpoint" }
        }
    }
}

/// Puts the log back as it was.
fn restore() -> String {
    format!(
        "DELETE FROM audit_log; INSERT INTO audit_log (sequence, {COLUMNS}) SELECT sequence, {COLUMNS} FROM kept_log; \
         UPDATE instance SET audit_sequence = (SELECT audit_sequence FROM kept_instance), \
         audit_chained = (SELECT audit_chained FROM kept_instance), audit_head = (SELECT audit_head FROM kept_instance)"
    )
}

/// A server that was used for a while and has ended in order.
async fn used(plan: Plan) -> Plan {
    let server = plan.start().await;
    for number in 0..16 {
        let body = json!({ "display_name": format!("Name {number}") });
        server.merchant().put("/merchant-accounts/default", &body).await.expect(200);
    }
    let (code, text) = command(&server.plan, &["audit", "verify"]).await;
    assert!(code == 0 && text.contains("is sound"), "beside a running server: {text}");
    let (status, plan) = server.terminate().await;
    assert!(status.success(), "{status}");
    plan
}

#[tokio::test]
async fn r50_every_edit_is_found_and_the_first_bad_entry_is_named() {
    let promise = Promise::new("R50");
    let mut random = promise.random();
    let mut found = 0;
    let plans = plans().await;
    let each = promise.count(40, 200) / plans.len();
    for plan in plans {
        let plan = used(plan).await;
        let url = plan.database_url();
        let execute = async |sql: &str| scratch::execute(url, sql).await.unwrap_or_else(|error| panic!("{error:?}: {sql}"));
        execute("CREATE TABLE kept_log AS SELECT * FROM audit_log; CREATE TABLE kept_instance AS SELECT * FROM instance").await;
        let entries = scratch::numbers(url, "SELECT audit_sequence FROM instance").await.unwrap()[0];
        assert!(entries >= 20, "{entries}");
        for _ in 0..each {
            let edit = edit(&mut random, entries, url.starts_with("sqlite"));
            execute(&edit.sql).await;
            let (code, text) = command(&plan, &["audit", "verify"]).await;
            let named = format!("entry {} ", edit.first);
            assert!(code == 1 && text.contains(&named) && text.contains(edit.said), "{edit:?}: {code} {text}");
            execute(&restore()).await;
            found += 1;
        }
        let (code, text) = command(&plan, &["audit", "verify"]).await;
        assert!(code == 0 && text.contains(&format!("{entries} entries, head ")), "{text}");
        let server = plan.serve().await;
        server.merchant().put("/merchant-accounts/default", &json!({ "display_name": "Goes on" })).await.expect(200);
        let (code, text) = command(&server.plan, &["audit", "verify"]).await;
        assert!(code == 0 && text.contains("is sound"), "{text}");
        server.end().await;
    }
    promise.kept(found, "all found, each with its first bad entry");
}

#[tokio::test]
async fn r50_checkpoints_that_were_removed_or_changed_are_found() {
    let promise = Promise::new("R50");
    let plan = used(crate::support::sqlite()).await;
    let file = plan.file("audit-checkpoints");
    let good = std::fs::read_to_string(&file).unwrap();
    let check = async |content: Option<&str>, arguments: &[&str], expected: i32, said: &str| {
        match content {
            Some(content) => std::fs::write(&file, content).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let (code, text) = command(&plan, &[&["audit", "verify"], arguments].concat()).await;
        assert!(code == expected && text.contains(said), "{arguments:?} {code}: {text}");
    };
    check(None, &[], 1, "there are no audit checkpoints").await;
    check(Some(&good), &[], 0, "checkpoints hold").await;
    let first = good.split_inclusive('\n').next().unwrap();
    check(Some(first), &[], 0, "; 1 checkpoint holds, the last one at entry ").await;
    check(None, &["--without-checkpoint"], 0, "not held against a checkpoint").await;
    check(Some(&good.replacen("\"sequence\":", "\"sequence\":1", 1)), &[], 1, "was not signed by root key").await;
    check(Some(&format!("{good}nonsense\n")), &[], 1, "is no checkpoint").await;
    std::fs::write(&file, &good).unwrap();
    let server = plan.serve().await;
    let lines = async || std::fs::read_to_string(&file).ok().filter(|text| text.lines().count() > good.lines().count());
    let grown = eventually("the checkpoint of the next start", lines).await;
    assert!(grown.starts_with(&good), "those before are kept: {grown}");
    server.end().await;
    promise.kept(4, "a checkpoint file that is not what was written was refused");
}
