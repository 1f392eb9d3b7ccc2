//! What reaches a payment service is what the caller wrote, and what it answers is what the caller gets.

use serde_json::{Value, json};
use testkit::provider::Reply;

use super::{ADYEN, on_stage};

#[tokio::test]
async fn bytes_survive_both_ways() {
    on_stage("adyen-card", &ADYEN, async |stage| {
        let answer = "{ \"b\":1.0,\n\t\"a\" : 18446744073709551616, \"\\u0061\":\"\\u00e9\\/\", \"b\":1e5 }";
        stage.provider.reply(Reply::json(201, answer));
        let body = "{ \"z\":10.00 ,\"y\":1.0,\"big\":184467440737095516160,\"e\":1E+5,\n  \"text\":\"\\u00e9\\/é\",\"dup\":{\"a\":1,\"a\":2},\"reference\":\"order-1\" }";
        let reply = stage.session(body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert!(reply.text.contains(&format!("\"response_body\":{answer}")), "{}", reply.text);
        let sent = &stage.provider.requests()[0];
        let expected = body.replace(" }", "");
        assert!(sent.text().starts_with(expected.trim_end()), "{}", sent.text());
        assert!(sent.text().contains(r#""merchantAccount":"ShopECOM""#), "{}", sent.text());
        let value: Value = serde_json::from_slice(&sent.body).unwrap();
        assert_eq!(value["merchantAccount"], "ShopECOM");
    })
    .await;
}

#[tokio::test]
async fn stored_credentials_win_however_the_caller_spells_them() {
    on_stage("adyen-card", &ADYEN, async |stage| {
        stage.provider.answer(|_| Reply::json(201, "{}"));
        for body in [r#"{"merchantAccount":"Evil","a":1}"#, r#"{"merchant\u0041ccount":"Evil"}"#, r#"{"merchantAccount":{"a":["Evil"]}}"#] {
            stage.session(body).await.expect(200);
            let sent = stage.provider.requests().pop().unwrap();
            let value: Value = serde_json::from_slice(&sent.body).unwrap();
            assert_eq!(value["merchantAccount"], "ShopECOM", "{}", sent.text());
            assert!(!sent.text().contains("Evil"), "{}", sent.text());
        }
        let before = stage.provider.requests().len();
        for body in [
            r#"{"merchantAccount":"Evil","merchantAccount":"Evil"}"#,
            r#"{"merchantAccount":"A","merchant\u0041ccount":"Evil"}"#,
            r#"{"a":1,"a":2}"#,
        ] {
            let problems = stage.session(body).await.problems(400, "bad_request");
            assert_eq!(problems.len(), 1, "{problems:?}");
        }
        assert_eq!(stage.provider.requests().len(), before, "a refused request is not sent");
    })
    .await;
}

#[tokio::test]
async fn a_method_is_named_where_the_caller_names_none() {
    on_stage("adyen-ideal", &ADYEN, async |stage| {
        stage.provider.answer(|_| Reply::json(201, "{}"));
        stage.session("{}").await.expect(200);
        stage.session(r#"{"allowedPaymentMethods":["scheme"]}"#).await.expect(200);
        let sent: Vec<Value> = stage.provider.requests().iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect();
        assert_eq!(sent[0], json!({ "merchantAccount": "ShopECOM", "allowedPaymentMethods": ["ideal"] }));
        assert_eq!(sent[1], json!({ "merchantAccount": "ShopECOM", "allowedPaymentMethods": ["scheme"] }));
    })
    .await;
}

#[tokio::test]
async fn adyen_gets_its_key_in_a_header() {
    on_stage("adyen-card", &ADYEN, async |stage| {
        stage.usual_session().await.expect(200);
        let sent = &stage.provider.requests()[0];
        assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/sessions"));
        assert_eq!(sent.header("x-api-key"), Some("canary-api-key-0123456789"));
        assert_eq!((sent.header("content-type"), sent.header("authorization")), (Some("application/json"), None));
        assert_eq!(uuid::Uuid::try_parse(sent.header("idempotency-key").unwrap()).unwrap().get_version_num(), 7);
        assert_eq!(stage.record().await["id"], sent.header("idempotency-key").unwrap());
        assert!(!stage.server.log().contains("canary"));
    })
    .await;
}

#[tokio::test]
async fn stripe_gets_a_nested_form() {
    on_stage("stripe-card", &[("secret_key", "sk_test_canary"), ("stripe_account", "acct_1")], async |stage| {
        stage.provider.answer(|_| Reply::json(200, r#"{"id":"pi_1","client_secret":"pi_1_secret_2","amount":1000,"currency":"eur"}"#));
        let body = r#"{"amount":1000,"currency":"eur","automatic_payment_methods":{"enabled":true},"metadata":{"order_id":"a b&c=d"},"list":[1.50,{"x":null}]}"#;
        assert_eq!(stage.session(body).await.expect(200)["response_body"]["client_secret"], "pi_1_secret_2");
        let sent = &stage.provider.requests()[0];
        assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v1/payment_intents"));
        assert_eq!(sent.header("authorization"), Some("Bearer sk_test_canary"));
        assert_eq!((sent.header("stripe-account"), sent.header("content-type")), (Some("acct_1"), Some("application/x-www-form-urlencoded")));
        assert!(sent.header("stripe-version").is_some());
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(&sent.body).into_owned().collect();
        let expected = [
            ("amount", "1000"),
            ("currency", "eur"),
            ("automatic_payment_methods[enabled]", "true"),
            ("metadata[order_id]", "a b&c=d"),
            ("list[0]", "1.50"),
            ("list[1][x]", ""),
        ];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let record = stage.record().await;
        assert_eq!((&record["amount"], &record["currency"], &record["reference"]), (&json!(1000), &json!("EUR"), &json!("a b&c=d")));
        assert!(!record.to_string().contains("secret_2"));
        for refused in [r#"{"amount":1,"currency":"eur","confirm":true}"#, r#"{"payment_method_data":{"card":{"number":"4111"}}}"#] {
            assert_eq!(stage.session(refused).await.problems(400, "bad_request").len(), 1, "{refused}");
        }
        assert_eq!(stage.provider.requests().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn one_stripe_definition_per_resource() {
    for (definition, target) in
        [("stripe-stripe", "/v1/checkout/sessions"), ("stripe-setup", "/v1/setup_intents"), ("stripe-klarna", "/v1/payment_intents")]
    {
        on_stage(definition, &[("secret_key", "sk_test_1")], async |stage| {
            stage.session("{}").await.expect(200);
            assert_eq!(stage.provider.requests().last().unwrap().target, target);
        })
        .await;
    }
}

#[tokio::test]
async fn klarna_gets_basic_and_braintree_a_wrapped_query() {
    on_stage("klarna-klarna", &[("username", "user"), ("password", "canary:pass"), ("region", "na")], async |stage| {
        stage.session("{}").await.expect(200);
        let sent = &stage.provider.requests()[0];
        assert_eq!((sent.target.as_str(), sent.header("authorization")), ("/payments/v1/sessions", Some("Basic dXNlcjpjYW5hcnk6cGFzcw==")));
        assert_eq!(sent.text(), "{}");
    })
    .await;
    on_stage("braintree-card", &[("public_key", "p"), ("private_key", "k"), ("merchant_account_id", "shop_eur")], async |stage| {
        stage.session(r#"{"customerId":"c1","merchantAccountId":"evil"}"#).await.expect(200);
        let sent = &stage.provider.requests()[0];
        assert_eq!((sent.target.as_str(), sent.header("authorization")), ("/graphql", Some("Basic cDpr")));
        let value: Value = serde_json::from_slice(&sent.body).unwrap();
        assert_eq!(value["variables"]["input"]["clientToken"], json!({ "customerId": "c1", "merchantAccountId": "shop_eur" }));
        assert!(value["query"].as_str().unwrap().contains("createClientToken") && sent.header("braintree-version").is_some());
    })
    .await;
}

#[tokio::test]
async fn an_echoed_secret_is_masked() {
    on_stage("adyen-card", &ADYEN, async |stage| {
        stage.provider.reply(Reply::json(403, r#"{"message":"key canary-api-key-0123456789 may not"}"#));
        let reply = stage.usual_session().await;
        assert_eq!(reply.json()["response_body"]["message"], "key ************************* may not");
        assert!(!reply.text.contains("canary"));
    })
    .await;
}

#[tokio::test]
async fn values_can_not_leave_their_place() {
    on_stage("stripe-card", &[("secret_key", "sk_test_1")], async |stage| {
        stage.session(r#"{"a]&amount=1&b[":"x","c=d":"y","amount":5}"#).await.expect(200);
        let sent = stage.provider.requests().pop().unwrap();
        let names: Vec<String> = url::form_urlencoded::parse(&sent.body).map(|(name, _)| name.into_owned()).collect();
        assert_eq!(names.iter().filter(|name| *name == "amount").count(), 1, "{}", sent.text());
        let fields = |account: &str| {
            crate::support::service("stripe-card", &[("secret_key", "sk_test_1"), ("stripe_account", account), ("mode", "sandbox")])
        };
        for account in ["acct_1\r\nX-Evil: 1", "acct_1/../..", "evil"] {
            assert_eq!(
                stage.server.merchant().post("/payment-services", &fields(account)).await.problems(400, "bad_request"),
                ["/fields/1 pattern_mismatch"]
            );
        }
    })
    .await;
}
