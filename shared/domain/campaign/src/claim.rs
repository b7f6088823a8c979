//! Claiming a coupon through a campaign: is it open to this guest, and which of its templates is it.

use std::sync::Arc;

use domain_coupon::{
    ClaimCoupon, ClaimError, ClaimKey, ClaimStore, Claimed, CouponCode, SaleMemory, Source, StoreError,
    Window, claim, replay,
};
use domain_ids::{CampaignId, GuestId, TemplateId};
use jiff::{SignedDuration, Timestamp};

use crate::{Campaign, CampaignPhase, CampaignSource, Recent};

/// How long a campaign is believed without looking again: a pause is seen by everyone after this long.
pub const REMEMBERED_FOR: SignedDuration = SignedDuration::from_secs(2);

/// What an environment remembers of campaigns: `None` where there is no such campaign.
pub type CampaignMemory = Recent<Option<Arc<Campaign>>>;

/// A guest's wish for one coupon of a campaign.
#[derive(Debug, Clone)]
pub struct ClaimInCampaign {
    /// Where it is claimed.
    pub campaign: CampaignId,
    /// Who claims.
    pub guest: GuestId,
    /// The groups the guest is in.
    pub groups: Vec<String>,
    /// Which template; the campaign chooses itself where it has a split.
    pub choice: Option<TemplateId>,
    /// The caller's name for the request.
    pub key: Option<String>,
    /// The code of the coupon, should one be issued.
    pub code: CouponCode,
    /// Now.
    pub at: Timestamp,
    /// Seeds the choice of shards and the jitter.
    pub seed: u64,
}

/// Why no coupon was issued.
#[derive(Debug, thiserror::Error)]
pub enum CampaignClaimError {
    /// There is no such campaign, or it is a draft.
    #[error("no such campaign")]
    NotFound,
    /// It has not started, is paused or is over.
    #[error("the campaign is not running")]
    NotRunning {
        /// Where it stands.
        phase: CampaignPhase,
        /// When it runs.
        window: Window,
    },
    /// It is for others.
    #[error("the guest is not in the audience")]
    NotInAudience,
    /// The guest must say which template.
    #[error("the guest must choose a template")]
    Choose {
        /// Which there are.
        templates: Vec<TemplateId>,
    },
    /// The campaign chooses the template itself.
    #[error("the campaign chooses the template itself")]
    NoChoice,
    /// The template is not in the campaign.
    #[error("the template is not in the campaign")]
    NotOffered,
    /// The template issues no coupon.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The campaign could not be read. Nothing was issued.
    #[error("the store failed")]
    Store(#[source] StoreError),
}

/// Issues one coupon to a guest through a campaign, or says why not.
///
/// A repeat with the same key returns the coupon of the first request, also after the campaign, unless the weights of a
/// split changed and the guest is assigned another template now.
pub async fn claim_in_campaign(
    campaigns: &impl CampaignSource,
    known: &CampaignMemory,
    coupons: &impl ClaimStore,
    memory: &SaleMemory,
    wish: &ClaimInCampaign,
) -> Result<Claimed, CampaignClaimError> {
    let campaign = recall(campaigns, known, wish).await?.ok_or(CampaignClaimError::NotFound)?;
    if campaign.phase(wish.at) == CampaignPhase::Draft {
        return Err(CampaignClaimError::NotFound);
    }
    let command = wish.command(template(&campaign, wish)?);
    match admission(&campaign, wish) {
        Ok(()) => Ok(claim(coupons, memory, &command).await?),
        Err(refusal) => replay(coupons, &command).await.map_err(ClaimError::Store)?.ok_or(refusal),
    }
}

async fn recall(
    campaigns: &impl CampaignSource,
    known: &CampaignMemory,
    wish: &ClaimInCampaign,
) -> Result<Option<Arc<Campaign>>, CampaignClaimError> {
    if let Some(campaign) = known.recall(wish.campaign, wish.at) {
        return Ok(campaign);
    }
    let campaign = campaigns.campaign(wish.campaign).await.map_err(CampaignClaimError::Store)?.map(Arc::new);
    known.learn(wish.campaign, campaign.clone(), wish.at);
    Ok(campaign)
}

fn template(campaign: &Campaign, wish: &ClaimInCampaign) -> Result<TemplateId, CampaignClaimError> {
    match wish.choice {
        Some(_) if campaign.split => Err(CampaignClaimError::NoChoice),
        Some(choice) if campaign.offers.contains_key(&choice) => Ok(choice),
        Some(_) => Err(CampaignClaimError::NotOffered),
        None if campaign.split => {
            campaign.assigned_to(&wish.guest).ok_or_else(|| not_running(campaign, wish))
        }
        None => Err(CampaignClaimError::Choose { templates: campaign.offers.keys().copied().collect() }),
    }
}

fn admission(campaign: &Campaign, wish: &ClaimInCampaign) -> Result<(), CampaignClaimError> {
    if campaign.phase(wish.at) != CampaignPhase::Running {
        Err(not_running(campaign, wish))
    } else if campaign.audience.admits(&wish.guest, &wish.groups) {
        Ok(())
    } else {
        Err(CampaignClaimError::NotInAudience)
    }
}

fn not_running(campaign: &Campaign, wish: &ClaimInCampaign) -> CampaignClaimError {
    CampaignClaimError::NotRunning { phase: campaign.phase(wish.at), window: campaign.window() }
}

impl ClaimInCampaign {
    fn command(&self, template: TemplateId) -> ClaimCoupon {
        ClaimCoupon {
            guest: self.guest.clone(),
            template,
            source: Source::Claim,
            campaign: Some(self.campaign),
            exchange: None,
            key: self.key.as_deref().map(|key| ClaimKey::new(&self.guest, template, key)),
            code: self.code,
            at: self.at,
            seed: self.seed,
        }
    }
}
