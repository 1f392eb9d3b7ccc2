//! A root key: one file, readable by its owner alone.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::RandomizedNonceKey;
use aws_lc_rs::{digest, hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use domain::{MerchantAccountId, Secret};
use zeroize::Zeroizing;

use super::sealing::{KEY_BYTES, OpenError, Place, key_of, open, seal};

/// Bytes of the key's SHA-256 that name it, in hexadecimal. They say which key is missing and nothing about it.
const ID_BYTES: usize = 8;
/// Longest file that is read as a key.
const FILE_BYTES_MAX: u64 = 4096;
/// Only its owner may read it.
const FILE_MODE: u32 = 0o600;
/// What others may do with a file.
const OTHERS: u32 = 0o077;

/// A key that wraps data keys.
pub struct RootKey {
    id: String,
    key: RandomizedNonceKey,
    /// Signs the checkpoints of the audit log.
    checkpoints: hmac::Key,
}

/// Why there is no root key. Each message names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// There is no such file.
    #[error(
        "the root key file {} does not exist: restore it from where you keep it, or, for a new installation, let `tollhouse init` make one",
        .0.display()
    )]
    Missing(PathBuf),
    /// There is one where a new one should be made.
    #[error("the root key file {} exists already and is not overwritten: what it has sealed would be lost", .0.display())]
    Exists(PathBuf),
    /// Not a file.
    #[error("the root key file {} is not a regular file: name a file that holds 32 bytes as base64 or hexadecimal text", .0.display())]
    NotAFile(PathBuf),
    /// Others may read it.
    #[error("the root key file {} can be read by others (mode {mode:04o}): run `chmod 600 {}`", .path.display(), .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not 32 bytes.
    #[error("the root key file {} holds {bytes} bytes: the key must have exactly {KEY_BYTES}, as base64 or hexadecimal text; restore the right file", .path.display())]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// How many bytes its text means.
        bytes: usize,
    },
    /// Two files hold one key.
    #[error(
        "the root key files {} and {} hold the same key ({id}): name each key once, either as vault.root_key_file or in vault.retired_root_key_files",
        .first.display(),
        .second.display()
    )]
    Twice {
        /// The file that was read first.
        first: PathBuf,
        /// The file that says the same.
        second: PathBuf,
        /// The id of the key.
        id: String,
    },
    /// Not text that means bytes.
    #[error("the root key file {} is neither base64 nor hexadecimal text: restore the right file", .0.display())]
    NotText(PathBuf),
    /// The system refuses.
    #[error("the root key file {} can not be used: {source}; check that the file and its directory belong to the user of this process", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

// === impl RootKey ===

impl RootKey {
    /// Makes a key and writes it to a new file of mode 0600.
    pub fn generate(path: &Path) -> Result<Self, RootKeyError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => RootKeyError::Exists(path.to_owned()),
            _ => RootKeyError::Io { path: path.to_owned(), source },
        };
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        aws_lc_rs::rand::fill(bytes.as_mut()).expect("the system has random numbers");
        let text = Zeroizing::new(format!("{}\n", STANDARD.encode(bytes.as_slice())));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path).map_err(failed)?;
        // Synced before anything is sealed with it: a key lost in a power cut takes every credential with it.
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
        }
        Ok(Self::of(&bytes))
    }

    /// Reads a key from a file that only its owner can read.
    pub fn read_file(path: &Path) -> Result<Self, RootKeyError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => RootKeyError::Missing(path.to_owned()),
            _ => RootKeyError::Io { path: path.to_owned(), source },
        };
        // Asked of the name first: opening something that is no file may wait for ever.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(RootKeyError::NotAFile(path.to_owned()));
        }
        let file = fs::File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(RootKeyError::Exposed { path: path.to_owned(), mode });
        }
        if metadata.len() > FILE_BYTES_MAX {
            return Err(RootKeyError::WrongLength { path: path.to_owned(), bytes: usize::try_from(metadata.len()).unwrap_or(usize::MAX) });
        }
        let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(FILE_BYTES_MAX).unwrap_or_default()));
        file.take(FILE_BYTES_MAX).read_to_end(&mut content).map_err(failed)?;
        let bytes = std::str::from_utf8(&content).ok().and_then(|text| decode(text.trim()));
        let bytes = bytes.ok_or_else(|| RootKeyError::NotText(path.to_owned()))?;
        let key: &[u8; KEY_BYTES] =
            bytes.as_slice().try_into().map_err(|_| RootKeyError::WrongLength { path: path.to_owned(), bytes: bytes.len() })?;
        Ok(Self::of(key))
    }

    /// First bytes of the key's SHA-256, in hexadecimal: tells keys apart without telling anything of them.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key that signs checkpoints of the audit log.
    pub(crate) fn checkpoint_key(&self) -> &hmac::Key {
        &self.checkpoints
    }

    pub(super) fn wrap(&self, account: &MerchantAccountId, version: i64, key: &[u8; KEY_BYTES]) -> Vec<u8> {
        seal(&self.key, &place_of_data_key(account, version), key)
    }

    pub(super) fn unwrap(&self, account: &MerchantAccountId, version: i64, wrapped: &[u8]) -> Result<Secret, OpenError> {
        open(&self.key, &place_of_data_key(account, version), wrapped)
    }

    pub(crate) fn of(bytes: &[u8; KEY_BYTES]) -> Self {
        let digest = digest::digest(&digest::SHA256, bytes);
        let id = digest.as_ref().iter().take(ID_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Self { id, key: key_of(bytes), checkpoints: derived(bytes, b"tollhouse audit checkpoint") }
    }
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RootKey").field(&self.id).finish()
    }
}

/// A key of its own for another purpose, from which nothing can be told of the root key.
fn derived(bytes: &[u8; KEY_BYTES], purpose: &[u8]) -> hmac::Key {
    let root = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(bytes);
    let purposes = [purpose];
    root.expand(&purposes, hkdf::HKDF_SHA256.hmac_algorithm()).expect("a key is far shorter than what can be derived").into()
}

fn place_of_data_key(account: &MerchantAccountId, version: i64) -> Place<'_> {
    Place { table: "data_keys", column: "wrapped", row: account.as_str(), account, version, hosts: "" }
}

/// Hexadecimal where the text is nothing but pairs of such digits, which base64 of 32 bytes never is (43 characters, or a padding); else base64 in any of its four spellings.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if text.is_empty() {
        return Some(Zeroizing::default());
    }
    if text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let byte =
            |pair: &[u8]| pair.iter().try_fold(0, |value, digit| Some(value * 16 + u8::try_from(char::from(*digit).to_digit(16)?).ok()?));
        return text.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>().map(Zeroizing::new);
    }
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|engine| engine.decode(text).ok()).map(Zeroizing::new)
}
