//! What a backup needs beside the database: a checksum of the whole file, and the proof that its keys open what they should.

use std::collections::{BTreeSet, HashMap};

use connectors::catalogue::Catalogue;
use domain::payment_service::{PaymentService, SealedField};
use domain::{MerchantAccountId, Scope};
use store::backup::Backup;
use store::data_keys::WrappedDataKey;
use store::{StoreError, Tx};

use crate::audit::{self, Flaw, Verdict};
use crate::merchant_accounts;
use crate::payment_services::fields;
use crate::signing::PublicKey;
use crate::vault::{DataKey, RootKeys, UnwrapError};

pub mod checksum;
#[cfg(test)]
mod tests;

/// What opens the credentials of a backup.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// The root key.
    pub root_keys: &'a RootKeys,
    /// The definitions, since a credential opens only for the hosts that its definition names.
    pub catalogue: &'a Catalogue,
}

/// What was found wrong with the rows of a backup, one sentence each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What makes the backup less than the database was.
    pub problems: Vec<String>,
    /// Root keys that it needs and that are not there, by id.
    pub missing_root_keys: BTreeSet<String>,
    /// Values that do not open although their key does. A server says the same of them, and needs them entered again.
    pub closed: Vec<String>,
    /// Values that were not looked at, and why.
    pub skipped: Vec<String>,
}

/// Reads every row that a server reads when it starts, and opens with the keys what is sealed.
pub async fn check(backup: &Backup, keys: Option<Keys<'_>>) -> Result<Findings, StoreError> {
    let mut findings = Findings { problems: backup.contradictions().await?, ..Findings::default() };
    let mut tx = backup.read().await?;
    let stored = store::snapshot::load(&mut tx).await?;
    for pair in &stored.key_pairs {
        if PublicKey::from_point(&pair.public_key).is_err() {
            findings.problems.push(format!("api_key_pairs: column public_key of {} is damaged", pair.id));
        }
    }
    findings.problems.extend(flaw_of_audit_log(&mut tx).await?);
    let Some(keys) = keys else { return Ok(findings) };
    let opened = findings.open_keys(keys.root_keys, &stored.data_keys);
    for (service, held) in &stored.services {
        findings.open_fields(&opened, keys.catalogue, service, held);
    }
    for account in &stored.accounts {
        findings.open_secrets(&opened, &mut tx, &account.id).await?;
    }
    Ok(findings)
}

/// What is wrong with the audit log of a backup. Checkpoints are not asked: they are newer than the backup, or somewhere else.
async fn flaw_of_audit_log(tx: &mut Tx) -> Result<Option<String>, StoreError> {
    let Verdict::Flawed(finding) = audit::verify(tx, &[]).await? else { return Ok(None) };
    let chained = store::audit_log::chain::head(tx).await?.sequence;
    // Entries of a version that kept no chain get their hashes with the next entry.
    let waits = finding.flaw == Flaw::WithoutHash && finding.sequence > chained;
    Ok((!waits).then(|| format!("audit_log: {finding}")))
}

/// The data keys that open, by account and version.
type Opened = HashMap<(MerchantAccountId, i64), DataKey>;

// === impl Findings ===

impl Findings {
    /// Whether nothing at all was found.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.missing_root_keys.is_empty() && self.closed.is_empty()
    }

    fn open_keys(&mut self, root_keys: &RootKeys, stored: &[WrappedDataKey]) -> Opened {
        let mut opened = Opened::new();
        for wrapped in stored {
            match DataKey::unwrap(root_keys, wrapped) {
                Ok(key) => {
                    opened.insert((wrapped.account.clone(), wrapped.version), key);
                }
                Err(UnwrapError::WrongRootKey { stored, .. }) => {
                    self.missing_root_keys.insert(stored);
                }
                Err(UnwrapError::Damaged { account, version }) => {
                    self.problems.push(format!("data_keys: version {version} of merchant account {account} is damaged"));
                }
            }
        }
        opened
    }

    /// Values under a data key that does not open are not told one by one.
    fn open_fields(&mut self, opened: &Opened, catalogue: &Catalogue, service: &PaymentService, held: &[SealedField]) {
        let Some(connector) = catalogue.get(service.definition_id.as_str()) else {
            if !held.is_empty() {
                let (id, definition) = (service.id, &service.definition_id);
                self.skipped.push(format!("the credentials of payment service {id}: its definition {definition} is not loaded"));
            }
            return;
        };
        let trust = connector.trust();
        for field in held {
            let key = opened.get(&(service.merchant_account_id.clone(), field.data_key_version));
            if key.is_some_and(|key| !fields::opens(key, service, field, &trust)) {
                self.closed.push(format!("field {} of payment service {} ({})", field.key, service.id, service.settings.display_name));
            }
        }
    }

    async fn open_secrets(&mut self, opened: &Opened, tx: &mut Tx, account: &MerchantAccountId) -> Result<(), StoreError> {
        for secret in store::merchant_accounts::secrets(tx, &Scope::of(account.clone())).await? {
            let key = opened.get(&(account.clone(), secret.data_key_version));
            if key.is_some_and(|key| !merchant_accounts::opens(key, account, &secret)) {
                self.closed.push(format!("{} of merchant account {account}", secret.key));
            }
        }
        Ok(())
    }
}
