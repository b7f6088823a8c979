use std::fmt;

use domain_coupon::{
    Benefit, IssueMode, IssueType, NewTemplate, Phase, Stock, Template, TemplateChange, TemplatePosition,
    TemplateStatus, Threshold, Usage, Violation, Violations,
};
use domain_ids::{CampaignId, TemplateId};
use domain_money::Fen;
use jiff::Timestamp;
use platform_http::{Problem, Request, cursor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    AutoRuleView, CouponType, ScopeView, StackingView, TermsView, ThresholdType, ThresholdView, fit,
    to_millisecond,
};

/// How unlimited stock is spelled.
const UNLIMITED: i64 = -1;

/// A new template. Numbers beyond their bounds are refused by the field's name.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "满100减20", "type": "full_reduction", "amountFen": 2000,
    "threshold": {"type": "amount", "amountFen": 10000},
    "totalCount": 1000, "perUserLimit": 1, "validDays": 30,
    "startTime": "2026-11-11T00:00:00+08:00", "endTime": "2026-11-12T00:00:00+08:00",
    "issueType": "manual", "expectedClaimsPerSecond": 1000
}))]
pub struct CreateTemplateRequest {
    /// 1 to 100 characters, shown to guests.
    name: String,
    /// Kind of coupon.
    #[serde(rename = "type")]
    kind: CouponType,
    /// Fen taken off; with `full_reduction` and `cash`.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    amount_fen: Option<i64>,
    /// Percent taken off, 20 being 8折; with `discount`.
    #[schema(minimum = 1, maximum = 99)]
    discount_percent: Option<i64>,
    /// Fen taken off at most; with `discount`, optional.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    discount_cap_fen: Option<i64>,
    /// Stock-keeping unit of the gift, 1 to 64 of `A-Z a-z 0-9 - _ .`; with `gift`.
    gift_sku: Option<String>,
    /// What the order must amount to.
    threshold: ThresholdView,
    /// Which parts of an order it applies to; everything without it.
    #[serde(default)]
    scope: ScopeView,
    /// Which coupons may be used with it; none without it.
    #[serde(default)]
    stacking: StackingView,
    /// How many there are; -1 is unlimited.
    #[schema(minimum = -1, maximum = 100_000_000)]
    total_count: i64,
    /// How many one guest may hold.
    #[schema(minimum = 1, maximum = 20)]
    #[serde(default = "one")]
    per_user_limit: i64,
    /// How long a coupon can be used, in days of 24 hours from its claim.
    #[schema(minimum = 1, maximum = 3650)]
    valid_days: i64,
    /// The first instant at which it can be claimed.
    #[schema(value_type = String, format = DateTime)]
    start_time: Timestamp,
    /// The first instant at which it can no longer be claimed.
    #[schema(value_type = String, format = DateTime)]
    end_time: Timestamp,
    /// How coupons reach a guest: `manual` (claimed), `auto` (granted) or `exchange` (by code).
    #[serde(default = "manual")]
    #[schema(value_type = String, example = "manual")]
    issue_type: IssueType,
    /// How claims reach the stock: `direct` or `queued`; with `manual`.
    #[serde(default)]
    #[schema(value_type = String, example = "direct")]
    issue_mode: IssueMode,
    /// What makes the platform grant one; with `auto`.
    auto_rule: Option<AutoRuleView>,
    /// Whether coupons that expire or are refunded go back to sale.
    #[serde(default)]
    restock: bool,
    /// The rate of claims the sale is built for; sets the number of stock shards for good.
    #[schema(minimum = 1, maximum = 1_000_000)]
    #[serde(default = "hundred")]
    expected_claims_per_second: i64,
}

fn one() -> i64 {
    1
}

fn hundred() -> i64 {
    100
}

fn manual() -> IssueType {
    IssueType::Manual
}

impl CreateTemplateRequest {
    /// The fields as the domain takes them, or what is missing or out of place for the kind of coupon.
    pub fn parse(self) -> Result<NewTemplate, Violations> {
        let mut wrong = Violations::default();
        let benefit = self.benefit(&mut wrong);
        let threshold = parse_threshold(self.threshold, &mut wrong);
        let usage = Usage { scope: self.scope.parse(&mut wrong), stacking: self.stacking.parse(&mut wrong) };
        let auto = self.auto_rule.map(|rule| rule.parse(&mut wrong));
        wrong.into_result()?;
        Ok(NewTemplate {
            name: self.name,
            benefit,
            threshold,
            usage,
            total_count: (self.total_count != UNLIMITED).then(|| fit(self.total_count)),
            per_user_limit: fit(self.per_user_limit),
            valid_days: fit(self.valid_days),
            starts_at: to_millisecond(self.start_time),
            ends_at: to_millisecond(self.end_time),
            issue_type: self.issue_type,
            issue_mode: self.issue_mode,
            auto,
            restock: self.restock,
            expected_claims_per_second: fit(self.expected_claims_per_second),
        })
    }

