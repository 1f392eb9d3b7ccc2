//! What several bodies have in common.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A member of an update: leave it as it is, clear it, or set it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// The member is not sent.
    #[default]
    Keep,
    /// The member is sent as null.
    Clear,
    /// The member is sent with this value.
    Set(T),
}

impl<T> Change<T> {
    /// Whether the member is left out of the body.
    pub(crate) fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<T: Serialize> Serialize for Change<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep | Self::Clear => serializer.serialize_none(),
            Self::Set(value) => serializer.serialize_some(value),
        }
    }
}

/// Reads null as the empty value, for members that some servers leave unset.
pub(crate) fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
