//! `/payment-service-sessions`: the records.

use serde_json::{Value, json};

use crate::api_key_pairs::bound_to;
use crate::support::{adyen_request, assert_moment, assert_uuid, on_each_engine, simulated_adyen};

#[tokio::test]
async fn a_session_leaves_one_record_without_its_bodies() {
    on_each_engine(async |server| {
        let id = simulated_adyen(server, "adyen-card").await;
        let mut request = adyen_request();
        request["shopperEmail"] = json!("canary@example.com");
        let answer = server.merchant().post(&format!("/payment-services/{id}/sessions"), &request).await;
        let created = answer.expect(200);
        let page = server.merchant().get("/payment-service-sessions").await;
        let mut record = page.expect(200)["items"][0].clone();
        assert!(!page.text.contains("canary"));
        assert_uuid(&record["id"]);
        assert_moment(&record["created_at"]);
        assert_eq!(record["request_id"].as_str(), answer.header("x-request-id"));
        assert!(record["duration_ms"].as_i64() >= record["service_duration_ms"].as_i64(), "{record}");
        let read = server.merchant().get(&format!("/payment-service-sessions/{}", record["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(read, record);
        for member in ["id", "created_at", "request_id", "duration_ms", "service_duration_ms", "support_id"] {
            record.as_object_mut().unwrap().remove(member).unwrap();
        }
        assert_eq!(
            record,
            json!({
                "type": "payment-service-session-record", "merchant_account_id": "default", "payment_service_id": id,
                "payment_service_definition_id": "adyen-card", "status": "succeeded", "code": null, "status_code": 201, "service_code": null,
                "outcome_known": true, "amount": 1000, "currency": "EUR", "country": null, "reference": "order-1",
                "service_session_id": created["response_body"]["id"],
            })
        );
    })
    .await;
}

#[tokio::test]
async fn what_looks_like_a_card_number_is_not_kept() {
    on_each_engine(async |server| {
        let id = simulated_adyen(server, "adyen-card").await;
        let mut request = adyen_request();
        request["reference"] = json!("4111 1111 1111 1111");
        server.merchant().post(&format!("/payment-services/{id}/sessions"), &request).await.expect(200);
        request["reference"] = json!("r".repeat(1000));
        server.merchant().post(&format!("/payment-services/{id}/sessions"), &request).await.expect(200);
        let page = server.merchant().get("/payment-service-sessions").await.expect(200);
        assert_eq!(page["items"][1]["reference"], Value::Null);
        assert!(page["items"][0]["reference"].as_str().is_none_or(|reference| reference.len() <= 255));
    })
    .await;
}

#[tokio::test]
async fn records_are_filtered_paged_and_walled() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        let (card, ideal) = (simulated_adyen(server, "adyen-card").await, simulated_adyen(server, "adyen-ideal").await);
        for (service, reference, wish) in [(&card, "r-1", ""), (&card, "r-2", "simulate:decline"), (&ideal, "r-3", "simulate:500")] {
            let mut request = adyen_request();
            request["reference"] = json!(reference);
            request["countryCode"] = json!(wish);
            merchant.post(&format!("/payment-services/{service}/sessions"), &request).await.expect(200);
        }
        let references = async |query: &str| {
            let page = merchant.get(&format!("/payment-service-sessions?{query}")).await.expect(200);
            page["items"].as_array().unwrap().iter().map(|record| record["reference"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(references("").await, ["r-3", "r-2", "r-1"]);
        assert_eq!(references("status=succeeded").await, ["r-1"]);
        assert_eq!(references("status=failed&code=SERVICE_ERROR").await, ["r-3"]);
        assert_eq!(references("reference=r-2").await, ["r-2"]);
        assert_eq!(references(&format!("payment_service_id={ideal}")).await, ["r-3"]);
        assert_eq!(references("payment_service_definition_id=adyen-card").await, ["r-2", "r-1"]);
        // Repeated values are alternatives, different filters are all to hold.
        assert_eq!(references("status=succeeded&status=failed").await, ["r-3", "r-2", "r-1"]);
        assert_eq!(references("code=SERVICE_ERROR&code=UNKNOWN_ERROR").await, ["r-3"]);
        assert_eq!(references("reference=r-1&reference=r-3&reference=r-9").await, ["r-3", "r-1"]);
        assert_eq!(references("reference=r-1&reference=r-3&status=failed").await, ["r-3"]);
        assert_eq!(
            references(&format!("payment_service_id={ideal}&payment_service_id={card}&reference=r-2&reference=r-3")).await,
            ["r-3", "r-2"]
        );
        assert_eq!(
            references("payment_service_definition_id=adyen-card&payment_service_definition_id=adyen-ideal&limit=2").await,
            ["r-3", "r-2"]
        );
        let records = merchant.get("/payment-service-sessions").await.expect(200);
        let text = |index: usize, member: &str| records["items"][index][member].as_str().unwrap().to_owned();
        for member in ["id", "request_id"] {
            let query = format!("{member}={}&{member}={}", text(2, member), text(0, member));
            assert_eq!(references(&query).await, ["r-3", "r-1"], "{member}");
        }
        let session = text(2, "service_session_id");
        assert_eq!(references(&format!("service_session_id=nothing&service_session_id={session}")).await, ["r-1"]);
        assert_eq!(references(&format!("support_id=nothing&support_id={}", text(1, "support_id"))).await, ["r-2"]);
        let paged = merchant.get("/payment-service-sessions?reference=r-1&reference=r-3&limit=1").await.expect(200);
        let cursor = paged["next_cursor"].as_str().unwrap().to_owned();
        assert_eq!(references(&format!("reference=r-1&reference=r-3&limit=1&cursor={cursor}")).await, ["r-1"]);
        let many = "status=failed&".repeat(11);
        assert_eq!(merchant.get(&format!("/payment-service-sessions?{many}")).await.problems(400, "bad_request").len(), 1);
        let all = merchant.get("/payment-service-sessions?limit=2").await.expect(200);
        let middle = all["items"][1].clone();
        let moment = middle["created_at"].as_str().unwrap().replace('+', "%2B");
        assert_eq!(references(&format!("created_at_gte={moment}&created_at_lte={moment}")).await, ["r-2"]);
        assert_eq!(references(&format!("request_id={}", middle["request_id"].as_str().unwrap())).await, ["r-2"]);
        let next =
            merchant.get(&format!("/payment-service-sessions?limit=2&cursor={}", all["next_cursor"].as_str().unwrap())).await.expect(200);
        assert_eq!((&next["items"][0]["reference"], &next["next_cursor"]), (&json!("r-1"), &Value::Null));
        let wrong = "status=perhaps&created_at_gte=yesterday&payment_service_id=me";
        assert_eq!(merchant.get(&format!("/payment-service-sessions?{wrong}")).await.problems(400, "bad_request").len(), 3);

        merchant.post("/merchant-accounts", &json!({ "id": "other", "display_name": "Other" })).await.expect(201);
        let key = bound_to(server, &["other"]).await;
        let stranger = server.anonymous().token(key.token(&["*.read"]));
        assert_eq!(stranger.get("/payment-service-sessions").await.expect(200)["items"], json!([]));
        stranger.get(&format!("/payment-service-sessions/{}", middle["id"].as_str().unwrap())).await.problems(404, "not_found");
    })
    .await;
}
