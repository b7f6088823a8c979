use coupon_http::SaleView;
use domain_campaign::{Campaign, CampaignPhase, CampaignStatus};
use domain_ids::{CampaignId, TemplateId};
use domain_money::Fen;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::AudienceView;

/// A campaign as everybody sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: CampaignId,
    /// What guests call it.
    pub name: String,
    /// What guests read of it.
    pub description: String,
    /// The first instant at which its coupons can be claimed.
    #[schema(value_type = String, format = DateTime)]
    pub start_time: Timestamp,
    /// The first instant at which they can no longer be claimed.
    #[schema(value_type = String, format = DateTime)]
    pub end_time: Timestamp,
    /// Where it stands: `draft` (operators only), `coming`, `running`, `paused` or `ended`.
    #[schema(value_type = String, example = "running")]
    pub phase: CampaignPhase,
    /// The campaign chooses the coupon; otherwise the guest does.
    pub split: bool,
}

impl CampaignView {
    /// The campaign as it is at `now`.
    pub fn new(campaign: &Campaign, now: Timestamp) -> Self {
        Self {
            id: campaign.id,
            name: campaign.name.clone(),
            description: campaign.description.clone(),
            start_time: campaign.starts_at,
            end_time: campaign.ends_at,
            phase: campaign.phase(now),
            split: campaign.split,
        }
    }
}

/// Part of the running and coming campaigns, the next to end first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignList {
    /// The campaigns. May be fewer than `limit` although more follow.
    pub items: Vec<CampaignView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A campaign with the sales of its templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignSalesView {
    /// The campaign.
    #[serde(flatten)]
    pub campaign: CampaignView,
    /// What can be claimed in it.
    pub sales: Vec<SaleView>,
}

/// A campaign as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignAdminView {
    /// What guests see of it.
    #[serde(flatten)]
    pub campaign: CampaignView,
    /// Counts the changes; the entity tag.
    pub version: u64,
    /// The operator's switch: `draft`, `active`, `paused` or `ended`.
    #[schema(value_type = String, example = "active")]
    pub status: CampaignStatus,
    /// Who may claim.
    pub audience: AudienceView,
    /// What its coupons may cost at most, in fen; absent where unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub budget_fen: Option<Fen>,
    /// What the coupons on sale may cost at most, in fen.
    #[schema(value_type = u64)]
    pub committed_fen: Fen,
    /// What is left of the budget, in fen; absent where unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_fen: Option<u64>,
    /// Its templates.
    pub templates: Vec<OfferView>,
    /// Where its report can be read.
    #[schema(example = "/v1/admin/campaigns/01KA3Z5QJ8M4T2R7V9X1C6B0NG/report")]
    pub report: String,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub create_time: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub update_time: Timestamp,
}

/// What a campaign has of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferView {
    /// The template.
    #[schema(value_type = String)]
    pub template_id: TemplateId,
    /// What its stock may cost at most, in fen; absent where that is not bounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub committed_fen: Option<Fen>,
    /// Its share of the guests, relative to the other weights; with a split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    /// What reports call it; with a split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl CampaignAdminView {
    /// The campaign as it is at `now`.
    pub fn new(campaign: &Campaign, now: Timestamp) -> Self {
        let committed = campaign.committed();
        let offers = campaign.offers.iter().map(|(&template_id, offer)| OfferView {
            template_id,
            committed_fen: offer.committed,
            weight: campaign.split.then_some(offer.weight),
            variant: offer.variant.clone(),
        });
        Self {
            campaign: CampaignView::new(campaign, now),
            version: campaign.version,
            status: campaign.status,
            audience: AudienceView::from(&campaign.audience),
            budget_fen: campaign.budget,
            committed_fen: committed,
            left_fen: campaign.budget.map(|budget| budget.get().saturating_sub(committed.get())),
            templates: offers.collect(),
            report: format!("/v1/admin/campaigns/{}/report", campaign.id),
            create_time: campaign.created_at,
            update_time: campaign.updated_at,
        }
    }
}

/// Part of the campaigns, the last to end first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignAdminList {
    /// The campaigns.
    pub items: Vec<CampaignAdminView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
