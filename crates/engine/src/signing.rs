//! P-521 keys: made, read from PEM, named by thumbprint; and the tokens that private ones sign.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey, Signature,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::{Secret, Timestamp};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Bytes of one coordinate.
const COORDINATE_BYTES: usize = 66;
/// Bytes of an uncompressed point: the byte 4 and two coordinates.
const POINT_BYTES: usize = 1 + 2 * COORDINATE_BYTES;
/// Longest PEM text that is read; a P-521 key takes about 400 bytes.
const PEM_BYTES_MAX: usize = 16 * 1024;
/// What stands before the point in a DER SubjectPublicKeyInfo of P-521: ecPublicKey, secp521r1, and a bit string of 133 bytes.
const SPKI_PREFIX: [u8; 25] = [
    0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23, 0x03,
    0x81, 0x86, 0x00,
];

/// A P-521 public key that lies on its curve.
#[derive(Clone)]
pub struct PublicKey {
    point: [u8; POINT_BYTES],
    parsed: ParsedPublicKey,
}

/// A P-521 private key. It leaves the process as PEM only.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

/// What a token says.
#[derive(Clone, Debug)]
pub struct TokenClaims {
    /// Scope strings.
    pub scopes: Vec<String>,
    /// Who made it, free text.
    pub issuer: String,
    /// From when it holds.
    pub now: Timestamp,
    /// For how long.
    pub lifetime_seconds: i64,
    /// Its own id.
    pub id: Uuid,
    /// Ties what is done with it to a checkout session.
    pub checkout_session_id: Option<Uuid>,
    /// Pins members of what is done with it.
    pub embed: Option<Map<String, Value>>,
}

/// Why a key can not be read. The words are for whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the PEM section that is wanted.
    #[error("not a PEM public key (`-----BEGIN PUBLIC KEY-----`)")]
    NotPublicPem,
    /// A private key where a public one belongs. It should be thrown away.
    #[error("this is a private key: send the public key, and make a new pair, since this one has been shown")]
    PrivateInsteadOfPublic,
    /// Another kind of key.
    #[error("not an ECDSA public key on the curve P-521 with an uncompressed point")]
    NotP521,
    /// The coordinates do not lie on the curve.
    #[error("the public key is not a point on the curve P-521")]
    NotOnCurve,
    /// Not a private key that we read.
    #[error("not an unencrypted PKCS#8 private key of P-521 (`-----BEGIN PRIVATE KEY-----`)")]
    NotPrivatePem,
}

// === impl PublicKey ===

impl PublicKey {
    /// Takes an uncompressed SEC1 point.
    pub fn from_point(bytes: &[u8]) -> Result<Self, KeyError> {
        let point: [u8; POINT_BYTES] = bytes.try_into().map_err(|_| KeyError::NotP521)?;
        if point.first() != Some(&4) {
            return Err(KeyError::NotP521);
        }
        let parsed = ParsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point).map_err(|_| KeyError::NotOnCurve)?;
        Ok(Self { point, parsed })
    }

    /// Reads a PEM SubjectPublicKeyInfo.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.len() > PEM_BYTES_MAX {
            return Err(KeyError::NotPublicPem);
        }
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyError::PrivateInsteadOfPublic);
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::NotPublicPem)?;
        let point = der.as_ref().strip_prefix(&SPKI_PREFIX).ok_or(KeyError::NotP521)?;
        Self::from_point(point)
    }

    /// The uncompressed SEC1 point, 133 bytes.
    pub fn point(&self) -> &[u8] {
        &self.point
    }

    /// The key as PEM SubjectPublicKeyInfo.
    pub fn to_pem(&self) -> String {
        let der: Vec<u8> = SPKI_PREFIX.iter().chain(&self.point).copied().collect();
        pem("PUBLIC KEY", &der)
    }

    /// RFC 7638 thumbprint over coordinates of 66 bytes: the `kid` that is published.
    pub fn thumbprint(&self) -> String {
        let (x, y) = self.coordinates();
        thumbprint_of(x, y)
    }

    /// The thumbprint over coordinates without leading zero bytes, which Go clients of before June 2026 send.
    pub fn thumbprint_unpadded(&self) -> String {
        let (x, y) = self.coordinates();
        thumbprint_of(without_leading_zeros(x), without_leading_zeros(y))
    }

    /// Whether the signature (r and s, 66 bytes each) is this key's over the message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }

    fn coordinates(&self) -> (&[u8], &[u8]) {
        self.point.get(1..).unwrap_or_default().split_at(COORDINATE_BYTES)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PublicKey").field(&self.thumbprint()).finish()
    }
}

