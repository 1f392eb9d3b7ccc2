//! The wall between merchant accounts.

use crate::MerchantAccountId;

/// Proof that a caller may act in one merchant account. Every store function on a tenant's table takes one, so that the check can not be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    account: MerchantAccountId,
}

impl Scope {
    /// Made where a caller's key and header have been resolved to an account, and where the server itself acts for one.
    pub fn of(account: MerchantAccountId) -> Self {
        Self { account }
    }

    /// The merchant account inside the wall.
    pub fn account(&self) -> &MerchantAccountId {
        &self.account
    }
}
