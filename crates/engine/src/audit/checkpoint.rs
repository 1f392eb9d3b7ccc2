//! Checkpoints: where the audit log stood at a moment, signed under the root key. Kept outside the database, they tell of a log whose end was cut off or whose chain was computed anew.

use aws_lc_rs::hmac;
use domain::Timestamp;
use domain::audit::ChainHash;
use serde_json::{Value, json};
use store::audit_log::chain::Head;
use uuid::Uuid;

use crate::vault::RootKey;

/// What the signed text begins with. Another form of it gets another name.
const SIGNED: &[u8] = b"tollhouse audit checkpoint 1";
/// The form of a line.
const VERSION: u64 = 1;

/// Where the log stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log.
    pub installation: Uuid,
    /// The number of its last entry.
    pub sequence: i64,
    /// The hash of that entry.
    pub hash: ChainHash,
    /// When it was looked at.
    pub at: Timestamp,
    /// The root key that signs.
    pub root_key_id: String,
    signature: Vec<u8>,
}

// === impl Checkpoint ===

impl Checkpoint {
    /// Says where a log stands.
    pub fn sign(head: &Head, at: Timestamp, key: &RootKey) -> Self {
        let mut checkpoint = Self {
            installation: head.installation,
            sequence: head.sequence,
            hash: head.hash,
            at,
            root_key_id: key.id().to_owned(),
            signature: Vec::new(),
        };
        checkpoint.signature = hmac::sign(key.checkpoint_key(), &checkpoint.signed_text()).as_ref().to_vec();
        checkpoint
    }

    /// Whether a key has signed it.
    pub fn is_signed_by(&self, key: &RootKey) -> bool {
        self.root_key_id == key.id() && hmac::verify(key.checkpoint_key(), &self.signed_text(), &self.signature).is_ok()
    }

    /// Reads a line of a checkpoint file.
    pub fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let text = |member: &str| value.get(member).and_then(Value::as_str);
        if value.get("version")?.as_u64()? != VERSION {
            return None;
        }
        Some(Self {
            installation: Uuid::try_parse(text("installation")?).ok()?,
            sequence: value.get("sequence")?.as_i64()?,
            hash: ChainHash::parse(text("hash")?)?,
            at: Timestamp::parse(text("at")?)?,
            root_key_id: text("root_key")?.to_owned(),
            // As long as a hash, and written like one.
            signature: ChainHash::parse(text("signature")?)?.0.to_vec(),
        })
    }

    /// The line that [`Checkpoint::parse`] reads.
    pub fn line(&self) -> String {
        let signature: String = self.signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = json!({
            "version": VERSION,
            "installation": self.installation.to_string(),
            "sequence": self.sequence,
            "hash": self.hash.to_string(),
            "at": self.at.to_string(),
            "root_key": self.root_key_id,
            "signature": signature,
        });
        line.to_string()
    }

    /// Each value with its length before it, so that no two checkpoints have the same text.
    fn signed_text(&self) -> Vec<u8> {
        let (sequence, at) = (self.sequence.to_be_bytes(), self.at.micros().to_be_bytes());
        let values: [&[u8]; 6] = [SIGNED, self.installation.as_bytes(), &sequence, &self.hash.0, &at, self.root_key_id.as_bytes()];
        let mut text = Vec::new();
        for value in values {
            text.extend(u64::try_from(value.len()).unwrap_or(u64::MAX).to_be_bytes());
            text.extend(value);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, root_key};

    fn head() -> Head {
        Head { installation: Uuid::from_u128(5), counted: 9, sequence: 9, hash: ChainHash([3; 32]) }
    }

    /// A checkpoint of today must verify in ten years.
    #[test]
    fn a_checkpoint_has_a_known_answer() {
        let line: Value = serde_json::from_str(&Checkpoint::sign(&head(), NOON, &root_key()).line()).unwrap();
        let expected = json!({
            "version": 1,
            "installation": "00000000-0000-0000-0000-000000000005",
            "sequence": 9,
            "hash": "03".repeat(32),
            "at": "2026-11-22T12:00:00.000000+00:00",
            "root_key": "4bb06f8e4e3a7715",
            "signature": "2cb3f9a9180f33e3d4506f5a8cd61a6e7ca262d8765fc12a318db9848ad2586e",
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn it_is_read_as_it_was_written_and_every_member_is_signed() {
        let checkpoint = Checkpoint::sign(&head(), NOON, &root_key());
        let line = checkpoint.line();
        assert_eq!(Checkpoint::parse(&line).as_ref(), Some(&checkpoint));
        assert!(checkpoint.is_signed_by(&root_key()));
        assert!(!checkpoint.is_signed_by(&RootKey::of(&[8; 32])));
        let members: Value = serde_json::from_str(&line).unwrap();
        for (member, other) in [
            ("installation", json!(Uuid::from_u128(6).to_string())),
            ("sequence", json!(8)),
            ("hash", json!(ChainHash([4; 32]).to_string())),
            ("at", json!(NOON.plus_seconds(1).to_string())),
            ("root_key", json!("0000000000000000")),
            ("signature", json!("0".repeat(64))),
        ] {
            let mut changed = members.clone();
            changed[member] = other;
            let changed = Checkpoint::parse(&changed.to_string()).unwrap();
            assert!(!changed.is_signed_by(&root_key()), "{member}");
            let mut lacking = members.clone();
            lacking.as_object_mut().unwrap().remove(member);
            assert_eq!(Checkpoint::parse(&lacking.to_string()), None, "{member}");
        }
        for nonsense in ["", "{}", "null", &line[1..], &line.replace("\"version\":1", "\"version\":2")] {
            assert_eq!(Checkpoint::parse(nonsense), None, "{nonsense}");
        }
    }
}
