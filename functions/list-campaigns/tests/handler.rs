//! What everybody sees of campaigns, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::Client;
use campaign_dynamodb::CampaignTable;
use coupon_dynamodb::CouponTable;
use domain_campaign::{Audience, Campaign, CampaignStatus, CampaignStore, NewCampaign, Offer};
use domain_coupon::{ClaimStore, Shard, Template, TemplateStore};
use domain_ids::CampaignId;
use jiff::{SignedDuration, Timestamp};
use list_campaigns::handler::{self, FRESH_FOR, Shown};
use serde_json::json;
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW, template_id};

const ALL: &str = "/v1/campaigns";
const ONE: &str = "/v1/campaigns/{id}";

struct Window {
    campaigns: CampaignTable,
    templates: CouponTable,
    shown: Shown,
}

impl Window {
    fn onto(client: Client) -> Self {
        let table = testing::COUPON_TABLE;
        Self {
            campaigns: CampaignTable::new(client.clone(), table.into()),
            templates: CouponTable::new(client, table.into()),
            shown: Shown::new(FRESH_FOR),
        }
    }

    async fn open() -> Self {
        Self::onto(EmbeddedDynamoDb::with_coupon_table().await.0.client())
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        self.ask_at(NOW, request).await
    }

    async fn ask_at(&self, now: Timestamp, request: ApiRequest) -> Answer {
        let request = request.build();
        let answer = handler::handle(&self.campaigns, &self.templates, &self.shown, now, request);
        Answer::of(answer.await.unwrap())
    }
}

fn campaign(n: u128) -> Campaign {
    let new = NewCampaign {
        name: "双十一".into(),
        description: "每人一张".into(),
        starts_at: NOW,
        ends_at: NOW + SignedDuration::from_hours(24),
        audience: Audience::Guests(["ann".parse().unwrap()].into()),
        budget: None,
        split: false,
    };
    let offer = Offer { committed: None, weight: 1, variant: None };
    Campaign {
        status: CampaignStatus::Active,
        offers: [1, 2].map(|n| (template_id(n), offer.clone())).into(),
        ..new.plan(CampaignId::from_parts(1_794_000_000_000, n), NOW).unwrap()
    }
}

fn joined(n: u128) -> Template {
    Template { id: template_id(n), campaign: Some(campaign(1).id), ..testing::template(10) }
}

fn show(n: u128) -> ApiRequest {
    ApiRequest::new("GET", ONE).path("id", &campaign(n).id.to_string())
}

#[tokio::test]
async fn a_campaign_is_shown_with_what_can_be_claimed_in_it() {
    let window = Window::open().await;
    window.campaigns.insert(&campaign(1)).await.unwrap();
    window.templates.insert(&joined(1)).await.unwrap();
    let answer = window.ask(show(1)).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("public, max-age=5")));
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(answer.body, @r#"
        {
          "description": "每人一张",
          "endTime": "2026-11-11T16:00:00Z",
          "id": "01M6SBQ5000000000000000001",
          "name": "双十一",
          "phase": "running",
          "sales": [
            {
              "amountFen": 2000,
              "campaignId": "01M6SBQ5000000000000000001",
              "endTime": "2026-11-11T16:00:00Z",
              "id": "01M6SBQ5000000000000000001",
              "issueMode": "direct",
              "name": "满100减20",
              "perUserLimit": 1,
              "phase": "running",
              "remaining": 10,
              "scope": {},
              "stacking": {
                "type": "exclusive"
              },
              "startTime": "2026-11-10T16:00:00Z",
              "threshold": {
                "amountFen": 10000,
                "type": "amount"
              },
              "totalCount": 10,
              "type": "full_reduction",
              "validDays": 30
            }
          ],
          "split": false,
          "startTime": "2026-11-10T16:00:00Z"
        }
        "#);
    });
}

#[tokio::test]
async fn a_template_that_has_not_joined_is_not_shown() {
    let window = Window::open().await;
    window.campaigns.insert(&campaign(1)).await.unwrap();
    window.templates.insert(&Template { campaign: None, ..joined(1) }).await.unwrap();
    window.templates.insert(&joined(2)).await.unwrap();
    let sales = window.ask(show(1)).await.body["sales"].clone();
    assert_eq!((sales.as_array().unwrap().len(), &sales[0]["id"]), (1, &json!(template_id(2))));
}

