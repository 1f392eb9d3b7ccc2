//! Compares our OpenAPI document with the contract's, for the operations that we have.
//!
//! Both are read as JSON and compared by what a client can observe: path, method, operation id, parameters, request body and success answer, down to types, enums, constants, limits, required members and nullability. Names of schemas, titles, descriptions and examples are free. A difference is an error unless `openapi-allowed.toml` names it and says why; a line there that no longer describes a difference is an error too.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Deeper than this no schema of an API goes, unless it contains itself.
const DEPTH_MAX: usize = 24;

/// What is compared of a schema as it stands. Everything else is either compared member by member or is prose.
const LITERAL_KEYS: [&str; 12] = [
    "type",
    "const",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "uniqueItems",
    "multipleOf",
];

/// One place where our document and the contract's are not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// `POST /payment-services 201 .fields[].key`.
    pub(crate) at: String,
    /// Ours and theirs.
    pub(crate) what: String,
}

/// A difference that is on purpose.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allowed {
    /// The place, as a difference names it.
    pub(crate) at: String,
    /// Why. Checked to be there, for people.
    pub(crate) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowList {
    allowed: Vec<Allowed>,
}

/// Our document against the contract's, with the allow-list of this crate.
pub(crate) fn against(contract: &Value) -> Result<Vec<String>> {
    let list: AllowList = toml::from_str(include_str!("../openapi-allowed.toml")).context("openapi-allowed.toml can not be read")?;
    let differences = compare(&api::openapi(), contract, &list.allowed);
    Ok(differences.into_iter().map(|difference| format!("{}: {}", difference.at, difference.what)).collect())
}

/// What differs and is not allowed to.
pub(crate) fn compare(ours: &Value, contract: &Value, allow: &[Allowed]) -> Vec<Difference> {
    let mut comparison = Comparison { ours, contract, found: Vec::new() };
    for (path, method, operation) in operations(ours) {
        comparison.operation(path, method, operation);
    }
    let found = comparison.found;
    let mut left: Vec<Difference> = found.iter().filter(|difference| !allow.iter().any(|a| a.at == difference.at)).cloned().collect();
    for allowed in allow {
        if !found.iter().any(|difference| difference.at == allowed.at) {
            left.push(Difference { at: allowed.at.clone(), what: "is on the allow-list and is no difference".to_owned() });
        }
        if allowed.reason.trim().is_empty() {
            left.push(Difference { at: allowed.at.clone(), what: "is on the allow-list without a reason".to_owned() });
        }
    }
    left
}

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let mut found = Vec::new();
    for (path, methods) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            found.push((path.as_str(), method.as_str(), operation));
        }
    }
    found
}

struct Comparison<'a> {
    ours: &'a Value,
    contract: &'a Value,
    found: Vec<Difference>,
}

/// A schema without references and with null set apart.
#[derive(Default)]
struct Flat {
    nullable: bool,
    variants: Vec<Map<String, Value>>,
}

// === impl Comparison ===

