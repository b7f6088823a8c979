use domain_ids::{CampaignId, TemplateId};
use domain_money::Fen;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AutoRule, IssueMode, LimitedStock, Stock, Usage, Violation, Violations, usage::check_auto};

/// What an operator publishes: the terms of a coupon, how many there are, and when they can be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Identity; sorts by creation time.
    pub id: TemplateId,
    /// Counts the operator's changes; the entity tag of optimistic locking.
    pub version: u64,
    /// What a coupon of this template is good for.
    pub terms: Terms,
    /// Where it may be used, and with which others.
    pub usage: Usage,
    /// How many there are.
    pub stock: Stock,
    /// How many one guest may hold.
    pub per_user_limit: u8,
    /// How long a coupon can be used, in days of 24 hours from its claim.
    pub valid_days: u16,
    /// The first instant at which it can be claimed.
    pub starts_at: Timestamp,
    /// The first instant at which it can no longer be claimed.
    pub ends_at: Timestamp,
    /// How coupons of this template reach a guest.
    pub issue_type: IssueType,
    /// How claims reach the stock; has a meaning with [`IssueType::Manual`] only.
    pub issue_mode: IssueMode,
    /// What makes the platform grant one; with [`IssueType::Auto`], and only then.
    pub auto: Option<AutoRule>,
    /// Coupons that expire or are refunded go back to sale.
    pub restock: bool,
    /// The campaign whose schedule, audience and budget also hold: its coupons are claimed there.
    pub campaign: Option<CampaignId>,
    /// The rate the sale is built for; sets the number of stock shards.
    pub expected_claims_per_second: u32,
    /// The operator's switch.
    pub status: TemplateStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// When an operator last changed it.
    pub updated_at: Timestamp,
}

/// What a coupon is good for: copied into each coupon when it is issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// 1 to [`limits::NAME_CHARS`] characters, shown to guests.
    pub name: String,
    /// What the guest saves.
    pub benefit: Benefit,
    /// What the order must amount to.
    pub threshold: Threshold,
}

/// What the guest saves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Benefit {
    /// 满减: a fixed amount off, from an amount on. Roadmap code 1.
    FullReduction {
        /// Taken off the order.
        amount: Fen,
    },
    /// 折扣: a share off. Roadmap code 2.
    Discount {
        /// Percent taken off the order, 1 to 99: 20 is what a Chinese shop calls 8折.
        percent: u8,
        /// At most this much is taken off.
        cap: Option<Fen>,
    },
    /// 代金券: a fixed amount off. Roadmap code 3.
    Cash {
        /// Taken off the order.
        amount: Fen,
    },
    /// 礼品券: a thing. Roadmap code 4.
    Gift {
        /// The stock-keeping unit the guest gets.
        sku: String,
    },
}

/// What the order must amount to for the coupon to apply (roadmap codes: 1 none, 2 amount).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// Applies to any order.
    None,
    /// Applies from this amount on.
    Amount(Fen),
}

/// How coupons reach a guest (roadmap codes in order: 1, 2, 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssueType {
    /// 手动领取: the guest claims one.
    Manual,
    /// 自动发放: the platform grants one.
    Auto,
    /// 兑换码: the guest enters an exchange code.
    Exchange,
}

/// The operator's switch (roadmap codes: 1 active, 2 paused).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateStatus {
    /// Can be claimed within its time.
    Active,
    /// Cannot be claimed until it is resumed.
    Paused,
}

/// Bounds of a template. Each is far beyond honest use and keeps a coupon item under the 1 KB of one write unit.
pub mod limits {
    /// Characters of a name (roadmap: `varchar(100)`).
    pub const NAME_CHARS: usize = 100;
    /// Characters of a gift's stock-keeping unit.
    pub const SKU_CHARS: usize = 64;
    /// Fen of an amount, a cap or a threshold: ten million yuan.
    pub const AMOUNT_FEN: u64 = 1_000_000_000;
    /// Coupons of one template.
    pub const TOTAL_COUNT: u32 = 100_000_000;
    /// Coupons of one template for one guest.
    pub const PER_USER: u8 = 20;
    /// Days a coupon can be valid: ten years.
    pub const VALID_DAYS: u16 = 3_650;
    /// Claims per second a sale can be built for.
    pub const CLAIMS_PER_SECOND: u32 = 1_000_000;
    /// Homestays, hosts or cities a coupon can be bound to.
    pub const SCOPE_ENTRIES: usize = 100;
    /// Characters of a city's name.
    pub const CITY_CHARS: usize = 50;
    /// Characters of a stacking group's name.
    pub const GROUP_CHARS: usize = 32;
}

