//! `/audit-logs`

use serde_json::{Value, json};

use crate::support::{adyen_request, assert_moment, assert_uuid, on_each_engine, simulated_adyen};

#[tokio::test]
async fn every_change_leaves_one_entry_and_nothing_else_does() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        let id = simulated_adyen(server, "adyen-card").await;
        let path = format!("/payment-services/{id}");
        merchant.put(&path, &json!({ "display_name": "Renamed" })).await.expect(200);
        merchant.put(&path, &json!({ "display_name": "" })).await.expect(400);
        merchant.get(&path).await.expect(200);
        merchant.post(&format!("{path}/sessions"), &adyen_request()).await.expect(200);
        merchant.delete(&path).await.expect(204);
        let page = merchant.get("/audit-logs?resource_type=payment-service").await.expect(200);
        let entries = page["items"].as_array().unwrap();
        let seen: Vec<(&str, &str)> =
            entries.iter().map(|entry| (entry["action"].as_str().unwrap(), entry["resource"]["name"].as_str().unwrap())).collect();
        assert_eq!(seen, [("deleted", "Renamed"), ("updated", "Renamed"), ("created", "adyen-card")]);
        let entry = &entries[0];
        assert_uuid(&entry["id"]);
        assert_moment(&entry["timestamp"]);
        assert_eq!((&entry["type"], &entry["merchant_account_id"]), (&json!("audit-log"), &json!("default")));
        assert_eq!((&entry["resource"]["type"], &entry["resource"]["id"]), (&json!("payment-service"), &json!(id)));
        let user = &entry["user"];
        assert_uuid(&user["id"]);
        assert_eq!(
            (&user["type"], &user["is_staff"], &user["status"], &user["email_address"]),
            (&json!("user"), &json!(false), &json!("active"), &Value::Null)
        );
    })
    .await;
}

#[tokio::test]
async fn the_log_is_filtered_paged_and_walled() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        merchant.post("/merchant-accounts", &json!({ "id": "other", "display_name": "Other" })).await.expect(201);
        let id = simulated_adyen(server, "adyen-card").await;
        merchant.put(&format!("/payment-services/{id}"), &json!({ "active": false })).await.expect(200);
        let actions = async |query: &str| {
            let page = merchant.get(&format!("/audit-logs?{query}")).await.expect(200);
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| format!("{} {}", entry["action"].as_str().unwrap(), entry["resource"]["type"].as_str().unwrap()))
                .collect::<Vec<_>>()
        };
        assert_eq!(actions("action=updated").await, ["updated payment-service"]);
        assert_eq!(
            actions("resource_type=merchant-account&action=created").await.first().map(String::as_str),
            Some("created merchant-account")
        );
        let user = merchant.get("/audit-logs?limit=1").await.expect(200)["items"][0]["user"]["id"].as_str().unwrap().to_owned();
        assert_eq!(actions(&format!("user_id={user}")).await, ["updated payment-service", "created payment-service"]);
        assert_eq!(actions("user_id=3f0a8d70-2b6e-4c0e-9a9e-6a0b7a0d8b11").await, Vec::<String>::new());
        assert_eq!(
            merchant.get("/audit-logs?action=stolen&user_id=me").await.problems(400, "bad_request"),
            ["action value_error", "user_id value_error"]
        );
        let foreign = server.merchant().for_account("other").get("/audit-logs?resource_type=payment-service").await.expect(200);
        assert_eq!(foreign["items"], json!([]));
    })
    .await;
}
