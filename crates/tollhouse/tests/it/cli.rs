//! The command line as a process: what goes to which stream, and with which exit code.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testkit::server::Server;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::support::{BINARY, sqlite};

mod definitions;
mod reload;
mod remote;
mod tools;
mod trials;

/// Somebody's folder and environment, from which commands are run with their output piped.
pub(crate) struct Shell {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// How a command ended.
pub(crate) struct Ran {
    /// Exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) words: String,
    asked: String,
}

// === impl Shell ===

impl Shell {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// An empty folder, with the variables that name a server and its key.
    pub(crate) fn of(server: &Server) -> Self {
        let key = server.plan.file("private_key.pem").display().to_string();
        Self::new().with("TOLLHOUSE_URL", &server.base).with("TOLLHOUSE_KEY_FILE", &key)
    }

    /// Sets a variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A place in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        self.feed(arguments, "").await
    }

    /// The same with text on standard input.
    pub(crate) async fn feed(&self, arguments: &[&str], input: &str) -> Ran {
        self.end(self.command(arguments).stdout(Stdio::piped()), input).await
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        for name in ["TOLLHOUSE_URL", "TOLLHOUSE_KEY_FILE", "TOLLHOUSE_LOG"] {
            command.env_remove(name);
        }
        command.args(arguments).envs(self.variables.iter().map(|(name, value)| (name, value))).current_dir(self.folder.path());
        command
    }

    async fn end(&self, command: &mut Command, input: &str) -> Ran {
        let mut process = command.stdin(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut stdin = process.stdin.take().unwrap();
        if !input.is_empty() {
            stdin.write_all(input.as_bytes()).await.unwrap();
        }
        drop(stdin);
        let output = tokio::time::timeout(Duration::from_secs(60), process.wait_with_output()).await.expect("the command ends").unwrap();
        Ran {
            code: output.status.code().expect("it ends by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            words: String::from_utf8(output.stderr).unwrap(),
            asked: format!("{:?}", command.as_std()),
        }
    }
}

// === impl Ran ===

impl Ran {
    /// Makes sure of the exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}: {} {}", self.asked, self.out, self.words);
        self
    }

    /// The one JSON document on standard output, after making sure that it succeeded without a word.
    #[track_caller]
    pub(crate) fn data(self) -> Value {
        let ran = self.expect(0);
        assert_eq!(ran.words, "", "{}", ran.asked);
        ran.json()
    }

    /// The one JSON document on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{}: {error} in {}", self.asked, self.out))
    }

    /// The words of a command that did nothing and wrote no data.
    #[track_caller]
    pub(crate) fn refused(self, code: i32) -> String {
        let ran = self.expect(code);
        assert_eq!(ran.out, "", "{}: no data", ran.asked);
        assert!(!ran.words.is_empty(), "{}: it says why", ran.asked);
        ran.words
    }
}

/// Ids of a page.
pub(crate) fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// A simulated service as a person would write it into a file.
pub(crate) fn simulated() -> Value {
    crate::support::service("adyen-card", &[("api_key", "test-key"), ("merchant_account", "ShopECOM"), ("mode", "simulator")])
}

#[tokio::test]
async fn what_is_no_command_is_explained_and_does_nothing() {
    let shell = Shell::new();
    for arguments in [
        &["launch"][..],
        &["payment-services", "session", "no-uuid", "--data", "{}"],
        &["payment-services", "session", "00000000-0000-4000-8000-000000000000"],
        &["sessions", "list", "--nonsense"],
        &["token", "--expires", "soon"],
        &["dev", "--ephemeral", "--data", "here"],
        &["dev", "--listen", "nowhere", "--data", "here"],
        &["definitions", "lint"],
    ] {
        shell.run(arguments).await.refused(2);
    }
    assert_eq!(std::fs::read_dir(shell.path("")).unwrap().count(), 0, "nothing was made");
    let help = shell.run(&["--help"]).await.expect(0);
    for word in ["payment-services", "payment-service-definitions", "definitions", "Exit codes:"] {
        assert!(help.out.contains(word), "{word}: {}", help.out);
    }
}

#[tokio::test]
async fn version_is_one_line() {
    let shell = Shell::new();
    let said = shell.run(&["version"]).await.expect(0);
    assert_eq!(said.out, format!("tollhouse {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!((said.words.as_str(), said.out), ("", shell.run(&["--version"]).await.expect(0).out));
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    let server = sqlite().start().await;
    let shell = Shell::of(&server);
    for arguments in [
        &["--help"][..],
        &["version"],
        &["token"],
        &["config", "show"],
        &["definitions", "new", "east-pay"],
        &["definitions", "test", "east-pay.toml"],
        &["payment-service-definitions", "list"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = shell.end(shell.command(arguments).stdout(writer), "").await;
        let expected = if arguments[0] == "config" { 2 } else { 0 };
        assert_eq!(ran.code, expected, "{arguments:?}: {}", ran.words);
        assert!(!ran.words.contains("panic") && !ran.words.contains("pipe"), "{arguments:?}: {}", ran.words);
    }
    server.end().await;
}
