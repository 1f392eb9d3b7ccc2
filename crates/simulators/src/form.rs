//! Reading a form body back into JSON, so that a simulator checks one kind of body.

use percent_encoding::percent_decode;
use serde_json::{Map, Number, Value};

/// Nesting that is followed; deeper names stay flat.
const DEPTH_MAX: usize = 16;

/// Reads `a[b]=1&a[c][0]=x` as `{"a":{"b":1,"c":["x"]}}`. Numbers and booleans are recognised by their spelling, as a payment service does when it reads a typed field.
pub fn to_json(body: &[u8]) -> Value {
    let mut root = Value::Object(Map::new());
    for pair in body.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |b| *b == b'=');
        let name = decode(halves.next().unwrap_or_default());
        let value = decode(halves.next().unwrap_or_default());
        insert(&mut root, &path(&name), scalar(value));
    }
    lists(&mut root);
    root
}

fn decode(text: &[u8]) -> String {
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

fn scalar(text: String) -> Value {
    match text.as_str() {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => serde_json::from_str::<Number>(&text).map_or(Value::String(text), Value::Number),
    }
}

fn path(name: &str) -> Vec<String> {
    let Some((head, rest)) = name.split_once('[') else { return vec![name.to_owned()] };
    let inner = rest.strip_suffix(']').unwrap_or(rest);
    std::iter::once(head).chain(inner.split("][")).take(DEPTH_MAX).map(str::to_owned).collect()
}

fn insert(target: &mut Value, path: &[String], value: Value) {
    let (Some((name, rest)), Value::Object(map)) = (path.split_first(), target) else { return };
    // `a[]=x` appends: the next free number is its name.
    let name = if name.is_empty() { map.len().to_string() } else { name.clone() };
    if rest.is_empty() {
        map.insert(name, value);
    } else {
        insert(map.entry(name).or_insert_with(|| Value::Object(Map::new())), rest, value);
    }
}

/// Objects whose names are 0, 1, 2, … were lists.
fn lists(value: &mut Value) {
    let Value::Object(map) = value else { return };
    map.values_mut().for_each(lists);
    let counted = (0..map.len()).map(|index| map.get(&index.to_string()).cloned()).collect::<Option<Vec<_>>>();
    if let Some(items) = counted.filter(|items| !items.is_empty()) {
        *value = Value::Array(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_names_become_objects_and_lists() {
        let check = |body: &str, expected: Value| assert_eq!(to_json(body.as_bytes()), expected, "{body}");
        check("", json!({}));
        check("amount=1000&currency=eur", json!({"amount":1000,"currency":"eur"}));
        check("a[b]=true&a[c][0]=x&a[c][1]=1.50", json!({"a":{"b":true,"c":["x",1.50]}}));
        check("a%5Bb%5D=x+y%2Bz&t[]=1&t[]=2", json!({"a":{"b":"x y+z"},"t":[1,2]}));
        check("line_items[0][price]=p&line_items[0][quantity]=1", json!({"line_items":[{"price":"p","quantity":1}]}));
        check("a=1&a[b]=2", json!({"a":1}));
    }
}
