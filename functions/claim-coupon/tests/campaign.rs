//! What a guest who claims in a campaign gets, on an embedded table and on one that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{cell::Cell, collections::BTreeSet};

use campaign_dynamodb::CampaignTable;
use claim_coupon::{
    campaign,
    handler::{self, Chance},
};
use coupon_dynamodb::CouponTable;
use domain_campaign::{
    Audience, Campaign, CampaignMemory, CampaignStatus, CampaignStore, NewCampaign, Offer, REMEMBERED_FOR,
};
use domain_coupon::{SaleMemory, Template, TemplateStore};
use domain_ids::CampaignId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW, template_id};

struct Sale {
    campaigns: CampaignTable,
    known: CampaignMemory,
    coupons: CouponTable,
    memory: SaleMemory,
    claims: Cell<u64>,
}

fn id() -> CampaignId {
    CampaignId::from_parts(1_794_000_000_000, 1)
}

/// An active campaign for everyone, with two templates of weight 1.
fn two_templates() -> Campaign {
    let new = NewCampaign {
        name: "双十一".into(),
        description: String::new(),
        starts_at: NOW,
        ends_at: NOW + SignedDuration::from_hours(24),
        audience: Audience::Everyone,
        budget: None,
        split: false,
    };
    let offer = Offer { committed: None, weight: 1, variant: None };
    Campaign {
        status: CampaignStatus::Active,
        offers: [1, 2].map(|n| (template_id(n), offer.clone())).into(),
        ..new.plan(id(), NOW).unwrap()
    }
}

impl Sale {
    async fn of(change: impl FnOnce(&mut Campaign)) -> Self {
        let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
        let sale = Self {
            campaigns: CampaignTable::new(db.client(), name.clone()),
            known: CampaignMemory::new(REMEMBERED_FOR),
            coupons: CouponTable::new(db.client(), name),
            memory: SaleMemory::default(),
            claims: 0.into(),
        };
        let mut campaign = two_templates();
        change(&mut campaign);
        sale.campaigns.insert(&campaign).await.unwrap();
        for n in [1, 2] {
            let template =
                Template { id: template_id(n), campaign: Some(campaign.id), ..testing::template(100) };
            sale.coupons.insert(&template).await.unwrap();
        }
        sale
    }

    async fn claim(&self, request: ApiRequest) -> Answer {
        self.claim_at(NOW, request).await
    }

    async fn claim_at(&self, at: Timestamp, request: ApiRequest) -> Answer {
        self.claims.set(self.claims.get() + 1);
        let chance = Chance { at, code: u128::from(self.claims.get()), seed: 7 };
        let request = request.build();
        let answer =
            campaign::handle(&self.campaigns, &self.known, &self.coupons, &self.memory, chance, request);
        Answer::of(answer.await.unwrap())
    }
}

fn to(id: &str) -> ApiRequest {
    ApiRequest::new("POST", campaign::ROUTE.trim_start_matches("POST ")).path("id", id)
}

fn from(guest: &str) -> ApiRequest {
    to(&id().to_string()).caller(guest, &["guest"])
}

fn choosing(guest: &str, template: u128) -> ApiRequest {
    from(guest).json(&json!({ "templateId": template_id(template) }))
}

#[tokio::test]
async fn a_guest_gets_the_coupon_that_was_chosen() {
    let sale = Sale::of(|_| {}).await;
    for template in [1, 2] {
        let answer = sale.claim(choosing("ann", template)).await;
        assert_eq!((answer.status, &answer.body["templateId"]), (201, &json!(template_id(template))));
        let location = format!("/v1/me/coupons/{}", answer.body["id"].as_str().unwrap());
        assert_eq!(answer.header("location"), Some(location.as_str()));
    }
    let again = sale.claim(choosing("ann", 1)).await;
    assert_eq!(again.problem(), (409, "claim-limit-reached"));
}

#[tokio::test]
async fn a_campaigns_template_is_not_claimed_directly() {
    let sale = Sale::of(|_| {}).await;
    let request = ApiRequest::new("POST", "/v1/coupon-templates/{id}/claims")
        .path("id", &template_id(1).to_string())
        .caller("ann", &["guest"]);
    let chance = Chance { at: NOW, code: 1, seed: 1 };
    let answer = handler::handle(&sale.coupons, &sale.memory, chance, request.build()).await.unwrap();
    assert_eq!(Answer::of(answer).problem(), (409, "campaign-only"));
}

