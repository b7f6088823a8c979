use std::{fmt, num::NonZeroU8, str::FromStr};

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use crate::{GuestId, InvalidId, TemplateId, text_form};

/// Which coupon of one template a guest holds: 1 for the first, 2 for the second, …
pub type Nth = NonZeroU8;

/// Identifies a coupon among all coupons, and says where it is stored: `<template>-<nth>-<owner>`.
///
/// The owner part is a digest of the guest (80 bits), so that the id is unique, does not name the guest, and
/// cannot be tried on another guest's coupons. Template and ordinal are the coupon's sort key: a coupon is read by
/// its id in one `GetItem`, without an index (`docs/decisions/0004-coupon-keys.md`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CouponId {
    template: TemplateId,
    nth: Nth,
    owner: [u8; OWNER_BYTES],
}

const OWNER_BYTES: usize = 10;

impl CouponId {
    /// The id of the `nth` coupon that `guest` holds of `template`.
    pub fn new(guest: &GuestId, template: TemplateId, nth: Nth) -> Self {
        Self { template, nth, owner: owner(guest) }
    }

    /// The template the coupon was issued from.
    pub fn template(&self) -> TemplateId {
        self.template
    }

    /// Which of the guest's coupons of that template this is.
    pub fn nth(&self) -> Nth {
        self.nth
    }

    /// A number that spreads coupons evenly, the same for the same owner.
    pub fn spread(&self) -> u64 {
        self.owner.iter().take(8).fold(0, |spread, &byte| spread << 8 | u64::from(byte))
    }

    /// Whether `guest` is the owner the id was made for.
    pub fn belongs_to(&self, guest: &GuestId) -> bool {
        self.owner == owner(guest)
    }
}

fn owner(guest: &GuestId) -> [u8; OWNER_BYTES] {
    let digest = Sha256::digest(guest.as_str());
    std::array::from_fn(|i| digest.get(i).copied().unwrap_or_default())
}

impl fmt::Display for CouponId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.template, self.nth, BASE32_NOPAD.encode_display(&self.owner))
    }
}

impl FromStr for CouponId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let parse = || {
            let mut parts = text.splitn(3, '-');
            let template = parts.next()?.parse().ok()?;
            let nth = parts.next()?.parse().ok()?;
            let owner = BASE32_NOPAD.decode(parts.next()?.as_bytes()).ok()?.try_into().ok()?;
            Some(Self { template, nth, owner })
        };
        // One spelling only: `+1` and `01` also parse as a number.
        parse().filter(|id: &Self| id.to_string() == text).ok_or(InvalidId { kind: "coupon" })
    }
}

text_form!(CouponId);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn template() -> TemplateId {
        TemplateId::from_parts(1_700_000_000_000, 7)
    }

    proptest! {
        #[test]
        fn the_text_form_round_trips(guest in "[A-Za-z0-9_-]{1,64}", nth: Nth) {
            let guest: GuestId = guest.parse().unwrap();
            let id = CouponId::new(&guest, template(), nth);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert!(id.belongs_to(&guest));
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = text.parse::<CouponId>();
        }
    }

    #[test]
    fn an_id_does_not_fit_another_guest() {
        let id = CouponId::new(&"ann".parse().unwrap(), template(), Nth::MIN);
        assert!(!id.belongs_to(&"bob".parse().unwrap()));
    }

    #[test]
    fn other_spellings_of_an_id_are_refused() {
        let id = CouponId::new(&"ann".parse().unwrap(), template(), Nth::MIN).to_string();
        assert!(id.replace("-1-", "-01-").parse::<CouponId>().is_err());
        assert!(id.replace("-1-", "-+1-").parse::<CouponId>().is_err());
        assert!(id.replace("-1-", "-0-").parse::<CouponId>().is_err());
    }
}