#[tokio::test]
async fn what_is_left_is_at_most_five_seconds_old() {
    let window = Window::open().await;
    window.campaigns.insert(&campaign(1)).await.unwrap();
    window.templates.insert(&joined(1)).await.unwrap();
    let left = async |now| window.ask_at(now, show(1)).await.body["sales"][0]["remaining"].as_i64();
    assert_eq!(left(NOW).await, Some(10));
    window.templates.issue(&testing::coupon("ann", 1), Some(Shard(0)), None).await.unwrap();
    assert_eq!(left(NOW + FRESH_FOR - SignedDuration::from_millis(1)).await, Some(10));
    assert_eq!(left(NOW + FRESH_FOR).await, Some(9));
}

#[tokio::test]
async fn a_draft_does_not_exist_and_one_that_is_over_does() {
    let window = Window::open().await;
    window.campaigns.insert(&Campaign { status: CampaignStatus::Draft, ..campaign(1) }).await.unwrap();
    window.campaigns.insert(&Campaign { status: CampaignStatus::Ended, ..campaign(2) }).await.unwrap();
    assert_eq!(window.ask(show(1)).await.problem(), (404, "campaign-not-found"));
    assert_eq!(window.ask(show(2)).await.body["phase"], "ended");
    let long = "0".repeat(10_000);
    for id in ["01KA3Z5QJ8M4T2R7V9X1C6B0NG", "", "x", "../x", "券", &long] {
        let answer = window.ask(ApiRequest::new("GET", ONE).path("id", id)).await;
        assert_eq!(answer.problem(), (404, "campaign-not-found"), "{id:.50}");
    }
    let elsewhere = window.ask(ApiRequest::new("POST", ALL)).await;
    assert_eq!(elsewhere.problem(), (404, "route-not-found"));
}

#[tokio::test]
async fn running_coming_and_paused_campaigns_are_listed_the_next_to_end_first() {
    use CampaignStatus::{Active, Draft, Ended, Paused};
    let window = Window::open().await;
    let campaigns =
        [(5, Active), (3, Active), (9, Paused), (4, Draft), (-1, Active), (6, Ended), (3, Active)];
    for (n, (hours, status)) in (1..).zip(campaigns) {
        let hour = SignedDuration::from_hours(1);
        let (starts_at, ends_at) = (NOW - 10 * hour, NOW + hours * hour);
        window.campaigns.insert(&Campaign { starts_at, ends_at, status, ..campaign(n) }).await.unwrap();
    }
    let expected = [2, 7, 1, 3].map(|n| json!(campaign(n).id));
    for limit in [1, 2, 4, 50] {
        let first = ApiRequest::new("GET", ALL).query("limit", &limit.to_string());
        let pages = testing::pages("id", first, async |request| window.ask(request).await).await;
        assert!(pages.iter().all(|page| page.len() <= limit));
        assert_eq!(pages.concat(), expected, "limit {limit}");
    }
    let page = window.ask(ApiRequest::new("GET", ALL)).await;
    assert_eq!(page.header("cache-control"), Some("public, max-age=5"));
    assert!(!page.body.to_string().contains("ann"), "who may claim is nobody's business");
}

#[tokio::test]
async fn limits_and_cursors_are_checked() {
    let window = Window::open().await;
    window.campaigns.insert(&campaign(1)).await.unwrap();
    let list = ApiRequest::new("GET", ALL);
    testing::assert_paging_is_checked(list, 50, async |request| window.ask(request).await).await;
}

#[tokio::test]
async fn an_outage_is_told_without_a_word_of_its_cause() {
    for request in [ApiRequest::new("GET", ALL), show(1)] {
        testing::assert_faults_are_hidden(async |client| Window::onto(client).ask(request.clone()).await)
            .await;
    }
}

#[tokio::test]
async fn the_sample_events_are_looks_at_campaigns() {
    let window = Window::open().await;
    let id = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap();
    window.campaigns.insert(&Campaign { id, ..campaign(1) }).await.unwrap();
    let ask = async |sample: &str| {
        let request = testing::request(testing::event(sample));
        let answer = handler::handle(&window.campaigns, &window.templates, &window.shown, NOW, request).await;
        Answer::of(answer.unwrap())
    };
    assert_eq!(ask("api/list-campaigns.json").await.items("id"), [json!(id)]);
    assert_eq!(ask("api/list-campaigns-one.json").await.body["id"], json!(id));
}
