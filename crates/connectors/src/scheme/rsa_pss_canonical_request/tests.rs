//! The recipe against texts written out by hand and signatures made by OpenSSL.

use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;

use super::*;
use crate::pem;
use crate::scheme::tests::{PKCS1, PKCS8, PUBLIC, no_keys, signing};

const BODY: &str =
    r#"{"webCheckoutDetails":{"checkoutReviewReturnUrl":"https://shop.example/review"},"storeId":"amzn1.application-oa2-client.1"}"#;

/// Written by hand, and the same as what the SDK of Amazon Pay for Node 2.3.4 hashes for this request, but for its `user-agent`.
const CANONICAL: &str = "POST
/v2/checkoutSessions

accept:application/json
content-type:application/json
x-amz-pay-date:2026-11-26T10:00:00Z
x-amz-pay-host:pay-api.amazon.eu
x-amz-pay-idempotency-key:0190a2b3c4d57e6f8a9b0c1d2e3f4a5b
x-amz-pay-region:eu

accept;content-type;x-amz-pay-date;x-amz-pay-host;x-amz-pay-idempotency-key;x-amz-pay-region
a65bbb054b32a28e757de1ae47b7c4c07841eae677ad1236edeb59078b6e9ce6";

/// With the hash that `openssl dgst -sha256` gives for [`CANONICAL`].
const SIGNED: &str = "AMZN-PAY-RSASSA-PSS-V2
153d94582eebbc9d3ad6bbc7ab48d5b18857381dc73fcf6a7984e8549779f1dc";

/// `openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -sign pkcs8.pem` over [`SIGNED`].
const BY_OPENSSL: &str = "W2e6zP42IGiE9/yZSDwAbExL9fsyJkoXjsifV0z2f3Vu7Idfi0t3KNkbx3Xl44LT5XT1mFh95fSerzonViiazQ9sWXTEbEp4YJCsPIiWjwbL44vsyYgEoMw7dOCjeGOk3KpDGlA44al8OkjBJBjuoHpAWI3UcpFjNvY3yPAA+CFoNOYDUI+eDo7Mu5vuek2RW6/b1O+Iwewlwr3Jr72izk/DPXQPoPBarDeAycz7W9IfU0/eE9xh6Q21UO1L/nZhRd/QBL+qav8iownj+KBOJecS+5iD4ssq1MxErCQx8Jh0TEHHNR/jHr6BJXpbMxJ6JfeYKCZGbF+fSNecAb1nOQ==";