// === impl SigningKey ===

impl SigningKey {
    /// Makes a new pair from the system's random numbers.
    pub fn generate() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).expect("the system has random numbers");
        Self::of(pair).expect("a generated key lies on its curve")
    }

    /// Reads an unencrypted PKCS#8 PEM, the form that we hand out and that the SDKs read.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::NotPrivatePem)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P521_SHA512_FIXED_SIGNING, der.secret_pkcs8_der());
        Self::of(pair.map_err(|_| KeyError::NotPrivatePem)?)
    }

    /// The key as unencrypted PKCS#8 PEM.
    pub fn to_pem(&self) -> Secret {
        let der = self.pair.to_pkcs8v1().expect("a key that was read or made can be written");
        Secret::from(pem("PRIVATE KEY", der.as_ref()))
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a token, as the SDKs do.
    pub fn token(&self, claims: &TokenClaims) -> String {
        let header = json!({"alg": "ES512", "typ": "JWT", "kid": self.public.thumbprint()});
        let start = claims.now.seconds();
        let mut payload = json!({
            "iss": claims.issuer,
            "nbf": start,
            "iat": start,
            "exp": start.saturating_add(claims.lifetime_seconds),
            "jti": claims.id.hyphenated().to_string(),
            "scopes": claims.scopes,
        });
        if let Some(members) = payload.as_object_mut() {
            if let Some(id) = claims.checkout_session_id {
                members.insert("checkout_session_id".to_owned(), Value::String(id.hyphenated().to_string()));
            }
            if let Some(embed) = &claims.embed {
                members.insert("embed".to_owned(), Value::Object(embed.clone()));
            }
        }
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload.to_string(), &mut token);
        let signature = self.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        token
    }

    fn of(pair: EcdsaKeyPair) -> Result<Self, KeyError> {
        let public = PublicKey::from_point(pair.public_key().as_ref())?;
        Ok(Self { pair, public })
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        self.pair.sign(&SystemRandom::new(), message).expect("signing needs random numbers and nothing else")
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public).finish()
    }
}

