//! The chain: the hash of an entry covers its columns and the hash of the entry before it.

use aws_lc_rs::digest::{SHA256, digest};
use domain::audit::ChainHash;
use uuid::Uuid;

use crate::row::At;
use crate::{StoreError, Tx};

/// Entries that are read at once: some hundred kilobytes.
const BATCH_ROWS: i64 = 1_000;

/// What the encoding of an entry begins with. Another encoding gets another name.
const ENCODING: &[u8] = b"tollhouse audit entry 1";

macro_rules! columns {
    () => {
        "sequence, id, merchant_account_id, action, resource_type, resource_id, resource_name, actor_id, actor_name, request_id, origin, created_at, details, hash"
    };
}

statements! {
    // The row of the installation stays locked until the change commits, so the numbers have no gaps and follow the commits.
    NEXT_SEQUENCE = "UPDATE instance SET audit_sequence = audit_sequence + 1 WHERE id = 1 RETURNING audit_sequence, audit_chained, audit_head";
    INSERT = concat!("INSERT INTO audit_log (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)");
    MOVE_HEAD = "UPDATE instance SET audit_chained = $1, audit_head = $2 WHERE id = 1";
    // A hash that is there is never replaced: that would cover up what was changed.
    CHAIN = "UPDATE audit_log SET hash = $2 WHERE sequence = $1 AND hash IS NULL";
    HEAD = "SELECT installation_id, audit_sequence, audit_chained, audit_head FROM instance WHERE id = 1";
    HASH_AT = "SELECT hash FROM audit_log WHERE sequence = $1";
    BATCH = concat!("SELECT ", columns!(), " FROM audit_log WHERE sequence > $1 ORDER BY sequence LIMIT $2");
    // For a batch that holds a value of a wrong type, which SQLite lets somebody write: which row is it?
    NUMBERS = "SELECT sequence FROM audit_log WHERE sequence > $1 ORDER BY sequence LIMIT $2";
    ONE = concat!("SELECT ", columns!(), " FROM audit_log WHERE sequence = $1");
}

/// Where the log ends, as the installation remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The name of the installation.
    pub installation: Uuid,
    /// Entries that were ever written.
    pub counted: i64,
    /// The number of the last entry that is chained; above it are entries of a server of an older version.
    pub sequence: i64,
    /// The hash of that entry.
    pub hash: ChainHash,
}

/// An entry as it is stored, whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It can be read.
    Readable(Box<Columns>),
    /// A column holds a value that no column of its type can hold.
    Damaged(i64),
}

/// All columns of an entry, unread: a changed one may hold words that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Columns {
    pub(super) sequence: i64,
    pub(super) id: Uuid,
    pub(super) merchant_account_id: Option<String>,
    pub(super) action: String,
    pub(super) resource_type: String,
    pub(super) resource_id: String,
    pub(super) resource_name: String,
    pub(super) actor_id: Option<Uuid>,
    pub(super) actor_name: String,
    pub(super) request_id: String,
    pub(super) origin: String,
    pub(super) created_at: i64,
    pub(super) details: String,
    pub(super) hash: Option<Vec<u8>>,
}

#[derive(sqlx::FromRow)]
struct HeadRow {
    installation_id: Option<Uuid>,
    audit_sequence: i64,
    audit_chained: i64,
    audit_head: Vec<u8>,
}

#[derive(sqlx::FromRow)]
struct HashRow {
    hash: Option<Vec<u8>>,
}

/// Where the log ends.
pub async fn head(tx: &mut Tx) -> Result<Head, StoreError> {
    let row = run!(tx, one HeadRow, HEAD)?;
    let at = At { table: "instance", id: &1 };
    Ok(Head {
        installation: at.known("installation_id", row.installation_id)?,
        counted: row.audit_sequence,
        sequence: row.audit_chained,
        hash: at.known("audit_head", ChainHash::of_bytes(&row.audit_head))?,
    })
}

/// The hash that an entry carries; `None` where there is no such entry, or none that is chained.
pub async fn hash_at(tx: &mut Tx, sequence: i64) -> Result<Option<ChainHash>, StoreError> {
    let row = run!(tx, optional HashRow, HASH_AT, sequence)?;
    Ok(row.and_then(|row| ChainHash::of_bytes(&row.hash?)))
}

