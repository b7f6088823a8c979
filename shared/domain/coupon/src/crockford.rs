//! Crockford's base 32: no `I`, `L`, `O` or `U`, case ignored, `O` read as 0 and `I`, `L` as 1
//! (<https://www.crockford.com/base32.html>).

/// Bits of a symbol.
pub const BITS: u32 = 5;

const ALPHABET: &[u8; 1 << BITS] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The symbol of the lowest [`BITS`] of `bits`; the others are ignored.
pub fn symbol(bits: u128) -> char {
    let place = usize::try_from(bits & 31).unwrap_or_default();
    ALPHABET.get(place).copied().unwrap_or(b'0').into()
}

/// What a symbol stands for, 0 to 31, however it is typed; nothing for any other byte.
pub fn value(typed: u8) -> Option<u8> {
    let letter = match typed.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        letter => letter,
    };
    ALPHABET.iter().position(|&known| known == letter).and_then(|place| u8::try_from(place).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_reads_back_in_either_case() {
        for bits in 0..32_u8 {
            let letter = u8::try_from(symbol(bits.into())).unwrap();
            assert_eq!(value(letter), Some(bits));
            assert_eq!(value(letter.to_ascii_lowercase()), Some(bits));
            assert_eq!(symbol(u128::from(bits) | 1 << BITS), symbol(bits.into()), "higher bits are ignored");
        }
    }

    #[test]
    fn what_looks_like_a_digit_is_one_and_other_bytes_are_nothing() {
        let values = |typed: &[u8]| typed.iter().copied().map(value).collect::<Vec<_>>();
        assert_eq!(values(b"oOiIlL"), [0, 0, 1, 1, 1, 1].map(Some));
        assert_eq!(values(b"uU-* \xff"), [None; 6]);
    }
}
