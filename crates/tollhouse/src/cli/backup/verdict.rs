//! What is thought of a backup: the file, its tables, its rows, and what its keys open.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use engine::backup::checksum::{self, Checksum};
use engine::backup::{Findings, Keys, check};
use store::backup::{Backup, Examination, Info, examine, migrate_copy};
use tempfile::TempPath;

use crate::cli::exit::UsageError;

/// Everything that was found.
pub(super) struct Verdict {
    examination: Examination,
    findings: Findings,
    checksum: Checksum,
    /// Ids of the root keys that there are, for the message that another one is needed.
    configured: Option<String>,
    backup: Option<Backup>,
    /// The copy of an older backup that was migrated to be read. It goes away with the value.
    _copy: Option<TempPath>,
}

// === impl Verdict ===

impl Verdict {
    /// Looks at a backup, from the bytes to the keys. An error means that it could not be looked at; what is wrong with it is part of the verdict.
    pub(super) async fn of(path: &Path, keys: Option<Keys<'_>>) -> anyhow::Result<Self> {
        let unreadable = |error| UsageError(format!("the backup {} can not be read: {error}", path.display()));
        let mut file = File::open(path).map_err(unreadable)?;
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(UsageError(format!("the backup {} is not a regular file", path.display())).into());
        }
        let checksum = checksum::check(&mut file).map_err(unreadable)?;
        let mut examination = examine(path).await;
        let copy = if examination.is_older { Some(copy_and_migrate(path, &mut examination).await?) } else { None };
        let mut verdict = Self {
            findings: Findings::default(),
            checksum,
            configured: keys.map(|keys| keys.root_keys.ids()),
            // What can not be opened has been told already.
            backup: Backup::open(copy.as_deref().unwrap_or(path)).await.ok(),
            examination,
            _copy: copy,
        };
        if let Some(backup) = &verdict.backup {
            match check(backup, keys).await {
                Ok(findings) => verdict.findings = findings,
                Err(error) => verdict.examination.problems.push(format!("its rows can not be read: {error}")),
            }
        }
        Ok(verdict)
    }

    /// What it says about itself.
    pub(super) fn info(&self) -> Option<&Info> {
        self.examination.info.as_ref()
    }

    /// Its rows, where they can be read.
    pub(super) fn backup(&self) -> Option<&Backup> {
        self.backup.as_ref()
    }

    /// Whether nothing at all was found.
    pub(super) fn is_sound(&self) -> bool {
        self.refusals().is_empty() && self.findings.is_sound()
    }

    /// Why it must not be restored: it is not what was backed up, or its credentials would be lost.
    pub(super) fn refusals(&self) -> Vec<String> {
        let checksum = match self.checksum {
            Checksum::Holds => None,
            Checksum::Differs => Some("the file is not what was written: its checksum is another one"),
            Checksum::Missing => {
                Some("the file does not end with a checksum: it was cut off or changed, or `tollhouse backup create` did not make it")
            }
        };
        let configured = self.configured.as_deref().unwrap_or_default();
        let missing = self.findings.missing_root_keys.iter().map(|id| {
            format!("it needs root key {id}, and the configured one is {configured}: its credentials open with the root key file of its time alone")
        });
        let mut refusals: Vec<String> = checksum.map(str::to_owned).into_iter().collect();
        refusals.extend(self.examination.problems.iter().cloned());
        refusals.extend(self.findings.problems.iter().cloned());
        refusals.extend(missing);
        if refusals.is_empty() && self.backup.is_none() {
            refusals.push("its rows can not be read".to_owned());
        }
        refusals
    }

    /// Values that have to be entered again, here as where it was made.
    pub(super) fn closed(&self) -> Vec<String> {
        let reason = "does not open, although its key does: it was stored for other hosts than its definition names now, or was damaged before the backup was made";
        self.findings.closed.iter().map(|value| format!("{value} {reason}")).collect()
    }

    /// What was not looked at.
    pub(super) fn remarks(&self) -> Vec<String> {
        self.findings.skipped.iter().map(|what| format!("Not looked at: {what}")).collect()
    }
}

/// An older backup is read through a copy with the schema of today; the backup itself stays as it is.
async fn copy_and_migrate(path: &Path, examination: &mut Examination) -> anyhow::Result<TempPath> {
    let copy = tempfile::NamedTempFile::new()
        .context("a copy of the backup can not be made in the directory for temporary files")?
        .into_temp_path();
    std::fs::copy(path, &copy).with_context(|| format!("a copy of the backup can not be made at {}", copy.display()))?;
    if let Err(error) = migrate_copy(&copy).await {
        examination.problems.push(format!("it can not be brought up to date: {error}"));
    }
    Ok(copy)
}
