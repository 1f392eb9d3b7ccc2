//! Schemas of merchant accounts, key pairs, roles and the audit log.

use domain::audit::AuditAction;
use serde_json::{Value, json};

use super::super::schema::{
    Member, array, array_of_some, boolean, constant, default, integer, integer_from_to, may, must, nullable, object, reference, set,
    string, text, timestamp, uuid, words,
};
use super::list;

/// Largest amount of the API, minor units.
const MONEY_MAX: i64 = 99_999_999;

/// By name.
pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("MerchantAccount", merchant_account()),
        ("MerchantAccounts", list("Merchant accounts, newest first.", "MerchantAccount")),
        ("MerchantAccountSummary", merchant_account_summary()),
        ("MerchantAccountCreate", merchant_account_create()),
        ("MerchantAccountUpdate", merchant_account_update()),
        ("APIKeyPair", api_key_pair()),
        ("APIKeyPairs", list("API key pairs, newest first.", "APIKeyPair")),
        ("APIKeyPairCreate", api_key_pair_create()),
        ("APIKeyPairUpdate", api_key_pair_update()),
        ("CertificateAlgorithm", words(["ECDSA", "RSA"])),
        ("Creator", creator()),
        ("Role", role()),
        ("Roles", list("Roles, newest first.", "Role")),
        ("RoleAssigneeType", words(["user", "api-key-pair"])),
        ("PermissionSet", object("The scopes that a role grants.", vec![must("allow", array(string()))])),
        ("AuditLogEntry", audit_log_entry()),
        ("AuditLogEntries", list("Audit log entries, newest first.", "AuditLogEntry")),
        ("AuditLogEntryResource", audit_log_resource()),
        ("AuditLogEntryUser", audit_log_user()),
        ("AuditLogAction", words(AuditAction::ALL.iter().map(|action| action.as_str()))),
        ("UserStatus", words(["active", "pending", "deleted"])),
    ]
}

const NETWORK_TOKEN_MEMBERS: [&str; 8] = [
    "visa_network_tokens_requestor_id",
    "visa_network_tokens_app_id",
    "amex_network_tokens_requestor_id",
    "amex_network_tokens_app_id",
    "mastercard_network_tokens_requestor_id",
    "mastercard_network_tokens_app_id",
    "discover_network_tokens_requestor_id",
    "discover_network_tokens_app_id",
];

const TEXT_MEMBERS: [&str; 7] = [
    "loon_client_key",
    "loon_secret_key",
    "loon_merchant_account_id",
    "account_updater_request_encryption_key",
    "account_updater_request_encryption_key_id",
    "account_updater_response_decryption_key",
    "account_updater_response_decryption_key_id",
];

fn merchant_account() -> Value {
    let mut members = vec![
        may("type", constant("merchant-account")),
        must("id", text(1, 50)),
        must("display_name", text(1, 255)),
        may("loon_accepted_schemes", nullable(array(reference("CardScheme")))),
        must("account_updater_enabled", boolean()),
        may("over_capture_amount", nullable(integer())),
        may("over_capture_percentage", nullable(integer())),
        may("async_network_tokens_enabled", default(false, boolean())),
        must("created_at", timestamp()),
        must("updated_at", timestamp()),
    ];
    members.extend(TEXT_MEMBERS.into_iter().chain(NETWORK_TOKEN_MEMBERS).map(|name| may(name, nullable(string()))));
    object("A merchant account. The two secret members always read null.", members)
}

fn merchant_account_settings() -> Vec<Member> {
    let mut members = vec![
        may("account_updater_enabled", default(false, boolean())),
        may("over_capture_amount", nullable(integer_from_to(0, MONEY_MAX))),
        may("over_capture_percentage", nullable(integer_from_to(0, MONEY_MAX))),
        may("loon_accepted_schemes", nullable(set(reference("CardScheme")))),
        may("async_network_tokens_enabled", default(false, boolean())),
    ];
    members.extend(TEXT_MEMBERS.into_iter().map(|name| may(name, nullable(string()))));
    members.extend(NETWORK_TOKEN_MEMBERS.into_iter().map(|name| may(name, nullable(text(0, 300)))));
    members
}

