//! New root keys and new data keys, while servers run.
//!
//! Both rotations work in short transactions. Each leaves a database that is whole, so a rotation that is cut off at any moment goes on when it is run again. Servers are not stopped: a change seals under the key that is the latest in its own transaction, and a session keeps the values and the keys that it has begun with.

use std::fmt;
use std::time::Duration;

use connectors::catalogue::Catalogue;
use domain::audit::{AuditAction, AuditEntry};
use domain::payment_service::SealedField;
use domain::{AuditEntryId, DefinitionId, MerchantAccountId, Scope};
use store::payment_services::OwnedField;
use store::{Database, StoreError, Tx};

use crate::bootstrap::Ground;
use crate::merchant_accounts;
use crate::payment_services::fields;
use crate::vault::{DataKey, Keyring, RootKeys, UnwrapError, rewrap};

#[cfg(test)]
mod tests;

/// Data keys that one transaction wraps anew. A change of configuration waits for the transaction, which lasts a few milliseconds at this size.
const KEYS_PER_TRANSACTION: i64 = 10;
/// Values that one transaction seals anew; see [`KEYS_PER_TRANSACTION`].
const VALUES_PER_TRANSACTION: i64 = 20;
/// Between two transactions: SQLite has no queue of writers, so that a server's changes only get their turn in a gap.
const PAUSE: Duration = Duration::from_millis(10);

/// Why a rotation stops. What it has done is kept.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The database can not be used.
    #[error("the rotation has stopped before its end: run the command again and it goes on")]
    Store(#[from] StoreError),
    /// A data key does not open under the root keys.
    #[error("{0}")]
    RootKey(#[from] UnwrapError),
}

/// What came of a new data key for one account.
#[derive(Debug)]
pub struct DataRotation {
    /// Whether it was begun or went on.
    pub start: Start,
    /// The version that values are sealed under now.
    pub version: i64,
    /// How many values were sealed anew.
    pub resealed: usize,
    /// Former versions that were deleted.
    pub removed: Vec<i64>,
    /// Former versions that still seal something.
    pub kept: Vec<i64>,
    /// Values that do not open. They stay as they are.
    pub closed: Vec<ClosedValue>,
}

/// How a rotation began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With a new version.
    Begun,
    /// With the latest version, since values are left that a former run did not come to.
    Resumed,
}

/// A stored value that does not open, and so can not be sealed anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedValue {
    /// The table.
    pub table: &'static str,
    /// The id of the row.
    pub row: String,
    /// The column, with the key of the value where a row holds several.
    pub column: String,
    /// The definition that is needed to open it, where it is not loaded.
    pub missing_definition: Option<DefinitionId>,
}

/// Which keys there are, and what they hold.
#[derive(Debug)]
pub struct KeyStatus {
    /// The configured ones, the active one first, then those that are stored and not configured.
    pub root_keys: Vec<RootKeyStatus>,
    /// By account and version.
    pub data_keys: Vec<DataKeyStatus>,
}

/// A root key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootKeyStatus {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub role: RootKeyRole,
    /// How many data keys it wraps.
    pub data_keys: usize,
}

/// What a root key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootKeyRole {
    /// It wraps and opens.
    Active,
    /// It opens.
    Retired,
    /// It is not configured.
    Unknown,
}

/// One version of an account's data key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKeyStatus {
    /// Whose.
    pub account: MerchantAccountId,
    /// Which version. The highest one seals.
    pub version: i64,
    /// The id of the root key that wraps it.
    pub root_key: String,
    /// How many values it seals.
    pub values: i64,
    /// How many answers of idempotency keys it seals.
    pub answers: i64,
}

