//! The checksum, and what is said of keys and values that do not open.

use std::fs::OpenOptions;
use std::io::{Seek as _, SeekFrom, Write as _};

use domain::Secret;
use domain::merchant_account::MerchantAccountSecrets;
use store::backup::{Backup, Maker, create};
use tempfile::TempDir;

use super::checksum::{self, Checksum};
use super::{Findings, Keys, check};
use crate::merchant_accounts::{self, NewMerchantAccount};
use crate::payment_services;
use crate::testing::instance::{Instance, acme, default_scope};
use crate::testing::{NOON, account, account_id, root_key};
use crate::vault::{RootKey, RootKeys};

#[test]
fn the_last_line_knows_every_byte_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let open = || OpenOptions::new().read(true).write(true).open(&path).unwrap();
    for content in [Vec::new(), b"x".to_vec(), vec![7; 3_000_000]] {
        std::fs::write(&path, &content).unwrap();
        assert_eq!(checksum::check(&mut open()).unwrap(), Checksum::Missing);
        checksum::append(&mut open()).unwrap();
        assert_eq!(checksum::check(&mut open()).unwrap(), Checksum::Holds);
        let whole = std::fs::read(&path).unwrap();
        assert!(whole.starts_with(&content) && whole.ends_with(b"\n"));
        let line = String::from_utf8(whole[content.len()..].to_vec()).unwrap();
        for place in [0, content.len() / 2, content.len(), whole.len() - 2] {
            let mut file = open();
            file.seek(SeekFrom::Start(u64::try_from(place).unwrap())).unwrap();
            file.write_all(&[whole[place] ^ 1]).unwrap();
            assert_ne!(checksum::check(&mut open()).unwrap(), Checksum::Holds, "byte {place} of {}: {line}", whole.len());
            std::fs::write(&path, &whole).unwrap();
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(checksum::check(&mut open()).unwrap(), Checksum::Missing);
        std::fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
        assert_eq!(checksum::check(&mut open()).unwrap(), Checksum::Missing);
    }
}

/// A backup of an instance with a sealed value of each kind.
async fn backup_of(instance: &Instance, directory: &TempDir) -> Backup {
    let engine = &instance.engine;
    payment_services::create(engine, &default_scope(), &instance.request(), acme()).await.unwrap();
    let secrets = MerchantAccountSecrets { loon_secret_key: Some(Secret::from("loon")), ..MerchantAccountSecrets::default() };
    let shop = NewMerchantAccount { id: account_id("shop"), settings: account("shop").settings, secrets };
    merchant_accounts::create(engine, &instance.caller(), &instance.request(), shop).await.unwrap();
    let file = directory.path().join("backup");
    std::fs::write(&file, "").unwrap();
    create(engine.database(), &file, Maker { tollhouse_version: "1", now: NOON }).await.unwrap();
    Backup::open(&file).await.unwrap()
}

#[tokio::test]
async fn a_backup_opens_with_its_root_key_and_with_no_other() {
    Instance::on_each_engine(async |instance| {
        let directory = tempfile::tempdir().unwrap();
        let backup = backup_of(&instance, &directory).await;
        let catalogue = instance.engine.catalogue();
        let found =
            async |key: RootKey| check(&backup, Some(Keys { root_keys: &RootKeys::only(key), catalogue: &catalogue })).await.unwrap();
        assert_eq!(found(root_key()).await, Findings::default());
        assert_eq!(check(&backup, None).await.unwrap(), Findings::default());
        let other = found(RootKey::of(&[8; 32])).await;
        assert_eq!(other.missing_root_keys.iter().collect::<Vec<_>>(), [root_key().id()]);
        assert!(!other.is_sound() && other.closed.is_empty(), "{other:?}");
    })
    .await;
}

#[tokio::test]
async fn a_value_that_does_not_open_is_named() {
    Instance::on_each_engine(async |instance| {
        let directory = tempfile::tempdir().unwrap();
        let backup = backup_of(&instance, &directory).await;
        let found = async || {
            let catalogue = instance.engine.catalogue();
            check(&backup, Some(Keys { root_keys: &RootKeys::only(root_key()), catalogue: &catalogue })).await.unwrap()
        };
        // The definition names other hosts now: the database itself says the same of its credentials.
        instance.redefine(|definition| definition.replace("acme.example", "acme.invalid"));
        let moved = found().await;
        assert!(moved.closed.iter().any(|value| value.contains("api_key") && value.contains("(Acme)")), "{moved:?}");
        assert!(moved.problems.is_empty() && !moved.is_sound());
        instance.redefine(|definition| definition.replace("id = \"acme\"", "id = \"other\""));
        let gone = found().await;
        assert!(gone.is_sound() && gone.skipped.iter().any(|value| value.contains("acme-card")), "{gone:?}");
    })
    .await;
}
