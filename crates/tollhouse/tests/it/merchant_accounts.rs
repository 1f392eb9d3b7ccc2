//! `/merchant-accounts`

use serde_json::{Value, json};

use crate::support::{assert_moment, on_each_engine};

/// Every member of the answer, in the words of the API.
fn bare(id: &str, name: &str) -> Value {
    json!({
        "type": "merchant-account", "id": id, "display_name": name,
        "loon_client_key": null, "loon_secret_key": null, "loon_accepted_schemes": null, "loon_merchant_account_id": null,
        "account_updater_request_encryption_key": null, "account_updater_request_encryption_key_id": null,
        "account_updater_response_decryption_key": null, "account_updater_response_decryption_key_id": null,
        "account_updater_enabled": false, "over_capture_amount": null, "over_capture_percentage": null,
        "visa_network_tokens_requestor_id": null, "visa_network_tokens_app_id": null,
        "amex_network_tokens_requestor_id": null, "amex_network_tokens_app_id": null,
        "mastercard_network_tokens_requestor_id": null, "mastercard_network_tokens_app_id": null,
        "discover_network_tokens_requestor_id": null, "discover_network_tokens_app_id": null,
        "async_network_tokens_enabled": false,
    })
}

fn without_moments(mut account: Value) -> Value {
    for member in ["created_at", "updated_at"] {
        assert_moment(&account[member]);
        account.as_object_mut().unwrap().remove(member);
    }
    account
}

#[tokio::test]
async fn an_account_is_created_read_and_changed_in_part() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        let created = merchant.post("/merchant-accounts", &json!({ "id": "shop-1", "display_name": "Shop 1", "account_updater_enabled": false })).await.expect(201);
        assert_eq!(without_moments(created), bare("shop-1", "Shop 1"));

        let change = json!({ "over_capture_amount": 500, "loon_accepted_schemes": ["visa", "amex"], "visa_network_tokens_app_id": "", "display_name": null });
        let mut expected = bare("shop-1", "Shop 1");
        expected["over_capture_amount"] = json!(500);
        expected["loon_accepted_schemes"] = json!(["visa", "amex"]);
        expected["visa_network_tokens_app_id"] = json!("");
        assert_eq!(without_moments(merchant.put("/merchant-accounts/shop-1", &change).await.expect(200)), expected);

        // Null clears what may be null, and means absent where it may not.
        expected["over_capture_amount"] = Value::Null;
        let cleared = merchant.put("/merchant-accounts/shop-1", &json!({ "over_capture_amount": null })).await.expect(200);
        assert_eq!(without_moments(cleared), expected);
        assert_eq!(without_moments(merchant.get("/merchant-accounts/shop-1").await.expect(200)), expected);
    })
    .await;
}

#[tokio::test]
async fn secret_members_are_taken_and_never_come_back() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        let body = json!({ "id": "shop-2", "display_name": "Shop 2", "loon_secret_key": "canary-loon", "account_updater_response_decryption_key": "canary-updater" });
        let created = merchant.post("/merchant-accounts", &body).await.expect(201);
        assert_eq!(without_moments(created), bare("shop-2", "Shop 2"));
        let read = merchant.get("/merchant-accounts/shop-2").await;
        assert!(!read.text.contains("canary") && !server.log().contains("canary"));
    })
    .await;
}

#[tokio::test]
async fn every_wrong_member_is_named_at_once_in_order() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        let body = json!({
            "id": "not allowed", "display_name": "", "account_updater_enabled": "yes", "over_capture_amount": -1, "over_capture_percentage": 1.5,
            "loon_accepted_schemes": ["visa", "nobody"], "visa_network_tokens_app_id": "x".repeat(301), "async_network_tokens_enabled": null,
        });
        let problems = merchant.post("/merchant-accounts", &body).await.problems(400, "bad_request");
        let mut pointers: Vec<&str> = problems.iter().map(|problem| problem.split(' ').next().unwrap()).collect();
        pointers.sort_unstable();
        let expected = [
            "/account_updater_enabled", "/async_network_tokens_enabled", "/display_name", "/id", "/loon_accepted_schemes/1", "/over_capture_amount",
            "/over_capture_percentage", "/visa_network_tokens_app_id",
        ];
        assert_eq!(pointers, expected, "{problems:?}");
        assert_eq!(merchant.post("/merchant-accounts", &json!({})).await.problems(400, "bad_request"), ["/id missing", "/display_name missing"]);
        assert_eq!(merchant.get("/merchant-accounts").await.expect(200)["items"].as_array().unwrap().len(), 1, "nothing was created");
    })
    .await;
}