/// Wraps every data key with the active root key that another one wraps, and answers how many there were. Nothing is changed when one of them does not open.
pub async fn rotate_root(ground: &Ground<'_>) -> Result<usize, RotationError> {
    let mut tx = ground.database.read().await?;
    Keyring::unwrap(ground.root_keys, &store::data_keys::all(&mut tx).await?, None)?;
    drop(tx);
    let mut rewrapped = 0;
    loop {
        match rewrap_some(ground).await? {
            0 => return Ok(rewrapped),
            count => rewrapped += count,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One transaction of a new root key; how many data keys it has wrapped anew.
async fn rewrap_some(ground: &Ground<'_>) -> Result<usize, RotationError> {
    let active = ground.root_keys.active().id();
    let mut tx = ground.database.write().await?;
    let batch = store::data_keys::not_under(&mut tx, active, KEYS_PER_TRANSACTION).await?;
    if batch.is_empty() {
        return Ok(0);
    }
    for stored in &batch {
        store::data_keys::wrap_anew(&mut tx, &rewrap(ground.root_keys, stored)?).await?;
    }
    record(ground, &mut tx, None, (AuditAction::Updated, "root-key", active.to_owned())).await?;
    tx.bump_version().await?;
    tx.commit().await?;
    Ok(batch.len())
}

/// Makes a new data key for an account, seals all of the account's values under it, and deletes the former one when it seals nothing any more. `None` for an account that has no data key, since it has sealed nothing yet.
pub async fn rotate_data(
    ground: &Ground<'_>,
    catalogue: &Catalogue,
    account: &MerchantAccountId,
) -> Result<Option<DataRotation>, RotationError> {
    let mut rotation = Rotation::of(ground, catalogue, account);
    loop {
        let step = rotation.step().await?;
        // After the last one too: another account may follow.
        tokio::time::sleep(PAUSE).await;
        if step == Step::Last {
            return Ok(rotation.done);
        }
    }
}

/// Which keys there are, and what they hold.
pub async fn status(database: &Database, root_keys: &RootKeys) -> Result<KeyStatus, StoreError> {
    let mut tx = database.read().await?;
    let stored = store::data_keys::all(&mut tx).await?;
    let usage = store::data_keys::usage(&mut tx).await?;
    let active = root_keys.active().id();
    let role = |id: &str| if id == active { RootKeyRole::Active } else { RootKeyRole::Retired };
    let mut roots: Vec<RootKeyStatus> =
        root_keys.all().map(|key| RootKeyStatus { id: key.id().to_owned(), role: role(key.id()), data_keys: 0 }).collect();
    for wrapped in &stored {
        match roots.iter_mut().find(|root| root.id == wrapped.root_key_id) {
            Some(root) => root.data_keys += 1,
            None => roots.push(RootKeyStatus { id: wrapped.root_key_id.clone(), role: RootKeyRole::Unknown, data_keys: 1 }),
        }
    }
    let data_keys = stored.into_iter().map(|wrapped| {
        let used = usage.iter().find(|used| used.account == wrapped.account && used.version == wrapped.version);
        DataKeyStatus {
            values: used.map_or(0, |used| used.values),
            answers: used.map_or(0, |used| used.answers),
            account: wrapped.account,
            version: wrapped.version,
            root_key: wrapped.root_key_id,
        }
    });
    Ok(KeyStatus { data_keys: data_keys.collect(), root_keys: roots })
}

/// One run over the values of an account.
struct Rotation<'a> {
    ground: &'a Ground<'a>,
    catalogue: &'a Catalogue,
    scope: Scope,
    /// The field that was looked at last.
    last: Option<OwnedField>,
    /// What was done; nothing before the first transaction.
    done: Option<DataRotation>,
}

/// Whether a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    More,
    Last,
}

// === impl Rotation ===

impl<'a> Rotation<'a> {
    fn of(ground: &'a Ground<'a>, catalogue: &'a Catalogue, account: &MerchantAccountId) -> Self {
        Self { ground, catalogue, scope: Scope::of(account.clone()), last: None, done: None }
    }

    /// One transaction: some values, and with the last of them what is left to do once.
    async fn step(&mut self) -> Result<Step, RotationError> {
        let account = self.scope.account().clone();
        let mut tx = self.ground.database.write().await?;
        let mut keyring = self.keyring(&mut tx).await?;
        let Some(latest) = keyring.latest(&account).map(|key| key.version()) else { return Ok(Step::Last) };
        let mut done = match self.done.take() {
            Some(done) => done,
            None if self.is_under_way(&mut tx, &keyring, latest).await? => DataRotation::new(Start::Resumed, latest),
            None => {
                let new = DataKey::generate(self.ground.root_keys, &account, latest + 1, self.ground.clock.now());
                store::data_keys::insert(&mut tx, &new.wrapped).await?;
                self.record(&mut tx, AuditAction::Created, latest + 1).await?;
                keyring = self.keyring(&mut tx).await?;
                DataRotation::new(Start::Begun, latest + 1)
            }
        };
        let to = keyring.latest(&account).expect("there is a latest one");
        // Another run may have made a newer one since the last transaction.
        done.version = to.version();
        let batch = self.batch(&mut tx, done.version).await?;
        for value in &batch {
            match self.resealed(&keyring, to, value) {
                Ok(field) => {
                    store::payment_services::put_field(&mut tx, &self.scope, value.service, &field).await?;
                    done.resealed += 1;
                }
                Err(closed) => done.closed.push(closed),
            }
        }
        let step = if i64::try_from(batch.len()).is_ok_and(|length| length < VALUES_PER_TRANSACTION) { Step::Last } else { Step::More };
        self.last = batch.into_iter().next_back().or(self.last.take());
        if step == Step::Last {
            self.finish(&mut tx, &keyring, &mut done).await?;
        }
        tx.bump_version().await?;
        tx.commit().await?;
        self.done = Some(done);
        Ok(step)
    }

    /// Whether a former run has left values that it could have sealed anew.
    async fn is_under_way(&mut self, tx: &mut Tx, keyring: &Keyring, latest: i64) -> Result<bool, RotationError> {
        let account = self.scope.account();
        let Some(to) = keyring.latest(account) else { return Ok(false) };
        let secrets = store::merchant_accounts::secrets(tx, &self.scope).await?;
        let mut found = secrets
            .iter()
            .filter(|secret| secret.data_key_version < latest)
            .filter_map(|secret| keyring.version(account, secret.data_key_version).map(|from| (from, secret)))
            .any(|(from, secret)| merchant_accounts::reseal(from, to, account, secret).is_ok());
        while !found {
            let batch = self.batch(tx, latest).await?;
            found = batch.iter().any(|value| self.resealed(keyring, to, value).is_ok());
            self.last = batch.into_iter().next_back();
            if self.last.is_none() {
                break;
            }
        }
        self.last = None;
        Ok(found)
    }

    /// The secrets of the account itself, of which there are few, then the keys that nothing needs any more.
    async fn finish(&self, tx: &mut Tx, keyring: &Keyring, done: &mut DataRotation) -> Result<(), RotationError> {
        let account = self.scope.account();
        let to = keyring.latest(account).expect("there is a latest one");
        for secret in store::merchant_accounts::secrets(tx, &self.scope).await? {
            if secret.data_key_version == done.version {
                continue;
            }
            let from = keyring.version(account, secret.data_key_version);
            match from.map(|from| merchant_accounts::reseal(from, to, account, &secret)) {
                Some(Ok(resealed)) => {
                    store::merchant_accounts::put_secret(tx, &self.scope, &resealed).await?;
                    done.resealed += 1;
                }
                Some(Err(_)) | None => done.closed.push(ClosedValue {
                    table: merchant_accounts::TABLE,
                    row: account.to_string(),
                    column: secret.key,
                    missing_definition: None,
                }),
            }
        }
        done.removed = store::data_keys::remove_unused(tx, account).await?;
        for version in &done.removed {
            self.record(tx, AuditAction::Deleted, *version).await?;
        }
        let left = store::data_keys::of_account(tx, account).await?;
        done.kept = left.iter().map(|key| key.version).filter(|version| *version < done.version).collect();
        Ok(())
    }

    /// All versions of the account's key, as the transaction sees them.
    async fn keyring(&self, tx: &mut Tx) -> Result<Keyring, RotationError> {
        let stored = store::data_keys::of_account(tx, self.scope.account()).await?;
        Ok(Keyring::unwrap(self.ground.root_keys, &stored, None)?)
    }

    async fn batch(&self, tx: &mut Tx, version: i64) -> Result<Vec<OwnedField>, StoreError> {
        store::payment_services::fields_sealed_before(tx, &self.scope, version, self.last.as_ref(), VALUES_PER_TRANSACTION).await
    }

    /// A value, sealed under another key for the hosts that its definition names today. Under those it opens, or it does not open at all.
    fn resealed(&self, keyring: &Keyring, to: &DataKey, value: &OwnedField) -> Result<SealedField, ClosedValue> {
        let account = self.scope.account();
        let connector = self.catalogue.get(value.definition.as_str());
        let from = keyring.version(account, value.field.data_key_version);
        let resealed = connector.zip(from).map(|(connector, from)| {
            let trust = connector.trust();
            fields::reseal(from, to, (account, value.service), &value.field, &trust)
        });
        match resealed {
            Some(Ok(field)) => Ok(field),
            Some(Err(_)) | None => {
                let (row, column) = fields::place_names(value.service, value.field.set, &value.field.key);
                let missing_definition = if connector.is_none() { Some(value.definition.clone()) } else { None };
                Err(ClosedValue { table: fields::TABLE, row, column, missing_definition })
            }
        }
    }

    async fn record(&self, tx: &mut Tx, action: AuditAction, version: i64) -> Result<(), StoreError> {
        record(self.ground, tx, Some(self.scope.account()), (action, "data-key", version.to_string())).await
    }
}

// === impl DataRotation ===

impl DataRotation {
    fn new(start: Start, version: i64) -> Self {
        Self { start, version, resealed: 0, removed: Vec::new(), kept: Vec::new(), closed: Vec::new() }
    }
}

// === impl ClosedValue ===

impl fmt::Display for ClosedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, row {}, column {}", self.table, self.row, self.column)?;
        match &self.missing_definition {
            Some(definition) => write!(f, ": its definition {definition} is not loaded"),
            None => f.write_str(": it does not open: it was stored for other hosts than its definition names now, or is damaged"),
        }
    }
}

/// Each transaction says in the audit log what it has done to the keys.
async fn record(
    ground: &Ground<'_>,
    tx: &mut Tx,
    account: Option<&MerchantAccountId>,
    (action, resource_type, resource_id): (AuditAction, &str, String),
) -> Result<(), StoreError> {
    let now = ground.clock.now();
    let entry = AuditEntry {
        id: AuditEntryId(ground.ids.v7(now)),
        merchant_account_id: account.cloned(),
        action,
        resource_type: resource_type.to_owned(),
        resource_name: resource_id.clone(),
        resource_id,
        actor_id: None,
        actor_name: ground.command.to_owned(),
        request_id: ground.command.to_owned(),
        origin: String::new(),
        created_at: now,
    };
    store::audit_log::append(tx, &entry).await?;
    Ok(())
}
