//! The root keys of an instance: the active one, which wraps, and retired ones, which only open.

use std::path::{Path, PathBuf};

use super::root_key::{RootKey, RootKeyError};

/// Every root key that is configured. No two are the same.
#[derive(Debug)]
pub struct RootKeys {
    active: RootKey,
    retired: Vec<RootKey>,
}

// === impl RootKeys ===

impl RootKeys {
    /// One key that wraps and opens.
    pub fn only(active: RootKey) -> Self {
        Self { active, retired: Vec::new() }
    }

    /// Reads all files. Each must be what [`RootKey::read_file`] asks for, and no two may hold the same key: a list that names a key twice was not written by somebody who knows which file may be removed.
    pub fn read_files(active: &Path, retired: &[PathBuf]) -> Result<Self, RootKeyError> {
        let mut keys = Self::only(RootKey::read_file(active)?);
        let mut paths = vec![active];
        for path in retired {
            let key = RootKey::read_file(path)?;
            if let Some((_, first)) = keys.all().zip(&paths).find(|(known, _)| known.id() == key.id()) {
                return Err(RootKeyError::Twice { first: (*first).to_owned(), second: path.clone(), id: key.id().to_owned() });
            }
            keys.retired.push(key);
            paths.push(path);
        }
        Ok(keys)
    }

    /// The key that wraps new data keys.
    pub fn active(&self) -> &RootKey {
        &self.active
    }

    /// The key of an id, active or retired.
    pub fn get(&self, id: &str) -> Option<&RootKey> {
        self.all().find(|key| key.id() == id)
    }

    /// All keys, the active one first, the others in the order of the configuration.
    pub fn all(&self) -> impl Iterator<Item = &RootKey> {
        std::iter::once(&self.active).chain(&self.retired)
    }

    /// Their ids, separated by commas, for messages.
    pub fn ids(&self) -> String {
        self.all().map(RootKey::id).collect::<Vec<_>>().join(", ")
    }

    #[cfg(test)]
    pub(crate) fn of(active: RootKey, retired: Vec<RootKey>) -> Self {
        Self { active, retired }
    }
}
