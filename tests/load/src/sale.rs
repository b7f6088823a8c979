//! A sale to measure.

use anyhow::Result;
use coupon_dynamodb::CouponTable;
use domain_coupon::{NewTemplate, Template, TemplateStore};
use jiff::{SignedDuration, Timestamp};

/// Claims per second that a sale is laid out for: the offered load of the goals, on 50 shards.
pub const CLAIMS_PER_SECOND: u32 = 1_000;

/// Puts so many coupons on sale, one a guest, from an hour ago until tomorrow.
pub async fn open(table: &CouponTable, coupons: u32) -> Result<Template> {
    let now = platform_lambda::now();
    let template = draft(now, coupons).publish(testing::template_id(1), now)?;
    table.insert(&template).await?;
    Ok(template)
}

/// The template of [`open`], before it is published.
pub fn draft(now: Timestamp, coupons: u32) -> NewTemplate {
    NewTemplate {
        total_count: Some(coupons),
        starts_at: now - SignedDuration::from_hours(1),
        ends_at: now + SignedDuration::from_hours(23),
        expected_claims_per_second: CLAIMS_PER_SECOND,
        ..testing::draft()
    }
}
