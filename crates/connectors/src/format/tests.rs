//! Files with mistakes and what is said about them; the shipped files have none.

use super::*;
use std::time::{Duration, Instant};

fn shipped() -> Vec<(String, String)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../definitions");
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().filter(|path| path.extension().is_some_and(|end| end == "toml")).map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap())).collect()
}

fn said(text: &str) -> Vec<String> {
    parse(text, "x.toml").err().unwrap_or_default().iter().map(Diagnostic::to_string).collect()
}

#[test]
fn the_shipped_files_have_no_mistakes() {
    for (name, text) in shipped() {
        match parse(&text, &name) {
            Ok(provider) => assert_eq!(name, format!("{}.toml", provider.id)),
            Err(diagnostics) => panic!("{}", diagnostics.iter().map(|d| format!("{d}\n")).collect::<String>()),
        }
    }
}
