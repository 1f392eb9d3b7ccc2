//! Credential fields in a body.

use crate::reader::{Problems, Value, text};

/// A key and its value. Values are credentials: they are never in a problem's message.
pub(super) fn field(value: &Value<'_>, problems: &mut Problems) -> Option<(String, String)> {
    pair(value, problems, 1)
}

/// A key and its value, where an empty value removes the field.
pub(super) fn voidable_field(value: &Value<'_>, problems: &mut Problems) -> Option<(String, String)> {
    pair(value, problems, 0)
}

fn pair(value: &Value<'_>, problems: &mut Problems, least: usize) -> Option<(String, String)> {
    let reader = value.object(problems)?;
    let key = reader.required(problems, "key", text(1..=50));
    let value = reader.required(problems, "value", text(least..=10_000));
    Some((key?, value?))
}
