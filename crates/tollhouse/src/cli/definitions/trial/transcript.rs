//! What may be kept of a call to a real sandbox: neither secrets nor private members.

use connectors::answer::private_pointers;
use connectors::catalogue::Connector;
use domain::session::Session;

use crate::cli::remote::session::{Private, cover};

/// Shorter secrets occur by chance in every text, and covering them would leave nothing to read; requests hold none of them, since they are written with names in their place.
const SECRET_CHARACTERS_MIN: usize = 4;

/// The answer as it may be shown: private members covered, secrets by the name of their field.
pub(super) fn answer(connector: &Connector, session: &Session, secrets: &[(String, String)]) -> Option<String> {
    let body = session.response_body.as_ref()?;
    let private = Private::Members(private_pointers(&connector.provider, session.status));
    Some(without(&cover(body.as_str(), &private).json, secrets))
}

/// A text with secrets replaced by the names of their fields, also as JSON writes them.
pub(super) fn without(text: &str, secrets: &[(String, String)]) -> String {
    let mut secrets: Vec<&(String, String)> = secrets.iter().filter(|(_, value)| value.chars().count() >= SECRET_CHARACTERS_MIN).collect();
    // The longest first: one may be a part of another.
    secrets.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    secrets.into_iter().fold(text.to_owned(), |text, (key, value)| {
        let written = serde_json::Value::from(value.as_str()).to_string();
        let inner = written.get(1..written.len().saturating_sub(1)).unwrap_or_default();
        let name = format!("[{key}]");
        let text = if inner == value { text } else { text.replace(inner, &name) };
        text.replace(value.as_str(), &name)
    })
}

/// The secret values among these, with their keys.
pub(super) fn secrets(connector: &Connector, values: &[(String, String)]) -> Vec<(String, String)> {
    let is_secret = |key: &str| connector.provider.fields.iter().any(|field| field.secret && field.key == key);
    values.iter().filter(|(key, _)| is_secret(key)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_become_the_names_of_their_fields() {
        let check = |text: &str, secrets: &[(&str, &str)], expected: &str| {
            let secrets: Vec<(String, String)> = secrets.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            assert_eq!(without(text, &secrets), expected);
        };
        check("a key-1 b key-12 c", &[("short", "key-1"), ("long", "key-12")], "a [short] b [long] c");
        check(r#"{"a":"say \"it\" now"}"#, &[("k", "\"it\"")], r#"{"a":"say [k] now"}"#);
        check("abc", &[("k", "abc")], "abc");
    }
}
