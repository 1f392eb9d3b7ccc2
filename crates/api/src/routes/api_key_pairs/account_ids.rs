//! Merchant accounts that a key pair is bound to.

use domain::MerchantAccountId;

use crate::reader::{Problems, Value, raw_text};

/// An id of an account. What no account can be called is as unknown as any other name.
pub(super) fn account_id(value: &Value<'_>, problems: &mut Problems) -> Option<MerchantAccountId> {
    let text = raw_text(value, problems)?;
    MerchantAccountId::parse(&text).or_else(|| value.refuse(problems, "unknown_reference", "There is no such merchant account"))
}
