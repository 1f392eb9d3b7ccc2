//! The last line of a backup: the SHA-256 of everything before it.
//!
//! SQLite finds pages that do not fit together, and not a letter that became another one. The line comes after the pages, whose number is in the file's head, so that SQLite does not look at it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use aws_lc_rs::digest::{Context, SHA256};

/// What stands before the digest. The line begins with a line feed, so that `tail -n 1` shows it alone.
const LABEL: &str = "\ntollhouse backup, sha256 of what is before this line: ";
/// Of the whole line: the label, 64 hexadecimal digits, a line feed.
const LINE_BYTES: usize = LABEL.len() + 64 + 1;
/// Read at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// What the last line of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Every byte is as it was written.
    Holds,
    /// A byte, or the line itself, is another one.
    Differs,
    /// There is no such line: the file was cut off, has grown, or was not made as a backup.
    Missing,
}

/// Ends a file with the line, on disk when this returns.
pub fn append(file: &mut File) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    let line = line_of(file, length)?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

/// Reads a whole file and compares.
pub fn check(file: &mut File) -> io::Result<Checksum> {
    let length = file.seek(SeekFrom::End(0))?;
    let Some(before) = u64::try_from(LINE_BYTES).ok().and_then(|line| length.checked_sub(line)) else { return Ok(Checksum::Missing) };
    file.seek(SeekFrom::Start(before))?;
    let mut last = Vec::with_capacity(LINE_BYTES);
    file.read_to_end(&mut last)?;
    if last == line_of(file, before)?.as_bytes() {
        return Ok(Checksum::Holds);
    }
    Ok(if last.starts_with(LABEL.as_bytes()) { Checksum::Differs } else { Checksum::Missing })
}

/// The line for the first bytes of a file.
fn line_of(file: &mut File, bytes: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut digest = Context::new(&SHA256);
    let mut rest = file.take(bytes);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let read = rest.read(&mut block)?;
        match block.get(..read) {
            Some(read) if !read.is_empty() => digest.update(read),
            _ => break,
        }
    }
    let hex: String = digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{LABEL}{hex}\n"))
}
