//! The rules of the house, as a test: who may import whom, how long a file may be, which words stay out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::measurements;

/// Who may import whom. Development dependencies are free.
const IMPORTS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("store", &["domain"]),
    ("connectors", &["domain"]),
    ("simulators", &["connectors", "domain"]),
    ("engine", &["connectors", "domain", "store"]),
    ("api", &["connectors", "domain", "engine", "store"]),
    ("tollhouse-client", &[]),
    ("tollhouse", &["api", "connectors", "domain", "engine", "simulators", "store", "tollhouse-client"]),
    ("testkit", &["store"]),
    ("fuzzing", &["connectors", "domain", "engine"]),
    ("xtask", &["api", "connectors", "domain"]),
];

/// Libraries that live in some crates only.
const HOMES: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("hyper-rustls", &[]),
    ("reqwest", &["tollhouse-client", "testkit"]),
    ("axum", &["api"]),
    ("hickory-resolver", &["connectors"]),
];

/// The environment is read by the binary; tools, build scripts and test equipment are programs of their own.
const READS_ENVIRONMENT: &[&str] = &["tollhouse", "xtask", "testkit"];

/// A file that is longer has more than one subject.
const FILE_LINES_MAX: usize = 800;

/// Places where code asks which database it talks to. A new one needs a comment and a higher number here, so that somebody nods.
const ENGINE_FORKS: usize = 17;

/// File names that name nothing.
const EMPTY_NAMES: &[&str] = &["mod.rs", "utils.rs", "util.rs", "common.rs", "types.rs", "helpers.rs"];

/// Lines of a definition before `[simulator]`, a line counting once per 120 characters begun. The median must not exceed it.
const DEFINITION_LINES_MEDIAN_MAX: usize = 60;
const DEFINITION_LINE_CHARACTERS: usize = 120;

/// Checks everything and names everything that is wrong.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut wrong = Vec::new();
    imports(root, &mut wrong)?;
    let providers = providers(root)?;
    let mut forks = 0;
    let files = rust_files(&root.join("crates"))?;
    for file in &files {
        forks += source(root, file, &providers, &mut wrong)?;
    }
    measurements::check(root, &files, &mut wrong)?;
    if forks != ENGINE_FORKS {
        wrong.push(format!("crates: {forks} places ask which database it is; ENGINE_FORKS says {ENGINE_FORKS}"));
    }
    migrations(root, &mut wrong)?;
    wrong.extend(crate::promises::without_test(root)?);
    let median = definition_lines_median(root)?;
    if median > DEFINITION_LINES_MEDIAN_MAX {
        wrong.push(format!(
            "definitions: the median file has {median} lines before its simulator; {DEFINITION_LINES_MEDIAN_MAX} are allowed"
        ));
    }
    if !wrong.is_empty() {
        bail!("{} rules are broken:\n  {}", wrong.len(), wrong.join("\n  "));
    }
    Ok(())
}

fn imports(root: &Path, wrong: &mut Vec<String>) -> Result<()> {
    let output = Command::new("cargo").args(["metadata", "--format-version", "1", "--no-deps"]).current_dir(root).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata did not answer in JSON")?;
    let allowed: BTreeMap<&str, &[&str]> = IMPORTS.iter().copied().collect();
    for package in list(&metadata, "packages") {
        let name = text(package, "name");
        let Some(own) = allowed.get(name) else {
            wrong.push(format!("{name}: not in the import table"));
            continue;
        };
        let normal = list(package, "dependencies").iter().filter(|dependency| dependency.get("kind").is_none_or(Value::is_null));
        for dependency in normal.map(|dependency| text(dependency, "name")) {
            if allowed.contains_key(dependency) && !own.contains(&dependency) {
                wrong.push(format!("{name} imports {dependency}, which the import table does not allow"));
            }
            if HOMES.iter().any(|(library, homes)| *library == dependency && !homes.contains(&name)) {
                wrong.push(format!("{name} depends on {dependency}, which lives elsewhere"));
            }
        }
    }
    Ok(())
}

