//! Small pieces that schemas are made of.

use serde_json::{Map, Value, json};

/// A member of an object.
pub(super) struct Member {
    name: &'static str,
    schema: Value,
    required: bool,
}

/// A member that is always there.
pub(super) fn must(name: &'static str, schema: Value) -> Member {
    Member { name, schema, required: true }
}

/// A member that may be left out.
pub(super) fn may(name: &'static str, schema: Value) -> Member {
    Member { name, schema, required: false }
}

/// An object. Unknown members are tolerated in both directions, so the schema stays open.
pub(super) fn object(about: &str, members: Vec<Member>) -> Value {
    let required: Vec<&str> = members.iter().filter(|member| member.required).map(|member| member.name).collect();
    let properties: Map<String, Value> = members.iter().map(|member| (member.name.to_owned(), member.schema.clone())).collect();
    let mut schema = json!({ "type": "object", "description": about, "properties": properties });
    if let (false, Value::Object(schema)) = (required.is_empty(), &mut schema) {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

/// Any JSON object.
pub(super) fn any_object() -> Value {
    json!({ "type": "object", "additionalProperties": true })
}

/// A string.
pub(super) fn string() -> Value {
    json!({ "type": "string" })
}

/// A string of a length.
pub(super) fn text(least: u32, most: u32) -> Value {
    json!({ "type": "string", "minLength": least, "maxLength": most })
}

/// A string of at most a length.
pub(super) fn text_up_to(most: u32) -> Value {
    json!({ "type": "string", "maxLength": most })
}

/// A UUID.
pub(super) fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

/// A moment.
pub(super) fn timestamp() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// A boolean.
pub(super) fn boolean() -> Value {
    json!({ "type": "boolean" })
}

/// An integer.
pub(super) fn integer() -> Value {
    json!({ "type": "integer" })
}

/// An integer of a range.
pub(super) fn integer_from_to(least: i64, most: i64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

/// A string that is always the same.
pub(super) fn constant(value: &str) -> Value {
    json!({ "type": "string", "const": value, "default": value })
}

/// One of some words.
pub(super) fn words(values: impl IntoIterator<Item = &'static str>) -> Value {
    json!({ "type": "string", "enum": values.into_iter().collect::<Vec<_>>() })
}

/// A value or null.
pub(super) fn nullable(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// An array.
pub(super) fn array(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// An array that is not empty.
pub(super) fn array_of_some(items: Value) -> Value {
    json!({ "type": "array", "items": items, "minItems": 1 })
}

/// An array without repetitions.
pub(super) fn set(items: Value) -> Value {
    json!({ "type": "array", "items": items, "uniqueItems": true })
}

/// An ISO 4217 code.
pub(super) fn currency() -> Value {
    json!({ "type": "string", "pattern": "^[A-Z]{3}$" })
}

/// An ISO 3166-1 alpha-2 code.
pub(super) fn country() -> Value {
    json!({ "type": "string", "pattern": "^[A-Z]{2}$" })
}

/// A schema with a default.
pub(super) fn default(value: impl Into<Value>, mut schema: Value) -> Value {
    if let Value::Object(members) = &mut schema {
        members.insert("default".to_owned(), value.into());
    }
    schema
}

/// A schema of the document, by name.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
