//! Sealed values and root key files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use domain::MerchantAccountId;

use super::*;
use crate::testing::{NOON, account_id, root_keys};

fn place<'a>(account: &'a MerchantAccountId, version: i64) -> Place<'a> {
    Place { table: "payment_service_fields", column: "credentials.api_key", row: "row-1", account, version, hosts: "a.example,b.example" }
}

#[test]
fn a_value_opens_in_its_place_and_nowhere_else() {
    let (a, b) = (account_id("a"), account_id("b"));
    let key = DataKey::generate(&root_keys(), &a, 1, NOON).key;
    let home = place(&a, 1);
    let sealed = key.seal(&home, b"secret value");
    assert_eq!(key.open(&home, &sealed).unwrap().expose(), b"secret value");
    assert_ne!(sealed, key.seal(&home, b"secret value"), "each sealing has a nonce of its own");
    assert!(!sealed.windows(6).any(|window| window == b"secret"));

    let elsewhere = [
        Place { table: "merchant_accounts", ..home.clone() },
        Place { column: "credentials.api_key2", ..home.clone() },
        Place { column: "reporting.api_key", ..home.clone() },
        Place { row: "row-2", ..home.clone() },
        Place { account: &b, ..home.clone() },
        Place { version: 2, ..home.clone() },
        Place { hosts: "a.example", ..home.clone() },
        Place { hosts: "", ..home.clone() },
        // The same bytes, cut elsewhere.
        Place { table: "payment_service_fieldsc", column: "redentials.api_key", ..home.clone() },
        Place { column: "credentials.api_keyrow-1", row: "", ..home.clone() },
        Place { row: "row-1a", hosts: ".example,b.example", ..home.clone() },
    ];
    for other in elsewhere {
        assert!(key.open(&other, &sealed).is_err(), "{other:?}");
    }
    let other_key = DataKey::generate(&root_keys(), &a, 1, NOON).key;
    assert!(other_key.open(&home, &sealed).is_err());
    for index in 0..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[index] ^= 1;
        assert!(key.open(&home, &damaged).is_err(), "byte {index}");
        assert!(key.open(&home, &sealed[..index]).is_err(), "cut at {index}");
    }
    let empty = key.seal(&home, b"");
    assert!(key.open(&home, &empty).unwrap().expose().is_empty());
}

#[test]
fn data_keys_open_under_their_root_key_and_account_only() {
    let root = root_keys();
    let other_root = RootKeys::only(RootKey::of(&[8; 32]));
    let (a, b) = (account_id("a"), account_id("b"));
    let first = DataKey::generate(&root, &a, 1, NOON);
    let second = DataKey::generate(&root, &a, 2, NOON);
    let stored = vec![second.wrapped.clone(), first.wrapped.clone()];
    let keyring = Keyring::unwrap(&root, &stored, None).unwrap();
    let sealed = second.key.seal(&place(&a, 2), b"value");
    assert_eq!(keyring.latest(&a).unwrap().version(), 2);
    assert_eq!(keyring.latest(&a).unwrap().open(&place(&a, 2), &sealed).unwrap().expose(), b"value");
    assert!(keyring.version(&a, 1).unwrap().open(&place(&a, 2), &sealed).is_err());
    assert!(keyring.version(&a, 3).is_none() && keyring.latest(&b).is_none());

    let error = Keyring::unwrap(&other_root, &stored, None).unwrap_err();
    assert!(matches!(error, UnwrapError::WrongRootKey { .. }));
    let message = error.to_string();
    assert!(
        message.contains(root.active().id()) && message.contains(other_root.active().id()) && message.contains("merchant account a"),
        "{message}"
    );

    let mut moved = first.wrapped.clone();
    moved.account = b.clone();
    assert!(matches!(DataKey::unwrap(&root, &moved), Err(UnwrapError::Damaged { .. })));
    let mut renumbered = first.wrapped.clone();
    renumbered.version = 7;
    assert!(matches!(DataKey::unwrap(&root, &renumbered), Err(UnwrapError::Damaged { version: 7, .. })));
    // Whoever can write the database can write the id too; the key still does not open.
    let mut claimed = first.wrapped;
    claimed.root_key_id = other_root.active().id().to_owned();
    assert!(matches!(DataKey::unwrap(&other_root, &claimed), Err(UnwrapError::Damaged { .. })));
}

#[test]
fn a_retired_root_key_opens_and_only_the_active_one_wraps() {
    let (old, new) = (RootKeys::only(RootKey::of(&[7; 32])), RootKeys::only(RootKey::of(&[8; 32])));
    let both = RootKeys::of(RootKey::of(&[8; 32]), vec![RootKey::of(&[7; 32])]);
    let a = account_id("a");
    let before = DataKey::generate(&old, &a, 1, NOON);
    let sealed = before.key.seal(&place(&a, 1), b"value");
    let opens = |roots: &RootKeys, stored: &store::data_keys::WrappedDataKey| {
        DataKey::unwrap(roots, stored).map(|key| key.open(&place(&a, 1), &sealed).unwrap().expose() == b"value")
    };
    assert!(opens(&both, &before.wrapped).unwrap());
    assert!(matches!(opens(&new, &before.wrapped), Err(UnwrapError::WrongRootKey { .. })));

    let after = rewrap(&both, &before.wrapped).unwrap();
    assert_eq!((after.root_key_id.as_str(), after.version, after.created_at), (new.active().id(), 1, NOON));
    assert!(opens(&new, &after).unwrap() && opens(&both, &after).unwrap(), "it is the same key");
    assert!(opens(&old, &after).is_err());
    assert_eq!(DataKey::generate(&both, &a, 2, NOON).wrapped.root_key_id, new.active().id());
    let message =
        DataKey::unwrap(&both, &DataKey::generate(&RootKeys::only(RootKey::of(&[9; 32])), &a, 3, NOON).wrapped).unwrap_err().to_string();
    assert!(both.all().all(|key| message.contains(key.id())) && message.contains("vault.retired_root_key_files"), "{message}");
}

