//! `[call.second]` and `[simulator.second]`.

use super::{GOOD, check_changed, said};
use crate::format::parse;
use crate::model::{Name, Part};

/// The good file with a second step.
fn good() -> String {
    let call = r##"[call.second]
request = "POST /sessions/{{ first /id }}/flows"
success = [201]
headers.X-Amount = "{{ first /amount }}"
body.remove = ["/amount"]
body.set."/links/session" = "{{ first /id }}"
body.refuse."/card" = "no card"
record.service_id = "answer /flow/id"
record.reference = "request /list/0"
private = "/flow/token"
[call.verify]"##;
    let simulator = r#"answer_headers.X-Id = "{{ sim.hex8 }}"
second.requires = ["/links/session", "/list"]
second.answer = '''{"flow":{"id":"{{ sim.text20 }}","session":{{ request /links/session }},"token":"{{ sim.jwt }}"}}'''
refuse.400 ="#;
    GOOD.replace("[call.verify]", call).replace("refuse.400 =", simulator)
}

#[track_caller]
fn check(from: &str, to: &str, expected: &[&str]) {
    check_changed(&good(), &[(from, to)], expected);
}

#[test]
fn a_second_step_takes_from_the_first_answer() {
    let provider = parse(&good(), "x").unwrap();
    let second = provider.second.as_ref().unwrap();
    let firsts: Vec<String> = second.firsts().map(ToString::to_string).collect();
    assert_eq!(firsts, ["/amount", "/id", "/id"]);
    assert!(matches!(second.request.all()[0].path.0[1], Part::Name(Name::First(_))));
    let step = provider.simulator.unwrap().second.unwrap();
    assert_eq!(step.requires.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/links/session", "/list"]);
    assert!(provider.session.unwrap().firsts().next().is_none());
}

#[test]
fn the_first_answer_is_known_in_the_second_step_only() {
    let names =
        "field.key, field.shop, field.region, field.mode, field.timeout_ms, method.code, attempt.id, attempt.hex32, attempt.upper32";
    let open = names.replace("field.key, ", "");
    check(
        "\"POST /sessions\"",
        "\"POST /sessions/{{ first /id }}\"",
        &[&format!("x:19:30: `first /id` is no name that can be filled in here; allowed: {open}")],
    );
    check(
        "bearer = \"{{ field.key }}\"",
        "bearer = \"{{ first /id }}\"",
        &[&format!("x:17:14: `first /id` is no name that can be filled in here; allowed: {names}")],
    );
    check(
        "\"{{ first /amount }}\"",
        "\"{{ frist /amount }}\"",
        &[&format!("x:28:24: `frist /amount` is no name that can be filled in here; allowed: {open}, first /pointer")],
    );
    check(
        "\"{{ first /amount }}\"",
        "\"{{ first amount }}\"",
        &[
            "x:28:24: `amount` is no JSON pointer to a member; it must look like `/amount/value`, with `~1` for `/` and `~0` for `~` in names",
        ],
    );
}

#[test]
fn two_steps_fit_together() {
    let without = |from: &str, to: &str| {
        let (start, end) = (good().find(from).unwrap(), good().find(to).unwrap());
        format!("{}{}", &good()[..start], &good()[end..])
    };
    assert_eq!(
        said(&without("[call.second]", "[call.verify]")),
        ["x:35:1: there is no `[call.second]`, so there is no second step to play: leave `[simulator.second]` out"]
    );
    assert_eq!(
        said(&without("second.requires", "refuse.400")),
        ["x:38:2: there is no `[simulator.second]`: say how `call.second` is played"]
    );
    check(
        "second.answer = ",
        "second.answered = ",
        &[
            "x:45:1: `simulator.second` has no `answer`",
            "x:46:8: `answered` is no key of `simulator.second`; allowed: requires, answer; did you mean `answer`?",
        ],
    );
    check(
        "POST /sessions/{{ first /id }}/flows",
        "POST /sessions",
        &["x:25:7: `call.second` has a request line of `call.session`: nobody could tell which of them is meant"],
    );
    check(
        "POST /sessions/{{ first /id }}/flows",
        "GET /sessions/{{ first /id }}/flows",
        &["x:25:7: a session carries the caller's body: its request can not be a GET"],
    );
    check(
        "error_code =",
        "answer.pick = \"/amount\"\nerror_code =",
        &[
            "x:18:7: the caller gets the answer of `call.second`: `answer.pick` belongs there",
            "x:44:10: this answer has no object at `/amount`, which `call.session.answer` picks",
        ],
    );
    check(
        "{ first /amount }",
        "{ first /amount/value }",
        &["x:43:10: this answer has no text and no number at `/amount/value`, which `call.second` takes from it"],
    );
}

#[test]
fn the_second_step_is_proved_like_the_first() {
    check("\"/links/session\", \"/list\"", "\"/links/session\", \"/amount\"", &["x:45:38: the example of `card` has no `/amount`"]);
    check("{\"amount\":1,\n", "{\"amount\":1,\"card\":1,\n", &["x:40:11: the example has `/card`, which `body.refuse` refuses: no card"]);
    check(
        "request /list/0",
        "request /amount/0",
        &["x:33:20: `/amount/0` can not be in the example: one of its parents there is no object"],
    );
    check("\"{{ sim.jwt }}\"", "\"{{ sim.jwt }}", &["x:46:115: `simulator.second.answer` is not valid JSON: EOF while parsing a string"]);
    check(
        "success = [201]\nheaders",
        "success = { status = [201], absent = [\"/flow\"] }\nheaders",
        &["x:46:17: this answer is not the success that `call.second.success` describes: it has `/flow`"],
    );
    check(
        "private = \"/flow/token\"",
        "answer.pick = \"/flow/session\"",
        &["x:46:17: this answer has no object at `/flow/session`, which `call.second.answer` picks"],
    );
    check("private = \"/flow/token\"", "answer.pick = \"/flow\"", &[]);
}
