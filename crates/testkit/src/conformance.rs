//! Holding answers against an OpenAPI document.
#![expect(clippy::indexing_slicing, reason = "test equipment fails by panicking")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

/// An OpenAPI 3.1 document that checks answers.
pub struct Conformance {
    document: Value,
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Conformance {
    /// Takes a whole document.
    pub fn new(document: Value) -> Self {
        Self { document, compiled: Mutex::default() }
    }

    /// Checks one answer. A path or method that the document does not have may only be answered with an error; an operation that it has, only with a status and a body that it declares.
    pub fn check(&self, method: &str, path: &str, status: u16, body: &str) -> Result<(), String> {
        let path = path.split('?').next().unwrap_or_default();
        let Some((template, operation)) = self.operation(&method.to_lowercase(), path) else {
            return if status >= 400 { Ok(()) } else { Err(format!("{method} {path} is not in the document and was answered {status}")) };
        };
        let Some(response) = operation["responses"].get(status.to_string()) else {
            return Err(format!("{method} {template} does not declare {status}"));
        };
        if response.get("content").is_none() {
            return if body.is_empty() { Ok(()) } else { Err(format!("{method} {template} declares no body for {status}")) };
        }
        // A JSON pointer inside a URI: braces may not stand there as they are.
        let escaped = template.replace('~', "~0").replace('/', "~1").replace('{', "%7B").replace('}', "%7D");
        let schema = format!("#/paths/{escaped}/{}/responses/{status}/content/application~1json/schema", method.to_lowercase());
        let value: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
        let problems: Vec<String> =
            self.validator(&schema).iter_errors(&value).map(|error| format!("{} at {}", error, error.instance_path())).collect();
        if problems.is_empty() { Ok(()) } else { Err(format!("{method} {template} {status}: {}", problems.join("; "))) }
    }

    /// The operation of a path: a template without parameters wins.
    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let paths = self.document["paths"].as_object().expect("a document has paths");
        let mut matching: Vec<(&String, &Value)> = paths.iter().filter(|(template, _)| matches(template, path)).collect();
        matching.sort_by_key(|(template, _)| template.matches('{').count());
        matching.into_iter().find_map(|(template, item)| Some((template.as_str(), item.get(method)?)))
    }

    fn validator(&self, schema: &str) -> Arc<Validator> {
        let mut compiled = self.compiled.lock().expect("no check panics while it holds the lock");
        let validator = compiled.entry(schema.to_owned()).or_insert_with(|| {
            let mut root = self.document.clone();
            root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
            root["$ref"] = json!(schema);
            Arc::new(jsonschema::validator_for(&root).expect("the document's schemas compile"))
        });
        validator.clone()
    }
}

fn matches(template: &str, path: &str) -> bool {
    let (expected, given): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    expected.len() == given.len() && expected.iter().zip(given).all(|(expected, given)| expected.starts_with('{') || *expected == given)
}
