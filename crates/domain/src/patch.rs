//! Members of a partial update.

/// Absent, null and a value are three things in a partial update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// The member was not sent: keep what is stored.
    #[default]
    Absent,
    /// The member was sent as null: clear what is stored, where it may be empty.
    Null,
    /// The member was sent.
    Value(T),
}

impl<T> Patch<T> {
    /// Applies to a member that may be empty.
    pub fn apply_to(self, stored: &mut Option<T>) {
        match self {
            Self::Absent => {}
            Self::Null => *stored = None,
            Self::Value(value) => *stored = Some(value),
        }
    }

    /// Applies to a member that always has a value; null then means absent.
    pub fn apply_to_required(self, stored: &mut T) {
        match self {
            Self::Absent | Self::Null => {}
            Self::Value(value) => *stored = value,
        }
    }

    /// The value, if one was sent.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }
}
