//! RSA keys in PEM, and what is done with them.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::PublicKey;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair, RsaParameters, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};

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

/// The signature of a message in base64. `None`: the PEM is no private RSA key of 2048 to 8192 bits, in PKCS#8 or PKCS#1.
pub(super) fn sign(pem: &str, padding: Padding, message: &[u8]) -> Option<String> {
    let key = match PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()? {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()?,
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok()?,
        _ => return None,
    };
    let encoding: &'static dyn RsaEncoding = match padding {
        Padding::Pkcs1 => &RSA_PKCS1_SHA256,
        Padding::Pss => &RSA_PSS_SHA256,
    };
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding, &SystemRandom::new(), message, &mut signature).ok()?;
    Some(STANDARD.encode(signature))
}

/// The DER of a public key in PEM (`BEGIN PUBLIC KEY`); `None` if it is no RSA key.
pub(super) fn public_key(pem: &str) -> Option<Vec<u8>> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
    Some(PublicKey::from_der(&der).ok()?.as_der().ok()?.as_ref().to_vec())
}

/// Whether this is the signature of a message, by PKCS#1 v1.5.
pub(super) fn is_signature(key: &[u8], hash: Hash, message: &[u8], base64: &str) -> bool {
    let parameters: &'static RsaParameters = match hash {
        Hash::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        Hash::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
    };
    STANDARD.decode(base64).is_ok_and(|signature| UnparsedPublicKey::new(parameters, key).verify(message, &signature).is_ok())
}
