//! What operators do with campaigns.

use domain_coupon::{StoreError, TemplateStore, Violations, finish_refill};
use domain_ids::{CampaignId, TemplateId};
use jiff::Timestamp;

use crate::{Campaign, CampaignChange, NewCampaign, NewOffer, Shortage, commitment};

/// Times an offer is decided anew because the template changed under it.
const MAX_ROUNDS: u32 = 3;

/// Where a campaign is read.
pub trait CampaignSource: Sync {
    /// The campaign as it is now (not an older copy).
    fn campaign(&self, id: CampaignId) -> impl Future<Output = Result<Option<Campaign>, StoreError>> + Send;
}

/// Where campaigns are kept.
pub trait CampaignStore: CampaignSource {
    /// Creates the campaign.
    fn insert(&self, campaign: &Campaign) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes `campaign` if the stored one still has version `expected`; says whether it did.
    fn replace(
        &self,
        campaign: &Campaign,
        expected: u64,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Why a campaign was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// What the operator sent is not a sensible campaign.
    #[error(transparent)]
    Invalid(#[from] Violations),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Why a campaign was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such campaign.
    #[error("no such campaign")]
    NotFound,
    /// There is no such template, or not in this campaign.
    #[error("no such template")]
    TemplateNotFound,
    /// Somebody else has changed it, or the template, since the operator read it.
    #[error("changed by somebody else")]
    Outdated,
    /// It has ended for good.
    #[error("the campaign has ended")]
    Over,
    /// It is no draft any more.
    #[error("the campaign has started")]
    Started,
    /// The budget does not cover it.
    #[error("the budget does not cover it")]
    OverBudget(Shortage),
    /// What the operator sent is not a sensible change.
    #[error(transparent)]
    Invalid(#[from] Violations),
    /// The store failed. The change may have been made, or begun; a repeat with a fresh version completes it.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Begins a campaign, as a draft.
pub async fn create_campaign(
    store: &impl CampaignStore,
    id: CampaignId,
    new: NewCampaign,
    now: Timestamp,
) -> Result<Campaign, CreateError> {
    let campaign = new.plan(id, now)?;
    store.insert(&campaign).await?;
    Ok(campaign)
}

/// Changes a campaign that still has version `expected`.
pub async fn change_campaign(
    store: &impl CampaignStore,
    id: CampaignId,
    expected: u64,
    change: CampaignChange,
    now: Timestamp,
) -> Result<Campaign, ChangeError> {
    let next = read(store, id, expected).await?.changed(change, now)?;
    if store.replace(&next, expected).await? { Ok(next) } else { Err(ChangeError::Outdated) }
}

/// Puts a template into a campaign that still has version `expected`, or changes what the campaign has of it.
///
/// Money first, coupons after: what the stock may cost is committed on the campaign, then the template joins with its new
/// total, then the shards get their share. A crash in between leaves money committed for coupons that are not on sale,
/// never the reverse; a repeat finishes the work.
///
/// Both versions move each time, the template being read before the campaign is written. So of two that decide about one
/// template at once one fails, and a commitment can be lowered after the template has moved, and not before:
/// whoever could still have raised the stock on the old one no longer can.
pub async fn offer_template(
    store: &impl CampaignStore,
    templates: &impl TemplateStore,
    (id, template): (CampaignId, TemplateId),
    mut expected: u64,
    new: &NewOffer,
    now: Timestamp,
) -> Result<Campaign, ChangeError> {
    for _ in 0..MAX_ROUNDS {
        let campaign = read(store, id, expected).await?;
        let present = templates.template(template).await?.ok_or(ChangeError::TemplateNotFound)?;
        let joined = present.joined(id, new.total, now)?;
        let committed = campaign.offering(&joined, new, now)?;
        if !store.replace(&committed, expected).await? {
            return Err(ChangeError::Outdated);
        }
        expected = committed.version;
        if templates.replace(&joined, present.version).await? {
            if joined.is_refilling() {
                finish_refill(templates, &joined).await?;
            }
            return match committed.settled(template, commitment(&joined)) {
                None => Ok(committed),
                Some(settled) if store.replace(&settled, expected).await? => Ok(settled),
                Some(_) => store.campaign(id).await?.ok_or(ChangeError::NotFound),
            };
        }
    }
    Err(ChangeError::Outdated)
}

/// Takes a template out of a campaign that still has version `expected` and is a draft: first the template leaves, then
/// the money is free again.
pub async fn withdraw_template(
    store: &impl CampaignStore,
    templates: &impl TemplateStore,
    (id, template): (CampaignId, TemplateId),
    expected: u64,
    now: Timestamp,
) -> Result<Campaign, ChangeError> {
    let next = read(store, id, expected).await?.without(template, now)?;
    if let Some(present) = templates.template(template).await?
        && present.campaign.is_none_or(|campaign| campaign == id)
        && !templates.replace(&present.parted(id, now), present.version).await?
    {
        return Err(ChangeError::Outdated);
    }
    if store.replace(&next, expected).await? { Ok(next) } else { Err(ChangeError::Outdated) }
}

async fn read(store: &impl CampaignSource, id: CampaignId, expected: u64) -> Result<Campaign, ChangeError> {
    let campaign = store.campaign(id).await?.ok_or(ChangeError::NotFound)?;
    if campaign.version == expected { Ok(campaign) } else { Err(ChangeError::Outdated) }
}
