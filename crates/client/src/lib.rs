#![doc = include_str!("../README.md")]

mod answers;
mod api_key_pairs;
mod audit_logs;
mod auth;
mod builder;
mod client;
mod error;
mod merchant_accounts;
mod page;
mod payment_service_definitions;
mod payment_service_sessions;
mod payment_services;
mod request;
mod roles;
mod sensitive;
mod session;
mod words;

pub use answers::Change;
pub use api_key_pairs::{ApiKeyPair, ApiKeyPairCreate, ApiKeyPairUpdate, ApiKeyPairs, CertificateAlgorithm, Creator};
pub use audit_logs::{AuditLogAction, AuditLogEntry, AuditLogFilter, AuditLogResource, AuditLogUser, AuditLogs};
pub use auth::{KeyError, SignError, SigningKey};
pub use builder::{BuildError, ClientBuilder, Environment};
pub use client::Client;
pub use error::{ApiError, Error, ErrorCode, ErrorDetail, Location};
pub use merchant_accounts::{
    MerchantAccount, MerchantAccountCreate, MerchantAccountFilter, MerchantAccountSummary, MerchantAccountUpdate, MerchantAccounts,
};
pub use page::{Page, PageRequest, Pages};
pub use payment_service_definitions::{
    DefinitionField, FieldFormat, PaymentServiceConfiguration, PaymentServiceDefinition, PaymentServiceDefinitions, RequiredCheckoutFields,
};
pub use payment_service_sessions::{PaymentServiceSessionFilter, PaymentServiceSessionRecord, PaymentServiceSessions};
pub use payment_services::{
    Field, MerchantProfileScheme, PaymentService, PaymentServiceCreate, PaymentServiceFilter, PaymentServiceStatus, PaymentServiceUpdate,
    PaymentServices, VerifyCredentials,
};
pub use request::{Answer, Request};
pub use reqwest::Method;
pub use roles::{PermissionSet, Role, Roles};
pub use sensitive::Sensitive;
pub use session::{PaymentServiceSession, SessionStatus};

#[cfg(test)]
mod tests;
