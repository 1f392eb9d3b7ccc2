//! Identifiers. A type each, so that a payment service can not be looked up by the id of a role.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Reads the hyphenated form that the API uses; anything else is `None`.
            pub fn parse(text: &str) -> Option<Self> {
                if text.len() != 36 {
                    return None;
                }
                Uuid::try_parse(text).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    )*};
}

uuid_id! {
    /// A configured payment service: one definition with credentials, in one merchant account.
    PaymentServiceId;
    /// An API key pair; not its thumbprint.
    ApiKeyPairId;
    /// A role, built in or not.
    RoleId;
    /// The record of one session; that of the first one is also the id of the attempt, sent as upstream idempotency key.
    SessionRecordId;
    /// One entry of the audit log.
    AuditEntryId;
}

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident: $allowed:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes 1 to 50 characters of the allowed alphabet; anything else is `None`.
            pub fn parse(text: &str) -> Option<Self> {
                let allowed: fn(u8) -> bool = $allowed;
                ((1..=50).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.into()))
            }

            /// The id as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

text_id! {
    /// A merchant account, named by whoever created it: `^[a-zA-Z0-9-]{1,50}$`.
    MerchantAccountId: |b| b.is_ascii_alphanumeric() || b == b'-';
    /// A definition, `<provider>-<method>`, 1 to 50 characters.
    DefinitionId: |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
}

impl MerchantAccountId {
    /// The account that a fresh install has and that a request without a header means.
    pub fn default_account() -> Self {
        Self("default".into())
    }
}
