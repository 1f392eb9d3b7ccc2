//! `/payment-services`

use serde_json::{Value, json};

use crate::support::{adyen_request, assert_moment, assert_uuid, on_each_engine, on_each_engine_with, service, simulated_adyen};

const ADYEN: [(&str, &str); 3] = [("api_key", "canary-api-key-0123456789"), ("merchant_account", "ShopECOM"), ("mode", "simulator")];

#[tokio::test]
async fn a_service_is_created_with_every_member_and_without_its_secrets() {
    on_each_engine(async |server| {
        let mut created = server.merchant().post("/payment-services", &service("adyen-ideal", &ADYEN)).await.expect(201);
        assert_uuid(&created["id"]);
        let id = created["id"].as_str().unwrap().to_owned();
        for member in ["created_at", "updated_at"] {
            assert_moment(&created[member]);
        }
        let read = server.merchant().get(&format!("/payment-services/{id}")).await.expect(200);
        assert_eq!(read, created);
        for member in ["id", "created_at", "updated_at"] {
            created.as_object_mut().unwrap().remove(member);
        }
        assert_eq!(
            created,
            json!({
                "type": "payment-service", "merchant_account_id": "default", "payment_service_definition_id": "adyen-ideal", "active": true,
                "method": "ideal", "display_name": "adyen-ideal", "position": 1, "status": "created", "accepted_currencies": ["EUR"],
                "accepted_countries": ["NL"], "payment_method_tokenization_enabled": false, "network_tokens_enabled": false, "open_loop": false,
                "settlement_reporting_enabled": false, "refund_ingestion_enabled": false, "three_d_secure_enabled": false,
                "merchant_profile": null, "webhook_url": null,
                "fields": [{ "key": "merchant_account", "value": "ShopECOM" }, { "key": "mode", "value": "simulator" }],
                "reporting_fields": [], "is_deleted": false,
            })
        );
        let second = server.merchant().post("/payment-services", &service("adyen-ideal", &ADYEN)).await.expect(201);
        assert_eq!(second["position"], 2, "the same definition twice is no conflict, and comes after");
        assert!(!server.log().contains("canary"));
    })
    .await;
}

