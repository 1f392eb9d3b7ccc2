//! Roles: named sets of scopes for key pairs.

use crate::{PermissionSet, RoleId, Timestamp};

/// A role of the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// For people.
    pub name: String,
    /// For machines.
    pub slug: String,
    /// What it is for.
    pub description: String,
    /// The scopes it grants.
    pub permissions: PermissionSet,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A role that every instance has: (slug, name, description, scopes).
pub struct BuiltInRole {
    /// For machines.
    pub slug: &'static str,
    /// For people.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// The scopes it grants.
    pub scopes: &'static [&'static str],
}

/// The roles that every instance has. The names are the API's; slugs and scope lists are ours.
pub const BUILT_IN_ROLES: &[BuiltInRole] = &[
    BuiltInRole {
        slug: "full-access",
        name: "Full access",
        description: "Everything that the API can do, key pairs and roles included.",
        scopes: &["*.read", "*.write", "embed"],
    },
    BuiltInRole {
        slug: "processing-only",
        name: "Processing only",
        description: "Sessions, transactions and what a checkout needs; no configuration.",
        scopes: &[
            "anti-fraud-service-definitions.read",
            "bin-checker.read",
            "buyers.read",
            "buyers.write",
            "buyers.billing-details.read",
            "buyers.billing-details.write",
            "card-scheme-definitions.read",
            "checkout-sessions.read",
            "checkout-sessions.write",
            "digital-wallets.read",
            "digital-wallets.write",
            "embed",
            "gift-cards.read",
            "gift-cards.write",
            "payment-links.read",
            "payment-links.write",
            "payment-method-definitions.read",
            "payment-methods.read",
            "payment-methods.write",
            "payment-options.read",
            "payment-service-definitions.read",
            "payouts.read",
            "payouts.write",
            "transactions.read",
            "transactions.write",
        ],
    },
    BuiltInRole {
        slug: "system-management-only",
        name: "System management only",
        description: "Configuration of payment services, accounts, key pairs and webhooks; no transactions.",
        scopes: &[
            "api-key-pairs.read",
            "api-key-pairs.write",
            "audit-logs.read",
            "digital-wallets.read",
            "digital-wallets.write",
            "merchant-accounts.read",
            "merchant-accounts.write",
            "payment-method-definitions.read",
            "payment-service-definitions.read",
            "payment-services.read",
            "payment-services.write",
            "roles.read",
            "three-ds-scenarios.read",
            "three-ds-scenarios.write",
            "webhook-subscriptions.read",
            "webhook-subscriptions.write",
        ],
    },
    BuiltInRole {
        slug: "reporting",
        name: "Reporting",
        description: "Reads transactions and sessions, makes reports.",
        scopes: &[
            "buyers.read",
            "merchant-accounts.read",
            "payment-services.read",
            "payment-service-definitions.read",
            "reports.read",
            "reports.write",
            "transactions.read",
        ],
    },
];
