//! Crockford's base 32: no `I`, `L`, `O` or `U`, case ignored, `O` read as 0 and `I`, `L` as 1.

/// Bits of a symbol.
pub(crate) const BITS: u32 = 5;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The symbol of the lowest five bits.
pub(crate) fn symbol(bits: u128) -> char {
    let place = usize::try_from(bits & 31).unwrap_or_default();
    ALPHABET.get(place).copied().unwrap_or(b'0').into()
}

/// What a symbol stands for, however it is typed.
pub(crate) fn value(typed: u8) -> Option<u128> {
    let letter = match typed.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        letter => letter,
    };
    ALPHABET.iter().position(|&known| known == letter).and_then(|place| u128::try_from(place).ok())
}
