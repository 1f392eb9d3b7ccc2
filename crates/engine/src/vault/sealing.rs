//! AES-256-GCM with a random nonce, over values that know their place.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use domain::{MerchantAccountId, Secret};

/// Bytes of an AES-256 key.
pub(super) const KEY_BYTES: usize = 32;

/// Where a sealed value stands. All of it is authenticated with the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The column, and the key of the value where a row holds several.
    pub column: &'a str,
    /// The id of the row.
    pub row: &'a str,
    /// The merchant account.
    pub account: &'a MerchantAccountId,
    /// The version of the data key.
    pub version: i64,
    /// For credentials where they may be sent, else empty.
    pub hosts: &'a str,
}

/// A value did not open: another key, another place, other hosts, or damaged bytes. Which of them can not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open")]
pub struct OpenError;

impl Place<'_> {
    /// Each part after its length, so that no two places are the same bytes.
    fn associated_data(&self) -> Vec<u8> {
        let version = self.version.to_be_bytes();
        let parts: [&[u8]; 6] = [
            self.table.as_bytes(),
            self.column.as_bytes(),
            self.row.as_bytes(),
            self.account.as_str().as_bytes(),
            &version,
            self.hosts.as_bytes(),
        ];
        let mut data = Vec::with_capacity(parts.iter().map(|part| part.len() + size_of::<u64>()).sum());
        for part in parts {
            data.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            data.extend_from_slice(part);
        }
        data
    }
}

/// An AES-256-GCM key. The library holds it and wipes it.
pub(super) fn key_of(bytes: &[u8; KEY_BYTES]) -> RandomizedNonceKey {
    RandomizedNonceKey::new(&AES_256_GCM, bytes).expect("32 bytes are an AES-256 key")
}

/// Nonce, ciphertext and tag.
pub(super) fn seal(key: &RandomizedNonceKey, place: &Place<'_>, value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(NONCE_LEN + value.len() + AES_256_GCM.tag_len());
    sealed.extend_from_slice(value);
    let nonce = key
        .seal_in_place_append_tag(Aad::from(place.associated_data()), &mut sealed)
        .expect("sealing needs random numbers and a value far below the limit of 64 GiB");
    sealed.splice(0..0, nonce.as_ref().iter().copied());
    sealed
}

/// The value, if key and place are those it was sealed with.
pub(super) fn open(key: &RandomizedNonceKey, place: &Place<'_>, sealed: &[u8]) -> Result<Secret, OpenError> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LEN).ok_or(OpenError)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError)?;
    let mut buffer = ciphertext.to_vec();
    let length = key.open_in_place(nonce, Aad::from(place.associated_data()), &mut buffer).map_err(|_| OpenError)?.len();
    buffer.truncate(length);
    Ok(Secret::new(buffer))
}
