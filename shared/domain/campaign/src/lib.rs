//! The rules of campaigns: several coupon templates under one schedule, audience and budget.
//!
//! A campaign's budget is spent when stock is put on sale, not when a coupon is claimed: a claim through a campaign
//! writes what any claim writes, and no coupon can be issued that the budget does not cover
//! (`docs/decisions/0007-campaign-budget.md`).
//!
//! No AWS, no HTTP, no clock, no randomness: what must be stored goes through [`CampaignStore`] and the ports of
//! `domain-coupon`.

mod audience;
mod budget;
mod campaign;
mod claim;
mod list;
mod manage;
mod recent;
mod split;

#[cfg(test)]
mod fixtures;

pub use audience::Audience;
pub use budget::{Shortage, commitment};
pub use campaign::{
    Campaign, CampaignChange, CampaignPhase, CampaignStatus, NewCampaign, NewOffer, Offer, limits,
};
pub use claim::{CampaignClaimError, CampaignMemory, ClaimInCampaign, REMEMBERED_FOR, claim_in_campaign};
pub use list::{CampaignPosition, CampaignShelf, list_open};
pub use manage::{
    CampaignSource, CampaignStore, ChangeError, CreateError, change_campaign, create_campaign,
    offer_template, withdraw_template,
};
pub use recent::Recent;