#[tokio::test]
async fn a_split_gives_each_guest_one_variant_and_stays_with_it() {
    let sale = Sale::of(|campaign| campaign.split = true).await;
    let mut variants = BTreeSet::new();
    for n in 0..20 {
        let guest = format!("guest-{n}");
        let first = sale.claim(from(&guest)).await;
        assert_eq!(first.status, 201, "{}", first.body);
        variants.insert(first.body["templateId"].as_str().unwrap().to_owned());
        let again = sale.claim(from(&guest).json(&json!({}))).await;
        assert_eq!(again.problem(), (409, "claim-limit-reached"), "the same variant again");
    }
    assert_eq!(variants.len(), 2);
    let chosen = sale.claim(choosing("ann", 1)).await;
    assert_eq!((chosen.problem(), chosen.fields().as_str()), ((422, "invalid-body"), "templateId"));
}

#[tokio::test]
async fn a_variant_of_weight_0_is_given_to_nobody() {
    let sale = Sale::of(|campaign| {
        campaign.split = true;
        campaign.offers.get_mut(&template_id(1)).unwrap().weight = 0;
    })
    .await;
    for n in 0..20 {
        let answer = sale.claim(from(&format!("guest-{n}"))).await;
        assert_eq!(answer.body["templateId"], json!(template_id(2)));
    }
}

#[tokio::test]
async fn a_repeat_with_the_same_key_is_201_with_the_same_coupon_also_when_the_campaign_is_over() {
    for split in [false, true] {
        let sale = Sale::of(|campaign| campaign.split = split).await;
        let request = |key| {
            let request = if split { from("ann") } else { choosing("ann", 2) };
            request.header("Idempotency-Key", key)
        };
        let first = sale.claim(request("retry-1")).await;
        for at in [NOW, NOW + SignedDuration::from_hours(24)] {
            let repeat = sale.claim_at(at, request("retry-1")).await;
            assert_eq!((repeat.status, &repeat.body["id"]), (201, &first.body["id"]));
            assert_eq!(repeat.header("idempotent-replayed"), Some("true"));
        }
        let late = NOW + SignedDuration::from_hours(24);
        let other = sale.claim_at(late, request("other")).await;
        assert_eq!(other.problem(), (409, "campaign-not-running"));
    }
}

#[tokio::test]
async fn a_campaign_that_does_not_run_tells_where_it_stands() {
    let hour = SignedDuration::from_hours(1);
    let table = [
        (CampaignStatus::Active, NOW - hour, "coming"),
        (CampaignStatus::Active, NOW + 24 * hour, "ended"),
        (CampaignStatus::Paused, NOW, "paused"),
        (CampaignStatus::Ended, NOW, "ended"),
    ];
    for (status, at, phase) in table {
        let sale = Sale::of(|campaign| campaign.status = status).await;
        let refused = sale.claim_at(at, choosing("ann", 1)).await;
        assert_eq!(refused.problem(), (409, "campaign-not-running"));
        assert_eq!(refused.body["phase"], phase);
        assert_eq!(
            [&refused.body["startTime"], &refused.body["endTime"]],
            [&json!(NOW), &json!(NOW + 24 * hour)]
        );
    }
    let draft = Sale::of(|campaign| campaign.status = CampaignStatus::Draft).await;
    assert_eq!(draft.claim(choosing("ann", 1)).await.problem(), (404, "campaign-not-found"));
}

#[tokio::test]
async fn a_pause_is_seen_after_two_seconds() {
    let sale = Sale::of(|_| {}).await;
    assert_eq!(sale.claim(choosing("ann", 1)).await.status, 201);
    let paused = Campaign { status: CampaignStatus::Paused, version: 2, ..two_templates() };
    assert!(sale.campaigns.replace(&paused, 1).await.unwrap());
    let just_before = NOW + REMEMBERED_FOR - SignedDuration::from_millis(1);
    assert_eq!(sale.claim_at(just_before, choosing("bob", 1)).await.status, 201);
    let refused = sale.claim_at(NOW + REMEMBERED_FOR, choosing("eve", 1)).await;
    assert_eq!(refused.problem(), (409, "campaign-not-running"));
}

