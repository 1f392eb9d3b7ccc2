//! Reading the command and its answer, writing the file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use connectors::catalogue::Catalogue;
use engine::{Clock as _, SystemClock};

use super::{Input, Mistake, faults, make};
use crate::cli::definitions::{report, skeleton};
use crate::cli::exit::UsageError;
use crate::cli::output;

/// Longest text that is read.
const INPUT_BYTES_MAX: u64 = 1024 * 1024;
/// Standard input or output.
const DASH: &str = "-";

/// The options of `definitions from-curl`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Id of the payment service: lower-case letters, digits and dashes [default: made of the host].
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    /// File with the answer that the documentation shows, with or without what `curl -i` prints before it.
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
    /// Where to write [default: NAME.toml]; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// File with the curl command; `-` for standard input.
    #[arg(value_name = "FILE", default_value = DASH)]
    command: PathBuf,
}

/// Makes the file. It is never written over another one.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if let Some(id) = &options.id {
        skeleton::check_name(id)?;
    }
    let command = read(&options.command)?;
    let answer = options.answer.as_deref().map(read).transpose()?;
    // RFC 3339 begins with year and month.
    let month: String = SystemClock.now().to_string().chars().take(7).collect();
    let made = make(&command, answer.as_deref(), options.id.as_deref(), &month).map_err(|mistake| told(options, &mistake))?;
    let to_output = options.out.as_ref().is_some_and(|out| out.as_os_str() == DASH);
    let file = options.out.clone().filter(|_| !to_output).unwrap_or_else(|| PathBuf::from(format!("{}.toml", made.id)));
    let faults = faults(&made, &file.display().to_string());
    if !faults.is_empty() {
        output::words("The file that this command makes would not be sound; nothing was written:")?;
        return report(&faults);
    }
    for note in &made.notes {
        output::words(&format!("Note: {note}."))?;
    }
    if Catalogue::load(&[], true).is_ok_and(|(shipped, _)| shipped.provider(&made.id).is_some()) {
        let message = format!("Note: `{}` is built in, and a file with this id replaces it; `--id` names another.", made.id);
        output::words(&message)?;
    }
    if to_output {
        output::data(&made.text)?;
        return Ok(ExitCode::SUCCESS);
    }
    skeleton::write_new(&file, &made.text)?;
    output::data(&file.display().to_string())?;
    output::words(&format!("Look at the lines with CHECK, then run `tollhouse definitions test {}`.", file.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn told(options: &Options, mistake: &Mistake) -> UsageError {
    let file = match mistake.input {
        Input::Command => Some(options.command.as_path()),
        Input::Answer => options.answer.as_deref(),
    };
    let name = file.map_or_else(String::new, name_of);
    UsageError(format!("{name}:{}: {}", mistake.at, mistake.message))
}

fn name_of(file: &Path) -> String {
    if file.as_os_str() == DASH { "standard input".to_owned() } else { file.display().to_string() }
}

fn read(file: &Path) -> Result<String, UsageError> {
    let name = name_of(file);
    let failed = |error: io::Error| UsageError(format!("{name}: {error}"));
    let mut text = String::new();
    let limit = INPUT_BYTES_MAX.saturating_add(1);
    let length = if file.as_os_str() == DASH {
        io::stdin().lock().take(limit).read_to_string(&mut text).map_err(failed)?
    } else {
        File::open(file).map_err(failed)?.take(limit).read_to_string(&mut text).map_err(failed)?
    };
    if u64::try_from(length).is_ok_and(|length| length > INPUT_BYTES_MAX) {
        return Err(UsageError(format!("{name} holds more than {INPUT_BYTES_MAX} bytes")));
    }
    Ok(text)
}
