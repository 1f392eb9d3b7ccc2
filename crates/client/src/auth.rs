//! Tokens: a key, its name, and what it signs.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;

/// Length of one coordinate of a P-521 point, padded.
const COORDINATE_BYTES: usize = 66;
/// What the tokens of this client say about who made them.
const ISSUER: &str = concat!("tollhouse-client/", env!("CARGO_PKG_VERSION"));

/// A private key of an API key pair: ECDSA on P-521, from PKCS#8 PEM. Clones share the key.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<EcdsaKeyPair>,
    kid: Arc<str>,
}

/// Why a PEM text is no signing key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No `BEGIN PRIVATE KEY` in the text.
    #[error("no PKCS#8 private key (`BEGIN PRIVATE KEY`) in the PEM text; `openssl pkcs8 -topk8 -nocrypt` converts other forms")]
    NoKey(#[source] rustls_pki_types::pem::Error),
    /// A key of another kind.
    #[error("the private key is not ECDSA on P-521: {0}")]
    NotP521(String),
}

/// Why a token could not be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The system's clock is before 1970.
    #[error("the system clock is before 1970")]
    Clock,
    /// The system gave no random bytes, or the library refused to sign.
    #[error("the token could not be signed")]
    Signature,
}

// === impl SigningKey ===

impl SigningKey {
    /// Reads an unencrypted PKCS#8 PEM, as the server hands it out.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(KeyError::NoKey)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P521_SHA512_FIXED_SIGNING, der.secret_pkcs8_der())
            .map_err(|rejected| KeyError::NotP521(rejected.to_string()))?;
        let kid = thumbprint(pair.public_key().as_ref()).ok_or_else(|| KeyError::NotP521("unexpected point".to_owned()))?;
        Ok(Self { pair: Arc::new(pair), kid: kid.into() })
    }

    /// The name of the key in tokens: its RFC 7638 thumbprint, which the server calls `thumbprint`.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// A token with these scopes, valid from now for `lifetime`.
    pub fn token<S: AsRef<str>>(&self, scopes: &[S], lifetime: Duration) -> Result<String, SignError> {
        let scopes: Vec<&str> = scopes.iter().map(AsRef::as_ref).collect();
        let now = unix_seconds()?;
        let header = json!({ "alg": "ES512", "typ": "JWT", "kid": self.kid() });
        let claims = json!({
            "iss": ISSUER,
            "nbf": now,
            "iat": now,
            "exp": now.saturating_add(lifetime.as_secs()),
            "jti": random_uuid()?.to_string(),
            "scopes": scopes,
        });
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| SignError::Signature)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

/// Where the tokens of a client come from.
#[derive(Clone)]
pub(crate) enum Tokens {
    /// Signs one for each request.
    Signed { key: SigningKey, scopes: Arc<[String]>, lifetime: Duration },
    /// Sends the same one each time.
    Fixed(Arc<str>),
}

impl Tokens {
    pub(crate) fn next(&self) -> Result<String, SignError> {
        match self {
            Self::Signed { key, scopes, lifetime } => key.token(scopes, *lifetime),
            Self::Fixed(token) => Ok(token.as_ref().to_owned()),
        }
    }
}

/// The RFC 7638 thumbprint of an uncompressed point. Coordinates keep their leading zeros: without them three keys in four would get another name.
fn thumbprint(point: &[u8]) -> Option<String> {
    let (form, coordinates) = point.split_first()?;
    if *form != 4 || coordinates.len() != 2 * COORDINATE_BYTES {
        return None;
    }
    let (x, y) = coordinates.split_at(COORDINATE_BYTES);
    let jwk = format!(r#"{{"crv":"P-521","kty":"EC","x":"{}","y":"{}"}}"#, URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    Some(URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, jwk.as_bytes())))
}

fn random_uuid() -> Result<uuid::Uuid, SignError> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| SignError::Signature)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

fn unix_seconds() -> Result<u64, SignError> {
    #[expect(clippy::disallowed_methods, reason = "this crate stands alone: it has no clock of the server's to ask")]
    let now = SystemTime::now();
    Ok(now.duration_since(UNIX_EPOCH).map_err(|_| SignError::Clock)?.as_secs())
}
