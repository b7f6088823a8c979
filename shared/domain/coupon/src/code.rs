use std::{fmt, str::FromStr};

use crate::crockford;

/// What a guest types in: 15 random symbols (75 bits) and a check symbol, shown as `7K3M-QX4T-9F2K-M3QB`.
///
/// The alphabet is Crockford's base 32 ([`crockford`]): case ignored, `O` read as 0 and `I`, `L` as 1.
/// The check symbol makes the code a Reed-Solomon code word over GF(32): every single wrong symbol and every swap
/// of two symbols is detected.
///
/// Two of a billion codes are equal with a probability of 1.4 in 100,000; a code is always looked at together with
/// the guest who holds it, so that even then nobody could use another's coupon.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CouponCode([u8; SYMBOLS]);

/// The text is not a coupon code, or was mistyped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid coupon code")]
pub struct InvalidCode;

const SYMBOLS: usize = 16;
const GROUP: usize = 4;

impl CouponCode {
    /// A code of 75 of the given random bits, which must come from a cryptographic source: a code that can be
    /// guessed is worth money.
    pub fn from_random(random: u128) -> Self {
        let mut symbols = [0; SYMBOLS];
        for (i, symbol) in symbols.iter_mut().take(SYMBOLS - 1).enumerate() {
            *symbol = u8::try_from(random >> (5 * i) & 31).unwrap_or_default();
        }
        let check = remainder(&symbols);
        let [.., last] = &mut symbols;
        *last = check;
        Self(symbols)
    }
}

/// Evaluates the symbols as a polynomial at α by Horner's rule; a code word with its check symbol gives 0.
fn remainder(symbols: &[u8; SYMBOLS]) -> u8 {
    symbols.iter().fold(0, |sum, symbol| times_alpha(sum) ^ symbol)
}

/// Multiplies by α in GF(32) = GF(2)[α] / (α⁵ + α² + 1). α has order 31, so no two of 16 places weigh the same.
fn times_alpha(x: u8) -> u8 {
    let shifted = x << 1;
    if shifted & 0b10_0000 == 0 { shifted } else { shifted ^ 0b10_0101 }
}

impl fmt::Display for CouponCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, symbol) in self.0.iter().enumerate() {
            if i > 0 && i % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", crockford::symbol((*symbol).into()))?;
        }
        Ok(())
    }
}

/// A code is as good as money: it must not reach a log by way of `{:?}`.
impl fmt::Debug for CouponCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CouponCode(…)")
    }
}

impl FromStr for CouponCode {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        let mut symbols = [0; SYMBOLS];
        let mut typed = text.bytes().filter(|byte| !matches!(byte, b'-' | b' '));
        for symbol in &mut symbols {
            *symbol = typed.next().and_then(crockford::value).ok_or(InvalidCode)?;
        }
        if typed.next().is_none() && remainder(&symbols) == 0 { Ok(Self(symbols)) } else { Err(InvalidCode) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_code_reads_back_however_it_is_typed(random: u128) {
            let code = CouponCode::from_random(random);
            let text = code.to_string();
            prop_assert_eq!(text.len(), 19);
            prop_assert_eq!(text.parse(), Ok(code));
            prop_assert_eq!(text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l").parse(), Ok(code));
        }

        #[test]
        fn one_wrong_symbol_is_detected(random: u128, place in 0..SYMBOLS, error in 1..32_u8) {
            let CouponCode(mut symbols) = CouponCode::from_random(random);
            symbols[place] ^= error;
            prop_assert_ne!(remainder(&symbols), 0);
        }

        #[test]
        fn two_swapped_symbols_are_detected(random: u128, a in 0..SYMBOLS, b in 0..SYMBOLS) {
            let CouponCode(mut symbols) = CouponCode::from_random(random);
            prop_assume!(symbols[a] != symbols[b]);
            symbols.swap(a, b);
            prop_assert_ne!(remainder(&symbols), 0);
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<CouponCode>();
        }
    }

    #[test]
    fn a_code_never_reaches_a_log() {
        assert_eq!(format!("{:?}", CouponCode::from_random(0)), "CouponCode(…)");
    }

    #[test]
    fn too_short_and_too_long_are_refused() {
        let text = CouponCode::from_random(99).to_string();
        assert_eq!(text[..18].parse::<CouponCode>(), Err(InvalidCode));
        assert_eq!(format!("{text}0").parse::<CouponCode>(), Err(InvalidCode));
        assert_eq!("".parse::<CouponCode>(), Err(InvalidCode));
    }
}
