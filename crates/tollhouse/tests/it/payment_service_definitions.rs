//! `/payment-service-definitions`

use serde_json::{Value, json};

use crate::support::{adyen_request, on_each_engine, on_each_engine_with, service, simulated_adyen};

#[tokio::test]
async fn a_definition_shows_what_to_enter() {
    on_each_engine(async |server| {
        let definition = server.merchant().get("/payment-service-definitions/adyen-ideal").await.expect(200);
        assert_eq!(
            (&definition["type"], &definition["id"], &definition["method"]),
            (&json!("payment-service-definition"), &json!("adyen-ideal"), &json!("ideal"))
        );
        assert_eq!(
            (&definition["mode"], &definition["supported_currencies"], &definition["supported_countries"]),
            (&json!("redirect"), &json!(["EUR"]), &json!(["NL"]))
        );
        let fields: Vec<(&str, bool, bool)> = definition["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| (f["key"].as_str().unwrap(), f["required"].as_bool().unwrap(), f["secret"].as_bool().unwrap()))
            .collect();
        assert_eq!(
            fields,
            [
                ("api_key", true, true),
                ("merchant_account", true, false),
                ("live_endpoint_prefix", false, false),
                ("mode", false, false),
                ("timeout_ms", false, false)
            ]
        );
        assert_eq!(
            (&definition["supported_features"]["create_session"], &definition["supported_features"]["verify_credentials"]),
            (&json!(true), &json!(true))
        );
        assert_eq!((&definition["reporting_fields"], &definition["required_checkout_fields"]), (&json!([]), &json!([])));
        server.merchant().get("/payment-service-definitions/nobody-card").await.problems(404, "not_found");
        server.merchant().get("/payment-service-definitions/%20").await.problems(404, "not_found");
    })
    .await;
}

#[tokio::test]
async fn the_catalogue_is_paged_by_id() {
    on_each_engine(async |server| {
        let all = server.merchant().get("/payment-service-definitions?limit=100").await.expect(200);
        let ids =
            |page: &Value| page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let everything = ids(&all);
        assert!(everything.is_sorted() && everything.len() > 25 && everything.contains(&"mock-card".to_owned()), "{everything:?}");
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = server.merchant().get(&format!("/payment-service-definitions?limit=7{cursor}")).await.expect(200);
            seen.extend(ids(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, everything);
    })
    .await;
}

#[tokio::test]
async fn what_is_only_simulated_needs_simulators() {
    on_each_engine_with(
        |plan| plan.with("TOLLHOUSE_SIMULATORS__ENABLED", "false"),
        async |server| {
            server.merchant().get("/payment-service-definitions/mock-card").await.problems(404, "not_found");
            let simulated = service("adyen-card", &[("api_key", "k"), ("merchant_account", "M"), ("mode", "simulator")]);
            assert_eq!(
                server.merchant().post("/payment-services", &simulated).await.problems(400, "bad_request"),
                ["/fields/2 value_error"]
            );
        },
    )
    .await;
}

#[tokio::test]
async fn a_session_takes_the_active_service_of_the_lowest_position_then_the_oldest() {
    on_each_engine(async |server| {
        let path = "/payment-service-definitions/adyen-card/sessions";
        server.merchant().post(path, &adyen_request()).await.problems(404, "not_found");
        let create = async |account: &str, position: i64| {
            let mut body = service("adyen-card", &[("api_key", "k"), ("merchant_account", account), ("mode", "simulator")]);
            body["position"] = json!(position);
            server.merchant().post("/payment-services", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
        };
        let chosen = async || {
            server.merchant().post(path, &adyen_request()).await.expect(200)["response_body"]["merchantAccount"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let second = create("Second", 2).await;
        create("AlsoSecond", 2).await;
        assert_eq!(chosen().await, "Second");
        let first = create("First", 1).await;
        assert_eq!(chosen().await, "First");
        server.merchant().put(&format!("/payment-services/{first}"), &json!({ "active": false })).await.expect(200);
        assert_eq!(chosen().await, "Second");
        server.merchant().delete(&format!("/payment-services/{second}")).await.expect(204);
        assert_eq!(chosen().await, "AlsoSecond");
    })
    .await;
}

#[tokio::test]
async fn the_checks_of_a_session_run_in_their_order() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        let session = async |id: &str, body: &str| merchant.post_text(&format!("/payment-service-definitions/{id}/sessions"), body).await;
        session("nobody-card", "nonsense").await.problems(404, "not_found");
        assert_eq!(session("mock-card", "nonsense").await.problems(400, "bad_request"), ["payment_service_definition_id not_supported"]);
        session("adyen-card", "nonsense").await.problems(404, "not_found");
        simulated_adyen(server, "adyen-card").await;
        for body in ["nonsense", "", "[]", "null", "1", "\"text\"", "{\"a\":1", "{} {}"] {
            let problems = session("adyen-card", body).await.problems(400, "bad_request");
            assert_eq!(problems.len(), 1, "{body}");
            assert!(problems[0].starts_with(' '), "the pointer is empty: {problems:?}");
        }
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
        assert_eq!(session("adyen-card", &large).await.expect(413)["type"], "error");
        let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
        session("adyen-card", &deep).await.problems(400, "bad_request");
    })
    .await;
}
