//! Tokens that must not pass, and the few that must.

use std::sync::Arc;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use p521::ecdsa::signature::Verifier as _;
use serde_json::{Value, json};
use testkit::forgery::{ORDER, der, plus_order, sloppy};

use super::*;
use crate::Clock;
use crate::limits::{Limits, Rates};
use crate::signing::{SigningKey, TokenClaims};
use crate::testing::instance::ORIGIN;
use crate::testing::{ManualClock, NOON, key_pair, root_keys, stored};

struct Bench {
    key: SigningKey,
    inactive: SigningKey,
    snapshot: Snapshot,
    verifier: Verifier,
    limits: Limits,
}

impl Bench {
    fn new() -> Self {
        let (key, inactive) = (SigningKey::generate(), SigningKey::generate());
        let mut asleep = key_pair(11, &inactive, &[1], &[]);
        asleep.active = false;
        let snapshot = Snapshot::build(stored(vec![key_pair(10, &key, &[1], &[]), asleep]), &root_keys(), None).unwrap();
        Self { key, inactive, snapshot, verifier: Verifier::new(None), limits: limits() }
    }

    fn verify(&self, token: &str) -> Result<Arc<VerifiedToken>, Rejection> {
        self.verifier.verify(token, &self.snapshot, NOON, &self.limits.source(ORIGIN)).map(|(token, _)| token)
    }

    fn header(&self) -> Value {
        json!({"alg": "ES512", "typ": "JWT", "kid": self.key.public().thumbprint()})
    }

    fn header_with(&self, name: &str, value: Value) -> String {
        with(self.header(), name, value)
    }

    /// Signed by the active key, whatever the texts are.
    fn signed(&self, header: &str, claims: &str) -> String {
        sign(&self.key, header, claims)
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        self.signed(&self.header().to_string(), &with(claims(), name, value))
    }

    fn without_claim(&self, name: &str) -> String {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        self.signed(&self.header().to_string(), &claims.to_string())
    }

    fn good(&self) -> String {
        self.signed(&self.header().to_string(), &claims().to_string())
    }

    /// The good token with another third part.
    fn with_signature(&self, signature: &str) -> String {
        let good = self.good();
        format!("{}.{signature}", good.rsplit_once('.').unwrap().0)
    }

    fn signature(&self) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(self.good().rsplit_once('.').unwrap().1).unwrap()
    }
}

/// Nothing is limited.
fn limits() -> Limits {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    Limits::new(Rates::UNLIMITED, &clock)
}

fn claims() -> Value {
    let now = NOON.seconds();
    json!({"iss": "test", "nbf": now, "iat": now, "exp": now + 30, "jti": "7c5a6f6e-9a6d-4c0e-8f7e-3f1a2b3c4d5e", "scopes": ["*.read", "*.write"]})
}

fn with(mut object: Value, name: &str, value: Value) -> String {
    object.as_object_mut().unwrap().insert(name.to_owned(), value);
    object.to_string()
}

fn sign(key: &SigningKey, header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).as_ref());
    format!("{signed}.{signature}")
}

fn hmac_signed(key: &[u8], header: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims().to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn unsigned(header: &str) -> String {
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims().to_string()))
}

/// One place between the tables and the verifier.
fn check(bench: &Bench, name: &str, token: &str, expected: Rejection) {
    assert_eq!(bench.verify(token).unwrap_err(), expected, "{name}");
    // A refused token is not remembered as a good one.
    assert_eq!(bench.verify(token).unwrap_err(), expected, "{name}, the second time");
}

