use std::{collections::BTreeMap, error::Error};

use domain_ids::{CampaignId, TemplateId};

use crate::{Counters, Hour};

/// A store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be reached, timed out or failed. Whether a write happened is not known.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// It refuses more work for now. Nothing was written.
    #[error("the store is throttling")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// What it holds cannot be understood: a defect, or an item written by other hands.
    #[error("a stored item is not readable")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
}

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