    fn benefit(&self, wrong: &mut Violations) -> Benefit {
        let has_amount = matches!(self.kind, CouponType::FullReduction | CouponType::Cash);
        let has_percent = self.kind == CouponType::Discount;
        let has_sku = self.kind == CouponType::Gift;
        let mut belongs = |field, given: bool, needed: bool, allowed: bool| {
            wrong.check(given || !needed, Violation::new(field, "is needed for this type"));
            wrong.check(!given || allowed, Violation::new(field, "does not belong to this type"));
        };
        belongs("amountFen", self.amount_fen.is_some(), has_amount, has_amount);
        belongs("discountPercent", self.discount_percent.is_some(), has_percent, has_percent);
        belongs("discountCapFen", self.discount_cap_fen.is_some(), false, has_percent);
        belongs("giftSku", self.gift_sku.is_some(), has_sku, has_sku);

        let amount = Fen::new(fit(self.amount_fen.unwrap_or_default()));
        match self.kind {
            CouponType::FullReduction => Benefit::FullReduction { amount },
            CouponType::Cash => Benefit::Cash { amount },
            CouponType::Discount => Benefit::Discount {
                percent: fit(self.discount_percent.unwrap_or_default()),
                cap: self.discount_cap_fen.map(|cap| Fen::new(fit(cap))),
            },
            CouponType::Gift => Benefit::Gift { sku: self.gift_sku.clone().unwrap_or_default() },
        }
    }
}

fn parse_threshold(threshold: ThresholdView, wrong: &mut Violations) -> Threshold {
    match (threshold.kind, threshold.amount_fen) {
        (ThresholdType::None, None) => Threshold::None,
        (ThresholdType::Amount, Some(amount)) => Threshold::Amount(Fen::new(fit(amount))),
        (ThresholdType::None, Some(_)) => {
            wrong.check(false, Violation::new("threshold/amountFen", "does not belong to this type"));
            Threshold::None
        }
        (ThresholdType::Amount, None) => {
            wrong.check(false, Violation::new("threshold/amountFen", "is needed for this type"));
            Threshold::None
        }
    }
}

/// What changes; a field that is absent stays as it is.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"totalCount": 1500, "endTime": "2026-11-13T00:00:00+08:00"}))]
pub struct PatchTemplateRequest {
    /// A new name; coupons already issued keep the old one.
    name: Option<String>,
    /// A later end.
    #[schema(value_type = Option<String>, format = DateTime)]
    end_time: Option<Timestamp>,
    /// The new total, at least the present one.
    #[schema(minimum = 1, maximum = 100_000_000)]
    total_count: Option<i64>,
    /// `paused` pauses, `active` resumes.
    #[schema(value_type = Option<String>, example = "paused")]
    status: Option<TemplateStatus>,
}

impl PatchTemplateRequest {
    /// The change as the domain takes it.
    pub fn parse(self) -> TemplateChange {
        TemplateChange {
            name: self.name,
            ends_at: self.end_time.map(to_millisecond),
            total_count: self.total_count.map(fit),
            status: self.status,
        }
    }
}

/// A template as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateView {
    /// What guests see of it.
    #[serde(flatten)]
    pub sale: SaleView,
    /// Counts the changes; the entity tag.
    pub version: u64,
    /// How coupons reach a guest: `manual`, `auto` or `exchange`.
    #[schema(value_type = String, example = "manual")]
    pub issue_type: IssueType,
    /// What makes the platform grant one; with `auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_rule: Option<AutoRuleView>,
    /// Whether coupons that expire or are refunded go back to sale.
    pub restock: bool,
    /// How many came back and are on sale again.
    pub returned: u32,
    /// The rate of claims the sale is built for.
    pub expected_claims_per_second: u32,
    /// Over how many items the stock is spread; 0 where it is unlimited.
    pub shards: u16,
    /// The operator's switch: `active` or `paused`.
    #[schema(value_type = String, example = "active")]
    pub status: TemplateStatus,
    /// A top-up is under way: not every shard may have it yet.
    pub refilling: bool,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub create_time: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub update_time: Timestamp,
}

