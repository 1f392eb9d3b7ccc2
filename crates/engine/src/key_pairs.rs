//! API key pairs: who may sign tokens. Nobody can make a key pair that may do more than its maker.

use std::sync::Arc;

use domain::api_key_pair::{ApiKeyPair, Creator, NewApiKeyPair};
use domain::audit::AuditAction;
use domain::merchant_account::MerchantAccount;
use domain::page::{Page, PageRequest};
use domain::role::Role;
use domain::{ApiKeyPairId, MerchantAccountId, Patch, Problem, RoleId, Secret};
use store::Tx;
use store::api_key_pairs::{self as stored, Insertion};

use crate::audit::{Change, deleted_key_pair};
use crate::signing::{PublicKey, SigningKey};
use crate::snapshot::Snapshot;
use crate::{Caller, Engine, Refusal, Request};

#[cfg(test)]
mod tests;

/// A key pair with what its ids mean.
#[derive(Clone, Debug)]
pub struct ApiKeyPairView {
    /// As stored.
    pub pair: ApiKeyPair,
    /// Its roles.
    pub roles: Vec<Arc<Role>>,
    /// The accounts it may act in; empty means all of them.
    pub merchant_accounts: Vec<Arc<MerchantAccount>>,
}

/// What is to be changed of a key pair.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of the key pair")]
pub struct ApiKeyPairPatch {
    pub display_name: Patch<String>,
    pub active: Patch<bool>,
    /// Replaces the roles.
    pub role_ids: Patch<Vec<RoleId>>,
    /// Replaces the accounts; empty means all of them.
    pub merchant_account_ids: Patch<Vec<MerchantAccountId>>,
}

/// Registers a public key, or makes a pair and answers its private half, which is not kept.
pub async fn create(
    engine: &Engine,
    caller: &Caller,
    request: &Request,
    new: NewApiKeyPair,
) -> Result<(ApiKeyPairView, Option<Secret>), Refusal> {
    let (public_key, private_pem) = match new.public_key_pem.as_deref().map(PublicKey::from_pem) {
        Some(Ok(public_key)) => (Ok(public_key), None),
        Some(Err(error)) => (Err(Problem::body("/public_key", "value_error", error.to_string())), None),
        None => {
            let key = SigningKey::generate();
            (Ok(key.public().clone()), Some(key.to_pem()))
        }
    };
    let snapshot = engine.snapshot();
    let mut problems = unknown_references(&snapshot, caller, &new.role_ids, &new.merchant_account_ids);
    let public_key = match public_key {
        Ok(public_key) if problems.is_empty() => public_key,
        Ok(_) => return Err(Refusal::Invalid(problems)),
        Err(problem) => {
            problems.push(problem);
            return Err(Refusal::Invalid(problems));
        }
    };
    check_rights(&snapshot, caller, Some(&new.role_ids), Some(&new.merchant_account_ids))?;
    let now = engine.now();
    let actor = caller.actor();
    let pair = ApiKeyPair {
        id: ApiKeyPairId(engine.ids.v7(now)),
        display_name: new.display_name,
        thumbprint: public_key.thumbprint(),
        thumbprint_unpadded: public_key.thumbprint_unpadded(),
        public_key: public_key.point().to_vec(),
        active: new.active,
        role_ids: distinct(new.role_ids),
        merchant_account_ids: distinct(new.merchant_account_ids),
        creator: Some(Creator { id: actor.id, name: actor.name, thumbprint: actor.thumbprint }),
        created_at: now,
        updated_at: now,
        last_used_at: None,
    };
    let mut tx = engine.database.write().await?;
    match stored::insert(&mut tx, &pair).await? {
        Insertion::Inserted => {}
        Insertion::Taken(other) => {
            let other = stored::get(&mut tx, other).await?.filter(|other| is_visible(caller, other));
            return Err(Refusal::Duplicate { field: "public_key", resource_id: other.map(|other| other.id.to_string()) });
        }
    }
    finish(engine, request, tx, AuditAction::Created, &pair).await?;
    Ok((view(&engine.snapshot(), pair), private_pem))
}

/// Changes what the patch names.
pub async fn update(
    engine: &Engine,
    caller: &Caller,
    request: &Request,
    id: ApiKeyPairId,
    patch: ApiKeyPairPatch,
) -> Result<ApiKeyPairView, Refusal> {
    let mut tx = engine.database.write().await?;
    let mut pair = visible(&mut tx, caller, id).await?;
    let snapshot = engine.snapshot();
    let (roles, accounts) = (patch.role_ids.value(), patch.merchant_account_ids.value());
    let problems = unknown_references(&snapshot, caller, roles.as_deref().unwrap_or_default(), accounts.as_deref().unwrap_or_default());
    if !problems.is_empty() {
        return Err(Refusal::Invalid(problems));
    }
    // Roles that are kept are given anew where the pair may act in more accounts than before.
    let given =
        roles.as_deref().or_else(|| accounts.as_deref().filter(|accounts| widens(&pair, accounts)).map(|_| pair.role_ids.as_slice()));
    check_rights(&snapshot, caller, given, accounts.as_deref())?;
    patch.display_name.apply_to_required(&mut pair.display_name);
    patch.active.apply_to_required(&mut pair.active);
    if let Some(roles) = roles {
        pair.role_ids = distinct(roles);
    }
    if let Some(accounts) = accounts {
        pair.merchant_account_ids = distinct(accounts);
    }
    pair.updated_at = engine.now();
    stored::update(&mut tx, &pair).await?;
    finish(engine, request, tx, AuditAction::Updated, &pair).await?;
    Ok(view(&engine.snapshot(), pair))
}

