use std::error::Error;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain_coupon::{ClaimKey, Coupon, CouponState, CouponStatus, Terms};
use domain_ids::{CouponId, GuestId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    keys::{self, Key},
    terms_item::TermsItem,
};

/// A coupon as it is stored, below 1 KB so that writing it in a transaction costs two units. Times are milliseconds
/// since 1970.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CouponItem {
    id: CouponId,
    guest: GuestId,
    code: String,
    #[serde(flatten)]
    terms: TermsItem,
    status: CouponStatus,
    claimed_at: i64,
    expires_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_at: Option<i64>,
}

/// The attribute of [`Coupon::key`]: binary, which serde has no word for.
const KEY: &str = "key";

pub(crate) fn write(coupon: &Coupon) -> Result<Key, serde_dynamo::Error> {
    let (status, used_at) = match coupon.state {
        CouponState::Unused => (CouponStatus::Unused, None),
        CouponState::Used { at } => (CouponStatus::Used, Some(at.as_millisecond())),
        CouponState::Expired => (CouponStatus::Expired, None),
    };
    let mut item: Key = serde_dynamo::to_item(CouponItem {
        id: coupon.id,
        guest: coupon.guest.clone(),
        code: coupon.code.to_string(),
        terms: TermsItem::from(&coupon.terms),
        status,
        claimed_at: coupon.claimed_at.as_millisecond(),
        expires_at: coupon.expires_at.as_millisecond(),
        used_at,
    })?;
    if let Some(key) = coupon.key {
        item.insert(KEY.into(), AttributeValue::B(Blob::new(key.to_bytes())));
    }
    item.extend(keys::coupon(&coupon.guest, coupon.id));
    Ok(item)
}

pub(crate) fn parse(mut item: Key) -> Result<Coupon, Box<dyn Error + Send + Sync>> {
    let key = match item.remove(KEY) {
        Some(AttributeValue::B(bytes)) => {
            let bytes = bytes.as_ref().try_into().map_err(|_| "key is not 16 bytes")?;
            Some(ClaimKey::from_bytes(bytes))
        }
        Some(_) => return Err("key is not binary".into()),
        None => None,
    };
    let item: CouponItem = serde_dynamo::from_item(item)?;
    let state = match (item.status, item.used_at) {
        (CouponStatus::Unused, _) => CouponState::Unused,
        (CouponStatus::Used, Some(at)) => CouponState::Used { at: Timestamp::from_millisecond(at)? },
        (CouponStatus::Used, None) => return Err("usedAt is missing".into()),
        (CouponStatus::Expired, _) => CouponState::Expired,
    };
    Ok(Coupon {
        id: item.id,
        guest: item.guest,
        code: item.code.parse()?,
        terms: Terms::try_from(item.terms)?,
        state,
        claimed_at: Timestamp::from_millisecond(item.claimed_at)?,
        expires_at: Timestamp::from_millisecond(item.expires_at)?,
        key,
    })
}
