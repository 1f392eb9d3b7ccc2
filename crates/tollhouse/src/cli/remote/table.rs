//! Tables for people.

use comfy_table::{ContentArrangement, Table, presets};

/// A table with a header and rows, or one of names and values, at the width of the terminal.
pub(crate) fn of_rows(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell)));
    }
    table.to_string()
}

/// Names and values of one thing, one below the other.
pub(crate) fn of_members(members: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    for (name, value) in members {
        table.add_row([name.to_owned(), plain(&value)]);
    }
    table.to_string()
}

/// Text without what moves a terminal's cursor or changes its colours: names come from whoever may write to the server.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// A value, or nothing.
pub(crate) fn or_empty<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// `yes` or `no`.
pub(crate) fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}
