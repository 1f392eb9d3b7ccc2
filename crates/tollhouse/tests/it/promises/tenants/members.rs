//! Members that a body has no business with: the answer and what is stored are those of a twin without them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::promise::Promise;
use testkit::server::Server;
use testkit::token::Key;

use super::operations::operations;
use crate::api_key_pairs::role;
use crate::observability::rows::{Row, stored};
use crate::support::{adyen_request, plans, service};

/// What an attacker would like to decide, whatever the operation.
fn wishes() -> Value {
    json!({
        "id": "01900000-0000-7000-8000-00000000dead",
        "type": "wish", "merchant_account_id": "alpha", "status": "failed", "method": "ideal", "is_deleted": true, "is_staff": true,
        "created_at": "2001-01-01T00:00:00Z", "updated_at": "2001-01-01T00:00:00Z", "last_used_at": "2001-01-01T00:00:00Z",
        "thumbprint": "wish", "creator": { "id": "01900000-0000-7000-8000-00000000dead", "name": "wish" }, "roles": ["wish"],
        "permissions": ["*.write"], "private_key": "wish", "webhook_url": "https://wish.example", "data_key_version": 7,
        "__proto__": { "is_staff": true }, "constructor": { "prototype": { "is_staff": true } }, "$where": "1", "": "wish",
    })
}

/// A body with all wishes that are no members of its own, in front and behind, and in the objects inside.
fn wished(body: &Value, own: &[String], wish: bool) -> Value {
    if !wish {
        return body.clone();
    }
    let mut wished = body.clone();
    let members = wished.as_object_mut().unwrap();
    for (name, value) in wishes().as_object().unwrap() {
        if !own.contains(name) {
            members.insert(name.clone(), value.clone());
        }
    }
    if let Some(Value::Array(fields)) = members.get_mut("fields") {
        for field in fields {
            field["secret"] = json!(false);
            field["__proto__"] = json!({ "secret": false });
        }
    }
    wished
}

/// Makes and changes one of everything; the answers by operation.
async fn live(server: &Server, public_key: &str, wish: bool) -> BTreeMap<String, Value> {
    let every = operations();
    let mut answers = BTreeMap::new();
    let mut send = async |id: &str, parameter: Option<&str>, body: Value| {
        let operation = every.iter().find(|operation| operation.id == id).unwrap();
        // Of opaque bodies every member is the payment service's.
        let own = operation.members.clone().unwrap_or_default();
        let path = parameter.map_or_else(|| operation.path.clone(), |value| operation.path_with(value));
        let text = wished(&body, &own, wish).to_string();
        let reply = server.merchant().send(operation.method.parse().unwrap(), &path, Some(text)).await;
        assert!((200..300).contains(&reply.status), "{}: {}", reply.asked, reply.text);
        answers.insert(id.to_owned(), reply.json());
        reply.json()["id"].as_str().map(str::to_owned)
    };
    send("create_merchant_account", None, json!({ "id": "beta", "display_name": "Shop", "loon_secret_key": "sealed" })).await;
    send("update_merchant_account", Some("beta"), json!({ "display_name": "Shop beta", "over_capture_amount": 5 })).await;
    let pair = json!({ "display_name": "Key", "role_ids": [role(server, "reporting").await], "merchant_account_ids": ["beta"], "public_key": public_key });
    let pair = send("create_api_key_pair", None, pair).await.unwrap();
    send("update_api_key_pair", Some(&pair), json!({ "display_name": "Key of beta", "active": false })).await;
    let fields = [("api_key", "test-key"), ("merchant_account", "ShopECOM"), ("mode", "simulator")];
    let made = send("create_payment_service", None, service("adyen-card", &fields)).await.unwrap();
    let change = json!({ "display_name": "Cards", "fields": [{ "key": "merchant_account", "value": "ShopPOS" }] });
    send("update_payment_service", Some(&made), change).await;
    let fields = service("adyen-card", &fields)["fields"].clone();
    send("verify_payment_service_credentials", None, json!({ "payment_service_definition_id": "adyen-card", "fields": fields })).await;
    send("create_payment_service_session", Some(&made), adyen_request()).await;
    send("create_payment_service_definition_session", Some("adyen-card"), adyen_request()).await;
    let tried: Vec<&String> = answers.keys().collect();
    let with_a_body: Vec<&String> =
        every.iter().filter(|operation| ["POST", "PUT"].contains(&operation.method.as_str())).map(|operation| &operation.id).collect();
    for id in &with_a_body {
        assert!(tried.contains(id), "{id} is new: say here how it is called");
    }
    answers
}

