use domain_ids::{CampaignId, TemplateId};
use domain_report::{Counters, Report, Slot};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// What became of the coupons of a template.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateReportView {
    /// The template.
    #[schema(value_type = String)]
    pub template_id: TemplateId,
    /// What is counted.
    #[serde(flatten)]
    pub report: ReportView,
}

/// What became of the coupons of a campaign: of all its templates together.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignReportView {
    /// The campaign.
    #[schema(value_type = String)]
    pub campaign_id: CampaignId,
    /// Its templates.
    #[schema(value_type = Vec<String>)]
    pub template_ids: Vec<TemplateId>,
    /// What is counted.
    #[serde(flatten)]
    pub report: ReportView,
}

/// What is counted of coupons.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportView {
    /// Since ever, whatever period is asked for.
    pub totals: CountersView,
    /// Of 10,000 coupons issued, those used, also if refunded later; rounded down.
    #[schema(example = 2_345)]
    pub conversion_basis_points: u64,
    /// What guests saved for good, in fen: `savedFen` less `refundedFen`.
    pub cost_fen: u64,
    /// The period asked for, without gaps, in the order of time.
    pub series: Vec<SlotView>,
    /// When it was read. What happened in the seconds before may be missing.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
}

/// An hour, or a day of business.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotView {
    /// Its first moment.
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// What happened in it.
    #[serde(flatten)]
    pub counters: CountersView,
}

/// How often each thing has happened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CountersView {
    /// Coupons that reached a guest: the sum of the next four.
    pub issued: u64,
    /// Claimed by guests.
    pub claimed: u64,
    /// Granted by operators.
    pub granted: u64,
    /// Granted by rules.
    pub auto: u64,
    /// Exchanged for codes.
    pub exchanged: u64,
    /// Times an order took hold of a coupon.
    pub locked: u64,
    /// Times an order gave one up.
    pub released: u64,
    /// Coupons used, also if refunded later.
    pub used: u64,
    /// Coupons that expired.
    pub expired: u64,
    /// Coupons whose order was cancelled.
    pub refunded: u64,
    /// What orders saved, in fen.
    pub saved_fen: u64,
    /// Of this, what was of cancelled orders, in fen.
    pub refunded_fen: u64,
}

impl ReportView {
    /// The report as it was read at `as_of`.
    pub fn new(report: &Report, as_of: Timestamp) -> Self {
        Self {
            totals: CountersView::from(&report.totals),
            conversion_basis_points: report.totals.conversion_basis_points(),
            cost_fen: report.totals.cost_fen(),
            series: report.series.iter().map(SlotView::from).collect(),
            as_of,
        }
    }
}

impl From<&Slot> for SlotView {
    fn from(slot: &Slot) -> Self {
        Self { start: slot.start, counters: CountersView::from(&slot.counters) }
    }
}

impl From<&Counters> for CountersView {
    fn from(counters: &Counters) -> Self {
        Self {
            issued: counters.issued,
            claimed: counters.claimed,
            granted: counters.granted,
            auto: counters.auto,
            exchanged: counters.exchanged,
            locked: counters.locked,
            released: counters.released,
            used: counters.used,
            expired: counters.expired,
            refunded: counters.refunded,
            saved_fen: counters.saved_fen,
            refunded_fen: counters.refunded_fen,
        }
    }
}
