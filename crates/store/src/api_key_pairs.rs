//! API key pairs.

use domain::api_key_pair::{ApiKeyPair, Creator};
use domain::page::{Page, PageRequest, Position};
use domain::{ApiKeyPairId, MerchantAccountId, RoleId, Timestamp};
use uuid::Uuid;

use crate::row::{self, At};
use crate::{StoreError, Tx};

/// What became of a new key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// It is stored.
    Inserted,
    /// This one has the same public key.
    Taken(ApiKeyPairId),
}

/// The accounts come along as one text, `a,b`: the two engines share a function for that, but no list type.
macro_rules! select {
    () => {
        "SELECT id, display_name, thumbprint, thumbprint_unpadded, public_key, active, role_ids, creator_id, creator_name, \
         creator_thumbprint, created_at, updated_at, last_used_at, \
         (SELECT string_agg(a.merchant_account_id, ',' ORDER BY a.merchant_account_id) FROM api_key_pair_merchant_accounts a \
         WHERE a.api_key_pair_id = api_key_pairs.id) AS merchant_account_ids FROM api_key_pairs"
    };
}

statements! {
    INSERT = "INSERT INTO api_key_pairs (id, display_name, thumbprint, thumbprint_unpadded, public_key, active, role_ids, creator_id, \
              creator_name, creator_thumbprint, created_at, updated_at, last_used_at) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING RETURNING id";
    HOLDER = "SELECT id FROM api_key_pairs WHERE thumbprint = $1 OR thumbprint_unpadded = $2 OR id = $3";
    UPDATE = "UPDATE api_key_pairs SET display_name = $2, active = $3, role_ids = $4, updated_at = $5 WHERE id = $1";
    DELETE = "DELETE FROM api_key_pairs WHERE id = $1";
    UNBIND = "DELETE FROM api_key_pair_merchant_accounts WHERE api_key_pair_id = $1";
    BIND = "INSERT INTO api_key_pair_merchant_accounts (api_key_pair_id, merchant_account_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    GET = concat!(select!(), " WHERE id = $1");
    ALL_PAIRS = concat!(select!(), " ORDER BY created_at DESC, id DESC");
    COUNT = "SELECT COUNT(*) FROM api_key_pairs";
    TOUCH = "UPDATE api_key_pairs SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
    [newest_first] {
        // A restricted caller sees the pairs that are bound, and to nothing outside its own accounts.
        LIST = concat!(
            select!(),
            " WHERE ((EXISTS (SELECT 1 FROM api_key_pair_merchant_accounts b WHERE b.api_key_pair_id = api_key_pairs.id) \
             AND NOT EXISTS (SELECT 1 FROM api_key_pair_merchant_accounts b WHERE b.api_key_pair_id = api_key_pairs.id \
             AND replace($4, ',' || b.merchant_account_id || ',', '') = $4)) OR $4 IS NULL)"
        );
    }
}

#[derive(sqlx::FromRow)]
struct PairRow {
    id: Uuid,
    display_name: String,
    thumbprint: String,
    thumbprint_unpadded: String,
    public_key: Vec<u8>,
    active: bool,
    role_ids: String,
    creator_id: Option<Uuid>,
    creator_name: Option<String>,
    creator_thumbprint: Option<String>,
    created_at: i64,
    updated_at: i64,
    last_used_at: Option<i64>,
    merchant_account_ids: Option<String>,
}

/// Adds a key pair, unless its public key is registered already.
pub async fn insert(tx: &mut Tx, pair: &ApiKeyPair) -> Result<Insertion, StoreError> {
    let creator = pair.creator.as_ref();
    let inserted = run!(
        tx,
        optional(Uuid,),
        INSERT,
        pair.id.0,
        &pair.display_name,
        &pair.thumbprint,
        &pair.thumbprint_unpadded,
        &pair.public_key,
        pair.active,
        role_ids(pair),
        creator.map(|creator| creator.id.0),
        creator.map(|creator| creator.name.as_str()),
        creator.map(|creator| creator.thumbprint.as_str()),
        pair.created_at.micros(),
        pair.updated_at.micros(),
        pair.last_used_at.map(Timestamp::micros),
    )?;
    if inserted.is_none() {
        // Write transactions follow one another, so whoever holds the thumbprint is still there.
        let (holder,) = run!(tx, one(Uuid,), HOLDER, &pair.thumbprint, &pair.thumbprint_unpadded, pair.id.0)?;
        return Ok(Insertion::Taken(ApiKeyPairId(holder)));
    }
    bind_accounts(tx, pair).await?;
    Ok(Insertion::Inserted)
}

