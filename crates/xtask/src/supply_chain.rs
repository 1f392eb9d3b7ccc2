//! What the product is built from, as far as the repository itself can say: licences, sources and bans are `deny.toml`'s.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::Table;

/// TLS and cryptography that must not come in beside rustls and aws-lc-rs.
const OTHER_STACKS: [&str; 6] = ["openssl", "openssl-sys", "native-tls", "ring", "boring", "mbedtls"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

fn table(path: impl AsRef<Path>) -> Table {
    let path = root().join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifests() -> Vec<PathBuf> {
    let crates = fs::read_dir(root().join("crates")).unwrap();
    crates.map(|entry| entry.unwrap().path().join("Cargo.toml")).collect()
}

#[test]
fn r59_own_crates_forbid_unsafe_code() {
    assert_eq!(table("Cargo.toml")["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    let manifests = manifests();
    assert!(manifests.len() >= 10, "the crates are where they are looked for: {manifests:?}");
    for manifest in manifests {
        let takes_them = table(&manifest).get("lints").and_then(|lints| lints.get("workspace")?.as_bool());
        assert_eq!(takes_them, Some(true), "{} does not take the workspace's lints", manifest.display());
    }
}

#[test]
fn r59_there_is_one_tls_stack() {
    // The lock file also names what optional features would bring; what counts is what is built, on any system.
    let tree = ["tree", "--workspace", "--target", "all", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let output = Command::new(env!("CARGO")).args(tree).current_dir(root()).output().unwrap();
    let built = String::from_utf8(output.stdout).unwrap();
    let built: BTreeSet<&str> = built.lines().filter_map(|line| line.split(' ').next()).collect();
    for wanted in ["rustls", "aws-lc-rs"] {
        assert!(built.contains(wanted), "{wanted}: {}", String::from_utf8_lossy(&output.stderr));
    }
    for other in OTHER_STACKS {
        assert!(!built.contains(other), "{other} has come in");
    }
}

#[test]
fn r59_every_package_of_the_lock_file_is_named_with_its_checksum() {
    let lock = table("Cargo.lock");
    for package in lock["package"].as_array().unwrap() {
        let (name, source) = (package["name"].as_str().unwrap(), package.get("source").and_then(|source| source.as_str()));
        match source {
            None => assert!(manifests().iter().any(|path| table(path)["package"]["name"].as_str() == Some(name)), "{name} is not ours"),
            Some(source) => {
                assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index", "{name}");
                assert_eq!(package["checksum"].as_str().map(str::len), Some(64), "{name}");
            }
        }
    }
}
