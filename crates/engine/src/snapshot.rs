//! Everything a session or a token check needs, in memory: key pairs, accounts, services. It is immutable; a change makes a new one.

use std::collections::HashMap;
use std::sync::Arc;

use domain::api_key_pair::ApiKeyPair;
use domain::merchant_account::MerchantAccount;
use domain::payment_service::{PaymentService, SealedField};
use domain::role::Role;
use domain::{ApiKeyPairId, DefinitionId, MerchantAccountId, PaymentServiceId, PermissionSet, RoleId, Scope};
use store::snapshot::StoredSnapshot;

use crate::signing::PublicKey;
use crate::vault::{Keyring, RootKeys, UnwrapError};

/// What the database held at one version.
#[derive(Debug)]
pub struct Snapshot {
    version: i64,
    accounts: HashMap<MerchantAccountId, Arc<MerchantAccount>>,
    roles: Vec<Arc<Role>>,
    key_pairs: HashMap<ApiKeyPairId, Arc<KeyPair>>,
    kids: HashMap<String, Arc<KeyPair>>,
    services: HashMap<PaymentServiceId, Arc<Service>>,
    callable: HashMap<MerchantAccountId, HashMap<DefinitionId, Arc<Service>>>,
    keyring: Keyring,
}

/// A key pair, ready to verify.
#[derive(Debug)]
pub struct KeyPair {
    /// As stored.
    pub pair: ApiKeyPair,
    /// What its roles allow together.
    pub permissions: PermissionSet,
    /// Its public key.
    pub public_key: PublicKey,
}

/// A payment service with its fields, sealed.
#[derive(Debug)]
pub struct Service {
    /// As stored.
    pub service: PaymentService,
    /// Its fields.
    pub fields: Vec<SealedField>,
}

/// Stored rows that no snapshot can be made of.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A data key does not open.
    #[error("{0}")]
    DataKey(#[from] UnwrapError),
    /// A public key that no check of ours would have let in.
    #[error("api_key_pairs: column public_key of {0} is damaged: restore the row from a backup")]
    PublicKey(ApiKeyPairId),
}

// === impl Snapshot ===

impl Snapshot {
    /// Unwraps keys, resolves roles and sorts services. Public keys, and data keys that were opened, are taken over from the snapshot before where they are the same.
    pub(crate) fn build(stored: StoredSnapshot, roots: &RootKeys, previous: Option<&Self>) -> Result<Self, SnapshotError> {
        let roles: Vec<Arc<Role>> = stored.roles.into_iter().map(Arc::new).collect();
        let mut key_pairs = HashMap::new();
        let mut kids = HashMap::new();
        for pair in stored.key_pairs {
            let key_pair = Arc::new(key_pair(pair, &roles, previous)?);
            kids.insert(key_pair.pair.thumbprint.clone(), Arc::clone(&key_pair));
            kids.insert(key_pair.pair.thumbprint_unpadded.clone(), Arc::clone(&key_pair));
            key_pairs.insert(key_pair.pair.id, key_pair);
        }
        let services: HashMap<PaymentServiceId, Arc<Service>> =
            stored.services.into_iter().map(|(service, fields)| (service.id, Arc::new(Service { service, fields }))).collect();
        Ok(Self {
            version: stored.version,
            accounts: stored.accounts.into_iter().map(|account| (account.id.clone(), Arc::new(account))).collect(),
            roles,
            key_pairs,
            kids,
            callable: callable(services.values()),
            services,
            keyring: Keyring::unwrap(roots, &stored.data_keys, previous.map(Self::keyring))?,
        })
    }

    /// The version of the database it was read at.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// A merchant account.
    pub fn account(&self, id: &str) -> Option<&Arc<MerchantAccount>> {
        self.accounts.get(id)
    }

    /// A role.
    pub fn role(&self, id: RoleId) -> Option<&Arc<Role>> {
        self.roles.iter().find(|role| role.id == id)
    }

    /// A key pair, active or not.
    pub fn key_pair(&self, id: ApiKeyPairId) -> Option<&Arc<KeyPair>> {
        self.key_pairs.get(&id)
    }

    /// The key pair that a token names, by either of its thumbprints.
    pub fn key_pair_of_kid(&self, kid: &str) -> Option<&Arc<KeyPair>> {
        self.kids.get(kid)
    }

    /// A payment service of the account; one of another account is not there.
    pub fn service(&self, scope: &Scope, id: PaymentServiceId) -> Option<&Arc<Service>> {
        self.services.get(&id).filter(|service| &service.service.merchant_account_id == scope.account())
    }

    /// The service that a session by definition calls: of the account's active ones the lowest position, then the oldest.
    pub fn callable_service(&self, scope: &Scope, definition_id: &str) -> Option<&Arc<Service>> {
        self.callable.get(scope.account())?.get(definition_id)
    }

    /// Every payment service that is not deleted, of all accounts, in no order.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.values()
    }

    /// The unwrapped data keys.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }
}

