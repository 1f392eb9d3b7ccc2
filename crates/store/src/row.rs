//! From columns to the domain's types: every refusal names table, column and row.

use crate::StoreError;

/// Which row is being read, for the error message.
pub(crate) struct At<'a> {
    pub(crate) table: &'static str,
    pub(crate) id: &'a dyn std::fmt::Display,
}

impl At<'_> {
    /// The value of a column, if the domain knows it.
    pub(crate) fn known<T>(&self, column: &'static str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| StoreError::Corrupt { table: self.table, column, id: self.id.to_string() })
    }

    /// The value of a column that may be null.
    pub(crate) fn maybe<S, T>(
        &self,
        column: &'static str,
        stored: Option<S>,
        read: impl FnOnce(&S) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        stored.map(|stored| self.known(column, read(&stored))).transpose()
    }

    /// A list that is kept as JSON text.
    pub(crate) fn list<T>(&self, column: &'static str, text: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, StoreError> {
        let words: Vec<String> = self.known(column, serde_json::from_str(text).ok())?;
        words.iter().map(|word| self.known(column, read(word))).collect()
    }
}

/// Writes a list as JSON text.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(words).to_string()
}

/// A set of ids as one text that SQL can search: `,a,b,`. The ids hold no comma. Unlike `LIKE`, `replace` tells upper from lower case on both engines, and it needs no list type, which they do not share.
pub(crate) fn id_set<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    ids.into_iter().fold(String::from(","), |set, id| set + id + ",")
}
