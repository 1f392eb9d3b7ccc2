//! The features, over HTTP, on the real server: modules mirror the URLs.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod api_key_pairs;
mod audit_logs;
mod cli;
mod connections;
mod first_run;
mod identity;
mod lifecycle;
mod merchant_accounts;
mod observability;
mod payment_service_definitions;
mod payment_service_sessions;
mod payment_services;
mod promises;
mod roles;
mod rust_sdk;
mod sessions;
mod support;
mod surface;
