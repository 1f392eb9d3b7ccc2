//! Payment services and their sealed fields.

use domain::page::{Page, PageRequest, Position};
use domain::payment_service::{FieldSet, PaymentService, PaymentServiceSettings, SealedField};
use domain::{CountryCode, CurrencyCode, DefinitionId, MerchantAccountId, PaymentServiceId, Scope, Timestamp};
use uuid::Uuid;

use crate::row::{self, At};
use crate::{StoreError, Tx};

/// Which services to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this method only.
    pub method: Option<String>,
    /// The deleted ones, or those that are not.
    pub deleted: bool,
}

macro_rules! columns {
    () => {
        "id, merchant_account_id, definition_id, method, display_name, position, active, accepted_currencies, accepted_countries, \
         three_d_secure_enabled, merchant_profile, payment_method_tokenization_enabled, network_tokens_enabled, open_loop, \
         settlement_reporting_enabled, is_deleted, created_at, updated_at"
    };
}

statements! {
    INSERT = concat!(
        "INSERT INTO payment_services (", columns!(), ") \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
    );
    UPDATE = "UPDATE payment_services SET definition_id = $3, method = $4, display_name = $5, position = $6, active = $7, \
              accepted_currencies = $8, accepted_countries = $9, three_d_secure_enabled = $10, merchant_profile = $11, \
              payment_method_tokenization_enabled = $12, network_tokens_enabled = $13, open_loop = $14, \
              settlement_reporting_enabled = $15, is_deleted = $16, created_at = $17, updated_at = $18 \
              WHERE id = $1 AND merchant_account_id = $2";
    GET = concat!("SELECT ", columns!(), " FROM payment_services WHERE merchant_account_id = $1 AND id = $2");
    NOT_DELETED = concat!("SELECT ", columns!(), " FROM payment_services WHERE is_deleted = $1 ORDER BY merchant_account_id, id");
    HIGHEST_POSITION = "SELECT COALESCE(MAX(position), 0) FROM payment_services WHERE merchant_account_id = $1 AND is_deleted = $2";
    FIELDS = "SELECT field_set, field_key, secret, data_key_version, sealed FROM payment_service_fields \
              WHERE merchant_account_id = $1 AND payment_service_id = $2 ORDER BY field_set, field_key";
    FIELDS_OF_NOT_DELETED = "SELECT f.payment_service_id, f.field_set, f.field_key, f.secret, f.data_key_version, f.sealed \
                             FROM payment_service_fields f JOIN payment_services s ON s.id = f.payment_service_id \
                             WHERE s.is_deleted = $1 ORDER BY s.merchant_account_id, s.id, f.field_set, f.field_key";
    FIELDS_SEALED_BEFORE = "SELECT f.payment_service_id, s.definition_id, f.field_set, f.field_key, f.secret, f.data_key_version, f.sealed \
                            FROM payment_service_fields f JOIN payment_services s ON s.id = f.payment_service_id \
                            WHERE f.merchant_account_id = $1 AND f.data_key_version < $2 \
                            AND (f.payment_service_id, f.field_set, f.field_key) > ($3, $4, $5) \
                            ORDER BY f.payment_service_id, f.field_set, f.field_key LIMIT $6";
    PUT_FIELD = "INSERT INTO payment_service_fields \
                 (merchant_account_id, payment_service_id, field_set, field_key, secret, data_key_version, sealed) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (payment_service_id, field_set, field_key) DO UPDATE \
                 SET secret = excluded.secret, data_key_version = excluded.data_key_version, sealed = excluded.sealed";
    REMOVE_FIELD = "DELETE FROM payment_service_fields \
                    WHERE merchant_account_id = $1 AND payment_service_id = $2 AND field_set = $3 AND field_key = $4";
    [newest_first] {
        LIST = concat!(
            "SELECT ", columns!(), " FROM payment_services \
             WHERE merchant_account_id = $4 AND is_deleted = $5 AND (method = $6 OR $6 IS NULL)"
        );
    }
}

#[derive(sqlx::FromRow)]
struct ServiceRow {
    id: Uuid,
    merchant_account_id: String,
    definition_id: String,
    method: String,
    display_name: String,
    position: i64,
    active: bool,
    accepted_currencies: String,
    accepted_countries: String,
    three_d_secure_enabled: bool,
    merchant_profile: Option<String>,
    payment_method_tokenization_enabled: bool,
    network_tokens_enabled: bool,
    open_loop: bool,
    settlement_reporting_enabled: bool,
    is_deleted: bool,
    created_at: i64,
    updated_at: i64,
}