impl Comparison<'_> {
    fn operation(&mut self, path: &str, method: &str, ours: &Value) {
        let at = format!("{} {path}", method.to_ascii_uppercase());
        let contract = self.contract;
        let Some(theirs) = contract.get("paths").and_then(|paths| paths.get(path)).and_then(|methods| methods.get(method)) else {
            self.note(&at, "the contract has no such operation");
            return;
        };
        self.equal(&format!("{at} operationId"), ours.get("operationId"), theirs.get("operationId"));
        self.parameters(&at, ours, theirs);
        self.body(&at, ours.get("requestBody"), theirs.get("requestBody"));
        let (our_answers, their_answers) = (successes(ours), successes(theirs));
        let statuses: BTreeSet<&str> = our_answers.keys().chain(their_answers.keys()).copied().collect();
        for status in statuses {
            match (our_answers.get(status), their_answers.get(status)) {
                (Some(ours), Some(theirs)) => self.content(&format!("{at} {status}"), ours, theirs),
                (Some(_), None) => self.note(&format!("{at} {status}"), "only ours has this answer"),
                (None, Some(_)) => self.note(&format!("{at} {status}"), "only the contract has this answer"),
                (None, None) => {}
            }
        }
    }

    fn parameters(&mut self, at: &str, ours: &Value, theirs: &Value) {
        let (ours, theirs) = (parameters(ours), parameters(theirs));
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for name in names {
            let at = format!("{at} parameter {name}");
            match (ours.get(name), theirs.get(name)) {
                (Some(ours), Some(theirs)) => {
                    self.equal(&format!("{at} required"), ours.get("required"), theirs.get("required"));
                    self.schema(&at, ours.get("schema"), theirs.get("schema"), 0);
                }
                (Some(_), None) => self.note(&at, "only ours has this parameter"),
                (None, Some(_)) => self.note(&at, "only the contract has this parameter"),
                (None, None) => {}
            }
        }
    }

    fn body(&mut self, at: &str, ours: Option<&Value>, theirs: Option<&Value>) {
        let at = format!("{at} body");
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => {
                self.equal(&format!("{at} required"), ours.get("required"), theirs.get("required"));
                self.content(&at, ours, theirs);
            }
            (Some(_), None) => self.note(&at, "only ours has a body"),
            (None, Some(_)) => self.note(&at, "only the contract has a body"),
            (None, None) => {}
        }
    }

    fn content(&mut self, at: &str, ours: &Value, theirs: &Value) {
        let (ours, theirs) = (media_types(ours), media_types(theirs));
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for name in names {
            match (ours.get(name), theirs.get(name)) {
                (Some(ours), Some(theirs)) => self.schema(at, ours.get("schema"), theirs.get("schema"), 0),
                (Some(_), None) => self.note(at, &format!("only ours has content of type {name}")),
                (None, Some(_)) => self.note(at, &format!("only the contract has content of type {name}")),
                (None, None) => {}
            }
        }
    }

    fn schema(&mut self, at: &str, ours: Option<&Value>, theirs: Option<&Value>, depth: usize) {
        if depth > DEPTH_MAX {
            self.note(at, "goes too deep to be compared");
            return;
        }
        let (ours, theirs) = match (ours, theirs) {
            (Some(ours), Some(theirs)) => (ours, theirs),
            (None, None) => return,
            (ours, theirs) => return self.equal(at, ours, theirs),
        };
        let ours = flatten(self.ours, ours);
        let theirs = flatten(self.contract, theirs);
        if ours.nullable != theirs.nullable {
            self.note(&format!("{at} nullable"), &format!("ours {}, the contract {}", ours.nullable, theirs.nullable));
        }
        if ours.variants.len() != theirs.variants.len() {
            self.note(at, &format!("ours has {} variants, the contract {}", ours.variants.len(), theirs.variants.len()));
            return;
        }
        for (ours, theirs) in ours.variants.iter().zip(&theirs.variants) {
            self.variant(at, ours, theirs, depth);
        }
    }

    fn variant(&mut self, at: &str, ours: &Map<String, Value>, theirs: &Map<String, Value>, depth: usize) {
        for key in LITERAL_KEYS {
            self.equal(&format!("{at} {key}"), ours.get(key), theirs.get(key));
        }
        for key in ["enum", "required"] {
            self.same_words(&format!("{at} {key}"), ours.get(key), theirs.get(key));
        }
        self.schema(&format!("{at}[]"), ours.get("items"), theirs.get("items"), depth + 1);
        self.schema(&format!("{at} propertyNames"), ours.get("propertyNames"), theirs.get("propertyNames"), depth + 1);
        self.schema(&format!("{at}.*"), open(ours), open(theirs), depth + 1);
        let (ours, theirs) = (properties(ours), properties(theirs));
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for name in names {
            let at = format!("{at}.{name}");
            match (ours.get(name), theirs.get(name)) {
                (Some(ours), Some(theirs)) => self.schema(&at, Some(ours), Some(theirs), depth + 1),
                (Some(_), None) => self.note(&at, "only ours has this member"),
                (None, Some(_)) => self.note(&at, "only the contract has this member"),
                (None, None) => {}
            }
        }
    }

    fn equal(&mut self, at: &str, ours: Option<&Value>, theirs: Option<&Value>) {
        if !same(ours, theirs) {
            self.note(at, &format!("ours {}, the contract {}", show(ours), show(theirs)));
        }
    }

    fn same_words(&mut self, at: &str, ours: Option<&Value>, theirs: Option<&Value>) {
        let words = |list: Option<&Value>| -> BTreeSet<String> {
            list.and_then(Value::as_array).into_iter().flatten().map(Value::to_string).collect()
        };
        let (ours, theirs) = (words(ours), words(theirs));
        for word in ours.difference(&theirs) {
            self.note(at, &format!("only ours has {word}"));
        }
        for word in theirs.difference(&ours) {
            self.note(at, &format!("only the contract has {word}"));
        }
    }

    fn note(&mut self, at: &str, what: &str) {
        self.found.push(Difference { at: at.to_owned(), what: what.to_owned() });
    }
}