impl TemplateView {
    /// The template as it is at `now`, with `remaining` left (none where unlimited).
    pub fn new(template: &Template, remaining: Option<u32>, now: Timestamp) -> Self {
        Self {
            sale: SaleView::new(template, remaining, now),
            version: template.version,
            issue_type: template.issue_type,
            auto_rule: template.auto.map(AutoRuleView::from),
            restock: template.restock,
            returned: match &template.stock {
                Stock::Unlimited => 0,
                Stock::Limited(stock) => stock.returned,
            },
            expected_claims_per_second: template.expected_claims_per_second,
            shards: match &template.stock {
                Stock::Unlimited => 0,
                Stock::Limited(stock) => stock.shards.get(),
            },
            status: template.status,
            refilling: template.is_refilling(),
            create_time: template.created_at,
            update_time: template.updated_at,
        }
    }
}

/// A sale as everybody sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaleView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: TemplateId,
    /// What a coupon is good for.
    #[serde(flatten)]
    pub terms: TermsView,
    /// Which parts of an order it applies to.
    pub scope: ScopeView,
    /// Which coupons may be used with it.
    pub stacking: StackingView,
    /// How it is claimed: `direct` by `POST …/claims`, `queued` by `POST …/queued-claims`.
    #[schema(value_type = String, example = "direct")]
    pub issue_mode: IssueMode,
    /// The campaign it is claimed through, by `POST /v1/campaigns/{id}/claims`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub campaign_id: Option<CampaignId>,
    /// How many there are; -1 is unlimited.
    pub total_count: i64,
    /// How many are left; -1 is unlimited. May be some seconds old.
    pub remaining: i64,
    /// How many one guest may hold.
    pub per_user_limit: u8,
    /// How long a coupon can be used, in days of 24 hours from its claim.
    pub valid_days: u16,
    /// The first instant at which it can be claimed.
    #[schema(value_type = String, format = DateTime)]
    pub start_time: Timestamp,
    /// The first instant at which it can no longer be claimed.
    #[schema(value_type = String, format = DateTime)]
    pub end_time: Timestamp,
    /// Where the sale stands: `coming`, `running`, `paused`, `sold_out` or `ended`.
    #[schema(value_type = String, example = "running")]
    pub phase: Phase,
}

impl SaleView {
    /// The sale as it is at `now`, with `remaining` left (none where unlimited). Where a top-up came between reading
    /// the template and what is left, not more is shown to be left than there are.
    pub fn new(template: &Template, remaining: Option<u32>, now: Timestamp) -> Self {
        let total = match &template.stock {
            Stock::Unlimited => None,
            Stock::Limited(stock) => Some(stock.total),
        };
        let remaining = remaining.map(|left| total.map_or(left, |total| left.min(total)));
        Self {
            id: template.id,
            terms: TermsView::from(&template.terms),
            scope: ScopeView::from(&template.usage.scope),
            stacking: StackingView::from(&template.usage.stacking),
            issue_mode: template.issue_mode,
            campaign_id: template.campaign,
            total_count: total.map_or(UNLIMITED, i64::from),
            remaining: remaining.map_or(UNLIMITED, i64::from),
            per_user_limit: template.per_user_limit,
            valid_days: template.valid_days,
            start_time: template.starts_at,
            end_time: template.ends_at,
            phase: template.phase(now),
        }
    }
}

/// Part of the templates, the last to end first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateList {
    /// The templates.
    pub items: Vec<TemplateView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Part of the running and coming sales, the next to end first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaleList {
    /// The sales.
    pub items: Vec<SaleView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The text form of a [`TemplatePosition`], before it is made opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateCursor(pub TemplatePosition);

impl fmt::Display for TemplateCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.ends_at.as_millisecond(), self.0.id)
    }
}

impl TemplateCursor {
    /// Where the page begins that the caller asks for, or 400 `invalid-cursor`.
    pub fn from_query(request: &Request) -> Result<Option<TemplatePosition>, Problem> {
        match cursor::from_query(request)? {
            Some(text) => parse_position(&text).map(Some).ok_or_else(cursor::invalid),
            None => Ok(None),
        }
    }
}

fn parse_position(text: &str) -> Option<TemplatePosition> {
    let (ends_at, id) = text.split_once('.')?;
    let ends_at = Timestamp::from_millisecond(ends_at.parse().ok()?).ok()?;
    let id = id.parse().ok()?;
    (ends_at >= Timestamp::UNIX_EPOCH).then_some(TemplatePosition { ends_at, id })
}
