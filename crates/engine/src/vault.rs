//! The vault: credentials at rest. A root key wraps one data key per merchant account; a data key seals values.
//!
//! Each sealed value is bound to the place it stands in and, for credentials, to the hosts its definition names: what is moved to another row, another account or another definition does not open.

pub use self::keyring::{DataKey, Keyring, NewDataKey, UnwrapError};
pub use self::root_key::{RootKey, RootKeyError};
pub use self::sealing::{OpenError, Place};

mod keyring;
mod root_key;
mod sealing;
#[cfg(test)]
mod tests;
