//! Tokens that nobody with a key has made, or that want to be read otherwise than they are meant.

use std::collections::BTreeSet;
use std::net::TcpListener;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use testkit::forgery::{ORDER, der, plus_order, sloppy};
use testkit::promise::Promise;
use testkit::server::Server;
use testkit::token::{Key, now_seconds};

use super::{reasons, signatures_checked};
use crate::observability::lines;
use crate::support::sqlite;

const ALGORITHM: &str = "the algorithm is not ES512";
const FORM: &str = "the signature is not 132 bytes";
const WRONG: &str = "the signature is not that of the key";
const MALFORMED: &str = "the token is not three base64url parts";
const HEADER: &str = "the header is not a JSON object without repeated members";
const KID: &str = "the kid is not 1 to 128 characters of base64url";
const UNKNOWN: &str = "no key pair has this kid";

/// A token that must not pass, and what the log says of it.
struct Forged {
    name: String,
    token: String,
    reason: String,
}

/// Makes them with the key of a server and with one that it does not know.
struct Forge<'k> {
    key: &'k Key,
    stranger: Key,
    forged: Vec<Forged>,
}

impl<'k> Forge<'k> {
    fn new(key: &'k Key) -> Self {
        Self { key, stranger: Key::generate(), forged: Vec::new() }
    }

    fn add(&mut self, name: impl Into<String>, token: String, reason: impl Into<String>) {
        self.forged.push(Forged { name: name.into(), token, reason: reason.into() });
    }

    fn header(&self) -> Value {
        json!({ "alg": "ES512", "typ": "JWT", "kid": self.key.thumbprint() })
    }

    fn header_with(&self, name: &str, value: Value) -> Value {
        let mut header = self.header();
        header[name] = value;
        header
    }

    /// Signed by the server's key under a header with one member of its own.
    fn with_header(&mut self, name: &str, member: &str, value: Value, reason: &str) {
        let token = self.key.sign(&self.header_with(member, value), &claims());
        self.add(name, token, reason);
    }

    fn good(&self) -> String {
        self.key.sign(&self.header(), &claims())
    }

    /// A good token with another third part.
    fn with_signature(&mut self, name: &str, signature: &str, reason: &str) {
        let token = format!("{}.{signature}", self.good().rsplit_once('.').unwrap().0);
        self.add(name, token, reason);
    }
}

fn claims() -> Value {
    let now = now_seconds();
    json!({ "iss": "t", "nbf": now, "iat": now, "exp": now + 600, "jti": "j", "scopes": ["*.read"] })
}

fn encoded(text: impl ToString) -> String {
    URL_SAFE_NO_PAD.encode(text.to_string())
}

