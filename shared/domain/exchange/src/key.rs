use std::{fmt, str::FromStr};

use hmac::{Hmac, KeyInit, Mac, digest::Key};
use sha2::Sha256;

use crate::{
    CodeCount, ExchangeCode, Serial,
    code::{TAG_BYTES, Tag},
};

/// Bytes of the secret, at least: as many as the digest has (RFC 2104, section 3).
pub const MIN_SECRET_BYTES: usize = 32;

/// What a batch's key is derived for, so that the secret could serve another purpose beside this one.
const PURPOSE: &str = "exchange-code";

/// The secret that codes are made and checked with.
///
/// A batch has a key of its own, `HMAC-SHA256(secret, "exchange-code" ‖ serial)`, and a code the digest
/// `HMAC-SHA256(key of the batch, index)`, of which 7 bytes are kept. With another secret no code that was ever printed
/// is genuine.
#[derive(Clone)]
pub struct ExchangeKey(Hmac<Sha256>);

/// The key of one batch.
#[derive(Clone)]
pub struct BatchKey {
    serial: Serial,
    mac: Hmac<Sha256>,
}

/// The secret is too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret must have at least {MIN_SECRET_BYTES} bytes")]
pub struct InvalidExchangeKey;

/// Which of which batch a code is; one that exists was made with our key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenuineCode {
    /// The batch.
    pub serial: Serial,
    /// Which of the batch, from 0.
    pub index: u32,
}

impl FromStr for ExchangeKey {
    type Err = InvalidExchangeKey;

    fn from_str(secret: &str) -> Result<Self, InvalidExchangeKey> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(InvalidExchangeKey);
        }
        Hmac::new_from_slice(secret.as_bytes()).map(Self).map_err(|_| InvalidExchangeKey)
    }
}

impl ExchangeKey {
    /// The key of the batch with this serial.
    pub fn batch(&self, serial: Serial) -> BatchKey {
        let derived = self.0.clone().chain_update(PURPOSE).chain_update(serial.to_bytes()).finalize();
        // HMAC fills a key up to the length of a block with zeros.
        let mut key = Key::<Hmac<Sha256>>::default();
        key.iter_mut().zip(derived.into_bytes()).for_each(|(key, byte)| *key = byte);
        BatchKey { serial, mac: Hmac::new(&key) }
    }

    /// What a code says, if it was made with this key. Takes as long for any code.
    pub fn verify(&self, code: &ExchangeCode) -> Option<GenuineCode> {
        let ExchangeCode { serial, index, tag } = *code;
        let genuine = self.batch(serial).digest(index).verify_truncated_left(&tag);
        genuine.ok().map(|()| GenuineCode { serial, index })
    }
}

impl BatchKey {
    /// The codes of the batch, in the order of their indexes.
    pub fn codes(self, count: CodeCount) -> impl Iterator<Item = ExchangeCode> {
        (0..count.get()).map(move |index| {
            let digest = self.digest(index).finalize().into_bytes();
            let mut tag: Tag = [0; TAG_BYTES];
            tag.iter_mut().zip(digest).for_each(|(tag, byte)| *tag = byte);
            ExchangeCode { serial: self.serial, index, tag }
        })
    }

    fn digest(&self, index: u32) -> Hmac<Sha256> {
        self.mac.clone().chain_update(index.to_be_bytes())
    }
}

/// A secret must not reach a log by way of `{:?}`.
impl fmt::Debug for ExchangeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangeKey(…)")
    }
}

/// As good as the secret, for its batch.
impl fmt::Debug for BatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BatchKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain_coupon::crockford;
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{SECRET, count, key, serial};

    fn code(serial: Serial, index: u32) -> ExchangeCode {
        key().batch(serial).codes(count(index + 1)).last().unwrap()
    }

    /// The same code with the symbol at `place` replaced by another that is `by` further in the alphabet.
    fn mistyped(text: &str, place: usize, by: u8) -> String {
        let mut symbols: Vec<char> = text.replace('-', "").chars().collect();
        let value = crockford::value(u8::try_from(symbols[place]).unwrap()).unwrap();
        symbols[place] = crockford::symbol((value + by).into());
        symbols.into_iter().collect()
    }

    fn is_genuine(text: &str) -> bool {
        key().verify(&text.parse().unwrap()).is_some()
    }

    proptest! {
        #[test]
        fn a_code_says_which_of_which_batch_it_is(bits in 0..1_u128 << 24, index in 0..300_u32) {
            let serial = Serial::from_low_bits(bits);
            let read = code(serial, index).to_string().parse().unwrap();
            prop_assert_eq!(key().verify(&read), Some(GenuineCode { serial, index }));
        }

        #[test]
        fn one_or_two_wrong_symbols_are_detected(
            index in 0..100_u32, places in (0..20_usize, 0..20_usize), by in (1..32_u8, 1..32_u8),
        ) {
            let text = code(serial(1), index).to_string();
            let once = mistyped(&text, places.0, by.0);
            prop_assert!(!is_genuine(&once));
            let twice = mistyped(&once, places.1, by.1);
            prop_assert!(!is_genuine(&twice) || twice == text.replace('-', ""));
        }

        #[test]
        fn two_swapped_symbols_are_detected(index in 0..100_u32, a in 0..20_usize, b in 0..20_usize) {
            let text = code(serial(1), index).to_string().replace('-', "");
            let mut swapped: Vec<char> = text.chars().collect();
            swapped.swap(a, b);
            let swapped: String = swapped.into_iter().collect();
            prop_assert!(!is_genuine(&swapped) || swapped == text);
        }

        #[test]
        fn what_nobody_made_is_not_genuine(text in "[0-9A-HJKMNP-TV-Z]{20}") {
            prop_assert!(!is_genuine(&text));
        }
    }

    #[test]
    fn every_wrong_symbol_at_every_place_is_detected() {
        let text = code(serial(1), 0).to_string();
        for place in 0..20 {
            for by in 1..32 {
                assert!(!is_genuine(&mistyped(&text, place, by)), "{place} {by}");
            }
        }
    }

    #[test]
    fn no_two_codes_of_any_batches_are_the_same() {
        let codes: BTreeSet<String> = (0..10)
            .flat_map(|n| key().batch(serial(n)).codes(count(1_000)).map(|code| code.to_string()))
            .collect();
        assert_eq!(codes.len(), 10_000);
    }

    /// `k=$(printf 'exchange-code\0\0\0\1' | openssl dgst -sha256 -mac HMAC -macopt key:0123456789abcdef0123456789abcdef -r | cut -c1-64)`,
    /// then `printf '\0\0\0\2' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$k -r | cut -c1-14`.
    #[test]
    fn the_codes_of_yesterday_are_genuine_tomorrow() {
        assert_eq!(code(Serial::from_low_bits(1), 2).to_string(), "00002-0005F-E082K-A97W6");
    }

    #[test]
    fn another_key_makes_other_codes() {
        let other: ExchangeKey = SECRET.replace('0', "f").parse().unwrap();
        assert!(other.verify(&code(serial(1), 0)).is_none());
    }

    #[test]
    fn a_secret_is_long_and_never_shown() {
        assert_eq!("x".repeat(31).parse::<ExchangeKey>().unwrap_err(), InvalidExchangeKey);
        let shown = format!("{:?} {:?}", key(), key().batch(serial(1)));
        assert_eq!(shown, "ExchangeKey(…) BatchKey(…)");
    }
}
