//! Key pairs on a real database.

use domain::Permission;

use super::*;
use crate::signing::PublicKey;
use crate::testing::instance::{Instance, ORIGIN, first_page};
use crate::testing::{account_id, id};

fn new(role_ids: Vec<RoleId>, accounts: &[&str]) -> NewApiKeyPair {
    NewApiKeyPair {
        display_name: "New".to_owned(),
        active: true,
        role_ids,
        merchant_account_ids: accounts.iter().map(|account| account_id(account)).collect(),
        public_key_pem: None,
    }
}

async fn create_as(instance: &Instance, caller: &Caller, new: NewApiKeyPair) -> Result<(ApiKeyPairView, Option<Secret>), Refusal> {
    create(&instance.engine, caller, &instance.request(), new).await
}

/// What became of it: `done`, `forbidden`, `not found`, or the problems.
fn outcome<T>(result: Result<T, Refusal>) -> String {
    match result {
        Ok(_) => "done".to_owned(),
        Err(Refusal::Forbidden) => "forbidden".to_owned(),
        Err(Refusal::NotFound) => "not found".to_owned(),
        Err(Refusal::Invalid(problems)) => {
            problems.iter().map(|problem| format!("{} {}", problem.pointer, problem.kind)).collect::<Vec<_>>().join(", ")
        }
        Err(other) => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_generated_pair_signs_tokens_and_a_registered_one_too() {
    Instance::on_each_engine(async |instance| {
        let roles = instance.role_ids(&["processing-only"]).await;
        let (view, private) = create_as(&instance, &instance.caller(), new(roles.clone(), &[])).await.unwrap();
        let key = SigningKey::from_pem(private.unwrap().expose_str().unwrap()).unwrap();
        assert_eq!(view.pair.thumbprint, key.public().thumbprint());
        assert_eq!(view.roles.iter().map(|role| role.slug.as_str()).collect::<Vec<_>>(), ["processing-only"]);
        assert_eq!(view.pair.creator.unwrap().name, "First");
        let caller = instance.caller_of(&key, &["*.read", "*.write"]);
        assert!(caller.may(Permission::named("transactions.write")) && !caller.may(Permission::named("payment-services.write")));

        let key = SigningKey::generate();
        let own = NewApiKeyPair { public_key_pem: Some(key.public().to_pem()), ..new(roles.clone(), &[]) };
        let (view, private) = create_as(&instance, &instance.caller(), own.clone()).await.unwrap();
        assert!(private.is_none());
        instance.caller_of(&key, &["*.read"]);
        match create_as(&instance, &instance.caller(), own).await {
            Err(Refusal::Duplicate { field: "public_key", resource_id }) => assert_eq!(resource_id, Some(view.pair.id.to_string())),
            other => panic!("{other:?}"),
        }
        let pem = instance.key.to_pem();
        let private = NewApiKeyPair { public_key_pem: Some(pem.expose_str().unwrap().to_owned()), ..new(vec![RoleId(id(999_999))], &[]) };
        assert_eq!(
            outcome(create_as(&instance, &instance.caller(), private).await),
            "/role_ids/0 unknown_reference, /public_key value_error"
        );
    })
    .await;
}

#[tokio::test]
async fn nobody_gives_more_than_they_have() {
    Instance::on_each_engine(async |instance| {
        instance.account("a").await;
        instance.account("b").await;
        let full = instance.role_ids(&["full-access"]).await;
        let management = instance.role_ids(&["system-management-only"]).await;
        let reporting = instance.role_ids(&["reporting"]).await;
        let unknown = vec![full[0], RoleId(id(999_999))];
        let everything = instance.caller();
        let narrow_token = instance.caller_of(&instance.key, &["api-key-pairs.write", "api-key-pairs.read"]);
        let manager_key = instance.bound_key(&["system-management-only"], &[]).await;
        let manager = instance.caller_of(&manager_key, &["*.read", "*.write"]);
        let bound_key = instance.bound_key(&["full-access"], &["a"]).await;
        let bound = instance.caller_of(&bound_key, &["*.read", "*.write"]);
        let table = [
            ("full, everywhere", &everything, new(full.clone(), &[]), "done"),
            ("full, one account", &everything, new(full.clone(), &["a"]), "done"),
            ("unknown account", &everything, new(full.clone(), &["a", "x"]), "/merchant_account_ids/1 unknown_reference"),
            ("unknown role", &everything, new(unknown.clone(), &[]), "/role_ids/1 unknown_reference"),
            ("more than the token says", &narrow_token, new(full.clone(), &[]), "forbidden"),
            ("more than the roles say", &manager, new(full.clone(), &[]), "forbidden"),
            ("others than the roles say", &manager, new(reporting.clone(), &[]), "forbidden"),
            ("what the roles say", &manager, new(management.clone(), &[]), "done"),
            ("its own account", &bound, new(full.clone(), &["a"]), "done"),
            ("another account", &bound, new(full.clone(), &["b"]), "forbidden"),
            ("an account that does not exist", &bound, new(full.clone(), &["x"]), "forbidden"),
            ("everywhere", &bound, new(full.clone(), &[]), "forbidden"),
        ];
        for (name, caller, new, expected) in table {
            assert_eq!(outcome(create_as(&instance, caller, new).await), expected, "{name}");
        }
        let (view, _) = create_as(&instance, &everything, new(full.clone(), &["a"])).await.unwrap();
        let patched =
            async |caller: &Caller, patch| outcome(update(&instance.engine, caller, &instance.request(), view.pair.id, patch).await);
        let to_accounts = |accounts: &[&str]| ApiKeyPairPatch {
            merchant_account_ids: Patch::Value(accounts.iter().map(|account| account_id(account)).collect()),
            ..ApiKeyPairPatch::default()
        };
        assert_eq!(patched(&bound, to_accounts(&[])).await, "forbidden");
        assert_eq!(patched(&bound, to_accounts(&["a", "b"])).await, "forbidden");
        // Who manages key pairs everywhere and has no other right must not carry those of a pair into other accounts.
        assert_eq!(patched(&manager, to_accounts(&[])).await, "forbidden");
        assert_eq!(patched(&manager, to_accounts(&["a", "b"])).await, "forbidden");
        assert_eq!(patched(&manager, to_accounts(&["a"])).await, "done");
        assert_eq!(patched(&everything, to_accounts(&["a", "b"])).await, "done");
        assert_eq!(patched(&manager, to_accounts(&["a"])).await, "done");
        assert_eq!(patched(&everything, to_accounts(&["x"])).await, "/merchant_account_ids/0 unknown_reference");
        let roles = ApiKeyPairPatch { role_ids: Patch::Value(unknown), ..ApiKeyPairPatch::default() };
        assert_eq!(patched(&everything, roles).await, "/role_ids/1 unknown_reference");
        let roles = ApiKeyPairPatch { role_ids: Patch::Value(full), ..ApiKeyPairPatch::default() };
        assert_eq!(patched(&narrow_token, roles).await, "forbidden");
        let name = ApiKeyPairPatch { display_name: Patch::Value("Renamed".to_owned()), ..ApiKeyPairPatch::default() };
        assert_eq!(patched(&bound, name).await, "done");
        let seen = get(&instance.engine, &bound, view.pair.id).await.unwrap();
        assert_eq!((seen.pair.display_name.as_str(), seen.merchant_accounts[0].id.as_str()), ("Renamed", "a"));
    })
    .await;
}

#[tokio::test]
async fn a_bound_caller_sees_the_pairs_within_its_accounts() {
    Instance::on_each_engine(async |instance| {
        for account in ["a", "b"] {
            instance.account(account).await;
        }
        let full = instance.role_ids(&["full-access"]).await;
        let mut ids = Vec::new();
        for accounts in [&["a"][..], &["b"], &["a", "b"], &[]] {
            ids.push(create_as(&instance, &instance.caller(), new(full.clone(), accounts)).await.unwrap().0.pair.id);
        }
        let key = instance.bound_key(&["full-access"], &["a"]).await;
        let bound = instance.caller_of(&key, &["*.read", "*.write"]);
        let listed = list(&instance.engine, &bound, &first_page()).await.unwrap().items;
        assert!(listed.iter().all(|view| view.pair.merchant_account_ids == [account_id("a")]));
        assert_eq!(listed.len(), 2, "the pair of account a and its own");
        for (id, visible) in ids.iter().zip([true, false, false, false]) {
            assert_eq!(get(&instance.engine, &bound, *id).await.is_ok(), visible);
            assert_eq!(outcome(delete(&instance.engine, &bound, &instance.request(), *id).await) == "done", visible);
        }
        // A stranger's key is taken, but by whom is not told.
        let other = instance.bound_key(&["full-access"], &["b"]).await;
        let same = NewApiKeyPair { public_key_pem: Some(other.public().to_pem()), ..new(full, &["a"]) };
        assert!(matches!(create_as(&instance, &bound, same).await, Err(Refusal::Duplicate { resource_id: None, .. })));
    })
    .await;
}

#[tokio::test]
async fn r38_tokens_of_a_pair_are_refused_as_soon_as_it_is_off() {
    Instance::on_each_engine(async |instance| {
        let key = instance.bound_key(&["full-access"], &[]).await;
        let token = instance.token(&key, &["*.read"]);
        let caller = instance.engine.authenticate(&token, ORIGIN).unwrap();
        let id = caller.actor().id;
        let active = |active| ApiKeyPairPatch { active: Patch::Value(active), ..ApiKeyPairPatch::default() };
        update(&instance.engine, &instance.caller(), &instance.request(), id, active(false)).await.unwrap();
        assert!(instance.engine.authenticate(&token, ORIGIN).is_err());
        update(&instance.engine, &instance.caller(), &instance.request(), id, active(true)).await.unwrap();
        instance.engine.authenticate(&token, ORIGIN).unwrap();
        delete(&instance.engine, &instance.caller(), &instance.request(), id).await.unwrap();
        assert!(instance.engine.authenticate(&token, ORIGIN).is_err());
        assert!(matches!(get(&instance.engine, &instance.caller(), id).await, Err(Refusal::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn when_a_pair_was_last_used_is_written_later() {
    Instance::on_each_engine(async |instance| {
        let version = instance.engine.snapshot().version();
        instance.clock.advance_seconds(3);
        let used_at = instance.engine.now();
        let caller = instance.caller();
        assert!(instance.engine.drain(std::time::Duration::from_secs(30)).await, "draining writes what is left");
        let view = get(&instance.engine, &caller, caller.actor().id).await.unwrap();
        assert_eq!(view.pair.last_used_at, Some(used_at));
        instance.engine.poll_version().await.unwrap();
        assert_eq!(instance.engine.snapshot().version(), version, "nobody has to load anything anew for it");
    })
    .await;
}

#[test]
fn keys_are_told_apart_from_text() {
    assert!(PublicKey::from_pem("nothing").is_err());
    assert_eq!(distinct(vec![3, 1, 3, 1]), [3, 1]);
}
