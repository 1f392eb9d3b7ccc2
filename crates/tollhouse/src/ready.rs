//! The ready file: it appears when requests are answered, whole, with the base URL in it.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Writes beside the file and renames, so that whoever waits for it never reads half a line.
pub(crate) fn write(file: &Path, base: &str) -> anyhow::Result<()> {
    let name = file.file_name().with_context(|| format!("{} is no file name", file.display()))?;
    let mut unfinished = name.to_owned();
    unfinished.push(format!(".{}", std::process::id()));
    let unfinished = file.with_file_name(unfinished);
    fs::write(&unfinished, format!("{base}\n"))
        .and_then(|()| fs::rename(&unfinished, file))
        .with_context(|| format!("the ready file {} can not be written", file.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_file_holds_the_base_url_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ready");
        super::write(&file, "http://127.0.0.1:1").unwrap();
        super::write(&file, "http://127.0.0.1:2").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "http://127.0.0.1:2\n");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
