//! A disk that fills up and is freed again.
//!
//! Where a file system in memory may be mounted, it is a real one. Elsewhere the server lives with a limit on the size of its files, which is set and lifted while it runs: then a write fails with "file too large" where a full disk says "no space left", and SQLite reports an error of writing instead of a full database.
#![expect(clippy::print_stderr, reason = "test equipment says what it could not undo")]

use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::killer::fails_at_file_size;
use crate::server::{Plan, Server};

/// Size of the file system.
const MOUNTED_MIB: u64 = 64;
/// What is left when it is filled: enough for some commits more, so that the disk becomes full under a write of the server's.
const SPARE_BYTES: u64 = 256 * 1024;
/// Written at once.
const BLOCK_BYTES: usize = 1024 * 1024;

/// A disk for the data directory of one server.
pub struct Disk {
    directory: TempDir,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Mounted,
    Limited,
}

// === impl Disk ===

impl Disk {
    /// A file system of 64 MiB in memory, if this process may mount one.
    pub fn mounted() -> Option<Self> {
        let directory = private_directory();
        let options = format!("size={MOUNTED_MIB}m,mode=0700");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(directory.path()).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self { directory, kind: Kind::Mounted })
    }

    /// Files that can be told to grow no further. Needs no privilege.
    pub fn limited() -> Self {
        Self { directory: private_directory(), kind: Kind::Limited }
    }

    /// What it is, in words.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Mounted => "a file system of 64 MiB",
            Kind::Limited => "a limit on the size of files",
        }
    }

    /// Puts the database of a plan on it.
    #[must_use]
    pub fn under(&self, plan: Plan) -> Plan {
        let plan = plan.with("TOLLHOUSE_DATABASE__URL", format!("sqlite://{}", self.database().display()));
        match self.kind {
            // The log shares the fate of the data, as it does on many machines.
            Kind::Mounted => plan.logging_to(self.directory.path().join("log")),
            Kind::Limited => plan.behind(fails_at_file_size()),
        }
    }

    /// The file of the database.
    pub fn database(&self) -> PathBuf {
        self.directory.path().join("tollhouse.db")
    }

    /// Takes the space away.
    pub async fn fill(&self, server: &Server) {
        match self.kind {
            Kind::Mounted => fill_up(&self.filler()),
            // The write-ahead log outgrows the file that it belongs to before it is written back.
            Kind::Limited => server.limit_file_size(Some(size(&self.database()))).await,
        }
    }

    /// Gives it back.
    pub async fn free(&self, server: &Server) {
        match self.kind {
            Kind::Mounted => std::fs::remove_file(self.filler()).expect("the filler can be removed"),
            Kind::Limited => server.limit_file_size(None).await,
        }
    }

    fn filler(&self) -> PathBuf {
        self.directory.path().join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.kind == Kind::Mounted
            && !Command::new("umount").arg("-l").arg(self.directory.path()).status().is_ok_and(|status| status.success())
        {
            eprintln!("{} could not be unmounted", self.directory.path().display());
        }
    }
}

fn private_directory() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().expect("a temporary directory")
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).expect("the database is there").len()
}

/// Writes until nothing more fits, and gives a little back.
fn fill_up(path: &Path) {
    let mut file = File::create(path).expect("a file on the disk");
    let mut block = vec![0_u8; BLOCK_BYTES];
    while !block.is_empty() {
        if file.write_all(&block).is_err() {
            block.truncate(block.len() / 2);
        }
    }
    let length = file.metadata().expect("an open file").len();
    file.set_len(length.saturating_sub(SPARE_BYTES)).expect("a file can be shortened");
}
