use domain_coupon::{
    Benefit, Coupon, CouponCode, CouponState, IssueMode, IssueType, LimitedStock, NewTemplate, Source, Stock,
    Template, Threshold, Usage, Use,
};
use domain_ids::{CouponId, Nth, OrderId, TemplateId};
use domain_money::Fen;
use jiff::{SignedDuration, Timestamp};

/// 2026-11-11T00:00:00+08:00, a good day for a sale: when [`draft`] and [`template`] start.
pub const NOW: Timestamp = Timestamp::constant(1_794_326_400, 0);

/// The instant of an RFC 3339 text.
pub fn at(text: &str) -> Timestamp {
    text.parse().expect("an RFC 3339 instant")
}

/// The `n`th template id.
pub fn template_id(n: u128) -> TemplateId {
    TemplateId::from_parts(1_794_000_000_000, n)
}

/// 满100减20: 1,000 coupons, one a guest, for the 24 hours from [`NOW`], built for 1,000 claims per second.
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

/// [`draft`], published as `template_id(1)` at [`NOW`], with so many coupons.
pub fn template(total: u32) -> Template {
    NewTemplate { total_count: Some(total), ..draft() }
        .publish(template_id(1), NOW)
        .expect("the draft is valid with 1 to 100,000,000 coupons")
}

/// So many coupons over so many shards, which need not follow the rate of claims.
pub fn stock(total: u32, shards: u16) -> Stock {
    let shards = shards.try_into().expect("at least one shard");
    Stock::Limited(LimitedStock { shards, ..LimitedStock::new(total, 1) })
}

/// The `nth` coupon of `template(1)` that `guest` holds, claimed at [`NOW`] and not used.
pub fn coupon(guest: &str, nth: u8) -> Coupon {
    let template = template(1);
    let guest = guest.parse().expect("a guest id");
    Coupon {
        id: CouponId::new(&guest, template.id, Nth::new(nth).expect("counted from 1")),
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

/// Spent on `order-1` at [`NOW`], saving 20 yuan.
pub fn spent() -> Use {
    let order: OrderId = "order-1".parse().expect("an order id");
    Use { order, saved: Fen::new(2_000), at: NOW }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_fit_together() {
        assert_eq!(at("2026-11-11T00:00:00+08:00"), NOW);
        let (template, coupon) = (template(7), coupon("ann", 2));
        assert_eq!(coupon.template(), template.id);
        assert_eq!(coupon.nth().get(), 2);
        assert_eq!(coupon.expires_at, template.expiry(NOW));
        assert!(matches!(stock(7, 3), Stock::Limited(stock) if stock.shards().count() == 3));
    }
}
