//! `[sign]`: what lines may be made of, what they are, and who may name them.

use super::{GOOD, parse, said};
use crate::model::{Name, Sign, SignFunction, SignLine, SignPart, SignValue};

/// The good file with these lines in `[sign]`; `use_of` stands in `auth`, `set` in the body.
fn file(lines: &str, headers: &str, set: &str) -> String {
    let auth = format!("[sign]\n{lines}\n[auth]\nheaders = {{ {headers} }}");
    let text = GOOD.replace("[auth]\nbearer = \"{{ field.key }}\"", &auth);
    assert_ne!(text, GOOD);
    text.replace("body.set.\"/shop\" = \"{{ field.shop }}\"", set)
}

/// What is said of lines, the last of which is called `last` and used in a header.
#[track_caller]
fn check(lines: &str, expected: &[&str]) {
    assert_eq!(said(&file(lines, "X = \"{{ sign.last }}\"", "")), expected, "{lines}");
}

fn lines(sign: Option<Sign>) -> Vec<SignLine> {
    match sign {
        Some(Sign::Lines(lines)) => lines,
        other => panic!("no lines: {other:?}"),
    }
}

#[test]
fn lines_are_read_in_order_with_names_and_functions() {
    let text = file(
        "key = '{{field.key|from_base64}}'\ndate = \"{{ now | http_date }}\"\ntext = \"\"\"\nhost: {{ sent.host }}\n{{ sent /a/b }}\"\"\"\nlast = \"v={{ sign.text | hmac_sha256( sign.key ) | hex }};{{ sign.date }}\"\nlate = \"{{ sent.body | sha256 | base64 }}\"\nlater = \"{{ sign.late }}\"",
        "X = \"{{ sign.last }}\", Y = \"{{ sign.later }}\"",
        "",
    );
    assert_eq!(said(&text), Vec::<String>::new());
    let lines = lines(parse(&text, "x").unwrap().sign);
    let names: Vec<(&str, bool)> = lines.iter().map(|line| (line.name.as_str(), line.needs_sent)).collect();
    assert_eq!(names, [("key", false), ("date", false), ("text", false), ("last", false), ("late", true), ("later", true)]);
    let name = |line: &str| SignValue::Name(Name::Sign(line.into()));
    assert_eq!(lines[0].parts, [SignPart::Value(SignValue::Name(Name::Field("key".into())), vec![SignFunction::FromBase64])]);
    assert_eq!(
        lines[2].parts,
        [
            SignPart::Text("host: ".into()),
            SignPart::Value(SignValue::SentHost, vec![]),
            SignPart::Text("\n".into()),
            SignPart::Value(SignValue::SentMember(crate::fixtures::pointer("/a/b")), vec![]),
        ]
    );
    assert_eq!(
        lines[3].parts,
        [
            SignPart::Text("v=".into()),
            SignPart::Value(name("text"), vec![SignFunction::HmacSha256("key".into()), SignFunction::Hex]),
            SignPart::Text(";".into()),
            SignPart::Value(name("date"), vec![]),
        ]
    );
}

#[test]
fn what_may_be_named_in_a_line_is_closed() {
    check("last = \"{{ method.code }} {{ attempt.id }} {{ attempt.upper32 }} {{ field.shop }} {{ sent.path }} {{ sent.body }}\"", &[]);
    let allowed = "allowed: field.key, field.shop, field.region, field.mode, field.timeout_ms, method.code, attempt.id, attempt.hex32, attempt.upper32, now, sent.body, sent.host, sent.path, sent /pointer, sign.x";
    check(
        "last = \"a {{ sent.bdy }}\"",
        &[&format!("x:17:14: `sent.bdy` is no name that can be filled in here; {allowed}; did you mean `sent.body`?")],
    );
    check("last = \"{{ request /a }}\"", &[&format!("x:17:12: `request /a` is no name that can be filled in here; {allowed}")]);
    check("last = \"{{ sim.uuid }}\"", &[&format!("x:17:12: `sim.uuid` is no name that can be filled in here; {allowed}")]);
    check("last = \"{{ token }}\"", &["x:17:12: `token` is what `[call.token]` answers, and this file has no such call"]);
    check(
        "last = \"{{ field.kye }}\"",
        &["x:17:12: `kye` is no field of this file; its fields are key, shop, region, mode, timeout_ms; did you mean `key`?"],
    );
    check(
        "last = \"{{ sent  amount }}\"",
        &[
            "x:17:18: `amount` is no JSON pointer to a member; it must look like `/amount/value`, with `~1` for `/` and `~0` for `~` in names",
        ],
    );
    check("last = \"{{ now | hex\"", &["x:17:9: `{{` has no `}}` behind it"]);
    check("last = 1", &["x:17:8: `sign.last` must be a string, not a whole number"]);
    check(
        "Last = \"a\"\nlast = \"{{ sign.Last }}\"",
        &["x:17:1: `Last` is no name of a line: 1 to 50 lower-case letters, digits and underscores"],
    );
}

