use std::collections::BTreeMap;

use domain_coupon::StoreError;
use domain_ids::{CampaignId, TemplateId};

use crate::{Counters, Hour};

/// Where reports are read.
pub trait ReportShelf: Sync {
    /// Whether there is such a template.
    fn has_template(&self, id: TemplateId) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The templates of a campaign, if there is such a campaign.
    fn templates_of(
        &self,
        id: CampaignId,
    ) -> impl Future<Output = Result<Option<Vec<TemplateId>>, StoreError>> + Send;

    /// All that was ever counted of a template, by the hour.
    fn hours(
        &self,
        template: TemplateId,
    ) -> impl Future<Output = Result<BTreeMap<Hour, Counters>, StoreError>> + Send;
}
