//! What strangers see, and what they can do to a listener.

use std::time::Duration;

use testkit::raw::{Answer, Raw};
use testkit::server::Server;

mod bombs;
mod floods;
mod framing;
mod heavy;
mod slow;
mod strangers;

/// How long an honest client may wait for its answer while somebody else misbehaves, and after that. It takes some milliseconds on a machine with nothing else to do.
const HONEST: Duration = Duration::from_secs(20);

/// A number of kibibytes that the system keeps of a process, such as `VmRSS`.
fn kib(server: &Server, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process_id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Lets the highest memory that the system remembers of a process begin anew.
fn forget_peak(server: &Server) {
    std::fs::write(format!("/proc/{}/clear_refs", server.process_id()), "5").unwrap();
}

/// Files and sockets that a process has open.
fn descriptors(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.process_id())).unwrap().count()
}

/// Lets a process have so many open files from now on; its hard limit stays.
async fn limit_open_files(process: u32, count: usize) {
    let limits = format!("--nofile={count}:");
    let set = tokio::process::Command::new("prlimit").args(["--pid", &process.to_string(), &limits]).output().await.expect("prlimit runs");
    assert!(set.status.success(), "{count} open files can not be had: {}", String::from_utf8_lossy(&set.stderr));
}

/// Makes sure that this process, and the servers that it starts from here on, may open so many files.
async fn need_open_files(count: usize) {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()).unwrap();
    if soft.parse().is_ok_and(|soft: usize| soft < count) {
        limit_open_files(std::process::id(), count).await;
    }
}

/// A request by somebody who has done nothing wrong, on a connection of its own.
async fn honest(server: &Server, what: &str) {
    let reply = tokio::time::timeout(HONEST, async { server.merchant().get("/roles").await }).await;
    reply.unwrap_or_else(|_| panic!("an honest client waits too long: {what}")).expect(200);
}

/// Sends a request without TLS; what came up to the end of the connection, for which it asks.
async fn exchange(server: &Server, request: impl AsRef<[u8]>) -> Vec<Answer> {
    let mut raw = Raw::plain(&server.base).await;
    // Whoever is refused early can not send the rest.
    raw.send(request).await.ok();
    raw.answers().await
}
