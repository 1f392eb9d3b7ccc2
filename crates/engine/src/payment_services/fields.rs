//! The fields of a payment service: checked against its definition, sealed for its hosts, opened where they are needed.

use std::sync::Arc;

use connectors::catalogue::Connector;
use connectors::credentials::{FieldProblem, FieldRules, check};
use connectors::model::Field;
use domain::payment_service::{FieldSet, PaymentService, SealedField};
use domain::{MerchantAccountId, PaymentServiceId, Problem, Scope, Secret};
use store::Tx;
use store::payment_services as stored;

use crate::vault::{DataKey, Keyring, OpenError, Place};
use crate::{Engine, Refusal};

/// The table that fields are in; part of what they are sealed with.
pub(crate) const TABLE: &str = "payment_service_fields";

/// Writes the fields of one payment service.
pub(super) struct Sealer<'a> {
    key: Arc<DataKey>,
    service: &'a PaymentService,
    connector: &'a Connector,
    trust: String,
}

/// Everything that is wrong with the values of a service to be made, by their position.
pub(super) fn problems(connector: &Connector, sent: &[(String, String)], rules: &FieldRules) -> Vec<Problem> {
    check(connector, sent, rules).into_iter().map(|problem| of_sent(problem, sent.len())).collect()
}

/// What comes of merging sent values into stored ones, under the keys of today.
pub(super) struct Merge {
    /// The sent values, then the stored ones that stay.
    pub(super) values: Vec<(String, String)>,
    sent: usize,
    /// Keys of stored values that stay and do not open.
    closed: Vec<String>,
}

impl Merge {
    /// Opens the stored values that are not sent anew.
    pub(super) fn new(
        keyring: &Keyring,
        service: &PaymentService,
        connector: &Connector,
        held: &[SealedField],
        sent: &[(String, String)],
    ) -> Self {
        let trust = connector.trust();
        let mut merge = Self { values: sent.to_vec(), sent: sent.len(), closed: Vec::new() };
        let keeps = |field: &&Field| !sent.iter().any(|(key, _)| key == &field.key);
        for field in connector.provider.fields.iter().filter(keeps) {
            match stored_for(held, field).map(|sealed| open(keyring, service, sealed, &trust)) {
                Some(Ok(value)) => merge.values.extend(value.expose_str().map(|value| (field.key.clone(), value.to_owned()))),
                Some(Err(OpenError)) => merge.closed.push(field.key.clone()),
                None => {}
            }
        }
        merge
    }

    /// Everything that is wrong with the whole. What is wrong with a stored value is said of the list.
    pub(super) fn problems(&self, connector: &Connector, rules: &FieldRules) -> Vec<Problem> {
        let found = check(connector, &self.values, rules).into_iter().filter(|problem| !self.closed.contains(&problem.key));
        let closed = self.closed.iter().map(|key| {
            let why = "was stored for other hosts than the definition names now";
            Problem::body("/fields", "missing", format!("`{key}` {why}: enter it again, or remove it with an empty value"))
        });
        found.map(|problem| of_sent(problem, self.sent)).chain(closed).collect()
    }
}

/// The stored values that a call needs. Those under keys that the definition does not know are kept and never sent, so they are not opened either.
pub(crate) fn open_for_call(
    keyring: &Keyring,
    service: &PaymentService,
    connector: &Connector,
    held: &[SealedField],
) -> Result<Vec<(String, Secret)>, OpenError> {
    let trust = connector.trust();
    let needed = connector.provider.fields.iter().filter_map(|field| stored_for(held, field).map(|sealed| (field, sealed)));
    needed.map(|(field, sealed)| open(keyring, service, sealed, &trust).map(|value| (field.key.clone(), value))).collect()
}

/// The stored values under the keys of today; `None` if one of them does not open.
pub(crate) fn open_all(
    keyring: &Keyring,
    service: &PaymentService,
    connector: &Connector,
    held: &[SealedField],
) -> Option<Vec<(String, String)>> {
    let merge = Merge::new(keyring, service, connector, held, &[]);
    merge.closed.is_empty().then_some(merge.values)
}

/// The fields that may be shown: neither the definition nor what was written down when they were stored calls them secret.
pub(super) fn shown(
    keyring: &Keyring,
    service: &PaymentService,
    connector: &Connector,
    held: &[SealedField],
    set: FieldSet,
) -> Vec<(String, String)> {
    if set == FieldSet::Reporting {
        return Vec::new();
    }
    let trust = connector.trust();
    let public = connector.provider.fields.iter().filter(|field| !field.secret);
    public
        .filter_map(|field| stored_for(held, field).filter(|sealed| !sealed.secret).map(|sealed| (field, sealed)))
        .filter_map(|(field, sealed)| {
            let value = open(keyring, service, sealed, &trust).ok()?;
            Some((field.key.clone(), value.expose_str()?.to_owned()))
        })
        .collect()
}

