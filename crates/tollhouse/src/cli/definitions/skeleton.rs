//! `definitions new`: a file to begin with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::exit::UsageError;
use crate::cli::output;

/// The skeleton, with the id and the name to be filled in.
const SKELETON: &str = include_str!("skeleton.toml");
/// Room for the method behind the dash: definition ids have at most 50 characters.
const NAME_CHARACTERS_MAX: usize = 30;

/// Writes the file; one that is there is left alone.
pub(super) fn write(name: &str, out: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    check_name(name)?;
    let file = out.unwrap_or_else(|| PathBuf::from(format!("{name}.toml")));
    write_new(&file, &filled(name))?;
    output::data(&file.display().to_string())?;
    output::words(&format!("Fill it in, then run `tollhouse definitions test {}`.", file.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses a name that can not begin the ids of definitions.
pub(super) fn check_name(name: &str) -> Result<(), UsageError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(allowed) && !name.ends_with('-');
    if good && name.len() <= NAME_CHARACTERS_MAX {
        return Ok(());
    }
    Err(UsageError(format!("`{name}` is no id: 1 to {NAME_CHARACTERS_MAX} lower-case letters, digits and dashes, a letter first")))
}

/// Writes a file that is not there yet.
pub(super) fn write_new(file: &Path, text: &str) -> anyhow::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).open(file);
    let mut made = match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(UsageError(format!("{} exists already and is not overwritten", file.display())).into());
        }
        made => made.with_context(|| format!("{} can not be written", file.display()))?,
    };
    made.write_all(text.as_bytes()).with_context(|| format!("{} can not be written", file.display()))
}

fn filled(name: &str) -> String {
    let mut title = name.replace('-', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    SKELETON.replace("north-pay", name).replace("North pay", &title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skeleton_passes_lint_under_any_name() {
        for name in ["a", "east-pay", "pay4you"] {
            let provider = connectors::format::parse(&filled(name), "skeleton.toml");
            let provider =
                provider.unwrap_or_else(|mistakes| panic!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
            assert_eq!(provider.id, name);
        }
    }
}
