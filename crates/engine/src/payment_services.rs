//! Payment services: a definition with credentials, sealed field by field, in one merchant account.

use std::collections::HashMap;

use domain::audit::AuditAction;
use domain::page::{Page, PageRequest};
use domain::payment_service::{FieldSet, PaymentService, PaymentServiceSettings, SealedField};
use domain::{CountryCode, CurrencyCode, DefinitionId, Patch, PaymentServiceId, Problem, Scope};
use store::Tx;
use store::payment_services as stored;

use self::fields::{Merge, Sealer};
use crate::audit::Change;
use crate::vault::Keyring;
use crate::{Engine, Refusal, Request};

pub use self::verify::{VerifyCredentials, verify};
pub use store::payment_services::Filter;

pub(crate) mod fields;
#[cfg(test)]
mod tests;
mod verify;

/// A payment service to be made. It holds credentials, hence no `Debug`.
#[derive(Clone)]
pub struct NewPaymentService {
    /// The definition, as the caller wrote it.
    pub definition_id: String,
    /// For people.
    pub display_name: String,
    /// Key and value of each credential field, in the caller's order.
    pub fields: Vec<(String, String)>,
    /// Key and value of each reporting field, in the caller's order.
    pub reporting_fields: Vec<(String, String)>,
    /// Absent: behind all others of the account.
    pub position: Option<i64>,
    /// Whether it may be called.
    pub active: bool,
    /// ISO 4217.
    pub accepted_currencies: Vec<CurrencyCode>,
    /// ISO 3166-1 alpha-2.
    pub accepted_countries: Vec<CountryCode>,
    /// As on the wire.
    pub three_d_secure_enabled: bool,
    /// As on the wire, as JSON text.
    pub merchant_profile: Option<String>,
    /// As on the wire.
    pub payment_method_tokenization_enabled: bool,
    /// As on the wire.
    pub network_tokens_enabled: bool,
    /// As on the wire.
    pub open_loop: bool,
    /// As on the wire.
    pub settlement_reporting_enabled: bool,
}

/// What is to be changed of a payment service. It holds credentials, hence no `Debug`.
#[derive(Clone, Default)]
#[expect(missing_docs, reason = "the names are those of the payment service")]
pub struct PaymentServicePatch {
    pub display_name: Patch<String>,
    /// Merged with the stored ones by key; an empty value removes a field.
    pub fields: Vec<(String, String)>,
    /// Merged likewise.
    pub reporting_fields: Vec<(String, String)>,
    pub position: Patch<i64>,
    pub active: Patch<bool>,
    pub accepted_currencies: Patch<Vec<CurrencyCode>>,
    pub accepted_countries: Patch<Vec<CountryCode>>,
    pub three_d_secure_enabled: Patch<bool>,
    pub merchant_profile: Patch<String>,
    pub payment_method_tokenization_enabled: Patch<bool>,
    pub network_tokens_enabled: Patch<bool>,
    pub open_loop: Patch<bool>,
    pub settlement_reporting_enabled: Patch<bool>,
}

/// A payment service as it may be shown.
#[derive(Clone, Debug)]
pub struct PaymentServiceView {
    /// As stored.
    pub service: PaymentService,
    /// The credential fields that are no secrets, key and value, in the order of the definition.
    pub fields: Vec<(String, String)>,
    /// The reporting fields that are no secrets.
    pub reporting_fields: Vec<(String, String)>,
}

/// Makes a payment service.
pub async fn create(engine: &Engine, scope: &Scope, request: &Request, new: NewPaymentService) -> Result<PaymentServiceView, Refusal> {
    let problems = field_problems(engine, &new.definition_id, &new.fields, &new.reporting_fields);
    if !problems.is_empty() {
        return Err(Refusal::Invalid(problems));
    }
    let Some(connector) = engine.connector(&new.definition_id) else {
        return Err(Refusal::invalid(unknown_definition(&new.definition_id)));
    };
    let mut tx = engine.database.write().await?;
    let position = match new.position {
        Some(position) => position,
        None => stored::highest_position(&mut tx, scope).await?.saturating_add(1),
    };
    let now = engine.now();
    let values = new.fields.clone();
    let service = PaymentService {
        id: PaymentServiceId(engine.ids.v7(now)),
        merchant_account_id: scope.account().clone(),
        definition_id: connector.definition.id.clone(),
        method: connector.definition.method.clone(),
        settings: new.into_settings(position),
        is_deleted: false,
        created_at: now,
        updated_at: now,
    };
    stored::insert(&mut tx, scope, &service).await?;
    let sealer = Sealer::for_service(engine, &mut tx, &service, &connector).await?;
    let mut sealed = Vec::new();
    for (key, value) in &values {
        sealed.extend(sealer.write(&mut tx, scope, key, value).await?);
    }
    let keyring = engine.data_keys(&mut tx, scope.account()).await?;
    finish(engine, request, tx, AuditAction::Created, &service).await?;
    Ok(view(engine, &keyring, service, &sealed))
}

