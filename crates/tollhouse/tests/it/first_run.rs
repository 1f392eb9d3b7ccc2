//! `tollhouse dev` on a machine that has nothing yet, and the words of the README.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::BINARY;

/// A development server in a folder of its own, and what it printed until it was ready. Its log is in `dev.log`.
pub(crate) async fn dev(folder: &Path, arguments: &[&str]) -> (Child, Vec<String>) {
    let mut command = Command::new(BINARY);
    command.args(["dev", "--listen", "127.0.0.1:0", "--ready-file", "ready"]).args(arguments).current_dir(folder);
    let log = std::fs::File::create(folder.join("dev.log")).unwrap();
    let mut process = command.stdout(Stdio::piped()).stderr(log).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut printed = Vec::new();
    let end = "server_url";
    tokio::time::timeout(Duration::from_secs(60), async {
        while let Some(line) = lines.next_line().await.unwrap() {
            printed.push(line);
            if printed.last().is_some_and(|line| line.contains(end)) {
                break;
            }
        }
    })
    .await
    .expect("the banner is printed in time");
    (process, printed)
}

#[tokio::test]
async fn one_command_shows_a_session_and_a_curl_line_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let (_process, printed) = dev(folder.path(), &[]).await;
    let text = printed.join("\n");
    let base = std::fs::read_to_string(folder.path().join("ready")).unwrap().trim().to_owned();
    assert!(text.contains("payment-service-session") && text.contains("succeeded"), "{text}");
    assert!(text.contains(&base) && text.contains("private_key.pem") && text.contains("serverURL"), "{text}");
    for file in ["root.key", "private_key.pem"] {
        let mode = std::fs::metadata(folder.path().join("tollhouse-data").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert!(folder.path().join("tollhouse-data/tollhouse.db").exists());

    let start = printed.iter().position(|line| line.trim_start().starts_with("curl ")).expect("a curl line");
    let length = printed[start..].iter().take_while(|line| line.trim_end().ends_with('\\')).count() + 1;
    let pasted = printed[start..start + length].join("\n");
    let output = Command::new("sh").arg("-c").arg(&pasted).current_dir(folder.path()).output().await.unwrap();
    let session: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {pasted}: {output:?}"));
    assert_eq!(session["status"], "succeeded", "{session}");
}

#[tokio::test]
async fn a_second_run_goes_on_where_the_first_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let (mut process, _) = dev(folder.path(), &[]).await;
    process.kill().await.unwrap();
    let list = async || {
        let base = std::fs::read_to_string(folder.path().join("ready")).unwrap();
        let output = Command::new(BINARY)
            .args(["payment-services", "list", "--url", base.trim()])
            .current_dir(folder.path())
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        answer["items"].as_array().or(answer.as_array()).unwrap().len()
    };
    let (_process, _) = dev(folder.path(), &[]).await;
    assert_eq!(list().await, 5, "one simulated service per provider, once");
}

#[tokio::test]
async fn an_ephemeral_server_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (process, _) = dev(folder.path(), &["--ephemeral"]).await;
    let killed = Command::new("kill").arg("-TERM").arg(process.id().unwrap().to_string()).status().await.unwrap();
    assert!(killed.success());
    let output = tokio::time::timeout(Duration::from_secs(30), process.wait_with_output()).await.expect("it ends in time").unwrap();
    assert!(output.status.success());
    assert!(!folder.path().join("tollhouse-data").exists());
}
