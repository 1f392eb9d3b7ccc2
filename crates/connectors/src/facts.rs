//! Reads the few values that a session record keeps, from the places that the definition names. Whatever is odd becomes null: a record with a gap is better than a wrong or a dangerous one.

use domain::card_number::contains_card_number;
use domain::json::{Kind, Pointer, array_index, elements, kind_at, member, members, root};
use domain::session::RecordedFacts;
use domain::{CountryCode, CurrencyCode, JsonObject, JsonText, Money};
use http::HeaderMap;

use crate::answer;
use crate::mask::Mask;
use crate::model::{Call, Place};

/// Longest text that is kept, in characters.
pub const TEXT_CHARACTERS_MAX: usize = 255;
/// Longest error code of a service that is kept, in characters.
pub const CODE_CHARACTERS_MAX: usize = 64;

/// Where places lead to.
#[derive(Clone, Copy, Default)]
pub struct Sources<'a> {
    /// The caller's body as it came.
    pub request: Option<&'a JsonObject>,
    /// The service's answer, if it is JSON; of a failure also a list.
    pub answer: Option<&'a JsonText>,
    /// The headers of the answer.
    pub headers: Option<&'a HeaderMap>,
}

// === impl Sources ===

impl Sources<'_> {
    /// The value at the first place that is there, as JSON text; null and the empty string are not there. Header values come as JSON strings.
    pub fn find(&self, places: &[Place]) -> Option<String> {
        places.iter().find_map(|place| self.at(place))
    }

    /// The same as plain text: strings decoded, numbers as spelled, `None` for everything else.
    pub fn find_text(&self, places: &[Place]) -> Option<String> {
        scalar(&self.find(places)?)
    }

    fn at(&self, place: &Place) -> Option<String> {
        let value = match place {
            Place::Request(pointer) => self.request?.at(pointer)?.to_owned(),
            Place::Answer(pointer) => self.answer?.at(pointer)?.to_owned(),
            Place::AnswerKey(pointer) => self.key_at(pointer)?,
            Place::AnswerHeader(name) => serde_json::Value::from(self.headers?.get(name)?.to_str().ok()?).to_string(),
        };
        (value != "null" && value != "\"\"").then_some(value)
    }

    /// Whether a place goes through the first of several elements: one of several amounts is not the amount.
    fn is_one_of_several(&self, place: &Place) -> bool {
        match place {
            Place::Request(pointer) => self.request.is_some_and(|body| passes_a_list_of_several(body.text(), pointer)),
            Place::Answer(pointer) => self.answer.is_some_and(|body| passes_a_list_of_several(body, pointer)),
            Place::AnswerKey(_) | Place::AnswerHeader(_) => false,
        }
    }

    /// The name of the first member of the object at a pointer of the answer, as a JSON string.
    fn key_at(&self, pointer: &Pointer) -> Option<String> {
        let object = self.answer?.at(pointer)?.as_bytes();
        let first = members(object, root(object)?.start)?.into_iter().next()?;
        Some(serde_json::Value::from(first.name.as_ref()).to_string())
    }
}

/// What the record keeps of two steps: what the second one found counts, else what the first one found.
pub fn merged(first: RecordedFacts, second: RecordedFacts) -> RecordedFacts {
    RecordedFacts {
        amount: second.amount.or(first.amount),
        currency: second.currency.or(first.currency),
        country: second.country.or(first.country),
        reference: second.reference.or(first.reference),
        service_session_id: second.service_session_id.or(first.service_session_id),
        support_id: second.support_id.or(first.support_id),
        service_code: second.service_code.or(first.service_code),
    }
}