#[test]
fn functions_are_closed_and_fit_what_they_are_given() {
    let functions = "allowed: sha256, hmac_sha256(sign.key), base64, from_base64, hex, http_date, iso8601, compact";
    check(
        "last = \"{{ sent.body | sha265 | hex }}\"",
        &[&format!("x:17:24: `sha265` is no function; {functions}; did you mean `sha256`?")],
    );
    check("last = \"{{ sent.body | md5 | hex }}\"", &[&format!("x:17:24: `md5` is no function; {functions}")]);
    check("last = \"{{ sent.body | }}\"", &[&format!("x:17:23: `` is no function; {functions}")]);
    check("last = \"{{ sent.body | sha256() | hex }}\"", &["x:17:24: `sha256` takes nothing in parentheses"]);
    let key = "`hmac_sha256` takes its key from an earlier line: `hmac_sha256(sign.key)`";
    check("last = \"{{ sent.body | hmac_sha256 | hex }}\"", &[&format!("x:17:24: {key}")]);
    check("last = \"{{ sent.body | hmac_sha256(field.key) | hex }}\"", &[&format!("x:17:24: {key}")]);
    check("last = \"{{ sent.body | hmac_sha256(sign.a | hex }}\"", &[&format!("x:17:24: {key}")]);
    check(
        "keys = \"{{ field.key }}\"\nlast = \"{{ sign.keys }}{{ sent.body | hmac_sha256(sign.key) | hex }}\"",
        &["x:18:51: `sign.key` is no line of `sign` that can be named here; lines: keys; did you mean `keys`?"],
    );
    check("last = \"{{ now }}\"", &["x:17:12: `now` needs one of `http_date`, `iso8601`, `compact`"]);
    check("last = \"{{ now | sha256 | hex }}\"", &["x:17:18: `now` needs one of `http_date`, `iso8601`, `compact` first"]);
    check("last = \"{{ now | compact | http_date }}\"", &["x:17:28: `http_date` makes text of `now`, and stands right behind it"]);
    check("last = \"{{ sent.host | iso8601 }}\"", &["x:17:24: `iso8601` makes text of `now`, and stands right behind it"]);
    check("last = \"{{ now | compact | sha256 | sha256 | base64 | from_base64 | hex }}\"", &[]);
    check("last = \"{{ sent.host | sha256 | from_base64 | hex }}\"", &["x:17:33: `from_base64` reads text, and this is bytes"]);
}

#[test]
fn bytes_are_no_text() {
    let more = "bytes are no text: a line that has more in it needs `base64` or `hex` behind them";
    check("last = \"v={{ sent.body | sha256 }}\"", &[&format!("x:17:14: {more}")]);
    check("key = \"{{ field.key | from_base64 }}\"\nlast = \"{{ sign.key }}{{ sent.host }}\"", &[&format!("x:18:12: {more}")]);
    let file = |headers: &str, set: &str| said(&file("key = \"{{ field.key | from_base64 }}\"", headers, set));
    let text = "is bytes, not text: end its line with `base64` or `hex`";
    assert_eq!(file("X = \"{{ sign.key }}\"", ""), [format!("x:19:21: `sign.key` {text}")]);
    assert_eq!(file("", "headers.X = \"{{ sign.key }}\""), [format!("x:24:17: `sign.key` {text}")]);
    assert_eq!(file("", "body.set.\"/a\" = [{ b = \"{{ sign.key }}\" }]"), [format!("x:24:28: `sign.key` {text}")]);
}

