//! Keys of the table, written and read in one place.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain_coupon::{CodeUse, EXPIRY_SHARDS, Shard, TemplatePosition};
use domain_ids::{CouponId, GuestId, Nth, TemplateId};

pub(crate) type Key = HashMap<String, AttributeValue>;

/// The index that lists templates by the end of their sale.
pub(crate) const TEMPLATES_BY_END: &str = "templates-by-end";

/// Partition key of the index: operators write templates rarely, so that one partition serves them all.
pub(crate) const TEMPLATES: &str = "TEMPLATES";

/// The index of the coupons that may still expire, by the moment they do.
pub(crate) const COUPONS_BY_EXPIRY: &str = "coupons-by-expiry";

const TEMPLATE_SK: &str = "TEMPLATE";

pub(crate) fn template(id: TemplateId) -> Key {
    key(template_pk(id), TEMPLATE_SK.into())
}

pub(crate) fn shard(template: TemplateId, shard: Shard) -> Key {
    key(shard_pk(template, shard), "STOCK".into())
}

pub(crate) fn coupon(guest: &GuestId, id: CouponId) -> Key {
    key(guest_pk(guest), coupon_sk(id.template(), id.nth()))
}

/// The mark of a used exchange code.
pub(crate) fn code(code: CodeUse) -> Key {
    key(format!("CODE#{}#{}", code.batch, code.index), "CODE".into())
}

/// Which partition of the index by expiry a coupon is in: claims at 100,000 a second write less than 200 times a second
/// to each.
pub(crate) fn expiry_shard_of(id: CouponId) -> String {
    let shard = id.spread() % u64::from(EXPIRY_SHARDS);
    expiry_shard(u16::try_from(shard).unwrap_or_default())
}

pub(crate) fn expiry_shard(shard: u16) -> String {
    format!("EXPIRY#{shard:03}")
}

/// How far guests were reminded so many days before.
pub(crate) fn reminder(days: u8) -> Key {
    key("EXPIRY#REMINDED".into(), days.to_string())
}

/// How many coupons of a template came back.
pub(crate) fn returned(template: TemplateId) -> Key {
    key(template_pk(template), "RETURNED".into())
}

/// The coupon a key belongs to.
pub(crate) fn parse_coupon(pk: &str, sk: &str) -> Option<(GuestId, CouponId)> {
    let guest: GuestId = pk.strip_prefix("USER#")?.parse().ok()?;
    let (template, nth) = sk.strip_prefix(COUPONS)?.split_once('#')?;
    let id = CouponId::new(&guest, template.parse().ok()?, nth.parse().ok()?);
    Some((guest, id))
}

pub(crate) fn template_position(position: TemplatePosition) -> Key {
    let mut key = template(position.id);
    key.insert("listPk".into(), AttributeValue::S(TEMPLATES.into()));
    key.insert("listSk".into(), AttributeValue::S(list_sk(position)));
    key
}

pub(crate) fn guest_pk(guest: &GuestId) -> String {
    format!("USER#{guest}")
}

/// Sort keys of the coupons of one template.
pub(crate) fn coupons_of(template: TemplateId) -> String {
    format!("COUPON#{template}#")
}

/// Sort keys of every coupon.
pub(crate) const COUPONS: &str = "COUPON#";

fn coupon_sk(template: TemplateId, nth: Nth) -> String {
    format!("COUPON#{template}#{nth:03}")
}

pub(crate) fn template_pk(id: TemplateId) -> String {
    format!("TEMPLATE#{id}")
}

pub(crate) fn shard_pk(template: TemplateId, shard: Shard) -> String {
    format!("TEMPLATE#{template}#STOCK#{}", shard.0)
}

/// Where the templates begin whose sale ends at `ends_at_ms`: milliseconds with leading zeros, so that text order is
/// time order. The year 9999 has 15 digits.
pub(crate) fn list_sk_from(ends_at_ms: i64) -> String {
    format!("{ends_at_ms:015}")
}

fn list_sk(position: TemplatePosition) -> String {
    format!("{}#{}", list_sk_from(position.ends_at.as_millisecond()), position.id)
}

fn key(pk: String, sk: String) -> Key {
    HashMap::from([("pk".into(), AttributeValue::S(pk)), ("sk".into(), AttributeValue::S(sk))])
}