/// Follows references, sets null apart and lists what is left of a union.
fn flatten(document: &Value, schema: &Value) -> Flat {
    let mut flat = Flat::default();
    collect(document, schema, &mut flat, 0);
    flat
}

fn collect(document: &Value, schema: &Value, flat: &mut Flat, depth: usize) {
    let Some(members) = schema.as_object().filter(|_| depth <= DEPTH_MAX) else { return };
    let target = members.get("$ref").and_then(Value::as_str).map(|target| document.pointer(target.trim_start_matches('#')));
    let union = members.get("anyOf").or_else(|| members.get("oneOf")).and_then(Value::as_array);
    match (target, union) {
        (Some(Some(target)), _) => collect(document, target, flat, depth + 1),
        // A reference that leads nowhere is a difference to everything.
        (Some(None), _) => flat.variants.push(members.clone()),
        (None, Some(union)) => union.iter().for_each(|variant| collect(document, variant, flat, depth + 1)),
        (None, None) if members.get("type").and_then(Value::as_str) == Some("null") => flat.nullable = true,
        (None, None) => flat.variants.push(members.clone()),
    }
}

fn successes(operation: &Value) -> BTreeMap<&str, &Value> {
    let responses = operation.get("responses").and_then(Value::as_object).into_iter().flatten();
    responses.filter(|(status, _)| status.starts_with('2')).map(|(status, answer)| (status.as_str(), answer)).collect()
}

fn parameters(operation: &Value) -> BTreeMap<String, &Value> {
    let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let word = |parameter: &Value, key: &str| parameter.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    parameters.map(|parameter| (format!("{}:{}", word(parameter, "in"), word(parameter, "name")), parameter)).collect()
}

