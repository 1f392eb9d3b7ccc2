//! Payment services as data: definitions, rendering, classifying, and the one HTTP client.
//!
//! A definition file becomes a [`model::Provider`]; [`render`] makes a request of it and [`classify`] an outcome of the answer, both pure; [`caller`] puts the few async lines between them; [`outbound`] is the only way out of the house.

pub mod answer;
pub mod body;
pub mod caller;
pub mod catalogue;
pub mod classify;
pub mod credentials;
pub mod encode;
pub mod facts;
#[cfg(test)]
mod fixtures;
pub mod format;
pub mod guard;
pub mod mask;
pub mod model;
pub mod outbound;
pub mod pem;
pub mod render;
pub mod scheme;
pub mod sign;
pub mod template_fill;
pub mod tokens;
