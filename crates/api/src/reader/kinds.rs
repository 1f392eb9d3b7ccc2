//! The kinds of value that bodies have: each reads one value or notes what is wrong with it.

use std::ops::RangeInclusive;

use domain::json::Kind;
use domain::{CountryCode, CurrencyCode};

use super::{Problems, Value};

/// Longest number that is read, in characters; a 64-bit integer has 20.
const NUMBER_CHARACTERS_MAX: usize = 64;

/// A string of a length, counted in Unicode scalar values.
pub(crate) fn text(characters: RangeInclusive<usize>) -> impl Fn(&Value<'_>, &mut Problems) -> Option<String> {
    move |value, problems| {
        let text = raw_text(value, problems)?;
        let count = text.chars().count();
        if count < *characters.start() {
            return value.refuse(problems, "string_too_short", format!("Must have at least {} characters", characters.start()));
        }
        if count > *characters.end() {
            return value.refuse(problems, "string_too_long", format!("Must have at most {} characters", characters.end()));
        }
        Some(text)
    }
}

/// A string of any length.
pub(crate) fn raw_text(value: &Value<'_>, problems: &mut Problems) -> Option<String> {
    if value.kind() != Some(Kind::String) {
        return value.refuse(problems, "type_error", "Must be a string");
    }
    match serde_json::from_str::<String>(value.raw()) {
        // PostgreSQL can not store it, and nobody means it.
        Ok(text) if text.contains('\0') => value.refuse(problems, "value_error", "Must not contain the character U+0000"),
        Ok(text) => Some(text),
        // Half of a surrogate pair is JSON and not text.
        Err(_) => value.refuse(problems, "value_error", "Must be valid Unicode"),
    }
}

/// `true` or `false`; neither a number nor a string.
pub(crate) fn boolean(value: &Value<'_>, problems: &mut Problems) -> Option<bool> {
    match value.raw() {
        "true" => Some(true),
        "false" => Some(false),
        _ => value.refuse(problems, "type_error", "Must be a boolean"),
    }
}

/// A whole number, however it is spelt: `3600.0` is one, since Python clients write it so.
pub(crate) fn integer(range: RangeInclusive<i64>) -> impl Fn(&Value<'_>, &mut Problems) -> Option<i64> {
    move |value, problems| {
        if value.kind() != Some(Kind::Number) {
            return value.refuse(problems, "type_error", "Must be an integer");
        }
        let out_of_range = || format!("Must be from {} to {}", range.start(), range.end());
        match whole(value.raw()) {
            Whole::Integer(number) if range.contains(&number) => Some(number),
            Whole::Integer(_) | Whole::TooLarge => value.refuse(problems, "out_of_range", out_of_range()),
            Whole::Fraction => value.refuse(problems, "type_error", "Must be an integer"),
        }
    }
}

/// A UUID, as an id of the caller's choice.
pub(crate) fn uuid<T>(parse: fn(&str) -> Option<T>) -> impl Fn(&Value<'_>, &mut Problems) -> Option<T> {
    move |value, problems| {
        let text = raw_text(value, problems)?;
        parse(&text).or_else(|| value.refuse(problems, "value_error", "Must be a UUID"))
    }
}

/// A text that a type takes or refuses by its alphabet.
pub(crate) fn identifier<T>(
    characters: RangeInclusive<usize>,
    parse: fn(&str) -> Option<T>,
    pattern: &'static str,
) -> impl Fn(&Value<'_>, &mut Problems) -> Option<T> {
    move |value, problems| {
        let text = text(characters.clone())(value, problems)?;
        parse(&text).or_else(|| value.refuse(problems, "pattern_mismatch", format!("Must match {pattern}")))
    }
}

/// One word of a list of the API's.
pub(crate) fn one_of(known: fn(&str) -> bool, what: &'static str) -> impl Fn(&Value<'_>, &mut Problems) -> Option<String> {
    move |value, problems| {
        let word = raw_text(value, problems)?;
        if known(&word) { Some(word) } else { value.refuse(problems, "value_error", format!("Unknown {what}")) }
    }
}

