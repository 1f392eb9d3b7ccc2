//! The signed requests of the shipped definitions, complete, for a fixed moment and attempt. Digests and signatures were computed with OpenSSL 3.0.19; the command stands beside each, with the text that is signed.

use domain::{SessionRecordId, Timestamp};
use uuid::Uuid;

use super::shipped_tests::{find, printed};
use super::*;
use crate::fixtures::{credentials, object};
use crate::model::Verify;
use crate::sign::SignShown;
use crate::template_fill::First;

/// 2026-11-26T10:00:00Z.
const NOW: Timestamp = Timestamp::from_micros(1_795_687_200_000_000);
const ATTEMPT: Attempt = Attempt { id: SessionRecordId(Uuid::from_u128(7)), now: NOW };

fn with<T>(id: &str, values: &[(&str, &str)], body: Option<&str>, read: impl FnOnce(&Connector, &Call, &Filled<'_>, &Base) -> T) -> T {
    let connector = find(id);
    let credentials = credentials(&connector.provider, values);
    let body = body.map(object);
    let call = match (&body, &connector.provider.session, &connector.provider.verify) {
        (Some(_), Some(session), _) => session,
        (None, _, Some(Verify::Call(verify))) => verify.as_ref(),
        _ => panic!("{id} has no such call"),
    };
    let base = Places::default().base(&connector, call, &credentials).unwrap();
    let filled = Filled {
        credentials: &credentials,
        token: None,
        attempt: &ATTEMPT,
        now: NOW,
        body: body.as_ref(),
        first: First::Never,
        written: None,
    };
    read(&connector, call, &filled, &base)
}

fn sent(id: &str, values: &[(&str, &str)], body: Option<&str>) -> String {
    with(id, values, body, |connector, call, filled, base| printed(&render(connector, call, filled, base).unwrap()))
}

fn lines(id: &str, values: &[(&str, &str)], body: Option<&str>) -> Vec<(String, SignShown)> {
    with(id, values, body, |connector, call, filled, base| signed_lines(connector, call, filled, base).unwrap())
}

/// The key is `shared-secret-of-the-test`.
const SHARED: &[(&str, &str)] = &[("merchant_id", "shop_eu"), ("key_id", "key-1"), ("secret_key", "c2hhcmVkLXNlY3JldC1vZi10aGUtdGVzdA==")];

#[test]
fn a_signature_over_headers_and_the_digest_of_the_body() {
    // printf '%s' "$BODY" | openssl dgst -sha256 -binary | openssl base64
    // printf 'host: apitest.cybersource.com\ndate: Thu, 26 Nov 2026 10:00:00 GMT\nrequest-target: post /microform/v2/sessions\ndigest: SHA-256=GdriOjhedSPVe5HtHi8qe+9QK7d7pADfrW3/fr2PudA=\nv-c-merchant-id: shop_eu' | openssl dgst -sha256 -mac HMAC -macopt hexkey:7368617265642d7365637265742d6f662d7468652d74657374 -binary | openssl base64
    let body = r#"{"clientVersion":"v2","targetOrigins":["https://shop.example"],"allowedCardNetworks":["VISA"]}"#;
    insta::assert_snapshot!(sent("cybersource-card", SHARED, Some(body)), @r#"
    POST https://apitest.cybersource.com/microform/v2/sessions
    content-type: application/json
    date: Thu, 26 Nov 2026 10:00:00 GMT
    digest: SHA-256=GdriOjhedSPVe5HtHi8qe+9QK7d7pADfrW3/fr2PudA=
    signature: keyid="key-1", algorithm="HmacSHA256", headers="host date request-target digest v-c-merchant-id", signature="RBlA2t5SMvpAuxCIA2Tt4rvCMqLzZkk64cijgWKZxXg="
    v-c-merchant-id: shop_eu
    {"clientVersion":"v2","targetOrigins":["https://shop.example"],"allowedCardNetworks":["VISA"]}
    "#);
    // The same for host: api.cybersource.com
    let live = [SHARED, &[("mode", "live")]].concat();
    assert!(sent("cybersource-card", &live, Some(body)).contains("signature=\"rFnGQ16/21EoU2NgqYQ9ccIjJjyMVtbTTPvbVqOWrqk=\""));
    // The same over the body of the verification.
    let verify = sent("cybersource-card", SHARED, None);
    assert!(verify.contains("digest: SHA-256=913onM16/bttuqNakjOecI2X2R57vV/iaGyr8HUR6nY=\n"), "{verify}");
    assert!(verify.contains("signature=\"sC7Q4GRh1Vz65egFHiWr3ON0R0FBHQK4vT39U1OGXmI=\""), "{verify}");

    let shown = lines("cybersource-card", SHARED, Some(body));
    let text = "host: apitest.cybersource.com\ndate: Thu, 26 Nov 2026 10:00:00 GMT\nrequest-target: post /microform/v2/sessions\ndigest: SHA-256=GdriOjhedSPVe5HtHi8qe+9QK7d7pADfrW3/fr2PudA=\nv-c-merchant-id: shop_eu";
    let expected = [
        ("date", SignShown::Text("Thu, 26 Nov 2026 10:00:00 GMT".into())),
        ("digest", SignShown::Text("SHA-256=GdriOjhedSPVe5HtHi8qe+9QK7d7pADfrW3/fr2PudA=".into())),
        ("key", SignShown::Masked("from_base64([secret_key])".into())),
        ("text", SignShown::Text(text.into())),
        ("signature", SignShown::Text("RBlA2t5SMvpAuxCIA2Tt4rvCMqLzZkk64cijgWKZxXg=".into())),
    ];
    assert_eq!(shown, expected.map(|(name, line)| (name.to_owned(), line)));
}

#[test]
fn a_signature_over_the_bytes_that_are_sent() {
    let values = [("x_login", "login-1"), ("x_trans_key", "trans-key-1"), ("secret_key", "dlocal-secret-key")];
    // printf '%s%s%s' 'login-1' '2026-11-26T10:00:00.000Z' "$BODY" | openssl dgst -sha256 -hmac 'dlocal-secret-key'
    insta::assert_snapshot!(sent("dlocal-pix", &values, Some(r#"{"amount":100.50, "order_id":"order-1"}"#)), @r#"
    POST https://sandbox.dlocal.com/payments
    authorization: V2-HMAC-SHA256, Signature: 93974a1d69462df193de3e0787260bb80d62687cc913684ebe55dc57af13c438
    content-type: application/json
    x-date: 2026-11-26T10:00:00.000Z
    x-login: login-1
    x-trans-key: trans-key-1
    x-version: 2.1
    {"amount":100.50, "order_id":"order-1","payment_method_id":"PQ","payment_method_flow":"REDIRECT"}
    "#);
    // printf '%s%s' 'login-1' '2026-11-26T10:00:00.000Z' | openssl dgst -sha256 -hmac 'dlocal-secret-key'
    insta::assert_snapshot!(sent("dlocal-card", &values, None), @"
    GET https://sandbox.dlocal.com/payments-methods?country=BR
    authorization: V2-HMAC-SHA256, Signature: a2b12af49ea174271344fa38c30ac629402980635009ae7cc50142292de63021
    x-date: 2026-11-26T10:00:00.000Z
    x-login: login-1
    x-trans-key: trans-key-1
    x-version: 2.1
    ");
}

#[test]
fn a_checksum_over_members_with_a_secret_that_is_not_sent() {
    let values = [("merchant_id", "427583496191624621"), ("merchant_site_id", "142033"), ("merchant_secret_key", "nuvei-secret-key")];
    // printf '%s' '427583496191624621142033request-110.00USD20261126100000nuvei-secret-key' | openssl dgst -sha256
    let body = r#"{"clientRequestId":"request-1", "amount":"10.00","currency":"USD","checksum":"mine"}"#;
    insta::assert_snapshot!(sent("nuvei-card", &values, Some(body)), @r#"
    POST https://ppp-test.nuvei.com/ppp/api/v1/openOrder.do
    content-type: application/json
    {"clientRequestId":"request-1", "amount":"10.00","currency":"USD","checksum":"a8bd54759a000b2074efa293b2adfbfa0a589087193d269d00e5ea37ce255e86","merchantId":"427583496191624621","merchantSiteId":"142033","timeStamp":"20261126100000"}
    "#);
    // printf '%s' '42758349619162462114203310.00USD20261126100000nuvei-secret-key' | openssl dgst -sha256
    let without_id = sent("nuvei-card", &values, Some(r#"{"amount":10.00,"currency":"USD"}"#));
    assert!(without_id.contains(r#""checksum":"5b35695cec3bca7fe181bcdb12f265a7ea6f0bb60cbb53d1aabe351a85ce57f2""#), "{without_id}");
    // printf '%s' '42758349619162462114203300000000-0000-0000-0000-00000000000720261126100000nuvei-secret-key' | openssl dgst -sha256
    insta::assert_snapshot!(sent("nuvei-card", &values, None), @r#"
    POST https://ppp-test.nuvei.com/ppp/api/v1/getSessionToken.do
    content-type: application/json
    {"merchantId":"427583496191624621","merchantSiteId":"142033","clientRequestId":"00000000-0000-0000-0000-000000000007","timeStamp":"20261126100000","checksum":"a1311306b3e09b2064b11adcd919abb5b0c53e210e2fd4cf1873feeed48f3c64"}
    "#);

    let shown = lines("nuvei-card", &values, Some(body));
    let text = "427583496191624621142033request-110.00USD20261126100000[merchant_secret_key]";
    let expected = [
        ("time", SignShown::Text("20261126100000".into())),
        ("text", SignShown::Masked(text.into())),
        ("checksum", SignShown::Text("a8bd54759a000b2074efa293b2adfbfa0a589087193d269d00e5ea37ce255e86".into())),
    ];
    assert_eq!(shown, expected.map(|(name, line)| (name.to_owned(), line)));
}
