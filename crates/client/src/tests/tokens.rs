//! Tokens are checked with the verifier of the library, not with our own code.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, EcdsaKeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

use super::{KEY, KID};
use crate::{KeyError, SigningKey};

/// Header and claims of a token whose signature holds.
pub(super) fn verified(token: &str) -> (Value, Value) {
    let der = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&aws_lc_rs::signature::ECDSA_P521_SHA512_FIXED_SIGNING, der.secret_pkcs8_der()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert_eq!(signature.len(), 132);
    UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, pair.public_key().as_ref()).verify(signed.as_bytes(), &signature).unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    (read(header), read(claims))
}

#[expect(clippy::disallowed_methods, reason = "the claims are compared with the real time")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn the_kid_is_the_padded_thumbprint() {
    assert_eq!(SigningKey::from_pem(KEY).unwrap().kid(), KID);
}

#[test]
fn a_token_holds_its_claims_and_a_good_signature() {
    let key = SigningKey::from_pem(KEY).unwrap();
    let before = now();
    let token = key.token(&["transactions.write", "*.read"], Duration::from_secs(90)).unwrap();
    let (header, claims) = verified(&token);
    assert_eq!(header, serde_json::json!({ "alg": "ES512", "typ": "JWT", "kid": KID }));
    let issued = claims["iat"].as_u64().unwrap();
    assert!((before..=now()).contains(&issued));
    assert_eq!(claims["nbf"], claims["iat"]);
    assert_eq!(claims["exp"].as_u64(), Some(issued + 90));
    assert_eq!(claims["scopes"], serde_json::json!(["transactions.write", "*.read"]));
    assert!(claims["iss"].as_str().unwrap().starts_with("tollhouse-client/"));
    let id: uuid::Uuid = claims["jti"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 4);
}

#[test]
fn every_token_has_an_id_of_its_own() {
    let key = SigningKey::from_pem(KEY).unwrap();
    let id = || verified(&key.token(&["*.read"], Duration::from_secs(1)).unwrap()).1["jti"].clone();
    assert_ne!(id(), id());
}

#[test]
fn other_keys_are_refused_with_the_reason() {
    let refusal = |pem: &str| SigningKey::from_pem(pem).unwrap_err();
    assert!(matches!(refusal(""), KeyError::NoKey(_)));
    assert!(matches!(refusal(&KEY.replace("PRIVATE KEY", "EC PRIVATE KEY")), KeyError::NoKey(_)));
    assert!(refusal("").to_string().contains("openssl pkcs8"));
    // A P-256 key in the same envelope.
    let other = EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let der = other.to_pkcs8v1().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        base64::engine::general_purpose::STANDARD.encode(der.as_ref())
    );
    assert!(matches!(refusal(&pem), KeyError::NotP521(_)));
}

#[test]
fn keys_and_secrets_do_not_print() {
    let key = SigningKey::from_pem(KEY).unwrap();
    assert_eq!(format!("{key:?}"), format!("SigningKey({KID})"));
    let field = crate::Field::new("api_key", "very secret");
    assert!(!format!("{field:?}").contains("very secret"));
    let client = crate::Client::builder().server_url("http://x.example").token("very secret");
    assert!(!format!("{client:?}").contains("very secret"));
    assert!(!format!("{:?}", client.build().unwrap()).contains("very secret"));
}
