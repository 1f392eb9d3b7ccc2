//! Files with mistakes and what is said about them; the shipped files have none.

use super::*;
use crate::model::{Choice, Required};

mod answers;
mod second;

mod request;
mod sign;

/// A small file without mistakes: the cases below break one thing each.
const GOOD: &str = r##"format = 1
id = "psp"
name = "PSP"
checked = "docs 2026-11"
[methods]
card = { name = "Cards" }
ideal = { name = "iDEAL", code = "IDEAL" }
[fields]
key = { label = "Key", secret = true }
shop = { label = "Shop", pattern = "[a-z0-9-]+" }
region = { label = "Region", choices = ["eu", "us"] }
[hosts]
sandbox = "https://api.test.psp.example/v1"
live = "https://{{ field.shop }}.psp.example/v1"
suffix = [".psp.example"]
[auth]
bearer = "{{ field.key }}"
[call.session]
request = "POST /sessions"
success = [201]
error_code = "answer /error"
body.set."/shop" = "{{ field.shop }}"
[call.session.record]
amount = "request /amount"
[call.verify]
request = "GET /me"
success = [200]
[simulator]
requires = ["/amount"]
example = '''
{"amount":1,
 "list":[1]}'''
answer = '''{"id":"{{ sim.uuid }}","amount":{{ request /amount }}}'''
refuse.400 = '''{"error":"{{ sim.missing }}"}'''
"##;

/// A file without calls, for what else a file can hold: fields from line 8 on, the hosts after them, and then a table.
pub(super) fn file_of(fields: &str, table: &str) -> String {
    format!(
        r#"format = 1
id = "psp"
name = "PSP"
checked = "docs 2026-11"
[methods]
card = {{ name = "Cards" }}
[fields]
{fields}[hosts]
sandbox = "https://api.test.psp.example"
live = "https://api.psp.example"
{table}"#
    )
}

fn shipped() -> Vec<(String, String)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../definitions");
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.iter().map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap())).collect()
}

fn said(text: &str) -> Vec<String> {
    parse(text, "x").err().unwrap_or_default().iter().map(Diagnostic::to_string).collect()
}

/// Replaces one part of the good file and compares everything that is said.
#[track_caller]
fn check(from: &str, to: &str, expected: &[&str]) {
    check_changed(GOOD, &[(from, to)], expected);
}

