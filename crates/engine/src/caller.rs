//! Who is asking: a verified token, the key pair behind it, and what both allow.

use std::sync::Arc;

use domain::{ApiKeyPairId, MerchantAccountId, Permission, Scope};
use uuid::Uuid;

use crate::snapshot::{KeyPair, Snapshot};
use crate::token::{Embed, VerifiedToken};

/// A caller whose token has been verified.
#[derive(Clone, Debug)]
pub struct Caller {
    token: Arc<VerifiedToken>,
    key_pair: Arc<KeyPair>,
    snapshot: Arc<Snapshot>,
}

/// The key pair that acts, as it is written into records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Its id.
    pub id: ApiKeyPairId,
    /// Its display name.
    pub name: String,
    /// Its published thumbprint.
    pub thumbprint: String,
}

/// What every operation is told beside its input.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub actor: Actor,
    /// The `x-request-id` of the answer.
    pub request_id: String,
    /// The address that asks, as text.
    pub origin: String,
}

/// Why a caller may not act in the account it names, or names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeRefusal {
    /// The key pair may not act there, or may act in several and does not say in which.
    Forbidden,
    /// The key pair may act everywhere, and there is no such account.
    NotFound,
}

// === impl Caller ===

impl Caller {
    pub(crate) fn new(token: Arc<VerifiedToken>, key_pair: Arc<KeyPair>, snapshot: Arc<Snapshot>) -> Self {
        Self { token, key_pair, snapshot }
    }

    /// Whether both the token and the roles of its key pair allow an operation.
    pub fn may(&self, required: Permission) -> bool {
        self.covers(required.as_str())
    }

    /// The account that a request is about: from the header where there is one, else as the key pair says.
    pub fn scope(&self, header: Option<&str>) -> Result<Scope, ScopeRefusal> {
        let named = match (self.embed().and_then(|embed| embed.merchant_account_id.as_ref()), header) {
            (Some(pinned), Some(header)) if pinned.as_str() != header => return Err(ScopeRefusal::Forbidden),
            (Some(pinned), _) => Some(pinned.as_str()),
            (None, header) => header,
        };
        let id = match (named, self.accounts()) {
            (Some(id), Some(accounts)) if !accounts.iter().any(|account| account.as_str() == id) => return Err(ScopeRefusal::Forbidden),
            (Some(id), _) => id,
            (None, Some([only])) => only.as_str(),
            (None, Some(accounts)) if !accounts.contains(&MerchantAccountId::default_account()) => return Err(ScopeRefusal::Forbidden),
            (None, _) => DEFAULT_ACCOUNT,
        };
        let account = self.snapshot.account(id).ok_or(ScopeRefusal::NotFound)?;
        Ok(Scope::of(account.id.clone()))
    }

    /// The key pair, for records.
    pub fn actor(&self) -> Actor {
        let pair = &self.key_pair.pair;
        Actor { id: pair.id, name: pair.display_name.clone(), thumbprint: pair.thumbprint.clone() }
    }

    /// The accounts it may act in; `None` means all.
    pub fn accounts(&self) -> Option<&[MerchantAccountId]> {
        let accounts = &self.key_pair.pair.merchant_account_ids;
        (!accounts.is_empty()).then_some(accounts)
    }

    /// What an embed token pins.
    pub fn embed(&self) -> Option<&Embed> {
        self.token.embed.as_deref()
    }

    /// The checkout session that the token is tied to.
    pub fn checkout_session_id(&self) -> Option<Uuid> {
        self.token.checkout_session_id
    }

    /// Whether it may act in an account.
    pub(crate) fn reaches(&self, account: &MerchantAccountId) -> bool {
        self.accounts().is_none_or(|accounts| accounts.contains(account))
    }

    /// Whether it may give a scope to another key pair.
    ///
    /// It must have the scope itself. `embed` is the exception: a token either is an embed token or is not, so a token that manages key pairs never names it, and the roles of the key pair decide.
    pub(crate) fn may_give(&self, scope: &str) -> bool {
        if scope == "embed" { self.key_pair.permissions.covers(scope) } else { self.covers(scope) }
    }

    fn covers(&self, scope: &str) -> bool {
        self.token.scopes.covers(scope) && self.key_pair.permissions.covers(scope)
    }
}

/// The account that a request means which names none.
const DEFAULT_ACCOUNT: &str = "default";