fn media_types(holder: &Value) -> Map<String, Value> {
    holder.get("content").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn properties(schema: &Map<String, Value>) -> Map<String, Value> {
    schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The schema of members without a name. `false` is left out: the contract says it everywhere and its server does not mean it.
fn open(schema: &Map<String, Value>) -> Option<&Value> {
    schema.get("additionalProperties").filter(|open| **open != Value::Bool(false))
}

/// Numbers are compared as numbers: the contract writes `100.0`.
fn same(ours: Option<&Value>, theirs: Option<&Value>) -> bool {
    match (ours, theirs) {
        (Some(Value::Number(ours)), Some(Value::Number(theirs))) => ours.as_f64() == theirs.as_f64(),
        (ours, theirs) => ours == theirs,
    }
}

fn show(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(operation: Value) -> Value {
        json!({
            "paths": { "/things": { "post": operation } },
            "components": { "schemas": {
                "Word": { "type": "string", "enum": ["a", "b"] },
                "Thing": { "type": "object", "required": ["id"], "properties": { "id": { "type": "string" }, "word": { "$ref": "#/components/schemas/Word" } } },
            } },
        })
    }

    fn answer(schema: Value) -> Value {
        document(json!({ "operationId": "make", "responses": { "200": { "content": { "application/json": { "schema": schema } } } } }))
    }

    fn places(ours: &Value, contract: &Value) -> Vec<String> {
        compare(ours, contract, &[]).into_iter().map(|difference| difference.at).collect()
    }

    #[test]
    fn names_of_schemas_titles_and_order_do_not_matter() {
        let ours = answer(json!({ "anyOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Thing" }] }));
        let theirs = answer(json!({ "title": "T", "anyOf": [
            { "type": "object", "additionalProperties": false, "required": ["id"], "properties": {
                "word": { "type": "string", "enum": ["b", "a"], "description": "A word." }, "id": { "type": "string", "examples": ["x"] },
            } },
            { "type": "null" },
        ] }));
        assert_eq!(places(&ours, &theirs), Vec::<String>::new());
    }

    #[test]
    fn every_kind_of_difference_is_found_where_it_is() {
        let check = |ours: Value, theirs: Value, expected: &[&str]| {
            assert_eq!(places(&answer(ours), &answer(theirs)), expected);
        };
        let object = |member: Value| json!({ "type": "object", "properties": { "a": member } });
        check(json!({ "type": "string" }), json!({ "type": "integer" }), &["POST /things 200 type"]);
        check(json!({ "type": "string" }), json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }), &["POST /things 200 nullable"]);
        check(json!({ "const": "a" }), json!({ "const": "b" }), &["POST /things 200 const"]);
        check(json!({ "enum": ["a"] }), json!({ "enum": ["a", "b"] }), &["POST /things 200 enum"]);
        check(json!({ "maximum": 100 }), json!({ "maximum": 100.0 }), &[]);
        check(json!({ "maxLength": 1 }), json!({ "maxLength": 2 }), &["POST /things 200 maxLength"]);
        check(
            json!({ "type": "array", "items": { "type": "string" } }),
            json!({ "type": "array", "items": {} }),
            &["POST /things 200[] type"],
        );
        check(object(json!({ "type": "string" })), object(json!({ "type": "boolean" })), &["POST /things 200.a type"]);
        check(json!({ "type": "object" }), object(json!({})), &["POST /things 200.a"]);
        check(json!({ "required": ["a"] }), json!({}), &["POST /things 200 required"]);
        check(json!({ "additionalProperties": true }), json!({ "additionalProperties": false }), &["POST /things 200.*"]);
        check(json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }), json!({ "type": "string" }), &["POST /things 200"]);
    }

    #[test]
    fn operations_parameters_bodies_and_statuses_are_compared() {
        let parameter =
            |name: &str, required: bool| json!({ "name": name, "in": "query", "required": required, "schema": { "type": "string" } });
        let ours = document(
            json!({ "operationId": "make", "parameters": [parameter("a", true), parameter("b", false)], "responses": { "200": {} } }),
        );
        let theirs = document(json!({
            "operationId": "build", "parameters": [parameter("a", false), parameter("c", false)], "requestBody": {}, "responses": { "201": {} },
        }));
        assert_eq!(
            places(&ours, &theirs),
            [
                "POST /things operationId",
                "POST /things parameter query:a required",
                "POST /things parameter query:b",
                "POST /things parameter query:c",
                "POST /things body",
                "POST /things 200",
                "POST /things 201",
            ]
        );
        assert_eq!(places(&ours, &json!({})), ["POST /things"]);
    }

    #[test]
    fn the_allow_list_hides_what_it_names_and_must_not_outlive_it() {
        let (ours, theirs) = (answer(json!({ "type": "string" })), answer(json!({ "type": "integer" })));
        let allowed = |at: &str, reason: &str| Allowed { at: at.to_owned(), reason: reason.to_owned() };
        let why = "Because.";
        assert_eq!(compare(&ours, &theirs, &[allowed("POST /things 200 type", why)]), []);
        assert_eq!(compare(&ours, &ours, &[allowed("POST /things 200 type", why)]).len(), 1);
        assert_eq!(compare(&ours, &theirs, &[allowed("POST /things 200 type", " ")]).len(), 1);
    }

    #[test]
    fn our_document_equals_itself_but_for_the_allow_list() {
        assert_eq!(compare(&api::openapi(), &api::openapi(), &[]), []);
    }
}
