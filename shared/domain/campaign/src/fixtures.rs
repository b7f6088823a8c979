//! Values for this crate's own tests.

use domain_coupon::{Benefit, IssueMode, IssueType, NewTemplate, Template, Threshold, Usage};
use domain_ids::{CampaignId, TemplateId};
use domain_money::Fen;
use jiff::{SignedDuration, Timestamp};

use crate::{Audience, Campaign, NewCampaign};

/// 2026-11-11T00:00:00+08:00, a good day for a sale.
pub const NOW: Timestamp = Timestamp::constant(1_794_326_400, 0);

pub fn template_id(n: u8) -> TemplateId {
    TemplateId::from_parts(1_794_000_000_000, n.into())
}

/// So many coupons of 20 yuan each.
pub fn template(n: u8, total: u32) -> Template {
    let new = NewTemplate {
        name: "20元代金券".into(),
        benefit: Benefit::Cash { amount: Fen::new(2_000) },
        threshold: Threshold::None,
        usage: Usage::default(),
        total_count: Some(total),
        per_user_limit: 1,
        valid_days: 30,
        starts_at: NOW,
        ends_at: NOW + SignedDuration::from_hours(24),
        issue_type: IssueType::Manual,
        issue_mode: IssueMode::Direct,
        auto: None,
        restock: false,
        expected_claims_per_second: 1,
    };
    new.publish(template_id(n), NOW).unwrap()
}

pub fn draft() -> NewCampaign {
    NewCampaign {
        name: "双十一".into(),
        description: String::new(),
        starts_at: NOW,
        ends_at: NOW + SignedDuration::from_hours(24),
        audience: Audience::Everyone,
        budget: Some(Fen::new(1_000_000)),
        split: false,
    }
}

pub fn campaign() -> Campaign {
    draft().plan(CampaignId::from_parts(1_794_000_000_000, 1), NOW).unwrap()
}
