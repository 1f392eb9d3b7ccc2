//! JSON with the order of its members and the spelling of its numbers, to be edited and written down again.

use std::ops::Range;

use domain::JsonObject;
use domain::json::{JsonError, Kind, Pointer, array_index, elements, kind_at, members, root};

/// Longest line of written JSON, so that files can be read beside each other.
const LINE_CHARACTERS: usize = 116;

/// One JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// Members in order.
    Object(Vec<(String, Tree)>),
    /// Elements.
    List(Vec<Tree>),
    /// String, number, boolean or null, as JSON text.
    Scalar(String),
    /// What a simulator fills in, written as it is.
    Template(String),
}

// === impl Tree ===

impl Tree {
    /// Reads one JSON object. `Err` says what is wrong with it, with the line and column in the text where that is known.
    pub(super) fn object(text: &str) -> Result<Self, String> {
        if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
            let message = error.to_string();
            let reason = message.split(" at line ").next().unwrap_or_default();
            return Err(format!("it is no JSON: {reason} (its line {}, column {})", error.line(), error.column()));
        }
        match JsonObject::parse(text.as_bytes().to_vec()) {
            Ok(_) => {}
            Err(error @ (JsonError::Syntax | JsonError::NotAnObject | JsonError::TooDeep)) => return Err(format!("it is {error}")),
        }
        let range = root(text.as_bytes()).ok_or("it is empty")?;
        Self::at_range(text, range)
    }

    fn at_range(text: &str, range: Range<usize>) -> Result<Self, String> {
        let bytes = text.as_bytes();
        match kind_at(bytes, range.start) {
            Some(Kind::Object) => {
                let mut found: Vec<(String, Self)> = Vec::new();
                for member in members(bytes, range.start).unwrap_or_default() {
                    if found.iter().any(|(name, _)| *name == member.name) {
                        return Err(format!("the member `{}` is there twice", member.name.escape_debug()));
                    }
                    found.push((member.name.into_owned(), Self::at_range(text, member.value_range)?));
                }
                Ok(Self::Object(found))
            }
            Some(Kind::Array) => {
                let items = elements(bytes, range.start).unwrap_or_default();
                items.into_iter().map(|range| Self::at_range(text, range)).collect::<Result<_, _>>().map(Self::List)
            }
            Some(Kind::String | Kind::Number | Kind::Boolean | Kind::Null) | None => {
                Ok(Self::Scalar(text.get(range).unwrap_or_default().to_owned()))
            }
        }
    }

    /// A string.
    pub(super) fn string(text: &str) -> Self {
        Self::Scalar(serde_json::Value::from(text).to_string())
    }

    /// The decoded string or the number as spelled; `None` for everything else.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Scalar(json) if json.starts_with('"') => serde_json::from_str(json).ok(),
            Self::Scalar(json) if json.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => Some(json.clone()),
            Self::Scalar(_) | Self::Template(_) | Self::Object(_) | Self::List(_) => None,
        }
    }

    /// Whether it is a JSON string.
    pub(super) fn is_string(&self) -> bool {
        matches!(self, Self::Scalar(json) if json.starts_with('"'))
    }

    /// The value at a pointer.
    pub(super) fn at(&self, pointer: &Pointer) -> Option<&Self> {
        pointer.tokens().iter().try_fold(self, |value, token| match value {
            Self::Object(members) => members.iter().find(|(name, _)| name == token).map(|(_, value)| value),
            Self::List(items) => items.get(array_index(token)?),
            Self::Scalar(_) | Self::Template(_) => None,
        })
    }

    /// Every scalar with its pointer, in the order of the text.
    pub(super) fn scalars(&self) -> Vec<(Pointer, &Self)> {
        let mut found = Vec::new();
        self.collect(&Pointer::parse("").expect("the empty pointer is one"), &mut found);
        found
    }

    fn collect<'t>(&'t self, pointer: &Pointer, found: &mut Vec<(Pointer, &'t Self)>) {
        match self {
            Self::Object(members) => members.iter().for_each(|(name, value)| value.collect(&pointer.child(name), found)),
            Self::List(items) => items.iter().enumerate().for_each(|(at, item)| item.collect(&pointer.child(&at.to_string()), found)),
            Self::Scalar(_) => found.push((pointer.clone(), self)),
            Self::Template(_) => {}
        }
    }

    /// Changes every scalar: the edit sees its pointer and may say what it becomes.
    pub(super) fn edit(&mut self, change: &impl Fn(&Pointer, &Self) -> Option<Self>) {
        self.edit_below(&Pointer::parse("").expect("the empty pointer is one"), change);
    }

    fn edit_below(&mut self, pointer: &Pointer, change: &impl Fn(&Pointer, &Self) -> Option<Self>) {
        match self {
            Self::Object(members) => members.iter_mut().for_each(|(name, value)| value.edit_below(&pointer.child(name), change)),
            Self::List(items) => {
                items.iter_mut().enumerate().for_each(|(at, item)| item.edit_below(&pointer.child(&at.to_string()), change));
            }
            Self::Scalar(_) => {
                if let Some(changed) = change(pointer, self) {
                    *self = changed;
                }
            }
            Self::Template(_) => {}
        }
    }

    /// Takes out the member at a pointer.
    pub(super) fn remove(&mut self, path: &[String]) {
        let Some((token, rest)) = path.split_first() else { return };
        match self {
            Self::Object(members) if rest.is_empty() => members.retain(|(name, _)| name != token),
            Self::Object(members) => members.iter_mut().filter(|(name, _)| name == token).for_each(|(_, value)| value.remove(rest)),
            Self::List(items) => {
                if let Some(item) = array_index(token).and_then(|index| items.get_mut(index)) {
                    item.remove(rest);
                }
            }
            Self::Scalar(_) | Self::Template(_) => {}
        }
    }

    /// As text for `'''…'''` in a definition file: lines of a length that can be read, nothing that the file or a template would take for its own.
    pub(super) fn written(&self) -> String {
        let mut pieces = vec![String::new()];
        self.pieces(&mut pieces);
        let mut lines = vec![String::new()];
        for piece in pieces {
            let line = lines.last().map_or(0, |line| line.chars().count());
            if line > 0 && line + piece.chars().count() > LINE_CHARACTERS {
                lines.push(" ".to_owned());
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(&piece);
            }
        }
        lines.join("\n")
    }

    /// Text that may be broken between any two pieces.
    fn pieces(&self, pieces: &mut Vec<String>) {
        let push = |pieces: &mut Vec<String>, text: &str| {
            if let Some(last) = pieces.last_mut() {
                last.push_str(text);
            }
        };
        match self {
            Self::Object(members) => {
                push(pieces, "{");
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        push(pieces, ",");
                        pieces.push(String::new());
                    }
                    push(pieces, &format!("{}:", harmless(&serde_json::Value::from(name.as_str()).to_string())));
                    value.pieces(pieces);
                }
                push(pieces, "}");
            }
            Self::List(items) => {
                push(pieces, "[");
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        push(pieces, ",");
                        pieces.push(String::new());
                    }
                    item.pieces(pieces);
                }
                push(pieces, "]");
            }
            Self::Scalar(json) => push(pieces, &harmless(json)),
            Self::Template(text) => push(pieces, text),
        }
    }
}

