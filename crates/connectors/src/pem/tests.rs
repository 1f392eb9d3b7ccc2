//! What is taken for a certificate or a key, and what is said of the rest.

use super::*;

const PKCS8: &str = include_str!("fixtures/rsa_pkcs8.pem");
const PKCS1: &str = include_str!("fixtures/rsa_pkcs1.pem");
const SEC1: &str = include_str!("fixtures/ec_sec1.pem");
const ED25519: &str = include_str!("fixtures/ed25519_pkcs8.pem");
const CERTIFICATE: &str = include_str!("fixtures/rsa_certificate.pem");
const ENCRYPTED_PKCS8: &str = include_str!("fixtures/encrypted_pkcs8.pem");
const ENCRYPTED_PKCS1: &str = include_str!("fixtures/encrypted_pkcs1.pem");
const RSA_1024: &str = include_str!("fixtures/rsa_1024.pem");
const PUBLIC: &str = include_str!("fixtures/rsa_public.pem");
const PUBLIC_1024: &str = include_str!("fixtures/rsa_1024_public.pem");
const PUBLIC_EC: &str = include_str!("fixtures/ec_public.pem");
const X25519: &str = include_str!("fixtures/x25519_pkcs8.pem");
const NO_DER: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

#[test]
fn keys_are_read_in_every_usual_form() {
    for text in [PKCS8, PKCS1, SEC1, ED25519] {
        let check = |text: &str| assert_eq!((private_key(text).err(), super::check(text)), (None, Ok(())), "{text:.80}");
        check(text);
        check(&text.replace('\n', "\r\n"));
        check(text.trim_end());
        check(&format!("Bag Attributes\n    friendlyName: shop\n{CERTIFICATE}{text}"));
        assert!(holds_private_key(text));
    }
}

#[test]
fn other_keys_are_refused_and_told_apart() {
    let check = |text: &str, expected: PemError| {
        assert_eq!(private_key(text).err(), Some(expected), "{text:.80}");
        let said = expected.to_string();
        assert!(!said.is_empty() && text.lines().filter(|line| line.len() > 20 && !line.starts_with('-')).all(|line| !said.contains(line)));
    };
    for encrypted in [ENCRYPTED_PKCS8, ENCRYPTED_PKCS1] {
        check(encrypted, PemError::Encrypted);
        assert_eq!(super::check(encrypted), Err(PemError::Encrypted));
        assert!(holds_private_key(encrypted));
    }
    for unusable in [RSA_1024, X25519, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        check(unusable, PemError::BadKey);
        assert_eq!(super::check(unusable), Err(PemError::BadKey));
    }
    check(&format!("{PKCS8}{SEC1}"), PemError::ManyKeys);
    for none in [CERTIFICATE, "", "text", "MC4CAQAwBQYDK2VwBCIEIA7qzkCVRD8O"] {
        check(none, PemError::NoKey);
    }
    for broken in ["-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\nMC4CAQAw"] {
        check(broken, PemError::Broken);
    }
}

#[test]
fn what_signs_with_rsa_takes_nothing_else() {
    for text in [PKCS8, PKCS1] {
        assert!(rsa_private_key(text).is_ok(), "{text:.80}");
    }
    let check = |text: &str, expected: PemError| {
        assert_eq!(rsa_private_key(text).err(), Some(expected), "{text:.80}");
    };
    check(SEC1, PemError::NotRsa);
    check(ED25519, PemError::NotRsa);
    check(RSA_1024, PemError::BadKey);
    check(PUBLIC, PemError::NoKey);
}

#[test]
fn public_keys_are_read_one_at_a_time() {
    assert!(rsa_public_key(PUBLIC).is_ok() && rsa_public_key(&PUBLIC.replace('\n', "\r\n")).is_ok());
    let check = |text: &str, expected: PemError| assert_eq!(rsa_public_key(text).err(), Some(expected), "{text:.80}");
    for text in ["", "text", PKCS8, CERTIFICATE, &format!("{PUBLIC}{PUBLIC}")] {
        check(text, PemError::NoPublicKey);
    }
    check(PUBLIC_1024, PemError::BadPublicKey);
    check(PUBLIC_EC, PemError::BadPublicKey);
    check("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", PemError::BadPublicKey);
    check("-----BEGIN PUBLIC KEY-----\nAAAA", PemError::Broken);
}

#[test]
fn certificates_are_read_in_their_order() {
    let check = |text: &str, expected: Result<usize, PemError>| {
        assert_eq!(certificates(text).map(|all| all.len()), expected, "{text:.80}");
    };
    check(CERTIFICATE, Ok(1));
    check(&format!("{CERTIFICATE}\n{CERTIFICATE}"), Ok(2));
    check(&format!("{PKCS8}{CERTIFICATE}"), Ok(1));
    check(PKCS8, Err(PemError::NoCertificate));
    check("", Err(PemError::NoCertificate));
    check(NO_DER, Err(PemError::BadCertificate));
    check(&format!("{CERTIFICATE}{NO_DER}"), Err(PemError::BadCertificate));
    check(CERTIFICATE.get(..300).unwrap(), Err(PemError::Broken));
    assert_eq!(roots(CERTIFICATE).map(|roots| roots.len()), Ok(1));
    assert_eq!(roots(NO_DER).err(), Some(PemError::BadCertificate));
}

#[test]
fn a_key_belongs_to_one_certificate() {
    let fit = |key: &str| pair(certificates(CERTIFICATE).unwrap(), private_key(key).unwrap()).err();
    assert_eq!((fit(PKCS8), fit(PKCS1)), (None, None));
    assert_eq!((fit(SEC1), fit(ED25519)), (Some(PemError::Mismatch), Some(PemError::Mismatch)));
}

#[test]
fn a_text_of_which_nothing_more_is_known_holds_a_block() {
    let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAdGVzdA==\n-----END PUBLIC KEY-----\n";
    for good in [public, CERTIFICATE, PKCS8] {
        assert_eq!(super::check(good), Ok(()));
    }
    assert!(!holds_private_key(public) && !holds_private_key(CERTIFICATE));
    for none in ["", "sk_test_1", "-----BEGIN POEM-----\nAAAA\n-----END POEM-----\n"] {
        assert_eq!(super::check(none), Err(PemError::NoBlock), "{none}");
    }
}
