//! Setting up an empty database.

use domain::page::PageRequest;
use tempfile::TempDir;

use super::*;
use crate::testing::databases::on_each_database;
use crate::testing::{CountingIds, ManualClock, root_keys};
use crate::vault::RootKey;

struct Empty {
    database: Database,
    clock: ManualClock,
    ids: CountingIds,
    _directory: TempDir,
}

impl Empty {
    /// Runs a test on each database engine.
    async fn on_each_engine(test: impl AsyncFn(Self)) {
        on_each_database(async |database, directory| {
            test(Self { database, clock: ManualClock::new(), ids: CountingIds::new(), _directory: directory }).await;
        })
        .await;
    }

    fn ground<'a>(&'a self, root_keys: &'a RootKeys) -> Ground<'a> {
        Ground { database: &self.database, root_keys, clock: &self.clock, ids: &self.ids, command: "tollhouse init" }
    }
}

#[tokio::test]
async fn the_first_key_pair_may_do_everything_and_there_is_one_first() {
    Empty::on_each_engine(async |empty| {
        let root_keys = root_keys();
        let ground = empty.ground(&root_keys);
        let (pair, private) = init(&ground, FirstKey::Generated, "First").await.unwrap();
        assert_eq!(SigningKey::from_pem(private.unwrap().expose_str().unwrap()).unwrap().public().thumbprint(), pair.thumbprint);
        assert!(pair.merchant_account_ids.is_empty() && pair.active);
        let again = init(&ground, FirstKey::Generated, "Second").await.unwrap_err();
        assert!(matches!(again, BootstrapError::AlreadySetUp(1)), "{again}");

        let mut tx = empty.database.read().await.unwrap();
        let roles = store::roles::all(&mut tx).await.unwrap();
        assert_eq!(roles.len(), BUILT_IN_ROLES.len());
        let full = roles.iter().find(|role| role.slug == FULL_ACCESS).unwrap();
        assert_eq!(pair.role_ids, [full.id]);
        let account = store::merchant_accounts::get(&mut tx, &MerchantAccountId::default_account()).await.unwrap();
        assert!(account.is_some());
        assert_eq!(store::data_keys::all(&mut tx).await.unwrap().len(), 1);
        let scope = domain::Scope::of(MerchantAccountId::default_account());
        let page = PageRequest { limit: 10, cursor: None };
        let filter = store::audit_log::Filter::default();
        let entries = store::audit_log::list(&mut tx, &scope, store::audit_log::InstanceEntries::Included, &page, &filter).await.unwrap();
        let mut types: Vec<&str> = entries.items.iter().map(|entry| entry.resource_type.as_str()).collect();
        types.sort_unstable();
        assert_eq!(types, ["api-key-pair", "merchant-account"]);
        assert!(entries.items.iter().all(|entry| entry.actor_name == "tollhouse init" && entry.actor_id.is_none()));
    })
    .await;
}

#[tokio::test]
async fn a_key_made_elsewhere_is_registered_and_a_wrong_one_refused() {
    Empty::on_each_engine(async |empty| {
        let root_keys = root_keys();
        let ground = empty.ground(&root_keys);
        let wrong = init(&ground, FirstKey::Registered("nonsense".to_owned()), "First").await.unwrap_err();
        assert!(matches!(wrong, BootstrapError::PublicKey(KeyError::NotPublicPem)));
        let key = SigningKey::generate();
        let (pair, private) = init(&ground, FirstKey::Registered(key.public().to_pem()), "First").await.unwrap();
        assert!(private.is_none());
        assert_eq!(pair.thumbprint, key.public().thumbprint());
    })
    .await;
}

#[tokio::test]
async fn setting_up_again_changes_nothing() {
    Empty::on_each_engine(async |empty| {
        let root_keys = root_keys();
        let ground = empty.ground(&root_keys);
        let key = SigningKey::generate();
        let first = ensure_key_pair(&ground, key.public(), "First").await.unwrap();
        ensure_foundations(&ground).await.unwrap();
        assert_eq!(ensure_key_pair(&ground, key.public(), "Second").await.unwrap().id, first.id);
        let mut tx = empty.database.read().await.unwrap();
        assert_eq!(store::api_key_pairs::count(&mut tx).await.unwrap(), 1);
        assert_eq!(store::roles::all(&mut tx).await.unwrap().len(), BUILT_IN_ROLES.len());
        assert_eq!(store::data_keys::all(&mut tx).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn r48_a_wrong_root_key_is_noticed_before_anything_is_sealed_with_it() {
    Empty::on_each_engine(async |empty| {
        let root_keys = root_keys();
        init(&empty.ground(&root_keys), FirstKey::Generated, "First").await.unwrap();
        let wrong = RootKeys::only(RootKey::of(&[9; 32]));
        let error = ensure_foundations(&empty.ground(&wrong)).await.unwrap_err();
        assert!(matches!(error, BootstrapError::RootKey(UnwrapError::WrongRootKey { .. })));
        assert!(error.to_string().contains("configure the root key file that belongs to this database"), "{error}");
    })
    .await;
}
