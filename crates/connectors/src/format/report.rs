//! Where a mistake stands: offsets in the file become lines and columns, also those inside of strings.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use super::Diagnostic;
use super::nearest::nearest;

/// Most mistakes that one reading names: nobody reads more, and a bomb must not buy time with them.
const FOUND_MAX: usize = 100;

/// Collects the mistakes of one file while it is read.
pub(super) struct Report<'a> {
    file: &'a str,
    text: &'a str,
    found: RefCell<Vec<Found>>,
    reached: Cell<Reached>,
}

/// How far a string with escapes has been read.
#[derive(Clone, Copy, Default)]
struct Reached {
    /// Where it begins in the file.
    string: usize,
    /// Bytes of its inside as written.
    raw: usize,
    /// What they stand for.
    decoded: usize,
}

struct Found {
    at: usize,
    message: String,
    suggestion: Option<String>,
}

// === impl Report ===

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, found: RefCell::new(Vec::new()), reached: Cell::default() }
    }

    /// The file's text between two offsets.
    pub(super) fn slice(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default()
    }

    /// The offset in the file of the byte `decoded` of a string whose quoted form stands at `span`.
    pub(super) fn offset_in_string(&self, span: &Range<usize>, decoded: usize) -> usize {
        let raw = self.slice(span.clone());
        let (before, escapes) = inside(raw);
        let skipped = if escapes {
            // A string is asked for each of its thousand names, one behind the other, so it is not read from its beginning each time.
            let known = self.reached.get();
            let from = if known.string == span.start && known.decoded <= decoded { (known.raw, known.decoded) } else { (0, 0) };
            let (raw, done) = raw_length(raw.get(before..).unwrap_or_default(), decoded, from);
            self.reached.set(Reached { string: span.start, raw, decoded: done });
            raw
        } else {
            decoded
        };
        (span.start + before + skipped).min(span.end)
    }

    /// Notes a mistake at an offset.
    pub(super) fn add(&self, at: usize, message: impl Into<String>) {
        self.push(at, message.into(), None);
    }

    /// Notes a wrong name at an offset, with the nearest of those that would be right.
    pub(super) fn add_name<'n>(&self, at: usize, message: impl Into<String>, name: &str, known: impl IntoIterator<Item = &'n str>) {
        // The distance costs time, so it is only measured for mistakes that are kept.
        let full = self.found.borrow().len() >= FOUND_MAX;
        let suggestion = if full { None } else { nearest(name, known) };
        self.push(at, message.into(), suggestion.map(str::to_owned));
    }

    fn push(&self, at: usize, message: String, suggestion: Option<String>) {
        let mut found = self.found.borrow_mut();
        // One mistake may be met on several ways: by every method, for example.
        if found.iter().any(|earlier| earlier.at == at && earlier.message == message) {
            return;
        }
        if found.len() < FOUND_MAX {
            found.push(Found { at, message, suggestion });
        } else if found.len() == FOUND_MAX {
            found.push(Found { at: self.text.len(), message: format!("there are more mistakes than these {FOUND_MAX}"), suggestion: None });
        }
    }

    /// The mistakes in the order of the file.
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|found| found.at);
        let (mut line, mut line_start, mut seen) = (1, 0, 0);
        let mut diagnostics = Vec::with_capacity(found.len());
        for Found { at, message, suggestion } in found {
            let at = at.min(self.text.len());
            for (index, _) in self.text.get(seen..at).unwrap_or_default().match_indices('\n') {
                (line, line_start) = (line + 1, seen + index + 1);
            }
            seen = seen.max(at);
            let column = self.text.get(line_start..at).unwrap_or_default().chars().count() + 1;
            diagnostics.push(Diagnostic { file: self.file.to_owned(), line, column, message, suggestion });
        }
        diagnostics
    }
}

/// The inside of a string as it is written: how many bytes stand before it, and whether it may hold escapes.
fn inside(raw: &str) -> (usize, bool) {
    let (quotes, escapes) = match raw.as_bytes() {
        [b'\'', b'\'', b'\'', ..] => (3, false),
        [b'"', b'"', b'"', ..] => (3, true),
        [b'\'', ..] => (1, false),
        [b'"', ..] => (1, true),
        _ => (0, false),
    };
    // A line break right behind three quotes is not part of the string.
    let rest = raw.get(quotes..).unwrap_or_default();
    let trimmed = if quotes == 3 { rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')).unwrap_or(rest) } else { rest };
    (raw.len() - trimmed.len(), escapes)
}

/// How many bytes of a basic string's inside stand for its first `decoded` bytes, from a place that is known; then that number itself, more than asked for where an escape stands for several bytes.
fn raw_length(inside: &str, decoded: usize, (mut raw, mut done): (usize, usize)) -> (usize, usize) {
    while done < decoded {
        let rest = inside.get(raw..).unwrap_or_default();
        let mut chars = rest.chars();
        match (chars.next(), chars.next()) {
            (None, _) => break,
            (Some('\\'), Some(kind)) => {
                let digits = match kind {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => 0,
                };
                if kind.is_whitespace() {
                    // A backslash at the end of a line swallows all white space that follows.
                    raw += 1 + rest.get(1..).map_or(0, |rest| rest.len() - rest.trim_start().len());
                } else {
                    let code = rest.get(2..2 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
                    done += code.map_or(1, char::len_utf8);
                    raw += 1 + kind.len_utf8() + digits;
                }
            }
            (Some(_), _) => {
                let plain = rest.find('\\').unwrap_or(rest.len()).min(decoded - done);
                done += plain;
                raw += plain;
            }
        }
    }
    (raw, done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_inside_of_strings_are_those_of_the_file() {
        let check = |raw: &str, decoded: usize, expected: &str| {
            let text = format!("key = {raw}");
            let report = Report::new("x", &text);
            // From the beginning, from what is known, and from too far.
            for first in [decoded, 0, 1, 3] {
                report.offset_in_string(&(6..text.len()), first);
                let at = report.offset_in_string(&(6..text.len()), decoded);
                assert!(text[at..].starts_with(expected), "{raw} at {decoded} after {first}: {:?}", &text[at..]);
            }
        };
        check("'abc'", 1, "bc'");
        check("'''abc'''", 2, "c'''");
        check("'''\nabc'''", 2, "c'''");
        check("\"a\\\"bc\"", 2, "bc\"");
        check("\"\\u00e9x\"", 2, "x\"");
        check("\"\"\"\na\\\n   bc\"\"\"", 2, "c\"");
    }
}
