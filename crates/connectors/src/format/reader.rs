//! The TOML tree with positions: every value is asked for by name, and what nobody asked for is a mistake.

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};

use domain::json::{DEPTH_MAX, Pointer};
use toml::de::{DeTable, DeValue};

use super::report::Report;

/// One value of the file, with where it stands and what it is called.
#[derive(Clone)]
pub(super) struct Node<'a> {
    report: &'a Report<'a>,
    value: &'a DeValue<'a>,
    span: Range<usize>,
    /// The key as written in the file; the position in a list has none.
    key: &'a str,
    key_at: usize,
    path: String,
}

/// One table of the file. Keys that were asked for are known; [`Table::finish`] names the others.
pub(super) struct Table<'a> {
    report: &'a Report<'a>,
    table: &'a DeTable<'a>,
    at: usize,
    path: String,
    known: RefCell<Vec<&'static str>>,
}

// === impl Node ===

impl<'a> Node<'a> {
    pub(super) fn key(&self) -> &'a str {
        self.key
    }

    /// Offset of the key, for mistakes that are in the name.
    pub(super) fn key_at(&self) -> usize {
        self.key_at
    }

    /// Offset of the value.
    pub(super) fn at(&self) -> usize {
        self.span.start
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn report(&self) -> &'a Report<'a> {
        self.report
    }

    pub(super) fn value(&self) -> &'a DeValue<'a> {
        self.value
    }

    /// Notes a mistake in the value.
    pub(super) fn wrong(&self, message: impl Into<String>) {
        self.report.add(self.span.start, message);
    }

    /// Notes a mistake in the key.
    pub(super) fn wrong_key(&self, message: impl Into<String>) {
        self.report.add(self.key_at, message);
    }

    /// Notes that the value is of another type.
    pub(super) fn wrong_type(&self, expected: &str) {
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        // A table from a header has no place of its own, its key has.
        let at = if self.value.is_table() { self.key_at } else { self.span.start };
        self.report.add(at, format!("`{}` must be {expected}, not {found}", self.path));
    }

    /// The offset in the file of a byte of the string.
    pub(super) fn offset(&self, decoded: usize) -> usize {
        self.report.offset_in_string(&self.span, decoded)
    }

    /// The string, whatever it holds.
    pub(super) fn text(&self) -> Option<&'a str> {
        let Some(text) = self.value.as_str() else {
            self.wrong_type("a string");
            return None;
        };
        let raw = self.report.slice(self.span.clone());
        if let Some(index) = raw.find('\r') {
            self.report.add(
                self.span.start + index,
                "a carriage return in a string would reach the payment service: save the file with plain line feeds",
            );
            return None;
        }
        Some(text)
    }

    /// A string for people or of one line: not empty, not long, without control characters.
    pub(super) fn line(&self, max: usize) -> Option<&'a str> {
        let text = self.text()?;
        if text.is_empty() || text.chars().count() > max || text.chars().any(char::is_control) {
            self.wrong(format!("`{}` must be one line of 1 to {max} characters", self.path));
            return None;
        }
        Some(text)
    }

    /// One of the words of a closed list.
    pub(super) fn word(&self, allowed: &[&str]) -> Option<&'a str> {
        let text = self.text()?;
        if !allowed.contains(&text) {
            let message = format!("`{}` is no value of `{}`; allowed: {}", shown(text), self.path, allowed.join(", "));
            self.report.add_name(self.at(), message, text, allowed.iter().copied());
            return None;
        }
        Some(text)
    }

    pub(super) fn flag(&self) -> Option<bool> {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.wrong_type("true or false");
        }
        flag
    }

    /// A whole number in a range.
    pub(super) fn whole(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let Some(integer) = self.value.as_integer() else {
            self.wrong_type("a whole number");
            return None;
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.wrong(format!("`{}` must be from {} to {}", self.path, range.start(), range.end()));
        }
        number
    }

    /// The elements of a list.
    pub(super) fn list(&self) -> Option<Vec<Self>> {
        if !self.value.is_array() {
            self.wrong_type("a list");
            return None;
        }
        Some(self.one_or_list())
    }

    /// The elements of a list, or the value itself.
    pub(super) fn one_or_list(&self) -> Vec<Self> {
        let Some(array) = self.value.as_array() else { return vec![self.clone()] };
        let element = |item: &'a toml::Spanned<DeValue<'a>>| Self {
            report: self.report,
            value: item.get_ref(),
            span: item.span(),
            key: self.key,
            key_at: item.span().start,
            path: self.path.clone(),
        };
        array.iter().map(element).collect()
    }

    pub(super) fn table(&self) -> Option<Table<'a>> {
        let Some(table) = self.value.as_table() else {
            self.wrong_type("a table");
            return None;
        };
        Some(Table { report: self.report, table, at: self.key_at, path: self.path.clone(), known: RefCell::default() })
    }

    /// The table, if it is one: no mistake if not.
    pub(super) fn as_table(&self) -> Option<Table<'a>> {
        self.value.is_table().then(|| self.table()).flatten()
    }

    /// The string as a JSON pointer to a member.
    pub(super) fn pointer(&self) -> Option<Pointer> {
        let text = self.text()?;
        pointer(self.report, self.at(), text)
    }

    /// The key as a JSON pointer to a member.
    pub(super) fn key_pointer(&self) -> Option<Pointer> {
        pointer(self.report, self.key_at, self.key)
    }
}