#[test]
fn a_good_token_passes_and_says_what_it_says() {
    let bench = Bench::new();
    for token in [
        bench.good(),
        bench.signed(&json!({"alg": "ES512", "kid": bench.key.public().thumbprint()}).to_string(), &claims().to_string()),
        bench.signed(&bench.header_with("typ", json!("at+jwt")), &claims().to_string()),
        bench.signed(&bench.header_with("x", json!({"a": [1, {"b": 2}]})), &claims().to_string()),
        bench.signed(&bench.header_with("kid", json!(bench.key.public().thumbprint_unpadded())), &claims().to_string()),
        bench.with_claim("checkout_session_id", Value::Null),
        bench.with_claim("aud", json!(["anybody"])),
        bench.without_claim("iat"),
    ] {
        let verified = bench.verify(&token).unwrap();
        assert!(verified.scopes.covers("transactions.write") && !verified.scopes.covers("embed"));
        assert_eq!(verified.key_pair_id.0, crate::testing::id(10));
    }
    let issued = bench.key.token(&TokenClaims {
        scopes: vec!["embed".to_owned()],
        issuer: "tollhouse".to_owned(),
        now: NOON,
        lifetime_seconds: 60,
        id: crate::testing::id(1),
        checkout_session_id: Some(crate::testing::id(2)),
        embed: json!({"amount": "1299", "currency": "EUR", "merchant_account_id": "a", "metadata": {"K": "v"}}).as_object().cloned(),
    });
    let verified = bench.verify(&issued).unwrap();
    let embed = verified.embed.as_deref().unwrap();
    assert_eq!((embed.amount, embed.currency.as_deref()), (Some(1299), Some("EUR")));
    assert_eq!(embed.merchant_account_id.as_ref().unwrap().as_str(), "a");
    assert_eq!(verified.checkout_session_id, Some(crate::testing::id(2)));
}

