//! What the caller gets of an answer, and the simulated answers that prove it.

use super::{GOOD, check, said};
use crate::format::parse;
use crate::model::{AnswerShape, Place};

#[test]
fn places_and_shapes_of_answers_are_read() {
    let key = |text: &str| format!("error_code = \"{text}\"");
    check(
        &key("answer /error"),
        "error_code = [\"answer key /errors\", \"answer header x-code\", \"answer /0/code\", \"answer /a b\"]",
        &[],
    );
    let pointer = |text: &str| domain::json::Pointer::parse(text).unwrap();
    let code = parse(&GOOD.replace("answer /error\"", "answer key /errors\""), "x").unwrap().session.unwrap().error_code;
    assert_eq!(code, [Place::AnswerKey(pointer("/errors"))]);
    check(
        &key("answer /error"),
        &key("answer key errors"),
        &[
            "x:21:26: `errors` is no JSON pointer to a member; it must look like `/amount/value`, with `~1` for `/` and `~0` for `~` in names",
        ],
    );
    check(&key("answer /error"), &key("answer header x:y"), &["x:21:29: `x:y` is no name of a header"]);
    let picking = GOOD.replace("error_code =", "answer.pick = \"/amount\"\nerror_code =").replace("{{ request /amount }}", "{}");
    assert_eq!(parse(GOOD, "x").unwrap().session.unwrap().answer, AnswerShape::Whole);
    assert_eq!(parse(&picking, "x").unwrap().session.unwrap().answer, AnswerShape::Pick(pointer("/amount")));
}

#[test]
fn a_shape_of_an_answer_is_one_and_whole() {
    let wrong = |to: &str, expected: &[&str]| check("error_code =", &format!("{to}\nerror_code ="), expected);
    let one = "`call.session.answer` has exactly one of pick, text_as, build";
    wrong("answer = {}", &[&format!("x:21:1: {one}")]);
    wrong("answer = { pick = \"/a\", text_as = \"b\", content = \"a/b\" }", &[&format!("x:21:1: {one}")]);
    wrong("answer = { text_as = \"b\" }", &["x:21:1: `call.session.answer` has no `content`"]);
    wrong(
        "answer = { pick = \"/a\", content = \"a/b\" }",
        &[
            "x:21:25: `content` is the media type of a text and belongs to `text_as`",
            "x:34:10: this answer has no object at `/a`, which `call.session.answer` picks",
        ],
    );
    for media in ["jwt", "text/plain; charset=utf-8", "a/b/c", "/a", "a/"] {
        let said = format!("x:21:37: `{media}` is no media type without parameters, such as application/jwt");
        wrong(&format!("answer = {{ text_as = \"b\", content = \"{media}\" }}"), &[&said]);
    }
    wrong("answer = { build = {} }", &["x:21:12: `call.session.answer.build` must have 1 to 20 members"]);
    wrong(
        "answer = { build = { id = \"request /id\" } }",
        &["x:21:27: `request /id` is no place; allowed: `answer /pointer`, `answer key /pointer`, `answer header name`"],
    );
    wrong(
        "answer = { peck = \"/a\" }",
        &[
            &format!("x:21:1: {one}"),
            "x:21:12: `peck` is no key of `call.session.answer`; allowed: pick, text_as, content, build; did you mean `pick`?",
        ],
    );
    let made = |key: &str| format!("answer.build = {{ id = \"answer /id\", name = \"answer /n\" }}\n{key}");
    let outside = |pointer: &str| format!("`{pointer}` is not in the object that `answer` makes; its members are id, name");
    wrong(&made("private = \"/token\""), &[&format!("x:22:11: {}", outside("/token"))]);
    wrong(&made("withhold = [\"/name/x\", \"/nam\"]"), &[&format!("x:22:24: {}; did you mean `name`?", outside("/nam"))]);
    let built = "[call.session.answer.build]\nid = \"answer /id\"\nname = \"answer /n\"\n[call.session.record]\n";
    check(
        "[call.session.record]",
        &format!("{built}service_id = [\"answer /id\", \"answer /data/id\", \"answer header x\"]"),
        &[&format!("x:27:29: {}", outside("/data/id"))],
    );
}

