//! `--data`: the body of a call, from a file, from standard input, or as it stands there.

use std::fs::File;
use std::io::{self, Read};

use clap::Args;
use serde_json::value::RawValue;

use super::failure::Failure;

/// The longest body that is read. The server takes 1 MiB; its own refusal says so better than a cut here.
const DATA_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The body of a call.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// The body: @FILE, - for standard input, or the JSON itself
    #[arg(long, value_name = "@FILE|-|JSON", allow_hyphen_values = true)]
    data: String,
}

// === impl Data ===

impl Data {
    /// The JSON object, byte for byte as it was written.
    pub(crate) fn read(&self) -> Result<Box<RawValue>, Failure> {
        match self.data.strip_prefix('@') {
            Some(path) => {
                let file = File::open(path).map_err(|error| Failure::Usage(format!("{path} can not be read: {error}")))?;
                object(take(file, path)?, path)
            }
            None if self.data == "-" => object(take(io::stdin().lock(), "standard input")?, "standard input"),
            None => object(self.data.clone(), "--data"),
        }
    }
}

fn take(source: impl Read, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let length = source
        .take(DATA_BYTES_MAX.saturating_add(1))
        .read_to_string(&mut text)
        .map_err(|error| Failure::Usage(format!("{name} can not be read: {error}")))?;
    if u64::try_from(length).is_ok_and(|length| length > DATA_BYTES_MAX) {
        return Err(Failure::Usage(format!("{name} holds more than {DATA_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn object(text: String, name: &str) -> Result<Box<RawValue>, Failure> {
    let value: Box<RawValue> =
        serde_json::from_str(&text).map_err(|error| Failure::Usage(format!("{name} does not hold JSON: {error}")))?;
    if !value.get().starts_with('{') {
        return Err(Failure::Usage(format!("{name} does not hold a JSON object")));
    }
    Ok(value)
}