#[derive(sqlx::FromRow)]
struct FieldRow {
    field_set: String,
    field_key: String,
    secret: bool,
    data_key_version: i64,
    sealed: Vec<u8>,
}

#[derive(sqlx::FromRow)]
struct OwnedFieldRow {
    payment_service_id: Uuid,
    #[sqlx(flatten)]
    field: FieldRow,
}

#[derive(sqlx::FromRow)]
struct DefinedFieldRow {
    payment_service_id: Uuid,
    definition_id: String,
    #[sqlx(flatten)]
    field: FieldRow,
}

/// A sealed field of a service, deleted services included, with what it takes to open it.
#[derive(Clone, Debug)]
pub struct OwnedField {
    /// The service.
    pub service: PaymentServiceId,
    /// The definition of the service, which says where the value may go.
    pub definition: DefinitionId,
    /// The field.
    pub field: SealedField,
}

/// Adds a service. Its account is part of it, and must be the scope's.
pub async fn insert(tx: &mut Tx, scope: &Scope, service: &PaymentService) -> Result<(), StoreError> {
    write(tx, INSERT, scope, service).await?;
    Ok(())
}

/// Replaces a service, deletion included; `false` if the account has no such service.
pub async fn update(tx: &mut Tx, scope: &Scope, service: &PaymentService) -> Result<bool, StoreError> {
    Ok(write(tx, UPDATE, scope, service).await? > 0)
}

/// One service, also when it is deleted.
pub async fn get(tx: &mut Tx, scope: &Scope, id: PaymentServiceId) -> Result<Option<PaymentService>, StoreError> {
    run!(tx, optional ServiceRow, GET, scope.account().as_str(), id.0)?.map(PaymentService::try_from).transpose()
}

/// Services newest first.
pub async fn list(tx: &mut Tx, scope: &Scope, request: &PageRequest, filter: &Filter) -> Result<Page<PaymentService>, StoreError> {
    let window = LIST.window(request)?;
    let account = scope.account().as_str();
    let rows = run!(
        tx, all ServiceRow, window.statement, window.created_at, window.id, window.rows, account, filter.deleted, filter.method.as_deref()
    )?;
    let services = rows.into_iter().map(PaymentService::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::from_rows(request, services, |service| Position::Moment(service.created_at.micros(), service.id.0)))
}

/// The highest position among the account's services that are not deleted; 0 if there is none.
pub async fn highest_position(tx: &mut Tx, scope: &Scope) -> Result<i64, StoreError> {
    let (position,) = run!(tx, one(i64,), HIGHEST_POSITION, scope.account().as_str(), false)?;
    Ok(position)
}

/// The sealed fields of a service, by set and key.
pub async fn fields(tx: &mut Tx, scope: &Scope, id: PaymentServiceId) -> Result<Vec<SealedField>, StoreError> {
    let rows = run!(tx, all FieldRow, FIELDS, scope.account().as_str(), id.0)?;
    rows.into_iter().map(|row| sealed_field(id.0, row)).collect()
}

/// Adds or replaces a sealed field.
pub async fn put_field(tx: &mut Tx, scope: &Scope, id: PaymentServiceId, field: &SealedField) -> Result<(), StoreError> {
    let account = scope.account().as_str();
    let set = field.set.as_str();
    run!(tx, execute, PUT_FIELD, account, id.0, set, &field.key, field.secret, field.data_key_version, &field.sealed)?;
    Ok(())
}

/// Removes a sealed field; `false` if there was none.
pub async fn remove_field(tx: &mut Tx, scope: &Scope, id: PaymentServiceId, set: FieldSet, key: &str) -> Result<bool, StoreError> {
    Ok(run!(tx, execute, REMOVE_FIELD, scope.account().as_str(), id.0, set.as_str(), key)? > 0)
}