#[test]
fn the_schema_and_the_reader_agree_on_shapes_and_places() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../../schema/definition.schema.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for (line, good) in [
        ("answer = { pick = \"/amount\" }", true),
        ("answer = { pick = \"a\" }", false),
        ("answer = { text_as = \"jwt\", content = \"application/jwt\" }", true),
        ("answer = { text_as = \"jwt\", content = \"text/plain; charset=utf-8\" }", false),
        ("answer = { text_as = \"jwt\" }", false),
        ("answer = { build = { id = \"answer header location\", n = [\"answer key /a\", \"answer /b\"] } }", true),
        ("answer = { build = { id = \"request /id\" } }", false),
        ("answer = { build = {} }", false),
        ("answer = { pick = \"/a\", build = { id = \"answer /id\" } }", false),
        ("answer = {}", false),
        ("record.reference = \"answer key /a\"", true),
        ("record.reference = \"answer keys /a\"", false),
    ] {
        let text = GOOD
            .replace("error_code =", &format!("{line}\nerror_code ="))
            .replace("[call.session.record]\namount = \"request /amount\"\n", "");
        let value: serde_json::Value = toml::from_str(&text).unwrap();
        assert_eq!(validator.is_valid(&value), good, "{line}");
        // That the simulated answer does not fit is another mistake.
        let said: Vec<String> = said(&text)
            .into_iter()
            .filter(|said| !said.starts_with("x:35:10: ") && !said.starts_with("x:34:10: ") && !said.starts_with("x:32:10: "))
            .collect();
        assert_eq!(said.is_empty(), good, "{line}: {said:?}");
    }
}

#[test]
fn a_simulated_answer_fits_what_the_call_makes_of_it() {
    let proved = |shape: &str, answer: &str, more: &str| -> Vec<String> {
        let text = GOOD.replace("error_code =", &format!("answer = {shape}\nerror_code ="));
        let start = text.find("answer = '''").unwrap();
        let end = start + text[start..].find('\n').unwrap();
        let text = format!("{}answer = '''{answer}'''\n{more}{}", &text[..start], &text[end..]);
        said(&text).into_iter().map(|said| said.trim_start_matches("x:34:10: ").to_owned()).collect()
    };
    let none: [&str; 0] = [];
    let pick = |answer| proved("{ pick = \"/data/token\" }", answer, "");
    assert_eq!(pick(r#"{"data":{"token":{"a":1}}}"#), none);
    for answer in [r#"{"data":{"token":"a"}}"#, "{}"] {
        assert_eq!(pick(answer), ["this answer has no object at `/data/token`, which `call.session.answer` picks"]);
    }
    assert_eq!(pick("").len(), 1);
    let text = |answer| proved("{ text_as = \"jwt\", content = \"application/jwt\" }", answer, "");
    assert_eq!(text("{{ sim.uuid }}"), none);
    for answer in ["", "a\nb"] {
        assert_eq!(text(answer), ["`call.session.answer` takes a text in one line, and this is none"]);
    }
    let build = |answer, headers| {
        proved("{ build = { id = \"answer header location\", name = [\"answer /n\", \"answer key /k\"] } }", answer, headers)
    };
    assert_eq!(build("", "answer_headers.Location = \"{{ sim.page }}\"\n"), none);
    assert_eq!(build(r#"{"n":1}"#, ""), none);
    assert_eq!(build(r#"{"k":{"a":1}}"#, ""), none);
    for answer in ["", "{}", r#"{"n":null,"k":{}}"#] {
        assert_eq!(build(answer, ""), ["neither this answer nor `answer_headers` has anything that `call.session.answer` builds of"]);
    }
    assert_eq!(build("<a>", ""), ["x:34:13: `simulator.answer` is not valid JSON: expected value"]);
    assert_eq!(
        build("", "answer_headers.Content-Type = \"a/b\"\nanswer_headers.Location = \"x\"\n"),
        ["x:35:1: the media type of a simulated answer is application/json, or what `call.session.answer.content` says"]
    );
}

#[test]
fn a_list_of_errors_is_a_refusal_and_must_be_json() {
    check("{\"error\":\"{{ sim.missing }}\"}", "[{\"errorCode\":\"{{ sim.missing }}\"}]", &[]);
    check(
        "{\"error\":\"{{ sim.missing }}\"}",
        "[{\"a\":1,\"a\":2}]",
        &["x:34:25: the member `a` is there twice: payment services differ on which one wins"],
    );
    check("{\"error\":\"{{ sim.missing }}\"}", "[1,]", &["x:34:20: `simulator.refuse.400` is not valid JSON: trailing comma"]);
}
