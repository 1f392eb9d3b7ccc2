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
use uuid::Uuid;

/// The limit of what is shipped: `cargo test --release -p simulators --test bombs`. A test build is without optimisation and many times slower; there the limit finds what grows without end.
const MILLISECONDS_MAX: u64 = if cfg!(debug_assertions) { 2_000 } else { 50 };
const KIB_MAX: u64 = 8 * 1024;

/// A small file without mistakes.
const GOOD: &str = r##"format = 1
id = "psp"
name = "PSP"
checked = "docs 2026-11"
[methods]
card = { name = "Cards" }
[fields]
key = { label = "Key", secret = true }
text = { label = "Text", optional = true }
[hosts]
sandbox = "https://api.test.psp.example/v1"
live = "https://api.psp.example/v1"
[auth]
bearer = "{{ field.key }}"
[call.session]
request = "POST /sessions"
success = [201]
[simulator]
requires = ["/amount"]
example = '''{"amount":1,"list":[1]}'''
answer = '''{"id":"{{ sim.uuid }}","amount":{{ request /amount }}}'''
refuse.400 = '''{"error":"{{ sim.missing }}"}'''
"##;

/// Whether a bomb is a sound file, and so goes on to its request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sound {
    Yes,
    No,
}

/// Says in a process which file it is for.
const BOMB: &str = "TOLLHOUSE_BOMB";
/// With it the numbers of each bomb are shown.
const SHOW: &str = "TOLLHOUSE_BOMBS_SHOW";
/// What a process says of a file without mistakes.
const SOUND: &str = "sound";

/// What a bomb is about, whether it can be read, and its text.
type Bomb = (&'static str, Sound, String);

/// The good file with one part of it replaced.
fn good(from: &str, to: impl AsRef<str>) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to.as_ref(), 1)
}

/// The good file with more lines behind one.
fn behind(line: &str, more: impl AsRef<str>) -> String {
    good(line, format!("{line}\n{}", more.as_ref()))
}

/// The good file with more lines in `[call.session]`.
fn of_session(more: impl AsRef<str>) -> String {
    behind("success = [201]", more)
}

/// A line many times, `#` being its number.
fn many(count: usize, line: &str) -> String {
    (0..count).map(|n| line.replace('#', &n.to_string())).collect()
}

/// Lines of a signature, each made of the one before it twice.
fn doubling(first: &str, count: usize) -> String {
    let next = |n: usize| format!("l{n} = \"{{{{ sign.l{0} }}}}{{{{ sign.l{0} }}}}\"\n", n - 1);
    let lines: String = (1..count).map(next).collect();
    let sign = format!("[sign]\nl0 = \"{first}{first}\"\n{lines}[auth.headers]\nX-Sign = \"{{{{ sign.l{} }}}}\"", count - 1);
    good("[auth]\nbearer = \"{{ field.key }}\"", &sign)
}

fn bombs() -> Vec<Bomb> {
    [shapes(), wrong_values(), long_lists(), answers_and_signatures()].concat()
}

/// TOML of every awkward shape.
fn shapes() -> Vec<Bomb> {
    vec![
        ("a file of 10 MB", Sound::No, format!("name = \"{}\"", "x".repeat(10 << 20))),
        ("open lists", Sound::No, format!("a = {}", "[".repeat(30_000))),
        ("nested lists", Sound::No, format!("a = {}{}", "[".repeat(15_000), "]".repeat(15_000))),
        ("nested inline tables", Sound::No, format!("a = {}1{}", "{a=".repeat(8_000), "}".repeat(8_000))),
        ("open inline tables", Sound::No, format!("a = {}", "{a=".repeat(10_000))),
        ("a list of tables", Sound::No, format!("a = [{}]", "{a=1},".repeat(5_000))),
        ("an array of tables", Sound::No, "[[a]]\n".repeat(5_000)),
        ("a dotted key", Sound::No, format!("{} = 1", "a.".repeat(15_000) + "a")),
        ("many dotted keys", Sound::No, many(250, &format!("{} = 1\n", "a#.".repeat(20) + "a"))),
        ("a table deep down", Sound::No, format!("[{}a]", "a.".repeat(15_000))),
        ("unknown keys", Sound::No, many(3_000, "k# = 1\n")),
        ("unknown keys that are nearly known", Sound::No, behind("[simulator]", many(2_000, "succes# = 1\n"))),
        ("a key of 30,000 letters", Sound::No, format!("{} = 1", "k".repeat(30_000))),
    ]
}

/// Values that no key takes.
fn wrong_values() -> Vec<Bomb> {
    vec![
        ("huge integers", Sound::No, of_session(format!("idempotency = {{ header = \"K\", hours = {} }}", "9".repeat(20_000)))),
        ("a float with a huge exponent", Sound::No, of_session(format!("body.set.\"/n\" = 1e{}", "9".repeat(20_000)))),
        ("a huge number in JSON", Sound::No, good("\"list\":[1]", format!("\"list\":1e{}", "9".repeat(20_000)))),
        ("a status of 20,000 digits", Sound::No, good("success = [201]", format!("success = [{}]", "1".repeat(20_000)))),
        ("a string of `{{`", Sound::No, good("{{ sim.uuid }}", "{{".repeat(10_000))),
        ("10,000 unknown names", Sound::No, good("{{ sim.uuid }}", "{{a}}".repeat(6_000))),
        ("marks of byte order", Sound::No, "\u{feff}".repeat(10_000)),
        ("unfinished escapes", Sound::No, format!("a = \"{}", "\\u".repeat(15_000))),
        ("quotes", Sound::No, "\"".repeat(30_000)),
        ("JSON nested too deep", Sound::No, good("\"list\":[1]", format!("\"list\":{}{}", "[".repeat(14_000), "]".repeat(14_000)))),
        ("JSON with a member 2,000 times", Sound::No, good("\"list\":[1]", format!("{}\"a\":1", "\"a\":1,".repeat(2_000)))),
    ]
}

