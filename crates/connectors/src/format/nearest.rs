//! The nearest name to a wrong one.

/// Longest name that is compared: what is longer is no misspelling of ours.
const LENGTH_MAX: usize = 64;

/// The known name that a wrong one most likely meant; `None` if none is near.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if name.len() > LENGTH_MAX {
        return None;
    }
    let limit = 1 + name.chars().count() / 4;
    let near = known.into_iter().filter(|known| known.len() <= LENGTH_MAX).map(|known| (distance(name, known), known));
    near.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// Edits between two names: insert, remove, replace, or swap of neighbours; case does not count.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().map(|c| c.to_ascii_lowercase()).collect();
    let other: Vec<char> = other.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&row, j) + usize::from(a != b)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped = i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_are_near_and_other_words_are_not() {
        let known = ["request", "record", "headers", "success"];
        let check = |name: &str, expected: Option<&str>| assert_eq!(nearest(name, known), expected, "{name}");
        check("reqeust", Some("request"));
        check("header", Some("headers"));
        check("Success", Some("success"));
        check("sign", None);
        check("", None);
        check(&"x".repeat(1000), None);
    }
}