#[test]
fn r34_other_algorithms_and_signatures_are_refused() {
    let bench = Bench::new();
    let public_pem = bench.key.public().to_pem();
    let public_der = STANDARD.decode(public_pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
    for alg in ["none", "None", "NONE", "", "HS256", "HS512", "RS256", "RS512", "PS512", "ES256", "ES384", "EdDSA", "es512", "ES512 "] {
        let header = bench.header_with("alg", json!(alg));
        check(&bench, alg, &bench.signed(&header, &claims().to_string()), Rejection::Algorithm);
        check(&bench, alg, &unsigned(&header), Rejection::Algorithm);
    }
    for (name, header) in [
        ("no alg", json!({"kid": bench.key.public().thumbprint()})),
        ("alg null", json!({"alg": null, "kid": bench.key.public().thumbprint()})),
        ("alg list", json!({"alg": ["ES512"], "kid": bench.key.public().thumbprint()})),
    ] {
        check(&bench, name, &bench.signed(&header.to_string(), &claims().to_string()), Rejection::Algorithm);
    }
    for (name, secret) in [("PEM", public_pem.as_bytes()), ("DER", &public_der), ("point", bench.key.public().point())] {
        check(&bench, name, &hmac_signed(secret, &bench.header_with("alg", json!("HS256"))), Rejection::Algorithm);
        check(&bench, name, &hmac_signed(secret, &bench.header().to_string()), Rejection::SignatureForm);
    }
    let signature = bench.signature();
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut bytes = signature.clone();
        change(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    };
    let canonical = URL_SAFE_NO_PAD.encode(&signature);
    for (name, part, expected) in [
        ("none", String::new(), Rejection::SignatureForm),
        ("DER", URL_SAFE_NO_PAD.encode(der(&signature)), Rejection::SignatureForm),
        ("truncated", changed(|bytes| bytes.truncate(131)), Rejection::SignatureForm),
        ("half", changed(|bytes| bytes.truncate(66)), Rejection::SignatureForm),
        ("one byte more", changed(|bytes| bytes.push(0)), Rejection::SignatureForm),
        ("one byte more in front", changed(|bytes| bytes.insert(0, 0)), Rejection::SignatureForm),
        ("without leading zeros", changed(|bytes| bytes.retain(|byte| *byte != 0)), Rejection::SignatureForm),
        ("r is zero", changed(|bytes| bytes[..66].fill(0)), Rejection::Signature),
        ("s is zero", changed(|bytes| bytes[66..].fill(0)), Rejection::Signature),
        ("both zero", changed(|bytes| bytes.fill(0)), Rejection::Signature),
        ("all ones", changed(|bytes| bytes.fill(0xff)), Rejection::Signature),
        ("first bit", changed(|bytes| bytes[65] ^= 1), Rejection::Signature),
        ("last bit", changed(|bytes| bytes[131] ^= 1), Rejection::Signature),
        ("r is the order", changed(|bytes| bytes[..66].copy_from_slice(&ORDER)), Rejection::Signature),
        ("s is the order", changed(|bytes| bytes[66..].copy_from_slice(&ORDER)), Rejection::Signature),
        ("r and the order", changed(|bytes| plus_order(&mut bytes[..66])), Rejection::Signature),
        ("s and the order", changed(|bytes| plus_order(&mut bytes[66..])), Rejection::Signature),
        ("r and s swapped", changed(|bytes| bytes.rotate_left(66)), Rejection::Signature),
        ("padded", format!("{canonical}=="), Rejection::SignatureForm),
        ("standard alphabet", STANDARD.encode([0xff; 132]), Rejection::SignatureForm),
        ("line break", format!("{canonical}\n"), Rejection::SignatureForm),
        ("space", format!(" {canonical}"), Rejection::SignatureForm),
    ] {
        // A signature without a zero byte stays as it was; then there is nothing to see.
        if part != canonical {
            check(&bench, name, &bench.with_signature(&part), expected);
        }
    }
    check(&bench, "other claims", &swapped(&bench), Rejection::Signature);
    check(&bench, "another key", &sign(&bench.inactive, &bench.header().to_string(), &claims().to_string()), Rejection::Signature);
}

/// Header and signature of a good token around other claims.
fn swapped(bench: &Bench) -> String {
    let good = bench.good();
    let (header, rest) = good.split_once('.').unwrap();
    let claims = URL_SAFE_NO_PAD.encode(with(claims(), "scopes", json!(["*.read", "*.write", "embed"])));
    format!("{header}.{claims}.{}", rest.split_once('.').unwrap().1)
}

#[test]
fn parts_have_one_spelling() {
    let bench = Bench::new();
    // 132 bytes leave no unused bits, so a header of 3n + 1 bytes shows what happens to them.
    let mut header = bench.header().to_string();
    while header.len() % 3 != 1 {
        header.push(' ');
    }
    let encoded = URL_SAFE_NO_PAD.encode(&header);
    let body = URL_SAFE_NO_PAD.encode(claims().to_string());
    let signed = |header: &str, body: &str| {
        let text = format!("{header}.{body}");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(bench.key.sign(text.as_bytes())))
    };
    assert!(bench.verify(&signed(&encoded, &body)).is_ok());
    let good = bench.good();
    for (name, token) in [
        ("unused bits are set", signed(&sloppy(&encoded), &body)),
        ("padded header", signed(&URL_SAFE.encode(&header), &body)),
        ("padded claims", signed(&encoded, &format!("{body}="))),
        ("standard alphabet", signed(&STANDARD.encode("{\"a\":\"???>>>\"}"), &body)),
        ("empty", String::new()),
        ("one part", "abc".to_owned()),
        ("two parts", good.rsplit_once('.').unwrap().0.to_owned()),
        ("four parts", format!("{good}.{body}")),
        ("dots", "..".to_owned()),
        ("leading space", format!(" {good}")),
        ("too long", format!("{good}{}", "A".repeat(16 * 1024))),
    ] {
        let rejection = bench.verify(&token).unwrap_err();
        assert!(matches!(rejection, Rejection::Malformed | Rejection::MalformedHeader | Rejection::SignatureForm), "{name}: {rejection}");
    }
    check(&bench, "trailing space", &format!("{good} "), Rejection::SignatureForm);
}

