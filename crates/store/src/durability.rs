//! Whether what a database acknowledges survives the loss of power: the settings that decide it, read back after opening.

use crate::OpenError;

/// One setting that decides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurabilitySetting {
    /// What the engine calls it.
    pub name: &'static str,
    /// What it is, in the engine's own word.
    pub value: String,
    /// What it should be.
    pub wanted: &'static str,
    /// Whether it loses nothing as it is.
    pub holds: bool,
}

/// What becomes of a database that can lose what it has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeakDurability {
    /// It is not opened.
    Refused,
    /// It is opened: somebody has decided so, for a trial or for speed.
    Accepted,
}

/// Lets settings pass that lose nothing, and others only where that is accepted.
pub(crate) fn judge(settings: Vec<DurabilitySetting>, weak: WeakDurability) -> Result<Vec<DurabilitySetting>, OpenError> {
    match (weak, settings.iter().find(|setting| !setting.holds)) {
        (WeakDurability::Refused, Some(setting)) => {
            Err(OpenError::WeakDurability { setting: setting.name, value: setting.value.clone(), wanted: setting.wanted })
        }
        (WeakDurability::Accepted, _) | (_, None) => Ok(settings),
    }
}
