//! What an instance must have before anybody can ask it anything: the account `default`, the built-in roles, and a key pair to begin with.

use domain::api_key_pair::ApiKeyPair;
use domain::audit::{AuditAction, AuditEntry};
use domain::merchant_account::{MerchantAccount, MerchantAccountSettings};
use domain::role::{BUILT_IN_ROLES, BuiltInRole, Role};
use domain::{ApiKeyPairId, AuditEntryId, MerchantAccountId, RoleId, Secret, Timestamp};
use store::api_key_pairs::Insertion;
use store::{Database, StoreError, Tx};

use crate::signing::{KeyError, PublicKey, SigningKey};
use crate::vault::{DataKey, Keyring, RootKeys, UnwrapError};
use crate::{Clock, Ids};

#[cfg(test)]
mod tests;

/// What setting up works with.
pub struct Ground<'a> {
    /// A database whose schema is up to date.
    pub database: &'a Database,
    /// The root keys.
    pub root_keys: &'a RootKeys,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// Where ids come from.
    pub ids: &'a dyn Ids,
    /// The command that does this, for the audit log.
    pub command: &'static str,
}

/// Where the first key pair comes from.
#[derive(Clone, Debug)]
pub enum FirstKey {
    /// It is made here.
    Generated,
    /// It was made elsewhere: the PEM of its public half.
    Registered(String),
}

