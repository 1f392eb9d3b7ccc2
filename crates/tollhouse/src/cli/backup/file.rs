//! The file of a new backup: under another name until it is whole and on disk.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use engine::backup::checksum;
use tempfile::NamedTempFile;

use crate::cli::exit::UsageError;

/// A file that is not there yet under its own name. Dropped before that, it goes away.
pub(super) struct NewFile {
    partial: NamedTempFile,
    directory: PathBuf,
    target: PathBuf,
}

// === impl NewFile ===

impl NewFile {
    /// Begins a file that only its owner may read, in the directory of the target, so that the last step is a rename.
    pub(super) fn beside(target: &Path) -> anyhow::Result<Self> {
        if target.symlink_metadata().is_ok() {
            return Err(exists(target).into());
        }
        let directory = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let partial = tempfile::Builder::new()
            .prefix(".tollhouse-backup-")
            .suffix(".partial")
            .tempfile_in(&directory)
            .map_err(|error| UsageError(format!("no file can be made in {}: {error}", directory.display())))?;
        Ok(Self { partial, directory, target: target.to_owned() })
    }

    /// Where it is for the time being.
    pub(super) fn path(&self) -> &Path {
        self.partial.path()
    }

    /// Ends it with its checksum, syncs it, and gives it its name, unless another file has got that name meanwhile.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        checksum::append(self.partial.as_file_mut()).context("can not be written")?;
        self.partial.persist_noclobber(&self.target).map_err(|failed| match failed.error.kind() {
            io::ErrorKind::AlreadyExists => anyhow::Error::from(exists(&self.target)),
            _ => anyhow::Error::from(failed.error).context("can not be given its name"),
        })?;
        // The name is durable when the directory is.
        File::open(&self.directory).and_then(|directory| directory.sync_all()).context("its directory can not be synced")
    }
}

fn exists(target: &Path) -> UsageError {
    UsageError(format!("{} exists already and is not overwritten: name a new file with --out", target.display()))
}