#[tokio::test]
async fn a_taken_id_is_a_conflict_that_names_the_one_who_has_it() {
    on_each_engine(async |server| {
        let reply = server.merchant().post("/merchant-accounts", &json!({ "id": "default", "display_name": "Mine" })).await;
        let body = reply.expect(409);
        assert_eq!((body["code"].as_str(), body["resource_id"].as_str()), (Some("duplicate_record"), Some("default")));
        assert!(body["message"].as_str().unwrap().contains("id"), "{body}");
        assert_ne!(server.merchant().get("/merchant-accounts/default").await.expect(200)["display_name"], "Mine");
    })
    .await;
}

#[tokio::test]
async fn the_list_is_paged_newest_first_and_searched() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        for number in 1..=5 {
            merchant
                .post("/merchant-accounts", &json!({ "id": format!("shop-{number}"), "display_name": format!("Shop {number}") }))
                .await
                .expect(201);
        }
        let ids =
            |page: &Value| page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let first = merchant.get("/merchant-accounts?limit=4").await.expect(200);
        assert_eq!(
            (ids(&first), &first["limit"], &first["previous_cursor"]),
            (vec!["shop-5".into(), "shop-4".into(), "shop-3".into(), "shop-2".into()], &json!(4), &Value::Null)
        );
        let second =
            merchant.get(&format!("/merchant-accounts?limit=4&cursor={}", first["next_cursor"].as_str().unwrap())).await.expect(200);
        assert_eq!((ids(&second), &second["next_cursor"]), (vec!["shop-1".into(), "default".into()], &Value::Null));
        let back =
            merchant.get(&format!("/merchant-accounts?limit=4&cursor={}", second["previous_cursor"].as_str().unwrap())).await.expect(200);
        assert_eq!((ids(&back), &back["previous_cursor"]), (ids(&first), &Value::Null));
        assert_eq!(ids(&merchant.get("/merchant-accounts?search=HOP%203").await.expect(200)), ["shop-3"]);
        assert_eq!(
            ids(&merchant.get("/merchant-accounts?search=%25").await.expect(200)),
            Vec::<String>::new(),
            "a wildcard of the database is a plain character"
        );
        for (query, expected) in [
            ("limit=0", "limit out_of_range"),
            ("limit=101", "limit out_of_range"),
            ("limit=x", "limit type_error"),
            ("cursor=%21", "cursor value_error"),
        ] {
            assert_eq!(merchant.get(&format!("/merchant-accounts?{query}")).await.problems(400, "bad_request"), [expected]);
        }
    })
    .await;
}

#[tokio::test]
async fn an_account_that_is_not_there_or_not_ours_is_not_found() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        merchant.get("/merchant-accounts/nobody").await.problems(404, "not_found");
        merchant.put("/merchant-accounts/nobody", &json!({})).await.problems(404, "not_found");
        merchant.get("/merchant-accounts/not%20allowed").await.problems(404, "not_found");

        // A key bound to one account sees that one, and changes no other.
        merchant.post("/merchant-accounts", &json!({ "id": "theirs", "display_name": "Theirs" })).await.expect(201);
        let bound = crate::api_key_pairs::bound_to(server, &["default"]).await;
        let caller = |scopes: &[&str]| server.anonymous().token(bound.token(scopes));
        let listed = caller(&["*.read"]).get("/merchant-accounts").await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        let foreign = caller(&["*.read"]).get("/merchant-accounts/theirs").await;
        let unknown = caller(&["*.read"]).get("/merchant-accounts/nobody").await;
        assert_eq!((foreign.status, &foreign.text), (404, &unknown.text));
        caller(&["*.write"]).put("/merchant-accounts/theirs", &json!({ "display_name": "Mine" })).await.problems(404, "not_found");
        caller(&["*.write"]).post("/merchant-accounts", &json!({ "id": "new", "display_name": "New" })).await.problems(403, "forbidden");
        // Rights come before the body, so nothing about the body is told.
        caller(&["*.write"])
            .post("/merchant-accounts", &json!({ "id": "not allowed", "display_name": 7 }))
            .await
            .problems(403, "forbidden");
        for body in ["[]", "{", ""] {
            caller(&["*.write"]).post_text("/merchant-accounts", body).await.problems(403, "forbidden");
        }
    })
    .await;
}