/// Many of whatever a file may have many of, and long values for all of them.
fn long_lists() -> Vec<Bomb> {
    vec![
        ("catastrophic pattern", Sound::Yes, good("optional = true", "optional = true, pattern = \"(x+x+)+y\"")),
        ("patterns that grow", Sound::No, format!("[fields]\n{}", many(500, "k# = { label = \"k\", pattern = \"(a{99}){99}\" }\n"))),
        (
            "patterns that just fit",
            Sound::Yes,
            behind("[fields]", many(25, "p# = { label = \"k\", optional = true, pattern = \"(([a-z]{1,9}){1,9}){1,3}\" }\n")),
        ),
        (
            "patterns of classes",
            Sound::No,
            behind("[fields]", many(25, "p# = { label = \"k\", optional = true, pattern = \"(\\\\w){90}\" }\n")),
        ),
        ("600 methods", Sound::No, behind("[methods]", many(600, "m# = { name = \"M\", method = \"ideal\" }\n"))),
        ("140 methods", Sound::Yes, behind("[methods]", many(140, "m# = { name = \"M\", method = \"ideal\", currencies = [\"EUR\"] }\n"))),
        ("700 fields", Sound::No, behind("[fields]", many(700, "f# = { label = \"F\", optional = true }\n"))),
        ("28 fields", Sound::Yes, behind("[fields]", many(28, "f# = { label = \"F\", optional = true }\n"))),
        ("700 headers", Sound::No, of_session(many(700, "headers.X-# = \"{{ field.text }}\"\n"))),
        ("20 headers of a long value", Sound::Yes, of_session(many(20, "headers.X-# = \"{{ field.text }}{{ field.text }}\"\n"))),
        ("a header of a value 1,500 times", Sound::Yes, of_session(format!("headers.X-A = \"{}\"", "{{ field.text }}".repeat(1_500)))),
        ("800 edits", Sound::No, of_session(many(800, "body.set.\"/#\" = \"{{ field.text }}\"\n"))),
        ("50 edits of a long value", Sound::Yes, of_session(many(50, "body.set.\"/#\" = \"{{ field.text }}{{ field.text }}\"\n"))),
        ("50 edits deep down", Sound::Yes, of_session(many(50, &format!("body.set.\"{}/#\" = \"x\"\n", "/a".repeat(60))))),
        ("an edit deeper than any body", Sound::No, of_session(format!("body.set.\"{}\" = 1", "/a".repeat(5_000)))),
        (
            "a header of escapes and values",
            Sound::Yes,
            of_session(format!("headers.X-A = \"{}{}\"", "\\u0041".repeat(2_600), "{{ field.text }}".repeat(900))),
        ),
        (
            "unknown names behind escapes",
            Sound::No,
            of_session(format!("headers.X-A = \"{}{}\"", "\\u0041".repeat(2_600), "{{a}}".repeat(3_000))),
        ),
        ("a path of 1,500 values", Sound::Yes, good("POST /sessions", format!("POST /sessions{}", "/{{ field.text }}".repeat(1_500)))),
    ]
}

/// What grows when it is filled in.
fn answers_and_signatures() -> Vec<Bomb> {
    vec![
        ("2,000 made-up ids", Sound::Yes, good("{{ sim.uuid }}", "{{ sim.uuid }}".repeat(2_000))),
        ("1,800 long made-up texts", Sound::Yes, good("{{ sim.uuid }}", "{{ sim.text200 }}".repeat(1_800))),
        ("a made-up text of any length", Sound::No, good("{{ sim.uuid }}", format!("{{{{ sim.text{} }}}}", "9".repeat(9)))),
        (
            "a made-up text of a length that is no number",
            Sound::No,
            good("{{ sim.uuid }}", format!("{{{{ sim.text{} }}}}", "9".repeat(9_000))),
        ),
        ("2,000 addresses of pages", Sound::Yes, good("{{ sim.uuid }}", "{{ sim.page }}".repeat(2_000))),
        ("the request 1,500 times", Sound::Yes, good("{{ request /amount }}", format!("[{}1]", "{{ request /big }},".repeat(1_500)))),
        ("required members", Sound::No, good("[\"/amount\"]", format!("[{}\"/amount\"]", "\"/a/b\",".repeat(3_500)))),
        ("lines of a signature that double each other", Sound::No, doubling("{{ sent.body }}", 300)),
        ("few lines that double each other", Sound::Yes, doubling("{{ field.text }}", 16)),
    ]
}

#[test]
fn every_bomb_ends_within_its_limits() {
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
        let output = child.args(["--exact", "every_bomb_ends_within_its_limits", "--nocapture"]).env(BOMB, &file).output().unwrap();
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
        let filled =
            Filled { credentials: &credentials, token: None, first: First::Never, attempt: &attempt, now: attempt.now, body: Some(&body) };
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
