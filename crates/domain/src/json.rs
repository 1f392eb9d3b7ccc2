//! JSON that passes through untouched: its bytes are kept, and read by position.
//!
//! A map would collapse repeated members, re-spell escaped names and lose number spelling and white space. So the bytes stay the truth, and everything here answers with ranges into them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;

mod canonical;

pub use self::canonical::canonical;

/// Deepest nesting that is accepted, of objects and arrays together: deep enough for any payment service, shallow enough for any parser behind us.
pub const DEPTH_MAX: usize = 64;

/// The bytes of one valid JSON value of any kind, at most [`DEPTH_MAX`] deep, with whatever white space surrounded it.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonText(Bytes);

/// A [`JsonText`] that is an object.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonObject(JsonText);

/// Why bytes are not a [`JsonText`] or not a [`JsonObject`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON in UTF-8.
    #[error("not valid JSON")]
    Syntax,
    /// JSON, but an array, string, number, boolean or null.
    #[error("not a JSON object")]
    NotAnObject,
    /// Nested more than [`DEPTH_MAX`] deep.
    #[error("nested more than {DEPTH_MAX} levels deep")]
    TooDeep,
}

/// One member of an object, as ranges into the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name with its escapes decoded.
    pub name: Cow<'a, str>,
    /// The name as written, quotes included.
    pub name_range: Range<usize>,
    /// The value as written.
    pub value_range: Range<usize>,
}

/// What kind of value stands at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number.
    Number,
    /// `true` or `false`
    Boolean,
    /// `null`
    Null,
}

/// An RFC 6901 pointer with its tokens decoded. The empty one means the whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(Vec<String>);

// === impl JsonText ===

impl JsonText {
    /// Checks that the bytes are one JSON value and keeps them as they are.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, JsonError> {
        let bytes = bytes.into();
        check_depth(&bytes)?;
        let _: &RawValue = serde_json::from_slice(&bytes).map_err(|_| JsonError::Syntax)?;
        Ok(Self(bytes))
    }

    /// The bytes as they came.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        // Checked by `parse`; an empty text is never read, since no JSON is empty.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The text at a pointer, as written. Of repeated members the last one counts, as in most parsers.
    pub fn at(&self, pointer: &Pointer) -> Option<&str> {
        let range = resolve(&self.0, pointer)?;
        self.as_str().get(range)
    }

    /// The same as an object, if it is one.
    pub fn object(&self) -> Option<JsonObject> {
        let start = root(&self.0)?.start;
        (kind_at(&self.0, start)? == Kind::Object).then(|| JsonObject(self.clone()))
    }

    /// The object at a pointer, in the bytes that it came in.
    pub fn object_at(&self, pointer: &Pointer) -> Option<JsonObject> {
        let range = resolve(&self.0, pointer)?;
        (kind_at(&self.0, range.start)? == Kind::Object).then(|| JsonObject(Self(self.0.slice(range))))
    }
}

impl fmt::Debug for JsonText {
    /// Bodies carry personal data: their length is all that is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonText({} bytes)", self.0.len())
    }
}

// === impl JsonObject ===

impl JsonObject {
    /// Checks that the bytes are one JSON object and keeps them as they are.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, JsonError> {
        JsonText::parse(bytes)?.object().ok_or(JsonError::NotAnObject)
    }

    /// The same as a value of any kind.
    pub fn text(&self) -> &JsonText {
        &self.0
    }

    /// The bytes as they came.
    pub fn bytes(&self) -> &Bytes {
        self.0.bytes()
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The text at a pointer, as written. Of repeated members the last one counts, as in most parsers.
    pub fn at(&self, pointer: &Pointer) -> Option<&str> {
        self.0.at(pointer)
    }

    /// The decoded string at a pointer; `None` if another kind of value stands there.
    pub fn string_at(&self, pointer: &Pointer) -> Option<String> {
        serde_json::from_str(self.at(pointer)?).ok()
    }
}

