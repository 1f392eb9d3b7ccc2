//! Commands that ask a server.

use serde_json::{Value, json};
use testkit::provider::{Options, Provider, Reply};

use super::{Shell, ids, simulated};
use crate::support::{adyen_request, sqlite};

#[tokio::test]
async fn a_session_from_the_shell_is_the_server_s_own_json() {
    let provider = Provider::start(Options::plain()).await;
    let server = sqlite().provider_at("adyen", &provider.url(""), None).start().await;
    let shell = Shell::of(&server);
    shell.write("service.json", &simulated().to_string().replace("simulator", "sandbox"));
    let created = shell.run(&["payment-services", "create", "--data", "@service.json"]).await.data();
    assert_eq!(created["payment_service_definition_id"], "adyen-card");
    let id = created["id"].as_str().unwrap();

    // What was written goes out byte for byte, and comes back so, from each of the three sources.
    let body = "{ \"amount\":{\"currency\":\"EUR\",\"value\":10.00}, \"reference\":\"caf\\u00e9\" }";
    let answer = r#"{"id":"CS1","big":18446744073709551616,"n":1.0}"#;
    shell.write("body.json", body);
    for (data, input) in [(body, ""), ("@body.json", ""), ("-", body)] {
        provider.reply(Reply::json(201, answer));
        let ran = shell.feed(&["payment-services", "session", id, "--data", data], input).await.expect(0);
        assert_eq!((ran.json()["status"].as_str(), ran.words.as_str()), (Some("succeeded"), ""), "{data}");
        assert!(ran.out.contains(answer) && ran.out.ends_with("}\n"), "{data}: {}", ran.out);
        let sent = provider.requests().pop().unwrap();
        assert!(sent.text().contains(r#""value":10.00}, "reference":"caf\u00e9""#), "{data}: {}", sent.text());
    }

    provider.reply(Reply::json(422, r#"{"errorCode":"130"}"#));
    let failed = shell.run(&["payment-service-definitions", "session", "adyen-card", "--data", body]).await.expect(1);
    assert_eq!(
        failed.json(),
        json!({ "type": "payment-service-session", "status": "failed", "code": "INVALID_SERVICE_REQUEST", "status_code": 422,
                "response_body": { "errorCode": "130" } }),
        "a failed session is data, and code 1"
    );
    assert_eq!(failed.words, "");
    server.end().await;
}

#[tokio::test]
async fn a_refusal_says_where_and_with_which_request() {
    let server = sqlite().start().await;
    let shell = Shell::of(&server);
    let words = shell.run(&["payment-services", "create", "--data", r#"{"display_name":5}"#]).await.refused(1);
    assert!(words.contains("HTTP 400, bad_request") && words.contains("body /display_name: "), "{words}");
    assert!(words.contains("/accepted_currencies") && words.contains("request id "), "every member: {words}");
    let unknown = "00000000-0000-4000-8000-000000000000";
    for arguments in [
        &["payment-services", "session", unknown, "--data", "{}"][..],
        &["payment-service-definitions", "session", "adyen-card", "--data", "{}"],
        &["payment-service-definitions", "get", "nobody-card"],
        &["sessions", "get", unknown],
    ] {
        let words = shell.run(arguments).await.refused(1);
        assert!(words.contains("HTTP 404, not_found"), "{words}");
    }
    // What is wrong before anything is sent.
    for data in ["[1]", "{", "", "@missing.json"] {
        shell.run(&["payment-services", "session", unknown, "--data", data]).await.refused(2);
    }
    for option in [["--key-file", "missing.pem"], ["--url", "ftp://x"], ["--merchant-account", "no such id"]] {
        let words = shell.run(&[&["payment-services", "list"][..], &option].concat()).await.refused(2);
        assert!(words.contains(option[1]), "{words}");
    }
    let words = shell.run(&["payment-service-definitions", "get", ".."]).await.refused(2);
    assert!(words.contains(".."), "{words}");
    let words = shell.run(&["payment-services", "list", "--merchant-account", "elsewhere"]).await.refused(1);
    assert!(words.contains("HTTP 40"), "{words}");
    let words = shell.run(&["payment-services", "list", "--url", "http://127.0.0.1:1"]).await.refused(1);
    assert!(words.contains("127.0.0.1:1"), "{words}");
    server.end().await;
}

#[tokio::test]
async fn payment_services_are_made_listed_verified_and_deleted() {
    let server = sqlite().start().await;
    let shell = Shell::of(&server);
    let mut made = Vec::new();
    for _ in 0..3 {
        let created = shell.feed(&["payment-services", "create", "--data", "-"], &simulated().to_string()).await.data();
        made.insert(0, created["id"].as_str().unwrap().to_owned());
    }
    let list = shell.run(&["payment-services", "list"]).await.data();
    assert_eq!(list, server.merchant().get("/payment-services").await.expect(200));
    assert_eq!(ids(&list), made);
    let first = shell.run(&["payment-services", "list", "--limit", "2", "--method", "card"]).await.data();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = shell.run(&["payment-services", "list", "--limit", "2", "--method", "card", "--cursor", cursor]).await.data();
    assert_eq!([ids(&first), ids(&second)].concat(), made);
    let id = made[0].as_str();
    assert_eq!(shell.run(&["payment-services", "get", id]).await.data(), list["items"][0]);

    let verify = |key: &str| {
        json!({ "payment_service_definition_id": "adyen-card", "fields": [
            { "key": "api_key", "value": key }, { "key": "merchant_account", "value": "Shop" }, { "key": "mode", "value": "simulator" }] })
        .to_string()
    };
    let good = shell.run(&["payment-services", "verify", "--data", &verify("canary-good-key")]).await.expect(0);
    assert!(good.words.is_empty() && !good.out.contains("canary"), "{} {}", good.out, good.words);
    let words = shell.run(&["payment-services", "verify", "--data", &verify("invalid-canary-key")]).await.refused(1);
    assert!(words.contains("HTTP 400") && words.contains("/fields/0") && !words.contains("canary"), "{words}");

    let gone = shell.run(&["payment-services", "delete", id]).await.expect(0);
    assert_eq!((gone.out.as_str(), gone.words.as_str()), ("", ""));
    assert_eq!(ids(&shell.run(&["payment-services", "list"]).await.data()), made[1..]);
    assert_eq!(ids(&shell.run(&["payment-services", "list", "--deleted"]).await.data()), made[..1]);
    server.end().await;
}

#[tokio::test]
async fn the_catalogue_and_the_records_are_the_server_s() {
    let server = sqlite().start().await;
    let shell = Shell::of(&server);
    let get = async |path: &str| server.merchant().get(path).await.expect(200);
    assert_eq!(shell.run(&["payment-service-definitions", "list"]).await.data(), get("/payment-service-definitions").await);
    let page = shell.run(&["payment-service-definitions", "list", "--limit", "3"]).await.data();
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = shell.run(&["payment-service-definitions", "list", "--limit", "3", "--cursor", cursor]).await.data();
    assert!(ids(&page).last() < ids(&next).first() && ids(&next).len() == 3);
    let ideal = shell.run(&["payment-service-definitions", "get", "adyen-ideal"]).await.data();
    assert_eq!(ideal, get("/payment-service-definitions/adyen-ideal").await);

    shell.run(&["payment-services", "create", "--data", &simulated().to_string()]).await.data();
    let session = &["payment-service-definitions", "session", "adyen-card", "--data"];
    let created = shell.run(&[&session[..], &[&adyen_request().to_string()]].concat()).await.data();
    let declined = shell.run(&[&session[..], &[r#"{"reference":"order-2","x":"simulate:429"}"#]].concat()).await.expect(1).json();
    assert_eq!(declined["code"], "SERVICE_RATE_LIMIT");

    let all = shell.run(&["sessions", "list"]).await.data();
    assert_eq!(all, get("/payment-service-sessions").await);
    assert_eq!(all["items"][1]["service_session_id"], created["response_body"]["id"]);
    let of = async |filter: &[&str]| ids(&shell.run(&[&["sessions", "list"][..], filter].concat()).await.data());
    let (second, first) = (ids(&all)[0].clone(), ids(&all)[1].clone());
    let text = |name: &str| all["items"][1][name].as_str().unwrap().to_owned();
    for filter in [
        ["--reference", "order-1"],
        ["--status", "succeeded"],
        ["--request", &text("request_id")],
        ["--service-session", &text("service_session_id")],
        ["--until", &text("created_at")],
    ] {
        assert_eq!(of(&filter).await, [first.as_str()], "{filter:?}");
    }
    assert_eq!(of(&["--code", "SERVICE_RATE_LIMIT"]).await, [second.as_str()]);
    for filter in [["--definition", "adyen-card"], ["--payment-service", &text("payment_service_id")], ["--since", &text("created_at")]] {
        assert_eq!(of(&filter).await, [second.as_str(), &first], "{filter:?}");
    }
    assert_eq!(of(&["--definition", "adyen-card", "--status", "failed", "--limit", "1"]).await, [second.as_str()]);
    assert_eq!(shell.run(&["sessions", "get", &first]).await.data(), all["items"][1]);
    server.end().await;
}

#[tokio::test]
async fn the_defaults_are_those_of_dev_and_options_win_over_variables() {
    let server = sqlite().start().await;
    let key = std::fs::read_to_string(server.plan.file("private_key.pem")).unwrap();
    let shell = Shell::new().with("TOLLHOUSE_URL", "http://127.0.0.1:1");
    shell.write("tollhouse-data/private_key.pem", &key);
    let accounts = shell.run(&["merchant-accounts", "list", "--url", &server.base, "--json"]).await.data();
    assert_eq!(ids(&accounts), ["default"]);
    let shop = json!({ "id": "shop", "display_name": "Shop" }).to_string();
    assert_eq!(
        shell.run(&["--url", &server.base, "merchant-accounts", "create", "--data", &shop]).await.code,
        2,
        "options follow the command"
    );
    shell.run(&["merchant-accounts", "create", "--data", &shop, "--url", &server.base]).await.data();
    let found = shell.run(&["merchant-accounts", "list", "--search", "shop", "--url", &server.base]).await.data();
    assert_eq!(ids(&found), ["shop"]);

    let there = ["--merchant-account", "shop", "--url", &server.base];
    let of_shop = |arguments: &[&str]| arguments.iter().chain(&there).map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let run = async |arguments: &[&str]| {
        let arguments = of_shop(arguments);
        shell.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    let created = run(&["payment-services", "create", "--data", &simulated().to_string()]).await.data();
    assert_eq!(created["merchant_account_id"], "shop");
    let body = adyen_request().to_string();
    assert_eq!(run(&["payment-service-definitions", "session", "adyen-card", "--data", &body]).await.data()["status"], "succeeded");
    assert_eq!(run(&["sessions", "list"]).await.data()["items"].as_array().map(Vec::len), Some(1));
    let elsewhere = shell.run(&["sessions", "list", "--url", &server.base]).await.data();
    assert_eq!(elsewhere["items"], Value::Array(Vec::new()), "records of one account are not those of another");
    server.end().await;
}