/// Checks one file; the number of places in it that ask which database it is.
fn source(root: &Path, file: &Path, providers: &[String], wrong: &mut Vec<String>) -> Result<usize> {
    let shown = file.strip_prefix(root).unwrap_or(file).display().to_string();
    let krate = shown.split('/').nth(1).unwrap_or_default();
    let source = fs::read_to_string(file)?;
    let mut complain = |line: usize, what: &str| wrong.push(format!("{shown}:{line}: {what}"));
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let lines = source.lines().count();
    if lines > FILE_LINES_MAX {
        complain(lines, "the file is longer than 800 lines");
    }
    if EMPTY_NAMES.contains(&name) {
        complain(1, "the file's name names nothing");
    }
    if !source.starts_with("//!") && !source.starts_with("#!") {
        complain(1, "the file does not say what it is for (//!)");
    }
    let is_test_file = ["/tests/", "/testing/", "/examples/"].iter().any(|folder| shown.contains(folder))
        || ["tests.rs", "testing.rs", "fixtures.rs"].contains(&name)
        || name.ends_with("_tests.rs");
    let product = if is_test_file { "" } else { before_tests(&source) };
    for (index, line) in source.lines().enumerate() {
        for (attribute, what) in [("#[allow(", "write #[expect(.., reason)]"), ("#[ignore", "a test that does not run")] {
            if line.trim_start().starts_with(attribute) {
                complain(index + 1, what);
            }
        }
        if krate != "xtask" && line.contains("todo!(") {
            complain(index + 1, "unfinished");
        }
    }
    for (index, line) in product.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        if !READS_ENVIRONMENT.contains(&krate) && name != "build.rs" && code.contains("std::env::") && !code.contains("env!(") {
            complain(index + 1, "only the binary reads the environment");
        }
        let words = || code.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase);
        if krate != "xtask" && krate != "testkit" && words().any(|word| providers.contains(&word)) {
            complain(index + 1, "names a payment service: that is data");
        }
    }
    let asks = |line: &&str| line.contains("=>") && line.trim_start().split("=>").next().is_some_and(|arm| arm.contains("::Sqlite"));
    Ok(product.lines().filter(asks).count())
}

/// The part of a file before its module of tests. Other items for tests alone, such as a hook, stand in the midst of the product and are read with it.
pub(crate) fn before_tests(source: &str) -> &str {
    source.find("#[cfg(test)]\nmod tests {").and_then(|at| source.get(..at)).unwrap_or(source)
}

fn migrations(root: &Path, wrong: &mut Vec<String>) -> Result<()> {
    let names = |engine: &str| -> Result<Vec<String>> {
        let folder = root.join("crates/store/migrations").join(engine);
        let mut names: Vec<String> =
            fs::read_dir(&folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<Result<_>>()?;
        names.sort();
        Ok(names)
    };
    let (sqlite, postgres) = (names("sqlite")?, names("postgres")?);
    if sqlite != postgres {
        wrong.push(format!("migrations differ: {sqlite:?} for SQLite, {postgres:?} for PostgreSQL"));
    }
    Ok(())
}

fn providers(root: &Path) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(root.join("definitions"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            ids.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
        }
    }
    Ok(ids)
}

/// The median length of the definitions, by the rule of the constant.
pub(crate) fn definition_lines_median(root: &Path) -> Result<usize> {
    let mut lengths = Vec::new();
    for entry in fs::read_dir(root.join("definitions"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = fs::read_to_string(&path)?;
            let before = text.split("\n[simulator]").next().unwrap_or_default();
            lengths.push(before.lines().map(|line| line.chars().count().div_ceil(DEFINITION_LINE_CHARACTERS).max(1)).sum());
        }
    }
    lengths.sort_unstable();
    Ok(lengths.get(lengths.len() / 2).copied().unwrap_or_default())
}

pub(crate) fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}