#[test]
fn a_keyring_keeps_what_it_has_opened_when_the_root_key_is_replaced_behind_its_back() {
    let (old, new) = (root_keys(), RootKeys::of(RootKey::of(&[8; 32]), vec![RootKey::of(&[7; 32])]));
    let (a, b) = (account_id("a"), account_id("b"));
    let key = DataKey::generate(&old, &a, 1, NOON);
    let before = Keyring::unwrap(&old, std::slice::from_ref(&key.wrapped), None).unwrap();
    let rewrapped = rewrap(&new, &key.wrapped).unwrap();
    let after = Keyring::unwrap(&old, std::slice::from_ref(&rewrapped), Some(&before)).unwrap();
    assert_eq!(after.latest(&a).unwrap().open(&place(&a, 1), &key.key.seal(&place(&a, 1), b"value")).unwrap().expose(), b"value");
    // Neither a key that it has never opened nor one that only looks like one it has.
    let later = store::data_keys::WrappedDataKey { created_at: NOON.plus_seconds(1), ..rewrapped.clone() };
    let foreign = DataKey::generate(&new, &b, 1, NOON).wrapped;
    for unknown in [later, foreign] {
        assert!(matches!(Keyring::unwrap(&old, &[rewrapped.clone(), unknown], Some(&before)), Err(UnwrapError::WrongRootKey { .. })));
    }
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_generated_root_key_is_its_owners_alone_and_reads_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    let made = RootKey::generate(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(RootKey::read_file(&path).unwrap().id(), made.id());
    assert_eq!(made.id().len(), 16);
    let text = fs::read_to_string(&path).unwrap();
    assert!(matches!(RootKey::generate(&path), Err(RootKeyError::Exists(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "an existing key is not touched");
    assert!(!format!("{made:?}").contains(text.trim()));
}

#[test]
fn a_root_key_is_read_in_every_spelling() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    let expected = RootKey::of(&[0xfb; 32]).id().to_owned();
    for text in ["fb".repeat(32), "FB".repeat(32), "+/v7".repeat(10) + "+/s=", "-_v7".repeat(10) + "-_s", "+/v7".repeat(10) + "+/s"] {
        write(&path, &format!("{text}\n"), 0o600);
        assert_eq!(RootKey::read_file(&path).unwrap().id(), expected, "{text}");
        write(&path, &text, 0o400);
        assert_eq!(RootKey::read_file(&path).unwrap().id(), expected, "{text}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn r48_a_root_key_that_can_not_be_used_names_the_file_and_the_fix() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    let name = path.display().to_string();
    let refused = |fix: &str| {
        let message = RootKey::read_file(&path).unwrap_err().to_string();
        assert!(message.contains(&name) && message.contains(fix), "{message}");
    };
    refused("tollhouse init");
    let good = "fb".repeat(32);
    for mode in [0o644, 0o640, 0o604, 0o660, 0o602, 0o601] {
        write(&path, &good, mode);
        refused("chmod 600");
    }
    for (text, words) in [
        ("", "holds 0 bytes"),
        ("\n", "holds 0 bytes"),
        (&"fb".repeat(31), "holds 31 bytes"),
        (&"+/v7".repeat(10), "holds 30 bytes"),
        (&"+/v7".repeat(16), "holds 48 bytes"),
        (&"A".repeat(5000), "bytes"),
        ("a key with spaces", "neither base64 nor hexadecimal"),
        ("\u{e9}", "neither base64 nor hexadecimal"),
    ] {
        write(&path, text, 0o600);
        refused(words);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("not a regular file");
}

#[test]
fn r48_every_root_key_file_is_held_to_the_same_rules_and_none_is_named_twice() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for (name, byte) in [("active", "0a"), ("first", "0b"), ("second", "0c"), ("copy", "0b")] {
        write(&path(name), &byte.repeat(32), 0o600);
    }
    let read = |retired: &[&str]| RootKeys::read_files(&path("active"), &retired.iter().map(|name| path(name)).collect::<Vec<_>>());
    let keys = read(&["first", "second"]).unwrap();
    let id = |byte| RootKey::of(&[byte; 32]).id().to_owned();
    assert_eq!(keys.all().map(RootKey::id).collect::<Vec<_>>(), [id(10), id(11), id(12)]);
    assert_eq!((keys.active().id(), keys.get(&id(12)).map(RootKey::id)), (id(10).as_str(), Some(id(12).as_str())));

    let refused = |retired: &[&str], words: &[&str]| {
        let message = read(retired).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    };
    refused(&["first", "first"], &["/first", "same key", &id(11), "name each key once"]);
    refused(&["first", "copy"], &["/first", "/copy", "same key"]);
    refused(&["active"], &["/active", "same key", "vault.root_key_file"]);
    refused(&["first", "gone"], &["/gone", "does not exist"]);
    write(&path("second"), &"0c".repeat(31), 0o600);
    refused(&["first", "second"], &["/second", "holds 31 bytes"]);
    fs::set_permissions(path("first"), fs::Permissions::from_mode(0o640)).unwrap();
    refused(&["first"], &["/first", "chmod 600"]);
}