/// Replaces display name, activity, roles and accounts; `false` if there is no such pair. Keys and creator never change.
pub async fn update(tx: &mut Tx, pair: &ApiKeyPair) -> Result<bool, StoreError> {
    let rows = run!(tx, execute, UPDATE, pair.id.0, &pair.display_name, pair.active, role_ids(pair), pair.updated_at.micros())?;
    if rows == 0 {
        return Ok(false);
    }
    run!(tx, execute, UNBIND, pair.id.0)?;
    bind_accounts(tx, pair).await?;
    Ok(true)
}

/// Deletes a pair; `false` if there is none.
pub async fn delete(tx: &mut Tx, id: ApiKeyPairId) -> Result<bool, StoreError> {
    Ok(run!(tx, execute, DELETE, id.0)? > 0)
}

/// One pair.
pub async fn get(tx: &mut Tx, id: ApiKeyPairId) -> Result<Option<ApiKeyPair>, StoreError> {
    run!(tx, optional PairRow, GET, id.0)?.map(ApiKeyPair::try_from).transpose()
}

/// Every pair, newest first: for the snapshot.
pub async fn all(tx: &mut Tx) -> Result<Vec<ApiKeyPair>, StoreError> {
    run!(tx, all PairRow, ALL_PAIRS)?.into_iter().map(ApiKeyPair::try_from).collect()
}

/// Pairs newest first. `visible` leaves out those that may act in all accounts or in one outside it.
pub async fn list(tx: &mut Tx, request: &PageRequest, visible: Option<&[MerchantAccountId]>) -> Result<Page<ApiKeyPair>, StoreError> {
    let window = LIST.window(request)?;
    let visible = visible.map(|ids| row::id_set(ids.iter().map(MerchantAccountId::as_str)));
    let rows = run!(tx, all PairRow, window.statement, window.created_at, window.id, window.rows, visible)?;
    let pairs = rows.into_iter().map(ApiKeyPair::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::from_rows(request, pairs, |pair| Position::Moment(pair.created_at.micros(), pair.id.0)))
}

/// How many pairs there are.
pub async fn count(tx: &mut Tx) -> Result<i64, StoreError> {
    let (count,) = run!(tx, one(i64,), COUNT)?;
    Ok(count)
}

/// Keeps when pairs were last used. An older moment than the stored one changes nothing.
pub async fn touch(tx: &mut Tx, used: &[(ApiKeyPairId, Timestamp)]) -> Result<(), StoreError> {
    for (id, moment) in used {
        run!(tx, execute, TOUCH, id.0, moment.micros())?;
    }
    Ok(())
}

async fn bind_accounts(tx: &mut Tx, pair: &ApiKeyPair) -> Result<(), StoreError> {
    for account in &pair.merchant_account_ids {
        run!(tx, execute, BIND, pair.id.0, account.as_str())?;
    }
    Ok(())
}

fn role_ids(pair: &ApiKeyPair) -> String {
    let ids: Vec<String> = pair.role_ids.iter().map(RoleId::to_string).collect();
    row::list(ids.iter().map(String::as_str))
}

impl TryFrom<PairRow> for ApiKeyPair {
    type Error = StoreError;

    fn try_from(row: PairRow) -> Result<Self, StoreError> {
        let at = At { table: "api_key_pairs", id: &row.id };
        let accounts = row.merchant_account_ids.as_deref().into_iter().flat_map(|ids| ids.split(','));
        let creator = row
            .creator_id
            .map(|id| {
                Ok(Creator {
                    id: ApiKeyPairId(id),
                    name: at.known("creator_name", row.creator_name)?,
                    thumbprint: at.known("creator_thumbprint", row.creator_thumbprint)?,
                })
            })
            .transpose()?;
        Ok(Self {
            id: ApiKeyPairId(row.id),
            role_ids: at.list("role_ids", &row.role_ids, RoleId::parse)?,
            merchant_account_ids: accounts
                .map(|id| at.known("merchant_account_ids", MerchantAccountId::parse(id)))
                .collect::<Result<_, _>>()?,
            creator,
            display_name: row.display_name,
            thumbprint: row.thumbprint,
            thumbprint_unpadded: row.thumbprint_unpadded,
            public_key: row.public_key,
            active: row.active,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
            last_used_at: row.last_used_at.map(Timestamp::from_micros),
        })
    }
}