#[test]
fn lines_name_earlier_lines_and_all_are_used() {
    let later = "is this line or a later one: a line names earlier lines only";
    check("last = \"{{ sign.b }}\"\nb = \"x\"", &[&format!("x:17:12: `sign.b` {later}")]);
    check("last = \"{{ sign.last }}\"", &[&format!("x:17:12: `sign.last` {later}")]);
    check(
        "date = \"{{ now | compact }}\"\nlast = \"{{ sign.dat }}\"",
        &[
            "x:17:1: nothing uses `sign.date`: leave the line out",
            "x:18:12: `sign.dat` is no line of `sign` that can be named here; lines: date; did you mean `date`?",
        ],
    );
    check("last = \"{{ sign.a }}\"", &["x:17:12: `sign.a` is no line of `sign` that can be named here; there is none yet"]);
    assert_eq!(
        said(&file("date = \"x\"", "X = \"{{ sign.dat }}\", Y = \"{{ sign.date }}\"", "")),
        ["x:19:21: `sign.dat` is no line of `sign` that can be named here; lines: date; did you mean `date`?"]
    );
    assert_eq!(
        said(&GOOD.replace("{{ field.key }}", "{{ sign.x }}")),
        ["x:17:14: `sign.x` is a line of `[sign]`, and there is no such table"]
    );
}

#[test]
fn lines_stand_in_headers_and_members_only() {
    let file = |set: &str| said(&file("last = \"x\"", "X = \"{{ sign.last }}\"", set));
    let refused = |at: &str| {
        format!(
            "{at}: `sign.last` is no name that can be filled in here; allowed: field.shop, field.region, field.mode, field.timeout_ms, method.code, attempt.id, attempt.hex32, attempt.upper32"
        )
    };
    assert_eq!(file("headers.Y = \"{{ sign.last }}\"\nbody.set.\"/b\" = \"{{ sign.last }}\""), Vec::<String>::new());
    assert_eq!(file("body.default.\"/b\" = \"{{ sign.last }}\""), [refused("x:24:25")]);
    let path = super::super::parse(&GOOD.replace("GET /me", "GET /{{ sign.last }}"), "x").unwrap_err();
    assert!(path[0].message.starts_with("`sign.last` is no name that can be filled in here"), "{path:?}");
    assert_eq!(
        file("body.set.\"/b\" = \"{{ sign.last | hex }}\""),
        ["x:24:21: functions (`|`) are for lines of `[sign]`: elsewhere only names can be filled in"]
    );
}

#[test]
fn a_line_in_the_body_can_not_need_the_body() {
    let file = |lines: &str, set: &str| said(&file(lines, "X = \"{{ sign.last }}\"", set));
    let set = "body.set.\"/sum\" = \"{{ sign.last }}\"";
    let refused = "x:25:23: `sign.last` names `sent.body`, itself or by an earlier line, so it can not go into the body";
    assert_eq!(file("a = \"{{ sent.body | sha256 }}\"\nlast = \"{{ sign.a | hex }}\"", set), [refused]);
    assert_eq!(file("a = \"{{ sent.body }}\"\nlast = \"{{ sent.host | hmac_sha256(sign.a) | hex }}\"", set), [refused]);
    assert_eq!(
        file("a = \"{{ sent /amount }}{{ sent.host }}{{ sent.path }}\"\nlast = \"{{ sign.a | sha256 | hex }}\"", set),
        Vec::<String>::new()
    );
    // What is made of a line is not there yet when lines are made.
    let made = |at: &str| format!("{at}: `/sum` is made of a line of `[sign]` itself: name that line instead");
    assert_eq!(file("a = \"{{ sent /sum }}\"\nlast = \"{{ sign.a }}\"", set), [made("x:17:9")]);
    assert_eq!(file("a = \"{{ now | compact }} {{ sent /sum/a }}\"\nlast = \"{{ sign.a }}\"", set), [made("x:17:29")]);
    assert_eq!(file("a = \"{{ sent /summe }}\"\nlast = \"{{ sign.a }}\"", set), Vec::<String>::new());
}

