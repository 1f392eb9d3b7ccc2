//! What the tests of this crate share: a clock that is set, ids that count, and stored rows without a database.

pub(crate) mod databases;
pub(crate) mod instance;
mod provider;
pub(crate) mod warnings;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use domain::api_key_pair::ApiKeyPair;
use domain::merchant_account::{MerchantAccount, MerchantAccountSettings};
use domain::role::Role;
use domain::{ApiKeyPairId, MerchantAccountId, RoleId, Timestamp};
use store::snapshot::StoredSnapshot;
use uuid::Uuid;

use crate::signing::SigningKey;
use crate::vault::{RootKey, RootKeys};
use crate::{Clock, Ids};

/// 22 November 2026, noon, UTC.
pub(crate) const NOON: Timestamp = Timestamp::from_micros(1_795_348_800_000_000);

/// A clock that stands still until it is set.
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(NOON.micros()))
    }

    pub(crate) fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    pub(crate) fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis * 1_000, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.load(Ordering::Relaxed) - NOON.micros()).unwrap_or_default())
    }
}

/// Ids that count up.
pub(crate) struct CountingIds(AtomicU64);

impl CountingIds {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(1))
    }
}

impl Ids for CountingIds {
    fn v7(&self, _: Timestamp) -> Uuid {
        self.v4()
    }

    fn v4(&self) -> Uuid {
        id(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

pub(crate) fn id(number: u64) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(number))
}

pub(crate) fn root_key() -> RootKey {
    RootKey::of(&[7; 32])
}

pub(crate) fn root_keys() -> RootKeys {
    RootKeys::only(root_key())
}

pub(crate) fn account_id(text: &str) -> MerchantAccountId {
    MerchantAccountId::parse(text).unwrap()
}

pub(crate) fn account(text: &str) -> MerchantAccount {
    let settings = MerchantAccountSettings { display_name: text.to_owned(), ..MerchantAccountSettings::default() };
    MerchantAccount { id: account_id(text), settings, created_at: NOON, updated_at: NOON }
}

pub(crate) fn role(number: u64, scopes: &[&str]) -> Role {
    Role {
        id: RoleId(id(number)),
        name: format!("Role {number}"),
        slug: format!("role-{number}"),
        description: String::new(),
        permissions: scopes.iter().copied().collect(),
        created_at: NOON,
    }
}

pub(crate) fn key_pair(number: u64, key: &SigningKey, roles: &[u64], accounts: &[&str]) -> ApiKeyPair {
    ApiKeyPair {
        id: ApiKeyPairId(id(number)),
        display_name: format!("Key pair {number}"),
        thumbprint: key.public().thumbprint(),
        thumbprint_unpadded: key.public().thumbprint_unpadded(),
        public_key: key.public().point().to_vec(),
        active: true,
        role_ids: roles.iter().map(|role| RoleId(id(*role))).collect(),
        merchant_account_ids: accounts.iter().map(|account| account_id(account)).collect(),
        creator: None,
        created_at: NOON,
        updated_at: NOON,
        last_used_at: None,
    }
}

/// An instance with the accounts `default`, `a` and `b`, and role 1, which grants everything.
pub(crate) fn stored(key_pairs: Vec<ApiKeyPair>) -> StoredSnapshot {
    StoredSnapshot {
        version: 1,
        accounts: ["default", "a", "b"].map(account).to_vec(),
        roles: vec![role(1, &["*.read", "*.write", "embed"])],
        key_pairs,
        services: Vec::new(),
        data_keys: Vec::new(),
    }
}