/// Some fields that are sealed under data keys before a version, of all services of the account, in the order of the table: those that follow the last one of the former batch.
pub async fn fields_sealed_before(
    tx: &mut Tx,
    scope: &Scope,
    version: i64,
    after: Option<&OwnedField>,
    limit: i64,
) -> Result<Vec<OwnedField>, StoreError> {
    let account = scope.account().as_str();
    // No service has the id zero.
    let (id, set, key) = match after {
        Some(last) => (last.service.0, last.field.set.as_str(), last.field.key.as_str()),
        None => (Uuid::nil(), "", ""),
    };
    let rows = run!(tx, all DefinedFieldRow, FIELDS_SEALED_BEFORE, account, version, id, set, key, limit)?;
    rows.into_iter()
        .map(|row| {
            let id = row.payment_service_id;
            let at = At { table: "payment_services", id: &id };
            Ok(OwnedField {
                service: PaymentServiceId(id),
                definition: at.known("definition_id", DefinitionId::parse(&row.definition_id))?,
                field: sealed_field(id, row.field)?,
            })
        })
        .collect()
}

/// Every service of every account that is not deleted, with its fields: for the snapshot.
pub(crate) async fn all_with_fields(tx: &mut Tx) -> Result<Vec<(PaymentService, Vec<SealedField>)>, StoreError> {
    let services = run!(tx, all ServiceRow, NOT_DELETED, false)?;
    // Both answers come in the same order, so one pass joins them.
    let mut fields = run!(tx, all OwnedFieldRow, FIELDS_OF_NOT_DELETED, false)?.into_iter().peekable();
    let mut all = Vec::with_capacity(services.len());
    for service in services {
        let id = service.id;
        let mut own = Vec::new();
        while let Some(row) = fields.next_if(|row| row.payment_service_id == id) {
            own.push(sealed_field(id, row.field)?);
        }
        all.push((PaymentService::try_from(service)?, own));
    }
    Ok(all)
}

/// Insert and update take the same values in the same order. The account is the scope's, whatever the service says.
async fn write(tx: &mut Tx, statement: crate::statement::Statement, scope: &Scope, service: &PaymentService) -> Result<u64, StoreError> {
    let s = &service.settings;
    run!(
        tx,
        execute,
        statement,
        service.id.0,
        scope.account().as_str(),
        service.definition_id.as_str(),
        &service.method,
        &s.display_name,
        s.position,
        s.active,
        row::list(s.accepted_currencies.iter().map(CurrencyCode::as_str)),
        row::list(s.accepted_countries.iter().map(CountryCode::as_str)),
        s.three_d_secure_enabled,
        &s.merchant_profile,
        s.payment_method_tokenization_enabled,
        s.network_tokens_enabled,
        s.open_loop,
        s.settlement_reporting_enabled,
        service.is_deleted,
        service.created_at.micros(),
        service.updated_at.micros(),
    )
}

impl TryFrom<ServiceRow> for PaymentService {
    type Error = StoreError;

    fn try_from(row: ServiceRow) -> Result<Self, StoreError> {
        let at = At { table: "payment_services", id: &row.id };
        Ok(Self {
            id: PaymentServiceId(row.id),
            merchant_account_id: at.known("merchant_account_id", MerchantAccountId::parse(&row.merchant_account_id))?,
            definition_id: at.known("definition_id", DefinitionId::parse(&row.definition_id))?,
            method: row.method,
            settings: PaymentServiceSettings {
                accepted_currencies: at.list("accepted_currencies", &row.accepted_currencies, CurrencyCode::parse)?,
                accepted_countries: at.list("accepted_countries", &row.accepted_countries, CountryCode::parse)?,
                display_name: row.display_name,
                position: row.position,
                active: row.active,
                three_d_secure_enabled: row.three_d_secure_enabled,
                merchant_profile: row.merchant_profile,
                payment_method_tokenization_enabled: row.payment_method_tokenization_enabled,
                network_tokens_enabled: row.network_tokens_enabled,
                open_loop: row.open_loop,
                settlement_reporting_enabled: row.settlement_reporting_enabled,
            },
            is_deleted: row.is_deleted,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
        })
    }
}

fn sealed_field(service: Uuid, row: FieldRow) -> Result<SealedField, StoreError> {
    let at = At { table: "payment_service_fields", id: &format!("{service}/{}/{}", row.field_set, row.field_key) };
    Ok(SealedField {
        set: at.known("field_set", FieldSet::parse(&row.field_set))?,
        key: row.field_key,
        secret: row.secret,
        data_key_version: row.data_key_version,
        sealed: row.sealed,
    })
}
