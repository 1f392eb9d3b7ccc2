//! Every operation with somebody else's identifiers: they are identifiers that nobody has.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::caller::{Caller, Reply};
use testkit::promise::{Promise, is_full};
use testkit::server::Server;

use super::operations::{Call, operations};
use super::{Tenant, lasting};
use crate::support::on_each_engine;

/// The same call twice: once with what is another account's, once with what is nobody's.
struct Pair {
    place: String,
    foreign: Call,
    nobodys: Call,
    /// The status that both are answered with, where it is the same for every operation.
    status: Option<u16>,
}

/// Every place of every operation that can hold an identifier of an account.
fn pairs(own: &Tenant, other: &Tenant) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for operation in operations() {
        let call = operation.call(own);
        let mut pair = |place: String, status, of: &dyn Fn(&Value) -> Call, stranger: super::operations::Stranger| {
            let (foreign, nobodys) = (of(&stranger.foreign), of(&stranger.nobodys));
            pairs.push(Pair { place: format!("{place} of {}", operation.id), foreign, nobodys, status });
        };
        if let Some(stranger) = operation.stranger_in_path(other) {
            let of = |value: &Value| Call { path: operation.path_with(value.as_str().unwrap()), ..call.clone() };
            pair("the path".to_owned(), Some(404), &of, stranger);
        }
        for name in &operation.query {
            let Some(stranger) = operation.stranger_in_query(name, other) else { continue };
            let encoded = |value: &str| value.replace(' ', "%20");
            let of = |value: &Value| Call { path: format!("{}?{name}={}", call.path, encoded(value.as_str().unwrap())), ..call.clone() };
            // A filter that names nothing of the account finds nothing.
            pair(format!("{name} in the query"), Some(200), &of, stranger);
        }
        for member in operation.members.iter().flatten() {
            let Some(stranger) = operation.stranger_in_body(member, other) else { continue };
            let of = |value: &Value| {
                let mut call = call.clone();
                call.body.as_mut().unwrap()[member] = value.clone();
                call
            };
            pair(format!("{member} in the body"), None, &of, stranger);
        }
    }
    pairs
}

async fn send(caller: &Caller<'_>, call: &Call) -> Reply {
    caller.send(call.method.parse().unwrap(), &call.path, call.body.as_ref().map(Value::to_string)).await
}

/// Everything that an account can read of itself, but for when its key was last used.
async fn everything(server: &Server, tenant: &Tenant) -> Vec<String> {
    let (caller, mut read) = (tenant.caller(server), Vec::new());
    for operation in operations().into_iter().filter(|operation| operation.method == "GET") {
        let mut body = send(&caller, &operation.call(tenant)).await.expect(200);
        forget_last_use(&mut body);
        read.push(format!("{} {body}", operation.id));
    }
    read
}

fn forget_last_use(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("last_used_at");
            members.values_mut().for_each(forget_last_use);
        }
        Value::Array(elements) => elements.iter_mut().for_each(forget_last_use),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[track_caller]
fn assert_nothing_of(other: &Tenant, reply: &Reply) {
    for name in other.names() {
        assert!(!reply.text.contains(&name), "{} answers {name} of another account: {}", reply.asked, reply.text);
    }
}

/// Both accounts, each with something of everything.
async fn founded(server: &Server) -> (Tenant, Tenant) {
    (Tenant::found(server, "alpha", "adyen-ideal").await, Tenant::found(server, "beta", "adyen-sepa").await)
}

