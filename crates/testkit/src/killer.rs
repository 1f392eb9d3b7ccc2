//! Ending servers at bad moments, without a word of test code in the server.
//!
//! A crash point is told from outside: how much load was acknowledged, what the log says, or how large a file has become. The last one is exact to the byte: a process that is about to write past its file-size limit is ended by the kernel in the midst of that write, as SIGKILL would.

use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::load::Load;
use crate::promise::Random;
use crate::server::{Plan, Server};

/// SIGXFSZ, by which a process ends that writes past its file-size limit. The same number on every Linux that we run on.
pub const SIGXFSZ: i32 = 25;

/// How long a crash point may be away. Only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the log is looked at.
const GLANCE: Duration = Duration::from_millis(2);
/// A moment more than the observation takes, up to this, so that the end falls anywhere between two commits.
const MOMENT_MAX_MICROS: u64 = 30_000;

/// When a server is ended.
pub enum CrashPoint<'a> {
    /// A moment after this load has been promised so many more sessions.
    Promised(&'a Load, usize),
    /// When the log holds this text.
    Logged(&'a str),
}

/// Waits for a crash point.
pub async fn reach(server: &Server, point: CrashPoint<'_>, random: &mut Random) {
    match point {
        CrashPoint::Promised(load, more) => {
            let wished = load.counts().acknowledged + more;
            load.until("sessions to be acknowledged before a crash", |counts| counts.acknowledged >= wished).await;
        }
        CrashPoint::Logged(text) => {
            let said = timeout(PATIENCE, async {
                while !server.log().contains(text) {
                    sleep(GLANCE).await;
                }
            });
            said.await.expect("the log says it in time");
        }
    }
    moment(random).await;
}

/// Ends a server at a crash point, as a power cut would.
pub async fn kill_at(server: Server, point: CrashPoint<'_>, random: &mut Random) -> Plan {
    reach(&server, point, random).await;
    server.kill().await
}

/// Stops a server in the midst of what it does, for a moment and without its knowledge, and lets it go on: what a paused virtual machine is to its neighbours.
pub async fn freeze(server: &Server, random: &mut Random) {
    server.signal("STOP").await;
    moment(random).await;
    server.signal("CONT").await;
}

/// The words before a command that make the kernel end it when it is about to write a file past this size, without a dump of its memory.
pub fn ends_at_file_size(bytes: u64) -> Vec<String> {
    words(&["env", "--default-signal=XFSZ", "prlimit", "--core=0", &format!("--fsize={bytes}")])
}

/// The words before a command that let it live with a file-size limit: writing past it fails, as on a full disk.
pub fn fails_at_file_size() -> Vec<String> {
    words(&["env", "--ignore-signal=XFSZ"])
}

/// Whether a process was ended by its file-size limit.
pub fn ended_by_file_size(status: ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(SIGXFSZ)
}

async fn moment(random: &mut Random) {
    sleep(Duration::from_micros(random.below(MOMENT_MAX_MICROS))).await;
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
