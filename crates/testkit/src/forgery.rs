//! What makes a wrong token of a good one: its bytes are changed so that only a careless reader takes them for the same.

/// Bytes of one half of an ES512 signature.
const HALF_BYTES: usize = 66;

/// The order of P-521.
pub const ORDER: [u8; HALF_BYTES] = *b"\
    \x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
    \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfa\x51\x86\x87\x83\xbf\x2f\x96\x6b\x7f\xcc\
    \x01\x48\xf7\x09\xa5\xd0\x3b\xb5\xc9\xb8\x89\x9c\x47\xae\xbb\x6f\xb7\x1e\x91\x38\x64\x09";

/// The number plus the order, which is the same number to whoever forgets to compare.
pub fn plus_order(number: &mut [u8]) {
    let mut carry = 0;
    for (digit, more) in number.iter_mut().zip(ORDER).rev() {
        let [high, low] = (u16::from(*digit) + u16::from(more) + carry).to_be_bytes();
        (*digit, carry) = (low, u16::from(high));
    }
}

/// DER of a signature, whose two integers need no more than 66 bytes each.
pub fn der(signature: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).expect("two integers of 66 bytes are short");
    let integer = |bytes: &[u8]| {
        let mut value: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        if value.first().is_none_or(|byte| byte & 0x80 != 0) {
            value.insert(0, 0);
        }
        [vec![2, length(&value)], value].concat()
    };
    let (r, s) = signature.split_at(HALF_BYTES);
    let body = [integer(r), integer(s)].concat();
    [vec![0x30, 0x81, length(&body)], body].concat()
}

/// A part of a token that decodes to the same bytes although its unused bits are set. Its bytes must be 3n + 1.
pub fn sloppy(part: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = part.split_at(part.len() - 1);
    let digit = ALPHABET.find(last).expect("base64url");
    format!("{rest}{}", ALPHABET.chars().nth(digit + 1).expect("the unused bits are not set"))
}
