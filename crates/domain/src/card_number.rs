//! Recognising card numbers, to keep them out.

mod members;

pub use members::card_number_members;

/// Whether the text holds 13 to 19 digits that pass the Luhn check, spaces and dashes between digits ignored.
pub fn contains_card_number(text: &str) -> bool {
    let mut run: Vec<u32> = Vec::new();
    for character in text.chars().chain(std::iter::once('.')) {
        match character.to_digit(10) {
            Some(digit) => run.push(digit),
            None if matches!(character, ' ' | '-') => {}
            None => {
                if (13..=19).contains(&run.len()) && passes_luhn(&run) {
                    return true;
                }
                run.clear();
            }
        }
    }
    false
}

fn passes_luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ if *digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_card_numbers_and_leaves_order_numbers_alone() {
        assert!(contains_card_number("4111111111111111"));
        assert!(contains_card_number("card 4111 1111 1111 1111!"));
        assert!(contains_card_number("5555-5555-5555-4444"));
        assert!(!contains_card_number("4111111111111112"));
        assert!(!contains_card_number("order-1000"));
        assert!(!contains_card_number("0b1d9815-165e-42e2-8867-35bc03789e00"));
    }
}