fn thumbprint_of(x: &[u8], y: &[u8]) -> String {
    let mut jwk = String::with_capacity(240);
    write!(jwk, r#"{{"crv":"P-521","kty":"EC","x":"{}","y":"{}"}}"#, URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))
        .expect("writing to a string does not fail");
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, jwk.as_bytes()))
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// Lines of 64 characters between the two markers.
fn pem(label: &str, der: &[u8]) -> String {
    // The label may be that of a private key: no copy is left behind, by growing neither.
    let encoded = Zeroizing::new(STANDARD.encode(der));
    let mut text = String::with_capacity(encoded.len() + encoded.len() / 64 + 2 * label.len() + 64);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

#[cfg(test)]
mod tests {
    use p521::elliptic_curve::sec1::ToSec1Point as _;

    use super::*;

    /// RFC 7638 as its text says, written apart from the code above.
    fn thumbprint(x: &[u8], y: &[u8]) -> String {
        let jwk = serde_json::to_string(&std::collections::BTreeMap::from([
            ("kty", "EC".to_owned()),
            ("crv", "P-521".to_owned()),
            ("x", URL_SAFE_NO_PAD.encode(x)),
            ("y", URL_SAFE_NO_PAD.encode(y)),
        ]));
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, jwk.unwrap().as_bytes()))
    }

    fn stripped(mut bytes: &[u8]) -> &[u8] {
        while let [0, rest @ ..] = bytes {
            bytes = rest;
        }
        bytes
    }

    #[test]
    fn thumbprints_are_those_of_rfc_7638_with_and_without_leading_zeros() {
        let (mut with_zeros, mut without) = (0, 0);
        // One coordinate in two begins with a zero byte, so each kind comes soon.
        while with_zeros < 2 || without < 2 {
            let key = SigningKey::generate();
            let point = key.public().point();
            let (x, y) = (&point[1..67], &point[67..]);
            assert_eq!(key.public().thumbprint(), thumbprint(x, y));
            assert_eq!(key.public().thumbprint_unpadded(), thumbprint(stripped(x), stripped(y)));
            assert_eq!(key.public().thumbprint().len(), 43);
            let same = key.public().thumbprint() == key.public().thumbprint_unpadded();
            assert_eq!(same, x[0] != 0 && y[0] != 0);
            if same { without += 1 } else { with_zeros += 1 }
        }
    }

    #[test]
    fn keys_survive_the_trip_through_pem() {
        let key = SigningKey::generate();
        let pem = key.to_pem();
        let text = pem.expose_str().unwrap();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n") && text.ends_with("-----END PRIVATE KEY-----\n"));
        assert!(text.lines().all(|line| line.len() <= 64));
        assert_eq!(SigningKey::from_pem(text).unwrap().public().point(), key.public().point());
        let public = key.public().to_pem();
        assert_eq!(PublicKey::from_pem(&public).unwrap().point(), key.public().point());
        assert_eq!(PublicKey::from_pem(&public.replace('\n', "\r\n")).unwrap().point(), key.public().point());
        assert_eq!(PublicKey::from_pem(&format!("a note\n{public}")).unwrap().point(), key.public().point());
        assert_eq!(SigningKey::from_pem(&public).unwrap_err(), KeyError::NotPrivatePem);
        assert!(!format!("{key:?}").contains(&text[28..60]));
    }

    #[test]
    fn only_points_on_p521_are_taken() {
        let key = SigningKey::generate();
        let point = key.public().point().to_vec();
        let mut off_curve = point.clone();
        off_curve[132] ^= 1;
        let mut infinity = vec![0; 133];
        infinity[0] = 4;
        let mut too_large = vec![0xff; 133];
        too_large[0] = 4;
        let compressed = p521::PublicKey::from_sec1_bytes(&point).unwrap().to_sec1_point(true).as_bytes().to_vec();
        let mut hybrid = point.clone();
        hybrid[0] = 6 | (hybrid[132] & 1);
        for (name, bytes, expected) in [
            ("off the curve", off_curve, KeyError::NotOnCurve),
            ("zero", infinity, KeyError::NotOnCurve),
            ("beyond the field", too_large, KeyError::NotOnCurve),
            ("compressed", compressed, KeyError::NotP521),
            ("hybrid", hybrid, KeyError::NotP521),
            ("infinity", vec![0], KeyError::NotP521),
            ("short", point[..132].to_vec(), KeyError::NotP521),
            ("long", [point.clone(), vec![0]].concat(), KeyError::NotP521),
            ("empty", Vec::new(), KeyError::NotP521),
        ] {
            assert_eq!(PublicKey::from_point(&bytes).unwrap_err(), expected, "{name}");
            let der: Vec<u8> = SPKI_PREFIX.iter().chain(&bytes).copied().collect();
            assert_eq!(PublicKey::from_pem(&pem("PUBLIC KEY", &der)).unwrap_err(), expected, "{name}");
        }
    }

    #[test]
    fn other_pem_texts_are_refused_and_told_apart() {
        let p256 = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\nq9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n-----END PUBLIC KEY-----\n";
        let ed25519 =
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        let key = SigningKey::generate();
        let private = key.to_pem();
        for (name, text, expected) in [
            ("P-256", p256, KeyError::NotP521),
            ("Ed25519", ed25519, KeyError::NotP521),
            ("private", private.expose_str().unwrap(), KeyError::PrivateInsteadOfPublic),
            ("SEC1", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", KeyError::PrivateInsteadOfPublic),
            ("certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", KeyError::NotPublicPem),
            ("empty", "", KeyError::NotPublicPem),
            ("no PEM", "MFkwEwYHKoZIzj0CAQYI", KeyError::NotPublicPem),
            ("cut", key.public().to_pem().split_at(80).0, KeyError::NotPublicPem),
            ("long", &"-".repeat(PEM_BYTES_MAX + 1), KeyError::NotPublicPem),
        ] {
            assert_eq!(PublicKey::from_pem(text).unwrap_err(), expected, "{name}");
        }
    }
}