impl fmt::Debug for JsonObject {
    /// Bodies carry personal data: their length is all that is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonObject({} bytes)", self.bytes().len())
    }
}

// === impl Pointer ===

impl Pointer {
    /// Reads `""` or `/a/b/0`; `None` if it does not begin with a slash or holds a wrong escape.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(Vec::new()));
        }
        text.strip_prefix('/')?.split('/').map(decode_token).collect::<Option<Vec<_>>>().map(Self)
    }

    /// The decoded tokens.
    pub fn tokens(&self) -> &[String] {
        &self.0
    }

    /// The pointer one token longer.
    #[must_use]
    pub fn child(&self, token: &str) -> Self {
        let mut tokens = self.0.clone();
        tokens.push(token.to_owned());
        Self(tokens)
    }

    /// The same place as seen from the value at `outer`; `None` if it is not inside of it.
    pub fn inside(&self, outer: &Self) -> Option<Self> {
        self.0.strip_prefix(outer.0.as_slice()).map(|tokens| Self(tokens.to_vec()))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| write!(f, "/{}", token.replace('~', "~0").replace('/', "~1")))
    }
}

fn decode_token(token: &str) -> Option<String> {
    let mut rest = token.split('~');
    let mut decoded = rest.next()?.to_owned();
    for part in rest {
        match part.split_at_checked(1)? {
            ("0", tail) => decoded.extend(["~", tail]),
            ("1", tail) => decoded.extend(["/", tail]),
            _ => return None,
        }
    }
    Some(decoded)
}

// === reading by position; the bytes must be valid JSON ===

/// The kind of value that begins at a position.
pub fn kind_at(bytes: &[u8], at: usize) -> Option<Kind> {
    Some(match bytes.get(at)? {
        b'{' => Kind::Object,
        b'[' => Kind::Array,
        b'"' => Kind::String,
        b't' | b'f' => Kind::Boolean,
        b'n' => Kind::Null,
        _ => Kind::Number,
    })
}

/// The range of the outermost value, surrounding white space left out.
pub fn root(bytes: &[u8]) -> Option<Range<usize>> {
    let start = skip_space(bytes, 0);
    Some(start..value_end(bytes, start)?)
}

/// The members of the object that begins at a position, in order; `None` if no object begins there.
pub fn members(bytes: &[u8], at: usize) -> Option<Vec<Member<'_>>> {
    each_member(bytes, at)?.collect()
}

/// The same, read as they are asked for: a body of one mebibyte can have a hundred thousand of them, and a list takes ten times its place. `None` in the midst: a name is not Unicode text, and nothing follows.
pub fn each_member(bytes: &[u8], at: usize) -> Option<impl Iterator<Item = Option<Member<'_>>>> {
    (bytes.get(at)? == &b'{').then_some(())?;
    let mut next = Some(skip_space(bytes, at + 1));
    Some(std::iter::from_fn(move || {
        let at = next.take()?;
        if bytes.get(at) == Some(&b'}') {
            return None;
        }
        let read = member_at(bytes, at);
        next = read.as_ref().map(|(_, behind)| *behind);
        Some(read.map(|(member, _)| member))
    }))
}

/// The member that begins at a position, and where the next one would.
fn member_at(bytes: &[u8], at: usize) -> Option<(Member<'_>, usize)> {
    let name_range = at..string_end(bytes, at)?;
    let colon = skip_space(bytes, name_range.end);
    let start = skip_space(bytes, colon + 1);
    let value_range = start..value_end(bytes, start)?;
    let behind = next_item(bytes, value_range.end)?;
    Some((Member { name: decode_string(bytes.get(name_range.clone())?)?, name_range, value_range }, behind))
}

/// The member of a name in the object that begins at a position, of repeated ones the last; `None` if it is not there, or no object.
pub fn member<'a>(bytes: &'a [u8], at: usize, name: &str) -> Option<Member<'a>> {
    let mut found = None;
    for member in each_member(bytes, at)? {
        let member = member?;
        if member.name == name {
            found = Some(member);
        }
    }
    found
}

