//! The shipped definitions are part of the binary: `definitions/*.toml`, and nothing of what lies below, such as the answers that tests play.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    // Asked when it runs, not when it was compiled: a build folder may serve several clones.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo names no CARGO_MANIFEST_DIR")?;
    let directory = Path::new(&package).join("../../definitions").canonicalize()?;
    // A directory counts with everything in it: a new or changed file must lead to a new binary.
    println!("cargo:rerun-if-changed={}", directory.display());
    let entries = std::fs::read_dir(&directory)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = entries.collect::<Result<Vec<PathBuf>, _>>()?;
    files.retain(|path| path.extension().is_some_and(|end| end == "toml") && path.is_file());
    files.sort();
    let mut list = String::from("&[");
    for path in &files {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("a definition's file name is not Unicode text")?;
        let path = path.to_str().ok_or("the path of the definitions is not Unicode text")?;
        write!(list, "({name:?}, include_str!({path:?})),")?;
    }
    list.push(']');
    let out = std::env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?;
    std::fs::write(Path::new(&out).join("shipped.rs"), list)?;
    Ok(())
}