// === impl Sealer ===

impl<'a> Sealer<'a> {
    /// For a service that is being written; makes its account's data key where there is none yet.
    pub(super) async fn for_service(
        engine: &Engine,
        tx: &mut Tx,
        service: &'a PaymentService,
        connector: &'a Connector,
    ) -> Result<Self, Refusal> {
        let key = engine.data_key(tx, &service.merchant_account_id).await?;
        Ok(Self { key, service, connector, trust: connector.trust() })
    }

    /// Stores a value, or removes what is stored where it is empty. What a renamed field had under its former key goes away in both cases.
    pub(super) async fn write(&self, tx: &mut Tx, scope: &Scope, key: &str, value: &str) -> Result<Option<SealedField>, Refusal> {
        let field = self.connector.provider.fields.iter().find(|field| field.key == key);
        let former = field.and_then(|field| field.renamed_from.as_deref());
        let id = self.service.id;
        if let Some(former) = former {
            stored::remove_field(tx, scope, id, FieldSet::Credentials, former).await?;
        }
        if value.is_empty() {
            stored::remove_field(tx, scope, id, FieldSet::Credentials, key).await?;
            return Ok(None);
        }
        // A key that the definition does not know has been refused before; should one come here, it is treated as a secret.
        let secret = field.is_none_or(|field| field.secret);
        let sealed = seal(&self.key, self.service, key, Value { text: value, secret }, &self.trust);
        stored::put_field(tx, scope, id, &sealed).await?;
        Ok(Some(sealed))
    }
}

/// The problem as the API says it.
fn of_sent(problem: FieldProblem, sent: usize) -> Problem {
    let pointer = match problem.index.filter(|index| *index < sent) {
        Some(index) => format!("/fields/{index}"),
        None => "/fields".to_owned(),
    };
    Problem::body(pointer, problem.kind, problem.message)
}

struct Value<'a> {
    text: &'a str,
    secret: bool,
}

fn seal(data_key: &DataKey, service: &PaymentService, key: &str, value: Value<'_>, trust: &str) -> SealedField {
    let (row, column) = place_names(service.id, FieldSet::Credentials, key);
    let place = Place {
        table: TABLE,
        column: &column,
        row: &row,
        account: &service.merchant_account_id,
        version: data_key.version(),
        hosts: trust,
    };
    SealedField {
        set: FieldSet::Credentials,
        key: key.to_owned(),
        secret: value.secret,
        data_key_version: data_key.version(),
        sealed: data_key.seal(&place, value.text.as_bytes()),
    }
}

/// Seals what is stored under another data key of the account, for the hosts that it was stored for.
pub(crate) fn reseal(
    from: &DataKey,
    to: &DataKey,
    (account, id): (&MerchantAccountId, PaymentServiceId),
    field: &SealedField,
    trust: &str,
) -> Result<SealedField, OpenError> {
    let (row, column) = place_names(id, field.set, &field.key);
    let place = Place { table: TABLE, column: &column, row: &row, account, version: from.version(), hosts: trust };
    let value = from.open(&place, &field.sealed)?;
    let sealed = to.seal(&Place { version: to.version(), ..place }, value.expose());
    Ok(SealedField { data_key_version: to.version(), sealed, ..field.clone() })
}

fn open(keyring: &Keyring, service: &PaymentService, field: &SealedField, trust: &str) -> Result<Secret, OpenError> {
    let account = &service.merchant_account_id;
    let data_key = keyring.version(account, field.data_key_version).ok_or(OpenError)?;
    let (row, column) = place_names(service.id, field.set, &field.key);
    let place = Place { table: TABLE, column: &column, row: &row, account, version: field.data_key_version, hosts: trust };
    data_key.open(&place, &field.sealed)
}

/// Whether a stored value opens under a data key.
pub(crate) fn opens(key: &DataKey, service: &PaymentService, field: &SealedField, trust: &str) -> bool {
    let (row, column) = place_names(service.id, field.set, &field.key);
    let account = &service.merchant_account_id;
    let place = Place { table: TABLE, column: &column, row: &row, account, version: field.data_key_version, hosts: trust };
    key.open(&place, &field.sealed).is_ok()
}

/// Row and column of a field, as they are sealed with it and as messages name them.
pub(crate) fn place_names(service: PaymentServiceId, set: FieldSet, key: &str) -> (String, String) {
    (service.to_string(), format!("{}.{key}", set.as_str()))
}

/// What is stored for a field, under its key or the one it had before.
fn stored_for<'a>(held: &'a [SealedField], field: &Field) -> Option<&'a SealedField> {
    let under = |key: &str| held.iter().find(|sealed| sealed.set == FieldSet::Credentials && sealed.key == key);
    under(&field.key).or_else(|| under(field.renamed_from.as_deref()?))
}
