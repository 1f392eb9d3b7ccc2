//! Members of key pairs that name something else or hold a key. Each is looked at where it is read, so that what is unknown is told among everything else that is wrong, in its place.

use domain::{MerchantAccountId, RoleId};
use engine::signing::PublicKey;
use engine::{Caller, Engine, key_pairs};

use crate::reader::{Problems, Value, raw_text, uuid};

/// The id of a role that there is.
pub(super) fn role_id(engine: &Engine) -> impl Fn(&Value<'_>, &mut Problems) -> Option<RoleId> {
    move |value, problems| {
        let id = uuid(RoleId::parse)(value, problems)?;
        match key_pairs::unknown_role(engine, id) {
            Some(message) => value.refuse(problems, "unknown_reference", message),
            None => Some(id),
        }
    }
}

/// The id of an account that there is, as far as the caller may know. What no account can be called is as unknown as any other name.
pub(super) fn account_id(engine: &Engine, caller: &Caller) -> impl Fn(&Value<'_>, &mut Problems) -> Option<MerchantAccountId> {
    move |value, problems| {
        let text = raw_text(value, problems)?;
        let Some(id) = MerchantAccountId::parse(&text) else {
            return value.refuse(problems, "unknown_reference", "There is no such merchant account");
        };
        match key_pairs::unknown_account(engine, caller, &id) {
            Some(message) => value.refuse(problems, "unknown_reference", message),
            None => Some(id),
        }
    }
}

/// A public key of the one kind that is supported, as PEM.
pub(super) fn public_key(value: &Value<'_>, problems: &mut Problems) -> Option<String> {
    let text = raw_text(value, problems)?;
    match PublicKey::from_pem(&text) {
        Ok(_) => Some(text),
        Err(error) => value.refuse(problems, "value_error", error.to_string()),
    }
}
