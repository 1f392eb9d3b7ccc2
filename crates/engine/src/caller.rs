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
    /// The key pair may not act there.
    Forbidden,
    /// The key pair may act in several accounts, the default one not among them, and the request does not say in which.
    Unnamed,
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
            (None, Some(accounts)) if !accounts.contains(&MerchantAccountId::default_account()) => return Err(ScopeRefusal::Unnamed),
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

#[cfg(test)]
mod tests {
    use domain::PermissionSet;

    use super::*;
    use crate::signing::SigningKey;
    use crate::testing::{key_pair, role, root_keys, stored};
    use crate::token::VerifiedToken;

    fn caller(accounts: &[&str], role_scopes: &[&str], token_scopes: &[&str], embed: Option<Embed>) -> Caller {
        let mut rows = stored(vec![key_pair(10, &SigningKey::generate(), &[2], accounts)]);
        rows.roles.push(role(2, role_scopes));
        let snapshot = Arc::new(Snapshot::build(rows, &root_keys(), None).unwrap());
        let key_pair = Arc::clone(snapshot.key_pair(ApiKeyPairId(crate::testing::id(10))).unwrap());
        let scopes: PermissionSet = token_scopes.iter().copied().collect();
        Caller::new(Arc::new(VerifiedToken::of(key_pair.pair.id, scopes, embed)), key_pair, snapshot)
    }

    /// The table of the API's documentation, row by row.
    #[test]
    fn the_account_follows_from_key_and_header() {
        use ScopeRefusal::{Forbidden, NotFound, Unnamed};
        let all: &[&str] = &[];
        let long = "x".repeat(10_240);
        type Row<'a> = (&'a [&'a str], Option<&'a str>, Result<&'a str, ScopeRefusal>);
        let table: &[Row<'_>] = &[
            (all, None, Ok("default")),
            (all, Some("a"), Ok("a")),
            (all, Some("default"), Ok("default")),
            (all, Some("unknown"), Err(NotFound)),
            (all, Some(""), Err(NotFound)),
            (all, Some("A"), Err(NotFound)),
            (all, Some("a, b"), Err(NotFound)),
            (all, Some(&long), Err(NotFound)),
            (&["a"], None, Ok("a")),
            (&["a"], Some("a"), Ok("a")),
            (&["a"], Some("b"), Err(Forbidden)),
            (&["a"], Some("A"), Err(Forbidden)),
            (&["a"], Some("default"), Err(Forbidden)),
            (&["a"], Some("unknown"), Err(Forbidden)),
            (&["a"], Some(""), Err(Forbidden)),
            (&["a"], Some(&long), Err(Forbidden)),
            (&["a", "default"], None, Ok("default")),
            (&["a", "b"], None, Err(Unnamed)),
            (&["a", "b"], Some("b"), Ok("b")),
            (&["a", "b"], Some("default"), Err(Forbidden)),
        ];
        for (accounts, header, expected) in table {
            let scope = caller(accounts, &["*.read"], &["*.read"], None).scope(*header);
            assert_eq!(scope.map(|scope| scope.account().to_string()), expected.map(str::to_owned), "{accounts:?} {header:?}");
        }
    }

    #[test]
    fn an_embed_token_acts_in_the_account_it_pins() {
        let pinned = |account| Some(Embed { merchant_account_id: MerchantAccountId::parse(account), ..Embed::default() });
        let check = |accounts: &[&str], account, header, expected: Result<&str, ScopeRefusal>| {
            let scope = caller(accounts, &["embed"], &["embed"], pinned(account)).scope(header);
            assert_eq!(scope.map(|scope| scope.account().to_string()), expected.map(str::to_owned), "{accounts:?} {account} {header:?}");
        };
        check(&[], "a", None, Ok("a"));
        check(&[], "a", Some("a"), Ok("a"));
        check(&[], "a", Some("b"), Err(ScopeRefusal::Forbidden));
        check(&["b"], "a", None, Err(ScopeRefusal::Forbidden));
        check(&["b"], "a", Some("b"), Err(ScopeRefusal::Forbidden));
        check(&[], "unknown", None, Err(ScopeRefusal::NotFound));
    }

    #[test]
    fn token_and_roles_must_both_allow() {
        let check = |roles: &[&str], token: &[&str], scope: &'static str, expected: bool| {
            assert_eq!(caller(&[], roles, token, None).may(Permission::named(scope)), expected, "{roles:?} {token:?} {scope}");
        };
        check(&["*.read", "*.write"], &["*.read", "*.write"], "transactions.write", true);
        check(&["*.read", "*.write"], &["transactions.write"], "transactions.write", true);
        check(&["transactions.write"], &["*.write"], "transactions.write", true);
        check(&["transactions.write"], &["*.write"], "buyers.write", false);
        check(&["*.write"], &["*.read", "*.write"], "transactions.read", false);
        check(&["*.read", "*.write"], &["*.write"], "transactions.read", false);
        check(&["*.read", "*.write"], &[], "transactions.read", false);
        check(&["*.read", "*.write", "embed"], &["embed"], "transactions.write", false);
        check(&["*.read", "*.write"], &["*.read", "*.write"], "embed", false);
    }

    #[test]
    fn a_scope_can_be_given_by_who_has_it() {
        let full = &["*.read", "*.write", "embed"];
        let from_sdk = caller(&[], full, &["*.read", "*.write"], None);
        assert!(full.iter().all(|scope| from_sdk.may_give(scope)), "SDKs do not put embed beside other scopes");
        let narrow = caller(&[], full, &["api-key-pairs.write"], None);
        assert!(narrow.may_give("api-key-pairs.write") && !narrow.may_give("*.write") && !narrow.may_give("transactions.write"));
        let reader = caller(&[], &["*.read"], &["*.read", "*.write", "embed"], None);
        assert!(reader.may_give("*.read") && !reader.may_give("*.write") && !reader.may_give("embed"));
    }
}
