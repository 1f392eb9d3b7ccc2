//! The data keys of all merchant accounts, unwrapped.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aws_lc_rs::aead::RandomizedNonceKey;
use domain::{MerchantAccountId, Secret, Timestamp};
use store::data_keys::WrappedDataKey;
use store::{StoreError, Tx};
use zeroize::Zeroizing;

use super::root_key::RootKey;
use super::root_keys::RootKeys;
use super::sealing::{KEY_BYTES, OpenError, Place, key_of, open, seal};
use crate::{Engine, Refusal};

/// One version of a merchant account's data key.
pub struct DataKey {
    version: i64,
    /// A key keeps it when it is wrapped anew, so that version and moment tell that two rows hold the same key.
    created_at: Timestamp,
    key: RandomizedNonceKey,
}

/// Data keys, unwrapped: those of the whole instance, or those of one account as a transaction sees them.
#[derive(Default)]
pub struct Keyring {
    keys: HashMap<MerchantAccountId, BTreeMap<i64, Arc<DataKey>>>,
}

/// A data key that was just made: to be stored, and to be used.
pub struct NewDataKey {
    /// For the database.
    pub wrapped: WrappedDataKey,
    /// For sealing.
    pub key: Arc<DataKey>,
}

/// A stored data key does not open under the root keys.
#[derive(Debug, thiserror::Error)]
pub enum UnwrapError {
    /// It was wrapped by another root key.
    #[error(
        "the data key of merchant account {account} is wrapped by root key {stored}, and the configured root keys are {configured}: configure the root key file that belongs to this database, or, if it was replaced, name the former file in vault.retired_root_key_files"
    )]
    WrongRootKey {
        /// Whose data key.
        account: MerchantAccountId,
        /// The id of the root key that it needs.
        stored: String,
        /// The ids of the root keys that there are, the active one first.
        configured: String,
    },
    /// It was wrapped by one of these root keys and has been changed since.
    #[error("data_keys: version {version} of merchant account {account} is damaged: restore the row from a backup")]
    Damaged {
        /// Whose data key.
        account: MerchantAccountId,
        /// Which version.
        version: i64,
    },
}

/// Why the data keys of an account can not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The database can not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One of them does not open.
    #[error("{0}")]
    Unwrap(#[from] UnwrapError),
}

impl From<KeyringError> for Refusal {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Store(error) => error.into(),
            KeyringError::Unwrap(error) => Self::failed("a data key can not be used", error),
        }
    }
}

// === impl DataKey ===

impl DataKey {
    /// Makes a key for an account and wraps it with the active root key.
    pub fn generate(roots: &RootKeys, account: &MerchantAccountId, version: i64, now: Timestamp) -> NewDataKey {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        aws_lc_rs::rand::fill(bytes.as_mut()).expect("the system has random numbers");
        let wrapped = wrapped(roots.active(), account, version, now, &bytes);
        NewDataKey { wrapped, key: Arc::new(Self { version, created_at: now, key: key_of(&bytes) }) }
    }

    /// Unwraps a stored key with the root key that it names.
    pub fn unwrap(roots: &RootKeys, stored: &WrappedDataKey) -> Result<Self, UnwrapError> {
        let bytes = unwrapped(roots, stored)?;
        Ok(Self { version: stored.version, created_at: stored.created_at, key: key_of(&bytes) })
    }

    /// Whether a stored row holds this key, whatever wraps it now.
    fn is_of(&self, stored: &WrappedDataKey) -> bool {
        self.version == stored.version && self.created_at == stored.created_at
    }

    /// Which version of its account's key it is.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Seals a value for a place.
    pub fn seal(&self, place: &Place<'_>, value: &[u8]) -> Vec<u8> {
        seal(&self.key, place, value)
    }

    /// Opens a value of a place.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Secret, OpenError> {
        open(&self.key, place, sealed)
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataKey").field("version", &self.version).finish_non_exhaustive()
    }
}

// === impl Keyring ===

