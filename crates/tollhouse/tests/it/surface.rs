//! What holds on every route: error shapes, limits, methods, headers.

use serde_json::json;
use testkit::raw::Raw;

use crate::support::{adyen_request, on_each_engine, simulated_adyen};

#[tokio::test]
async fn routes_that_are_not_there_say_so_in_the_api_s_shape() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        for path in
            ["/", "/nothing", "/transactions", "/checkout/sessions", "/payment-services/", "/payment-services/a/b/c", "/metrics", "/%00"]
        {
            let body = merchant.get(path).await.expect(404);
            assert_eq!((&body["code"], &body["message"]), (&json!("not_found"), &json!("The resource could not be found")), "{path}");
        }
        merchant.post("/transactions", &json!({})).await.problems(404, "not_found");
        for (method, path, allow) in [
            ("DELETE", "/payment-services", "GET"),
            ("PATCH", "/merchant-accounts/default", "PUT"),
            ("PUT", "/roles", "GET"),
            ("TRACE", "/roles", "GET"),
        ] {
            let reply = merchant.send(method.parse().unwrap(), path, None).await;
            reply.problems(405, "method_not_allowed");
            assert!(reply.header("allow").unwrap().contains(allow), "{method} {path}: {:?}", reply.header("allow"));
        }
    })
    .await;
}

#[tokio::test]
async fn who_is_asking_comes_before_what_is_asked() {
    on_each_engine(async |server| {
        let anonymous = server.anonymous();
        anonymous.post_text("/payment-services", "nonsense").await.problems(401, "unauthorized");
        anonymous.get("/payment-services/not-a-uuid").await.problems(401, "unauthorized");
        anonymous.get("/payment-services?limit=0").await.problems(401, "unauthorized");
    })
    .await;
}

#[tokio::test]
async fn bodies_have_a_limit_and_one_coding() {
    on_each_engine(async |server| {
        let id = simulated_adyen(server, "adyen-card").await;
        let path = format!("/payment-services/{id}/sessions");
        let merchant = server.merchant();
        let of = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        merchant.post_text(&path, of(1 << 20)).await.expect(200);
        let too_large = merchant.post_text(&path, of((1 << 20) + 1)).await.expect(413);
        assert_eq!(too_large["status"], 413);
        server.merchant().header("content-encoding", "gzip").post_text(&path, "xx").await.expect(415);
        server.merchant().header("content-encoding", "identity").post(&path, &adyen_request()).await.expect(200);
        // The type of a body is not asked for: it is read as JSON.
        let text = server.merchant().header("content-type", "text/plain").post(&path, &adyen_request()).await.expect(200);
        assert_eq!(text["status"], "succeeded");
        let long_number = format!("{{\"amount\":{}}}", "9".repeat(100_000));
        merchant.post_text(&path, long_number).await.expect(200);
        let typed = format!("{{\"position\":{}}}", "9".repeat(100_000));
        let problems =
            merchant.send("PUT".parse().unwrap(), &format!("/payment-services/{id}"), Some(typed)).await.problems(400, "bad_request");
        assert_eq!(problems, ["/position out_of_range"]);
    })
    .await;
}

#[tokio::test]
async fn integers_may_be_written_with_a_point() {
    on_each_engine(async |server| {
        let id = simulated_adyen(server, "adyen-card").await;
        let put = async |text: &str| {
            server.merchant().send("PUT".parse().unwrap(), &format!("/payment-services/{id}"), Some(text.to_owned())).await
        };
        assert_eq!(put(r#"{"position":7.0}"#).await.expect(200)["position"], 7);
        for wrong in [r#"{"position":7.5}"#, r#"{"position":"7"}"#, r#"{"position":true}"#] {
            assert_eq!(put(wrong).await.problems(400, "bad_request"), ["/position type_error"], "{wrong}");
        }
        // Members that the API does not know are ignored, and stored nowhere.
        let extra = put(r#"{"id":"x","merchant_account_id":"other","is_deleted":true,"__proto__":{},"refund_ingestion_enabled":false}"#)
            .await
            .expect(200);
        assert_eq!((&extra["id"], &extra["merchant_account_id"], &extra["is_deleted"]), (&json!(id), &json!("default"), &json!(false)));
    })
    .await;
}

#[tokio::test]
async fn health_is_public_and_metrics_are_not() {
    on_each_engine(async |server| {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for path in ["/healthz", "/readyz"] {
            assert_eq!(client.get(format!("{}{path}", server.base)).send().await.unwrap().status(), 200, "{path}");
        }
        assert_eq!(client.get(format!("{}/metrics", server.base)).send().await.unwrap().status(), 404);
    })
    .await;
}

#[tokio::test]
async fn an_empty_cookie_is_taken() {
    // Node clients send one.
    on_each_engine(async |server| {
        let mut raw = Raw::plain(&server.base).await;
        raw.send("GET /healthz HTTP/1.1\r\nhost: x\r\ncookie:\r\n\r\n").await.unwrap();
        assert_eq!(raw.answer().await.unwrap().status, 200);
    })
    .await;
}
