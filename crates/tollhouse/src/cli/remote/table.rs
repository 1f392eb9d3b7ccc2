//! Tables for people.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

/// A terminal narrower than this, or one that does not know its width, gets whole rows and breaks them itself.
const WIDTH_MIN: u16 = 60;

/// A table with a header and rows, at the width of the terminal. The first column is what people copy, so it is never broken.
pub(crate) fn of_rows(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell)));
    }
    laid_out(table)
}

/// Names and values of one thing, one below the other.
pub(crate) fn of_members(members: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let mut table = Table::new();
    for (name, value) in members {
        table.add_row([name.to_owned(), plain(&value)]);
    }
    laid_out(table)
}

fn laid_out(mut table: Table) -> String {
    table.load_style(presets::UTF8_FULL_CONDENSED);
    if table.width().is_some_and(|width| width >= WIDTH_MIN) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    if let Some(first) = table.column_mut(0) {
        first.set_constraint(ColumnConstraint::ContentWidth);
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

/// The first few of a long list of codes.
pub(crate) fn some_of(codes: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<&str> = codes.iter().take(SHOWN).map(String::as_str).collect();
    match codes.len().checked_sub(SHOWN) {
        None | Some(0) => shown.join(" "),
        Some(more) => format!("{} and {more} more", shown.join(" ")),
    }
}
