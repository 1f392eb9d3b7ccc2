//! Definition files that are made to hurt: reading one, and where it can be read, making its request and playing its answer, ends within 50 ms and 8 MiB.
//!
//! Each bomb goes off in a process of its own, so that its peak of memory is its own. Time is what the thread spent on a processor: other work on the machine does not count.

#![cfg(target_os = "linux")]
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use connectors::caller::Attempt;
use connectors::catalogue::Connector;
use connectors::credentials::{Credentials, MODE, TIMEOUT_MS, VALUE_BYTES_MAX};
use connectors::format::FILE_BYTES_MAX;
use connectors::model::Provider;
use connectors::render::{Filled, Places, render};
use connectors::template_fill::First;
use domain::definition::Definition;
use domain::{JsonObject, Secret, SessionRecordId, Timestamp};
use simulators::fill::Maker;
use simulators::play::{Played, Received, play};
use testkit::bombs::{GOOD, Sound, bombs};
use uuid::Uuid;

/// The limit of what is shipped: `cargo test --release -p simulators --test bombs`. A test build is without optimisation and many times slower; there the limit finds what grows without end.
const MILLISECONDS_MAX: u64 = if cfg!(debug_assertions) { 2_000 } else { 50 };
const KIB_MAX: u64 = 8 * 1024;

/// Says in a process which file it is for.
const BOMB: &str = "TOLLHOUSE_BOMB";
/// With it the numbers of each bomb are shown.
const SHOW: &str = "TOLLHOUSE_BOMBS_SHOW";
/// What a process says of a file without mistakes.
const SOUND: &str = "sound";

#[test]
fn r55_every_bomb_ends_within_its_limits() {
    if let Some(file) = std::env::var_os(BOMB) {
        return go_off(Path::new(&file));
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("good.toml"), GOOD).unwrap();
    let mut wrong = Vec::new();
    for (index, (name, sound, text)) in bombs().iter().enumerate() {
        if index != 0 && text.len() > FILE_BYTES_MAX {
            wrong.push(format!("{name} ends at the first check: {} bytes", text.len()));
        }
        let file = folder.path().join(format!("{index}.toml"));
        std::fs::write(&file, text).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", "r55_every_bomb_ends_within_its_limits", "--nocapture"]).env(BOMB, &file).output().unwrap();
        let said = std::fs::read_to_string(file.with_extension("measured")).unwrap_or_default();
        let (numbers, read) = said.split_once('\n').unwrap_or_default();
        let numbers: Vec<u64> = numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let is_within = matches!(numbers.as_slice(), [milliseconds, kib] if *milliseconds <= MILLISECONDS_MAX && *kib <= KIB_MAX);
        if !output.status.success() || !is_within || (read == SOUND) != (*sound == Sound::Yes) {
            wrong.push(format!("{name}: {numbers:?}, {read} {}", String::from_utf8_lossy(&output.stderr)));
        }
        if std::env::var_os(SHOW).is_some() {
            writeln!(std::io::stderr(), "{numbers:?} {name}: {read:.80}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "milliseconds and KiB, of which {MILLISECONDS_MAX} and {KIB_MAX} are allowed:\n{}", wrong.join("\n"));
}

/// Reads a bomb, makes its request and plays its answer, and writes beside it what that took and what was said.
fn go_off(bomb: &Path) {
    // What a first use sets up once for all files is not the bomb's.
    assert_eq!(detonate(&bomb.with_file_name("good.toml")), SOUND);
    // Resets the peak that the system remembers.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (time, memory) = (on_processor(), peak_kib());
    let read = detonate(bomb);
    let (milliseconds, kib) = ((on_processor() - time).div_ceil(1_000_000), peak_kib().saturating_sub(memory));
    std::fs::write(bomb.with_extension("measured"), format!("{milliseconds} {kib}\n{read}")).unwrap();
}

/// The first mistake, or [`SOUND`].
fn detonate(file: &Path) -> String {
    let provider = match connectors::catalogue::read(file) {
        Ok(provider) => provider,
        Err(mistakes) => {
            assert!(mistakes.len() <= 101, "{}", mistakes.len());
            assert!(mistakes.iter().map(|mistake| mistake.to_string().len()).sum::<usize>() < 200_000);
            return mistakes[0].message.clone();
        }
    };
    let connector = connector(provider);
    let provider = &connector.provider;
    // Of the long one the render may say that it becomes too long; the short one is played.
    for length in [VALUE_BYTES_MAX, 8] {
        let own = provider.fields.iter().filter(|field| field.key != MODE && field.key != TIMEOUT_MS && field.pattern.is_none());
        let values = own.map(|field| (field.key.clone(), Secret::from("x".repeat(length).as_str())));
        let credentials = Credentials::for_provider(provider, values);
        let attempt = Attempt { id: SessionRecordId(Uuid::from_u128(7)), now: Timestamp::from_micros(0) };
        let body = JsonObject::parse(format!(r#"{{"amount":1,"big":"{}"}}"#, "x".repeat(VALUE_BYTES_MAX))).unwrap();
        let session = provider.session.as_ref().unwrap();
        let base = Places::default().base(&connector, session, &credentials).unwrap();
        let filled = Filled {
            credentials: &credentials,
            token: None,
            first: First::Never,
            attempt: &attempt,
            now: attempt.now,
            body: Some(&body),
            written: None,
        };
        if let Ok(request) = render(&connector, session, &filled, &base) {
            let path = request.url.path().strip_prefix("/v1").unwrap().to_owned();
            let received = Received { method: request.method, path, headers: request.headers, body: request.body };
            let played = play(provider, &received, &Maker::new(SocketAddr::from(([127, 0, 0, 1], 8080))));
            assert!(matches!(played, Played::Answer { body, .. } if body.len() < 2 << 20));
        }
    }
    SOUND.to_owned()
}

fn connector(provider: Provider) -> Connector {
    let method = &provider.methods[0];
    let definition = Definition {
        id: method.definition_id.clone(),
        provider: provider.id.clone(),
        display_name: method.name.clone(),
        method: method.method.clone(),
        flow: method.flow,
        fields: Vec::new(),
        supported_currencies: method.currencies.clone(),
        supported_countries: method.countries.clone(),
        supported_features: BTreeMap::new(),
    };
    Connector { definition, provider: Arc::new(provider), method: 0 }
}

/// Nanoseconds that this thread has been on a processor.
fn on_processor() -> u64 {
    let numbers = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    numbers.split_whitespace().next().unwrap().parse().unwrap()
}

/// The most memory that this process has held at once.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
