//! What guests and operators look at.

use domain_coupon::{Page, StoreError};
use domain_ids::CampaignId;
use jiff::Timestamp;

use crate::{Campaign, CampaignPhase, CampaignSource};

/// Pages of the store read for one page of the answer. Where more drafts lie in between, the page is short and has a
/// cursor to go on from.
const MAX_READS: u32 = 4;

/// A place in the list of campaigns by their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CampaignPosition {
    /// The end of the campaign.
    pub ends_at: Timestamp,
    /// The campaign.
    pub id: CampaignId,
}

/// Where campaigns are listed.
pub trait CampaignShelf: CampaignSource {
    /// Up to `limit` campaigns whose time ends after `now`, the next to end first, from behind `after` on. A change may
    /// take a moment to show.
    fn ending_after(
        &self,
        now: Timestamp,
        after: Option<CampaignPosition>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<Campaign, CampaignPosition>, StoreError>> + Send;

    /// Up to `limit` campaigns, the last to end first, from behind `after` on. A change may take a moment to show.
    fn all(
        &self,
        after: Option<CampaignPosition>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<Campaign, CampaignPosition>, StoreError>> + Send;
}

/// Up to `limit` campaigns that guests see: those that are neither drafts nor over.
pub async fn list_open(
    store: &impl CampaignShelf,
    after: Option<CampaignPosition>,
    limit: u16,
    now: Timestamp,
) -> Result<Page<Campaign, CampaignPosition>, StoreError> {
    let mut items = Vec::with_capacity(usize::from(limit));
    let mut next = after;
    for _ in 0..MAX_READS {
        let page = store.ending_after(now, next, limit).await?;
        items.extend(page.items.into_iter().filter(|campaign| is_open(campaign, now)));
        next = page.next;
        if next.is_none() || items.len() >= usize::from(limit) {
            break;
        }
    }
    if items.len() > usize::from(limit) {
        items.truncate(usize::from(limit));
        next = items.last().map(|last| CampaignPosition { ends_at: last.ends_at, id: last.id });
    }
    Ok(Page { items, next })
}

fn is_open(campaign: &Campaign, now: Timestamp) -> bool {
    match campaign.phase(now) {
        CampaignPhase::Coming | CampaignPhase::Running | CampaignPhase::Paused => true,
        CampaignPhase::Draft | CampaignPhase::Ended => false,
    }
}