/// What the record keeps of a call. The service's own code is kept only of a failure, which the caller of this knows.
pub fn facts(call: &Call, sources: &Sources<'_>, mask: &Mask) -> RecordedFacts {
    let record = &call.record;
    let text = |places: &[Place], limit: usize| keep(sources.find_text(&public(call, places))?, limit, mask);
    let currency = text(&record.currency, TEXT_CHARACTERS_MAX).and_then(|code| CurrencyCode::parse(&code.to_ascii_uppercase()));
    RecordedFacts {
        amount: amount(call, sources, currency),
        currency,
        country: text(&record.country, TEXT_CHARACTERS_MAX).and_then(|code| CountryCode::parse(&code.to_ascii_uppercase())),
        reference: text(&record.reference, TEXT_CHARACTERS_MAX),
        service_session_id: text(&record.service_id, TEXT_CHARACTERS_MAX),
        support_id: text(&record.support_id, TEXT_CHARACTERS_MAX),
        service_code: text(&call.error_code, CODE_CHARACTERS_MAX),
    }
}

fn amount(call: &Call, sources: &Sources<'_>, currency: Option<CurrencyCode>) -> Option<i64> {
    let places = public(call, &call.record.amount);
    let place = places.iter().find(|place| sources.at(place).is_some())?;
    if sources.is_one_of_several(place) {
        return None;
    }
    let text = scalar(&sources.at(place)?).filter(|text| !contains_card_number(text))?;
    if call.record.amount_in_major_units {
        return Money::from_major(&text, currency?).map(|money| money.minor);
    }
    // `1000.0` is how some clients write an integer.
    let whole = text.split_once('.').map_or(text.as_str(), |(whole, zeros)| if zeros.bytes().all(|b| b == b'0') { whole } else { "" });
    whole.parse().ok()
}

/// The places that do not lead into a private or withheld part of the answer, nor to a header that such a part is made of.
fn public(call: &Call, places: &[Place]) -> Vec<Place> {
    let is_public = |place: &&Place| match place {
        Place::Answer(pointer) | Place::AnswerKey(pointer) => !answer::is_hidden(call, pointer),
        Place::AnswerHeader(_) => !answer::feeds_hidden(call, place),
        Place::Request(_) => true,
    };
    places.iter().filter(is_public).cloned().collect()
}

/// Text that is short enough and harmless, else nothing. Looked at before it is cut, so that no part of a card number stays.
fn keep(text: String, limit: usize, mask: &Mask) -> Option<String> {
    // Databases refuse some control characters, and a record must never fail on a value.
    if contains_card_number(&text) || text.chars().any(char::is_control) || mask.is_in(&text) {
        return None;
    }
    Some(match text.char_indices().nth(limit) {
        Some((end, _)) => text.get(..end)?.to_owned(),
        None => text,
    })
}

fn scalar(json: &str) -> Option<String> {
    match kind_at(json.as_bytes(), 0)? {
        Kind::String => serde_json::from_str(json).ok(),
        Kind::Number => Some(json.to_owned()),
        Kind::Object | Kind::Array | Kind::Boolean | Kind::Null => None,
    }
}

