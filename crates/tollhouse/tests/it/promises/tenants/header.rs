//! The header that names the merchant account: judged before anything is looked up.

use serde_json::Value;
use testkit::caller::{Caller, Reply};
use testkit::promise::Promise;
use testkit::raw::Raw;
use testkit::server::Server;

use super::operations::{NOBODY, Operation, operations};
use super::{Tenant, lasting};
use crate::api_key_pairs::bound_to;
use crate::support::on_each_engine;

const HEADER: &str = "x-gr4vy-merchant-account-id";

/// Who asks, the values of the header, and the refusal.
struct Row {
    key: Whose,
    values: Vec<String>,
    status: u16,
}

/// How many accounts a key pair may act in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    One,
    Two,
    All,
}

fn rows() -> Vec<Row> {
    let row = |key, values: &[&str], status| Row { key, values: values.iter().map(|value| (*value).to_owned()).collect(), status };
    let long = "b".repeat(10 * 1024);
    let mut rows = Vec::new();
    for (key, status) in [(Whose::One, 403), (Whose::Two, 403), (Whose::All, 404)] {
        // Of these none is the name of an account, though some look like one.
        rows.extend(
            ["nobodys-shop", "", " ", "Beta", "BETA", "beta,beta", "beta/../alpha", "b\u{e9}ta", &long]
                .map(|value| row(key, &[value], status)),
        );
        rows.push(row(key, &["beta", "beta"], 400));
        rows.push(row(key, &["alpha", "beta"], 400));
        rows.push(row(key, &["", "beta"], 400));
    }
    rows.push(row(Whose::One, &["alpha"], 403));
    rows.push(row(Whose::Two, &["alpha"], 403));
    rows.push(row(Whose::Two, &[], 403));
    rows
}

/// One call of an operation, its path as it is or with the identifier of nobody.
async fn asked(caller: &Caller<'_>, operation: &Operation, own: &Tenant, exists: bool) -> Reply {
    let call = operation.call(own);
    let nobodys = match operation.parameter() {
        Some("payment_service_definition_id") => Some("nobodys-card"),
        Some(_) => Some(NOBODY),
        None => None,
    };
    let path = match nobodys {
        Some(nobody) if !exists => operation.path_with(nobody),
        _ => call.path,
    };
    caller.send(call.method.parse().unwrap(), &path, call.body.as_ref().map(Value::to_string)).await
}

#[tokio::test]
async fn r43_the_header_is_refused_before_anything_is_looked_up() {
    let promise = Promise::new("R43");
    let mut count = 0;
    on_each_engine(async |server| {
        Tenant::found(server, "alpha", "adyen-ideal").await;
        let beta = Tenant::found(server, "beta", "adyen-sepa").await;
        server.merchant().post("/merchant-accounts", &serde_json::json!({ "id": "gamma", "display_name": "Shop gamma" })).await.expect(201);
        let two = bound_to(server, &["beta", "gamma"]).await;
        for row in rows() {
            let key = match row.key {
                Whose::One => &beta.key,
                Whose::Two => &two,
                Whose::All => &server.key,
            };
            let caller = row.values.iter().fold(server.anonymous().token(lasting(key)), |caller, value| caller.header(HEADER, value));
            for operation in operations().iter().filter(|operation| operation.is_of_a_tenant) {
                let there = asked(&caller, operation, &beta, true).await;
                let nowhere = asked(&caller, operation, &beta, false).await;
                let what = format!("{} by a key of {:?} with {:.40?}", operation.id, row.key, row.values);
                assert_eq!(there.status, row.status, "{what}: {}", there.text);
                assert_eq!(there.text, nowhere.text, "{what}");
                count += 2;
            }
        }
        the_absent_header_means_what_is_documented(server, &beta).await;
        assert_eq!(
            beta.caller(server).get("/payment-services").await.expect(200)["items"].as_array().unwrap().len(),
            3,
            "nothing was done"
        );
    })
    .await;
    promise.kept(count, "refusals, with what exists and with what does not");
}

async fn the_absent_header_means_what_is_documented(server: &Server, beta: &Tenant) {
    let names_of_its_services = async |caller: &Caller<'_>| {
        let page = caller.get("/payment-services").await.expect(200);
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|service| service["merchant_account_id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names_of_its_services(&beta.caller(server)).await, ["beta"; 3], "the only account of the key");
    assert_eq!(names_of_its_services(&server.merchant()).await, [""; 0], "the account `default`, which has none");
    assert_eq!(names_of_its_services(&server.merchant().for_account("beta")).await, ["beta"; 3]);
    // The name of a header has no case; only a client that writes it itself can show that.
    for name in ["X-GR4VY-MERCHANT-ACCOUNT-ID", "x-Gr4vY-mErChAnT-aCcOuNt-Id"] {
        let mut raw = Raw::plain(&server.base).await;
        let token = server.key.token(&["*.read"]);
        let head = format!("GET /payment-services?limit=1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{name}: beta\r\n\r\n");
        raw.send(head).await.unwrap();
        let answer = raw.answer().await.unwrap();
        assert!(answer.status == 200 && answer.body.contains("\"beta\""), "{answer:?}");
    }
}