/// The elements of the array that begins at a position, in order; `None` if no array begins there.
pub fn elements(bytes: &[u8], at: usize) -> Option<Vec<Range<usize>>> {
    (bytes.get(at)? == &b'[').then_some(())?;
    let mut found = Vec::new();
    let mut at = skip_space(bytes, at + 1);
    while bytes.get(at)? != &b']' {
        let range = at..value_end(bytes, at)?;
        at = next_item(bytes, range.end)?;
        found.push(range);
    }
    Some(found)
}

/// The range of the value at a pointer. Of repeated members the last one counts.
pub fn resolve(bytes: &[u8], pointer: &Pointer) -> Option<Range<usize>> {
    let mut range = root(bytes)?;
    for token in pointer.tokens() {
        range = match kind_at(bytes, range.start)? {
            Kind::Object => member(bytes, range.start, token)?.value_range,
            Kind::Array => elements(bytes, range.start)?.into_iter().nth(array_index(token)?)?,
            Kind::String | Kind::Number | Kind::Boolean | Kind::Null => return None,
        };
    }
    Some(range)
}

/// The index that a pointer token means in an array: digits without a leading zero.
pub fn array_index(token: &str) -> Option<usize> {
    let plain = token == "0" || (!token.starts_with('0') && token.bytes().all(|b| b.is_ascii_digit()));
    plain.then(|| token.parse().ok()).flatten()
}

pub(crate) fn decode_string(quoted: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(quoted).ok()?;
    if text.contains('\\') {
        return serde_json::from_str::<String>(text).ok().map(Cow::Owned);
    }
    text.get(1..text.len().checked_sub(1)?).map(Cow::Borrowed)
}

pub(crate) fn skip_space(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|b| b.is_ascii_whitespace()).count()
}

/// Behind a value: past white space and the comma, if there is one.
fn next_item(bytes: &[u8], from: usize) -> Option<usize> {
    let at = skip_space(bytes, from);
    Some(if bytes.get(at)? == &b',' { skip_space(bytes, at + 1) } else { at })
}

pub(crate) fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn value_end(bytes: &[u8], start: usize) -> Option<usize> {
    match bytes.get(start)? {
        b'"' => string_end(bytes, start),
        b'{' | b'[' => container_end(bytes, start),
        _ => {
            let rest = bytes.get(start..)?;
            Some(start + rest.iter().take_while(|b| !matches!(b, b',' | b'}' | b']') && !b.is_ascii_whitespace()).count())
        }
    }
}

