use std::{fmt, str::FromStr};

use domain_coupon::crockford;

use crate::{MAX_CODES, Serial};

/// What a guest types in: 20 symbols, shown as `7K3MQ-X4T9F-2KM3Q-BW60D`, case and hyphens ignored.
///
/// The 100 bits are the [`Serial`] of its batch (24), its index therein (20) and the digest that proves both (56, see
/// [`ExchangeKey`](crate::ExchangeKey)). One that exists reads like a code; whether it is genuine, the key says. The
/// digest is the check symbol, too: a mistyped code is not genuine.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExchangeCode {
    pub(crate) serial: Serial,
    pub(crate) index: u32,
    pub(crate) tag: Tag,
}

/// The digest of a code. 56 bits: a guess is right once in 7 × 10¹⁶ times.
pub(crate) type Tag = [u8; TAG_BYTES];

pub(crate) const TAG_BYTES: usize = 7;

/// Bits of an index.
const INDEX_BITS: u32 = 20;

const TAG_BITS: u32 = 56;
const SYMBOLS: u32 = 20;
const GROUP: u32 = 5;

const _: () = assert!(MAX_CODES <= 1 << INDEX_BITS, "every code of a batch has an index of its own");

/// The text does not read like an exchange code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an exchange code")]
pub struct InvalidExchangeCode;

impl ExchangeCode {
    fn to_bits(self) -> u128 {
        let tag = self.tag.iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte));
        u128::from(self.serial) << (INDEX_BITS + TAG_BITS) | u128::from(self.index) << TAG_BITS | tag
    }

    fn from_bits(bits: u128) -> Self {
        let low = |bits: u128, width: u32| u32::try_from(bits & ((1 << width) - 1)).unwrap_or_default();
        let tag_byte = |at: usize| bits.to_be_bytes().get(16 - TAG_BYTES + at).copied().unwrap_or_default();
        Self {
            serial: Serial::from_low_bits(bits >> (INDEX_BITS + TAG_BITS)),
            index: low(bits >> TAG_BITS, INDEX_BITS),
            tag: std::array::from_fn(tag_byte),
        }
    }
}

impl fmt::Display for ExchangeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.to_bits();
        for place in 0..SYMBOLS {
            if place > 0 && place % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", crockford::symbol(bits >> (crockford::BITS * (SYMBOLS - 1 - place))))?;
        }
        Ok(())
    }
}

/// A code is as good as money: it must not reach a log by way of `{:?}`.
impl fmt::Debug for ExchangeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangeCode(…)")
    }
}

impl FromStr for ExchangeCode {
    type Err = InvalidExchangeCode;

    fn from_str(text: &str) -> Result<Self, InvalidExchangeCode> {
        let mut typed = text.bytes().filter(|byte| !matches!(byte, b'-' | b' '));
        let mut bits = 0;
        for _ in 0..SYMBOLS {
            let value = typed.next().and_then(crockford::value).ok_or(InvalidExchangeCode)?;
            bits = bits << crockford::BITS | u128::from(value);
        }
        if typed.next().is_none() { Ok(Self::from_bits(bits)) } else { Err(InvalidExchangeCode) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HUNDRED_BITS: u128 = (1 << 100) - 1;

    proptest! {
        #[test]
        fn a_code_reads_back_however_it_is_typed(bits in 0..=HUNDRED_BITS) {
            let code = ExchangeCode::from_bits(bits);
            prop_assert_eq!(code.to_bits(), bits, "one code, one meaning");
            let text = code.to_string();
            prop_assert_eq!(text.len(), 23);
            prop_assert_eq!(text.parse(), Ok(code));
            let typed = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            prop_assert_eq!(typed.parse(), Ok(code));
            prop_assert_eq!(text.replace('-', "").replace('0', "O").replace('1', "I").parse(), Ok(code));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = text.parse::<ExchangeCode>();
        }
    }

    #[test]
    fn a_code_never_reaches_a_log() {
        assert_eq!(format!("{:?}", ExchangeCode::from_bits(7)), "ExchangeCode(…)");
    }

    #[test]
    fn what_does_not_read_like_a_code_is_refused() {
        let text = ExchangeCode::from_bits(99).to_string();
        let long = "0".repeat(100_000);
        for other in ["", "-", "用户", &text[..22], &format!("{text}0"), &text.replace('3', "U"), &long] {
            assert_eq!(other.parse::<ExchangeCode>(), Err(InvalidExchangeCode));
        }
    }
}
