//! Recipes of signing that can not be written in lines, because they walk over all headers or all members.
//!
//! Each is named by what it does; which payment service it serves is the business of a definition. A recipe is pure: it gets its values and the moment, and reads no clock.

mod rsa;
mod rsa_pss_canonical_request;
mod rsa_sorted_members;

use std::collections::BTreeMap;
use std::fmt;

use domain::Timestamp;

use crate::outbound::{Answer, OutgoingRequest};

use self::rsa_pss_canonical_request::RsaPssCanonicalRequest;
use self::rsa_sorted_members::RsaSortedMembers;

/// Every recipe, in the order of the documentation.
static ALL: [&dyn Scheme; 2] = [&RsaPssCanonicalRequest, &RsaSortedMembers];

/// A recipe of signing.
pub trait Scheme: Sync {
    /// `scheme` of `[sign]`.
    fn name(&self) -> &'static str;

    /// What a definition fills in beside the name.
    fn parameters(&self) -> &'static [Parameter];

    /// What is wrong with a body so that it could not be signed; of the caller's making where the caller wrote that part.
    fn refusal(&self, _body: &[u8]) -> Option<&'static str> {
        None
    }

    /// Signs a request that is finished but for the signature.
    ///
    /// # Errors
    /// A value is missing or no key, or the request has no place for a signature. Nothing may be sent then.
    fn sign(&self, request: &mut OutgoingRequest, signing: &Signing<'_>) -> Result<(), SchemeError>;

    /// Whether an answer may be believed. `request` is the one that was signed. Most recipes have nothing to check.
    ///
    /// # Errors
    /// It belongs to another request, or is not signed as it must be.
    fn check(&self, _request: &OutgoingRequest, _answer: &Answer, _signing: &Signing<'_>) -> Result<(), AnswerError> {
        Ok(())
    }
}

/// One value that a definition fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The key in `[sign]`.
    pub name: &'static str,
    /// Whether a file must write it, and whether its value must be there.
    pub required: bool,
    /// What its value must be.
    pub kind: Kind,
}

/// What the value of a parameter must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text that can be read in the request, so that it can not name secret fields.
    Text,
    /// A private RSA key in PEM.
    PrivateKey,
    /// A public RSA key in PEM.
    PublicKey,
}

/// What a recipe signs with. Its `Debug` shows names only: the values hold keys.
#[derive(Clone)]
pub struct Signing<'a> {
    values: BTreeMap<&'a str, String>,
    now: Timestamp,
}

/// Why a request can not be signed. Never holds a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemeError {
    /// A required parameter names a value that is not there.
    #[error("`sign.{0}` has no value")]
    Absent(&'static str),
    /// A parameter that must be a key is none.
    #[error("`sign.{0}` is no RSA key in PEM that can be used")]
    Key(&'static str),
    /// A parameter does not fit into a header.
    #[error("`sign.{0}` holds what a header can not")]
    Header(&'static str),
    /// The request is not what the recipe signs.
    #[error("the request can not be signed: {0}")]
    Request(&'static str),
}

/// Why an answer is not believed. Never holds a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It bears another id than the one that was sent, or none.
    #[error("the answer does not bear the id of the request")]
    Foreign,
    /// It bears no signature.
    #[error("the answer is not signed")]
    Unsigned,
    /// Its signature is not that of the payment service over these members.
    #[error("the signature of the answer is wrong")]
    Signature,
    /// A member is there twice, so that two readers would see two answers under one signature.
    #[error("the answer has a member twice")]
    Ambiguous,
}

/// The recipe of this name.
pub fn find(name: &str) -> Option<&'static dyn Scheme> {
    ALL.into_iter().find(|scheme| scheme.name() == name)
}

/// The names of all recipes.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(Scheme::name)
}

// === impl Signing ===

impl<'a> Signing<'a> {
    /// `values` by the names of parameters; those whose templates name an absent optional value are left out. `now` is when the request is made.
    pub fn new(values: impl IntoIterator<Item = (&'a str, String)>, now: Timestamp) -> Self {
        Self { values: values.into_iter().collect(), now }
    }

    /// Absent and empty are the same: an optional field that was never filled in may be stored either way.
    fn optional(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    fn required(&self, name: &'static str) -> Result<&str, SchemeError> {
        self.optional(name).ok_or(SchemeError::Absent(name))
    }

    /// A value that becomes part of a header.
    fn header(&self, name: &'static str) -> Result<&str, SchemeError> {
        let value = self.required(name)?;
        if value.chars().any(char::is_control) { Err(SchemeError::Header(name)) } else { Ok(value) }
    }
}

impl fmt::Debug for Signing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing").field("values", &self.values.keys().collect::<Vec<_>>()).field("now", &self.now).finish()
    }
}

#[cfg(test)]
mod tests;