fn key_pair(pair: ApiKeyPair, roles: &[Arc<Role>], previous: Option<&Snapshot>) -> Result<KeyPair, SnapshotError> {
    let known = previous.and_then(|snapshot| snapshot.key_pair(pair.id)).filter(|known| known.pair.public_key == pair.public_key);
    let public_key = match known {
        Some(known) => known.public_key.clone(),
        None => PublicKey::from_point(&pair.public_key).map_err(|_| SnapshotError::PublicKey(pair.id))?,
    };
    let assigned = roles.iter().filter(|role| pair.role_ids.contains(&role.id));
    let permissions = assigned.flat_map(|role| role.permissions.iter()).collect();
    Ok(KeyPair { pair, permissions, public_key })
}

fn callable<'a>(services: impl Iterator<Item = &'a Arc<Service>>) -> HashMap<MerchantAccountId, HashMap<DefinitionId, Arc<Service>>> {
    let rank = |service: &Service| (service.service.settings.position, service.service.created_at, service.service.id);
    let mut callable: HashMap<MerchantAccountId, HashMap<DefinitionId, Arc<Service>>> = HashMap::new();
    for candidate in services.filter(|service| service.service.settings.active && !service.service.is_deleted) {
        let of_account = callable.entry(candidate.service.merchant_account_id.clone()).or_default();
        let best = of_account.entry(candidate.service.definition_id.clone()).or_insert_with(|| Arc::clone(candidate));
        if rank(candidate) < rank(best) {
            *best = Arc::clone(candidate);
        }
    }
    callable
}

#[cfg(test)]
mod tests {
    use domain::payment_service::PaymentServiceSettings;

    use super::*;
    use crate::signing::SigningKey;
    use crate::testing::{NOON, account_id, id, key_pair, role, root_keys, stored};

    fn service(number: u64, account: &str, definition: &str, position: i64, age_seconds: i64) -> PaymentService {
        PaymentService {
            id: PaymentServiceId(id(number)),
            merchant_account_id: account_id(account),
            definition_id: DefinitionId::parse(definition).unwrap(),
            method: "card".to_owned(),
            settings: PaymentServiceSettings {
                display_name: format!("Service {number}"),
                position,
                active: true,
                accepted_currencies: Vec::new(),
                accepted_countries: Vec::new(),
                three_d_secure_enabled: false,
                merchant_profile: None,
                payment_method_tokenization_enabled: false,
                network_tokens_enabled: false,
                open_loop: false,
                settlement_reporting_enabled: false,
            },
            is_deleted: false,
            created_at: NOON.plus_seconds(-age_seconds),
            updated_at: NOON,
        }
    }

    #[test]
    fn a_definition_means_the_lowest_position_then_the_oldest_active_service_of_the_account() {
        let mut services = vec![
            service(1, "a", "acme-card", 3, 900),
            service(2, "a", "acme-card", 2, 10),
            service(3, "a", "acme-card", 2, 20),
            service(4, "a", "acme-card", 1, 999),
            service(5, "a", "acme-ideal", 9, 1),
            service(6, "b", "acme-card", 0, 999),
        ];
        services[3].settings.active = false;
        let mut rows = stored(Vec::new());
        rows.services = services.into_iter().map(|service| (service, Vec::new())).collect();
        let snapshot = Snapshot::build(rows, &root_keys(), None).unwrap();
        let picked = |account: &str, definition: &str| {
            let service = snapshot.callable_service(&Scope::of(account_id(account)), definition);
            service.map(|service| service.service.id.0)
        };
        assert_eq!(picked("a", "acme-card"), Some(id(3)));
        assert_eq!(picked("a", "acme-ideal"), Some(id(5)));
        assert_eq!(picked("b", "acme-card"), Some(id(6)));
        assert_eq!(picked("b", "acme-ideal"), None);
        assert_eq!(picked("default", "acme-card"), None);
        let seen_from = |account: &str, number| snapshot.service(&Scope::of(account_id(account)), PaymentServiceId(id(number))).is_some();
        assert!(seen_from("a", 4), "an inactive service is there");
        assert!(!seen_from("b", 1) && !seen_from("a", 99));
    }

    #[test]
    fn key_pairs_are_found_by_both_thumbprints_and_have_what_their_roles_allow() {
        let key = SigningKey::generate();
        let mut rows = stored(vec![key_pair(10, &key, &[2, 3, 77], &[])]);
        rows.roles.extend([role(2, &["buyers.read"]), role(3, &["transactions.write"])]);
        let snapshot = Snapshot::build(rows, &root_keys(), None).unwrap();
        for kid in [key.public().thumbprint(), key.public().thumbprint_unpadded()] {
            let found = snapshot.key_pair_of_kid(&kid).unwrap();
            assert_eq!(found.permissions.iter().collect::<Vec<_>>(), ["buyers.read", "transactions.write"]);
        }
        let mut damaged = key_pair(11, &key, &[2], &[]);
        damaged.public_key[100] ^= 1;
        let error = Snapshot::build(stored(vec![damaged]), &root_keys(), None).unwrap_err();
        assert!(error.to_string().contains("api_key_pairs: column public_key"), "{error}");
    }
}
