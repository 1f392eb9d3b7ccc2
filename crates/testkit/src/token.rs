//! Tokens, signed by code that shares nothing with the server's.
#![expect(clippy::indexing_slicing, reason = "test equipment fails by panicking")]

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// A P-521 key that signs tokens.
pub struct Key {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Key {
    /// A new key, known to no server yet.
    pub fn generate() -> Self {
        Self { pair: EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).expect("randomness"), random: SystemRandom::new() }
    }

    /// Reads an unencrypted PKCS#8 PEM, as the server hands it out.
    pub fn from_pem(pem: &str) -> Self {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).expect("a PKCS#8 PEM");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P521_SHA512_FIXED_SIGNING, der.secret_pkcs8_der()).expect("a P-521 key");
        Self { pair, random: SystemRandom::new() }
    }

    /// The public half as PEM (`BEGIN PUBLIC KEY`).
    pub fn public_pem(&self) -> String {
        // SubjectPublicKeyInfo of an uncompressed P-521 point (RFC 5480): the header is always the same.
        const HEADER: [u8; 25] = [
            0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23,
            0x03, 0x81, 0x86, 0x00,
        ];
        let text = base64::engine::general_purpose::STANDARD.encode([&HEADER, self.pair.public_key().as_ref()].concat());
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// The public half as an uncompressed point: the byte 4, x and y.
    pub fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// RFC 7638 thumbprint with coordinates padded to 66 bytes.
    pub fn thumbprint(&self) -> String {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(66);
        thumbprint_of(x, y)
    }

    /// The thumbprint that older Go clients send: leading zero bytes of the coordinates are left out.
    pub fn thumbprint_unpadded(&self) -> String {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(66);
        let strip = |coordinate: &[u8]| coordinate.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
        thumbprint_of(&strip(x), &strip(y))
    }

    /// Signs a header and claims as they are given, right or wrong.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_parts(&URL_SAFE_NO_PAD.encode(header.to_string()), &URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    /// Signs two encoded parts, whatever they hold.
    pub fn sign_parts(&self, header: &str, claims: &str) -> String {
        let signed = format!("{header}.{claims}");
        let signature = self.pair.sign(&self.random, signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// A token like those of the SDKs: good for 30 s.
    pub fn token(&self, scopes: &[&str]) -> String {
        self.token_with(json!({ "scopes": scopes }))
    }

    /// A token whose claims are those of the SDKs, with some replaced or, where null, left out.
    pub fn token_with(&self, changed: Value) -> String {
        let now = now_seconds();
        let mut claims =
            json!({ "iss": "testkit", "iat": now, "nbf": now, "exp": now + 30, "jti": "3f0a8d70-2b6e-4c0e-9a9e-6a0b7a0d8b11" });
        for (name, value) in changed.as_object().expect("claims are an object") {
            let members = claims.as_object_mut().expect("claims are an object");
            match value {
                Value::Null => drop(members.remove(name)),
                value => drop(members.insert(name.clone(), value.clone())),
            }
        }
        self.sign(&json!({ "alg": "ES512", "typ": "JWT", "kid": self.thumbprint() }), &claims)
    }
}

/// Seconds since the Unix epoch by the machine's clock, which the server reads as well.
#[expect(clippy::disallowed_methods, reason = "a client has a clock of its own")]
pub fn now_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

fn thumbprint_of(x: &[u8], y: &[u8]) -> String {
    let encode = |coordinate: &[u8]| URL_SAFE_NO_PAD.encode(coordinate);
    let canonical = format!(r#"{{"crv":"P-521","kty":"EC","x":"{}","y":"{}"}}"#, encode(x), encode(y));
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}
