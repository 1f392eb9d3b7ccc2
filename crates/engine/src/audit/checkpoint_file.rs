//! The file that checkpoints are kept in: a line for each, the newest last, replaced as a whole.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use store::audit_log::chain::Head;
use uuid::Uuid;

use super::checkpoint::Checkpoint;
use crate::vault::RootKey;

/// Checkpoints that are kept. The newest one tells of an end that was cut off; those before it narrow down where a chain was computed anew.
pub const CHECKPOINTS_MAX: usize = 100;
/// Longest file that is read: a line has some three hundred bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Where checkpoints are kept.
#[derive(Clone, Debug)]
pub struct CheckpointFile {
    path: PathBuf,
}

/// Why checkpoints can not be used. Each message names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The system refuses.
    #[error("the audit checkpoints {} can not be used: {source}; check that the file and its directory belong to the user of this process, or name another file with audit.checkpoint_file", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line is none.
    #[error("line {line} of {} is no checkpoint: the file was changed; keep it as evidence and move it away to begin a new one", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// A line is not what the root key has signed.
    #[error("the checkpoint in line {line} of {} was not signed by root key {root_key_id}: the file was changed; keep it as evidence and move it away to begin a new one", .path.display())]
    Forged {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// The key that it names.
        root_key_id: String,
    },
    /// The newest line can not be checked.
    #[error("the newest checkpoint in {} was signed by root key {root_key_id}, which is not configured: add its file to vault.retired_root_key_files", .path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key that it names.
        root_key_id: String,
    },
    /// The newest line is about another database.
    #[error("the newest checkpoint in {} is of installation {theirs}, and this database is {ours}: name the file that belongs to it with audit.checkpoint_file", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose log it is about.
        theirs: Uuid,
        /// Whose log there is.
        ours: Uuid,
    },
}

// === impl CheckpointFile ===

impl CheckpointFile {
    /// A file that may not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All lines, whoever signed them; `None` where there is no file.
    pub fn read(&self) -> Result<Option<Vec<Checkpoint>>, CheckpointError> {
        let file = match fs::File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|source| self.failed(source))?,
        };
        let mut text = String::new();
        // One byte more than is allowed says that there is more.
        let length = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|source| self.failed(source))?;
        if u64::try_from(length).is_ok_and(|length| length > FILE_BYTES_MAX) {
            return Err(self.failed(io::Error::new(io::ErrorKind::FileTooLarge, "it is too long to be a file of checkpoints")));
        }
        let line = |(index, line): (usize, &str)| {
            Checkpoint::parse(line).ok_or_else(|| CheckpointError::Line { path: self.path.clone(), line: index + 1 })
        };
        text.lines().enumerate().map(line).collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// The checkpoints that can be relied on for one installation, oldest first.
    ///
    /// A line whose root key is gone says nothing any more, and need not where a later one does.
    pub fn trusted(&self, lines: Vec<Checkpoint>, keys: &[&RootKey], installation: Uuid) -> Result<Vec<Checkpoint>, CheckpointError> {
        let path = || self.path.clone();
        let key_of = |checkpoint: &Checkpoint| keys.iter().find(|key| key.id() == checkpoint.root_key_id);
        for (index, checkpoint) in lines.iter().enumerate() {
            if key_of(checkpoint).is_some_and(|key| !checkpoint.is_signed_by(key)) {
                return Err(CheckpointError::Forged { path: path(), line: index + 1, root_key_id: checkpoint.root_key_id.clone() });
            }
        }
        if let Some(newest) = lines.last() {
            if key_of(newest).is_none() {
                return Err(CheckpointError::UnknownKey { path: path(), root_key_id: newest.root_key_id.clone() });
            }
            if newest.installation != installation {
                return Err(CheckpointError::Foreign { path: path(), theirs: newest.installation, ours: installation });
            }
        }
        let ours = |checkpoint: &Checkpoint| checkpoint.installation == installation && key_of(checkpoint).is_some();
        Ok(lines.into_iter().filter(ours).collect())
    }

    /// Puts lines in place of those that are there: all or none of them, whatever happens meanwhile.
    pub fn write(&self, checkpoints: &[Checkpoint]) -> Result<(), CheckpointError> {
        self.replace(checkpoints).map_err(|source| self.failed(source))
    }

    fn replace(&self, checkpoints: &[Checkpoint]) -> io::Result<()> {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let name = self.path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it has no name"))?;
        // Several servers of one machine may share the file, so each has a name of its own for what is not finished.
        let unfinished = directory.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let mut text: String = checkpoints.iter().map(Checkpoint::line).collect::<Vec<_>>().join("\n");
        text.push('\n');
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.path)?;
        fs::File::open(directory)?.sync_all()
    }

    fn failed(&self, source: io::Error) -> CheckpointError {
        CheckpointError::Io { path: self.path.clone(), source }
    }
}

