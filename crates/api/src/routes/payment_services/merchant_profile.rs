//! The map from card scheme to the profile that its authentication needs. It is stored as JSON and shown as it was stored.

use domain::Timestamp;
use domain::json::Kind;
use domain::method::is_card_scheme;
use serde_json::{Map, Value as Json};

use crate::reader::{Problems, Value, raw_text, text};

/// The map as it was read, in the order of the body; null where the body says so.
pub(super) struct MerchantProfile(Vec<(String, Option<Members>)>);

/// The members of one scheme's profile.
type Members = Vec<(&'static str, String)>;

impl MerchantProfile {
    /// Reads the map.
    pub(super) fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        let mut profiles = Vec::new();
        let mut complete = true;
        for (scheme, value) in value.object(problems)?.entries() {
            if !is_card_scheme(&scheme) {
                complete = false;
                value.note(problems, "value_error", "Unknown card scheme");
            } else if value.kind() == Some(Kind::Null) {
                profiles.push((scheme, None));
            } else if let Some(members) = profile(&value, problems) {
                profiles.push((scheme, Some(members)));
            } else {
                complete = false;
            }
        }
        complete.then_some(Self(profiles))
    }

    /// The text to store. The answer's entries must say since when they are so.
    pub(super) fn stored(self, now: Timestamp) -> String {
        let entry = |members: Members| {
            let members = members.into_iter().map(|(name, value)| (name.to_owned(), Json::String(value)));
            Json::Object(members.chain([("created_at".to_owned(), Json::String(now.to_string()))]).collect())
        };
        let schemes = self.0.into_iter().map(|(scheme, members)| (scheme, members.map_or(Json::Null, entry)));
        Json::Object(schemes.collect::<Map<String, Json>>()).to_string()
    }
}

fn profile(value: &Value<'_>, problems: &mut Problems) -> Option<Members> {
    let reader = value.object(problems)?;
    let members = [
        ("merchant_acquirer_bin", reader.required(problems, "merchant_acquirer_bin", text(0..=11))),
        ("merchant_acquirer_id", reader.required(problems, "merchant_acquirer_id", text(0..=35))),
        ("merchant_name", reader.required(problems, "merchant_name", text(0..=40))),
        ("merchant_country_code", reader.required(problems, "merchant_country_code", raw_text)),
        ("merchant_category_code", reader.required(problems, "merchant_category_code", text(4..=4))),
        ("merchant_url", reader.required(problems, "merchant_url", raw_text)),
    ];
    members.into_iter().map(|(name, value)| value.map(|value| (name, value))).collect()
}

#[cfg(test)]
mod tests {
    use domain::JsonObject;

    use super::*;
    use crate::reader::Reader;

    const VISA: &str = r#"{"merchant_acquirer_bin":"516327","merchant_acquirer_id":"1","merchant_name":"Acme","merchant_country_code":"840","merchant_category_code":"1234","merchant_url":"https://example.com","extra":1}"#;

    fn read(body: &str) -> Result<String, Vec<(String, &'static str)>> {
        let body = JsonObject::parse(body.to_owned()).unwrap();
        let mut problems = Problems::default();
        let profile = Reader::of(&body).unwrap().required(&mut problems, "p", MerchantProfile::read);
        let problems = problems.into_vec();
        assert_eq!(profile.is_none(), !problems.is_empty());
        profile.map(|p| p.stored(Timestamp::from_micros(0))).ok_or_else(|| problems.into_iter().map(|p| (p.pointer, p.kind)).collect())
    }

    #[test]
    fn what_is_stored_is_what_is_shown() {
        let stored = read(&format!(r#"{{"p":{{"visa":{VISA},"amex":null}}}}"#)).unwrap();
        let shown: serde_json::Value = serde_json::from_str(&stored).unwrap();
        assert_eq!(
            shown,
            serde_json::json!({ "amex": null, "visa": {
                "merchant_acquirer_bin": "516327", "merchant_acquirer_id": "1", "merchant_name": "Acme", "merchant_country_code": "840",
                "merchant_category_code": "1234", "merchant_url": "https://example.com", "created_at": "1970-01-01T00:00:00.000000+00:00",
            } })
        );
    }

    #[test]
    fn every_problem_of_every_scheme_is_told() {
        let body = format!(r#"{{"p":{{"visa":{},"cash":{VISA},"amex":1,"jcb":{{}}}}}}"#, VISA.replace("1234", "12345"));
        let problems = read(&body).unwrap_err();
        assert_eq!(problems[0], ("/p/visa/merchant_category_code".to_owned(), "string_too_long"));
        assert_eq!(problems[1], ("/p/cash".to_owned(), "value_error"));
        assert_eq!(problems[2], ("/p/amex".to_owned(), "type_error"));
        assert_eq!(problems[3], ("/p/jcb/merchant_acquirer_bin".to_owned(), "missing"));
        assert_eq!(problems.len(), 9);
    }
}
