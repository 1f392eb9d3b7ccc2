//! The catalogue of a server, and what its configuration says about the providers in it.

use std::collections::BTreeMap;

use connectors::catalogue::Catalogue;
use connectors::format::Diagnostic;
use tracing::warn;
use url::Url;

use crate::accept;
use crate::cli::exit::UsageError;
use crate::config::keys::nearest;
use crate::config::{Config, ConfigError};

/// Reads the shipped files and the operator's. A file of the operator that fails stops the start: it would be missed when money is at stake.
pub(crate) fn load(config: &Config) -> anyhow::Result<Catalogue> {
    match Catalogue::load(&config.definitions, config.simulators.enabled) {
        Ok((catalogue, mistakes)) if mistakes.is_empty() => Ok(catalogue),
        Ok((_, mistakes)) | Err(mistakes) => Err(UsageError(lines(&mistakes)).into()),
    }
}

/// The base URLs that replace those of definitions, by provider id.
pub(crate) fn overrides(config: &Config, catalogue: &Catalogue) -> Result<BTreeMap<String, Url>, ConfigError> {
    let mut found = BTreeMap::new();
    for place in &config.providers {
        // Variables can not hold dashes, so both spellings mean the same provider.
        let same = |id: &str| id.replace('_', "-") == place.id.replace('_', "-");
        match catalogue.providers().find(|provider| same(&provider.id)) {
            Some(provider) => {
                found.insert(provider.id.clone(), place.base.clone());
            }
            None => {
                let known = nearest(&place.id, catalogue.providers().map(|provider| provider.id.as_str()));
                let hint = known.map(|id| format!(": did you mean `{id}`?")).unwrap_or_default();
                return Err(ConfigError::one(format!("{}: no definition file has the id `{}`{hint}", place.source, place.id)));
            }
        }
    }
    Ok(found)
}

/// What `serve` would find wrong before it touches the database.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    let catalogue = load(config)?;
    overrides(config, &catalogue)?;
    if let Some(files) = &config.server.tls {
        accept::tls::acceptor(files).map_err(|error| UsageError(format!("{error:#}")))?;
    }
    super::outbound(config)?;
    if config.root_key_file.exists() {
        super::storage::read_root_keys(config)?;
    } else {
        warn!(file = %config.root_key_file.display(), "There is no root key yet; `tollhouse init` makes one.");
    }
    Ok(())
}

fn lines(mistakes: &[Diagnostic]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
