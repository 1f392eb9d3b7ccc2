//! The vault: credentials at rest. A root key wraps one data key per merchant account; a data key seals values.
//!
//! Both kinds can be replaced while servers run. Of several root keys one is active and wraps; the others only open. A merchant account may have several versions of its data key, of which the highest seals.
//!
//! Each sealed value is bound to the place it stands in and, for credentials, to the hosts its definition names: what is moved to another row, another account or another definition does not open.

pub(crate) use self::keyring::rewrap;
pub use self::keyring::{DataKey, Keyring, KeyringError, NewDataKey, UnwrapError};
pub use self::root_key::{RootKey, RootKeyError};
pub use self::root_keys::RootKeys;
pub use self::sealing::{OpenError, Place};

mod keyring;
mod root_key;
mod root_keys;
mod sealing;
#[cfg(test)]
mod tests;
