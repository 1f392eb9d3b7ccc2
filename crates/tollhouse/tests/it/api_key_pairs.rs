//! `/api-key-pairs`

use serde_json::{Value, json};
use testkit::server::Server;
use testkit::token::Key;

use crate::support::{assert_moment, assert_uuid, on_each_engine};

/// The id of a built-in role.
pub(crate) async fn role(server: &Server, slug: &str) -> String {
    let page = server.merchant().get("/roles?limit=100").await.expect(200);
    let role = page["items"].as_array().unwrap().iter().find(|role| role["slug"] == slug).unwrap();
    role["id"].as_str().unwrap().to_owned()
}

/// A full-access key that may act in some accounts only.
pub(crate) async fn bound_to(server: &Server, accounts: &[&str]) -> Key {
    with_role(server, "full-access", accounts).await.0
}

/// A key with one built-in role, and the id of its pair.
pub(crate) async fn with_role(server: &Server, slug: &str, accounts: &[&str]) -> (Key, String) {
    let key = Key::generate();
    let body = json!({ "display_name": slug, "role_ids": [role(server, slug).await], "merchant_account_ids": accounts, "public_key": key.public_pem() });
    let created = server.merchant().post("/api-key-pairs", &body).await.expect(201);
    (key, created["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_generated_pair_hands_out_its_private_half_once_and_signs() {
    on_each_engine(async |server| {
        let body = json!({ "display_name": "Shop", "role_ids": [role(server, "full-access").await] });
        let created = server.merchant().post("/api-key-pairs", &body).await.expect(201);
        assert_uuid(&created["id"]);
        assert_moment(&created["created_at"]);
        let private = created["private_key"].as_str().unwrap();
        assert!(private.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{private:.40}");
        let key = Key::from_pem(private);
        assert_eq!(created["thumbprint"], key.thumbprint());
        assert_eq!(
            (&created["algorithm"], &created["active"], &created["merchant_accounts"], &created["last_used_at"]),
            (&json!("ECDSA"), &json!(true), &json!([]), &Value::Null)
        );
        assert_eq!(created["roles"][0]["slug"], "full-access");
        assert_eq!(created["creator"]["thumbprint"], server.key.thumbprint());

        let path = format!("/api-key-pairs/{}", created["id"].as_str().unwrap());
        let read = server.anonymous().token(key.token(&["*.read"])).get(&path).await.expect(200);
        assert_eq!(read["private_key"], Value::Null);
        assert_eq!(server.log().matches(private.lines().nth(1).unwrap()).count(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_registered_key_signs_and_is_registered_once() {
    on_each_engine(async |server| {
        let key = Key::generate();
        let body = json!({ "display_name": "Mine", "role_ids": [role(server, "reporting").await], "public_key": key.public_pem() });
        let created = server.merchant().post("/api-key-pairs", &body).await.expect(201);
        assert_eq!((&created["private_key"], &created["thumbprint"]), (&Value::Null, &json!(key.thumbprint())));
        server.anonymous().token(key.token(&["*.read"])).get("/payment-services").await.expect(200);
        let again = server.merchant().post("/api-key-pairs", &body).await.expect(409);
        assert_eq!((&again["code"], &again["resource_id"]), (&json!("duplicate_record"), &created["id"]));
    })
    .await;
}

#[tokio::test]
async fn wrong_members_are_named_and_nothing_is_made() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        let full = role(server, "full-access").await;
        let p256 = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\nq9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n-----END PUBLIC KEY-----\n";
        for (body, expected) in [
            (json!({}), vec!["/display_name missing", "/role_ids missing"]),
            (json!({ "display_name": "x", "role_ids": [] }), vec!["/role_ids value_error"]),
            (json!({ "display_name": "x", "role_ids": ["nonsense"] }), vec!["/role_ids/0 value_error"]),
            (json!({ "display_name": "x", "role_ids": [full, "3f0a8d70-2b6e-4c0e-9a9e-6a0b7a0d8b11"] }), vec!["/role_ids/1 unknown_reference"]),
            (json!({ "display_name": "x", "role_ids": [full], "algorithm": "RSA" }), vec!["/algorithm not_supported"]),
            (json!({ "display_name": "x", "role_ids": [full], "merchant_account_ids": ["nobody"] }), vec!["/merchant_account_ids/0 unknown_reference"]),
            (json!({ "display_name": "x", "role_ids": [full], "public_key": p256 }), vec!["/public_key value_error"]),
            (json!({ "display_name": "x", "role_ids": [full], "public_key": "no key" }), vec!["/public_key value_error"]),
        ] {
            assert_eq!(merchant.post("/api-key-pairs", &body).await.problems(400, "bad_request"), expected, "{body}");
        }
        assert_eq!(merchant.get("/api-key-pairs").await.expect(200)["items"].as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_unknown_stands_among_what_can_not_be_read() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        let unknown = "3f0a8d70-2b6e-4c0e-9a9e-6a0b7a0d8b11";
        let body = json!({
            "public_key": "no key", "merchant_account_ids": ["nobody", "default", 7, "no one"], "role_ids": [unknown, "nonsense", role(server, "reporting").await],
            "algorithm": "RSA", "display_name": "",
        });
        let references = [
            "/role_ids/0 unknown_reference", "/role_ids/1 value_error", "/merchant_account_ids/0 unknown_reference", "/merchant_account_ids/2 type_error",
            "/merchant_account_ids/3 unknown_reference",
        ];
        let expected = [&["/display_name string_too_short", "/algorithm not_supported"], &references[..], &["/public_key value_error"]].concat();
        assert_eq!(merchant.post("/api-key-pairs", &body).await.problems(400, "bad_request"), expected);

        let path = format!("/api-key-pairs/{}", with_role(server, "reporting", &["default"]).await.1);
        let mut change = body;
        change["active"] = json!("yes");
        let expected = [&["/display_name string_too_short", "/active type_error"], &references[..]].concat();
        assert_eq!(merchant.put(&path, &change).await.problems(400, "bad_request"), expected);
        let change = json!({ "role_ids": [unknown], "merchant_account_ids": ["nobody"] });
        let expected = ["/role_ids/0 unknown_reference", "/merchant_account_ids/0 unknown_reference"];
        assert_eq!(merchant.put(&path, &change).await.problems(400, "bad_request"), expected);
        assert_eq!(merchant.get(&path).await.expect(200)["roles"][0]["slug"], "reporting", "nothing was changed");

        // Whether an account exists that it can not reach, a bound key does not learn from a body that is wrong elsewhere.
        merchant.post("/merchant-accounts", &json!({ "id": "theirs", "display_name": "Theirs" })).await.expect(201);
        let bound = bound_to(server, &["default"]).await;
        let caller = server.anonymous().token(bound.token(&["*.read", "*.write"]));
        for account in ["theirs", "nobody"] {
            let body = json!({ "display_name": "", "role_ids": [unknown], "merchant_account_ids": [account] });
            let expected = ["/display_name string_too_short", "/role_ids/0 unknown_reference"];
            assert_eq!(caller.post("/api-key-pairs", &body).await.problems(400, "bad_request"), expected, "{account}");
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_hands_out_more_than_they_have() {
    on_each_engine(async |server| {
        let (manager, _) = with_role(server, "system-management-only", &["default"]).await;
        let caller = server.anonymous().token(manager.token(&["*.read", "*.write"]));
        let body = |role: &str, accounts: Value| json!({ "display_name": "x", "role_ids": [role], "merchant_account_ids": accounts });
        let own = role(server, "system-management-only").await;
        caller.post("/api-key-pairs", &body(&role(server, "full-access").await, json!(["default"]))).await.problems(403, "forbidden");
        caller.post("/api-key-pairs", &body(&own, json!([]))).await.problems(403, "forbidden");
        // The token narrows the key: without the claim the role's scopes are not the caller's own.
        let narrow = server.anonymous().token(manager.token(&["api-key-pairs.write"]));
        narrow.post("/api-key-pairs", &body(&own, json!(["default"]))).await.problems(403, "forbidden");
        // A built-in role without wildcards can be handed on by who has all of its scopes.
        let listed = caller.get("/api-key-pairs").await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 1, "a bound key sees pairs inside its own accounts only");
        caller.post("/api-key-pairs", &body(&own, json!(["default"]))).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn a_switched_off_or_deleted_pair_is_refused_at_once() {
    on_each_engine(async |server| {
        let (key, id) = with_role(server, "full-access", &[]).await;
        let token = key.token(&["*.read"]);
        let caller = || server.anonymous().token(&token);
        let path = format!("/api-key-pairs/{id}");
        caller().get("/roles").await.expect(200);
        let changed = server.merchant().put(&path, &json!({ "active": false })).await.expect(200);
        assert_eq!((&changed["active"], &changed["display_name"]), (&json!(false), &json!("full-access")));
        caller().get("/roles").await.problems(401, "unauthorized");
        server.merchant().put(&path, &json!({ "active": true, "display_name": "Back" })).await.expect(200);
        caller().get("/roles").await.expect(200);
        server.merchant().delete(&path).await.expect(204);
        caller().get("/roles").await.problems(401, "unauthorized");
        server.merchant().delete(&path).await.problems(404, "not_found");
        server.merchant().get(&path).await.problems(404, "not_found");
    })
    .await;
}

#[tokio::test]
async fn roles_and_accounts_are_replaced_by_an_update() {
    on_each_engine(async |server| {
        let (key, id) = with_role(server, "full-access", &[]).await;
        let change = json!({ "role_ids": [role(server, "reporting").await], "merchant_account_ids": ["default"] });
        let changed = server.merchant().put(&format!("/api-key-pairs/{id}"), &change).await.expect(200);
        assert_eq!((&changed["roles"][0]["slug"], &changed["merchant_accounts"][0]["id"]), (&json!("reporting"), &json!("default")));
        assert_eq!(
            (changed["roles"].as_array().unwrap().len(), changed["merchant_accounts"][0]["type"].as_str()),
            (1, Some("merchant-account"))
        );
        server.anonymous().token(key.token(&["*.read"])).get("/roles").await.problems(403, "forbidden");
        server.anonymous().token(key.token(&["*.read"])).get("/payment-services").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn the_use_of_a_key_is_seen() {
    on_each_engine(async |server| {
        let list = async || server.merchant().get("/api-key-pairs").await.expect(200);
        let mut page = list().await;
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while page["items"][0]["last_used_at"].is_null() && std::time::Instant::now() < patience {
            page = list().await;
        }
        assert_moment(&page["items"][0]["last_used_at"]);
    })
    .await;
}