#[tokio::test]
async fn r42_what_is_another_account_s_is_nobody_s() {
    let promise = Promise::new("R42");
    let times = promise.count(1, 100);
    let (mut count, mut slowest) = (0, String::new());
    on_each_engine(async |server| {
        let (alpha, beta) = founded(server).await;
        let before = everything(server, &alpha).await;
        let (caller, mut ratio_max) = (beta.caller(server), 1.0_f64);
        for pair in pairs(&beta, &alpha) {
            let (foreign, nobodys) = (send(&caller, &pair.foreign).await, send(&caller, &pair.nobodys).await);
            assert_eq!((foreign.status, &foreign.text), (nobodys.status, &nobodys.text), "{}: {}", pair.place, foreign.asked);
            if let Some(status) = pair.status {
                assert_eq!(foreign.status, status, "{}: {}", pair.place, foreign.text);
            } else {
                assert!((400..500).contains(&foreign.status), "{}: {}", pair.place, foreign.text);
            }
            assert_eq!(foreign.status == 200, foreign.text.contains("\"items\":[]"), "{}: {}", pair.place, foreign.text);
            assert_nothing_of(&alpha, &foreign);
            count += 1;
            if is_full() {
                let ratio = ratio(&caller, &pair, times).await;
                if ratio > ratio_max {
                    (ratio_max, slowest) = (ratio, format!("{} {ratio:.2}", pair.place));
                }
            }
        }
        let named = server.anonymous().token(lasting(&server.key)).for_account("beta");
        // A key of every account that has said in which one it acts is behind the same wall.
        for pair in pairs(&beta, &alpha).into_iter().filter(of_a_tenant) {
            let asked = async |call| send(&named, call).await;
            let (foreign, nobodys) = (asked(&pair.foreign).await, asked(&pair.nobodys).await);
            assert_eq!((foreign.status, &foreign.text), (nobodys.status, &nobodys.text), "{} by a key of all accounts", pair.place);
            count += 1;
        }
        assert_eq!(everything(server, &alpha).await, before, "nothing of the other account has changed");
    })
    .await;
    let measured = if is_full() {
        format!("largest ratio of times: {slowest}, of which 0.80 to 1.20 is allowed")
    } else {
        "times not judged".to_owned()
    };
    promise.kept(count, &measured);
}

/// Whether the operation of a pair acts in the account that the header names.
fn of_a_tenant(pair: &Pair) -> bool {
    operations().iter().any(|operation| operation.is_of_a_tenant && pair.place.ends_with(&format!(" of {}", operation.id)))
}

/// How much longer the slower of two calls takes, by their medians over calls in turn.
async fn ratio(caller: &Caller<'_>, pair: &Pair, times: usize) -> f64 {
    let mut taken: [Vec<Duration>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..times {
        for (call, taken) in [&pair.foreign, &pair.nobodys].into_iter().zip(&mut taken) {
            let began = Instant::now();
            send(caller, call).await;
            taken.push(began.elapsed());
        }
    }
    let [foreign, nobodys] = taken.map(|mut taken| {
        taken.sort_unstable();
        taken[taken.len() / 2].as_secs_f64()
    });
    (foreign / nobodys).max(nobodys / foreign)
}

#[tokio::test]
async fn r42_lists_and_their_cursors_stay_inside() {
    let promise = Promise::new("R42");
    let mut count = 0;
    on_each_engine(async |server| {
        let (alpha, beta) = founded(server).await;
        for operation in operations().into_iter().filter(|operation| operation.query.iter().any(|name| name == "cursor")) {
            for (own, other) in [(&alpha, &beta), (&beta, &alpha)] {
                let list = async |tenant: &Tenant, query: &str| tenant.caller(server).get(&format!("{}?{query}", operation.path)).await;
                let whole = list(own, "limit=100").await;
                whole.expect(200);
                assert_nothing_of(other, &whole);
                count += 1;
                let Some(cursor) = list(own, "limit=1").await.expect(200)["next_cursor"].as_str().map(str::to_owned) else { continue };
                list(own, &format!("cursor={cursor}")).await.expect(200);
                let elsewhere = list(other, &format!("cursor={cursor}")).await;
                assert_nothing_of(own, &elsewhere);
                if operation.is_of_a_tenant {
                    let unreadable = list(other, "cursor=bm9uc2Vuc2U").await;
                    assert_eq!(elsewhere.problems(400, "bad_request"), ["cursor value_error"], "{}", operation.id);
                    assert_eq!(elsewhere.text, unreadable.text, "{}", operation.id);
                    // The key of every account finds it as useless there.
                    let named = server.merchant().for_account(&other.account).get(&format!("{}?cursor={cursor}", operation.path)).await;
                    assert_eq!(named.text, unreadable.text, "{}", operation.id);
                    server.merchant().for_account(&own.account).get(&format!("{}?cursor={cursor}", operation.path)).await.expect(200);
                }
            }
        }
        // A public key is registered once on an instance, and to whom is not said.
        let body = json!({ "display_name": "Twin", "role_ids": [beta.role], "merchant_account_ids": ["beta"], "public_key": alpha.key.public_pem() });
        let taken = beta.caller(server).post("/api-key-pairs", &body).await;
        assert_eq!(taken.expect(409)["resource_id"], Value::Null);
        assert_nothing_of(&alpha, &taken);
    })
    .await;
    promise.kept(count, "lists, each with its cursor in the other account");
}
