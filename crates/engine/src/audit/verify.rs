//! Verifying the audit log: every hash is computed again, and what is found is held against the checkpoints.

use std::fmt;

use domain::audit::ChainHash;
use store::audit_log::chain::{self, Columns, Head, Stored};
use store::{StoreError, Tx};

use super::checkpoint::Checkpoint;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every entry is what was written.
    Sound(Sound),
    /// One is not: the first.
    Flawed(Finding),
}

/// A log that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Where it ends.
    pub head: Head,
    /// How many checkpoints were found to hold.
    pub checkpoints: usize,
}

/// The first thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The number of the entry.
    pub sequence: i64,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What can be wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Its columns are not what its hash was computed from.
    Changed,
    /// It carries no hash.
    WithoutHash,
    /// It is not there.
    Missing,
    /// It is not there; it stands under another number.
    Moved {
        /// Where it is.
        to: i64,
    },
    /// Another one stands in its place, and it in the place of that one.
    Swapped {
        /// Where it is.
        with: i64,
    },
    /// It was never written by a server.
    Inserted,
    /// It is not there, nor is anything after it, although a checkpoint says that there was.
    CutOff {
        /// The last entry at the time of the checkpoint.
        checkpoint: i64,
    },
    /// It, or one of those up to the checkpoint, was changed, and all hashes were computed anew.
    Rewritten {
        /// The entry whose hash is not that of the checkpoint.
        checkpoint: i64,
    },
    /// The log ends here, and the installation remembers another end.
    OtherEnd,
}

/// Looks at the whole log, in one state of the database. The checkpoints are those that can be relied on, for this installation.
pub async fn verify(tx: &mut Tx, checkpoints: &[Checkpoint]) -> Result<Verdict, StoreError> {
    let head = chain::head(tx).await?;
    let mut checkpoints = checkpoints.to_vec();
    checkpoints.sort_by_key(|checkpoint| checkpoint.sequence);
    let mut walk = Walk { head, checkpoints, expected: 1, previous: ChainHash::BEFORE_THE_FIRST, held: 0 };
    let mut after = i64::MIN;
    loop {
        let entries = chain::entries_after(tx, after).await?;
        let Some(last) = entries.last().map(Stored::sequence) else { break };
        for entry in &entries {
            match walk.step(entry) {
                Step::On => {}
                Step::Found(finding) => return Ok(Verdict::Flawed(finding)),
                Step::Gap => return walk.gap(tx).await.map(Verdict::Flawed),
                Step::Mismatch(columns) => return walk.mismatch(tx, columns).await.map(Verdict::Flawed),
            }
        }
        after = last;
    }
    Ok(walk.end())
}

struct Walk {
    head: Head,
    /// By sequence.
    checkpoints: Vec<Checkpoint>,
    /// The number of the next entry.
    expected: i64,
    /// The hash of the entry before it.
    previous: ChainHash,
    /// How many checkpoints hold.
    held: usize,
}

enum Step<'a> {
    On,
    Found(Finding),
    /// The next entry has a higher number than it should.
    Gap,
    /// The next entry does not have the hash that it should.
    Mismatch(&'a Columns),
}

// === impl Walk ===

