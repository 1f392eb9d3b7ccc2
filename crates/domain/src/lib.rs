//! Nouns and rules of a payment server. Pure: no async, no input or output, no clock.
//!
//! Nothing here knows the database, HTTP or a payment service; the types carry what the words of the API mean, and refuse what they can not mean.

pub mod api_key_pair;
pub mod audit;
pub mod card_number;
pub mod code;
pub mod definition;
pub mod idempotency;
pub mod ids;
pub mod json;
pub mod merchant_account;
pub mod method;
pub mod money;
pub mod page;
pub mod patch;
pub mod payment_service;
pub mod permission;
pub mod problem;
pub mod role;
pub mod scope;
pub mod secret;
pub mod session;
pub mod timestamp;

pub use ids::{ApiKeyPairId, AuditEntryId, DefinitionId, MerchantAccountId, PaymentServiceId, RoleId, SessionRecordId};
pub use json::{JsonObject, JsonText};
pub use money::{CountryCode, CurrencyCode, Money};
pub use patch::Patch;
pub use permission::{Permission, PermissionSet};
pub use problem::{Location, Problem};
pub use scope::Scope;
pub use secret::Secret;
pub use timestamp::Timestamp;
