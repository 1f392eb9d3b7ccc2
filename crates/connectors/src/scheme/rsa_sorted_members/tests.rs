//! The recipe against signatures made by OpenSSL, and answers that are not the service's.

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use super::*;
use crate::outbound::BodyFailure;
use crate::scheme::tests::{PKCS1, PKCS8, PUBLIC, no_keys, signing};

/// The example of Trustly's signature tester, in another order and with the spellings that JSON allows.
const ASKED: &str = r#"{ "version":"1.1", "params":{"Data":{"Username":"merchant_username","Password":"merchant_password","NotificationURL":"URL_to_your_notification_service","MessageID":"your_unique_deposit_id","Attributes":{"Locale":"sv_SE","IP":"123.123.123.123","Currency":"SEK","MobilePhone":"\u002b46709876543","Lastname":"Doe","Firstname":"John","NationalIdentificationNumber":"790131-1234"},"End\u0055serID":"12345"},"UUID":"258a2184-2842-b485-25ca-293525152425"},"method":"Deposit"}"#;

/// What that page says is signed of it.
const ASKED_TEXT: &str = "Deposit258a2184-2842-b485-25ca-293525152425AttributesCurrencySEKFirstnameJohnIP123.123.123.123LastnameDoeLocalesv_SEMobilePhone+46709876543NationalIdentificationNumber790131-1234EndUserID12345MessageIDyour_unique_deposit_idNotificationURLURL_to_your_notification_servicePasswordmerchant_passwordUsernamemerchant_username";

/// `openssl dgst -sha256 -sign pkcs8.pem` over [`ASKED_TEXT`].
const ASKED_SIGNATURE: &str = "pA2PWKUkSOT2IbJ9293gm0Zh7mQXHpEzD+zMhGCzIfIF8LhZMrTuwS7tx2noIj6sg/16J3Suyr4s2SAol5AfcmMHyPhomtrnBJ+jhil68IfKiiGN8gsAuGGLXncJ8ogc2+vGZurZfzGN/qHfIeCpViH4pZXQWyWt0Kv6PjPfjtey4DDnatpOJYTl0MSFcsImlWmCQnZecmGVKQcuHsrILXAdtxL/m1AUutcmzQZZ3GV2hMwRlEYX8u7hc+2XVYTPdIrl80CxWbv11w2muxpXAv9zPF276fCX/QADzNsuebwYb99g4QcIGNs+jLBlrwC9mAY8dRfQjJAGQfXteF60kw==";

/// `openssl dgst -<hash> -sign pkcs8.pem` over
/// `Deposit258a2184-2842-b485-25ca-293525152425orderid2190971587urlhttps://test.trustly.com/_/orderclient.php?SessionID=1`.
const ANSWER_SHA1: &str = "hizIRR0cjbrdvYl3u4/cXcyAgbDbO8ZR+lyMEMgov9gMV556Kq2r4XX15db/gYJcpuu9bchJ3cbuEyttLPKHDZ2fwdrYR1qyzj9c8qVI9mkaZHCYVEzpFmvNlktcsK+H51fr9WHsUoq8gnW8qFVLRkhxs6GzjVWRn4KwRCZvAoHnJSnfrHqKsOe8Lyl/CnEKzgG93lJInM+d4UdrTKmrK71uGsLjw3KvvW5lCq21m4/xyPQEM6m3yUAY6+r/vZRjLxUVwQVWd0wiK1YgYmlGXmUsclcA40sL4aHuO3QAXs14gV93pl5PP7d7mlol1gm6joN1OP4jNeSM5JhTbZxdyQ==";
const ANSWER_SHA256: &str = "q7PUvZz0lb0xQEr2rxSCgs4XYXadnKbA1NUMbTKwy+LdEoXYJjryiWzgZ/So5kTeg3jgx50vXN6Xsv7gB2i1phkuKOR1dTO7qzyNgC2KKp4Sjoxje2gKICrlhBCQt37xX2PyOzjtYMXqQaVlOrjdcCllqdbSewe5GBk9MJGpHxINJC4l/GBLBbxzjvd6H53k2KSG6sXeSRB3LO9SvoiYoGwMjSuCAM4a6MfaUXBYnZd5xzsPi8PNW8U4enFtLYoOoqWrvkU7eXxzSyl5/Ksyjsw0wFv3R2Ii2ACMA8GbVynG7ECErWbG1Ul3U+iqlhbGyVELHKP3M2hU9EYjVjvecw==";
const ANSWER_SHA384: &str = "zl/wI7HK0nBykzdzRIG19lIUjL8WsKVPutK1B7x1k3W7yk3EYa6b5L31mNidc8OJjxppnLNyQi561egzLYywXSmHY8nqIWn3EQNyFsqasf+P/PqZH8gqq24FXh9NRW6GN0pk0gzFmZJR2vzvhcc7TyRM/W9XzKRLyBXiASpsae8n9v5i+Y8/rmUnGtjAcxOKUhtv85xFC7spyhSyABnCyG5lPDpDjoOjJSPmAj+MR1jWDwxkWZ2wG3Y15coRQD8do/wn+FmATcypRUccFbJ5ZN3sZP7OMD1NMUpcJCjhFdgxUBBKVHvSgHU5afdYsWJPK3WfQGNEpJaLEiq2tZCOfw==";
const ANSWER_SHA512: &str = "tsVaEgpQjgTKtNc/1+dLamuXFQUFbmu+w9XrOa2rfNAUrt21l43gboncmGLXI0TE0wWt2d6xJoMihTA4Ew6BstfWgd8gJlfLFn7Fv0q6ToH8Fh97IUhlb1rE75m082ea8POM+7+PAjpuxCszAd1mRYgIg/P7Cjf0cxK/LGis89YsK73wgaipmE3pA07FxdBLCxxGGcMCUecHi2bSdy4iReZVv6lgZjBhGQ0Ld1pZte+twyGtRSxL8INLYs6CqHYSne3fDhciFMtMCZkb8sAu/Lh5KpJ0Gc7nC/Q0Ct/gTamh9/hFXgF9a8v5itw1d2x9Po0X9sWF8rNwa3M8UB3NlA==";

