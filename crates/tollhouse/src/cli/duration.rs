//! Lengths of time on the command line: `30s`, `15m`, `1h`, `7d`.

use std::time::Duration;

/// The longest that may be asked for: ten years.
const SECONDS_MAX: u64 = 10 * 365 * 24 * 3600;

/// Reads a number and a unit.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let expected = || format!("`{text}` is no length of time: write a number and a unit, such as 30s, 15m, 1h or 7d");
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(expected)?;
    let (number, unit) = text.split_at_checked(at).ok_or_else(expected)?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(expected()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    seconds.filter(|seconds| (1..=SECONDS_MAX).contains(seconds)).map(Duration::from_secs).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        let check = |text: &str, seconds: Option<u64>| assert_eq!(parse(text).ok().map(|d| d.as_secs()), seconds, "{text}");
        check("30s", Some(30));
        check("15m", Some(900));
        check("1h", Some(3600));
        check("7d", Some(604_800));
        for nonsense in ["", "1", "h", "0s", "-1s", "1.5h", "1 h", "1w", "99999999999999999999s", "4000d"] {
            check(nonsense, None);
        }
    }
}
