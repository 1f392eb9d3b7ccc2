//! What a token and a role allow.

use std::collections::BTreeSet;
use std::fmt;

/// One scope string of the API, such as `transactions.write`. Names can hold dots; the part after the last one is the verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission(&'static str);

impl Permission {
    /// Names a scope; a word the API does not know is a programming error that the tests of the callers find.
    pub const fn named(scope: &'static str) -> Self {
        Self(scope)
    }

    /// The scope string.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// The 88 scope strings that the API lists, `embed` among them.
    pub fn known() -> impl Iterator<Item = &'static str> {
        include_str!("../data/permissions.txt").lines()
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A set of scope strings, as written in a token or a role. Unknown strings are kept and grant nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(BTreeSet<String>);

impl PermissionSet {
    /// Whether a scope string is in the set, or under `*.read` or `*.write`. Write never implies read, nor the other way; a wildcard is covered by itself alone.
    pub fn covers(&self, scope: &str) -> bool {
        if self.0.contains(scope) {
            return true;
        }
        let wildcard = match scope.rsplit_once('.') {
            Some(("*", _)) | None => return false,
            Some((_, "read")) => "*.read",
            Some((_, "write")) => "*.write",
            Some(_) => return false,
        };
        self.0.contains(wildcard)
    }

    /// The strings, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl<S: Into<String>> FromIterator<S> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        Self(scopes.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_cover_one_verb_and_names_may_hold_dots() {
        let set: PermissionSet = ["*.read", "payment-services.write"].into_iter().collect();
        let check = |scope: &str, granted: bool| assert_eq!(set.covers(scope), granted, "{scope}");
        check("transactions.read", true);
        check("buyers.billing-details.read", true);
        check("transactions.write", false);
        check("payment-services.write", true);
        check("embed", false);
        assert!(set.covers("*.read") && !set.covers("*.write"));
    }
}
