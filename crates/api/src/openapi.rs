//! Our OpenAPI 3.1 document, made of the same table that the router is made of.

pub(crate) mod operation;
mod schema;
mod schemas;

use operation::{Account, Body, Operation, PathParameter};
use serde_json::{Map, Value, json};

use crate::error::{DOCUMENTED, Success};
use crate::idempotency::IDEMPOTENCY_KEY;
use crate::routes;

/// Our document: what this server answers to, in the words of the API it speaks.
pub fn openapi() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in routes::documented() {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = path {
            methods.insert(operation.method.as_str().to_ascii_lowercase(), describe(&operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tollhouse",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A self-hosted payment orchestration server that speaks the Gr4vy API.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {
                "BearerToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A JSON Web Token that the caller signs with the private half of an API key pair (ES512).",
                },
            },
        },
    })
}

fn describe(operation: &Operation) -> Value {
    let mut described = json!({
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": operation.id,
        "security": [{ "BearerToken": [operation.permission.as_str()] }],
        "parameters": parameters(operation),
        "responses": responses(operation.success),
    });
    if let (Some(schema), Value::Object(members)) = (body_schema(operation.body), &mut described) {
        let body = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        members.insert("requestBody".to_owned(), body);
    }
    described
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let path = operation.path_parameter().map(|PathParameter { name, uuid }| {
        let schema = if uuid { schema::uuid() } else { schema::string() };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    let query = operation.query.iter().map(
        |parameter| json!({ "name": parameter.name, "in": "query", "required": false, "schema": (parameter.schema)(), "description": parameter.about }),
    );
    let header = (operation.account == Account::Declared).then(|| {
        json!({
            "name": "x-gr4vy-merchant-account-id", "in": "header", "required": false, "schema": schema::nullable(schema::string()),
            "description": "The merchant account to act in. Absent: the only account of the key pair, else `default`.",
        })
    });
    let key = operation.takes_idempotency_key().then(|| {
        json!({
            "name": IDEMPOTENCY_KEY.as_str(), "in": "header", "required": false, "schema": schema::nullable(schema::string()),
            "description": "1 to 255 printable characters that name this request: sent again with the same body within 24 hours, it is carried out once and answered the same (`idempotent-replayed: true`). While it is being carried out the answer is 409 `concurrent_request`.",
        })
    });
    path.into_iter().chain(query).chain(header).chain(key).collect()
}

fn body_schema(body: Body) -> Option<Value> {
    match body {
        Body::None => None,
        Body::AnyObject => Some(schema::any_object()),
        Body::Schema(name) => Some(schema::reference(name)),
    }
}

fn responses(success: Success) -> Value {
    let mut responses = Map::new();
    let mut answer = json!({ "description": "Done." });
    if let Value::Object(members) = &mut answer {
        let schema = match success {
            Success::Ok(name) | Success::Created(name) => Some(schema::reference(name)),
            Success::OkAnything => Some(json!({})),
            Success::NoContent => None,
        };
        if let Some(schema) = schema {
            members.insert("content".to_owned(), json!({ "application/json": { "schema": schema } }));
        }
    }
    responses.insert(success.status().as_str().to_owned(), answer);
    for (status, _, message) in DOCUMENTED {
        let refusal = json!({ "description": message, "content": { "application/json": { "schema": schema::reference("Error") } } });
        responses.insert(status.as_str().to_owned(), refusal);
    }
    Value::Object(responses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(name)) = members.get("$ref") {
                    found.push(name.clone());
                }
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(elements) => elements.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_no_schema_is_left_over() {
        let document = openapi();
        let mut found = Vec::new();
        references(&document, &mut found);
        for name in &found {
            assert!(document.pointer(name.trim_start_matches('#')).is_some(), "{name} is not there");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(found.iter().any(|reference| reference.ends_with(&format!("/{name}"))), "{name} is not used");
        }
    }

    #[test]
    fn the_operations_are_those_of_this_release() {
        let document = openapi();
        let mut ids: Vec<&str> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|methods| methods.as_object().unwrap().values())
            .map(|operation| operation["operationId"].as_str().unwrap())
            .collect();
        ids.sort_unstable();
        assert_eq!(
            ids,
            [
                "create_api_key_pair",
                "create_merchant_account",
                "create_payment_service",
                "create_payment_service_definition_session",
                "create_payment_service_session",
                "delete_api_key_pair",
                "delete_payment_service",
                "get_api_key_pair",
                "get_merchant_account",
                "get_payment_service",
                "get_payment_service_definition",
                "get_payment_service_session",
                "list_api_key_pairs",
                "list_audit_logs",
                "list_merchant_accounts",
                "list_payment_service_definitions",
                "list_payment_service_sessions",
                "list_payment_services",
                "list_roles",
                "update_api_key_pair",
                "update_merchant_account",
                "update_payment_service",
                "verify_payment_service_credentials",
            ]
        );
    }

    #[test]
    fn every_scope_is_one_that_the_api_lists() {
        for operation in routes::documented() {
            let scope = operation.permission.as_str();
            assert!(domain::Permission::known().any(|known| known == scope), "{scope}");
        }
    }
}