fn passes_a_list_of_several(body: &JsonText, pointer: &Pointer) -> bool {
    let bytes = body.bytes();
    let Some(mut range) = root(bytes) else { return false };
    for token in pointer.tokens() {
        let next = match kind_at(bytes, range.start) {
            Some(Kind::Object) => member(bytes, range.start, token).map(|found| found.value_range),
            Some(Kind::Array) => {
                let items = elements(bytes, range.start).unwrap_or_default();
                if items.len() > 1 {
                    return true;
                }
                array_index(token).and_then(|index| items.into_iter().nth(index))
            }
            Some(Kind::String | Kind::Number | Kind::Boolean | Kind::Null) | None => None,
        };
        match next {
            Some(next) => range = next,
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{call, in_answer, in_request, object};
    use crate::model::AnswerShape;
    use http::HeaderName;

    fn read(call: &Call, request: &str, answer: &str) -> RecordedFacts {
        let (request, answer) = (object(request), object(answer));
        let mut headers = HeaderMap::new();
        headers.insert("support", "s-1".parse().unwrap());
        let sources = Sources { request: Some(&request), answer: Some(answer.text()), headers: Some(&headers) };
        facts(call, &sources, &Mask::new(["a-stored-secret"]))
    }

    #[test]
    fn amounts_are_minor_units_or_null() {
        let mut minor = call();
        minor.record.amount = vec![in_answer("/amount"), in_request("/amount/value")];
        let check = |value: &str, expected: Option<i64>| {
            assert_eq!(read(&minor, &format!(r#"{{"amount":{{"value":{value}}}}}"#), "{}").amount, expected, "{value}");
        };
        check("1000", Some(1000));
        check("\"1000\"", Some(1000));
        check("1000.0", Some(1000));
        check("-5", Some(-5));
        check("10.5", None);
        check("1e3", None);
        check("null", None);
        check("[1000]", None);
        check("true", None);
        check("99999999999999999999", None);
        check("4111111111111111", None);
        assert_eq!(read(&minor, r#"{"amount":{"value":1}}"#, r#"{"amount":2}"#).amount, Some(2));
    }

    #[test]
    fn major_units_need_a_currency_and_a_single_unit() {
        let mut major = call();
        major.record.amount = vec![in_request("/units/0/amount/value")];
        major.record.amount_in_major_units = true;
        major.record.currency = vec![in_request("/units/0/amount/code")];
        let check = |units: &str, expected: (Option<i64>, Option<&str>)| {
            let found = read(&major, &format!(r#"{{"units":{units}}}"#), "{}");
            assert_eq!((found.amount, found.currency.map(|c| c.to_string()).as_deref()), expected, "{units}");
        };
        check(r#"[{"amount":{"code":"eur","value":"10.00"}}]"#, (Some(1000), Some("EUR")));
        check(r#"[{"amount":{"code":"JPY","value":"1000"}}]"#, (Some(1000), Some("JPY")));
        check(r#"[{"amount":{"code":"KWD","value":1.25}}]"#, (Some(1250), Some("KWD")));
        check(r#"[{"amount":{"code":"ZZZ","value":"10.00"}}]"#, (None, None));
        check(r#"[{"amount":{"value":"10.00"}}]"#, (None, None));
        check(r#"[{"amount":{"code":"EUR","value":"10.00"}},{}]"#, (None, Some("EUR")));
    }

    #[test]
    fn texts_are_limited_and_harmless() {
        let mut call = call();
        call.record.reference = vec![in_request("/a"), in_request("/b")];
        let check =
            |request: &str, expected: Option<&str>| assert_eq!(read(&call, request, "{}").reference.as_deref(), expected, "{request}");
        check(r#"{"a":"order-1"}"#, Some("order-1"));
        check(r#"{"a":null,"b":"order-2"}"#, Some("order-2"));
        check(r#"{"a":"","b":17.50}"#, Some("17.50"));
        check(r#"{"a":{},"b":"x"}"#, None);
        check(r#"{"a":true}"#, None);
        check(r#"{"a":"card 4111 1111 1111 1111"}"#, None);
        check(r#"{"a":"nul\u0000"}"#, None);
        check(r#"{"a":"\ud800"}"#, None);
        check(r#"{"a":"it is a-stored-secret"}"#, None);
        let long = "é".repeat(300);
        check(&format!(r#"{{"a":"{long}"}}"#), Some(&"é".repeat(255)));
        let hidden = format!(r#"{{"a":"{}4111111111111111"}}"#, "x".repeat(250));
        check(&hidden, None);
    }

    #[test]
    fn codes_countries_and_headers_are_read() {
        let mut call = call();
        call.record.country = vec![in_request("/country")];
        call.record.support_id = vec![in_answer("/support"), Place::AnswerHeader(HeaderName::from_static("support"))];
        call.error_code = vec![in_answer("/code")];
        let found = read(&call, r#"{"country":"nl"}"#, &format!(r#"{{"code":"{}"}}"#, "c".repeat(100)));
        assert_eq!(found.country.unwrap().as_str(), "NL");
        assert_eq!(found.support_id.as_deref(), Some("s-1"));
        assert_eq!(found.service_code.unwrap().len(), 64);
        assert_eq!(read(&call, r#"{"country":"XX"}"#, r#"{"code":4001}"#).service_code.as_deref(), Some("4001"));
    }

    #[test]
    fn a_list_of_errors_and_the_name_of_a_member_are_read() {
        let check = |answer: &str, places: Vec<Place>, expected: Option<&str>| {
            let text = JsonText::parse(answer.to_owned()).unwrap();
            let call = Call { error_code: places, ..call() };
            let found = facts(&call, &Sources { answer: Some(&text), ..Sources::default() }, &Mask::new([])).service_code;
            assert_eq!(found.as_deref(), expected, "{answer}");
        };
        let key = |at: &str| Place::AnswerKey(crate::fixtures::pointer(at));
        let errors = r#"[{"errorCode":"PA02"},{"errorCode":"RF07"}]"#;
        check(errors, vec![in_answer("/0/errorCode")], Some("PA02"));
        check(errors, vec![in_answer("/errorCode"), in_answer("/1/errorCode")], Some("RF07"));
        check("[]", vec![in_answer("/0/errorCode")], None);
        check("[{\"errorCode\":5003}]", vec![in_answer("/0/errorCode")], Some("5003"));
        check("\"PA02\"", vec![in_answer("/0")], None);
        check("5003", vec![in_answer("/0")], None);
        let named = r#"{"errors":{"order.items":["required"],"amount":[]}}"#;
        check(named, vec![key("/errors")], Some("order.items"));
        check(r#"{"errors":{"\u0061mount":[]}}"#, vec![key("/errors")], Some("amount"));
        check(r#"[{"errors":{"a":1}}]"#, vec![key("/0/errors")], Some("a"));
        for other in [r#"{"errors":{}}"#, r#"{"errors":["a"]}"#, r#"{"errors":"a"}"#, r#"{"errors":{"":1}}"#, "{}"] {
            check(other, vec![key("/errors")], None);
        }
        check(r#"{"errors":{},"code":1}"#, vec![key("/errors"), in_answer("/code")], Some("1"));
    }

    #[test]
    fn private_members_are_never_kept() {
        let mut call = call();
        call.record.service_id = vec![in_answer("/private/id"), in_answer("/id")];
        call.private = vec![crate::fixtures::pointer("/private")];
        assert_eq!(read(&call, "{}", r#"{"private":{"id":"p"},"id":"public"}"#).service_session_id.as_deref(), Some("public"));
        assert_eq!(read(&call, "{}", r#"{"private":{"id":"p"}}"#).service_session_id, None);
        call.record.service_id = vec![Place::AnswerKey(crate::fixtures::pointer("/private"))];
        assert_eq!(read(&call, "{}", r#"{"private":{"id":"p"}}"#).service_session_id, None);
    }

    #[test]
    fn a_header_that_becomes_a_private_member_is_never_kept() {
        let header = Place::AnswerHeader(HeaderName::from_static("support"));
        let mut call = call();
        call.answer = AnswerShape::Build(vec![("token".into(), vec![header.clone()]), ("id".into(), vec![in_answer("/id")])]);
        call.record.support_id = vec![header];
        assert_eq!(read(&call, "{}", "{}").support_id.as_deref(), Some("s-1"));
        call.private = vec![crate::fixtures::pointer("/id")];
        assert_eq!(read(&call, "{}", "{}").support_id.as_deref(), Some("s-1"));
        call.withhold = vec![crate::fixtures::pointer("/token")];
        assert_eq!(read(&call, "{}", "{}").support_id, None);
    }
}
