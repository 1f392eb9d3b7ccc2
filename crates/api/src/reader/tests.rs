//! What a reader takes, what it refuses and where.

use domain::{JsonObject, Patch};

use super::*;

fn object(text: &str) -> JsonObject {
    JsonObject::parse(text.to_owned()).unwrap()
}

fn found(problems: Problems) -> Vec<(String, &'static str)> {
    problems.into_vec().into_iter().map(|problem| (problem.pointer, problem.kind)).collect()
}

/// Reads the member `a` of a body and tells its value and its problems.
fn read<T: std::fmt::Debug + PartialEq>(
    body: &str,
    kind: impl Fn(&Value<'_>, &mut Problems) -> Option<T>,
    expected: Result<T, (&str, &'static str)>,
) {
    let object = object(body);
    let mut problems = Problems::default();
    let value = Reader::of(&object).unwrap().required(&mut problems, "a", kind);
    match expected {
        Ok(expected) => assert_eq!((value, found(problems)), (Some(expected), vec![]), "{body:.60}"),
        Err((pointer, kind)) => assert_eq!((value, found(problems)), (None, vec![(pointer.to_owned(), kind)]), "{body:.60}"),
    }
}

#[test]
fn texts_are_kept_byte_for_byte_and_counted_in_scalar_values() {
    read(r#"{"a":" \u00e9É\t"}"#, raw_text, Ok(" éÉ\t".to_owned()));
    read(r#"{"a":"😀😀"}"#, text(1..=2), Ok("😀😀".to_owned()));
    read(r#"{"a":"😀😀😀"}"#, text(1..=2), Err(("/a", "string_too_long")));
    read(r#"{"a":""}"#, text(1..=2), Err(("/a", "string_too_short")));
    read(r#"{"a":1}"#, text(1..=2), Err(("/a", "type_error")));
    read(r#"{"a":null}"#, text(1..=2), Err(("/a", "type_error")));
    read(r#"{"a":"\u0000"}"#, raw_text, Err(("/a", "value_error")));
    read(r#"{"a":"\ud800"}"#, raw_text, Err(("/a", "value_error")));
    read(r"{}", raw_text, Err(("/a", "missing")));
}

#[test]
fn integers_are_numbers_without_a_fraction() {
    let seconds = || integer(3600..=86_400);
    read(r#"{"a":3600.0}"#, seconds(), Ok(3600));
    read(r#"{"a":3.6e3}"#, seconds(), Ok(3600));
    read(r#"{"a":3600.5}"#, seconds(), Err(("/a", "type_error")));
    read(r#"{"a":"3600"}"#, seconds(), Err(("/a", "type_error")));
    read(r#"{"a":true}"#, seconds(), Err(("/a", "type_error")));
    read(r#"{"a":[3600]}"#, seconds(), Err(("/a", "type_error")));
    read(r#"{"a":3599}"#, seconds(), Err(("/a", "out_of_range")));
    read(&format!(r#"{{"a":{}}}"#, "9".repeat(100_000)), seconds(), Err(("/a", "out_of_range")));
    read(r#"{"a":1e999}"#, seconds(), Err(("/a", "out_of_range")));
}

#[test]
fn booleans_are_nothing_else() {
    read(r#"{"a":true}"#, boolean, Ok(true));
    read(r#"{"a":false}"#, boolean, Ok(false));
    for stranger in ["0", "1", r#""true""#, "null", "[]", "{}"] {
        read(&format!(r#"{{"a":{stranger}}}"#), boolean, Err(("/a", "type_error")));
    }
}

#[test]
fn codes_are_checked_by_pattern_and_against_iso() {
    read(r#"{"a":["EUR","USD"]}"#, |v, p| list(1, currency)(v, p).map(|all| all.len()), Ok(2));
    read(r#"{"a":[]}"#, list(1, currency), Err(("/a", "value_error")));
    read(r#"{"a":"EUR"}"#, list(1, currency), Err(("/a", "type_error")));
    read(r#"{"a":["EUR","eur"]}"#, list(1, currency), Err(("/a/1", "pattern_mismatch")));
    read(r#"{"a":["ZZZ"]}"#, list(1, currency), Err(("/a/0", "value_error")));
    read(r#"{"a":["NLD"]}"#, list(1, country), Err(("/a/0", "pattern_mismatch")));
    read(r#"{"a":["ZZ"]}"#, list(1, country), Err(("/a/0", "value_error")));
}

#[test]
fn ids_have_their_alphabet() {
    let account = || identifier(1..=50, |text| domain::MerchantAccountId::parse(text).map(|id| id.to_string()), "^[a-zA-Z0-9-]+$");
    read(r#"{"a":"Default-1"}"#, account(), Ok("Default-1".to_owned()));
    read(r#"{"a":"a b"}"#, account(), Err(("/a", "pattern_mismatch")));
    read(r#"{"a":""}"#, account(), Err(("/a", "string_too_short")));
    read(&format!(r#"{{"a":"{}"}}"#, "a".repeat(51)), account(), Err(("/a", "string_too_long")));
    read(r#"{"a":"0"}"#, |v, p| uuid(domain::RoleId::parse)(v, p).map(|id| id.to_string()), Err(("/a", "value_error")));
    read(r#"{"a":"x"}"#, one_of(domain::method::is_card_scheme, "card scheme"), Err(("/a", "value_error")));
}

#[test]
fn null_absent_and_a_value_are_three_things() {
    let body = object(r#"{"null":null,"value":"x","wrong":1}"#);
    let reader = Reader::of(&body).unwrap();
    let mut problems = Problems::default();
    assert_eq!(reader.patch(&mut problems, "absent", raw_text), Patch::Absent);
    assert_eq!(reader.patch(&mut problems, "null", raw_text), Patch::Null);
    assert_eq!(reader.patch(&mut problems, "value", raw_text), Patch::Value("x".to_owned()));
    assert_eq!(reader.nullable(&mut problems, "null", raw_text), None);
    assert_eq!(reader.optional(&mut problems, "absent", raw_text), None);
    assert!(problems.0.is_empty());
    assert_eq!(reader.optional(&mut problems, "null", raw_text), None);
    assert_eq!(reader.patch(&mut problems, "wrong", raw_text), Patch::Absent);
    assert_eq!(found(problems), [("/null".to_owned(), "type_error"), ("/wrong".to_owned(), "type_error")]);
}

#[test]
fn every_problem_is_told_in_the_order_of_asking_and_unknown_members_are_not_looked_at() {
    let body = object(r#"{"unknown":1e999,"list":[{"key":"k"},{"key":1,"value":"v"},7],"name":"","a/b~c":true}"#);
    let reader = Reader::of(&body).unwrap();
    let mut problems = Problems::default();
    reader.required(&mut problems, "name", text(1..=200));
    reader.required(
        &mut problems,
        "list",
        list(0, |value, problems| {
            let reader = value.object(problems)?;
            let key = reader.required(problems, "key", raw_text);
            let value = reader.required(problems, "value", raw_text);
            Some((key?, value?))
        }),
    );
    reader.required(&mut problems, "a/b~c", raw_text);
    reader.required(&mut problems, "gone", raw_text);
    assert_eq!(
        found(problems),
        [
            ("/name".to_owned(), "string_too_short"),
            ("/list/0/value".to_owned(), "missing"),
            ("/list/1/key".to_owned(), "type_error"),
            ("/list/2".to_owned(), "type_error"),
            ("/a~1b~0c".to_owned(), "type_error"),
            ("/gone".to_owned(), "missing"),
        ]
    );
}

#[test]
fn of_repeated_members_the_last_one_counts() {
    read(r#"{"a":1,"a":"x","\u0061":"y"}"#, raw_text, Ok("y".to_owned()));
    let body = object(r#"{"m":{"x":1,"y":2,"x":3}}"#);
    let mut problems = Problems::default();
    let names = Reader::of(&body).unwrap().required(&mut problems, "m", |value, problems| {
        Some(value.object(problems)?.entries().into_iter().map(|(name, value)| format!("{name}={}", value.raw())).collect::<Vec<_>>())
    });
    assert_eq!(names.unwrap(), ["y=2", "x=3"]);
}

#[test]
fn bombs_are_refused_before_they_are_unpacked_and_problems_have_an_end() {
    let many = format!(r#"{{"a":[{}1]}}"#, "1,".repeat(ITEMS_MAX + 1));
    assert!(Reader::of(&object(&many)).is_err());
    let body = object(&format!(r#"{{"a":["{}"{}]}}"#, ",".repeat(2 * ITEMS_MAX), ",1".repeat(500)));
    let mut problems = Problems::default();
    Reader::of(&body).unwrap().required(&mut problems, "a", list(0, raw_text));
    assert_eq!(problems.0.len(), PROBLEMS_MAX);
}
