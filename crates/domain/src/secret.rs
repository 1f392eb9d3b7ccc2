//! Values that must not be seen.

use std::fmt;

use zeroize::Zeroizing;

/// A credential in memory: wiped on drop, printed as `[secret]`, without equality or serialisation.
///
/// ```
/// let (stored, sent) = (domain::Secret::from("a"), domain::Secret::from("b"));
/// assert_eq!(format!("{stored:?} {sent:?}"), "[secret] [secret]");
/// ```
///
/// How long a comparison takes says how much of a secret was right, so there is none to be made by accident:
///
/// ```compile_fail,E0369
/// let (stored, sent) = (domain::Secret::from("a"), domain::Secret::from("b"));
/// assert!(stored != sent);
/// ```
///
/// Neither are there ways to order one, to look one up in a map, or to make text of one:
///
/// ```compile_fail,E0369
/// let (stored, sent) = (domain::Secret::from("a"), domain::Secret::from("b"));
/// assert!(stored < sent);
/// ```
///
/// ```compile_fail,E0277
/// let stored = domain::Secret::from("a");
/// std::hash::Hash::hash(&stored, &mut std::hash::DefaultHasher::new());
/// ```
///
/// ```compile_fail,E0277
/// let stored = domain::Secret::from("a");
/// assert_eq!(format!("{stored}"), "a");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over the bytes of a credential.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes. Call it where they are used and nowhere else.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The text, for credentials that are text; stored ones always are, since they came in as JSON strings.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes().to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Display;
    use std::hash::Hash;
    use std::marker::PhantomData;

    use super::*;

    /// Asserts that a text has a trait and a secret has not: a method of the type itself goes before one of a trait that everything has.
    macro_rules! only_texts_have {
        ($trait:path) => {{
            struct Asked<T>(PhantomData<T>);
            trait Otherwise {
                fn has(&self) -> bool {
                    false
                }
            }
            impl<T> Otherwise for Asked<T> {}
            impl<T: $trait> Asked<T> {
                fn has(&self) -> bool {
                    true
                }
            }
            assert!(Asked::<String>(PhantomData).has() && !Asked::<Secret>(PhantomData).has());
        }};
    }

    /// The other half of the examples above, which fail to compile for whatever reason.
    #[test]
    fn r40_a_secret_can_not_be_compared_ordered_hashed_or_shown() {
        only_texts_have!(PartialEq);
        only_texts_have!(PartialOrd);
        only_texts_have!(Hash);
        only_texts_have!(Display);
        assert_eq!(format!("{:?}", Secret::from("a")), "[secret]");
    }
}
