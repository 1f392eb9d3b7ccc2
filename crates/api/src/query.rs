//! Query strings: all problems at once, a key twice only where values are alternatives, unknown keys ignored.

use axum::extract::FromRequestParts;
use domain::page::{Cursor, PageRequest, Position};
use domain::{Problem, Scope, Timestamp};
use engine::session_records::{AnyOf, FILTER_VALUES_MAX};
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::reader::Problems;

/// Rows of a page when the caller does not say.
const LIMIT_DEFAULT: u32 = 20;
/// Rows of a page at most, from the API's document.
const LIMIT_MAX: u32 = 100;

const NOT_A_TEXT: &str = "Must be valid text";
const NOT_A_UUID: &str = "Must be a UUID";

/// The parameters of a query string, decoded, in order. Those that are not UTF-8 have no value.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, Option<String>)>);

/// How a list is sorted, which its cursors must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sorted {
    /// Newest first.
    Time,
    /// Newest first, with ids that people choose.
    TimeAndName,
    /// By a text id.
    Id,
}

// === impl Query ===

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

impl Query {
    /// Splits and decodes. Nothing is refused before it is asked for.
    pub(crate) fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs.filter_map(|pair| pair.split_once('=').or(Some((pair, "")))).filter_map(|(k, v)| Some((decode(k)?, decode(v)))).collect(),
        )
    }

    /// `limit` and `cursor` of a list of the instance.
    pub(crate) fn page(&self, problems: &mut Problems, sorted: Sorted) -> PageRequest {
        self.page_by(problems, |text| fitting(Cursor::decode(text)?, sorted))
    }

    /// `limit` and `cursor` of a merchant account's list, whose cursors are of no use in another account.
    pub(crate) fn page_of(&self, problems: &mut Problems, sorted: Sorted, scope: &Scope) -> PageRequest {
        self.page_by(problems, |text| fitting(Cursor::decode_for(text, scope)?, sorted))
    }

    fn page_by(&self, problems: &mut Problems, readable: impl Fn(&str) -> Option<Cursor>) -> PageRequest {
        let cursor = self.one(problems, "cursor", readable, "Not a cursor of this list");
        let limit = self.text(problems, "limit").and_then(|text| match text.parse::<i64>() {
            Ok(number) => u32::try_from(number).ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).or_else(|| {
                problems.push(Problem::query("limit", "out_of_range", format!("Must be from 1 to {LIMIT_MAX}")));
                None
            }),
            Err(_) => {
                problems.push(Problem::query("limit", "type_error", "Must be an integer"));
                None
            }
        });
        PageRequest { limit: limit.unwrap_or(LIMIT_DEFAULT), cursor }
    }

    /// A text. It may be given once: two values mean different things to different parsers on the way, and none of them is right.
    pub(crate) fn text(&self, problems: &mut Problems, name: &'static str) -> Option<String> {
        let mut values = self.values(name);
        let (value, second) = (values.next()?, values.next());
        if second.is_some() {
            problems.push(Problem::query(name, "value_error", "Must be given once"));
            return None;
        }
        readable(problems, name, value).map(str::to_owned)
    }

    /// A filter that may be given several times, which means any of the values. What `parse` does not read is a problem, once for each value.
    pub(crate) fn any<T>(&self, problems: &mut Problems, name: &'static str, parse: impl Fn(&str) -> Option<T>, message: &str) -> AnyOf<T> {
        let mut found = Vec::new();
        for value in self.values(name) {
            let Some(text) = readable(problems, name, value) else { continue };
            match parse(text) {
                Some(value) => found.push(value),
                None => problems.push(Problem::query(name, "value_error", message)),
            }
        }
        AnyOf::of(found).unwrap_or_else(|| {
            problems.push(Problem::query(name, "out_of_range", format!("Must be given at most {FILTER_VALUES_MAX} times")));
            AnyOf::default()
        })
    }

    /// A filter by UUIDs.
    pub(crate) fn any_id<T>(&self, problems: &mut Problems, name: &'static str, parse: fn(&str) -> Option<T>) -> AnyOf<T> {
        self.any(problems, name, parse, NOT_A_UUID)
    }

    /// A filter by texts.
    pub(crate) fn any_text(&self, problems: &mut Problems, name: &'static str) -> AnyOf<String> {
        self.any(problems, name, |text| Some(text.to_owned()), NOT_A_TEXT)
    }

    fn values(&self, name: &str) -> impl Iterator<Item = Option<&str>> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_deref())
    }

    /// A value that `parse` reads.
    pub(crate) fn one<T>(
        &self,
        problems: &mut Problems,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        message: &str,
    ) -> Option<T> {
        let text = self.text(problems, name)?;
        let value = parse(&text);
        if value.is_none() {
            problems.push(Problem::query(name, "value_error", message));
        }
        value
    }

    /// A UUID.
    pub(crate) fn id<T>(&self, problems: &mut Problems, name: &'static str, parse: fn(&str) -> Option<T>) -> Option<T> {
        self.one(problems, name, parse, NOT_A_UUID)
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self, problems: &mut Problems, name: &'static str) -> Option<bool> {
        let parse = |text: &str| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        self.one(problems, name, parse, "Must be true or false")
    }

    /// A moment with a zone.
    pub(crate) fn moment(&self, problems: &mut Problems, name: &'static str) -> Option<Timestamp> {
        self.one(problems, name, Timestamp::parse, "Must be a date and time with a zone, in RFC 3339")
    }
}