fn merchant_account_create() -> Value {
    let mut members = merchant_account_settings();
    members.push(must("id", json!({ "type": "string", "minLength": 1, "maxLength": 50, "pattern": "^[a-zA-Z0-9-]+$" })));
    members.push(must("display_name", text(1, 255)));
    object("A merchant account to create; the caller chooses its id.", members)
}

fn merchant_account_update() -> Value {
    let mut members = merchant_account_settings();
    members.push(may("display_name", nullable(text(1, 255))));
    object("What to change about a merchant account; members that are left out keep their value.", members)
}

fn merchant_account_summary() -> Value {
    object(
        "A merchant account in short.",
        vec![
            may("type", constant("merchant-account")),
            must("id", string()),
            must("display_name", string()),
            must("created_at", timestamp()),
            must("updated_at", timestamp()),
            may("over_capture_amount", nullable(integer())),
            may("over_capture_percentage", nullable(integer())),
        ],
    )
}

fn api_key_pair() -> Value {
    object(
        "A registered public key and what its tokens may do.",
        vec![
            may("type", constant("api-key-pair")),
            must("id", uuid()),
            must("thumbprint", string()),
            must("display_name", text(1, 200)),
            must("algorithm", reference("CertificateAlgorithm")),
            must("active", boolean()),
            may("private_key", nullable(string())),
            must("created_at", timestamp()),
            must("updated_at", timestamp()),
            may("last_used_at", nullable(timestamp())),
            may("creator", nullable(reference("Creator"))),
            may("merchant_accounts", array(reference("MerchantAccountSummary"))),
            may("roles", array(reference("Role"))),
        ],
    )
}

fn api_key_pair_create() -> Value {
    object(
        "A key pair to register, or to generate where no public key is sent.",
        vec![
            must("display_name", text(1, 200)),
            may("algorithm", reference("CertificateAlgorithm")),
            may("active", default(true, boolean())),
            must("role_ids", array_of_some(uuid())),
            may("merchant_account_ids", array(string())),
            may("public_key", nullable(string())),
        ],
    )
}

fn api_key_pair_update() -> Value {
    object(
        "What to change about a key pair; members that are left out keep their value.",
        vec![
            may("display_name", nullable(text(1, 200))),
            may("active", nullable(boolean())),
            may("role_ids", nullable(array_of_some(uuid()))),
            may("merchant_account_ids", nullable(array(string()))),
        ],
    )
}

fn creator() -> Value {
    object(
        "Who made a key pair.",
        vec![must("id", uuid()), must("name", string()), may("email_address", nullable(string())), may("thumbprint", nullable(string()))],
    )
}

fn role() -> Value {
    object(
        "A named set of scopes.",
        vec![
            may("type", constant("role")),
            must("id", uuid()),
            must("name", string()),
            must("slug", string()),
            must("description", string()),
            must("permissions", reference("PermissionSet")),
            must("assignable_to", array(reference("RoleAssigneeType"))),
            must("applies_to", array(string())),
            must("is_standalone_assignable", boolean()),
        ],
    )
}

fn audit_log_entry() -> Value {
    object(
        "Who changed what, and when.",
        vec![
            may("type", constant("audit-log")),
            may("id", nullable(uuid())),
            may("merchant_account_id", nullable(string())),
            must("resource", reference("AuditLogEntryResource")),
            must("action", reference("AuditLogAction")),
            must("user", reference("AuditLogEntryUser")),
            must("timestamp", timestamp()),
        ],
    )
}

fn audit_log_resource() -> Value {
    object("What was changed.", vec![must("type", string()), must("id", string()), must("name", string())])
}

fn audit_log_user() -> Value {
    object(
        "The key pair that changed it.",
        vec![
            may("type", constant("user")),
            may("id", nullable(uuid())),
            must("name", string()),
            may("email_address", nullable(string())),
            must("is_staff", boolean()),
            must("status", reference("UserStatus")),
        ],
    )
}
