//! `--unsafe-durability`: a database that can lose what it has acknowledged, accepted with open eyes.

use store::WeakDurability;

use crate::config::Config;

/// Whether such a database is good enough.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct DurabilityOption {
    /// Accept a database whose settings can lose acknowledged writes; a warning at every start names them.
    #[arg(long)]
    unsafe_durability: bool,
}

// === impl DurabilityOption ===

impl DurabilityOption {
    /// Tells the configuration. It is no key of the file: whoever starts the server should have said so today.
    pub(crate) fn apply(self, config: &mut Config) {
        config.database.weak = if self.unsafe_durability { WeakDurability::Accepted } else { WeakDurability::Refused };
    }
}
