//! Certificates and keys as merchants enter them: PEM, read the same way when it is stored and when it is used.

use std::sync::Arc;

use aws_lc_rs::rsa::PublicKey;
use aws_lc_rs::signature::RsaParameters;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{Error, InconsistentKeys, RootCertStore, SignatureAlgorithm};
use rustls_pki_types::pem::{PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};

/// The sizes of RSA keys that are taken, in bits.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

/// What is wrong with a text that should be PEM. Reads on behind the name of a field and never holds a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No block that this server knows.
    #[error("holds no PEM block: it has lines from `-----BEGIN …-----` to `-----END …-----`")]
    NoBlock,
    /// A block without an end, or of something else than base64.
    #[error("holds a PEM block that can not be read: it has no end, or is not base64")]
    Broken,
    /// No certificate.
    #[error("holds no certificate: it has a PEM block that begins with `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// A certificate that is none.
    #[error("holds a certificate that can not be read")]
    BadCertificate,
    /// No private key.
    #[error(
        "holds no private key: it has a PEM block that begins with `-----BEGIN PRIVATE KEY-----` (or `RSA PRIVATE KEY`, `EC PRIVATE KEY`)"
    )]
    NoKey,
    /// More than one private key, so that nobody knows which is meant.
    #[error("holds more than one private key")]
    ManyKeys,
    /// A key behind a passphrase that nobody could enter.
    #[error("holds an encrypted private key: store it without a passphrase, as `openssl pkey -in key.pem` writes it")]
    Encrypted,
    /// A key that can not sign.
    #[error("holds a private key that can not be used: RSA of 2048 bits or more, ECDSA and Ed25519 can")]
    BadKey,
    /// A private key of another kind than the one that signs.
    #[error("holds a private key of another kind: requests of this payment service are signed with RSA")]
    NotRsa,
    /// No public key.
    #[error("holds no public key: it has one PEM block that begins with `-----BEGIN PUBLIC KEY-----`")]
    NoPublicKey,
    /// A public key that no signature can be checked with.
    #[error("holds a public key that can not be used: RSA of 2048 to 8192 bits can")]
    BadPublicKey,
    /// The public key of the certificate is another.
    #[error("holds another key than the first certificate is for")]
    Mismatch,
}

type Block = (SectionKind, Vec<u8>);

/// The certificates of a text in their order, one at least.
pub fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let blocks = blocks(text)?.into_iter();
    let certificates: Vec<CertificateDer<'static>> = blocks.filter_map(|(kind, der)| CertificateDer::from_pem(kind, der)).collect();
    if certificates.is_empty() {
        return Err(PemError::NoCertificate);
    }
    for certificate in &certificates {
        ParsedCertificate::try_from(certificate).map_err(|_| PemError::BadCertificate)?;
    }
    Ok(certificates)
}

/// The certificates of a text as what others are trusted by.
pub fn roots(text: &str) -> Result<RootCertStore, PemError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(text)? {
        roots.add(certificate).map_err(|_| PemError::BadCertificate)?;
    }
    Ok(roots)
}

/// The one private key of a text: PKCS#8, PKCS#1 or SEC1, not encrypted.
pub fn private_key(text: &str) -> Result<Arc<dyn SigningKey>, PemError> {
    let mut keys = private_keys(text)?;
    match (keys.pop(), keys.is_empty()) {
        (None, _) => Err(PemError::NoKey),
        (Some(key), true) => Ok(key),
        (Some(_), false) => Err(PemError::ManyKeys),
    }
}

/// The one private key of a text, which must be RSA.
pub fn rsa_private_key(text: &str) -> Result<Arc<dyn SigningKey>, PemError> {
    let key = private_key(text)?;
    if key.algorithm() == SignatureAlgorithm::RSA { Ok(key) } else { Err(PemError::NotRsa) }
}

/// The one public key of a text, which must be RSA.
pub fn rsa_public_key(text: &str) -> Result<PublicKey, PemError> {
    let mut keys = blocks(text)?.into_iter().filter_map(|(kind, der)| SubjectPublicKeyInfoDer::from_pem(kind, der));
    let (Some(key), None) = (keys.next(), keys.next()) else { return Err(PemError::NoPublicKey) };
    let key = PublicKey::from_der(&key).map_err(|_| PemError::BadPublicKey)?;
    let bits = RsaParameters::public_modulus_len(key.as_ref()).map_err(|_| PemError::BadPublicKey)?;
    if RSA_BITS.contains(&bits) { Ok(key) } else { Err(PemError::BadPublicKey) }
}

/// A chain and the key of its first certificate.
pub fn pair(chain: Vec<CertificateDer<'static>>, key: Arc<dyn SigningKey>) -> Result<CertifiedKey, PemError> {
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(pair),
        Err(Error::InconsistentKeys(_)) => Err(PemError::Mismatch),
        Err(_) => Err(PemError::BadCertificate),
    }
}

/// What is wrong with a text of which nothing more is known than that it is PEM.
pub fn check(text: &str) -> Result<(), PemError> {
    private_keys(text)?;
    if blocks(text)?.is_empty() { Err(PemError::NoBlock) } else { Ok(()) }
}

/// Whether a private key stands in a text, readable or not.
pub fn holds_private_key(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY-----"))
}

fn private_keys(text: &str) -> Result<Vec<Arc<dyn SigningKey>>, PemError> {
    // The second is how PKCS#1 and SEC1 say it, with a header inside of the block.
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(PemError::Encrypted);
    }
    let keys = blocks(text)?.into_iter().filter_map(|(kind, der)| PrivateKeyDer::from_pem(kind, der));
    keys.map(|key| any_supported_type(&key).map_err(|_| PemError::BadKey)).collect()
}

fn blocks(text: &str) -> Result<Vec<Block>, PemError> {
    Block::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(|_| PemError::Broken)
}

#[cfg(test)]
mod tests;
