//! Campaigns on a real (embedded) table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use campaign_dynamodb::CampaignTable;
use coupon_dynamodb::CouponTable;
use domain_campaign::{
    Audience, Campaign, CampaignChange, CampaignMemory, CampaignShelf, CampaignSource, CampaignStatus,
    CampaignStore, ChangeError, ClaimInCampaign, NewCampaign, NewOffer, Offer, REMEMBERED_FOR,
    change_campaign, claim_in_campaign, commitment, limits, list_open, offer_template, withdraw_template,
};
use domain_coupon::{CouponCode, SaleMemory, Stock, StoreError, Template, TemplateShelf, TemplateStore};
use domain_ids::CampaignId;
use domain_money::Fen;
use futures_util::future::join_all;
use jiff::SignedDuration;
use testing::{EmbeddedDynamoDb, Fault, NOW, template_id};

struct Tables {
    db: EmbeddedDynamoDb,
    name: String,
    campaigns: CampaignTable,
    coupons: CouponTable,
}

async fn tables() -> Tables {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let campaigns = CampaignTable::new(db.client(), name.clone());
    let coupons = CouponTable::new(db.client(), name.clone());
    Tables { db, name, campaigns, coupons }
}

fn campaign(n: u128) -> Campaign {
    let new = NewCampaign {
        name: "双十一".into(),
        description: String::new(),
        starts_at: NOW,
        ends_at: NOW + SignedDuration::from_hours(24),
        audience: Audience::Everyone,
        budget: Some(Fen::new(1_000_000)),
        split: false,
    };
    new.plan(CampaignId::from_parts(1_794_000_000_000, n), NOW).unwrap()
}

/// So many coupons of 2,000 fen each.
fn template(n: u128, total: u32) -> Template {
    Template { id: template_id(n), ..testing::template(total) }
}

/// As much as a campaign can hold.
fn largest() -> Campaign {
    let guest = |n: usize| format!("{n:064}").parse().unwrap();
    let offer = Offer {
        committed: Some(Fen::new(limits::BUDGET_FEN)),
        weight: limits::WEIGHT,
        variant: Some("v".repeat(limits::VARIANT_CHARS)),
    };
    Campaign {
        name: "券".repeat(limits::NAME_CHARS),
        description: "券".repeat(limits::DESCRIPTION_CHARS),
        audience: Audience::Guests((0..limits::GUESTS).map(guest).collect()),
        budget: Some(Fen::new(limits::BUDGET_FEN)),
        split: true,
        offers: (0..limits::TEMPLATES).map(|n| (template_id(n as u128), offer.clone())).collect(),
        ..campaign(1)
    }
}

#[tokio::test]
async fn every_kind_of_campaign_reads_back_as_it_was_written() {
    let store = tables().await.campaigns;
    let unbounded = Offer { committed: None, weight: 0, variant: None };
    let free = Campaign {
        audience: Audience::Groups(["vip", "新客"].map(String::from).into()),
        budget: None,
        status: CampaignStatus::Paused,
        offers: [(template_id(1), unbounded)].into(),
        ..campaign(2)
    };
    for campaign in [largest(), free, campaign(3)] {
        store.insert(&campaign).await.unwrap();
        assert_eq!(store.campaign(campaign.id).await.unwrap(), Some(campaign));
    }
    assert_eq!(store.campaign(campaign(99).id).await.unwrap(), None);
    assert!(matches!(store.insert(&campaign(3)).await, Err(StoreError::Corrupt(_))), "the id is taken");
}

/// A claim reads a campaign every two seconds in each environment: the figures of `docs/operations/campaigns.md`.
#[tokio::test]
async fn reading_a_campaign_costs_few_units() {
    let tables = tables().await;
    let guests = |count: usize| {
        let guest = |n: usize| format!("{n:036}").parse().unwrap();
        Campaign { audience: Audience::Guests((0..count).map(guest).collect()), ..campaign(2) }
    };
    for (campaign, most) in [(campaign(3), 1), (guests(80), 1), (largest(), 3)] {
        tables.campaigns.insert(&campaign).await.unwrap();
        let key = AttributeValue::S(format!("CAMPAIGN#{}", campaign.id));
        let read = tables.db.client().get_item().table_name(&tables.name).key("pk", key);
        let read = read
            .key("sk", AttributeValue::S("CAMPAIGN".into()))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let consumed = read.send().await.unwrap().consumed_capacity.unwrap().capacity_units.unwrap();
        assert!(consumed <= f64::from(most), "{consumed}");
    }
}

/// The report of a campaign finds its templates by the keys of this map.
#[tokio::test]
async fn the_templates_of_a_campaign_are_the_keys_of_a_map() {
    let tables = tables().await;
    tables.campaigns.insert(&largest()).await.unwrap();
    let key = AttributeValue::S(format!("CAMPAIGN#{}", largest().id));
    let read = tables.db.client().get_item().table_name(&tables.name).key("pk", key);
    let item = read.key("sk", AttributeValue::S("CAMPAIGN".into())).send().await.unwrap().item.unwrap();
    let templates = item["templates"].as_m().unwrap();
    assert!(largest().offers.keys().all(|id| templates.contains_key(&id.to_string())));
    assert_eq!(templates.len(), limits::TEMPLATES);
}

