//! Currencies, countries and amounts.

use std::fmt;

/// An active ISO 4217 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CurrencyCode([u8; 3]);

/// An ISO 3166-1 alpha-2 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode([u8; 2]);

/// An amount in minor units of its currency. Two amounts of different currencies do not mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// Minor units: cents for EUR, yen for JPY, fils for KWD.
    pub minor: i64,
    /// The currency.
    pub currency: CurrencyCode,
}

impl CurrencyCode {
    /// Takes three upper-case letters that ISO 4217 knows.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 3] = text.as_bytes().try_into().ok()?;
        iso_currency::Currency::from_code(text).map(|_| Self(bytes))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Digits after the decimal point by ISO 4217: JPY 0, EUR 2, KWD 3.
    pub fn exponent(self) -> u32 {
        iso_currency::Currency::from_code(self.as_str()).and_then(|c| c.exponent()).map_or(2, u32::from)
    }

    /// Every active currency that people pay with, by code: no funds, metals or test codes, and none that another has replaced.
    pub fn all() -> Vec<Self> {
        use iso_currency::IntoEnumIterator;
        let active = iso_currency::Currency::iter().filter(|currency| currency.flags().is_empty());
        let mut all: Vec<Self> = active.filter_map(|currency| Self::parse(currency.code())).collect();
        all.sort_unstable();
        all
    }
}

impl CountryCode {
    /// Takes two upper-case letters that ISO 3166-1 knows.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 2] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(())?;
        rust_iso3166::from_alpha2(text).map(|_| Self(bytes))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Every country, by code.
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = rust_iso3166::ALL.iter().filter_map(|c| Self::parse(c.alpha2)).collect();
        all.sort_unstable();
        all
    }
}

impl Money {
    /// Reads a decimal number in major units (`10.00`, `10`, `0.5`) without going through a float. `None` if it has more digits than the currency or does not fit.
    pub fn from_major(text: &str, currency: CurrencyCode) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return None;
        }
        let exponent = usize::try_from(currency.exponent()).ok()?;
        let significant = fraction.trim_end_matches('0');
        if significant.len() > exponent {
            return None;
        }
        let minor: i64 = format!("{whole}{significant:0<exponent$}").parse().ok()?;
        Some(Self { minor: if negative { -minor } else { minor }, currency })
    }
}

impl fmt::Display for CurrencyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_units_become_minor_units_without_a_float() {
        let check = |text: &str, code: &str, minor: Option<i64>| {
            let currency = CurrencyCode::parse(code).unwrap();
            assert_eq!(Money::from_major(text, currency).map(|m| m.minor), minor, "{text} {code}");
        };
        check("10.00", "EUR", Some(1000));
        check("10", "EUR", Some(1000));
        check("0.5", "EUR", Some(50));
        check("0.005", "EUR", None);
        check("10.000", "EUR", Some(1000));
        check("1000", "JPY", Some(1000));
        check("1.5", "JPY", None);
        check("1.234", "KWD", Some(1234));
        check("-1.50", "EUR", Some(-150));
        check("1e3", "EUR", None);
        check("", "EUR", None);
        check("99999999999999999999", "EUR", None);
    }

    #[test]
    fn codes_are_checked_against_iso() {
        assert!(CurrencyCode::parse("EUR").is_some() && CurrencyCode::parse("eur").is_none() && CurrencyCode::parse("ZZZ").is_none());
        assert!(CountryCode::parse("NL").is_some() && CountryCode::parse("nl").is_none() && CountryCode::parse("ZZ").is_none());
        assert!(CurrencyCode::all().len() > 140 && CountryCode::all().len() > 240);
        assert!(!CurrencyCode::all().contains(&CurrencyCode::parse("BOV").unwrap()), "a unit of account, not a currency to pay in");
    }
}