/// The next entries after a number, in their order; none at the end.
pub async fn entries_after(tx: &mut Tx, sequence: i64) -> Result<Vec<Stored>, StoreError> {
    match run!(tx, all Columns, BATCH, sequence, BATCH_ROWS) {
        Ok(rows) => Ok(rows.into_iter().map(|columns| Stored::Readable(Box::new(columns))).collect()),
        Err(StoreError::Unexpected { .. }) => one_by_one(tx, sequence).await,
        Err(error) => Err(error),
    }
}

async fn one_by_one(tx: &mut Tx, sequence: i64) -> Result<Vec<Stored>, StoreError> {
    let mut entries = Vec::new();
    for (sequence,) in run!(tx, all(i64,), NUMBERS, sequence, BATCH_ROWS)? {
        match run!(tx, one Columns, ONE, sequence) {
            Ok(columns) => entries.push(Stored::Readable(Box::new(columns))),
            Err(StoreError::Unexpected { .. }) => entries.push(Stored::Damaged(sequence)),
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

/// Chains the entries that have no hash yet; how many those were. They are of an older version, from before the chain or from beside it.
pub async fn chain_rest(tx: &mut Tx) -> Result<u64, StoreError> {
    let head = head(tx).await?;
    let (chained, last, hash) = chain_after(tx, head.sequence, head.hash).await?;
    if last > head.sequence {
        run!(tx, execute, MOVE_HEAD, last, hash.0.as_slice())?;
    }
    Ok(chained)
}

/// Adds an entry behind the last one. The sequence number and the hash are found here.
pub(super) async fn append(tx: &mut Tx, mut columns: Columns) -> Result<i64, StoreError> {
    let (sequence, chained, head) = run!(tx, one(i64, i64, Vec<u8>), NEXT_SEQUENCE)?;
    let mut previous = At { table: "instance", id: &1 }.known("audit_head", ChainHash::of_bytes(&head))?;
    if chained < sequence.saturating_sub(1) {
        (_, _, previous) = chain_after(tx, chained, previous).await?;
    }
    columns.sequence = sequence;
    let hash = columns.hash_after(&previous);
    run!(
        tx,
        execute,
        INSERT,
        sequence,
        columns.id,
        &columns.merchant_account_id,
        &columns.action,
        &columns.resource_type,
        &columns.resource_id,
        &columns.resource_name,
        columns.actor_id,
        &columns.actor_name,
        &columns.request_id,
        &columns.origin,
        columns.created_at,
        &columns.details,
        hash.0.as_slice(),
    )?;
    run!(tx, execute, MOVE_HEAD, sequence, hash.0.as_slice())?;
    Ok(sequence)
}

/// Chains what comes after an entry: how many entries had no hash, the number of the last entry, and its hash.
async fn chain_after(tx: &mut Tx, sequence: i64, hash: ChainHash) -> Result<(u64, i64, ChainHash), StoreError> {
    let (mut chained, mut last, mut previous) = (0, sequence, hash);
    loop {
        let rows = run!(tx, all Columns, BATCH, last, BATCH_ROWS)?;
        if rows.is_empty() {
            return Ok((chained, last, previous));
        }
        for columns in rows {
            last = columns.sequence;
            previous = match columns.hash() {
                Some(hash) => hash,
                None => {
                    let hash = columns.hash_after(&previous);
                    chained += run!(tx, execute, CHAIN, last, hash.0.as_slice())?;
                    hash
                }
            };
        }
    }
}

// === impl Stored ===

impl Stored {
    /// The number that it stands under.
    pub fn sequence(&self) -> i64 {
        match self {
            Self::Readable(columns) => columns.sequence,
            Self::Damaged(sequence) => *sequence,
        }
    }
}

// === impl Columns ===

impl Columns {
    /// The number that it stands under.
    pub fn sequence(&self) -> i64 {
        self.sequence
    }

    /// The hash that it carries; `None` where that is not there, or not 32 bytes.
    pub fn hash(&self) -> Option<ChainHash> {
        self.hash.as_deref().and_then(ChainHash::of_bytes)
    }

    /// Whether nothing stands where its hash should be.
    pub fn is_without_hash(&self) -> bool {
        self.hash.is_none()
    }

    /// The hash that it must carry behind an entry with this hash.
    pub fn hash_after(&self, previous: &ChainHash) -> ChainHash {
        self.hash_as(self.sequence, previous)
    }

    /// The hash that it would have to carry under another number.
    pub fn hash_as(&self, sequence: i64, previous: &ChainHash) -> ChainHash {
        let digest = digest(&SHA256, &self.encode(sequence, previous));
        ChainHash::of_bytes(digest.as_ref()).expect("SHA-256 has 32 bytes")
    }

    /// Each value with its length before it, in the order of the columns, so that no two entries have the same encoding.
    fn encode(&self, sequence: i64, previous: &ChainHash) -> Vec<u8> {
        let (sequence, created_at) = (sequence.to_be_bytes(), self.created_at.to_be_bytes());
        let values: [Option<&[u8]>; 15] = [
            Some(ENCODING),
            Some(&previous.0),
            Some(&sequence),
            Some(self.id.as_bytes()),
            self.merchant_account_id.as_deref().map(str::as_bytes),
            Some(self.action.as_bytes()),
            Some(self.resource_type.as_bytes()),
            Some(self.resource_id.as_bytes()),
            Some(self.resource_name.as_bytes()),
            self.actor_id.as_ref().map(|id| id.as_bytes().as_slice()),
            Some(self.actor_name.as_bytes()),
            Some(self.request_id.as_bytes()),
            Some(self.origin.as_bytes()),
            Some(&created_at),
            Some(self.details.as_bytes()),
        ];
        let mut encoded = Vec::new();
        for value in values {
            match value {
                None => encoded.push(0),
                Some(bytes) => {
                    encoded.push(1);
                    encoded.extend(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
                    encoded.extend(bytes);
                }
            }
        }
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        Columns {
            sequence: 7,
            id: Uuid::from_u128(1),
            merchant_account_id: Some("default".into()),
            action: "created".into(),
            resource_type: "payment-service".into(),
            resource_id: "x".into(),
            resource_name: "Ä".into(),
            actor_id: None,
            actor_name: "Key".into(),
            request_id: "r".into(),
            origin: "127.0.0.1".into(),
            created_at: 1_790_000_000_000_000,
            details: String::new(),
            hash: None,
        }
    }

    /// What is stored today must verify in ten years: neither the encoding nor the hash may change.
    #[test]
    fn the_encoding_has_a_known_answer() {
        let text = |text: &str| format!("01{:016x}{}", text.len(), text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>());
        let expected = [
            &text("tollhouse audit entry 1"),
            &format!("01{:016x}{}", 32, "00".repeat(32)),
            "0100000000000000080000000000000007",
            &format!("01{:016x}{:032x}", 16, 1),
            &text("default"),
            &text("created"),
            &text("payment-service"),
            &text("x"),
            "010000000000000002c384",
            "00",
            &text("Key"),
            &text("r"),
            &text("127.0.0.1"),
            &format!("01{:016x}{:016x}", 8, 1_790_000_000_000_000_i64),
            &text(""),
        ]
        .concat();
        let encoded: String = columns().encode(7, &ChainHash::BEFORE_THE_FIRST).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(encoded, expected);
        let hash = columns().hash_after(&ChainHash::BEFORE_THE_FIRST).to_string();
        assert_eq!(hash, "fbf759fd31ff93502efca65b604daf7332daa21943d100b743a627ff0ea736b8");
    }

    #[test]
    fn every_column_counts() {
        let original = columns().hash_after(&ChainHash::BEFORE_THE_FIRST);
        let changes: [fn(&mut Columns); 15] = [
            |columns| columns.sequence = 8,
            |columns| columns.id = Uuid::from_u128(2),
            |columns| columns.merchant_account_id = None,
            |columns| columns.merchant_account_id = Some(String::new()),
            |columns| columns.action = "updated".into(),
            |columns| columns.resource_type.push('s'),
            |columns| columns.resource_id.clear(),
            |columns| columns.resource_name = "A\u{308}".into(),
            |columns| columns.actor_id = Some(Uuid::nil()),
            |columns| columns.actor_name = "key".into(),
            |columns| columns.request_id = "s".into(),
            |columns| columns.origin = "127.0.0.11".into(),
            |columns| columns.created_at += 1,
            |columns| columns.details = "{}".into(),
            // What moves from one column to the next.
            |columns| (columns.resource_type, columns.resource_id) = ("payment-servicex".into(), String::new()),
        ];
        let mut seen = vec![original];
        for (number, change) in changes.into_iter().enumerate() {
            let mut changed = columns();
            change(&mut changed);
            let hash = changed.hash_after(&ChainHash::BEFORE_THE_FIRST);
            assert!(!seen.contains(&hash), "change {number}");
            seen.push(hash);
        }
        assert_ne!(columns().hash_after(&ChainHash([1; 32])), original);
        assert_eq!(columns().hash_as(8, &ChainHash::BEFORE_THE_FIRST), seen[1]);
    }
}