/// Columns in which two servers can not agree: when, by whom, and what was made at random. Ids, keys, hashes and sealed values are told by their form.
const OWN: [&str; 6] = ["created_at", "updated_at", "role_ids", "creator_thumbprint", "root_key_id", "service_session_id"];
/// Columns that are not even of the same length.
const UNSTEADY: [&str; 4] = ["duration_ms", "service_duration_ms", "last_used_at", "tries"];

/// The length of a value instead of the value, where it is the server's own: a member that crept into it would show.
fn comparable_value(name: &str, value: &str) -> String {
    if UNSTEADY.contains(&name) {
        return String::new();
    }
    let is_bytes = value.starts_with("X'") || value.starts_with("\\x");
    let is_id = uuid::Uuid::try_parse(value.trim_matches('\'')).is_ok();
    if is_bytes || is_id || OWN.contains(&name) { format!("{} characters", value.len()) } else { value.to_owned() }
}

/// All rows but that of the first key, which is made before anything is sent. Each server has an address of its own, under which it was started.
fn comparable(tables: BTreeMap<String, Vec<Row>>, server: &Server) -> BTreeMap<String, Vec<Row>> {
    let first = server.key.thumbprint();
    let is_the_first_key = |row: &Row| row.get("thumbprint").is_some_and(|thumbprint| thumbprint.contains(&first));
    let comparable_cell = |name: &str, value: &str| comparable_value(name, &value.replace(&server.base, "http://server"));
    let comparable_row = |row: &Row| -> Row { row.iter().map(|(name, value)| (name.clone(), comparable_cell(name, value))).collect() };
    tables
        .into_iter()
        // The library's own, with times in it.
        .filter(|(table, _)| table != "_sqlx_migrations")
        .map(|(table, rows)| {
            let mut rows: Vec<Row> = rows.iter().filter(|row| !is_the_first_key(row)).map(comparable_row).collect();
            rows.sort();
            (table, rows)
        })
        .collect()
}

/// An answer without what is the server's own.
fn comparable_answer(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| {
                !["id", "created_at", "updated_at", "last_used_at", "creator", "response_body"].contains(&name.as_str())
            });
            kept.map(|(name, value)| (name.clone(), comparable_answer(value))).collect()
        }
        Value::Array(elements) => elements.iter().map(comparable_answer).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn r44_members_that_are_nobody_s_business_are_not_stored() {
    let promise = Promise::new("R44");
    let public_key = Key::generate().public_pem();
    let mut count = 0;
    for (clean, wishing) in plans().await.into_iter().zip(plans().await) {
        let (clean, wishing) = (clean.start().await, wishing.start().await);
        let expected = live(&clean, &public_key, false).await;
        let answers = live(&wishing, &public_key, true).await;
        for (id, answer) in &answers {
            assert_eq!(comparable_answer(answer), comparable_answer(&expected[id]), "{id}");
            assert!(!answer.to_string().contains("wish"), "{id}: {answer}");
            count += 1;
        }
        let rows = comparable(stored(&wishing.plan).await, &wishing);
        let expected = comparable(stored(&clean.plan).await, &clean);
        assert!(rows["payment_services"].len() == 1 && rows["session_records"].len() == 2, "{rows:?}");
        for (table, rows) in &rows {
            assert_eq!(rows, &expected[table], "{table}");
        }
        clean.end().await;
        wishing.end().await;
    }
    promise.kept(count, "operations, all tables compared with those of a twin");
}
