//! The data keys of all merchant accounts, unwrapped.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aws_lc_rs::aead::RandomizedNonceKey;
use domain::payment_service::SealedField;
use domain::{MerchantAccountId, Scope, Secret, Timestamp};
use store::Tx;
use store::data_keys::WrappedDataKey;
use zeroize::Zeroizing;

use super::root_key::RootKey;
use super::sealing::{KEY_BYTES, OpenError, Place, key_of, open, seal};
use crate::snapshot::Snapshot;
use crate::{Engine, Refusal};

/// One version of a merchant account's data key.
pub struct DataKey {
    version: i64,
    key: RandomizedNonceKey,
}

/// Every data key of the instance.
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

/// A stored data key does not open under the root key.
#[derive(Debug, thiserror::Error)]
pub enum UnwrapError {
    /// It was wrapped by another root key.
    #[error(
        "the data key of merchant account {account} is wrapped by root key {stored}, and the configured root key is {configured}: configure the root key file that belongs to this database"
    )]
    WrongRootKey {
        /// Whose data key.
        account: MerchantAccountId,
        /// The id of the root key that it needs.
        stored: String,
        /// The id of the root key that there is.
        configured: String,
    },
    /// It was wrapped by this root key and has been changed since.
    #[error("data_keys: version {version} of merchant account {account} is damaged: restore the row from a backup")]
    Damaged {
        /// Whose data key.
        account: MerchantAccountId,
        /// Which version.
        version: i64,
    },
}

// === impl DataKey ===

impl DataKey {
    /// Makes a key for an account and wraps it.
    pub fn generate(root: &RootKey, account: &MerchantAccountId, version: i64, now: Timestamp) -> NewDataKey {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        aws_lc_rs::rand::fill(bytes.as_mut()).expect("the system has random numbers");
        let wrapped = WrappedDataKey {
            account: account.clone(),
            version,
            root_key_id: root.id().to_owned(),
            wrapped: root.wrap(account, version, &bytes),
            created_at: now,
        };
        NewDataKey { wrapped, key: Arc::new(Self { version, key: key_of(&bytes) }) }
    }

    /// Unwraps a stored key.
    pub fn unwrap(root: &RootKey, stored: &WrappedDataKey) -> Result<Self, UnwrapError> {
        if stored.root_key_id != root.id() {
            return Err(UnwrapError::WrongRootKey {
                account: stored.account.clone(),
                stored: stored.root_key_id.clone(),
                configured: root.id().to_owned(),
            });
        }
        let damaged = || UnwrapError::Damaged { account: stored.account.clone(), version: stored.version };
        let bytes = root.unwrap(&stored.account, stored.version, &stored.wrapped).map_err(|OpenError| damaged())?;
        let bytes: &[u8; KEY_BYTES] = bytes.expose().try_into().map_err(|_| damaged())?;
        Ok(Self { version: stored.version, key: key_of(bytes) })
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
    pub fn unwrap(root: &RootKey, stored: &[WrappedDataKey]) -> Result<Self, UnwrapError> {
        let mut keys: HashMap<MerchantAccountId, BTreeMap<i64, Arc<DataKey>>> = HashMap::new();
        for wrapped in stored {
            let key = DataKey::unwrap(root, wrapped)?;
            keys.entry(wrapped.account.clone()).or_default().insert(wrapped.version, Arc::new(key));
        }
        Ok(Self { keys })
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

impl Engine {
    /// The key that an account's values are sealed with; made, in the transaction that needs it, where there is none.
    pub(crate) async fn data_key(&self, tx: &mut Tx, account: &MerchantAccountId) -> Result<Arc<DataKey>, Refusal> {
        if let Some(key) = self.snapshot().keyring().latest(account) {
            return Ok(Arc::clone(key));
        }
        // Another instance may have made one that we have not seen.
        let stored = store::data_keys::all(tx).await?;
        let latest = stored.iter().filter(|wrapped| &wrapped.account == account).max_by_key(|wrapped| wrapped.version);
        if let Some(wrapped) = latest {
            let key = DataKey::unwrap(&self.root_key, wrapped).map_err(|error| Refusal::failed("a data key can not be used", error))?;
            return Ok(Arc::new(key));
        }
        let new = DataKey::generate(&self.root_key, account, 1, self.now());
        store::data_keys::insert(tx, &new.wrapped).await?;
        Ok(new.key)
    }

    /// A snapshot that has the keys of some sealed fields: another instance may have made them since ours was loaded.
    pub(crate) async fn snapshot_that_opens(&self, scope: &Scope, fields: &[SealedField]) -> Arc<Snapshot> {
        let snapshot = self.snapshot();
        if fields.iter().all(|field| snapshot.keyring().version(scope.account(), field.data_key_version).is_some()) {
            return snapshot;
        }
        // A field that does not open counts as missing, so the reader goes on; polling tries again.
        if let Err(error) = self.refresh().await {
            tracing::error!(%error, account = %scope.account(), "Data keys that values are sealed with could not be read.");
        }
        self.snapshot()
    }
}