#[tokio::test]
async fn every_wrong_member_is_named_at_once() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        let missing = merchant.post("/payment-services", &json!({})).await.problems(400, "bad_request");
        let required = ["/display_name", "/payment_service_definition_id", "/fields", "/accepted_currencies", "/accepted_countries"];
        assert_eq!(missing, required.map(|pointer| format!("{pointer} missing")));
        let mut body = service("adyen-card", &[("api_key", "k")]);
        for (member, value, expected) in [
            ("display_name", json!(""), "/display_name string_too_short"),
            ("display_name", json!("x".repeat(201)), "/display_name string_too_long"),
            ("display_name", json!(7), "/display_name type_error"),
            ("payment_service_definition_id", json!("nobody-card"), "/payment_service_definition_id unknown_reference"),
            ("accepted_currencies", json!([]), "/accepted_currencies value_error"),
            ("accepted_currencies", json!(["EUR", "eur"]), "/accepted_currencies/1 pattern_mismatch"),
            ("accepted_currencies", json!(["ZZZ"]), "/accepted_currencies/0 value_error"),
            ("accepted_countries", json!(["NL", "Holland"]), "/accepted_countries/1 pattern_mismatch"),
            ("position", json!(1.5), "/position type_error"),
            ("active", json!("true"), "/active type_error"),
            ("three_d_secure_enabled", Value::Null, "/three_d_secure_enabled type_error"),
            ("fields", json!("none"), "/fields type_error"),
            ("fields", json!([{ "key": "api_key" }]), "/fields/0/value missing"),
        ] {
            let mut wrong = service("adyen-card", &ADYEN);
            wrong[member] = value;
            assert_eq!(merchant.post("/payment-services", &wrong).await.problems(400, "bad_request"), [expected], "{wrong}");
        }
        body["accepted_countries"] = json!(["xx"]);
        body["display_name"] = json!("");
        let several = merchant.post("/payment-services", &body).await.problems(400, "bad_request");
        assert!(several.len() >= 2 && several[0].starts_with("/display_name"), "{several:?}");
        for text in ["", "nonsense", "[]", "null"] {
            assert_eq!(merchant.post_text("/payment-services", text).await.problems(400, "bad_request").len(), 1, "{text}");
        }
        assert_eq!(merchant.get("/payment-services").await.expect(200)["items"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn credentials_are_held_against_the_definition() {
    on_each_engine(async |server| {
        let stripe = |key: &str, mode: &str| service("stripe-card", &[("secret_key", key), ("mode", mode)]);
        let create = async |body: &Value| server.merchant().post("/payment-services", body).await;
        assert_eq!(create(&stripe("sk_live_canary", "sandbox")).await.problems(400, "bad_request"), ["/fields/0 value_error"]);
        assert!(!create(&stripe("sk_live_canary", "sandbox")).await.text.contains("canary"), "a secret is not repeated");
        assert_eq!(create(&stripe("sk_test_1", "moon")).await.problems(400, "bad_request"), ["/fields/1 value_error"]);
        assert_eq!(create(&service("stripe-card", &[("mode", "sandbox")])).await.problems(400, "bad_request"), ["/fields missing"]);
        assert_eq!(
            create(&service("stripe-card", &[("secret_key", "sk_test_1"), ("secret", "x"), ("timeout_ms", "soon")]))
                .await
                .problems(400, "bad_request"),
            ["/fields/1 value_error", "/fields/2 value_error"]
        );
        assert_eq!(
            create(&service("klarna-klarna", &[("username", "u"), ("password", "p"), ("region", "moon")]))
                .await
                .problems(400, "bad_request"),
            ["/fields/2 value_error"]
        );
        create(&stripe("sk_test_1", "sandbox")).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn an_instance_for_sandboxes_refuses_live_services() {
    on_each_engine_with(
        |plan| plan.with("TOLLHOUSE_SERVER__ENVIRONMENT", "sandbox"),
        async |server| {
            let live = service("stripe-card", &[("secret_key", "sk_live_1"), ("mode", "live")]);
            let problems = server.merchant().post("/payment-services", &live).await.problems(400, "bad_request");
            assert!(problems.contains(&"/fields/1 value_error".to_owned()), "{problems:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_merges_fields() {
    on_each_engine(async |server| {
        let id = simulated_adyen(server, "adyen-card").await;
        let path = format!("/payment-services/{id}");
        let put = async |body: Value| server.merchant().put(&path, &body).await;
        let before = server.merchant().get(&path).await.expect(200);
        let changed = put(json!({ "display_name": "New", "fields": [{ "key": "merchant_account", "value": "Other" }], "settlement_reporting_enabled": false })).await.expect(200);
        assert_eq!((&changed["display_name"], &changed["fields"][0]["value"], &changed["accepted_countries"]), (&json!("New"), &json!("Other"), &before["accepted_countries"]));
        assert!(changed["updated_at"].as_str() > before["updated_at"].as_str() && changed["created_at"] == before["created_at"]);
        let session = server.merchant().post(&format!("{path}/sessions"), &adyen_request()).await.expect(200);
        assert_eq!((&session["status"], &session["response_body"]["merchantAccount"]), (&json!("succeeded"), &json!("Other")), "the key is still there");

        assert_eq!(put(json!({ "fields": [{ "key": "api_key", "value": "" }] })).await.problems(400, "bad_request"), ["/fields/0 missing"]);
        put(json!({ "fields": [{ "key": "timeout_ms", "value": "900" }] })).await.expect(200);
        let cleared = put(json!({ "fields": [{ "key": "timeout_ms", "value": "" }] })).await.expect(200);
        assert!(!cleared["fields"].to_string().contains("timeout_ms"));
        for null in ["display_name", "position", "active", "accepted_currencies", "fields"] {
            let same = put(json!({ null: null })).await.expect(200);
            assert_eq!(same[null], cleared[null], "null for {null} means absent");
        }
        put(json!({ "merchant_profile": { "visa": profile() } })).await.expect(200);
        assert_eq!(put(json!({ "merchant_profile": null })).await.expect(200)["merchant_profile"], Value::Null);
        assert_eq!(put(json!({ "merchant_profile": { "nobody": profile() } })).await.problems(400, "bad_request"), ["/merchant_profile/nobody value_error"]);
    })
    .await;
}

fn profile() -> Value {
    json!({
        "merchant_acquirer_bin": "516327", "merchant_acquirer_id": "123456789012345", "merchant_name": "Acme", "merchant_country_code": "840",
        "merchant_category_code": "1234", "merchant_url": "https://shop.example",
    })
}

#[tokio::test]
async fn a_merchant_profile_is_kept_with_the_moment_it_was_made() {
    on_each_engine(async |server| {
        let mut body = service("adyen-card", &ADYEN);
        body["merchant_profile"] = json!({ "visa": profile(), "amex": null });
        let created = server.merchant().post("/payment-services", &body).await.expect(201);
        assert_moment(&created["merchant_profile"]["visa"]["created_at"]);
        assert_eq!(
            (&created["merchant_profile"]["visa"]["merchant_name"], &created["merchant_profile"]["amex"]),
            (&json!("Acme"), &Value::Null)
        );
        body["merchant_profile"]["visa"]["merchant_category_code"] = json!("12345");
        assert_eq!(
            server.merchant().post("/payment-services", &body).await.problems(400, "bad_request"),
            ["/merchant_profile/visa/merchant_category_code string_too_long"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_deleted_service_is_gone_but_listed_on_request() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        let id = simulated_adyen(server, "adyen-card").await;
        let path = format!("/payment-services/{id}");
        merchant.delete(&path).await.expect(204);
        merchant.delete(&path).await.problems(404, "not_found");
        merchant.get(&path).await.problems(404, "not_found");
        merchant.put(&path, &json!({})).await.problems(404, "not_found");
        merchant.post(&format!("{path}/sessions"), &adyen_request()).await.problems(404, "not_found");
        assert_eq!(merchant.get("/payment-services").await.expect(200)["items"], json!([]));
        let deleted = merchant.get("/payment-services?deleted=true").await.expect(200);
        assert_eq!((&deleted["items"][0]["id"], &deleted["items"][0]["is_deleted"]), (&json!(id), &json!(true)));
        merchant.get("/payment-services/not-a-uuid").await.problems(404, "not_found");
    })
    .await;
}

#[tokio::test]
async fn the_list_is_filtered_and_paged() {
    on_each_engine(async |server| {
        let merchant = server.merchant();
        let (card, ideal) = (simulated_adyen(server, "adyen-card").await, simulated_adyen(server, "adyen-ideal").await);
        let ids = async |query: &str| {
            let page = merchant.get(&format!("/payment-services?{query}")).await.expect(200);
            page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids("").await, [ideal.clone(), card.clone()]);
        assert_eq!(ids("method=card").await, std::slice::from_ref(&card));
        assert_eq!(ids("method=pix&unknown=ignored").await, Vec::<String>::new());
        let first = merchant.get("/payment-services?limit=1&method=").await;
        assert!(matches!(first.status, 200 | 400));
        assert_eq!(merchant.get("/payment-services?method=nonsense&deleted=perhaps&limit=0").await.problems(400, "bad_request").len(), 3);
        let page = merchant.get("/payment-services?limit=1").await.expect(200);
        let next = merchant.get(&format!("/payment-services?limit=1&cursor={}", page["next_cursor"].as_str().unwrap())).await.expect(200);
        assert_eq!((&next["items"][0]["id"], &next["next_cursor"]), (&json!(card), &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn verification_tells_good_credentials_from_bad() {
    on_each_engine(async |server| {
        let verify = async |definition: &str, fields: &[(&str, &str)]| {
            let fields: Vec<Value> = fields.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
            server
                .merchant()
                .post("/payment-services/verify", &json!({ "payment_service_definition_id": definition, "fields": fields }))
                .await
        };
        for (definition, good, bad) in [
            ("adyen-card", [("api_key", "k"), ("merchant_account", "M")], ("api_key", "invalid-key")),
            ("paypal-paypal", [("client_id", "c"), ("client_secret", "s")], ("client_secret", "invalid-secret")),
            ("braintree-card", [("public_key", "p"), ("private_key", "k")], ("private_key", "invalid-key")),
        ] {
            let with_mode = |fields: &[(&'static str, &'static str)]| [fields, &[("mode", "simulator")]].concat();
            assert_eq!(verify(definition, &with_mode(&good)).await.expect(200), json!({}), "{definition}");
            let wrong: Vec<_> = good.iter().map(|(key, value)| if *key == bad.0 { bad } else { (*key, *value) }).collect();
            let problems = verify(definition, &with_mode(&wrong)).await.problems(400, "bad_request");
            assert!(
                !problems.is_empty() && problems.iter().all(|problem| problem.starts_with("/fields/") && problem.ends_with(" value_error")),
                "{definition}: {problems:?}"
            );
        }
        assert_eq!(
            verify("mock-card", &[("merchant_id", "m")]).await.problems(400, "bad_request"),
            ["/payment_service_definition_id not_supported"]
        );
        assert_eq!(verify("nobody-card", &[]).await.problems(400, "bad_request"), ["/payment_service_definition_id unknown_reference"]);
    })
    .await;
}

#[tokio::test]
async fn verification_fills_in_what_is_stored() {
    on_each_engine(async |server| {
        let id = simulated_adyen(server, "adyen-card").await;
        let verify = async |definition: &str, fields: Value| {
            server
                .merchant()
                .post(
                    "/payment-services/verify",
                    &json!({ "payment_service_definition_id": definition, "payment_service_id": id, "fields": fields }),
                )
                .await
        };
        verify("adyen-card", json!([])).await.expect(200);
        let refused = verify("adyen-card", json!([{ "key": "api_key", "value": "invalid" }])).await.problems(400, "bad_request");
        assert_eq!(refused, ["/fields/0 value_error"]);
        assert_eq!(verify("adyen-ideal", json!([])).await.problems(400, "bad_request"), ["/payment_service_id conflict"]);
    })
    .await;
}

#[tokio::test]
async fn an_inactive_service_creates_no_sessions() {
    on_each_engine(async |server| {
        let id = simulated_adyen(server, "adyen-card").await;
        let path = format!("/payment-services/{id}");
        server.merchant().put(&path, &json!({ "active": false })).await.expect(200);
        assert_eq!(
            server.merchant().post_text(&format!("{path}/sessions"), "nonsense").await.problems(400, "bad_request"),
            ["payment_service_id not_supported"]
        );
        let mock = server.merchant().post("/payment-services", &service("mock-card", &[("merchant_id", "anything")])).await.expect(201);
        let path = format!("/payment-services/{}/sessions", mock["id"].as_str().unwrap());
        assert_eq!(server.merchant().post_text(&path, "nonsense").await.problems(400, "bad_request"), ["payment_service_id not_supported"]);
    })
    .await;
}