impl Keyring {
    /// Unwraps all keys. One that does not open stops the whole: better no server than one that seals under the wrong key.
    ///
    /// A server that runs while the root key is replaced, and was not told the new one, goes on with what it has opened before: it must still see which API key pairs were revoked.
    pub fn unwrap(roots: &RootKeys, stored: &[WrappedDataKey], previous: Option<&Self>) -> Result<Self, UnwrapError> {
        let mut keyring = Self::default();
        let mut missing = None;
        for wrapped in stored {
            let opened_before = || previous?.version(&wrapped.account, wrapped.version).filter(|key| key.is_of(wrapped));
            let key = match (DataKey::unwrap(roots, wrapped), opened_before()) {
                (Ok(key), _) => Arc::new(key),
                (Err(UnwrapError::WrongRootKey { .. }), Some(known)) => {
                    missing = Some(&wrapped.root_key_id);
                    Arc::clone(known)
                }
                (Err(error), _) => return Err(error),
            };
            keyring.insert(&wrapped.account, key);
        }
        if let Some(id) = missing {
            tracing::warn!(
                root_key.id = id,
                configured = roots.ids(),
                "Data keys are wrapped by a root key that this server was not given: it goes on with those it has opened, and will not start again without that key."
            );
        }
        Ok(keyring)
    }

    fn insert(&mut self, account: &MerchantAccountId, key: Arc<DataKey>) {
        self.keys.entry(account.clone()).or_default().insert(key.version, key);
    }

    /// The key that values of an account are sealed with: its latest.
    pub fn latest(&self, account: &MerchantAccountId) -> Option<&Arc<DataKey>> {
        self.keys.get(account).and_then(|versions| versions.values().next_back())
    }

    /// The key of a version.
    pub fn version(&self, account: &MerchantAccountId, version: i64) -> Option<&Arc<DataKey>> {
        self.keys.get(account).and_then(|versions| versions.get(&version))
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("accounts", &self.keys.len()).finish()
    }
}

/// A stored key, wrapped by the active root key instead. It stays the same key.
pub(crate) fn rewrap(roots: &RootKeys, stored: &WrappedDataKey) -> Result<WrappedDataKey, UnwrapError> {
    let bytes = unwrapped(roots, stored)?;
    Ok(wrapped(roots.active(), &stored.account, stored.version, stored.created_at, &bytes))
}

fn wrapped(root: &RootKey, account: &MerchantAccountId, version: i64, created_at: Timestamp, key: &[u8; KEY_BYTES]) -> WrappedDataKey {
    let (root_key_id, wrapped) = (root.id().to_owned(), root.wrap(account, version, key));
    WrappedDataKey { account: account.clone(), version, root_key_id, wrapped, created_at }
}

fn unwrapped(roots: &RootKeys, stored: &WrappedDataKey) -> Result<Zeroizing<[u8; KEY_BYTES]>, UnwrapError> {
    let root = roots.get(&stored.root_key_id).ok_or_else(|| UnwrapError::WrongRootKey {
        account: stored.account.clone(),
        stored: stored.root_key_id.clone(),
        configured: roots.ids(),
    })?;
    let damaged = || UnwrapError::Damaged { account: stored.account.clone(), version: stored.version };
    let bytes = root.unwrap(&stored.account, stored.version, &stored.wrapped).map_err(|OpenError| damaged())?;
    let bytes: &[u8; KEY_BYTES] = bytes.expose().try_into().map_err(|_| damaged())?;
    Ok(Zeroizing::new(*bytes))
}

impl Engine {
    /// The data keys of an account as the transaction sees them, none included: whatever value it reads, the key is there. The snapshot may be older or newer than the transaction, in the middle of a rotation for example, so it only saves the unwrapping.
    pub(crate) async fn data_keys(&self, tx: &mut Tx, account: &MerchantAccountId) -> Result<Keyring, KeyringError> {
        let snapshot = self.snapshot();
        let mut keyring = Keyring::default();
        for stored in store::data_keys::of_account(tx, account).await? {
            let known = snapshot.keyring().version(account, stored.version).filter(|key| key.is_of(&stored));
            let key = match known {
                Some(known) => Arc::clone(known),
                None => Arc::new(DataKey::unwrap(&self.root_keys, &stored)?),
            };
            keyring.insert(account, key);
        }
        Ok(keyring)
    }

    /// The key that an account's values are sealed with: the latest that the transaction sees; made in it where there is none.
    pub(crate) async fn data_key(&self, tx: &mut Tx, account: &MerchantAccountId) -> Result<Arc<DataKey>, KeyringError> {
        if let Some(key) = self.data_keys(tx, account).await?.latest(account) {
            return Ok(Arc::clone(key));
        }
        let new = DataKey::generate(&self.root_keys, account, 1, self.now());
        store::data_keys::insert(tx, &new.wrapped).await?;
        Ok(new.key)
    }
}
