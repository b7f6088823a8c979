use std::error::Error;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain_coupon::{ClaimKey, Coupon, CouponState, CouponStatus, Lock, Source, Terms, Use};
use domain_ids::{CouponId, GuestId, OrderId};
use domain_money::Fen;
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
    source: Source,
    claimed_at: i64,
    expires_at: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    restock: bool,
    #[serde(flatten)]
    state: StateItem,
}

/// The attributes that transitions change.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StateItem {
    status: CouponStatus,
    #[serde(rename = "rev")]
    revision: u32,
    changed_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    saved_fen: Option<Fen>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locked_until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_at: Option<i64>,
    /// The partition of the index by expiry; absent once the coupon cannot expire any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry_shard: Option<String>,
}

impl StateItem {
    /// Every attribute that a transition may set or remove.
    pub(crate) const ATTRIBUTES: [&str; 8] =
        ["status", "rev", "changedAt", "orderId", "savedFen", "lockedUntil", "usedAt", "expiryShard"];
}

impl From<&Coupon> for StateItem {
    fn from(coupon: &Coupon) -> Self {
        let bare = |status| Self {
            status,
            revision: coupon.revision,
            changed_at: coupon.changed_at.as_millisecond(),
            order_id: None,
            saved_fen: None,
            locked_until: None,
            used_at: None,
            expiry_shard: None,
        };
        let expires = || Some(keys::expiry_shard_of(coupon.id));
        let used = |status, spent: &Use| Self {
            order_id: Some(spent.order.clone()),
            saved_fen: Some(spent.saved),
            used_at: Some(spent.at.as_millisecond()),
            ..bare(status)
        };
        match &coupon.state {
            CouponState::Unused => Self { expiry_shard: expires(), ..bare(CouponStatus::Unused) },
            CouponState::Locked(lock) => Self {
                order_id: Some(lock.order.clone()),
                saved_fen: Some(lock.saved),
                locked_until: Some(lock.until.as_millisecond()),
                expiry_shard: expires(),
                ..bare(CouponStatus::Locked)
            },
            CouponState::Used(spent) => used(CouponStatus::Used, spent),
            CouponState::Expired => bare(CouponStatus::Expired),
            CouponState::Refunded(spent) => used(CouponStatus::Refunded, spent),
        }
    }
}

impl TryFrom<StateItem> for CouponState {
    type Error = Box<dyn Error + Send + Sync>;

    fn try_from(item: StateItem) -> Result<Self, Self::Error> {
        let spent = |item: StateItem| -> Result<Use, Self::Error> {
            Ok(Use {
                order: item.order_id.ok_or("orderId is missing")?,
                saved: item.saved_fen.ok_or("savedFen is missing")?,
                at: Timestamp::from_millisecond(item.used_at.ok_or("usedAt is missing")?)?,
            })
        };
        Ok(match item.status {
            CouponStatus::Unused => Self::Unused,
            CouponStatus::Locked => Self::Locked(Lock {
                order: item.order_id.ok_or("orderId is missing")?,
                saved: item.saved_fen.ok_or("savedFen is missing")?,
                until: Timestamp::from_millisecond(item.locked_until.ok_or("lockedUntil is missing")?)?,
            }),
            CouponStatus::Used => Self::Used(spent(item)?),
            CouponStatus::Expired => Self::Expired,
            CouponStatus::Refunded => Self::Refunded(spent(item)?),
        })
    }
}

/// The attribute of [`Coupon::key`]: binary, which serde has no word for.
const KEY: &str = "key";

pub(crate) fn write(coupon: &Coupon) -> Result<Key, serde_dynamo::Error> {
    let mut item: Key = serde_dynamo::to_item(CouponItem {
        id: coupon.id,
        guest: coupon.guest.clone(),
        code: coupon.code.to_string(),
        terms: TermsItem::from(&coupon.terms),
        source: coupon.source,
        claimed_at: coupon.claimed_at.as_millisecond(),
        expires_at: coupon.expires_at.as_millisecond(),
        restock: coupon.restock,
        state: StateItem::from(coupon),
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
    Ok(Coupon {
        id: item.id,
        guest: item.guest,
        code: item.code.parse()?,
        terms: Terms::try_from(item.terms)?,
        revision: item.state.revision,
        source: item.source,
        claimed_at: Timestamp::from_millisecond(item.claimed_at)?,
        changed_at: Timestamp::from_millisecond(item.state.changed_at)?,
        expires_at: Timestamp::from_millisecond(item.expires_at)?,
        restock: item.restock,
        state: CouponState::try_from(item.state)?,
        key,
    })
}
