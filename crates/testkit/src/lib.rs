//! Test equipment: the real server on port 0, a payment service that misbehaves on demand, typed callers.

#[cfg(feature = "server")]
pub mod balancer;
pub mod bombs;
#[cfg(feature = "server")]
pub mod caller;
#[cfg(feature = "server")]
pub mod canary;
#[cfg(feature = "server")]
pub mod conformance;
#[cfg(feature = "server")]
pub mod disk;
pub mod forgery;
#[cfg(feature = "server")]
pub mod killer;
#[cfg(feature = "server")]
pub mod load;
pub mod promise;
pub mod provider;
pub mod proxy;
pub mod raw;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod token;