#[tokio::test]
async fn campaigns_are_listed_by_their_end_page_by_page() {
    let store = tables().await.campaigns;
    let campaigns: Vec<Campaign> = (0..7)
        .map(|n| Campaign {
            ends_at: NOW + SignedDuration::from_mins(n),
            ..campaign(n.unsigned_abs().into())
        })
        .collect();
    for campaign in campaigns.iter().rev() {
        store.insert(campaign).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.ending_after(campaigns[2].ends_at, after, 2).await.unwrap();
        seen.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, campaigns[3..], "one that ends now is over");
    let all = store.all(None, 100).await.unwrap();
    assert_eq!(all.items, campaigns.iter().rev().cloned().collect::<Vec<_>>());
}

#[tokio::test]
async fn guests_see_neither_drafts_nor_what_is_over() {
    use CampaignStatus::{Active, Draft, Ended, Paused};
    let store = tables().await.campaigns;
    let statuses = [Draft, Draft, Draft, Active, Draft, Ended, Paused, Draft, Active];
    for (n, status) in (1_i64..).zip(statuses) {
        let ends_at = NOW + SignedDuration::from_mins(n);
        store.insert(&Campaign { status, ends_at, ..campaign(n.unsigned_abs().into()) }).await.unwrap();
    }
    for limit in 1..10 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = list_open(&store, after, limit, NOW).await.unwrap();
            assert!(page.items.len() <= usize::from(limit));
            seen.extend(page.items.iter().map(|campaign| campaign.status));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, [Active, Paused, Active], "limit {limit}");
    }
}

#[tokio::test]
async fn a_template_joins_is_topped_up_and_leaves() {
    let Tables { campaigns, coupons, .. } = tables().await;
    let ids = (campaign(1).id, template_id(1));
    campaigns.insert(&campaign(1)).await.unwrap();
    coupons.insert(&template(1, 100)).await.unwrap();
    let offer = async |expected, total| {
        let new = NewOffer { total, ..NewOffer::default() };
        offer_template(&campaigns, &coupons, ids, expected, &new, NOW).await
    };
    let left = async || {
        let template = TemplateShelf::template(&coupons, template_id(1)).await.unwrap().unwrap();
        (template.campaign, coupons.remaining(&template).await.unwrap())
    };

    assert_eq!(offer(1, None).await.unwrap().committed(), Fen::new(200_000));
    assert_eq!(left().await, (Some(ids.0), Some(100)));
    assert_eq!(offer(2, Some(500)).await.unwrap().committed(), Fen::new(1_000_000));
    assert_eq!(left().await, (Some(ids.0), Some(500)));
    assert!(matches!(offer(3, Some(501)).await, Err(ChangeError::OverBudget(_))));
    assert!(matches!(offer(3, Some(499)).await, Err(ChangeError::Invalid(_))));
    assert!(matches!(offer(2, None).await, Err(ChangeError::Outdated)));
    assert_eq!(left().await, (Some(ids.0), Some(500)), "nothing of that did anything");

    let without = withdraw_template(&campaigns, &coupons, ids, 3, NOW).await.unwrap();
    assert_eq!(without.committed(), Fen::new(0));
    assert_eq!(left().await, (None, Some(500)));
    let again = withdraw_template(&campaigns, &coupons, ids, 4, NOW).await;
    assert!(matches!(again, Err(ChangeError::TemplateNotFound)));
    let unknown = (campaign(2).id, template_id(1));
    let unknown = offer_template(&campaigns, &coupons, unknown, 1, &NewOffer::default(), NOW).await;
    assert!(matches!(unknown, Err(ChangeError::NotFound)));
    let unknown = (ids.0, template_id(9));
    let unknown = offer_template(&campaigns, &coupons, unknown, 4, &NewOffer::default(), NOW).await;
    assert!(matches!(unknown, Err(ChangeError::TemplateNotFound)));
}

/// Operators of two campaigns want the same templates, in parallel and each with what he last read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_operators_at_once_never_exceed_a_budget() {
    const TEMPLATES: u128 = 4;
    let tables = tables().await;
    for n in [1, 2] {
        tables.campaigns.insert(&campaign(n)).await.unwrap();
    }
    for n in 0..TEMPLATES {
        tables.coupons.insert(&template(n, 10)).await.unwrap();
    }
    let operators = (0..32_u32).map(|n| operator(&tables, n));
    let put_in: u32 = join_all(operators).await.into_iter().sum();
    assert!(put_in > 0, "somebody got through");

    for n in [1, 2] {
        let campaign = tables.campaigns.campaign(campaign(n).id).await.unwrap().unwrap();
        assert!(campaign.committed() <= campaign.budget.unwrap(), "{campaign:?}");
        for template in 0..TEMPLATES {
            let template =
                TemplateStore::template(&tables.coupons, template_id(template)).await.unwrap().unwrap();
            if template.campaign == Some(campaign.id) {
                assert!(campaign.offers[&template.id].committed >= commitment(&template), "{campaign:?}");
                let Stock::Limited(stock) = &template.stock else { unreachable!() };
                assert!(!stock.refilling);
            }
        }
    }
}