impl Walk {
    fn step<'a>(&mut self, entry: &'a Stored) -> Step<'a> {
        let sequence = entry.sequence();
        let found = |flaw| Step::Found(Finding { sequence, flaw });
        // A number that was never given, at the beginning or at the end.
        if sequence < self.expected || (sequence > self.head.counted && self.expected > self.head.counted) {
            return found(Flaw::Inserted);
        }
        if sequence > self.expected {
            return Step::Gap;
        }
        let columns = match entry {
            Stored::Readable(columns) => columns,
            Stored::Damaged(_) => return found(Flaw::Changed),
        };
        if columns.is_without_hash() {
            return found(Flaw::WithoutHash);
        }
        let hash = columns.hash_after(&self.previous);
        if columns.hash() != Some(hash) {
            return Step::Mismatch(columns);
        }
        while let Some(checkpoint) = self.checkpoints.get(self.held).filter(|checkpoint| checkpoint.sequence <= sequence) {
            if checkpoint.sequence == sequence && checkpoint.hash != hash {
                return Step::Found(self.rewritten(sequence));
            }
            self.held += 1;
        }
        self.previous = hash;
        self.expected = sequence.saturating_add(1);
        Step::On
    }

    /// The earliest entry that may have been changed: the first one after the checkpoint that still holds.
    fn rewritten(&self, checkpoint: i64) -> Finding {
        let before = self.held.checked_sub(1).and_then(|index| self.checkpoints.get(index));
        Finding { sequence: before.map_or(1, |before| before.sequence.saturating_add(1)), flaw: Flaw::Rewritten { checkpoint } }
    }

    fn end(self) -> Verdict {
        let last = self.expected.saturating_sub(1);
        let flawed = |sequence, flaw| Verdict::Flawed(Finding { sequence, flaw });
        match self.checkpoints.last() {
            Some(checkpoint) if checkpoint.sequence > last => {
                return flawed(self.expected, Flaw::CutOff { checkpoint: checkpoint.sequence });
            }
            _ => {}
        }
        if last < self.head.counted {
            return flawed(self.expected, Flaw::Missing);
        }
        if (self.head.sequence, self.head.hash) != (last, self.previous) {
            return flawed(last, Flaw::OtherEnd);
        }
        Verdict::Sound(Sound { head: self.head, checkpoints: self.held })
    }

    /// The expected number is free: is the entry gone, or elsewhere?
    async fn gap(&self, tx: &mut Tx) -> Result<Finding, StoreError> {
        let flaw = match self.find(tx, None).await? {
            Some(place) => Flaw::Moved { to: place.sequence },
            None => Flaw::Missing,
        };
        Ok(Finding { sequence: self.expected, flaw })
    }

    /// The entry under the expected number is not the one that was written there: was it changed, or is the right one elsewhere?
    async fn mismatch(&self, tx: &mut Tx, there: &Columns) -> Result<Finding, StoreError> {
        let flaw = match self.find(tx, Some(there)).await? {
            Some(Place { sequence, swapped: Swapped::Yes }) => Flaw::Swapped { with: sequence },
            Some(Place { swapped: Swapped::No, .. }) => Flaw::Inserted,
            None => Flaw::Changed,
        };
        Ok(Finding { sequence: self.expected, flaw })
    }

    /// Looks behind the expected number for the entry that belongs there: with its hash, or without it where the columns alone were exchanged.
    async fn find(&self, tx: &mut Tx, there: Option<&Columns>) -> Result<Option<Place>, StoreError> {
        let (mut after, mut before) = (self.expected, None);
        loop {
            let entries = chain::entries_after(tx, after).await?;
            let Some(last) = entries.last().map(Stored::sequence) else { return Ok(None) };
            for entry in &entries {
                let Stored::Readable(columns) = entry else { continue };
                let belongs = Some(columns.hash_as(self.expected, &self.previous));
                if belongs == columns.hash() || belongs == there.and_then(Columns::hash) {
                    let sequence = columns.sequence();
                    // What stands in its place was written here, behind the entry before this one.
                    let before = before.or(belongs);
                    let swapped = there.zip(before).is_some_and(|(there, before)| {
                        let here = Some(there.hash_as(sequence, &before));
                        here == there.hash() || here == columns.hash()
                    });
                    return Ok(Some(Place { sequence, swapped: if swapped { Swapped::Yes } else { Swapped::No } }));
                }
                before = columns.hash();
            }
            after = last;
        }
    }
}

/// Where an entry is that belongs elsewhere.
struct Place {
    sequence: i64,
    swapped: Swapped,
}

/// Whether what stands in its place belongs where it is.
enum Swapped {
    Yes,
    No,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sequence = self.sequence;
        match self.flaw {
            Flaw::Changed => write!(f, "entry {sequence} was changed: its hash is not that of its columns and of the entry before it"),
            Flaw::WithoutHash => write!(
                f,
                "entry {sequence} has no hash: it was removed, or a server of an older version has written the entry; in that case stop that server and run `tollhouse migrate`"
            ),
            Flaw::Missing => write!(f, "entry {sequence} is missing: it was deleted"),
            Flaw::Moved { to } => write!(f, "entry {sequence} is missing: it was moved to {to}"),
            Flaw::Swapped { with } => write!(f, "entry {sequence} was swapped with {with}"),
            Flaw::Inserted => write!(f, "entry {sequence} was inserted: no server has written it"),
            Flaw::CutOff { checkpoint } => {
                write!(f, "entry {sequence} is missing: the log was cut off before the checkpoint at entry {checkpoint}")
            }
            Flaw::Rewritten { checkpoint } => write!(
                f,
                "entry {sequence} is the first that may have been changed: the log was rewritten, entry {checkpoint} is not the one of its checkpoint"
            ),
            Flaw::OtherEnd => write!(f, "entry {sequence} is the last one, and the installation remembers another end of the log"),
        }
    }
}
