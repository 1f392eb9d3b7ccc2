//! What a token opens, for every operation of our document and every scope there is.

use serde_json::Value;
use testkit::promise::Promise;
use testkit::server::Server;

use crate::support::sqlite;

/// An operation as the document has it.
struct Operation {
    method: reqwest::Method,
    path: String,
    scope: String,
}

/// Every operation, with something in the place of what its path names.
fn operations() -> Vec<Operation> {
    let document = api::openapi();
    let mut operations = Vec::new();
    for (template, methods) in document["paths"].as_object().unwrap() {
        let segments = template.split('/').map(|segment| match segment {
            "{merchant_account_id}" => "default",
            "{payment_service_definition_id}" => "adyen-card",
            named if named.starts_with('{') => "3f0a8d70-2b6e-4c0e-9a9e-6a0b7a0d8b11",
            fixed => fixed,
        });
        let path = segments.collect::<Vec<_>>().join("/");
        for (method, operation) in methods.as_object().unwrap() {
            let [Value::Object(security)] = operation["security"].as_array().unwrap().as_slice() else { panic!("{template}: one way in") };
            let scopes = security["BearerToken"].as_array().unwrap();
            assert_eq!((security.len(), scopes.len()), (1, 1), "{template}");
            let method = method.to_uppercase().parse().unwrap();
            operations.push(Operation { method, path: path.clone(), scope: scopes[0].as_str().unwrap().to_owned() });
        }
    }
    operations
}

/// Asks with a body that no operation takes, so that nothing changes, and gives the status and the code of the answer.
async fn asked(client: &reqwest::Client, server: &Server, operation: &Operation, token: Option<&str>) -> (u16, Value) {
    let mut request = client.request(operation.method.clone(), format!("{}{}", server.base, operation.path));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if ["POST", "PUT"].contains(&operation.method.as_str()) {
        request = request.body("not even JSON");
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
    (status, body["code"].clone())
}

#[tokio::test]
async fn r37_every_operation_opens_to_its_own_scope_and_its_verb_s_wildcard_alone() {
    let promise = Promise::new("R37");
    let server = sqlite().start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (operations, mut cases) = (operations(), 0);
    assert!(operations.len() >= 23, "{}", operations.len());

    // Each scope of the API on its own, the words that look like one, and all but what opens.
    let known: Vec<&str> = domain::Permission::known().collect();
    assert!(known.len() >= 86 && known.contains(&"embed"), "{}", known.len());
    let strange = ["*", "*.*", "", "*.READ", "read", "*.read ", "roles", "roles.*", "Roles.Read"];
    let singles: Vec<&str> = known.iter().copied().chain(["*.read", "*.write"]).chain(strange).collect();
    let mut tokens: Vec<(Vec<&str>, String)> = singles.iter().map(|scope| (vec![*scope], server.key.token(&[scope]))).collect();
    tokens.push((Vec::new(), server.key.token(&[])));

    for operation in &operations {
        let (_, verb) = operation.scope.rsplit_once('.').unwrap();
        let wildcard = format!("*.{verb}");
        let opens = |scope: &str| scope == operation.scope || scope == wildcard;
        let closed: Vec<&str> = singles.iter().copied().filter(|scope| !opens(scope)).collect();
        // One that holds everything except what it would need.
        let everything_else = (closed.clone(), server.key.token(&closed));
        for (scopes, token) in tokens.iter().chain([&everything_else]) {
            let what = format!("{} {} with {scopes:?}", operation.method, operation.path);
            let (status, code) = asked(&client, &server, operation, Some(token)).await;
            if scopes.iter().any(|scope| opens(scope)) {
                assert!(matches!(status, 200 | 400 | 404), "{what}: {status}");
            } else {
                assert_eq!((status, code.as_str()), (403, Some("forbidden")), "{what}");
            }
            cases += 1;
        }
        let (status, code) = asked(&client, &server, operation, None).await;
        assert_eq!((status, code.as_str()), (401, Some("unauthorized")), "{} {}", operation.method, operation.path);
        cases += 1;
    }
    server.end().await;
    promise.kept(cases, &format!("{} operations of our document with {} lists of scopes each", operations.len(), tokens.len() + 1));
}