/// JSON text without what ends a TOML string or begins a template.
fn harmless(json: &str) -> String {
    json.replace("{{", "{\\u007b").replace("'''", "''\\u0027").replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_in_its_order() {
        let check = |text: &str, expected: &str| assert_eq!(Tree::object(text).unwrap().written(), expected, "{text}");
        check("{}", "{}");
        check(" { \"b\" : 1.50 ,\n \"a\" : [ true , null, {} ] }\n", r#"{"b":1.50,"a":[true,null,{}]}"#);
        check(r#"{"a":"\u00e9\/","b":-1E+5}"#, r#"{"a":"\u00e9\/","b":-1E+5}"#);
        check(r#"{"a":"{{ x }}'''"}"#, r#"{"a":"{\u007b x }}''\u0027"}"#);
        let long = format!(r#"{{"first":"{}","second":"{}","third":{{"fourth":"{}"}}}}"#, "a".repeat(60), "b".repeat(60), "c".repeat(60));
        let written = Tree::object(&long).unwrap().written();
        assert_eq!(written.replace("\n ", ""), long);
        assert_eq!(written.lines().count(), 3, "{written}");
        assert!(written.lines().skip(1).all(|line| line.starts_with(" \"")), "{written}");
    }

    #[test]
    fn what_is_no_object_is_told() {
        let check = |text: &str, expected: &str| {
            let message = Tree::object(text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        };
        check("{\n \"a\": ...}", "line 2, column 7");
        check("[1]", "object");
        check("\"a\"", "object");
        check("", "JSON");
        check(r#"{"a":{"b":1,"\u0062":2}}"#, "`b` is there twice");
        check(&format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200)), "it is");
    }

    #[test]
    fn values_are_found_changed_and_taken_out() {
        let mut tree = Tree::object(r#"{"a":{"b":[{"c":"x"},2]},"d":null}"#).unwrap();
        let pointer = |text: &str| Pointer::parse(text).unwrap();
        assert_eq!(tree.at(&pointer("/a/b/0/c")).and_then(Tree::text).as_deref(), Some("x"));
        assert_eq!(tree.at(&pointer("/a/b/1")).and_then(Tree::text).as_deref(), Some("2"));
        assert_eq!(tree.at(&pointer("/d")).and_then(Tree::text), None);
        let places: Vec<String> = tree.scalars().into_iter().map(|(pointer, _)| pointer.to_string()).collect();
        assert_eq!(places, ["/a/b/0/c", "/a/b/1", "/d"]);
        tree.edit(&|pointer, value| {
            (pointer.to_string() == "/a/b/0/c" && value.is_string()).then(|| Tree::Template("{{ sim.uuid }}".into()))
        });
        tree.remove(pointer("/a/b/1").tokens());
        tree.remove(pointer("/d").tokens());
        assert_eq!(tree.written(), r#"{"a":{"b":[{"c":{{ sim.uuid }}},2]}}"#);
    }
}
