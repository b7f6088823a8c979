//! Values for this crate's own tests. (`testing` builds on the crate and cannot be used inside it.)

use domain_ids::{CouponId, Nth, TemplateId};
use domain_money::Fen;
use jiff::{SignedDuration, Timestamp};

use crate::{
    Benefit, Coupon, CouponCode, CouponState, IssueMode, IssueType, LimitedStock, NewTemplate, Source, Stock,
    Template, Threshold, Usage,
};

/// 2026-11-11T00:00:00+08:00, a good day for a sale.
pub const NOW: Timestamp = Timestamp::constant(1_794_326_400, 0);

pub fn template_id(n: u128) -> TemplateId {
    TemplateId::from_parts(1_794_000_000_000, n)
}

pub fn draft() -> NewTemplate {
    NewTemplate {
        name: "满100减20".into(),
        benefit: Benefit::FullReduction { amount: Fen::new(2_000) },
        threshold: Threshold::Amount(Fen::new(10_000)),
        usage: Usage::default(),
        total_count: Some(1_000),
        per_user_limit: 1,
        valid_days: 30,
        starts_at: NOW,
        ends_at: NOW + SignedDuration::from_hours(24),
        issue_type: IssueType::Manual,
        issue_mode: IssueMode::Direct,
        auto: None,
        restock: false,
        expected_claims_per_second: 1_000,
    }
}

pub fn template(total: u32) -> Template {
    NewTemplate { total_count: Some(total), ..draft() }.publish(template_id(1), NOW).unwrap()
}

pub fn stock(total: u32, shards: u16) -> Stock {
    Stock::Limited(LimitedStock { shards: shards.try_into().unwrap(), ..LimitedStock::new(total, 1) })
}

pub fn coupon(guest: &str, nth: u8) -> Coupon {
    let template = template(1);
    let guest = guest.parse().unwrap();
    Coupon {
        id: CouponId::new(&guest, template.id, Nth::new(nth).unwrap()),
        guest,
        code: CouponCode::from_random(u128::from(nth)),
        terms: template.terms.clone(),
        state: CouponState::Unused,
        revision: 1,
        source: Source::Claim,
        claimed_at: NOW,
        changed_at: NOW,
        expires_at: template.expiry(NOW),
        restock: false,
        key: None,
    }
}
