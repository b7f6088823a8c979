use std::collections::BTreeSet;

use coupon_http::{fit, to_millisecond};
use domain_campaign::{Audience, CampaignChange, CampaignStatus, NewCampaign, NewOffer};
use domain_coupon::{Violation, Violations};
use domain_ids::{GuestId, TemplateId};
use domain_money::Fen;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new campaign. Numbers beyond their bounds are refused by the field's name.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "双十一", "description": "每人一张", "startTime": "2026-11-11T00:00:00+08:00",
    "endTime": "2026-11-12T00:00:00+08:00", "budgetFen": 10_000_000
}))]
pub struct CreateCampaignRequest {
    /// 1 to 100 characters, shown to guests.
    name: String,
    /// Up to 500 characters, shown to guests.
    #[serde(default)]
    description: String,
    /// The first instant at which its coupons can be claimed.
    #[schema(value_type = String, format = DateTime)]
    start_time: Timestamp,
    /// The first instant at which they can no longer be claimed.
    #[schema(value_type = String, format = DateTime)]
    end_time: Timestamp,
    /// Who may claim; everyone without it.
    #[serde(default)]
    audience: AudienceView,
    /// What its coupons may cost at most, in fen; unlimited without it.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_000_i64)]
    budget_fen: Option<i64>,
    /// The campaign chooses one template for each guest, by weights; otherwise the guest chooses.
    #[serde(default)]
    split: bool,
}

/// What changes; a field that is absent stays as it is.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"status": "active"}))]
pub struct PatchCampaignRequest {
    /// A new name.
    name: Option<String>,
    /// A new description.
    description: Option<String>,
    /// A later end.
    #[schema(value_type = Option<String>, format = DateTime)]
    end_time: Option<Timestamp>,
    /// A new budget, at least what is committed.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_000_i64)]
    budget_fen: Option<i64>,
    /// `active` starts and resumes, `paused` pauses, `ended` ends for good.
    #[schema(value_type = Option<String>, example = "active")]
    status: Option<CampaignStatus>,
}

/// What a campaign is to have of a template.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"totalCount": 1500}))]
pub struct OfferRequest {
    /// How many coupons there are to be: the new total, at least the present one, which stays without it.
    #[schema(minimum = 1, maximum = 100_000_000)]
    total_count: Option<i64>,
    /// Its share of the guests, relative to the other weights; with a split, and only then.
    #[schema(minimum = 0, maximum = 1000)]
    weight: Option<i64>,
    /// What reports call it, 1 to 32 of `a-z 0-9 -`; with a split, optional.
    variant: Option<String>,
}

/// Which coupon of a campaign is claimed.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"templateId": "01KA3Z5QJ8M4T2R7V9X1C6B0NG"}))]
pub struct ClaimInCampaignRequest {
    /// The template; absent where the campaign has a split and chooses itself.
    #[schema(value_type = Option<String>)]
    pub template_id: Option<TemplateId>,
}

/// Who may claim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"type": "groups", "groups": ["vip"]}))]
pub struct AudienceView {
    /// How they are told.
    #[serde(rename = "type")]
    pub kind: AudienceType,
    /// Guests in any of these groups of the user pool, 1 to 10; with `groups`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    pub groups: BTreeSet<String>,
    /// These guests, 1 to 100; with `guests`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    pub guest_ids: BTreeSet<GuestId>,
}

/// How an audience is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AudienceType {
    /// Every guest.
    #[default]
    Everyone,
    /// By groups of the access token.
    Groups,
    /// By name.
    Guests,
}

fn fen(number: i64) -> Fen {
    Fen::new(fit(number))
}

impl CreateCampaignRequest {
    /// The fields as the domain takes them, or what is out of place for the kind of audience.
    pub fn parse(self) -> Result<NewCampaign, Violations> {
        Ok(NewCampaign {
            name: self.name,
            description: self.description,
            starts_at: to_millisecond(self.start_time),
            ends_at: to_millisecond(self.end_time),
            audience: self.audience.parse()?,
            budget: self.budget_fen.map(fen),
            split: self.split,
        })
    }
}

impl PatchCampaignRequest {
    /// The change as the domain takes it.
    pub fn parse(self) -> CampaignChange {
        CampaignChange {
            name: self.name,
            description: self.description,
            ends_at: self.end_time.map(to_millisecond),
            budget: self.budget_fen.map(fen),
            status: self.status,
        }
    }
}

impl OfferRequest {
    /// The offer as the domain takes it.
    pub fn parse(self) -> NewOffer {
        NewOffer {
            total: self.total_count.map(fit),
            // 0 is a weight: what does not fit becomes one that is none.
            weight: self.weight.map(|weight| u16::try_from(weight).unwrap_or(u16::MAX)),
            variant: self.variant,
        }
    }
}

impl AudienceView {
    fn parse(self) -> Result<Audience, Violations> {
        let mut wrong = Violations::default();
        let mut belongs = |field, absent: bool, kind: AudienceType| {
            let must = Violation::new(field, "does not belong to this type");
            wrong.check(absent || self.kind == kind, must);
        };
        belongs("audience/groups", self.groups.is_empty(), AudienceType::Groups);
        belongs("audience/guestIds", self.guest_ids.is_empty(), AudienceType::Guests);
        wrong.into_result()?;
        Ok(match self.kind {
            AudienceType::Everyone => Audience::Everyone,
            AudienceType::Groups => Audience::Groups(self.groups),
            AudienceType::Guests => Audience::Guests(self.guest_ids),
        })
    }
}

impl From<&Audience> for AudienceView {
    fn from(audience: &Audience) -> Self {
        match audience {
            Audience::Everyone => Self::default(),
            Audience::Groups(groups) => {
                Self { kind: AudienceType::Groups, groups: groups.clone(), ..Self::default() }
            }
            Audience::Guests(guests) => {
                Self { kind: AudienceType::Guests, guest_ids: guests.clone(), ..Self::default() }
            }
        }
    }
}