/// An array of something, with at least so many elements.
pub(crate) fn list<T>(
    least: usize,
    read: impl Fn(&Value<'_>, &mut Problems) -> Option<T>,
) -> impl Fn(&Value<'_>, &mut Problems) -> Option<Vec<T>> {
    move |value, problems| {
        let elements = value.elements(problems)?;
        if elements.len() < least {
            return value.refuse(problems, "value_error", format!("Must have at least {least} element"));
        }
        // All are read, so that all their problems are told.
        let read: Vec<Option<T>> = elements.iter().map(|element| read(element, problems)).collect();
        read.into_iter().collect()
    }
}

/// An ISO 4217 code.
pub(crate) fn currency(value: &Value<'_>, problems: &mut Problems) -> Option<CurrencyCode> {
    let code = upper_case(value, problems, 3, "^[A-Z]{3}$")?;
    CurrencyCode::parse(&code).or_else(|| value.refuse(problems, "value_error", format!("Unknown ISO 4217 currency code: {code}")))
}

/// An ISO 3166-1 alpha-2 code.
pub(crate) fn country(value: &Value<'_>, problems: &mut Problems) -> Option<CountryCode> {
    let code = upper_case(value, problems, 2, "^[A-Z]{2}$")?;
    CountryCode::parse(&code).or_else(|| value.refuse(problems, "value_error", format!("Unknown ISO 3166 country code: {code}")))
}

fn upper_case(value: &Value<'_>, problems: &mut Problems, length: usize, pattern: &str) -> Option<String> {
    let text = raw_text(value, problems)?;
    if text.len() == length && text.bytes().all(|b| b.is_ascii_uppercase()) {
        return Some(text);
    }
    value.refuse(problems, "pattern_mismatch", format!("Must match {pattern}"))
}

/// What a JSON number is, seen as an integer.
#[derive(Debug, PartialEq, Eq)]
enum Whole {
    Integer(i64),
    Fraction,
    TooLarge,
}

/// Reads the spelling, since a float would round it first.
fn whole(text: &str) -> Whole {
    if text.len() > NUMBER_CHARACTERS_MAX {
        return Whole::TooLarge;
    }
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (integral, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{integral}{fraction}");
    if all.bytes().all(|b| b == b'0') {
        return Whole::Integer(0);
    }
    // Too large for this type is too large for ours, or too small to be whole, unless it is the exponent of zero.
    let Ok(exponent) = exponent.parse::<i32>() else {
        return if exponent.starts_with('-') { Whole::Fraction } else { Whole::TooLarge };
    };
    let point = i64::try_from(integral.len()).unwrap_or(i64::MAX).saturating_add(exponent.into());
    let Ok(point) = usize::try_from(point) else { return Whole::Fraction };
    let (before, after) = all.split_at_checked(point).unwrap_or((&all, ""));
    if after.bytes().any(|b| b != b'0') {
        return Whole::Fraction;
    }
    if point > all.len() + NUMBER_CHARACTERS_MAX {
        return Whole::TooLarge;
    }
    let sign = if negative { "-" } else { "" };
    format!("{sign}{before:0<point$}").parse().map_or(Whole::TooLarge, Whole::Integer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_an_integer_by_its_value_not_by_its_spelling() {
        let check = |text: &str, expected: Whole| assert_eq!(whole(text), expected, "{text}");
        check("0", Whole::Integer(0));
        check("-0.0", Whole::Integer(0));
        check("3600.0", Whole::Integer(3600));
        check("3600", Whole::Integer(3600));
        check("36e2", Whole::Integer(3600));
        check("36E+2", Whole::Integer(3600));
        check("360000e-2", Whole::Integer(3600));
        check("3.6e3", Whole::Integer(3600));
        check("-12", Whole::Integer(-12));
        check("0e999999999999", Whole::Integer(0));
        check("9223372036854775807", Whole::Integer(i64::MAX));
        check("-9223372036854775808", Whole::Integer(i64::MIN));
        check("9223372036854775808", Whole::TooLarge);
        check("1e400", Whole::TooLarge);
        check("1e99999999999", Whole::TooLarge);
        check("1e-99999999999", Whole::Fraction);
        check("0.5", Whole::Fraction);
        check("1e-1", Whole::Fraction);
        check("3600.01", Whole::Fraction);
        check(&"9".repeat(100_000), Whole::TooLarge);
        check(&format!("1.{}", "0".repeat(100)), Whole::TooLarge);
    }
}