#[test]
fn a_call_with_a_recipe_of_its_own_has_all_that_auth_names() {
    let own = |lines: &str| {
        let text = file("date = \"{{ now | compact }}\"\nlast = \"{{ sign.date }}\"", "X = \"{{ sign.last }}\"", "");
        said(&text.replace("[call.verify]\n", &format!("[call.verify.sign]\n{lines}\n[call.verify]\n")))
    };
    assert_eq!(own("last = \"{{ now | iso8601 }}\""), Vec::<String>::new());
    assert_eq!(
        own("date = \"{{ now | iso8601 }}\""),
        ["x:28:14: `call.verify.sign` has no line `last`, which `auth` names", "x:29:1: nothing uses `sign.date`: leave the line out"]
    );
    assert_eq!(
        own("last = \"{{ sent.body | sha256 }}\""),
        ["x:20:21: `sign.last` is bytes, not text: end its line with `base64` or `hex`"]
    );
}

#[test]
fn what_is_signed_is_not_repeated() {
    let refused = "x:24:1: a call that is signed is never sent twice once it was seen, so it can not have `idempotency`";
    let idempotency = "idempotency = { header = \"Key\", hours = 24 }";
    assert_eq!(said(&file("last = \"x\"", "X = \"{{ sign.last }}\"", idempotency)), [refused]);
    let unsigned = "auth.bearer = \"{{ field.key }}\"\nidempotency = { header = \"Key\", hours = 24 }";
    assert_eq!(said(&file("last = \"x\"", "X = \"{{ sign.last }}\"", unsigned)), Vec::<String>::new());
}

#[test]
fn the_token_call_is_not_signed_with_the_token() {
    let token = "[call.token]\nrequest = \"POST /token\"\ntoken = \"answer /t\"\n[call.verify]\n";
    let with = |line: &str, auth: &str| {
        let text = file(&format!("last = \"{line}\""), "X = \"{{ sign.last }}\"", "");
        said(&text.replace("[call.verify]\n", &token.replace("token = ", &format!("{auth}token = "))))
    };
    assert_eq!(with("{{ token }}", ""), ["x:27:7: the token call is signed with a line that names the token it fetches"]);
    assert_eq!(with("{{ token }}", "auth.headers.X = \"{{ field.key }}\"\n"), Vec::<String>::new());
    assert_eq!(with("x", ""), Vec::<String>::new());
    assert_eq!(
        with("x", "sign.last = \"{{ token }}\"\n")[0].split(';').next(),
        Some("x:29:17: `token` is no name that can be filled in here")
    );
}

#[test]
fn the_schema_for_editors_knows_lines() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../../schema/definition.schema.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let check = |lines: &str, expected: bool| {
        let text = file(lines, "X = \"{{ sign.last }}\"", "");
        assert_eq!(validator.is_valid(&toml::from_str(&text).unwrap()), expected, "{lines}");
        assert_eq!(said(&text).is_empty(), expected, "{lines}");
    };
    check("last = \"x\"", true);
    check("last = 1", false);
    check("last = \"{{ sign.L }}\"\nL = \"x\"", false);
}

#[test]
fn many_functions_are_read_quickly() {
    let begun = std::time::Instant::now();
    let chain = "{{ sent.body".to_owned() + &" | hex".repeat(4_000) + " }}";
    assert_eq!(said(&file(&format!("last = \"{chain}\""), "X = \"{{ sign.last }}\"", "")), Vec::<String>::new());
    let nested: String = (1..30).map(|n| format!("l{n} = \"{}\"\n", format!("{{{{ sign.l{} }}}}", n - 1).repeat(40))).collect();
    let bomb = format!("l0 = \"{{{{ sent.body }}}}\"\n{}", nested.replace("l29", "last"));
    assert!(bomb.len() < 30_000);
    assert_eq!(said(&file(&bomb, "X = \"{{ sign.last }}\"", "")), Vec::<String>::new());
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
}