// === impl Table ===

impl<'a> Table<'a> {
    pub(super) fn root(report: &'a Report<'a>, table: &'a DeTable<'a>) -> Self {
        Self { report, table, at: 0, path: String::new(), known: RefCell::default() }
    }

    /// The value of a key, which is known from here on.
    pub(super) fn get(&self, key: &'static str) -> Option<Node<'a>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.table.get_key_value(key).map(|(key, value)| self.node(key, value))
    }

    /// The value of a key that must be there.
    pub(super) fn require(&self, key: &'static str) -> Option<Node<'a>> {
        let node = self.get(key);
        if node.is_none() {
            self.report.add(self.at, format!("{} has no `{key}`", self.title()));
        }
        node
    }

    /// Whether a key is there; it stays unknown.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// All entries in the order of the file, for tables whose keys are free.
    pub(super) fn entries(&self) -> Vec<Node<'a>> {
        let mut entries: Vec<Node<'a>> = self.table.iter().map(|(key, value)| self.node(key, value)).collect();
        entries.sort_by_key(|entry| entry.key_at);
        entries
    }

    /// Notes a mistake of the table as a whole.
    pub(super) fn wrong(&self, message: impl Into<String>) {
        self.report.add(self.at, message);
    }

    /// Names every key that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        for (key, _) in self.table.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            let message = format!("`{}` is no key of {}; allowed: {}", shown(name), self.title(), known.join(", "));
            self.report.add_name(key.span().start, message, name, known.iter().copied());
        }
    }

    fn title(&self) -> String {
        if self.path.is_empty() { "a definition file".to_owned() } else { format!("`{}`", self.path) }
    }

    fn node(&self, key: &'a toml::Spanned<std::borrow::Cow<'a, str>>, value: &'a toml::Spanned<DeValue<'a>>) -> Node<'a> {
        let name = key.get_ref().as_ref();
        let path = match self.path.as_str() {
            "" => shown(name),
            parent if is_bare(name) => format!("{parent}.{name}"),
            parent => format!("{parent}.\"{}\"", shown(name)),
        };
        Node { report: self.report, value: value.get_ref(), span: value.span(), key: name, key_at: key.span().start, path }
    }
}

/// What a file says, short enough for a message.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", short.escape_debug())
}

/// A JSON pointer to a member; the whole is none.
pub(super) fn pointer(report: &Report<'_>, at: usize, text: &str) -> Option<Pointer> {
    let parsed = Pointer::parse(text).filter(|pointer| !pointer.tokens().is_empty());
    if parsed.is_none() {
        let name = shown(text);
        let message = format!(
            "`{name}` is no JSON pointer to a member; it must look like `/amount/value`, with `~1` for `/` and `~0` for `~` in names"
        );
        report.add(at, message);
    }
    if parsed.as_ref().is_some_and(|pointer| pointer.tokens().len() > DEPTH_MAX) {
        report.add(at, format!("this pointer is deeper than any body: at most {DEPTH_MAX} names"));
        return None;
    }
    parsed
}

fn is_bare(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