#[test]
fn r36_headers_that_bring_keys_or_change_the_meaning_are_refused() {
    let bench = Bench::new();
    for name in FORBIDDEN_HEADERS {
        for value in [json!(["exp"]), json!(false), json!("https://example.com/keys"), Value::Null] {
            let token = bench.signed(&bench.header_with(name, value), &claims().to_string());
            check(&bench, name, &token, Rejection::ForbiddenHeader(name));
        }
    }
    let kid = bench.key.public().thumbprint();
    let kids = [
        ("path", json!("../../etc/passwd")),
        ("SQL", json!("' OR 1=1 --")),
        ("NUL", json!(format!("{kid}\0"))),
        ("4 KiB", json!("A".repeat(4096))),
        ("129 characters", json!("A".repeat(129))),
        ("empty", json!("")),
        ("space", json!(format!("{kid} "))),
        ("padding", json!(format!("{kid}="))),
        ("number", json!(1)),
        ("list", json!([kid])),
        ("null", Value::Null),
    ];
    for (name, value) in kids {
        check(&bench, name, &bench.signed(&bench.header_with("kid", value), &claims().to_string()), Rejection::KidForm);
    }
    check(&bench, "absent", &bench.signed(r#"{"alg":"ES512"}"#, &claims().to_string()), Rejection::KidForm);
    let other_case: String =
        kid.chars().map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect();
    for (name, value) in [("128 characters", "A".repeat(128)), ("other case", other_case), ("a part", kid[..42].to_owned())] {
        check(&bench, name, &bench.signed(&bench.header_with("kid", json!(value)), &claims().to_string()), Rejection::UnknownKey);
    }
    let inactive = json!({"alg": "ES512", "kid": bench.inactive.public().thumbprint()}).to_string();
    check(&bench, "inactive", &sign(&bench.inactive, &inactive, &claims().to_string()), Rejection::InactiveKey);
    let claims = claims().to_string();
    for (name, header) in [
        ("alg twice", format!(r#"{{"alg":"none","alg":"ES512","kid":"{kid}"}}"#)),
        ("alg twice, escaped", format!(r#"{{"\u0061lg":"none","alg":"ES512","kid":"{kid}"}}"#)),
        ("kid twice", format!(r#"{{"alg":"ES512","kid":"{kid}","kid":"{kid}"}}"#)),
        ("twice below", format!(r#"{{"alg":"ES512","kid":"{kid}","x":{{"a":1,"a":2}}}}"#)),
        ("typ is no text", format!(r#"{{"alg":"ES512","kid":"{kid}","typ":1}}"#)),
        ("a list", "[]".to_owned()),
        ("a text", "\"ES512\"".to_owned()),
        ("two objects", format!(r#"{{"alg":"ES512","kid":"{kid}"}}{{}}"#)),
        ("a byte order mark", format!("\u{feff}{{\"alg\":\"ES512\",\"kid\":\"{kid}\"}}")),
        ("no JSON", "alg".to_owned()),
    ] {
        check(&bench, name, &bench.signed(&header, &claims), Rejection::MalformedHeader);
    }
}

#[test]
fn claims_must_be_there_and_have_their_types() {
    let bench = Bench::new();
    for name in ["exp", "nbf", "iss", "jti", "scopes"] {
        check(&bench, name, &bench.without_claim(name), Rejection::Claim(name));
        check(&bench, name, &bench.with_claim(name, Value::Null), Rejection::Claim(name));
    }
    let now = NOON.seconds();
    for name in ["exp", "nbf", "iat"] {
        let wrong = [json!(now.to_string()), json!(1.5), json!(1e20), json!(true), json!([now]), json!({}), json!(-1), json!(u64::MAX)];
        for value in wrong {
            check(&bench, name, &bench.with_claim(name, value), Rejection::Claim(name));
        }
    }
    for (name, value) in [
        ("scopes", json!("*.read")),
        ("scopes", json!(["*.read", 1])),
        ("scopes", json!([["*.read"]])),
        ("scopes", json!({"*.read": true})),
        ("iss", json!(1)),
        ("jti", json!(1)),
        ("jti", json!("")),
        ("checkout_session_id", json!("not-a-uuid")),
        ("checkout_session_id", json!(7)),
        ("embed", json!("x")),
        ("embed", json!([])),
    ] {
        check(&bench, name, &bench.with_claim(name, value), Rejection::Claim(name));
    }
    for embed in [json!({"amount": -1}), json!({"amount": "1.00"}), json!({"amount": ""}), json!({"amount": 1.5})] {
        check(&bench, "embed", &bench.with_claim("embed", embed), Rejection::Claim("embed.amount"));
    }
    let header = bench.header().to_string();
    let claims = claims().to_string();
    let doubled = format!(r#"{},"exp":99999999999}}"#, claims.strip_suffix('}').unwrap());
    check(&bench, "exp twice", &bench.signed(&header, &doubled), Rejection::MalformedClaims);
    for text in ["", "[]", "null", "\"\"", "{", "{}{}"] {
        check(&bench, text, &bench.signed(&header, text), Rejection::MalformedClaims);
    }
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    check(&bench, "deep", &bench.signed(&header, &deep), Rejection::MalformedClaims);
}

#[test]
fn r35_time_is_judged_to_the_second() {
    let bench = Bench::new();
    let now = NOON.seconds();
    let outcome = |name, at: i64| bench.verify(&bench.with_claim(name, json!(at))).map(|_| ());
    for (name, at, expected) in [
        ("exp", now - 29, Ok(())),
        ("exp", now - 30, Ok(())),
        ("exp", now - 31, Err(Rejection::Expired)),
        ("exp", 0, Err(Rejection::Expired)),
        ("exp", i64::MAX, Ok(())),
        ("nbf", now + 59, Ok(())),
        ("nbf", now + 60, Ok(())),
        ("nbf", now + 61, Err(Rejection::NotYetValid)),
        ("nbf", i64::MAX, Err(Rejection::NotYetValid)),
        ("nbf", 0, Ok(())),
        ("iat", now + 59, Ok(())),
        ("iat", now + 60, Ok(())),
        ("iat", now + 61, Err(Rejection::NotYetValid)),
        ("iat", i64::MAX, Err(Rejection::NotYetValid)),
        ("iat", 0, Ok(())),
    ] {
        assert_eq!(outcome(name, at), expected, "{name} {}", at - now);
    }
    let capped = Bench { verifier: Verifier::new(Some(3600)), ..Bench::new() };
    for (lifetime, expected) in
        [(3599, Ok(())), (3600, Ok(())), (3601, Err(Rejection::LivesTooLong)), (i64::MAX - now, Err(Rejection::LivesTooLong))]
    {
        assert_eq!(capped.verify(&capped.with_claim("exp", json!(now + lifetime))).map(|_| ()), expected, "{lifetime}");
    }
    // Where `iat` is missing, a token lives from `nbf`; an `iat` long ago makes it live long.
    let mut from_nbf = claims();
    from_nbf.as_object_mut().unwrap().remove("iat");
    for (exp, expected) in [(now + 3600, Ok(())), (now + 3601, Err(Rejection::LivesTooLong))] {
        from_nbf["exp"] = json!(exp);
        let token = capped.signed(&capped.header().to_string(), &from_nbf.to_string());
        assert_eq!(capped.verify(&token).map(|_| ()), expected, "{exp}");
    }
    assert_eq!(capped.verify(&capped.with_claim("iat", json!(0))).map(|_| ()), Err(Rejection::LivesTooLong));
}

#[test]
fn r38_a_remembered_token_dies_with_its_key_and_its_time() {
    let bench = Bench::new();
    let token = bench.good();
    let verify = |snapshot: &Snapshot, seconds: i64| {
        bench.verifier.verify(&token, snapshot, NOON.plus_seconds(seconds), &bench.limits.source(ORIGIN)).map(|_| ())
    };
    assert_eq!(verify(&bench.snapshot, 0), Ok(()));
    assert!(bench.verifier.cache.get(&fingerprint(&token)).is_some());

    let mut inactive = key_pair(10, &bench.key, &[1], &[]);
    inactive.active = false;
    let inactive = Snapshot::build(stored(vec![inactive]), &root_keys(), Some(&bench.snapshot)).unwrap();
    let deleted = Snapshot::build(stored(Vec::new()), &root_keys(), Some(&bench.snapshot)).unwrap();
    assert_eq!(verify(&inactive, 0), Err(Rejection::InactiveKey));
    assert_eq!(verify(&deleted, 0), Err(Rejection::UnknownKey));
    assert_eq!(verify(&bench.snapshot, 60), Ok(()));
    assert_eq!(verify(&bench.snapshot, 61), Err(Rejection::Expired));
    assert!(bench.verifier.cache.get(&fingerprint(&token)).is_none(), "an expired token is forgotten");
}

#[test]
fn r39_an_address_spends_its_allowance_on_wrong_signatures_and_others_keep_theirs() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let rates = Rates { failed_authentications: std::num::NonZeroU32::new(3), ..Rates::UNLIMITED };
    let bench = Bench { limits: Limits::new(rates, &clock), ..Bench::new() };
    let other = std::net::IpAddr::from([192, 0, 2, 99]);
    let verify = |token: &str, origin| bench.verifier.verify(token, &bench.snapshot, NOON, &bench.limits.source(origin)).map(|_| ());
    let remembered = bench.good();
    assert_eq!(verify(&remembered, ORIGIN), Ok(()));
    let forged = bench.with_signature(&URL_SAFE_NO_PAD.encode([1; 132]));
    for _ in 0..3 {
        assert_eq!(verify(&bench.good(), ORIGIN), Ok(()), "while there is room, new tokens pass and take none");
        assert_eq!(verify(&forged, ORIGIN), Err(Rejection::Signature));
    }
    for _ in 0..100 {
        assert!(matches!(verify(&forged, ORIGIN), Err(Rejection::Unexamined(_))));
    }
    assert!(matches!(verify(&bench.good(), ORIGIN), Err(Rejection::Unexamined(_))), "nobody can tell it from a wrong one without a look");
    assert_eq!(verify(&remembered, ORIGIN), Ok(()), "a remembered token needs none");
    assert_eq!(verify(&bench.good(), other), Ok(()));
    // What is refused without a look at the signature says what it is.
    let unknown = bench.signed(&bench.header_with("kid", json!("A".repeat(43))), &claims().to_string());
    assert_eq!(verify(&unknown, ORIGIN), Err(Rejection::UnknownKey));
}

/// What we sign is what an independent implementation accepts, and the other way round.
#[test]
fn signatures_agree_with_an_independent_implementation() {
    let bench = Bench::new();
    let token = bench.good();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(bench.key.public().point()).unwrap();
    let signature = p521::ecdsa::Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    key.verify(signed.as_bytes(), &signature).unwrap();
    let lists: Vec<Arc<PermissionSet>> = (0..2).map(|_| bench.verifier.permissions(vec!["a".into(), "b".into()])).collect();
    assert!(Arc::ptr_eq(&lists[0], &lists[1]));
    assert!(!Arc::ptr_eq(&lists[0], &bench.verifier.permissions(vec!["ab".into()])));
    assert_eq!(fingerprint("x"), digest::digest(&digest::SHA256, b"x").as_ref());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 256, ..proptest::prelude::ProptestConfig::default() })]

    /// No text makes the verifier do anything but refuse it, and no changed character of a good token is overlooked.
    #[test]
    fn r56_only_what_was_signed_passes(noise in ".{0,200}", place in 0..10_000_usize, character in proptest::char::range('!', '~')) {
        static BENCH: std::sync::LazyLock<Bench> = std::sync::LazyLock::new(Bench::new);
        static GOOD: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| BENCH.good());
        assert!(BENCH.verify(&noise).is_err());
        let parts: Vec<String> = noise.split('.').map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
        assert!(BENCH.verify(&parts.join(".")).is_err());
        let mut bytes = GOOD.clone().into_bytes();
        let place = place % bytes.len();
        bytes[place] = u8::try_from(character).unwrap();
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(BENCH.verify(&changed).is_ok(), changed == *GOOD, "{changed}");
    }
}

#[test]
fn a_remembered_token_counts_for_a_key_that_was_registered_again() {
    let bench = Bench::new();
    let token = bench.good();
    bench.verify(&token).unwrap();
    let holding = |pairs| Snapshot::build(stored(pairs), &root_keys(), None).unwrap();
    let gone = bench.verifier.verify(&token, &holding(Vec::new()), NOON, &bench.limits.source(ORIGIN));
    assert_eq!(gone.map(|_| ()).unwrap_err(), Rejection::UnknownKey);
    let again = holding(vec![key_pair(12, &bench.key, &[1], &[])]);
    for _ in 0..2 {
        let (verified, key_pair) = bench.verifier.verify(&token, &again, NOON, &bench.limits.source(ORIGIN)).unwrap();
        let twelve = ApiKeyPairId(crate::testing::id(12));
        assert_eq!((verified.key_pair_id, key_pair.pair.id), (twelve, twelve));
    }
}
