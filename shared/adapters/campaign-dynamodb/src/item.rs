use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
};

use domain_campaign::{Audience, Campaign, CampaignPosition, CampaignStatus, Offer};
use domain_ids::{CampaignId, GuestId, TemplateId};
use domain_money::Fen;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::keys::{self, Key};

/// A campaign as it is stored. Times are milliseconds since 1970, an absent `budgetFen` is unlimited.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CampaignItem {
    id: CampaignId,
    version: u64,
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    starts_at: i64,
    ends_at: i64,
    status: CampaignStatus,
    audience: AudienceItem,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget_fen: Option<Fen>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    split: bool,
    templates: BTreeMap<TemplateId, OfferItem>,
    created_at: i64,
    updated_at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum AudienceItem {
    Everyone,
    Groups { groups: BTreeSet<String> },
    Guests { guests: BTreeSet<GuestId> },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfferItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    committed_fen: Option<Fen>,
    weight: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
}

pub(crate) fn write(campaign: &Campaign) -> Result<Key, serde_dynamo::Error> {
    let offer = |(&id, offer): (&TemplateId, &Offer)| {
        let variant = offer.variant.clone();
        (id, OfferItem { committed_fen: offer.committed, weight: offer.weight, variant })
    };
    let mut item: Key = serde_dynamo::to_item(CampaignItem {
        id: campaign.id,
        version: campaign.version,
        name: campaign.name.clone(),
        description: campaign.description.clone(),
        starts_at: campaign.starts_at.as_millisecond(),
        ends_at: campaign.ends_at.as_millisecond(),
        status: campaign.status,
        audience: match &campaign.audience {
            Audience::Everyone => AudienceItem::Everyone,
            Audience::Groups(groups) => AudienceItem::Groups { groups: groups.clone() },
            Audience::Guests(guests) => AudienceItem::Guests { guests: guests.clone() },
        },
        budget_fen: campaign.budget,
        split: campaign.split,
        templates: campaign.offers.iter().map(offer).collect(),
        created_at: campaign.created_at.as_millisecond(),
        updated_at: campaign.updated_at.as_millisecond(),
    })?;
    item.extend(keys::position(CampaignPosition { ends_at: campaign.ends_at, id: campaign.id }));
    Ok(item)
}

pub(crate) fn parse(item: Key) -> Result<Campaign, Box<dyn Error + Send + Sync>> {
    let item: CampaignItem = serde_dynamo::from_item(item)?;
    let offer = |(id, offer): (TemplateId, OfferItem)| {
        (id, Offer { committed: offer.committed_fen, weight: offer.weight, variant: offer.variant })
    };
    Ok(Campaign {
        id: item.id,
        version: item.version,
        name: item.name,
        description: item.description,
        starts_at: Timestamp::from_millisecond(item.starts_at)?,
        ends_at: Timestamp::from_millisecond(item.ends_at)?,
        status: item.status,
        audience: match item.audience {
            AudienceItem::Everyone => Audience::Everyone,
            AudienceItem::Groups { groups } => Audience::Groups(groups),
            AudienceItem::Guests { guests } => Audience::Guests(guests),
        },
        budget: item.budget_fen,
        split: item.split,
        offers: item.templates.into_iter().map(offer).collect(),
        created_at: Timestamp::from_millisecond(item.created_at)?,
        updated_at: Timestamp::from_millisecond(item.updated_at)?,
    })
}