/// Replaces parts of any file, each once, and compares everything that is said.
#[track_caller]
pub(super) fn check_changed(good: &str, changes: &[(&str, &str)], expected: &[&str]) {
    let text = changes.iter().fold(good.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    assert_eq!(said(&text), expected, "{changes:?}");
}

#[test]
fn the_shipped_files_have_no_mistakes() {
    for (name, text) in shipped() {
        assert_eq!(said(&text), Vec::<String>::new(), "{name}");
        assert_eq!(name, format!("{}.toml", parse(&text, &name).unwrap().id));
    }
}

#[test]
fn a_shipped_file_is_about_sixty_lines() {
    for (name, text) in shipped() {
        let lines = text.lines().take_while(|line| *line != "[simulator]").filter(|line| !line.is_empty());
        // A line counts once per 120 characters begun.
        let count: usize = lines.map(|line| line.len().div_ceil(120)).sum();
        assert!(count <= 65, "{name}: {count}");
    }
}

#[test]
fn a_good_file_says_what_it_says() {
    let provider = parse(GOOD, "x").unwrap();
    assert_eq!(provider.methods.iter().map(|m| m.definition_id.as_str()).collect::<Vec<_>>(), ["psp-card", "psp-ideal"]);
    assert_eq!(provider.fields.iter().map(|f| f.key.as_str()).collect::<Vec<_>>(), ["key", "shop", "region", "mode", "timeout_ms"]);
    assert!(
        provider.fields.iter().all(|f| f.required == if f.key.len() <= 6 && f.key != "mode" { Required::Always } else { Required::Never })
    );
    assert_eq!(provider.hash.len(), 8);
    assert!(matches!(provider.session.unwrap().request, Choice::One(line) if line.method == http::Method::POST));
    assert_ne!(provider.hash, parse(&GOOD.replace("PSP", "Psp"), "x").unwrap().hash);
}

#[test]
fn unknown_keys_and_names_come_with_the_nearest() {
    check(
        "checked =",
        "cheked =",
        &[
            "x:1:1: a definition file has no `checked`",
            "x:4:1: `cheked` is no key of a definition file; allowed: format, id, name, docs, checked, simulator_only, methods, fields, call, hosts, sign, auth, tls, simulator; did you mean `checked`?",
        ],
    );
    check(
        "success = [201]",
        "sucess = [201]",
        &[
            "x:18:7: `call.session` has no `success`",
            "x:20:1: `sucess` is no key of `call.session`; allowed: request, hosts, sign, auth, headers, body, success, answer, error_code, idempotency, private, withhold, record; did you mean `success`?",
        ],
    );
    check(
        "[auth]",
        "[sing]\ndate = \"{{ now }}\"\n[auth]",
        &[
            "x:16:2: `sing` is no key of a definition file; allowed: format, id, name, docs, checked, simulator_only, methods, fields, call, hosts, sign, auth, tls, simulator; did you mean `sign`?",
        ],
    );
    check(
        "{{ field.key }}",
        "{{ field.kye }}",
        &["x:17:14: `kye` is no field of this file; its fields are key, shop, region, mode, timeout_ms; did you mean `key`?"],
    );
    check(
        "{{ field.key }}",
        "{{ feild.key }}",
        &[
            "x:17:14: `feild.key` is no name that can be filled in here; allowed: field.key, field.shop, field.region, field.mode, field.timeout_ms, method.code, attempt.id, attempt.hex32, attempt.upper32; did you mean `field.key`?",
        ],
    );
    check("{{ field.key }}", "{{ token }}", &["x:17:14: `token` is what `[call.token]` answers, and this file has no such call"]);
    check(
        "{{ field.key }}",
        "{{ field.key | base64 }}",
        &["x:17:14: functions (`|`) are for lines of `[sign]`: elsewhere only names can be filled in"],
    );
    check("{{ field.key }}", "{{ field.key", &["x:17:11: `{{` has no `}}` behind it"]);
    check(
        "ideal = {",
        "idael = {",
        &["x:7:1: `idael` is no payment method of the API: say which one it is with `method = \"…\"`; did you mean `ideal`?"],
    );
    check(
        "\"IDEAL\" }",
        "\"IDEAL\", flow = \"rediret\" }",
        &[
            "x:7:50: `rediret` is no value of `methods.ideal.flow`; allowed: card, redirect, applepay, googlepay, checkout-session, click-to-pay, gift-card, bank, paze; did you mean `redirect`?",
        ],
    );
    check(
        "\"POST /sessions\"",
        "{ by = \"method\", idea = \"POST /a\", card = \"POST /b\" }",
        &[
            "x:19:1: there is no line for ideal and no `else`",
            "x:19:28: `idea` is no value of `method`; allowed: card, ideal, else; did you mean `ideal`?",
        ],
    );
}

#[test]
fn wrong_types_and_values_say_what_is_right() {
    check("success = [201]", "success = \"201\"", &["x:20:11: `call.session.success` must be a list, not a string"]);
    check("success = [201]", "success = [\"201\"]", &["x:20:12: `call.session.success` must be a whole number, not a string"]);
    check(
        "success = [201]",
        "success = [401]",
        &["x:20:12: 401 is no success: a session or token is created with a status from 200 to 299"],
    );
    check("success = [200]", "success = [200, 401]", &["x:27:17: 401 is how payment services refuse credentials: it can not prove them"]);
    check("secret = true", "secret = \"yes\"", &["x:9:33: `fields.key.secret` must be true or false, not a string"]);
    check(
        "docs 2026-11",
        "docs",
        &[
            "x:4:11: `checked` must be what was checked and in which month, such as `docs 2026-11`; kinds: docs, openapi, schema, sdk, clients, memory, sandbox, live",
        ],
    );
    check(
        "POST /sessions",
        "POTS /sessions",
        &[
            "x:19:11: `call.session.request` must be a method and a path, such as `POST /v1/sessions`; methods: GET, POST, PUT, PATCH, DELETE; did you mean `POST`?",
        ],
    );
    check("POST /sessions", "GET /sessions", &["x:18:7: a session carries the caller's body: its request can not be a GET"]);
    check(
        "POST /sessions",
        "POST /a/../b",
        &["x:19:11: the path of `call.session.request` must begin with a slash and hold what an address may hold: `/a/../b`"],
    );
    check(
        "\"/shop\"",
        "\"shop\"",
        &["x:22:10: `shop` is no JSON pointer to a member; it must look like `/amount/value`, with `~1` for `/` and `~0` for `~` in names"],
    );
    check(
        "answer /error\"",
        "error\"",
        &["x:21:14: `error` is no place; allowed: `answer /pointer`, `answer key /pointer`, `answer header name`"],
    );
    check(
        "[a-z0-9-]+",
        "[a-z",
        &[
            "x:10:36: the pattern is no regular expression: unclosed character class",
            "x:14:8: `shop` stands in a host and needs a `pattern`, such as [A-Za-z0-9-]+",
        ],
    );
    check(
        "choices = [\"eu\", \"us\"]",
        "pattern = \"(\\\\pL{100}){100}\"",
        &["x:11:40: the pattern is too big: use ASCII classes such as [A-Za-z0-9] and short repetitions"],
    );
    check(
        "secret = true",
        "secret = true, default = \"x\"",
        &["x:9:49: a secret has no default: it would be the same for everybody who reads this file"],
    );
    check("region =", "mode =", &["x:11:1: `mode` comes with every definition and is not written"]);
    check("format = 1", "format = 2", &["x:1:10: `format` must be from 1 to 1"]);
}

#[test]
fn secrets_stand_only_where_they_are_never_logged() {
    let secret = |place: &str, line: usize, column: usize| {
        format!(
            "x:{line}:{column}: `key` is secret and can not stand in `{place}`: secrets go to `auth`, to `sign`, to `tls`, to `call.token` and to `body.set`, which are never logged"
        )
    };
    check("POST /sessions", "POST /sessions/{{ field.key }}", &[&secret("call.session.request", 19, 30)]);
    check("error_code =", "headers.X-Key = \"{{ field.key }}\"\nerror_code =", &[&secret("call.session.headers.X-Key", 21, 21)]);
    check(
        "body.set.\"/shop\" = \"{{ field.shop }}\"",
        "body.default.\"/shop\" = \"{{ field.key }}\"",
        &[&secret("call.session.body.default.\"/shop\"", 22, 28)],
    );
    check("https://api.test", "https://{{ field.key }}.test", &[&secret("hosts.sandbox", 13, 23)]);
    check("body.set.\"/shop\" = \"{{ field.shop }}\"", "body.set.\"/shop\" = \"{{ field.key }}\"", &[]);
    check(
        "{{ sim.uuid }}",
        "{{ field.key }}",
        &[
            "x:33:23: `field.key` is no name that can be filled in here; allowed: request /pointer, sim.uuid, sim.textN, sim.upperN, sim.hexN, sim.page, sim.missing, sim.time, sim.jwt",
        ],
    );
}

#[test]
fn a_host_can_not_be_left() {
    let plain = "x:14:8: the pattern of `shop` must allow letters, digits and dashes only, written plainly such as [A-Za-z0-9-]+: its value is part of a host";
    check("suffix = [\".psp.example\"]\n", "", &["x:14:8: a host with `{{` needs `suffix`: the fixed end that no value can leave"]);
    check("pattern = \"[a-z0-9-]+\"", "optional = true", &["x:14:8: `shop` stands in a host and needs a `pattern`, such as [A-Za-z0-9-]+"]);
    for pattern in ["[a-z.]+", ".+", "[^a]+", "[+-z]+", "a|(b/)", "\\\\S+", "[?]"] {
        assert!(said(&GOOD.replace("[a-z0-9-]+", pattern)).iter().any(|line| line == plain), "{pattern}");
    }
    let end = "x:14:8: the host must end in `suffix` behind its last value: .psp.example";
    check("}}.psp.example", "}}.evil.example", &[end]);
    check("}}.psp.example", "}}psp.example", &[end]);
    check("}}.psp.example/v1", "}}/v1", &["x:14:8: `hosts.live`: it must name a public host, not an address or a single label", end]);
    check(
        "https://{{ field.shop }}.psp.example/v1",
        "https://evil.example/{{ field.shop }}.psp.example",
        &[
            "x:14:8: the host must end in `suffix` behind its last value: .psp.example",
            "x:14:8: a value can stand in the host, not in the path behind it: write it in the paths of the calls",
        ],
    );
    let address = |to: &str, what: &str| check("https://api.test.psp.example/v1", to, &[&format!("x:13:11: `hosts.sandbox`: {what}")]);
    address("http://api.test.psp.example/v1", "it must begin with https://");
    address("https://127.0.0.1/v1", "it must name a public host, not an address or a single label");
    address("https://localhost/v1", "it must name a public host, not an address or a single label");
    address("https://api.psp.example:8443/v1", "it must have neither port nor user");
    address("https://u:p@api.psp.example/v1", "it must have neither port nor user");
    address("https://api.psp.example/v1/", "it must not end in a slash, since paths begin with one");
    address(
        "https://api.psp.example/a/../v1",
        "it must be written in its plain form: lower-case host, no dots as path segments, no spaces",
    );
    address("https://api.psp.example/v1?a=1", "it must have neither query nor fragment");
}

#[test]
fn mistakes_inside_of_json_have_their_place_in_the_file() {
    check(" \"list\":[1]}", " \"list\":[1,]}", &["x:32:12: `simulator.example` is not valid JSON: trailing comma"]);
    check(" \"list\":[1]}", " \"amount\":2}", &["x:32:2: the member `amount` is there twice: payment services differ on which one wins"]);
    check(
        "\"id\":\"{{ sim.uuid }}\",",
        "\"id\":\"{{ sim.uuid }}\";",
        &["x:33:35: `simulator.answer` is not valid JSON: expected `,` or `}`"],
    );
    check(
        "{\"error\":\"{{ sim.missing }}\"}",
        "{\"error\":{{ sim.missing }}}",
        &["x:34:29: `simulator.refuse.400` is not valid JSON: expected value"],
    );
    check("{\"amount\":1,\n \"list\":[1]}", "[1]", &["x:30:11: `simulator.example` is not a JSON object"]);
    let into = "[call.session.body.wrap]\nat = \"/a/b\"\ninto = '''\n{\"a\":\n 1}'''\n[call.session.record]";
    check(
        "[call.session.record]",
        into,
        &["x:24:6: `/a/b` can not be added to `into`: one of its parents is no object", "x:34:13: the example of `card` has no `/amount`"],
    );
}

#[test]
fn the_example_must_work() {
    check("requires = [\"/amount\"]", "requires = [\"/amount\", \"/country\"]", &["x:29:24: the example of `card` has no `/country`"]);
    check("requires = [\"/amount\"]", "requires = [\"/shop\"]", &[]);
    check(
        "request /amount\"",
        "request /amount/value\"",
        &["x:24:10: `/amount/value` can not be in the example: one of its parents there is no object"],
    );
    check("request /amount\"", "request /list/1/x\"", &[]);
    check("request /amount\"", "request /list/2\"", &[]);
    check(
        "body.set.\"/shop\"",
        "body.set.\"/list/0\"",
        &["x:22:10: `/list/0` can not be added to the example: one of its parents there is no object"],
    );
    check(
        "body.set.\"/shop\"",
        "body.set.\"/amount/shop\"",
        &["x:22:10: `/amount/shop` can not be added to the example: one of its parents there is no object"],
    );
    check(
        "[call.session.record]",
        "[call.session.body.refuse]\n\"/list\" = \"no lists\"\n[call.session.record]",
        &["x:32:11: the example has `/list`, which `body.refuse` refuses: no lists"],
    );
}

#[test]
fn answers_and_refusals_are_told_apart_by_the_success_of_the_session() {
    let in_the_body = "success = { status = [201], absent = [\"/error\"], equals.\"/state\" = \"new\" }";
    let broken = GOOD.replace("success = [201]", in_the_body).replace("refuse.400", "refuse.201");
    assert_eq!(
        said(&broken),
        ["x:33:10: this answer is not the success that `call.session.success` describes: its `/state` is not \"new\""]
    );
    let good = broken.replace("answer = '''{", "answer = '''{\"state\":\"new\",\"error\":[],");
    assert_eq!(said(&good), Vec::<String>::new());
    check(
        "refuse.400",
        "refuse.201",
        &["x:34:14: this refusal has a success status, and `call.session.success` would take it for a success"],
    );
    check(
        "refuse.400",
        "refuse.credentials",
        &["x:34:22: this refusal has a success status, and `call.session.success` would take it for a success"],
    );
    check(
        "body.set.",
        "body.encoding = \"form\"\nbody.set.\"/a/b\" = 1\nbody.set.",
        &["x:22:1: the encoding `form` has plain names and values only: `form-brackets` has lists and objects"],
    );
}

#[test]
fn a_carriage_return_in_a_string_is_refused_and_line_ends_may_have_one() {
    check(
        "{\"amount\":1,\n",
        "{\"amount\":1,\r\n",
        &["x:31:13: a carriage return in a string would reach the payment service: save the file with plain line feeds"],
    );
    check("id = \"psp\"\n", "id = \"psp\"\r\n", &[]);
}

#[test]
fn broken_toml_is_said_where_it_breaks() {
    check("id = \"psp\"", "id = psp", &["x:2:6: string values must be quoted, expected literal string"]);
    check("[auth]", "[auth", &["x:16:6: unclosed table, expected `]`"]);
    check("name = \"PSP\"", "name = \"PSP\"\nname = \"PSP\"", &["x:4:1: duplicate key"]);
}

#[test]
fn bombs_end_with_few_words() {
    let long = "x".repeat(10 << 20);
    let keys = |count: usize, line: &str| (0..count).map(|n| line.replace('#', &n.to_string())).collect::<String>();
    let bombs = [
        format!("name = \"{long}\""),
        format!("a = {}", "[".repeat(30_000)),
        format!("a = {}{}", "[".repeat(15_000), "]".repeat(15_000)),
        format!("a = {}", "{a=".repeat(10_000)),
        format!("a = [{}]", "{a=1},".repeat(5_000)),
        format!("{} = 1", "a.".repeat(15_000)),
        keys(3_000, "k# = 1\n"),
        format!("[fields]\n{}", keys(500, "k# = { label = \"k\", pattern = \"(a{99}){99}\" }\n")),
        format!("{GOOD}\n[simulator.x]\n{}", keys(2_000, "succes# = 1\n")),
        GOOD.replace("{{ sim.uuid }}", &"{{ sim.uuid }}".repeat(2_000)),
        GOOD.replace("{{ sim.uuid }}", &"{{".repeat(14_000)),
        GOOD.replace("\"list\":[1]", &format!("\"list\":{}{}", "[".repeat(14_000), "]".repeat(14_000))),
        GOOD.replace("\"list\":[1]", &format!("\"list\":{}{}", "[".repeat(100), "]".repeat(100))),
        "\u{feff}".repeat(10_000),
    ];
    assert!(bombs.iter().skip(1).all(|bomb| bomb.len() <= FILE_BYTES_MAX), "the others get past the first check");
    for bomb in &bombs {
        // What they cost is measured in `crates/simulators/tests/bombs.rs`.
        let said = said(bomb);
        assert!(said.len() <= 101, "{}", said.len());
        let worked = bomb.starts_with(GOOD.get(..20).unwrap()) && bomb.matches("sim.uuid").count() == 2_000;
        assert_eq!(said.is_empty(), worked, "{:.60}", bomb);
    }
}

#[test]
fn the_schema_for_editors_agrees() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../schema/definition.schema.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let json = |text: &str| toml::from_str::<serde_json::Value>(text).unwrap();
    for (name, text) in shipped().into_iter().chain([("good".to_owned(), GOOD.to_owned())]) {
        let errors: Vec<String> = validator.iter_errors(&json(&text)).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
        // A key that nobody knows is refused in every table with closed keys, by the schema as by the reader.
        for (index, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.starts_with('[') && !line.starts_with("[methods]") && !line.starts_with("[fields]"))
        {
            let mut lines: Vec<&str> = text.lines().collect();
            lines.insert(index + 1, "unheard_of = 1");
            let broken = lines.join("\n");
            let open = line.contains(".codes]");
            assert!(open || !validator.is_valid(&json(&broken)), "{name}: {line}");
            assert!(!said(&broken).is_empty(), "{name}: {line}");
        }
        assert!(!validator.is_valid(&json(&format!("unheard_of = 1\n{text}"))), "{name}");
    }
}

#[test]
fn the_page_about_the_format_names_every_key() {
    fn names(schema: &serde_json::Value, found: &mut Vec<String>) {
        let children = schema.as_object().into_iter().flatten().map(|(_, child)| child).chain(schema.as_array().into_iter().flatten());
        found.extend(schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
        children.for_each(|child| names(child, found));
    }
    let page = include_str!("../../../../docs/definition-format.md");
    for block in page.split("```toml\n").skip(1) {
        let block = block.split("```").next().unwrap();
        assert!(toml::from_str::<toml::Table>(block).is_ok(), "{block}");
    }
    let mut keys = Vec::new();
    names(&serde_json::from_str(include_str!("../../schema/definition.schema.json")).unwrap(), &mut keys);
    assert!(keys.len() > 60);
    keys.retain(|key| !page.contains(key.as_str()));
    assert_eq!(keys, Vec::<String>::new());
}