#[tokio::test]
async fn only_the_audience_may_claim() {
    let audiences =
        [Audience::Groups(["vip".to_owned()].into()), Audience::Guests(["ann".parse().unwrap()].into())];
    for audience in audiences {
        let sale = Sale::of(|campaign| campaign.audience = audience).await;
        assert_eq!(sale.claim(choosing("bob", 1)).await.problem(), (403, "not-in-audience"));
        let ann = choosing("ann", 1).caller("ann", &["guest", "vip"]);
        assert_eq!(sale.claim(ann).await.status, 201);
    }
}

#[tokio::test]
async fn a_guest_who_does_not_choose_is_told_what_there_is() {
    let sale = Sale::of(|_| {}).await;
    for request in
        [from("ann"), from("ann").json(&json!({})), from("ann").json(&json!({ "templateId": null }))]
    {
        let refused = sale.claim(request).await;
        assert_eq!(refused.problem(), (422, "choose-a-template"));
        assert_eq!(refused.body["templateIds"], json!([template_id(1), template_id(2)]));
    }
}

#[tokio::test]
async fn bad_input_is_refused_by_name() {
    let sale = Sale::of(|_| {}).await;
    let known = id().to_string();
    let typed = |body: &Value| from("ann").json(body);
    let table = [
        (to(&known), 401, "unauthenticated"),
        (to(&known).caller("", &[]), 401, "unauthenticated"),
        (to(&known).caller("a#b", &[]), 401, "unauthenticated"),
        (to("01KA3Z5QJ8M4T2R7V9X1C6B0NG").caller("ann", &[]), 404, "campaign-not-found"),
        (to(&known.to_lowercase()).caller("ann", &[]), 404, "campaign-not-found"),
        (to("x").caller("ann", &[]), 404, "campaign-not-found"),
        (to(&"9".repeat(10_000)).caller("ann", &[]), 404, "campaign-not-found"),
        (from("ann").header("Idempotency-Key", ""), 400, "invalid-idempotency-key"),
        (choosing("ann", 3), 404, "template-not-found"),
        (typed(&json!({ "templateId": "x" })), 422, "invalid-body"),
        (typed(&json!({ "templateId": 7 })), 422, "invalid-body"),
        (typed(&json!({ "template": "x" })), 422, "invalid-body"),
        (typed(&json!([])), 422, "invalid-body"),
        (typed(&json!({ "templateId": "9".repeat(70_000) })), 413, "body-too-large"),
        (from("ann").header("content-type", "application/json").body("{"), 400, "invalid-json"),
        (from("ann").header("content-type", "text/plain").body("{}"), 415, "unsupported-media-type"),
    ];
    for (request, status, slug) in table {
        let shown = format!("{request:?}");
        assert_eq!(sale.claim(request).await.problem(), (status, slug), "{}", &shown[..shown.len().min(300)]);
    }
    assert_eq!(sale.claim(choosing("ann", 1)).await.status, 201, "none of it took anything");
}

#[tokio::test]
async fn an_outage_is_told_without_a_word_of_its_cause() {
    let known = two_templates();
    for remembered in [false, true] {
        testing::assert_faults_are_hidden(async |client| {
            let sale = Sale {
                campaigns: CampaignTable::new(client.clone(), testing::COUPON_TABLE.into()),
                known: CampaignMemory::new(REMEMBERED_FOR),
                coupons: CouponTable::new(client, testing::COUPON_TABLE.into()),
                memory: SaleMemory::default(),
                claims: 0.into(),
            };
            if remembered {
                sale.known.learn(known.id, Some(known.clone().into()), NOW);
            }
            sale.claim(choosing("ann", 1)).await
        })
        .await;
    }
}

#[tokio::test]
async fn the_sample_event_is_a_claim_in_a_campaign() {
    let template = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap();
    let sale = Sale::of(|campaign| {
        campaign.id = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap();
        campaign.offers.insert(template, Offer { committed: None, weight: 1, variant: None });
    })
    .await;
    let campaign = Some("01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap());
    sale.coupons.insert(&Template { id: template, campaign, ..testing::template(1) }).await.unwrap();
    let request = testing::request(testing::event("api/claim-coupon-in-campaign.json"));
    assert_eq!(platform_http::route_key(&request), campaign::ROUTE);
    let chance = Chance { at: NOW, code: 1, seed: 1 };
    let answer =
        campaign::handle(&sale.campaigns, &sale.known, &sale.coupons, &sale.memory, chance, request).await;
    assert_eq!(answer.unwrap().status(), 201);
}