/// Everything that is wrong with the definition and the fields of a payment service to be made; what else a body holds is not looked at.
pub fn field_problems(
    engine: &Engine,
    definition_id: &str,
    fields: &[(String, String)],
    reporting_fields: &[(String, String)],
) -> Vec<Problem> {
    let Some(connector) = engine.connector(definition_id) else {
        return vec![unknown_definition(definition_id)];
    };
    let mut problems = fields::problems(&connector, fields, &engine.field_rules());
    problems.extend(reporting_problems(reporting_fields));
    problems
}

/// Everything that is wrong with the fields of a payment service to be changed, as far as this instance knows the service: for a body that is refused anyway. [`update`] decides.
pub fn patch_problems(
    engine: &Engine,
    scope: &Scope,
    id: PaymentServiceId,
    fields: &[(String, String)],
    reporting_fields: &[(String, String)],
) -> Vec<Problem> {
    let snapshot = engine.snapshot();
    let mut problems = match snapshot.service(scope, id) {
        Some(known) if !fields.is_empty() => match engine.connector(known.service.definition_id.as_str()) {
            Some(connector) => {
                let merge = Merge::new(snapshot.keyring(), &known.service, &connector, &known.fields, fields);
                merge.problems(&connector, &engine.field_rules())
            }
            None => vec![definition_gone(&known.service.definition_id)],
        },
        Some(_) | None => Vec::new(),
    };
    problems.extend(reporting_problems(reporting_fields));
    problems
}

/// Changes what the patch names.
pub async fn update(
    engine: &Engine,
    scope: &Scope,
    request: &Request,
    id: PaymentServiceId,
    patch: PaymentServicePatch,
) -> Result<PaymentServiceView, Refusal> {
    let mut tx = engine.database.write().await?;
    let mut service = existing(&mut tx, scope, id).await?;
    let reporting = reporting_problems(&patch.reporting_fields);
    if patch.fields.is_empty() && !reporting.is_empty() {
        return Err(Refusal::Invalid(reporting));
    }
    if !patch.fields.is_empty() {
        let Some(connector) = engine.connector(service.definition_id.as_str()) else {
            return Err(Refusal::invalid(definition_gone(&service.definition_id)));
        };
        let held = stored::fields(&mut tx, scope, id).await?;
        let keyring = engine.data_keys(&mut tx, scope.account()).await?;
        let merge = Merge::new(&keyring, &service, &connector, &held, &patch.fields);
        let mut problems = merge.problems(&connector, &engine.field_rules());
        problems.extend(reporting);
        if !problems.is_empty() {
            return Err(Refusal::Invalid(problems));
        }
        let sealer = Sealer::for_service(engine, &mut tx, &service, &connector).await?;
        for (key, value) in &patch.fields {
            sealer.write(&mut tx, scope, key, value).await?;
        }
    }
    patch.apply_to(&mut service.settings);
    service.updated_at = engine.now();
    stored::update(&mut tx, scope, &service).await?;
    let sealed = stored::fields(&mut tx, scope, id).await?;
    let keyring = engine.data_keys(&mut tx, scope.account()).await?;
    finish(engine, request, tx, AuditAction::Updated, &service).await?;
    Ok(view(engine, &keyring, service, &sealed))
}

/// Deletes a payment service: it stays in the list of deleted ones, without its secrets, since nothing can call it again.
pub async fn delete(engine: &Engine, scope: &Scope, request: &Request, id: PaymentServiceId) -> Result<(), Refusal> {
    let mut tx = engine.database.write().await?;
    let mut service = existing(&mut tx, scope, id).await?;
    for field in stored::fields(&mut tx, scope, id).await?.iter().filter(|field| field.secret) {
        stored::remove_field(&mut tx, scope, id, field.set, &field.key).await?;
    }
    service.is_deleted = true;
    service.updated_at = engine.now();
    stored::update(&mut tx, scope, &service).await?;
    finish(engine, request, tx, AuditAction::Deleted, &service).await
}

/// One payment service; a deleted one is not there.
pub async fn get(engine: &Engine, scope: &Scope, id: PaymentServiceId) -> Result<PaymentServiceView, Refusal> {
    let mut tx = engine.database.read().await?;
    let service = existing(&mut tx, scope, id).await?;
    let sealed = stored::fields(&mut tx, scope, id).await?;
    let keyring = engine.data_keys(&mut tx, scope.account()).await?;
    Ok(view(engine, &keyring, service, &sealed))
}