/// How many times a template was put in.
async fn operator(tables: &Tables, n: u32) -> u32 {
    let mut put_in = 0;
    for round in 0..8 {
        let draw = n * 7 + round * 13;
        let id = campaign(u128::from(draw % 2) + 1).id;
        let template = template_id(u128::from(draw / 2 % 4));
        let expected = tables.campaigns.campaign(id).await.unwrap().unwrap().version;
        if draw.is_multiple_of(5) {
            let _ =
                withdraw_template(&tables.campaigns, &tables.coupons, (id, template), expected, NOW).await;
        } else if draw.is_multiple_of(11) {
            let budget = Some(Fen::new(500_000 + 100_000 * u64::from(draw % 7)));
            let change = CampaignChange { budget, ..CampaignChange::default() };
            let _ = change_campaign(&tables.campaigns, id, expected, change, NOW).await;
        } else {
            let new = NewOffer { total: Some(50 + draw % 300), ..NewOffer::default() };
            let ids = (id, template);
            let offered = offer_template(&tables.campaigns, &tables.coupons, ids, expected, &new, NOW).await;
            put_in += u32::from(offered.is_ok());
        }
    }
    put_in
}

/// While operators top up as fast as they can, guests take what there is: in the end exactly what the budget covers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guests_get_every_coupon_that_the_budget_covers_and_not_one_more() {
    const COVERED: u32 = 50;
    let tables = tables().await;
    let ids = (campaign(1).id, template_id(1));
    let budget = Some(Fen::new(u64::from(COVERED) * 2_000));
    tables.campaigns.insert(&Campaign { budget, ..campaign(1) }).await.unwrap();
    tables.coupons.insert(&template(1, 10)).await.unwrap();
    top_up(&tables, 10).await.unwrap();
    let start = CampaignChange { status: Some(CampaignStatus::Active), ..CampaignChange::default() };
    change_campaign(&tables.campaigns, ids.0, 2, start, NOW).await.unwrap();

    let guests = join_all((0..60).map(|n| claim(&tables, n)));
    let operators = join_all((11..80).map(|total| top_up(&tables, total)));
    let (early, _) = futures_util::join!(guests, operators);
    top_up(&tables, COVERED).await.unwrap();
    let late = join_all((60..200).map(|n| claim(&tables, n))).await;

    let issued = early.into_iter().chain(late).filter(|&issued| issued).count();
    assert_eq!(issued, COVERED as usize);
    assert!(matches!(top_up(&tables, COVERED + 1).await, Err(ChangeError::OverBudget(_))));
}

async fn top_up(tables: &Tables, total: u32) -> Result<Campaign, ChangeError> {
    let ids = (campaign(1).id, template_id(1));
    let expected = tables.campaigns.campaign(ids.0).await.unwrap().unwrap().version;
    let new = NewOffer { total: Some(total), ..NewOffer::default() };
    offer_template(&tables.campaigns, &tables.coupons, ids, expected, &new, NOW).await
}

/// Whether the guest gets a coupon, of an environment that knows nothing yet.
async fn claim(tables: &Tables, guest: u16) -> bool {
    let wish = ClaimInCampaign {
        campaign: campaign(1).id,
        guest: format!("guest-{guest}").parse().unwrap(),
        groups: Vec::new(),
        choice: Some(template_id(1)),
        key: None,
        code: CouponCode::from_random(guest.into()),
        at: NOW,
        seed: guest.into(),
    };
    let (known, memory) = (CampaignMemory::new(REMEMBERED_FOR), SaleMemory::default());
    claim_in_campaign(&tables.campaigns, &known, &tables.coupons, &memory, &wish).await.is_ok()
}

#[tokio::test]
async fn throttling_is_told_from_an_outage() {
    let read = async |fault: Fault| {
        let store = CampaignTable::new(fault.client(), testing::COUPON_TABLE.into());
        (store.campaign(campaign(1).id).await, store.replace(&campaign(1), 1).await)
    };
    let throttled = read(Fault::Throttling).await;
    assert!(matches!(throttled, (Err(StoreError::Throttled(_)), Err(StoreError::Throttled(_)))));
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled] {
        let down = read(fault).await;
        assert!(
            matches!(down, (Err(StoreError::Unavailable(_)), Err(StoreError::Unavailable(_)))),
            "{fault:?}"
        );
    }
}
