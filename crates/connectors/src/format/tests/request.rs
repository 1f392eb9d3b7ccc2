//! What a file says about requests: names of the attempt, `auth` with `by`, hosts of calls, idempotency.

use super::{GOOD, check, parse, said};
use crate::model::{AttemptForm, Choice, IdempotencyPlace, Name, Selector};

#[test]
fn the_attempt_has_a_name_in_calls_and_nowhere_else() {
    let line = parse(&GOOD.replace("POST /sessions", "PUT /sessions/{{ attempt.upper32 }}"), "x").unwrap().session.unwrap().request;
    assert!(line.all()[0].path.names().eq([&Name::Attempt(AttemptForm::Upper32)]));
    check(
        "body.set.\"/shop\" =",
        "headers.X-Id = \"{{ attempt.id }}\"\nbody.default.\"/id\" = \"{{ attempt.hex32 }}\"\nbody.set.\"/shop\" =",
        &[],
    );
    check(
        "POST /sessions",
        "PUT /sessions/{{ attempt.uper32 }}",
        &[
            "x:19:29: `attempt.uper32` is no name that can be filled in here; allowed: field.shop, field.region, field.mode, field.timeout_ms, method.code, attempt.id, attempt.hex32, attempt.upper32; did you mean `attempt.upper32`?",
        ],
    );
    check(
        "{{ field.shop }}.psp",
        "{{ attempt.id }}.psp",
        &["x:14:20: `attempt.id` is no name that can be filled in here; allowed: field.shop, field.region, field.mode, field.timeout_ms"],
    );
    check(
        "{{ sim.uuid }}",
        "{{ attempt.id }}",
        &[
            "x:33:23: `attempt.id` is no name that can be filled in here; allowed: request /pointer, sim.uuid, sim.textN, sim.upperN, sim.hexN, sim.page, sim.missing, sim.time, sim.jwt",
        ],
    );
}

#[test]
fn a_table_with_by_picks_who_asks() {
    let by = "by = \"region\"\neu = { bearer = \"{{ field.key }}\" }\nus = {}";
    let text = GOOD.replace("bearer = \"{{ field.key }}\"", by);
    let Choice::By { selector, cases, otherwise } = parse(&text, "x").unwrap().auth else { panic!("no table with by") };
    assert_eq!((selector, otherwise.is_none()), (Selector::Field("region".into()), true));
    assert!(cases["eu"].bearer.is_some() && cases["us"].bearer.is_none());
    check("bearer = \"{{ field.key }}\"", "by = \"method\"\nelse = {}", &[]);
    check("bearer = \"{{ field.key }}\"", "", &[]);
    check(
        "bearer = \"{{ field.key }}\"",
        "by = \"region\"\neu = { baerer = \"{{ field.key }}\" }\nuk = {}",
        &[
            "x:16:2: there is no line for us and no `else`",
            "x:18:8: `baerer` is no key of `auth.eu`; allowed: basic, bearer, headers; did you mean `bearer`?",
            "x:19:1: `uk` is no value of `region`; allowed: eu, us, else; did you mean `us`?",
        ],
    );
    check(
        "bearer = \"{{ field.key }}\"",
        "by = \"shop\"\nelse = {}",
        &["x:17:6: `shop` can not pick a line of `auth.by`; allowed: method, region, mode"],
    );
    let own = "request = \"GET /me\"\nauth = { by = \"region\", eu = {}, else = { headers = { X-Key = \"{{ field.key }}\" } } }";
    let verify = parse(&GOOD.replace("request = \"GET /me\"", own), "x").unwrap().verify.unwrap();
    let crate::model::Verify::Call(call) = verify else { panic!("no call") };
    assert_eq!(call.auth.unwrap().all().len(), 2);
}

#[test]
fn a_call_has_hosts_of_its_own_under_the_same_rules() {
    let own = |sandbox: &str| {
        format!("[call.verify.hosts]\nsandbox = \"{sandbox}\"\nlive = \"https://id.psp.example\"\n[call.verify]\nrequest = \"GET /me\"")
    };
    let with = |sandbox: &str| said(&GOOD.replace("[call.verify]\nrequest = \"GET /me\"", &own(sandbox)));
    assert_eq!(with("https://id.test.psp.example"), Vec::<String>::new());
    assert_eq!(with("http://id.test.psp.example"), ["x:26:11: `call.verify.hosts.sandbox`: it must begin with https://"]);
    assert_eq!(
        with("https://{{ field.shop }}.psp.example"),
        ["x:26:11: a host with `{{` needs `suffix`: the fixed end that no value can leave"]
    );
    assert_eq!(
        with("https://{{ field.key }}.psp.example"),
        [
            "x:26:23: `key` is secret and can not stand in `call.verify.hosts.sandbox`: secrets go to `auth`, to `sign`, to `tls`, to `call.token` and to `body.set`, which are never logged"
        ]
    );
}

