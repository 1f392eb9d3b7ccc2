//! Data goes to standard output, words to standard error.

use std::io::{self, Write};

/// Writes data and ends the line.
pub(crate) fn data(text: &str) -> io::Result<()> {
    write(&mut io::stdout().lock(), text)
}

/// Writes words for a person and ends the line.
pub(crate) fn words(text: &str) -> io::Result<()> {
    write(&mut io::stderr().lock(), text)
}

/// A reader that has seen enough, such as `head`, is no failure of the command.
fn write(to: &mut impl Write, text: &str) -> io::Result<()> {
    match writeln!(to, "{}", text.trim_end_matches('\n')).and_then(|()| to.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
