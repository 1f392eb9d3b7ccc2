//! Every operation, one file each, and what answers everything else.

pub(crate) mod api_key_pairs;
pub(crate) mod audit_logs;
pub(crate) mod health;
pub(crate) mod merchant_accounts;
pub(crate) mod payment_service_definitions;
pub(crate) mod payment_service_sessions;
pub(crate) mod payment_services;
pub(crate) mod roles;

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::App;
use crate::error::{self, Error};
use crate::openapi::operation::Operation;

/// An operation and its handler.
pub(crate) struct Route {
    pub(crate) operation: Operation,
    pub(crate) handler: MethodRouter<App>,
}

/// Every operation of this release.
pub(crate) fn operations() -> Vec<Route> {
    vec![
        payment_service_definitions::list::operation(),
        payment_service_definitions::get::operation(),
        payment_service_definitions::create_session::operation(),
        payment_services::list::operation(),
        payment_services::create::operation(),
        payment_services::get::operation(),
        payment_services::update::operation(),
        payment_services::delete::operation(),
        payment_services::verify::operation(),
        payment_services::create_session::operation(),
        payment_service_sessions::list::operation(),
        payment_service_sessions::get::operation(),
        merchant_accounts::list::operation(),
        merchant_accounts::create::operation(),
        merchant_accounts::get::operation(),
        merchant_accounts::update::operation(),
        api_key_pairs::list::operation(),
        api_key_pairs::create::operation(),
        api_key_pairs::get::operation(),
        api_key_pairs::update::operation(),
        api_key_pairs::delete::operation(),
        roles::list::operation(),
        audit_logs::list::operation(),
    ]
}

/// What every operation declares about itself.
pub(crate) fn documented() -> Vec<Operation> {
    operations().into_iter().map(|route| route.operation).collect()
}

/// A path that nothing is at, operations of the contract that this release does not have among them.
pub(crate) async fn unknown_path() -> Error {
    error::not_found()
}

/// A method that a path does not have. The router adds `Allow`.
pub(crate) async fn unknown_method() -> Error {
    error::method_not_allowed()
}

// === impl Route ===

impl Route {
    /// Joins a declaration and its handler.
    fn new<H: Handler<T, App>, T: 'static>(operation: Operation, handler: H) -> Self {
        let filter = MethodFilter::try_from(operation.method.clone()).unwrap_or(MethodFilter::GET);
        Self { handler: on(filter, handler), operation }
    }
}
