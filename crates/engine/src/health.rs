//! Whether this instance should be sent requests.

use std::sync::atomic::Ordering;

use crate::Engine;

/// The state of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether it takes requests.
    pub ready: bool,
    /// Why not, and what an operator should know although it does.
    pub reasons: Vec<String>,
}

impl Engine {
    /// The state of this instance. Reads nothing from the database.
    pub fn health(&self) -> Health {
        let mut reasons = Vec::new();
        if self.tasks.is_closed() {
            reasons.push("the server is shutting down".to_owned());
        }
        if !self.database.is_writable() {
            reasons.push("the database can not be written".to_owned());
        }
        if self.stale.load(Ordering::Relaxed) {
            reasons.push("the database can not be read, or holds what can not be used: what is configured may be out of date".to_owned());
        }
        let ready = reasons.is_empty();
        reasons.extend(self.services_without_definition());
        Health { ready, reasons }
    }

    /// Their sessions fail, all others go on: so this is told, and is no reason to take the instance away.
    fn services_without_definition(&self) -> Vec<String> {
        let catalogue = self.catalogue.load();
        let snapshot = self.snapshot();
        let mut gone: Vec<String> = snapshot
            .services()
            .filter(|service| catalogue.get(service.service.definition_id.as_str()).is_none())
            .map(|service| {
                format!(
                    "payment service {} needs the definition {}, which is not loaded",
                    service.service.id, service.service.definition_id
                )
            })
            .collect();
        gone.sort();
        gone
    }
}