/// The fields of a new template, each well-formed but not yet checked against the others.
#[derive(Debug, Clone)]
pub struct NewTemplate {
    /// See [`Terms::name`].
    pub name: String,
    /// See [`Benefit`].
    pub benefit: Benefit,
    /// See [`Threshold`].
    pub threshold: Threshold,
    /// See [`Usage`].
    pub usage: Usage,
    /// `None` is unlimited.
    pub total_count: Option<u32>,
    /// See [`Template::per_user_limit`].
    pub per_user_limit: u8,
    /// See [`Template::valid_days`].
    pub valid_days: u16,
    /// See [`Template::starts_at`].
    pub starts_at: Timestamp,
    /// See [`Template::ends_at`].
    pub ends_at: Timestamp,
    /// See [`IssueType`].
    pub issue_type: IssueType,
    /// See [`IssueMode`].
    pub issue_mode: IssueMode,
    /// See [`AutoRule`].
    pub auto: Option<AutoRule>,
    /// See [`Template::restock`].
    pub restock: bool,
    /// See [`Template::expected_claims_per_second`].
    pub expected_claims_per_second: u32,
}

impl NewTemplate {
    /// The template, or everything that is wrong with it at once.
    pub fn publish(self, id: TemplateId, now: Timestamp) -> Result<Template, Violations> {
        let mut wrong = Violations::default();
        check_name(&mut wrong, &self.name);
        check_benefit(&mut wrong, &self.benefit, self.threshold);
        self.usage.scope.check(&mut wrong);
        self.usage.stacking.check(&mut wrong);
        check_auto(&mut wrong, self.issue_type, self.auto);
        wrong.check(
            self.issue_mode == IssueMode::Direct || self.issue_type == IssueType::Manual,
            Violation::new("issueMode", "queued needs the issue type manual"),
        );
        wrong.check(
            !self.restock || self.total_count.is_some(),
            Violation::new("restock", "needs a limited totalCount"),
        );
        wrong.check(
            (1..=limits::PER_USER).contains(&self.per_user_limit),
            Violation::new("perUserLimit", "must be 1 to 20"),
        );
        wrong.check(
            (1..=limits::VALID_DAYS).contains(&self.valid_days),
            Violation::new("validDays", "must be 1 to 3650"),
        );
        wrong.check(
            self.total_count.is_none_or(|total| (1..=limits::TOTAL_COUNT).contains(&total)),
            Violation::new("totalCount", "must be 1 to 100000000, or -1 for unlimited"),
        );
        wrong.check(
            (1..=limits::CLAIMS_PER_SECOND).contains(&self.expected_claims_per_second),
            Violation::new("expectedClaimsPerSecond", "must be 1 to 1000000"),
        );
        wrong.check(self.starts_at < self.ends_at, Violation::new("endTime", "must be after startTime"));
        wrong.check(self.ends_at > now, Violation::new("endTime", "must be in the future"));
        wrong.into_result()?;

        let stock = match self.total_count {
            None => Stock::Unlimited,
            Some(total) => Stock::Limited(LimitedStock::new(total, self.expected_claims_per_second)),
        };
        Ok(Template {
            id,
            version: 1,
            terms: Terms { name: self.name, benefit: self.benefit, threshold: self.threshold },
            usage: self.usage,
            stock,
            per_user_limit: self.per_user_limit,
            valid_days: self.valid_days,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            issue_type: self.issue_type,
            issue_mode: self.issue_mode,
            auto: self.auto,
            restock: self.restock,
            campaign: None,
            expected_claims_per_second: self.expected_claims_per_second,
            status: TemplateStatus::Active,
            created_at: now,
            updated_at: now,
        })
    }
}

fn check_name(wrong: &mut Violations, name: &str) {
    let chars = name.chars().count();
    let printable = !name.chars().any(char::is_control) && name.trim() == name;
    wrong.check(
        (1..=limits::NAME_CHARS).contains(&chars) && printable,
        Violation::new("name", "must be 1 to 100 characters, without control characters or space around it"),
    );
}

