//! Root keys and data directories that can not be used: every command that needs them says which file it is and what to do.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use testkit::promise::Promise;
use testkit::server::Plan;

use super::root_key_file;
use crate::support::{simulated_adyen, sqlite};

/// The documented code for a wrong command line, configuration or key file.
const USAGE: i32 = 2;

fn allow(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The commands that open what is sealed, each with what it needs beside `--config`.
fn commands(plan: &Plan) -> Vec<Vec<String>> {
    let config = plan.file("tollhouse.toml").display().to_string();
    let (data, key) = (plan.file("").display().to_string(), plan.file("second.pem").display().to_string());
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    vec![
        words(&["serve", "--config", &config]),
        words(&["init", "--config", &config, "--key-out", &key]),
        words(&["dev", "--config", &config, "--data", &data]),
        words(&["secrets", "rotate-root", "--config", &config]),
        words(&["secrets", "rotate-data", "--config", &config]),
        words(&["secrets", "status", "--config", &config]),
    ]
}

async fn refused(plan: &Plan, command: &[String], what: &str, expected: &[&str]) {
    let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    let output = plan.run(&arguments).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(USAGE), "{command:?}, {what}: {words}");
    for word in expected {
        assert!(words.contains(word), "{command:?}, {what}: `{word}` is not in {words}");
    }
}

#[tokio::test]
async fn r48_a_root_key_that_can_not_be_used_stops_every_command_that_needs_it() {
    let promise = Promise::new("R48");
    let server = sqlite().start().await;
    simulated_adyen(&server, "adyen-card").await;
    let (_, plan) = server.terminate().await;
    let root = plan.file("root.key");
    let name = root.display().to_string();
    let good = std::fs::read(&root).unwrap();
    let before = std::fs::read(plan.file("tollhouse.db")).unwrap();
    let mut tried = 0;

    for command in commands(&plan) {
        let restore = || {
            std::fs::write(&root, &good).unwrap();
            allow(&root, 0o600);
        };
        std::fs::remove_file(&root).unwrap();
        refused(&plan, &command, "missing", &[&name, "does not exist", "restore it"]).await;
        assert!(!root.exists(), "{command:?}: a lost key is not papered over");
        std::fs::write(&root, &good[..10]).unwrap();
        allow(&root, 0o600);
        refused(&plan, &command, "short", &[&name, "restore the right file"]).await;
        restore();
        allow(&root, 0o644);
        refused(&plan, &command, "world-readable", &[&name, "0644", "chmod 600"]).await;
        // Looking at the keys opens none of them: it must tell of a database whose key is lost as well.
        if !command.contains(&"status".to_owned()) {
            root_key_file(&plan, "root.key", 9);
            refused(
                &plan,
                &command,
                "wrong",
                &[&name, "is wrapped by root key", "configure the root key file", "vault.retired_root_key_files"],
            )
            .await;
        }
        restore();
        tried += 4;
    }
    assert!(std::fs::read(plan.file("tollhouse.db")).unwrap() == before, "nothing was changed");
    assert!(!plan.file("second.pem").exists());
    plan.serve().await.end().await;
    promise.kept(tried, "each with code 2, the file and the fix");
}

#[tokio::test]
async fn r48_retired_root_keys_are_held_to_the_same_rules() {
    let promise = Promise::new("R48");
    let (_, plan) = sqlite().start().await.terminate().await;
    let root = plan.file("root.key").display().to_string();
    let first = root_key_file(&plan, "first.key", 1);
    let copy = root_key_file(&plan, "copy.key", 1);
    let gone = plan.file("gone.key").display().to_string();
    let with = |plan: Plan, files: &[&str]| plan.with("TOLLHOUSE_VAULT__RETIRED_ROOT_KEY_FILES", files.join(","));

    let plan = with(plan, &[&first, &copy]);
    for command in commands(&plan) {
        refused(&plan, &command, "one key twice", &[&first, &copy, "hold the same key", "name each key once"]).await;
    }
    let plan = with(plan, &[&root]);
    refused(&plan, &commands(&plan)[0], "the active one again", &[&root, "hold the same key"]).await;
    let plan = with(plan, &[&first, &gone]);
    refused(&plan, &commands(&plan)[0], "missing", &[&gone, "does not exist"]).await;
    allow(Path::new(&first), 0o640);
    let plan = with(plan, &[&first]);
    refused(&plan, &commands(&plan)[0], "readable by a group", &[&first, "0640", "chmod 600"]).await;
    allow(Path::new(&first), 0o600);
    with(plan, &[&first]).serve().await.end().await;
    promise.kept(9, "each with code 2, the files and the fix");
}

#[tokio::test]
async fn r48_a_data_directory_that_everybody_may_read_stops_every_command() {
    let promise = Promise::new("R48");
    let (_, plan) = sqlite().start().await.terminate().await;
    let directory = plan.file("");
    let shown = directory.display().to_string();
    let config = plan.file("tollhouse.toml").display().to_string();
    let mut commands = commands(&plan);
    // It needs no root key, but the database it does.
    commands.push(vec!["migrate".to_owned(), "--config".to_owned(), config]);
    allow(&directory, 0o755);
    for command in &commands {
        refused(&plan, command, "world-readable", &[shown.trim_end_matches('/'), "0755", "chmod 700"]).await;
    }
    allow(&directory, 0o700);
    plan.serve().await.end().await;
    promise.kept(commands.len(), "each with code 2, the directory and the fix");
}