/// A page of payment services.
pub async fn list(engine: &Engine, scope: &Scope, page: &PageRequest, filter: &Filter) -> Result<Page<PaymentServiceView>, Refusal> {
    let snapshot = engine.snapshot();
    let mut tx = engine.database.read().await?;
    let page = stored::list(&mut tx, scope, page, filter).await?;
    let mut unknown = HashMap::new();
    for service in &page.items {
        // Most rows are in the snapshot as they are; asking for the fields of a hundred services would be a hundred queries.
        let known = snapshot.service(scope, service.id).is_some_and(|known| known.service.updated_at == service.updated_at);
        if !known {
            unknown.insert(service.id, stored::fields(&mut tx, scope, service.id).await?);
        }
    }
    // Values open under the keys that they were read with: a rotation may have removed them elsewhere by now.
    let keyring = if unknown.is_empty() { Keyring::default() } else { engine.data_keys(&mut tx, scope.account()).await? };
    Ok(page.map(|service| match unknown.get(&service.id) {
        Some(sealed) => view(engine, &keyring, service, sealed),
        None => {
            let known = snapshot.service(scope, service.id).map(|known| known.fields.as_slice()).unwrap_or_default();
            view(engine, snapshot.keyring(), service, known)
        }
    }))
}

// === impl NewPaymentService ===

impl NewPaymentService {
    fn into_settings(self, position: i64) -> PaymentServiceSettings {
        PaymentServiceSettings {
            display_name: self.display_name,
            position,
            active: self.active,
            accepted_currencies: self.accepted_currencies,
            accepted_countries: self.accepted_countries,
            three_d_secure_enabled: self.three_d_secure_enabled,
            merchant_profile: self.merchant_profile,
            payment_method_tokenization_enabled: self.payment_method_tokenization_enabled,
            network_tokens_enabled: self.network_tokens_enabled,
            open_loop: self.open_loop,
            settlement_reporting_enabled: self.settlement_reporting_enabled,
        }
    }
}

// === impl PaymentServicePatch ===

impl PaymentServicePatch {
    fn apply_to(self, settings: &mut PaymentServiceSettings) {
        self.display_name.apply_to_required(&mut settings.display_name);
        self.position.apply_to_required(&mut settings.position);
        self.active.apply_to_required(&mut settings.active);
        self.accepted_currencies.apply_to_required(&mut settings.accepted_currencies);
        self.accepted_countries.apply_to_required(&mut settings.accepted_countries);
        match self.three_d_secure_enabled {
            Patch::Absent => {}
            // The answer's member may be null, so null clears it, which for us is off.
            Patch::Null => settings.three_d_secure_enabled = false,
            Patch::Value(enabled) => settings.three_d_secure_enabled = enabled,
        }
        self.merchant_profile.apply_to(&mut settings.merchant_profile);
        self.payment_method_tokenization_enabled.apply_to_required(&mut settings.payment_method_tokenization_enabled);
        self.network_tokens_enabled.apply_to_required(&mut settings.network_tokens_enabled);
        self.open_loop.apply_to_required(&mut settings.open_loop);
        self.settlement_reporting_enabled.apply_to_required(&mut settings.settlement_reporting_enabled);
    }
}

async fn existing(tx: &mut Tx, scope: &Scope, id: PaymentServiceId) -> Result<PaymentService, Refusal> {
    stored::get(tx, scope, id).await?.filter(|service| !service.is_deleted).ok_or(Refusal::NotFound)
}

/// The audit entry, the version and the commit belong to every change, and the snapshot follows.
async fn finish(engine: &Engine, request: &Request, tx: Tx, action: AuditAction, service: &PaymentService) -> Result<(), Refusal> {
    let change = Change {
        account: Some(&service.merchant_account_id),
        action,
        resource_type: "payment-service",
        resource_id: service.id.to_string(),
        resource_name: &service.settings.display_name,
    };
    engine.commit(tx, request, change).await
}

fn view(engine: &Engine, keyring: &Keyring, service: PaymentService, sealed: &[SealedField]) -> PaymentServiceView {
    let shown = |set| match engine.connector(service.definition_id.as_str()) {
        Some(connector) => fields::shown(keyring, &service, &connector, sealed, set),
        // Without its definition nobody knows where the values may go, and they do not open.
        None => Vec::new(),
    };
    PaymentServiceView { fields: shown(FieldSet::Credentials), reporting_fields: shown(FieldSet::Reporting), service }
}

fn unknown_definition(id: &str) -> Problem {
    // What can not be an id is not repeated: it may be long.
    let message = match DefinitionId::parse(id) {
        Some(id) => format!("there is no payment service definition `{id}`"),
        None => "there is no such payment service definition".to_owned(),
    };
    Problem::body("/payment_service_definition_id", "unknown_reference", message)
}

fn definition_gone(id: &DefinitionId) -> Problem {
    Problem::body("/fields", "not_supported", format!("the definition `{id}` is not loaded, so its fields can not be changed"))
}

/// No definition has reporting fields yet, and what nobody will use is not taken.
fn reporting_problems(values: &[(String, String)]) -> Vec<Problem> {
    let problem = |(index, (key, _)): (usize, &(String, String))| {
        let message = format!("`{}` is no reporting field of this payment service; it has none", key.escape_debug());
        Problem::body(format!("/reporting_fields/{index}"), "value_error", message)
    };
    values.iter().enumerate().map(problem).collect()
}
