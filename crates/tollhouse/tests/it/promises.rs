//! Promises about bad days, put to the test on the built server: each test carries the number of its promise. `just promises` runs them with full counts.

mod audit;
mod backup;
mod breaker;
mod crash;
mod durability;
mod idempotency;
mod instances;
mod limits;
mod rotation;
mod shutdown;
mod surface;
mod tenants;
mod tokens;