/// What follows a token's first two parts when it is signed with a shared secret.
fn hmac_signed(algorithm: hmac::Algorithm, secret: &[u8], header: &Value) -> String {
    let signed = format!("{}.{}", encoded(header), encoded(claims()));
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// JSON with spaces behind it, so that its bytes are 3n + 1.
fn stretched(value: &Value) -> String {
    let mut text = value.to_string();
    while text.len() % 3 != 1 {
        text.push(' ');
    }
    text
}

fn algorithms(forge: &mut Forge<'_>) {
    for algorithm in [
        "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
        "ES256K", "ES384", "EdDSA", "Ed25519", "es512", "ES512 ",
    ] {
        forge.with_header(&format!("alg {algorithm:?}, well signed"), "alg", json!(algorithm), ALGORITHM);
    }
    for algorithm in ["none", "None", ""] {
        let header = forge.header_with("alg", json!(algorithm));
        forge.add(format!("alg {algorithm:?}, unsigned"), format!("{}.{}.", encoded(header), encoded(claims())), ALGORITHM);
    }
    for (name, value) in [("null", Value::Null), ("a list", json!(["ES512"])), ("a number", json!(512))] {
        forge.with_header(&format!("alg is {name}"), "alg", value, ALGORITHM);
    }
    let without = json!({ "kid": forge.key.thumbprint() });
    forge.add("no alg", forge.key.sign(&without, &claims()), ALGORITHM);
    // Signatures of the length that each algorithm has.
    for (algorithm, length) in [("ES256", 64), ("EdDSA", 64), ("ES384", 96), ("RS256", 256)] {
        let header = forge.header_with("alg", json!(algorithm));
        let token = format!("{}.{}.{}", encoded(header), encoded(claims()), URL_SAFE_NO_PAD.encode(vec![7; length]));
        forge.add(format!("alg {algorithm} with {length} bytes"), token, ALGORITHM);
    }
    let pem = forge.key.public_pem();
    let der = STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
    let kid = forge.key.thumbprint();
    let secrets: [(&str, &[u8]); 6] = [
        ("PEM", pem.as_bytes()),
        ("trimmed PEM", pem.trim().as_bytes()),
        ("DER", &der),
        ("point", forge.key.point()),
        ("kid", kid.as_bytes()),
        ("nothing", b""),
    ];
    for (name, secret) in secrets {
        let header = forge.header_with("alg", json!("HS256"));
        forge.add(format!("HS256 with the {name}"), hmac_signed(hmac::HMAC_SHA256, secret, &header), ALGORITHM);
        forge.add(format!("HS256 with the {name}, said to be ES512"), hmac_signed(hmac::HMAC_SHA256, secret, &forge.header()), FORM);
    }
    forge.add("HS512 with the PEM, said to be ES512", hmac_signed(hmac::HMAC_SHA512, pem.as_bytes(), &forge.header()), FORM);
}

fn signatures(forge: &mut Forge<'_>) {
    let good = forge.good();
    let signature = URL_SAFE_NO_PAD.decode(good.rsplit_once('.').unwrap().1).unwrap();
    let (r, s) = signature.split_at(66);
    let zero = [0; 66];
    let (mut r_and_order, mut s_and_order) = (r.to_vec(), s.to_vec());
    plus_order(&mut r_and_order);
    plus_order(&mut s_and_order);
    let pair = |r: &[u8], s: &[u8]| URL_SAFE_NO_PAD.encode([r, s].concat());
    let canonical = pair(r, s);
    for (name, part, reason) in [
        ("no signature", String::new(), FORM),
        ("DER", URL_SAFE_NO_PAD.encode(der(&signature)), FORM),
        ("131 bytes", URL_SAFE_NO_PAD.encode(&signature[..131]), FORM),
        ("r alone", URL_SAFE_NO_PAD.encode(r), FORM),
        ("a byte more", pair(r, &[s, &[0]].concat()), FORM),
        ("a byte more in front", pair(&[&[0], r].concat(), s), FORM),
        ("twice", format!("{canonical}{canonical}"), FORM),
        ("padded", format!("{canonical}=="), FORM),
        ("the standard alphabet", STANDARD.encode([0xff; 132]), FORM),
        ("a space inside", format!("{} {}", &canonical[..80], &canonical[80..]), FORM),
        ("r is zero", pair(&zero, s), WRONG),
        ("s is zero", pair(r, &zero), WRONG),
        ("both are zero", pair(&zero, &zero), WRONG),
        ("r is the order", pair(&ORDER, s), WRONG),
        ("s is the order", pair(r, &ORDER), WRONG),
        ("both are the order", pair(&ORDER, &ORDER), WRONG),
        ("r and the order", pair(&r_and_order, s), WRONG),
        ("s and the order", pair(r, &s_and_order), WRONG),
        ("all ones", pair(&[0xff; 66], &[0xff; 66]), WRONG),
        ("r and s swapped", pair(s, r), WRONG),
        ("r twice", pair(r, r), WRONG),
    ] {
        forge.with_signature(name, &part, reason);
    }
    // One bit of a signature that is its token's own.
    for place in [1, 65, 67, 131] {
        let mut changed = signature.clone();
        changed[place] ^= 1;
        forge.add(
            format!("a bit of byte {place}"),
            format!("{}.{}", good.rsplit_once('.').unwrap().0, URL_SAFE_NO_PAD.encode(changed)),
            WRONG,
        );
    }
    forge.add("another key's signature", forge.stranger.sign(&forge.header(), &claims()), WRONG);
    let (header, rest) = good.split_once('.').unwrap();
    let mut more = claims();
    more["scopes"] = json!(["*.read", "*.write"]);
    forge.add("other claims", format!("{header}.{}.{}", encoded(more), rest.split_once('.').unwrap().1), WRONG);
}

fn spellings(forge: &mut Forge<'_>) {
    let (header, body) = (encoded(stretched(&forge.header())), encoded(stretched(&claims())));
    let padded = |part: &str| URL_SAFE.encode(URL_SAFE_NO_PAD.decode(part).unwrap());
    let standard = STANDARD.encode(r#"{"alg":"ES512","x":"???>>>"}"#);
    assert!(standard.contains(['+', '/']));
    let good = forge.good();
    let key = forge.key;
    for (name, token, reason) in [
        ("the header's unused bits are set", key.sign_parts(&sloppy(&header), &body), MALFORMED),
        ("the claims' unused bits are set", key.sign_parts(&header, &sloppy(&body)), MALFORMED),
        ("a padded header", key.sign_parts(&padded(&header), &body), MALFORMED),
        ("padded claims", key.sign_parts(&header, &padded(&body)), MALFORMED),
        ("a header in the standard alphabet", key.sign_parts(&standard, &body), MALFORMED),
        ("an empty header", key.sign_parts("", &body), HEADER),
        ("one part", "abc".to_owned(), MALFORMED),
        ("two parts", good.rsplit_once('.').unwrap().0.to_owned(), MALFORMED),
        ("four parts", format!("{good}.{body}"), FORM),
        ("nothing but dots", "..".to_owned(), HEADER),
        ("the claims as header", key.sign_parts(&body, &body), ALGORITHM),
        ("20 KiB", format!("{good}{}", "A".repeat(20 * 1024)), MALFORMED),
    ] {
        forge.add(name, token, reason);
    }
}

/// Members that bring a key along or change what a signature means; addresses in them are those of a listener of ours.
fn members(forge: &mut Forge<'_>, address: &str) {
    let (x, y) = forge.stranger.point()[1..].split_at(66);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let jwk = json!({ "kty": "EC", "crv": "P-521", "x": x, "y": y, "kid": forge.stranger.thumbprint() });
    let url = |path: &str| json!(format!("http://{address}/{path}"));
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("jwk", jwk.clone()),
        ("jwk", Value::Null),
        ("jku", url("jwks.json")),
        ("x5u", url("chain.pem")),
        ("x5c", json!(["MIIB"])),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
    ] {
        let reason = format!("the header has a member that is refused: {member}");
        forge.with_header(&format!("{member}: {value}"), member, value.clone(), &reason);
        // The same from somebody whose own key the member would bring, under the id of a real key and under its own.
        for kid in [forge.key.thumbprint(), forge.stranger.thumbprint()] {
            let header = json!({ "alg": "ES512", "kid": kid, member: value.clone() });
            forge.add(format!("a stranger's {member}: {value}"), forge.stranger.sign(&header, &claims()), reason.clone());
        }
    }
}

fn kids(forge: &mut Forge<'_>, address: &str) {
    let kid = forge.key.thumbprint();
    for (name, value) in [
        ("a path", json!("../../../../etc/passwd")),
        ("a path to nothing", json!("/dev/null")),
        ("an encoded path", json!("..%2f..%2fetc%2fpasswd")),
        ("SQL", json!("' OR 1=1 --")),
        ("SQL that asks", json!("x' UNION SELECT public_key FROM api_key_pairs --")),
        ("SQL that deletes", json!("'; DROP TABLE api_key_pairs; --")),
        ("NUL", json!(format!("{kid}\0"))),
        ("NUL in front", json!(format!("\0{kid}"))),
        ("a line break", json!(format!("{kid}\n"))),
        ("4 KiB", json!("A".repeat(4096))),
        ("129 characters", json!("A".repeat(129))),
        ("an address", json!(format!("http://{address}/key"))),
        ("a command", json!("$(id)")),
        ("a template", json!("${jndi:ldap://127.0.0.1/a}")),
        ("nothing", json!("")),
        ("a space", json!(format!("{kid} "))),
        ("padding", json!(format!("{kid}="))),
        ("other letters", json!("ключ")),
        ("a number", json!(1)),
        ("a list", json!([kid])),
        ("an object", json!({ "kid": kid })),
        ("null", Value::Null),
    ] {
        forge.with_header(&format!("kid: {name}"), "kid", value, KID);
    }
    forge.add("no kid", forge.key.sign(&json!({ "alg": "ES512" }), &claims()), KID);
    let other_case: String = kid
        .chars()
        .map(|letter| if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() })
        .collect();
    for (name, value) in [("128 characters", "A".repeat(128)), ("other case", other_case), ("all but the end", kid[..42].to_owned())] {
        forge.with_header(&format!("kid: {name}"), "kid", json!(value), UNKNOWN);
    }
    let twice = format!(r#"{{"alg":"ES512","kid":"{kid}","kid":"{kid}"}}"#);
    forge.add("kid twice", forge.key.sign_parts(&encoded(twice), &encoded(claims())), HEADER);
    let escaped = format!(r#"{{"alg":"ES512","\u006bid":"x","kid":"{kid}"}}"#);
    forge.add("kid twice, escaped", forge.key.sign_parts(&encoded(escaped), &encoded(claims())), HEADER);
}

/// Sends all of them: each is refused, nobody who asks can tell one from another, and the log can.
async fn refused_alike(server: &Server, forged: &[Forged]) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let before = reasons(server).len();
    let mut answers = BTreeSet::new();
    for Forged { name, token, .. } in forged {
        let response = client.get(format!("{}/roles", server.base)).bearer_auth(token).send().await.unwrap();
        assert_eq!(response.status(), 401, "{name}");
        let own = ["x-request-id", "date"];
        let headers = response.headers().iter().filter(|(header, _)| !own.contains(&header.as_str()));
        let mut headers: Vec<String> = headers.map(|(header, value)| format!("{header}: {}", value.to_str().unwrap())).collect();
        headers.sort();
        answers.insert((headers, response.bytes().await.unwrap()));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let (_, body) = answers.first().unwrap();
    let message = "No valid API authentication found";
    let expected = json!({ "type": "error", "code": "unauthorized", "status": 401, "message": message, "details": [] });
    assert_eq!(serde_json::from_slice::<Value>(body).unwrap(), expected);
    let reasons = reasons(server).split_off(before);
    assert_eq!(reasons.len(), forged.len());
    for (forged, reason) in forged.iter().zip(reasons) {
        assert!(reason.contains(&forged.reason), "{}: {reason}", forged.name);
    }
}

/// The tables are longer than what an address may get wrong in a second, which is not what they are about.
async fn patient_server() -> Server {
    sqlite().with("TOLLHOUSE_LIMITS__FAILED_AUTHENTICATIONS_PER_SECOND", "0").start().await
}

#[tokio::test]
async fn r34_forged_tokens_are_refused_alike() {
    let promise = Promise::new("R34");
    let server = patient_server().await;
    let mut forge = Forge::new(&server.key);
    algorithms(&mut forge);
    signatures(&mut forge);
    spellings(&mut forge);
    refused_alike(&server, &forge.forged).await;
    let count = forge.forged.len();
    assert!(count >= 80, "{count}");
    server.anonymous().token(forge.good()).get("/roles").await.expect(200);
    server.end().await;
    promise.kept(count, "each answered 401 with the same bytes, each with its reason in the log");
}

#[tokio::test]
async fn r36_headers_fetch_nothing_and_ask_the_database_nothing() {
    let promise = Promise::new("R36");
    let server = patient_server().await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let mut forge = Forge::new(&server.key);
    members(&mut forge, &address);
    kids(&mut forge, &address);
    refused_alike(&server, &forge.forged).await;
    assert_eq!(signatures_checked(&server, "bad").await, 0.0, "no signature was worth a look");
    let worse: Vec<Value> = lines(&server.log()).into_iter().filter(|line| line["level"] == "ERROR" || line["level"] == "WARN").collect();
    assert_eq!(worse, Vec::<Value>::new());
    let count = forge.forged.len();
    server.anonymous().token(forge.good()).get("/roles").await.expect(200);
    server.end().await;
    let connected = silent.accept();
    assert!(connected.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "{connected:?}");
    promise.kept(count, "nobody was connected to, no signature was checked, nothing was logged as wrong with us");
}