/// PostgreSQL takes no U+0000 as a parameter.
fn readable<'a>(problems: &mut Problems, name: &'static str, value: Option<&'a str>) -> Option<&'a str> {
    let text = value.filter(|text| !text.contains('\0'));
    if text.is_none() {
        problems.push(Problem::query(name, "value_error", NOT_A_TEXT));
    }
    text
}

fn fitting(cursor: Cursor, sorted: Sorted) -> Option<Cursor> {
    let fits = match (&cursor.position, sorted) {
        (Position::Moment(..), Sorted::Time) => true,
        (Position::NamedMoment(_, id), Sorted::TimeAndName) | (Position::Text(id), Sorted::Id) => !id.contains('\0'),
        (Position::Moment(..) | Position::NamedMoment(..) | Position::Text(_), _) => false,
    };
    fits.then_some(cursor)
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use domain::page::Direction;

    use super::*;

    fn problems_of(read: impl FnOnce(&mut Problems)) -> Vec<(String, &'static str)> {
        let mut problems = Problems::default();
        read(&mut problems);
        problems.into_vec().into_iter().map(|p| (p.pointer, p.kind)).collect()
    }

    #[test]
    fn the_limit_is_a_number_from_1_to_100() {
        let check = |query: &str, limit: u32, problem: Option<&'static str>| {
            let mut problems = Problems::default();
            let page = Query::parse(query).page(&mut problems, Sorted::Time);
            assert_eq!(page.limit, limit, "{query}");
            assert_eq!(problems.into_vec().first().map(|p| p.kind), problem, "{query}");
        };
        check("", 20, None);
        check("limit=1", 1, None);
        check("limit=100&unknown=1&unknown=2", 100, None);
        check("limit=0", 20, Some("out_of_range"));
        check("limit=101", 20, Some("out_of_range"));
        check("limit=-1", 20, Some("out_of_range"));
        check("limit=99999999999", 20, Some("out_of_range"));
        check("limit=20.0", 20, Some("type_error"));
        check("limit=", 20, Some("type_error"));
        check("limit", 20, Some("type_error"));
        check("limit=ten", 20, Some("type_error"));
        check("limit=5&limit=6", 20, Some("value_error"));
        check("limit=%ff", 20, Some("value_error"));
    }

    #[test]
    fn cursors_that_are_not_of_this_list_are_refused() {
        let own = Cursor { direction: Direction::Next, position: Position::Text("a-card".into()) }.encode();
        let check = |cursor: &str, sorted: Sorted, readable: bool| {
            let found = problems_of(|problems| {
                let page = Query::parse(&format!("cursor={cursor}")).page(problems, sorted);
                assert_eq!(page.cursor.is_some(), readable, "{cursor}");
            });
            assert_eq!(found.is_empty(), readable, "{cursor}");
        };
        check(&own, Sorted::Id, true);
        check(&own, Sorted::Time, false);
        check("", Sorted::Id, false);
        check("nonsense", Sorted::Time, false);
    }

    #[test]
    fn values_are_decoded_and_a_key_may_be_given_once() {
        let query = Query::parse("reference=a%20b+c&&created_at_gte=2026-01-02T03%3A04%3A05%2B01%3A00&deleted=true&x=%00");
        let mut problems = Problems::default();
        assert_eq!(query.text(&mut problems, "reference").as_deref(), Some("a b c"));
        assert_eq!(query.moment(&mut problems, "created_at_gte"), Timestamp::parse("2026-01-02T02:04:05Z"));
        assert_eq!(query.boolean(&mut problems, "deleted"), Some(true));
        assert_eq!(query.boolean(&mut problems, "absent"), None);
        assert!(problems.into_vec().is_empty());
        assert_eq!(problems_of(|p| assert_eq!(query.text(p, "x"), None)), [("x".to_owned(), "value_error")]);
        assert_eq!(problems_of(|p| assert_eq!(Query::parse("a=1&a=1").text(p, "a"), None)), [("a".to_owned(), "value_error")]);
        assert_eq!(
            problems_of(|p| assert_eq!(Query::parse("deleted=1").boolean(p, "deleted"), None)),
            [("deleted".to_owned(), "value_error")]
        );
        assert_eq!(problems_of(|p| assert_eq!(Query::parse("at=2026-01-02").moment(p, "at"), None)), [("at".to_owned(), "value_error")]);
    }
    #[test]
    fn a_filter_may_be_given_several_times() {
        let problems = |query: &str| problems_of(|p| drop(Query::parse(query).any(p, "n", |text| text.parse::<u8>().ok(), "Not a number")));
        let of_n = |kinds: &[&'static str]| kinds.iter().map(|kind| ("n".to_owned(), *kind)).collect::<Vec<_>>();
        assert_eq!(problems("n=1&m=2&n=3&n=1"), of_n(&[]));
        assert_eq!(problems("n=1&n=x&n=&n=%00&n=%ff"), of_n(&["value_error"; 4]));
        assert_eq!(problems(&"n=1&".repeat(FILTER_VALUES_MAX)), of_n(&[]));
        assert_eq!(problems(&"n=1&".repeat(FILTER_VALUES_MAX + 1)), of_n(&["out_of_range"]));
    }
}
