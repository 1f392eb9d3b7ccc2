//! API key pairs: who may sign tokens, with which roles, for which merchant accounts.

use crate::{ApiKeyPairId, MerchantAccountId, RoleId, Timestamp};

/// A registered public key. The private half is shown once, if we made it, and never stored.
#[derive(Clone, Debug)]
pub struct ApiKeyPair {
    /// Its id.
    pub id: ApiKeyPairId,
    /// For people, 1 to 200 characters.
    pub display_name: String,
    /// RFC 7638 thumbprint with coordinates padded to 66 bytes: the `kid` that is published.
    pub thumbprint: String,
    /// The thumbprint over coordinates without leading zero bytes, which older Go clients send; equal to the other for one key in four.
    pub thumbprint_unpadded: String,
    /// Uncompressed SEC1 point of the P-521 public key, 133 bytes.
    pub public_key: Vec<u8>,
    /// Whether its tokens are accepted.
    pub active: bool,
    /// Its roles.
    pub role_ids: Vec<RoleId>,
    /// The accounts it may act in; empty means all of them.
    pub merchant_account_ids: Vec<MerchantAccountId>,
    /// Who made it; null for the first one of an instance.
    pub creator: Option<Creator>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When one of its tokens was last accepted; may lag a minute.
    pub last_used_at: Option<Timestamp>,
}

/// The key pair that made a key pair, as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creator {
    /// Its id.
    pub id: ApiKeyPairId,
    /// Its display name.
    pub name: String,
    /// Its thumbprint.
    pub thumbprint: String,
}

/// A new key pair before it has an id.
#[derive(Clone, Debug)]
pub struct NewApiKeyPair {
    /// For people.
    pub display_name: String,
    /// Whether it may be used at once.
    pub active: bool,
    /// Its roles, at least one.
    pub role_ids: Vec<RoleId>,
    /// The accounts it may act in; empty means all of them.
    pub merchant_account_ids: Vec<MerchantAccountId>,
    /// PEM of a P-521 public key (`BEGIN PUBLIC KEY`); absent: a pair is generated.
    pub public_key_pem: Option<String>,
}
