//! Who is calling, and for which merchant account.

use serde_json::{Value, json};
use testkit::token::{Key, now_seconds};

use crate::api_key_pairs::{bound_to, with_role};
use crate::support::{on_each_engine, service, simulated_adyen};

const MESSAGE: &str = "No valid API authentication found";

#[tokio::test]
async fn every_wrong_token_gets_the_same_answer() {
    on_each_engine(async |server| {
        let now = now_seconds();
        let header = |changed: Value| {
            let mut header = json!({ "alg": "ES512", "typ": "JWT", "kid": server.key.thumbprint() });
            header.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
            header
        };
        let claims = json!({ "iss": "t", "nbf": now, "exp": now + 30, "jti": "j", "scopes": ["*.read"] });
        let stranger = Key::generate();
        let good = server.key.token(&["*.read"]);
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let tokens = [
            ("nothing", String::new()),
            ("no dots", "abc".to_owned()),
            ("signature missing", format!("{signed}.")),
            ("signature cut", format!("{signed}.{}", &signature[..signature.len() - 4])),
            ("signature padded", format!("{good}==")),
            ("signature of another token", format!("{}.{signature}", server.key.token(&["*.write"]).rsplit_once('.').unwrap().0)),
            ("unknown key", stranger.token(&["*.read"])),
            ("foreign signature under a known kid", stranger.sign(&header(json!({})), &claims)),
            ("alg none", server.key.sign(&header(json!({ "alg": "none" })), &claims)),
            ("alg HS256", server.key.sign(&header(json!({ "alg": "HS256" })), &claims)),
            ("alg ES256", server.key.sign(&header(json!({ "alg": "ES256" })), &claims)),
            ("crit", server.key.sign(&header(json!({ "crit": ["exp"] })), &claims)),
            ("kid of another kind", server.key.sign(&header(json!({ "kid": "../../etc/passwd" })), &claims)),
            ("expired", server.key.token_with(json!({ "scopes": ["*.read"], "exp": now - 31 }))),
            ("not yet", server.key.token_with(json!({ "scopes": ["*.read"], "nbf": now + 120 }))),
            ("no exp", server.key.token_with(json!({ "scopes": ["*.read"], "exp": null }))),
            ("no scopes", server.key.token_with(json!({}))),
            ("no jti", server.key.token_with(json!({ "scopes": ["*.read"], "jti": null }))),
            ("scopes of the wrong kind", server.key.token_with(json!({ "scopes": "*.read" }))),
        ];
        for (what, token) in tokens {
            let body = server.anonymous().token(token).get("/roles").await.expect(401);
            assert_eq!(
                (&body["code"], &body["message"], &body["details"]),
                (&json!("unauthorized"), &json!(MESSAGE), &json!([])),
                "{what}"
            );
        }
        server.anonymous().get("/roles").await.problems(401, "unauthorized");
        server.anonymous().header("authorization", "Basic Zm9vOmJhcg==").get("/roles").await.problems(401, "unauthorized");
        server.anonymous().header("authorization", &format!("bearer {good}")).get("/roles").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn the_clock_may_differ_a_little() {
    on_each_engine(async |server| {
        let now = now_seconds();
        for changed in [json!({ "exp": now - 15 }), json!({ "nbf": now + 45, "iat": now + 45, "exp": now + 90 }), json!({ "iat": null })] {
            let mut claims = json!({ "scopes": ["*.read"] });
            claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
            server.anonymous().token(server.key.token_with(claims)).get("/roles").await.expect(200);
        }
    })
    .await;
}

#[tokio::test]
async fn the_thumbprint_of_older_go_clients_is_taken_too() {
    on_each_engine(async |server| {
        // Three keys in four have a coordinate that begins with a zero byte.
        let key = std::iter::repeat_with(Key::generate).find(|key| key.thumbprint() != key.thumbprint_unpadded()).unwrap();
        let role = crate::api_key_pairs::role(server, "full-access").await;
        let body = json!({ "display_name": "go", "role_ids": [role], "public_key": key.public_pem() });
        server.merchant().post("/api-key-pairs", &body).await.expect(201);
        let now = now_seconds();
        let claims = json!({ "iss": "go", "nbf": now, "exp": now + 30, "jti": "j", "scopes": ["*.read"] });
        for kid in [key.thumbprint(), key.thumbprint_unpadded()] {
            let token = key.sign(&json!({ "alg": "ES512", "typ": "JWT", "kid": kid }), &claims);
            server.anonymous().token(token).get("/roles").await.expect(200);
        }
    })
    .await;
}

#[tokio::test]
async fn a_role_narrows_a_token() {
    on_each_engine(async |server| {
        let (key, _) = with_role(server, "processing-only", &[]).await;
        let caller = server.anonymous().token(key.token(&["*.read", "*.write"]));
        caller.get("/payment-service-definitions").await.expect(200);
        caller.get("/payment-services").await.problems(403, "forbidden");
        caller.post("/payment-services", &service("adyen-card", &[])).await.problems(403, "forbidden");
    })
    .await;
}

/// The table of how key and header decide the merchant account.
#[tokio::test]
async fn key_and_header_decide_the_account() {
    on_each_engine(async |server| {
        for id in ["a", "b"] {
            server.merchant().post("/merchant-accounts", &json!({ "id": id, "display_name": id })).await.expect(201);
        }
        for (account, name) in [("default", "in default"), ("a", "in a"), ("b", "in b")] {
            let mut body = service("adyen-card", &[("api_key", "k"), ("merchant_account", "M"), ("mode", "simulator")]);
            body["display_name"] = json!(name);
            server.merchant().for_account(account).post("/payment-services", &body).await.expect(201);
        }
        let (only_a, a_and_b) = (bound_to(server, &["a"]).await, bound_to(server, &["a", "b"]).await);
        let (with_default, all) = (bound_to(server, &["b", "default"]).await, bound_to(server, &[]).await);
        let cases: [(&Key, Option<&str>, Result<&str, u16>); 12] = [
            (&all, None, Ok("in default")),
            (&all, Some("a"), Ok("in a")),
            (&all, Some("nobody"), Err(404)),
            (&only_a, None, Ok("in a")),
            (&only_a, Some("a"), Ok("in a")),
            (&only_a, Some("b"), Err(403)),
            (&only_a, Some("nobody"), Err(403)),
            (&a_and_b, None, Err(403)),
            (&a_and_b, Some("b"), Ok("in b")),
            (&a_and_b, Some("default"), Err(403)),
            (&with_default, None, Ok("in default")),
            (&with_default, Some("b"), Ok("in b")),
        ];
        for (index, (key, header, expected)) in cases.into_iter().enumerate() {
            let mut caller = server.anonymous().token(key.token(&["*.read"]));
            if let Some(id) = header {
                caller = caller.for_account(id);
            }
            let reply = caller.get("/payment-services").await;
            let seen = (reply.status == 200).then(|| reply.json()["items"][0]["display_name"].as_str().unwrap().to_owned());
            assert_eq!(seen.as_deref().ok_or(reply.status), expected, "case {index}: {}", reply.text);
        }
        let unnamed = server.anonymous().token(a_and_b.token(&["*.read"])).get("/payment-services").await.expect(403);
        assert!(unnamed["message"].as_str().unwrap().contains("x-gr4vy-merchant-account-id"), "{unnamed}");
        let twice = server.merchant().for_account("a").for_account("b").get("/payment-services").await;
        assert!(matches!(twice.status, 400 | 403), "{}", twice.text);
        for strange in ["", "A", "a b", &"x".repeat(10_000)] {
            let reply = server.merchant().for_account(strange).get("/payment-services").await;
            assert!(matches!(reply.status, 400 | 403 | 404), "{strange:.20}: {}", reply.text);
        }
    })
    .await;
}

#[tokio::test]
async fn a_definition_session_goes_to_the_account_of_the_key() {
    on_each_engine(async |server| {
        server.merchant().post("/merchant-accounts", &json!({ "id": "a", "display_name": "a" })).await.expect(201);
        let body = service("adyen-card", &[("api_key", "k"), ("merchant_account", "OfAccountA"), ("mode", "simulator")]);
        server.merchant().for_account("a").post("/payment-services", &body).await.expect(201);
        let path = "/payment-service-definitions/adyen-card/sessions";
        let request = crate::support::adyen_request();
        server.merchant().post(path, &request).await.problems(404, "not_found");
        server.merchant().for_account("a").post(path, &request).await.expect(200);
        let key = bound_to(server, &["a"]).await;
        let session = server.anonymous().token(key.token(&["transactions.write"])).post(path, &request).await.expect(200);
        assert_eq!(session["status"], "succeeded");
    })
    .await;
}

#[tokio::test]
async fn another_account_does_not_exist() {
    on_each_engine(async |server| {
        server.merchant().post("/merchant-accounts", &json!({ "id": "theirs", "display_name": "Theirs" })).await.expect(201);
        let id = simulated_adyen(server, "adyen-card").await;
        let key = bound_to(server, &["theirs"]).await;
        let path = format!("/payment-services/{id}");
        let unknown = "/payment-services/3f0a8d70-2b6e-4c0e-9a9e-6a0b7a0d8b11";
        let caller = |scopes: &[&str]| server.anonymous().token(key.token(scopes));
        for (method, suffix, body) in [("GET", "", None), ("PUT", "", Some("{}")), ("DELETE", "", None), ("POST", "/sessions", Some("{}"))]
        {
            let call = async |path: &str| {
                caller(&["*.read", "*.write"]).send(method.parse().unwrap(), &format!("{path}{suffix}"), body.map(str::to_owned)).await
            };
            let (foreign, missing) = (call(&path).await, call(unknown).await);
            assert_eq!((foreign.status, &foreign.text), (404, &missing.text), "{method}{suffix}");
        }
        server.merchant().get(&path).await.expect(200);
    })
    .await;
}
