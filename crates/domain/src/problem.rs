//! What is wrong with an input, in the words of the API's error object.

/// The part of a request that a problem is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// The query string.
    Query,
    /// The body.
    Body,
    /// The path.
    Path,
    /// A header.
    Header,
    /// None of these.
    Unknown,
}

impl Location {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Body => "body",
            Self::Path => "path",
            Self::Header => "header",
            Self::Unknown => "unknown",
        }
    }
}

/// One entry of `details`. A request with problems is refused with 400, and all of them are named at once, in document order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub location: Location,
    /// RFC 6901 pointer for bodies, the plain name of the parameter elsewhere.
    pub pointer: String,
    /// For a person.
    pub message: String,
    /// A stable word: `missing`, `type_error`, `value_error`, `string_too_short`, `string_too_long`, `pattern_mismatch`, `out_of_range`, `unknown_reference`, `conflict`, `not_supported`, `idempotency_key_mismatch`.
    pub kind: &'static str,
}

impl Problem {
    /// A problem in the body, at a pointer.
    pub fn body(pointer: impl Into<String>, kind: &'static str, message: impl Into<String>) -> Self {
        Self { location: Location::Body, pointer: pointer.into(), message: message.into(), kind }
    }

    /// A problem with a path parameter.
    pub fn path(name: &str, kind: &'static str, message: impl Into<String>) -> Self {
        Self { location: Location::Path, pointer: name.into(), message: message.into(), kind }
    }

    /// A problem with a header.
    pub fn header(name: &str, kind: &'static str, message: impl Into<String>) -> Self {
        Self { location: Location::Header, pointer: name.into(), message: message.into(), kind }
    }

    /// A problem with a query parameter.
    pub fn query(name: &str, kind: &'static str, message: impl Into<String>) -> Self {
        Self { location: Location::Query, pointer: name.into(), message: message.into(), kind }
    }
}