fn check_benefit(wrong: &mut Violations, benefit: &Benefit, threshold: Threshold) {
    let sensible = |amount: Fen| (1..=limits::AMOUNT_FEN).contains(&amount.get());
    if let Threshold::Amount(from) = threshold {
        wrong.check(sensible(from), Violation::new("threshold/amountFen", "must be 1 to 1000000000"));
    }
    match benefit {
        Benefit::FullReduction { amount } => {
            wrong.check(sensible(*amount), Violation::new("amountFen", "must be 1 to 1000000000"));
            wrong.check(
                matches!(threshold, Threshold::Amount(from) if from >= *amount),
                Violation::new("threshold", "a full reduction needs a threshold of at least its amount"),
            );
        }
        Benefit::Cash { amount } => {
            wrong.check(sensible(*amount), Violation::new("amountFen", "must be 1 to 1000000000"));
        }
        Benefit::Discount { percent, cap } => {
            wrong.check((1..=99).contains(percent), Violation::new("discountPercent", "must be 1 to 99"));
            wrong
                .check(cap.is_none_or(sensible), Violation::new("discountCapFen", "must be 1 to 1000000000"));
        }
        Benefit::Gift { sku } => {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            wrong.check(
                (1..=limits::SKU_CHARS).contains(&sku.len()) && sku.chars().all(plain),
                Violation::new("giftSku", "must be 1 to 64 of A-Z a-z 0-9 - _ ."),
            );
        }
    }
}

/// What an operator changes. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateChange {
    /// A new name; coupons already issued keep the old one.
    pub name: Option<String>,
    /// A later end.
    pub ends_at: Option<Timestamp>,
    /// More stock: the new total, not the difference, so that a repeat changes nothing.
    pub total_count: Option<u32>,
    /// Pause or resume.
    pub status: Option<TemplateStatus>,
}

impl Template {
    /// The template with `change` applied. With more stock it is refilling: see [`crate::change_template`].
    pub fn changed(&self, change: TemplateChange, now: Timestamp) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        let mut next = self.clone();
        if let Some(name) = change.name {
            check_name(&mut wrong, &name);
            next.terms.name = name;
        }
        if let Some(ends_at) = change.ends_at {
            wrong.check(ends_at >= self.ends_at, Violation::new("endTime", "can only be extended"));
            next.ends_at = ends_at;
        }
        if let Some(status) = change.status {
            next.status = status;
        }
        if let Some(total) = change.total_count {
            wrong.check(
                self.campaign.is_none() || self.stock.is_of(total),
                Violation::new("totalCount", "belongs to the campaign's budget: raise it there"),
            );
            next.stock.raise(total, &mut wrong);
        }
        wrong.into_result()?;
        next.version += 1;
        next.updated_at = now;
        Ok(next)
    }

    /// The template as part of `campaign`, on whose budget its stock is counted from then on: `total` coupons, or as many
    /// as before. With more stock it is refilling.
    ///
    /// Its version moves even where nothing else does: an older decision about it, still on its way, fails then.
    pub fn joined(
        &self,
        campaign: CampaignId,
        total: Option<u32>,
        now: Timestamp,
    ) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        let mut next = self.clone();
        wrong.check(
            self.campaign.is_none_or(|present| present == campaign),
            Violation::new("templateId", "must not belong to another campaign"),
        );
        wrong.check(now < self.ends_at, Violation::new("templateId", "must not have ended"));
        wrong.check(
            self.issue_type == IssueType::Manual && self.issue_mode == IssueMode::Direct,
            Violation::new("templateId", "must be of the issue type manual and the issue mode direct"),
        );
        if let Some(total) = total {
            next.stock.raise(total, &mut wrong);
        }
        wrong.into_result()?;
        next.campaign = Some(campaign);
        next.version += 1;
        next.updated_at = now;
        Ok(next)
    }

    /// The template on its own again, where it is part of `campaign`. Its version moves in any case: see
    /// [`Template::joined`].
    #[must_use]
    pub fn parted(&self, campaign: CampaignId, now: Timestamp) -> Self {
        let mut next = self.clone();
        next.campaign = self.campaign.filter(|&present| present != campaign);
        next.version += 1;
        next.updated_at = now;
        next
    }

    /// The template once every shard has its share of a top-up.
    #[must_use]
    pub fn refilled(&self) -> Self {
        let mut next = self.clone();
        if let Stock::Limited(stock) = &mut next.stock {
            stock.epoch += 1;
            stock.refilling = false;
            stock.sold_out_at = None;
        }
        next.version += 1;
        next
    }

    /// The template with so many coupons given back over its whole life, which go on sale again; `None` where that is
    /// no more than it knows of. It is refilling then: see [`crate::restock_template`].
    pub fn restocked(&self, returned: u32, now: Timestamp) -> Option<Self> {
        let mut next = self.clone();
        let Stock::Limited(stock) = &mut next.stock else { return None };
        if !self.restock || returned <= stock.returned {
            return None;
        }
        *stock = LimitedStock { returned, epoch: stock.epoch + 1, refilling: true, ..stock.clone() };
        next.version += 1;
        next.updated_at = now;
        Some(next)
    }

    /// Whether a top-up has been decided that not every shard may have yet.
    pub fn is_refilling(&self) -> bool {
        matches!(&self.stock, Stock::Limited(stock) if stock.refilling)
    }

    /// When a coupon claimed at `claimed_at` can no longer be used.
    pub fn expiry(&self, claimed_at: Timestamp) -> Timestamp {
        let validity = SignedDuration::from_hours(24 * i64::from(self.valid_days));
        claimed_at.checked_add(validity).unwrap_or(Timestamp::MAX)
    }

    /// Where the sale stands at `now`, for people to see.
    pub fn phase(&self, now: Timestamp) -> Phase {
        if now >= self.ends_at {
            Phase::Ended
        } else if self.status == TemplateStatus::Paused {
            Phase::Paused
        } else if now < self.starts_at {
            Phase::Coming
        } else if matches!(&self.stock, Stock::Limited(stock) if stock.sold_out_at.is_some() && !stock.refilling)
        {
            Phase::SoldOut
        } else {
            Phase::Running
        }
    }
}