/// Why an instance can not be set up.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The database can not be used.
    #[error("the instance can not be set up")]
    Store(#[from] StoreError),
    /// The root keys are not those of this database.
    #[error("{0}")]
    RootKey(#[from] UnwrapError),
    /// There are key pairs: whoever holds one of them makes others.
    #[error("this database has {0} API key pairs already: make another through the API, with one that has full access")]
    AlreadySetUp(i64),
    /// The public key can not be used.
    #[error("the public key can not be used: {0}")]
    PublicKey(#[from] KeyError),
}

/// The slug of the role of the first key pair.
const FULL_ACCESS: &str = "full-access";

/// Makes what every instance has, and the first key pair, which may do everything everywhere. Its private half, if it was made here, is not kept.
pub async fn init(ground: &Ground<'_>, key: FirstKey, display_name: &str) -> Result<(ApiKeyPair, Option<Secret>), BootstrapError> {
    let (public, private_pem) = match key {
        FirstKey::Generated => {
            let key = SigningKey::generate();
            (key.public().clone(), Some(key.to_pem()))
        }
        FirstKey::Registered(pem) => (PublicKey::from_pem(&pem)?, None),
    };
    let mut tx = ground.database.write().await?;
    // Before anything else is said: whoever has the wrong key at hand should know.
    Keyring::unwrap(ground.root_keys, &store::data_keys::all(&mut tx).await?, None)?;
    let count = store::api_key_pairs::count(&mut tx).await?;
    if count > 0 {
        return Err(BootstrapError::AlreadySetUp(count));
    }
    ground.foundations(&mut tx).await?;
    let pair = ground.key_pair(&mut tx, &public, display_name).await?;
    finish(tx).await?;
    Ok((pair, private_pem))
}

/// Makes what is missing of what every instance has: to be called at each start.
pub async fn ensure_foundations(ground: &Ground<'_>) -> Result<(), BootstrapError> {
    let mut tx = ground.database.write().await?;
    ground.foundations(&mut tx).await?;
    finish(tx).await
}

/// The key pair of a public key: the one there is, or a new one that may do everything everywhere. For development, where the key file outlives the database or the other way round.
pub async fn ensure_key_pair(ground: &Ground<'_>, public: &PublicKey, display_name: &str) -> Result<ApiKeyPair, BootstrapError> {
    let mut tx = ground.database.write().await?;
    ground.foundations(&mut tx).await?;
    let pair = ground.key_pair(&mut tx, public, display_name).await?;
    finish(tx).await?;
    Ok(pair)
}

async fn finish(mut tx: Tx) -> Result<(), BootstrapError> {
    tx.bump_version().await?;
    Ok(tx.commit().await?)
}

// === impl Ground ===

impl Ground<'_> {
    async fn foundations(&self, tx: &mut Tx) -> Result<(), BootstrapError> {
        let now = self.clock.now();
        for built_in in BUILT_IN_ROLES {
            store::roles::insert(tx, &role(built_in, RoleId(self.ids.v7(now)), now)).await?;
        }
        let account = default_account(now);
        if store::merchant_accounts::insert(tx, &account, &[]).await? {
            let created = ("merchant-account", account.id.to_string(), account.settings.display_name.as_str());
            self.audit(tx, Some(&account.id), created).await?;
        }
        self.default_data_key(tx, &account.id, now).await
    }

    /// The key of the account `default` is made before anything is sealed: it is what a wrong root key is recognised by.
    async fn default_data_key(&self, tx: &mut Tx, account: &MerchantAccountId, now: Timestamp) -> Result<(), BootstrapError> {
        let stored = store::data_keys::all(tx).await?;
        Keyring::unwrap(self.root_keys, &stored, None)?;
        if !stored.iter().any(|wrapped| &wrapped.account == account) {
            let new = DataKey::generate(self.root_keys, account, 1, now);
            store::data_keys::insert(tx, &new.wrapped).await?;
        }
        Ok(())
    }

    async fn key_pair(&self, tx: &mut Tx, public: &PublicKey, display_name: &str) -> Result<ApiKeyPair, BootstrapError> {
        let now = self.clock.now();
        let roles = store::roles::all(tx).await?;
        let pair = ApiKeyPair {
            id: ApiKeyPairId(self.ids.v7(now)),
            display_name: display_name.to_owned(),
            thumbprint: public.thumbprint(),
            thumbprint_unpadded: public.thumbprint_unpadded(),
            public_key: public.point().to_vec(),
            active: true,
            role_ids: roles.iter().filter(|role| role.slug == FULL_ACCESS).map(|role| role.id).collect(),
            merchant_account_ids: Vec::new(),
            creator: None,
            created_at: now,
            updated_at: now,
            last_used_at: None,
        };
        match store::api_key_pairs::insert(tx, &pair).await? {
            Insertion::Inserted => {
                self.audit(tx, None, ("api-key-pair", pair.id.to_string(), display_name)).await?;
                Ok(pair)
            }
            Insertion::Taken(id) => Ok(store::api_key_pairs::get(tx, id).await?.unwrap_or(pair)),
        }
    }

    async fn audit(&self, tx: &mut Tx, account: Option<&MerchantAccountId>, created: (&str, String, &str)) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (resource_type, resource_id, resource_name) = created;
        let entry = AuditEntry {
            id: AuditEntryId(self.ids.v7(now)),
            merchant_account_id: account.cloned(),
            action: AuditAction::Created,
            resource_type: resource_type.to_owned(),
            resource_id,
            resource_name: resource_name.to_owned(),
            actor_id: None,
            actor_name: self.command.to_owned(),
            request_id: self.command.to_owned(),
            origin: String::new(),
            created_at: now,
        };
        store::audit_log::append(tx, &entry).await?;
        Ok(())
    }
}

fn role(built_in: &BuiltInRole, id: RoleId, now: Timestamp) -> Role {
    Role {
        id,
        name: built_in.name.to_owned(),
        slug: built_in.slug.to_owned(),
        description: built_in.description.to_owned(),
        permissions: built_in.scopes.iter().copied().collect(),
        created_at: now,
    }
}

fn default_account(now: Timestamp) -> MerchantAccount {
    let settings = MerchantAccountSettings { display_name: "Default".to_owned(), ..MerchantAccountSettings::default() };
    MerchantAccount { id: MerchantAccountId::default_account(), settings, created_at: now, updated_at: now }
}
