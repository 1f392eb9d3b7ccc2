//! Moments in time.

use std::fmt;

/// Microseconds since the Unix epoch, UTC. Prints as RFC 3339 with six digits and an explicit offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment plus a number of seconds (which may be negative), clamped at the ends of time.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// `Thu, 26 Nov 2026 10:00:00 GMT` (RFC 9110, section 5.6.7).
    pub fn http_date(self) -> String {
        self.written("%a, %d %b %Y %H:%M:%S GMT")
    }

    /// `2026-11-26T10:00:00.000Z`: ISO 8601 in UTC, with milliseconds.
    pub fn iso8601(self) -> String {
        self.written("%Y-%m-%dT%H:%M:%S.%3fZ")
    }

    /// `20261126100000`: digits only, in UTC.
    pub fn compact(self) -> String {
        self.written("%Y%m%d%H%M%S")
    }

    /// Clamped at the ends of what a calendar can say, thousands of years away.
    fn written(self, format: &str) -> String {
        let end = if self.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(end).strftime(format).to_string()
    }

    /// Reads RFC 3339 with `Z` or an offset.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_microsecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{}", moment.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_the_api_does_and_reads_both_forms() {
        let moment = Timestamp::parse("2021-03-12T15:05:27.199271Z").unwrap();
        assert_eq!(moment.to_string(), "2021-03-12T15:05:27.199271+00:00");
        assert_eq!(Timestamp::parse("2021-03-12T16:05:27.199271+01:00"), Some(moment));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn prints_as_signatures_want_it() {
        let check = |moment: &str, http: &str, iso: &str, compact: &str| {
            let moment = Timestamp::parse(moment).unwrap();
            assert_eq!((moment.http_date(), moment.iso8601(), moment.compact()), (http.into(), iso.into(), compact.into()));
        };
        check("2026-11-26T11:00:00+01:00", "Thu, 26 Nov 2026 10:00:00 GMT", "2026-11-26T10:00:00.000Z", "20261126100000");
        check("2027-02-07T03:04:05.006999Z", "Sun, 07 Feb 2027 03:04:05 GMT", "2027-02-07T03:04:05.006Z", "20270207030405");
        assert_eq!(Timestamp::from_micros(i64::MAX).compact().get(..4), Some("9999"));
    }
}
