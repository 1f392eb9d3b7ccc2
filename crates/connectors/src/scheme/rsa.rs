//! Signing and checking with RSA.

use aws_lc_rs::rsa::PublicKey;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RsaParameters, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::SignatureScheme;

use crate::pem;

/// How a signature is padded.
#[derive(Clone, Copy)]
pub(super) enum Padding {
    /// PKCS#1 v1.5 with SHA-256.
    Pkcs1,
    /// PSS with SHA-256, MGF1 with SHA-256, and a salt of 32 bytes.
    Pss,
}

/// The hash of a signature that is checked.
#[derive(Clone, Copy)]
pub(super) enum Hash {
    /// Only for answers of services that still sign with it; nothing is signed with it here.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// The signature of a message in base64. `None`: the PEM is no private RSA key.
pub(super) fn sign(pem: &str, padding: Padding, message: &[u8]) -> Option<String> {
    // TLS 1.3 means the same by its names: the salt of PSS is as long as the hash (RFC 8446, 4.2.3).
    let scheme = match padding {
        Padding::Pkcs1 => SignatureScheme::RSA_PKCS1_SHA256,
        Padding::Pss => SignatureScheme::RSA_PSS_SHA256,
    };
    let signer = pem::rsa_private_key(pem).ok()?.choose_scheme(&[scheme])?;
    signer.sign(message).ok().map(|signature| STANDARD.encode(signature))
}

/// Whether this is the signature of a message, by PKCS#1 v1.5.
pub(super) fn is_signature(key: &PublicKey, hash: Hash, message: &[u8], base64: &str) -> bool {
    let parameters: &'static RsaParameters = match hash {
        Hash::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        Hash::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
    };
    STANDARD.decode(base64).is_ok_and(|signature| UnparsedPublicKey::new(parameters, key).verify(message, &signature).is_ok())
}