const UUID: &str = "258a2184-2842-b485-25ca-293525152425";
const DATA: &str = r#"{"url":"https://test.trustly.com/_/orderclient.php?SessionID=1","orderid":"2190971587"}"#;

fn request(body: &str) -> OutgoingRequest {
    let url = Url::parse("https://test.trustly.com/api/1").unwrap();
    OutgoingRequest { method: Method::POST, url, headers: HeaderMap::new(), body: Bytes::from(body.to_owned()), identity: None }
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, headers: HeaderMap::new(), body: Ok(Bytes::from(body.to_owned())) }
}

fn result(uuid: &str, signature: &str, data: &str) -> String {
    format!(r#"{{"version":"1.1","result":{{"signature":"{signature}","uuid":"{uuid}","method":"Deposit","data":{data}}}}}"#)
}

#[test]
fn data_is_written_as_the_service_writes_it() {
    let check = |json: &str, expected: Option<&str>| {
        let mut out = String::new();
        let written = write(json.as_bytes(), &root(json.as_bytes()).unwrap(), &mut out);
        assert_eq!(written.map(|()| out.as_str()), expected, "{json}");
    };
    // From the tests of the service's clients for Java and JavaScript.
    check(r#"{"status":"OK"}"#, Some("statusOK"));
    check(r#"{"accountid":"123456789","bank":"BankA","clearinghouse":"SWEDEN"}"#, Some("accountid123456789bankBankAclearinghouseSWEDEN"));
    let with_null = r#"{"clearinghouse":"SWEDEN","descriptor":null,"bank":"BankA","accountid":"123456789"}"#;
    check(with_null, Some("accountid123456789bankBankAclearinghouseSWEDENdescriptor"));
    check(&with_null.replace("null", r#""""#), Some("accountid123456789bankBankAclearinghouseSWEDENdescriptor"));
    let with_more = r#"{"key":"value","clearinghouse":"SWEDEN","descriptor":null,"bank":"BankA","accountid":"123456789"}"#;
    check(with_more, Some("accountid123456789bankBankAclearinghouseSWEDENdescriptorkeyvalue"));
    let deposit = r#"{"Username":"merchant_username","Password":"merchant_password","NotificationURL":"URL_to_your_notification_service","EndUserID":"12345","MessageID":"your_unique_deposit_id","Attributes":{"Locale":"sv_SE","Country":"SE","SuccessURL":"success.com","FailURL":"fail.com","Currency":"SEK","IP":"123.123.123.123","MobilePhone":"+46709876543","Firstname":"John","Lastname":"Doe","NationalIdentificationNumber":"790131-1234","ShopperStatement":"Text","Email":"email@email.com"}}"#;
    let expected = "AttributesCountrySECurrencySEKEmailemail@email.comFailURLfail.comFirstnameJohnIP123.123.123.123LastnameDoeLocalesv_SEMobilePhone+46709876543NationalIdentificationNumber790131-1234ShopperStatementTextSuccessURLsuccess.comEndUserID12345MessageIDyour_unique_deposit_idNotificationURLURL_to_your_notification_servicePasswordmerchant_passwordUsernamemerchant_username";
    check(deposit, Some(expected));
    // Our own: what those tests do not say.
    check("{}", Some(""));
    check(r#"{"a":[],"b":{}}"#, Some("ab"));
    check(r#" [ {"b":2,"a":1.0} , [ "x" , null ] , true , false , -1e+2 ] "#, Some("a1.0b2xtruefalse-1e+2"));
    check(r#"{"b":1,"B":2,"_":3,"a1":4,"a":5,"é":6,"1":7}"#, Some("17B2_3a5a14b1é6"));
    check(r#"{"q":"\"\\\/\n\u00e9\ud83d\ude00"}"#, Some("q\"\\/\né😀"));
    check(r#"{"a":1,"a":1}"#, None);
    check(r#"{"a":[{"b":1,"\u0062":2}]}"#, None);
    check(r#"{"a":"\ud800"}"#, None);
}

#[test]
fn a_request_bears_the_signature_that_openssl_makes() {
    for pem in [PKCS8, PKCS1] {
        let mut request = request(ASKED);
        assert_eq!(asked(&request.body).unwrap().signed, ASKED_TEXT);
        RsaSortedMembers.sign(&mut request, &signing(&[("key", pem), ("answer_key", "\n")])).unwrap();
        let expected = format!(r#""UUID":"{UUID}","Signature":"alg=RS256;{ASKED_SIGNATURE}"}},"method""#);
        let body = std::str::from_utf8(&request.body).unwrap();
        assert!(body.contains(&expected), "{body}");
        // Nothing else has changed.
        assert_eq!(body.replace(&format!(r#","Signature":"alg=RS256;{ASKED_SIGNATURE}""#), ""), ASKED);
    }
}

#[test]
fn what_can_not_be_signed_is_not_sent() {
    let check = |body: &str, values: &[(&'static str, &str)], expected: SchemeError| {
        let mut request = request(body);
        assert_eq!(RsaSortedMembers.sign(&mut request, &signing(values)), Err(expected), "{body}");
        assert_eq!(request.body, body);
    };
    let key = ("key", PKCS8);
    check(ASKED, &[], SchemeError::Absent("key"));
    for pem in no_keys() {
        check(ASKED, &[("key", &pem)], SchemeError::Key("key"));
    }
    for pem in ["no key", PKCS8] {
        check(ASKED, &[key, ("answer_key", pem)], SchemeError::Key("answer_key"));
    }
    check("[]", &[key], SchemeError::Request("its body is no JSON object"));
    let incomplete = SchemeError::Request("its body has no `/method`, `/params/UUID` and `/params/Data`, or one twice");
    for body in [
        "{}",
        r#"{"method":"M","params":{"Data":{}}}"#,
        r#"{"method":"M","params":{"UUID":"u"}}"#,
        r#"{"method":1,"params":{"UUID":"u","Data":{}}}"#,
        r#"{"method":"M","params":{"UUID":"u","Data":{"a":1,"a":2}}}"#,
        r#"{"method":"M","params":{"UUID":"u","UUID":"v","Data":{}}}"#,
    ] {
        check(body, &[key], incomplete);
    }
    assert_eq!(RsaSortedMembers.refusal(br#"{"a":{"b":1,"b":1}}"#), Some(NOT_SIGNABLE));
    assert_eq!(RsaSortedMembers.refusal(ASKED.as_bytes()), None);
}

/// Checks an answer to [`ASKED`] with and without a key for it.
fn check(status: u16, body: &str, with_key: Result<(), AnswerError>, without_key: Result<(), AnswerError>) {
    let (request, answer) = (request(ASKED), answer(status, body));
    let checked = |values: &[(&'static str, &str)]| RsaSortedMembers.check(&request, &answer, &signing(values));
    assert_eq!(checked(&[("key", PKCS8), ("answer_key", PUBLIC)]), with_key, "with a key: {status} {body}");
    assert_eq!(checked(&[("key", PKCS8)]), without_key, "without a key: {status} {body}");
}

#[test]
fn a_result_is_believed_with_the_signature_that_openssl_makes() {
    check(200, &result(UUID, ANSWER_SHA1, DATA), Ok(()), Ok(()));
    for (front, signature) in [("alg=RS256;", ANSWER_SHA256), ("alg=RS384;", ANSWER_SHA384), ("alg=RS512;", ANSWER_SHA512)] {
        check(200, &result(UUID, &format!("{front}{signature}"), DATA), Ok(()), Ok(()));
    }
    // `/` may be spelled `\/`, and white space stand anywhere.
    check(200, &result(UUID, ANSWER_SHA1, &DATA.replace('/', "\\/").replace(',', "\n, ")), Ok(()), Ok(()));
    check(201, &result(UUID, ANSWER_SHA1, DATA), Ok(()), Ok(()));
}

#[test]
fn a_result_that_somebody_else_made_is_not_believed() {
    let wrong = Err(AnswerError::Signature);
    check(200, &result(UUID, ANSWER_SHA1, &DATA.replace("SessionID=1", "SessionID=2")), wrong, Ok(()));
    check(200, &result(UUID, ANSWER_SHA1, DATA).replace("Deposit", "Withdraw"), wrong, Ok(()));
    check(200, &result(UUID, ANSWER_SHA1, DATA).replace(r#","method":"Deposit""#, ""), wrong, Ok(()));
    // A signature of another hash than the one that it names.
    check(200, &result(UUID, ANSWER_SHA256, DATA), wrong, Ok(()));
    check(200, &result(UUID, &format!("alg=RS512;{ANSWER_SHA256}"), DATA), wrong, Ok(()));
    check(200, &result(UUID, &format!("alg=none;{ANSWER_SHA256}"), DATA), wrong, Ok(()));
    check(200, &result(UUID, "", DATA), wrong, Ok(()));
    check(200, &result(UUID, ASKED_SIGNATURE, DATA), wrong, Ok(()));
    let unsigned = result(UUID, "", DATA).replace(r#""signature":"","#, "");
    check(200, &unsigned, Err(AnswerError::Unsigned), Ok(()));
    check(200, &unsigned.replace(r#""uuid""#, r#""signature":1,"uuid""#), Err(AnswerError::Unsigned), Ok(()));
}

#[test]
fn a_result_of_another_request_is_not_believed_even_without_a_key() {
    let foreign = (Err(AnswerError::Foreign), Err(AnswerError::Foreign));
    check(200, &result("11111111-1111-1111-1111-111111111111", ANSWER_SHA1, DATA), foreign.0, foreign.1);
    check(200, &result(&UUID.to_uppercase(), ANSWER_SHA1, DATA), foreign.0, foreign.1);
    check(200, &result(UUID, ANSWER_SHA1, DATA).replace(r#""uuid""#, r#""id""#), foreign.0, foreign.1);
    for body in ["", "{}", r#"{"result":null}"#, r#"{"result":[]}"#, r#"{"result":{}}"#, r#"{"error":[]}"#, r#"{"error":null}"#] {
        check(200, body, foreign.0, foreign.1);
    }
}

#[test]
fn a_member_that_is_there_twice_is_not_believed() {
    let twice = (Err(AnswerError::Ambiguous), Err(AnswerError::Ambiguous));
    let good = result(UUID, ANSWER_SHA1, DATA);
    check(200, &good.replace(r#""version":"1.1""#, r#""result":{}"#), twice.0, twice.1);
    check(200, &good.replace(r#""method":"Deposit""#, r#""data":{}"#), twice.0, twice.1);
    check(200, &good.replace(r#"{"url""#, r#"{"url":"https://evil.test","url""#), twice.0, Ok(()));
}

#[test]
fn an_error_is_taken_as_it_is_but_makes_no_result_believed() {
    // As the service's documentation has it: with the id, or with `null` where the call could not be read.
    let inner = r#"{"signature":"R9+hjuMqbsH0Ku","uuid":"null","method":"null","data":{"code":636,"message":"ERROR"}}"#;
    let error = format!(r#"{{"version":"1.1","error":{{"name":"JSONRPCError","code":636,"message":"ERROR","error":{inner}}}}}"#);
    for status in [200, 401] {
        check(status, &error, Ok(()), Ok(()));
        check(status, &error.replace("null", UUID), Ok(()), Ok(()));
    }
    for status in [400, 401, 500, 502] {
        for body in ["<html>", "", "{}", r#"{"result":{}}"#] {
            check(status, body, Ok(()), Ok(()));
        }
    }
    let both = result(UUID, ANSWER_SHA512, DATA).replace(r#""version":"1.1""#, r#""error":{}"#);
    check(200, &both, Err(AnswerError::Signature), Ok(()));
}

#[test]
fn what_can_not_be_read_is_left_to_whoever_reads_it() {
    check(200, "no JSON", Ok(()), Ok(()));
    let answer = Answer { status: 200, headers: HeaderMap::new(), body: Err(BodyFailure::TooLong) };
    assert_eq!(RsaSortedMembers.check(&request(ASKED), &answer, &signing(&[("key", PKCS8), ("answer_key", PUBLIC)])), Ok(()));
}