/// Where a sale stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not started yet.
    Coming,
    /// Can be claimed.
    Running,
    /// Paused by an operator.
    Paused,
    /// Started, and nothing is left.
    SoldOut,
    /// Over.
    Ended,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, NOW};

    fn fields(violations: &Violations) -> Vec<&str> {
        violations.iter().map(|violation| violation.field).collect()
    }

    fn refused(change: impl FnOnce(&mut NewTemplate)) -> Vec<&'static str> {
        let mut draft = fixtures::draft();
        change(&mut draft);
        let violations = draft.publish(fixtures::template_id(1), NOW).unwrap_err();
        violations.iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let fields = refused(|draft| {
            draft.name = String::new();
            draft.per_user_limit = 0;
            draft.valid_days = 0;
            draft.total_count = Some(0);
            draft.expected_claims_per_second = 0;
            draft.ends_at = draft.starts_at;
        });
        assert_eq!(
            fields,
            [
                "name",
                "perUserLimit",
                "validDays",
                "totalCount",
                "expectedClaimsPerSecond",
                "endTime",
                "endTime"
            ]
        );
    }

    #[test]
    fn a_benefit_must_make_sense() {
        let benefit = |benefit| refused(|draft| draft.benefit = benefit);
        assert_eq!(benefit(Benefit::Cash { amount: Fen::new(0) }), ["amountFen"]);
        assert_eq!(benefit(Benefit::Discount { percent: 100, cap: None }), ["discountPercent"]);
        assert_eq!(benefit(Benefit::Discount { percent: 5, cap: Some(Fen::new(0)) }), ["discountCapFen"]);
        assert_eq!(benefit(Benefit::Gift { sku: "a b".into() }), ["giftSku"]);
        assert_eq!(benefit(Benefit::FullReduction { amount: Fen::new(10_001) }), ["threshold"]);
        assert_eq!(refused(|draft| draft.threshold = Threshold::None), ["threshold"]);
        assert_eq!(
            refused(|draft| draft.threshold = Threshold::Amount(Fen::new(limits::AMOUNT_FEN + 1))),
            ["threshold/amountFen"]
        );
    }

    #[test]
    fn names_are_bounded_in_characters_and_printable() {
        assert_eq!(refused(|draft| draft.name = "春".repeat(101)), ["name"]);
        assert_eq!(refused(|draft| draft.name = " x".into()), ["name"]);
        assert_eq!(refused(|draft| draft.name = "a\u{0}b".into()), ["name"]);
    }

    #[test]
    fn stock_is_only_ever_raised() {
        let template = fixtures::template(1_000);
        let change = |total| TemplateChange { total_count: Some(total), ..TemplateChange::default() };
        assert_eq!(fields(&template.changed(change(999), NOW).unwrap_err()), ["totalCount"]);

        let raised = template.changed(change(1_500), NOW).unwrap();
        assert!(raised.is_refilling());
        assert!(!raised.refilled().is_refilling());
        assert_eq!(raised.version, template.version + 1);

        let same = template.changed(change(1_000), NOW).unwrap();
        assert!(!same.is_refilling(), "a repeat of a top-up changes nothing");
    }

    #[test]
    fn the_stock_of_a_campaigns_template_is_raised_through_the_campaign() {
        let campaign = CampaignId::from_parts(1, 1);
        let change = |total| TemplateChange { total_count: Some(total), ..TemplateChange::default() };
        let joined = fixtures::template(10).joined(campaign, Some(20), NOW).unwrap();
        assert_eq!((joined.campaign, joined.version), (Some(campaign), 2));
        assert!(joined.is_refilling());
        assert_eq!(fields(&joined.changed(change(30), NOW).unwrap_err()), ["totalCount"]);
        assert!(joined.changed(change(20), NOW).is_ok(), "the present figure changes nothing");

        let parted = joined.parted(campaign, NOW);
        assert_eq!((parted.campaign, parted.version), (None, 3));
        assert!(parted.changed(change(30), NOW).is_ok());
    }

    #[test]
    fn a_template_joins_one_campaign_and_only_one_that_guests_can_claim() {
        let [ours, other] = [1, 2].map(|n| CampaignId::from_parts(1, n));
        let template = fixtures::template(10);
        let joined = template.joined(ours, None, NOW).unwrap();
        assert!(!joined.is_refilling());
        assert!(joined.joined(ours, None, NOW).is_ok(), "a repeat");
        assert_eq!(joined.parted(other, NOW).campaign, Some(ours));

        let refused = |template: &Template, total| {
            template
                .joined(other, total, NOW)
                .unwrap_err()
                .iter()
                .map(|violation| violation.field)
                .collect::<Vec<_>>()
        };
        assert_eq!(refused(&joined, None), ["templateId"]);
        assert_eq!(refused(&template, Some(9)), ["totalCount"]);
        assert_eq!(refused(&Template { ends_at: NOW, ..template.clone() }, None), ["templateId"]);
        assert_eq!(
            refused(&Template { issue_type: IssueType::Auto, ..template.clone() }, None),
            ["templateId"]
        );
        assert_eq!(refused(&Template { issue_mode: IssueMode::Queued, ..template }, None), ["templateId"]);
    }

    #[test]
    fn an_end_is_only_ever_extended() {
        let template = fixtures::template(1);
        let change = |ends_at| TemplateChange { ends_at: Some(ends_at), ..TemplateChange::default() };
        let hour = SignedDuration::from_hours(1);
        assert_eq!(fields(&template.changed(change(template.ends_at - hour), NOW).unwrap_err()), ["endTime"]);
        assert_eq!(
            template.changed(change(template.ends_at + hour), NOW).unwrap().ends_at,
            template.ends_at + hour
        );
    }

    #[test]
    fn a_top_up_clears_sold_out_only_when_every_shard_has_it() {
        let mut template = fixtures::template(10);
        if let Stock::Limited(stock) = &mut template.stock {
            stock.sold_out_at = Some(NOW);
        }
        assert_eq!(template.phase(NOW), Phase::SoldOut);
        let raised = template
            .changed(TemplateChange { total_count: Some(20), ..TemplateChange::default() }, NOW)
            .unwrap();
        assert_eq!(raised.phase(NOW), Phase::Running);
        assert_eq!(raised.refilled().phase(NOW), Phase::Running);
    }
}
