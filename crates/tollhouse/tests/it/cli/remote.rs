//! Commands that ask a server.

use serde_json::{Value, json};
use testkit::provider::{Options, Provider, Reply};

use super::{Shell, ids, simulated};
use crate::support::{adyen_request, on_each_engine, simulated_adyen, sqlite};

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

    for target in [["payment-service-definitions", "session", "adyen-card"], ["payment-services", "session", id]] {
        provider.reply(Reply::json(422, r#"{"errorCode":"130"}"#));
        let failed = shell.run(&[&target[..], &["--data", body]].concat()).await.expect(1);
        assert_eq!(
            failed.json(),
            json!({ "type": "payment-service-session", "status": "failed", "code": "INVALID_SERVICE_REQUEST", "status_code": 422,
                    "response_body": { "errorCode": "130" } }),
            "a failed session is data, and code 1"
        );
        assert_eq!(failed.words, "");
    }
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
    let words = shell.run(&["payment-services", "list", "--merchant-account", "elsewhere"]).await.refused(1);
    assert!(words.contains("HTTP 40"), "{words}");
    let shop = r#"{"id":"shop","display_name":"Shop"}"#;
    shell.run(&["merchant-accounts", "create", "--data", shop]).await.data();
    let words = shell.run(&["merchant-accounts", "create", "--data", shop]).await.refused(1);
    assert!(words.contains("HTTP 409") && words.contains("the existing record is shop"), "{words}");
    // Nobody is there.
    let nowhere = ["--url", "http://127.0.0.1:1"];
    let words = shell.run(&[&["payment-services", "delete", unknown][..], &nowhere].concat()).await.refused(1);
    assert!(words.contains("http://127.0.0.1:1/payment-services/") && words.contains("refused"), "{words}");
    server.end().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_command_line_is_said_before_anything_is_sent() {
    let server = sqlite().start().await;
    let shell = Shell::of(&server);
    let id = simulated_adyen(&server, "adyen-ideal").await;
    for (arguments, expected) in [
        (["payment-services", "session", &id, "--data", "[1]"].as_slice(), "does not hold a JSON object"),
        (&["payment-services", "session", &id, "--data", "{"], "does not hold JSON"),
        (&["payment-services", "session", &id, "--data", ""], "--data"),
        (&["payment-services", "session", &id, "--data", "@missing.json"], "missing.json can not be read"),
        (&["payment-services", "session", "7", "--data", "{}"], "invalid value '7'"),
        (&["payment-services", "list", "--key-file", "missing.pem"], "missing.pem"),
        (&["payment-services", "list", "--url", "ftp://x"], "ftp://x"),
        (&["payment-services", "list", "--merchant-account", "a b"], "`a b` can not be a merchant account id"),
        (&["payment-service-definitions", "get", ".."], "`..` can not be an id"),
    ] {
        let words = shell.run(arguments).await.refused(2);
        assert!(words.contains(expected), "{arguments:?}: {words}");
    }
    assert_eq!(server.merchant().get("/payment-service-sessions").await.expect(200)["items"], json!([]));
    server.end().await;
}

#[tokio::test]
async fn payment_services_are_made_listed_verified_and_deleted() {
    on_each_engine(async |server| {
        let shell = Shell::of(server);
        let mut made = Vec::new();
        for _ in 0..3 {
            let created = shell.feed(&["payment-services", "create", "--data", "-"], &simulated().to_string()).await.expect(0);
            assert!(!created.out.contains("test-key"), "{}", created.out);
            made.insert(0, created.json()["id"].as_str().unwrap().to_owned());
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
        assert_eq!((good.out.trim(), good.words.as_str()), ("{}", ""));
        let words = shell.run(&["payment-services", "verify", "--data", &verify("invalid-canary-key")]).await.refused(1);
        assert!(words.contains("HTTP 400") && words.contains("body /fields/0: ") && !words.contains("canary"), "{words}");
        // The fields that a stored service has need not be repeated.
        let stored = |key: &str| {
            let fields = json!([{ "key": "api_key", "value": key }]);
            json!({ "payment_service_definition_id": "adyen-card", "payment_service_id": id, "fields": fields }).to_string()
        };
        assert_eq!(shell.run(&["payment-services", "verify", "--data", &stored("good")]).await.data(), json!({}));
        let words = shell.run(&["payment-services", "verify", "--data", &stored("invalid")]).await.refused(1);
        assert!(words.contains("body /fields/0: "), "{words}");

        let gone = shell.run(&["payment-services", "delete", id]).await.expect(0);
        assert_eq!((gone.out.as_str(), gone.words.as_str()), ("", ""));
        shell.run(&["payment-services", "delete", id]).await.refused(1);
        assert_eq!(ids(&shell.run(&["payment-services", "list"]).await.data()), made[1..]);
        assert_eq!(ids(&shell.run(&["payment-services", "list", "--deleted"]).await.data()), made[..1]);
    })
    .await;
}

#[tokio::test]
async fn the_catalogue_and_the_records_are_the_server_s() {
    on_each_engine(async |server| {
        let shell = Shell::of(server);
        let get = async |path: &str| server.merchant().get(path).await.expect(200);
        assert_eq!(shell.run(&["payment-service-definitions", "list"]).await.data(), get("/payment-service-definitions").await);
        let page = shell.run(&["payment-service-definitions", "list", "--limit", "3"]).await.data();
        assert_eq!(page["limit"], 3);
        let cursor = page["next_cursor"].as_str().unwrap();
        let next = shell.run(&["payment-service-definitions", "list", "--limit", "3", "--cursor", cursor]).await.data();
        assert!(ids(&page).last() < ids(&next).first() && ids(&next).len() == 3);
        let ideal = shell.run(&["payment-service-definitions", "get", "adyen-ideal"]).await.data();
        assert_eq!(ideal, get("/payment-service-definitions/adyen-ideal").await);

        let list = async |filter: &[&str]| ids(&shell.run(&[&["payment-service-definitions", "list"], filter].concat()).await.data());
        let every = ids(&get("/payment-service-definitions?limit=100").await);
        let ideal = list(&["--method", "ideal"]).await;
        assert!(ideal.contains(&"adyen-ideal".to_owned()) && !ideal.contains(&"adyen-card".to_owned()), "{ideal:?}");
        let narrowed = list(&["--method", "ideal", "--currency", "eur", "--country", "NL", "--sessions"]).await;
        assert_eq!(narrowed, list(&["--method", "ideal", "--sessions"]).await);
        assert!(narrowed.len() < ideal.len() && !narrowed.contains(&"cybersource-ideal".to_owned()), "{narrowed:?}");
        assert!(list(&["--method", "ideal", "--currency", "USD"]).await.is_empty());
        let sessions = list(&["--sessions"]).await;
        assert!(
            sessions.len() > 3 && !sessions.contains(&"mock-card".to_owned()) && every.contains(&"mock-card".to_owned()),
            "{sessions:?}"
        );
        assert_eq!(list(&["--sessions", "--limit", "3"]).await, sessions[..3]);

        shell.run(&["payment-services", "create", "--data", &simulated().to_string()]).await.data();
        let session = &["payment-service-definitions", "session", "adyen-card", "--data"];
        let created = shell.run(&[&session[..], &[&adyen_request().to_string()]].concat()).await.data();
        let data = created["response_body"]["sessionData"].as_str().unwrap();
        assert!(data.len() > 20, "a pipe gets the answer as it came: {data}");
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
        for filter in [["--definition", "adyen-card"], ["--payment-service", &text("payment_service_id")], ["--since", &text("created_at")]]
        {
            assert_eq!(of(&filter).await, [second.as_str(), &first], "{filter:?}");
        }
        assert_eq!(of(&["--definition", "adyen-card", "--status", "failed", "--limit", "1"]).await, [second.as_str()]);
        assert_eq!(shell.run(&["sessions", "get", &first]).await.data(), all["items"][1]);
    })
    .await;
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
    let account = shell.run(&["merchant-accounts", "create", "--data", &shop, "--url", &server.base]).await.data();
    assert_eq!(account["id"], "shop");
    let found = shell.run(&["merchant-accounts", "list", "--search", "shop", "--url", &server.base]).await.data();
    assert_eq!(ids(&found), ["shop"]);

    let there = ["--merchant-account", "shop", "--url", &server.base];
    let of_shop = |arguments: &[&str]| arguments.iter().chain(&there).map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let run = async |arguments: &[&str]| {
        let arguments = of_shop(arguments);
        shell.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    let mut service = simulated();
    service["fields"][1]["value"] = json!("Shop");
    let created = run(&["payment-services", "create", "--data", &service.to_string()]).await.data();
    assert_eq!(created["merchant_account_id"], "shop");
    let id = created["id"].as_str().unwrap();
    assert_eq!(run(&["payment-services", "get", id]).await.data(), created);
    shell.run(&["payment-services", "get", id, "--url", &server.base]).await.refused(1);
    let listed = shell.run(&["payment-services", "--merchant-account", "shop", "list", "--url", &server.base]).await.data();
    assert_eq!(ids(&listed), [id], "an option of the whole command stands before the verb as well");
    let body = adyen_request().to_string();
    let session = run(&["payment-service-definitions", "session", "adyen-card", "--data", &body]).await.data();
    let answer = &session["response_body"];
    assert_eq!((&session["status"], &answer["reference"]), (&json!("succeeded"), &json!("order-1")));
    assert_eq!(answer["merchantAccount"], "Shop", "an account that is named is the one");
    assert_eq!(run(&["sessions", "list"]).await.data()["items"].as_array().map(Vec::len), Some(1));
    let elsewhere = shell.run(&["sessions", "list", "--url", &server.base]).await.data();
    assert_eq!(elsewhere["items"], Value::Array(Vec::new()), "records of one account are not those of another");
    server.end().await;
}