fn container_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match bytes.get(at)? {
            b'"' => at = string_end(bytes, at)?,
            open_or_close => {
                match open_or_close {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
    }
}

/// Before any parser sees the bytes: parsers differ on depth, and some take a stack frame per level.
fn check_depth(bytes: &[u8]) -> Result<(), JsonError> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at).ok_or(JsonError::Syntax)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1).ok_or(JsonError::Syntax)?,
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(JsonError::TooDeep);
        }
        at += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn object(text: &str) -> JsonObject {
        JsonObject::parse(text.to_owned()).unwrap()
    }

    fn pointer(text: &str) -> Pointer {
        Pointer::parse(text).unwrap()
    }

    #[test]
    fn only_objects_of_a_sane_depth_are_taken() {
        let check = |text: &str, expected: Result<(), JsonError>| {
            assert_eq!(JsonObject::parse(text.to_owned()).map(|_| ()), expected, "{text:.40}");
        };
        check("{}", Ok(()));
        check(" \n{\"a\":1}\t", Ok(()));
        check("", Err(JsonError::Syntax));
        check("{", Err(JsonError::Syntax));
        check("{}}", Err(JsonError::Syntax));
        check("{} {}", Err(JsonError::Syntax));
        check("[]", Err(JsonError::NotAnObject));
        check("\"{\"", Err(JsonError::NotAnObject));
        check("{\"a\":\"", Err(JsonError::Syntax));
        check("{\"a\":\"\\", Err(JsonError::Syntax));
        let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        check(&nested(DEPTH_MAX), Ok(()));
        check(&nested(DEPTH_MAX + 1), Err(JsonError::TooDeep));
        check(&"[".repeat(100_000), Err(JsonError::TooDeep));
        assert_eq!(JsonObject::parse(vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}']), Err(JsonError::Syntax));
    }

    #[test]
    fn values_are_found_as_they_were_written() {
        let body = object(r#" { "a\u0062" : [ 1.0 , {"c/d":1e5} ] , "x":"\"]}" , "n":18446744073709551616,"n":2 } "#);
        assert_eq!(body.at(&pointer("/ab/0")), Some("1.0"));
        assert_eq!(body.at(&pointer("/ab/1/c~1d")), Some("1e5"));
        assert_eq!(body.string_at(&pointer("/x")).as_deref(), Some("\"]}"));
        assert_eq!(body.at(&pointer("/n")), Some("2"));
        assert_eq!(body.at(&pointer("/ab/01")), None);
        assert_eq!(body.at(&pointer("/ab/2")), None);
        assert_eq!(body.at(&pointer("/x/0")), None);
    }

    #[test]
    fn a_text_is_any_value_and_an_object_inside_of_it_keeps_its_bytes() {
        let text = |text: &str| JsonText::parse(text.to_owned()).unwrap();
        for other in ["[{}]", "\"x\"", " 1 ", "null", "true"] {
            assert!(text(other).object().is_none() && text(other).object_at(&pointer("/a")).is_none(), "{other}");
        }
        let list = text(" [ 1, { \"a\" : 1.0 } ] ");
        assert_eq!(list.at(&pointer("/1/a")), Some("1.0"));
        assert_eq!(list.object_at(&pointer("/1")).unwrap().as_str(), "{ \"a\" : 1.0 }");
        assert!(list.object_at(&pointer("/0")).is_none() && list.object_at(&pointer("/2")).is_none());
        assert_eq!(format!("{list:?} {:?}", object("{}")), "JsonText(22 bytes) JsonObject(2 bytes)");
    }

    #[test]
    fn a_place_is_seen_from_what_holds_it() {
        let inside = |place: &str, outer: &str| pointer(place).inside(&pointer(outer)).map(|seen| seen.to_string());
        assert_eq!(inside("/a/b~1c", "/a").as_deref(), Some("/b~1c"));
        assert_eq!(inside("/a", "/a").as_deref(), Some(""));
        assert_eq!(inside("/a", "/a/b"), None);
        assert_eq!(inside("/ab", "/a"), None);
    }

    #[test]
    fn pointers_print_as_they_were_read() {
        for text in ["", "/", "/a/0", "/a~1b~0c"] {
            assert_eq!(pointer(text).to_string(), text);
        }
        assert!(Pointer::parse("a").is_none() && Pointer::parse("/~2").is_none() && Pointer::parse("/~").is_none());
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            ".{0,12}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(5, 64, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
                proptest::collection::btree_map(".{0,8}", inner, 0..6).prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_of_any_document_is_found_by_its_pointer(value in any_json(), pretty in any::<bool>()) {
            let wrapped = serde_json::json!({ "root": value });
            let text = if pretty { serde_json::to_string_pretty(&wrapped) } else { serde_json::to_string(&wrapped) }.unwrap();
            let body = object(&text);
            let mut pending = vec![(pointer("/root"), &value)];
            while let Some((at, expected)) = pending.pop() {
                let found: serde_json::Value = serde_json::from_str(body.at(&at).unwrap()).unwrap();
                prop_assert_eq!(&found, expected);
                match expected {
                    serde_json::Value::Object(map) => pending.extend(map.iter().map(|(name, value)| (at.child(name), value))),
                    serde_json::Value::Array(list) => pending.extend(list.iter().enumerate().map(|(index, value)| (at.child(&index.to_string()), value))),
                    _ => {}
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(body) = JsonObject::parse(bytes) {
                prop_assert!(root(body.bytes()).is_some());
            }
        }
    }
}