#[test]
fn a_service_recognises_a_repeated_request_by_exactly_one_place() {
    let place = |written: &str| {
        let text = GOOD.replace("error_code =", &format!("idempotency = {{ {written}, hours = 24 }}\nerror_code ="));
        parse(&text, "x").map(|provider| provider.session.unwrap().idempotency.unwrap().at).map_err(|_| said(&text))
    };
    assert_eq!(place("header = \"Key\""), Ok(IdempotencyPlace::Header(http::HeaderName::from_static("key"))));
    assert_eq!(place("body = \"/order/key\""), Ok(IdempotencyPlace::Body(crate::fixtures::pointer("/order/key"))));
    let one = "x:21:1: `call.session.idempotency` says where the service looks for the id by exactly one of header, body, path";
    assert_eq!(place("header = \"Key\", body = \"/key\""), Err(vec![one.into()]));
    assert_eq!(
        said(&GOOD.replace("error_code =", "idempotency = { hours = 24 }\nerror_code =")),
        ["x:21:1: `call.session.idempotency` says where the service looks for the id by exactly one of header, body, path"]
    );
    assert_eq!(place("body = \"/shop\""), Err(vec!["x:21:24: `/shop` is in `body.default` or `body.set` too".into()]));
    assert_eq!(
        place("body = \"/list/0\""),
        Err(vec!["x:21:24: `/list/0` can not be added to the example: one of its parents there is no object".into()])
    );
    let nameless = "x:21:24: the path of the request names no `attempt.id`, `attempt.hex32` or `attempt.upper32`, so the service could not recognise it";
    assert_eq!(place("path = true"), Err(vec![nameless.into()]));
    let named = GOOD.replace("POST /sessions", "PUT /sessions/{{ attempt.hex32 }}");
    let with_path =
        |flag: &str| said(&named.replace("error_code =", &format!("idempotency = {{ path = {flag}, hours = 24 }}\nerror_code =")));
    assert_eq!(with_path("true"), Vec::<String>::new());
    assert_eq!(with_path("false"), ["x:21:24: `path` is `true` or not there"]);
    // The id that is added counts as a member of what is sent.
    let required = GOOD.replace("requires = [\"/amount\"]", "requires = [\"/key\"]");
    assert_eq!(said(&required.replace("error_code =", "idempotency = { body = \"/key\", hours = 1 }\nerror_code =")), Vec::<String>::new());
}

#[test]
fn the_schema_for_editors_knows_choices_of_auth_and_places_of_ids() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../../schema/definition.schema.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let check = |from: &str, to: &str, expected: bool| {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        assert_eq!(validator.is_valid(&toml::from_str(&text).unwrap()), expected, "{to}");
        assert_eq!(said(&text).is_empty(), expected, "{to}: {:?}", said(&text));
    };
    let auth = "bearer = \"{{ field.key }}\"";
    check(auth, "by = \"region\"\neu = { bearer = \"{{ field.key }}\" }\nus = {}", true);
    check(auth, "by = \"region\"\neu = { bearer = \"{{ field.key }}\", unheard_of = 1 }\nus = {}", false);
    check(auth, "by = \"region\"\neu = 1\nus = {}", false);
    check(auth, "", true);
    let hosts = "hosts = { sandbox = \"https://a.psp.example\", live = \"https://b.psp.example\" }";
    check("success = [200]", &format!("success = [200]\n{hosts}"), true);
    check("success = [200]", "success = [200]\nhosts = { sandbox = \"https://a.psp.example\" }", false);
    let idempotency = |written: &str| format!("idempotency = {{ {written} }}\nerror_code =");
    check("error_code =", &idempotency("header = \"Key\", hours = 1"), true);
    check("error_code =", &idempotency("body = \"/key\", hours = 1"), true);
    check("error_code =", &idempotency("body = \"/key\", header = \"Key\", hours = 1"), false);
    check("error_code =", &idempotency("hours = 1"), false);
    check("error_code =", &idempotency("path = false, hours = 1"), false);
}
