//! Data on standard output, words on standard error.

use std::io::{self, IsTerminal, Write};

use tollhouse_client::Answer;

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// The server's bytes.
    Json,
}

// === impl Format ===

impl Format {
    /// A table on a terminal, JSON for whatever else reads.
    pub(crate) fn detect() -> Self {
        if io::stdout().is_terminal() { Self::Table } else { Self::Json }
    }
}

/// Writes data, with a line end where it has none.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Writes an answer as it came.
pub(crate) fn print_answer(answer: &Answer) -> io::Result<()> {
    // Not through a layer that drops escape sequences: these bytes are the caller's.
    let mut out = io::stdout().lock();
    out.write_all(answer.body())?;
    if !answer.body().ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Writes a line of words.
pub(crate) fn say(words: &str) -> io::Result<()> {
    writeln!(anstream::stderr().lock(), "{words}")
}