/// The lines with one more, without the oldest ones beyond the limit.
pub(super) fn with(mut lines: Vec<Checkpoint>, new: Checkpoint) -> Vec<Checkpoint> {
    lines.push(new);
    let surplus = lines.len().saturating_sub(CHECKPOINTS_MAX);
    lines.drain(..surplus);
    lines
}

/// Whether a checkpoint says what the log says.
pub(super) fn is_current(checkpoint: &Checkpoint, head: &Head, key: &RootKey) -> bool {
    (checkpoint.sequence, checkpoint.hash) == (head.sequence, head.hash) && checkpoint.root_key_id == key.id()
}

#[cfg(test)]
mod tests {
    use domain::audit::ChainHash;

    use super::*;
    use crate::testing::{NOON, root_key};

    fn checkpoint(installation: u128, sequence: i64, key: &RootKey) -> Checkpoint {
        let installation = Uuid::from_u128(installation);
        Checkpoint::sign(&Head { installation, counted: sequence, sequence, hash: ChainHash([1; 32]) }, NOON, key)
    }

    #[test]
    fn lines_are_kept_up_to_a_limit_and_the_newest_is_last() {
        let directory = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(directory.path().join("checkpoints"));
        assert_eq!(file.read().unwrap(), None);
        let key = root_key();
        let mut lines = Vec::new();
        for sequence in 1..=120 {
            lines = with(lines, checkpoint(1, sequence, &key));
        }
        file.write(&lines).unwrap();
        file.write(&lines).unwrap();
        let read = file.read().unwrap().unwrap();
        assert_eq!((read.len(), read[0].sequence, read[99].sequence), (CHECKPOINTS_MAX, 21, 120));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing unfinished is left");
        let length = fs::metadata(file.path()).unwrap().len();
        assert!(length < FILE_BYTES_MAX / 4, "{length}");
        fs::write(file.path(), "x".repeat(300 * 1024)).unwrap();
        assert!(file.read().unwrap_err().to_string().contains("too long"));
        fs::write(file.path(), format!("{}\nnonsense\n", lines[0].line())).unwrap();
        assert!(matches!(file.read().unwrap_err(), CheckpointError::Line { line: 2, .. }));
    }

    #[test]
    fn a_line_is_relied_on_only_if_its_key_and_its_installation_are_ours() {
        let file = CheckpointFile::at("checkpoints");
        let (old, new) = (RootKey::of(&[1; 32]), RootKey::of(&[2; 32]));
        let ours = Uuid::from_u128(1);
        let check = |lines: &[&Checkpoint], keys: &[&RootKey]| {
            let lines = lines.iter().map(|line| (*line).clone()).collect();
            file.trusted(lines, keys, ours).map(|lines| lines.iter().map(|line| line.sequence).collect::<Vec<_>>())
        };
        let (first, second, foreign) = (checkpoint(1, 5, &old), checkpoint(1, 6, &new), checkpoint(2, 7, &new));
        let mut forged = second.clone();
        forged.sequence = 4;
        assert_eq!(check(&[], &[]).unwrap(), Vec::<i64>::new());
        assert_eq!(check(&[&first, &second], &[&new, &old]).unwrap(), [5, 6]);
        assert_eq!(check(&[&first, &second], &[&new]).unwrap(), [6], "the old key is gone");
        assert_eq!(check(&[&foreign, &second], &[&new]).unwrap(), [6], "a database that was here before");
        assert!(matches!(check(&[&first], &[&new]).unwrap_err(), CheckpointError::UnknownKey { .. }));
        assert!(matches!(check(&[&second, &foreign], &[&new]).unwrap_err(), CheckpointError::Foreign { .. }));
        assert!(matches!(check(&[&forged, &second], &[&new]).unwrap_err(), CheckpointError::Forged { line: 1, .. }));
    }
}
