//! API key pairs.

use engine::key_pairs::ApiKeyPairView;
use serde::Serialize;

use super::merchant_account::WireMerchantAccountSummary;
use super::role::WireRole;

/// `APIKeyPair` of the API's document.
#[derive(Serialize)]
pub(crate) struct WireApiKeyPair {
    r#type: &'static str,
    id: String,
    thumbprint: String,
    display_name: String,
    algorithm: &'static str,
    active: bool,
    /// Shown once, when we made it.
    private_key: Option<String>,
    created_at: String,
    updated_at: String,
    last_used_at: Option<String>,
    creator: Option<WireCreator>,
    merchant_accounts: Vec<WireMerchantAccountSummary>,
    roles: Vec<WireRole>,
}

#[derive(Serialize)]
struct WireCreator {
    id: String,
    name: String,
    /// Only people have one, and only key pairs create key pairs here.
    email_address: Option<&'static str>,
    thumbprint: Option<String>,
}

impl WireApiKeyPair {
    /// The wire form of a key pair, with its private key where it was made just now.
    pub(crate) fn of(view: ApiKeyPairView, private_key: Option<String>) -> Self {
        let pair = view.pair;
        Self {
            r#type: "api-key-pair",
            id: pair.id.to_string(),
            thumbprint: pair.thumbprint,
            display_name: pair.display_name,
            algorithm: "ECDSA",
            active: pair.active,
            private_key,
            created_at: pair.created_at.to_string(),
            updated_at: pair.updated_at.to_string(),
            last_used_at: pair.last_used_at.map(|moment| moment.to_string()),
            creator: pair.creator.map(|creator| WireCreator {
                id: creator.id.to_string(),
                name: creator.name,
                email_address: None,
                thumbprint: Some(creator.thumbprint),
            }),
            merchant_accounts: view.merchant_accounts.iter().map(|account| WireMerchantAccountSummary::of(account)).collect(),
            roles: view.roles.iter().map(|role| WireRole::of(role)).collect(),
        }
    }
}
