//! What is written on the wire, member by member. The only place that derives serde: a member added inside the house does not appear outside by itself.
//!
//! Every documented member is sent, as null where it may be null and is unset; none that may not be null ever is. Members keep the order of the API's document.

pub(crate) mod api_key_pair;
pub(crate) mod audit;
pub(crate) mod definition;
pub(crate) mod error;
pub(crate) mod health;
pub(crate) mod list;
pub(crate) mod merchant_account;
pub(crate) mod payment_service;
pub(crate) mod role;
pub(crate) mod session;
pub(crate) mod session_record;

#[cfg(test)]
mod tests;