/// Deletes a key pair. Its tokens are refused from now on.
pub async fn delete(engine: &Engine, caller: &Caller, request: &Request, id: ApiKeyPairId) -> Result<(), Refusal> {
    let mut tx = engine.database.write().await?;
    let pair = visible(&mut tx, caller, id).await?;
    stored::delete(&mut tx, id).await?;
    engine.commit_with(tx, request, change(AuditAction::Deleted, &pair), &deleted_key_pair(&pair)).await
}

/// One key pair.
pub async fn get(engine: &Engine, caller: &Caller, id: ApiKeyPairId) -> Result<ApiKeyPairView, Refusal> {
    let mut tx = engine.database.read().await?;
    let pair = visible(&mut tx, caller, id).await?;
    Ok(view(&engine.snapshot(), pair))
}

/// A page of the key pairs that the caller may see: all, or those that may act nowhere but where it may.
pub async fn list(engine: &Engine, caller: &Caller, page: &PageRequest) -> Result<Page<ApiKeyPairView>, Refusal> {
    let mut tx = engine.database.read().await?;
    let page = stored::list(&mut tx, page, caller.accounts()).await?;
    let snapshot = engine.snapshot();
    Ok(page.map(|pair| view(&snapshot, pair)))
}

/// Says that there is no such role, for whoever reads a body and tells everything that is wrong with it at once. [`create`] and [`update`] decide.
pub fn unknown_role(engine: &Engine, id: RoleId) -> Option<String> {
    no_such_role(&engine.snapshot(), id)
}

/// Says that there is no such account, likewise. To a caller who is bound to some, an account that it can not reach is one and the same whether it exists or not.
pub fn unknown_account(engine: &Engine, caller: &Caller, id: &MerchantAccountId) -> Option<String> {
    no_such_account(&engine.snapshot(), caller, id)
}

fn no_such_role(snapshot: &Snapshot, id: RoleId) -> Option<String> {
    snapshot.role(id).is_none().then(|| format!("there is no role {id}"))
}

fn no_such_account(snapshot: &Snapshot, caller: &Caller, id: &MerchantAccountId) -> Option<String> {
    let unknown = caller.accounts().is_none() && snapshot.account(id.as_str()).is_none();
    unknown.then(|| format!("there is no merchant account {id}"))
}

/// Everything that roles and accounts name and that is not there.
fn unknown_references(snapshot: &Snapshot, caller: &Caller, roles: &[RoleId], accounts: &[MerchantAccountId]) -> Vec<Problem> {
    let problem = |member, index, message| Problem::body(format!("/{member}/{index}"), "unknown_reference", message);
    let role = |(index, id): (usize, &RoleId)| Some(problem("role_ids", index, no_such_role(snapshot, *id)?));
    let account =
        |(index, id): (usize, &MerchantAccountId)| Some(problem("merchant_account_ids", index, no_such_account(snapshot, caller, id)?));
    roles.iter().enumerate().filter_map(role).chain(accounts.iter().enumerate().filter_map(account)).collect()
}

/// Roles must be within what the caller itself may do, accounts within those it may act in; no account means all.
fn check_rights(
    snapshot: &Snapshot,
    caller: &Caller,
    roles: Option<&[RoleId]>,
    accounts: Option<&[MerchantAccountId]>,
) -> Result<(), Refusal> {
    let given = roles.unwrap_or_default().iter().filter_map(|id| snapshot.role(*id));
    let beyond = given.flat_map(|role| role.permissions.iter()).any(|scope| !caller.may_give(scope));
    let everywhere = accounts.is_some_and(<[MerchantAccountId]>::is_empty) && caller.accounts().is_some();
    let elsewhere = accounts.unwrap_or_default().iter().any(|id| !caller.reaches(id));
    if beyond || everywhere || elsewhere { Err(Refusal::Forbidden) } else { Ok(()) }
}

/// Whether these accounts are more than the pair has; none means all.
fn widens(pair: &ApiKeyPair, accounts: &[MerchantAccountId]) -> bool {
    let held = &pair.merchant_account_ids;
    !held.is_empty() && (accounts.is_empty() || accounts.iter().any(|id| !held.contains(id)))
}

async fn visible(tx: &mut Tx, caller: &Caller, id: ApiKeyPairId) -> Result<ApiKeyPair, Refusal> {
    stored::get(tx, id).await?.filter(|pair| is_visible(caller, pair)).ok_or(Refusal::NotFound)
}

fn is_visible(caller: &Caller, pair: &ApiKeyPair) -> bool {
    let accounts = &pair.merchant_account_ids;
    caller.accounts().is_none() || (!accounts.is_empty() && accounts.iter().all(|id| caller.reaches(id)))
}

fn view(snapshot: &Snapshot, pair: ApiKeyPair) -> ApiKeyPairView {
    ApiKeyPairView {
        roles: pair.role_ids.iter().filter_map(|id| snapshot.role(*id).cloned()).collect(),
        merchant_accounts: pair.merchant_account_ids.iter().filter_map(|id| snapshot.account(id.as_str()).cloned()).collect(),
        pair,
    }
}

/// The list without repetitions, in its order.
fn distinct<T: PartialEq>(list: Vec<T>) -> Vec<T> {
    let mut kept = Vec::with_capacity(list.len());
    for item in list {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

async fn finish(engine: &Engine, request: &Request, tx: Tx, action: AuditAction, pair: &ApiKeyPair) -> Result<(), Refusal> {
    engine.commit(tx, request, change(action, pair)).await
}

fn change(action: AuditAction, pair: &ApiKeyPair) -> Change<'_> {
    let (resource_id, resource_name) = (pair.id.to_string(), pair.display_name.as_str());
    Change { account: None, action, resource_type: "api-key-pair", resource_id, resource_name }
}
