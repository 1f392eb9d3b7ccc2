//! Definition files that are made to hurt, for whoever reads files and for servers that are given them.

/// A small file without mistakes.
pub const GOOD: &str = r##"format = 1
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
pub enum Sound {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// What a bomb is about, whether it can be read, and its text.
pub type Bomb = (&'static str, Sound, String);

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

/// All of them.
pub fn bombs() -> Vec<Bomb> {
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