fn request(method: Method, url: &str, headers: &[(&'static str, &str)], body: &'static str) -> OutgoingRequest {
    let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect();
    OutgoingRequest { method, url: Url::parse(url).unwrap(), headers, body: Bytes::from_static(body.as_bytes()), identity: None }
}

fn session() -> OutgoingRequest {
    let headers = [
        ("x-amz-pay-region", "eu"),
        ("user-agent", "tollhouse/0.1.0"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("x-amz-pay-idempotency-key", "0190a2b3c4d57e6f8a9b0c1d2e3f4a5b"),
        ("x-amz-payment", "no header of theirs"),
    ];
    request(Method::POST, "https://pay-api.amazon.eu/v2/checkoutSessions", &headers, BODY)
}

fn values(key: &str) -> [(&'static str, &str); 4] {
    [("key", key), ("key_id", "SANDBOX-AG3ABC"), ("algorithm", "AMZN-PAY-RSASSA-PSS-V2"), ("prefix", "x-amz-pay")]
}

fn is_pss_signature(message: &str, base64: &str) -> bool {
    let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, pem::rsa_public_key(PUBLIC).unwrap());
    key.verify(message.as_bytes(), &STANDARD.decode(base64).unwrap()).is_ok()
}

#[test]
fn a_request_is_signed_as_the_service_says() {
    for pem in [PKCS8, PKCS1] {
        let mut request = session();
        RsaPssCanonicalRequest.sign(&mut request, &signing(&values(pem))).unwrap();
        let header = |name: &str| request.headers[name].to_str().unwrap();
        assert_eq!(header("x-amz-pay-date"), "2026-11-26T10:00:00Z");
        assert_eq!(header("x-amz-pay-host"), "pay-api.amazon.eu");
        let names = "accept;content-type;x-amz-pay-date;x-amz-pay-host;x-amz-pay-idempotency-key;x-amz-pay-region";
        let front = format!("AMZN-PAY-RSASSA-PSS-V2 PublicKeyId=SANDBOX-AG3ABC, SignedHeaders={names}, Signature=");
        let signature = header("authorization").strip_prefix(&front).unwrap();
        assert!(is_pss_signature(SIGNED, signature));
        assert!(!is_pss_signature(&SIGNED.replace('4', "5"), signature));
        assert!(request.headers["authorization"].is_sensitive());
        assert_eq!(request.body, BODY);
    }
}

#[test]
fn the_canonical_text_is_that_which_was_written_by_hand() {
    let mut request = session();
    RsaPssCanonicalRequest.sign(&mut request, &signing(&values(PKCS8))).unwrap();
    let signed = signed_headers(&request.headers, "X-Amz-Pay").unwrap();
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let canonical = canonical_request(&request, &signed, &names);
    assert_eq!(canonical, CANONICAL);
    // What OpenSSL signed is what we would sign: its signature holds over our text.
    assert!(is_pss_signature(&format!("AMZN-PAY-RSASSA-PSS-V2\n{}", sha256_hex(canonical.as_bytes())), BY_OPENSSL));
    assert!(is_pss_signature(SIGNED, BY_OPENSSL));
}

#[test]
fn a_query_is_sorted_and_encoded_once() {
    let check = |query: &str, expected: &str| {
        let url = Url::parse(&format!("https://service.test/v2/reports{query}")).unwrap();
        assert_eq!(canonical_query(&url), expected, "{query}");
    };
    check("", "");
    check("?", "");
    // As in the SDK for Node.
    check("?reportTypes=A,B%20C&pageSize=10", "pageSize=10&reportTypes=A%2CB%20C");
    check("?b=2&a=2&a=1&c", "a=1&a=2&b=2&c=");
    check("?a=%c3%a9/~", "a=%C3%A9%2F~");
}

#[test]
fn a_call_without_body_signs_the_hash_of_nothing_and_the_port_that_is_asked() {
    let mut request = request(Method::GET, "https://127.0.0.1:8443/sim/v2/checkoutSessions/1", &[("accept", "application/json")], "");
    RsaPssCanonicalRequest.sign(&mut request, &signing(&values(PKCS8))).unwrap();
    let message = "GET
/sim/v2/checkoutSessions/1

accept:application/json
x-amz-pay-date:2026-11-26T10:00:00Z
x-amz-pay-host:127.0.0.1:8443

accept;x-amz-pay-date;x-amz-pay-host
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let authorization = request.headers["authorization"].to_str().unwrap();
    let signature = authorization.split_once("Signature=").unwrap().1;
    assert!(is_pss_signature(&format!("AMZN-PAY-RSASSA-PSS-V2\n{}", sha256_hex(message.as_bytes())), signature));
}

#[test]
fn what_can_not_sign_is_named() {
    let check = |change: &[(&'static str, &str)], expected: SchemeError| {
        let mut values = values(PKCS8).to_vec();
        for (name, value) in change {
            values.retain(|(old, _)| old != name);
            values.push((name, value));
        }
        let mut request = session();
        assert_eq!(RsaPssCanonicalRequest.sign(&mut request, &signing(&values)), Err(expected), "{change:?}");
        assert!(!request.headers.contains_key(AUTHORIZATION));
    };
    for name in ["key", "key_id", "algorithm", "prefix"] {
        check(&[(name, " ")], SchemeError::Absent(name));
    }
    for key in no_keys() {
        check(&[("key", &key)], SchemeError::Key("key"));
    }
    for name in ["key_id", "algorithm", "prefix"] {
        for control in ["a\nb", "a\tb", "a\u{85}b"] {
            check(&[(name, control)], SchemeError::Header(name));
        }
    }
    check(&[("prefix", "x amz")], SchemeError::Header("prefix"));
    let mut request = session();
    request.headers.insert("x-amz-pay-region", HeaderValue::from_bytes("é".as_bytes()).unwrap());
    let refused = RsaPssCanonicalRequest.sign(&mut request, &signing(&values(PKCS8)));
    assert_eq!(refused, Err(SchemeError::Request("a header is not ASCII")));
    let mut request = session();
    request.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
    let refused = RsaPssCanonicalRequest.sign(&mut request, &signing(&values(PKCS8)));
    assert_eq!(refused, Err(SchemeError::Request("it has an Authorization header already")));
}
