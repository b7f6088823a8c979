//! What an operator is shown, on an embedded table and on one that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::Client as DynamoDb;
use domain_ids::SearchId;
use domain_search::{
    Chance, ClickPosition, Clicked, Client, HotRules, Keyword, MinClients, Salt, Salts, SearchEvent,
    Searched, keep, refresh,
};
use jiff::{SignedDuration, Timestamp};
use search_dynamodb::SearchTable;
use serde_json::{Value, json};
use show_search_report::handler;
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW, SEARCH_TABLE, assert_faults_are_hidden};

const ROUTE: &str = "/v1/admin/search-report";

struct Desk(SearchTable);

impl Desk {
    fn at(client: DynamoDb) -> Self {
        Self(SearchTable::new(client, SEARCH_TABLE.into()))
    }

    async fn open() -> Self {
        Self::at(EmbeddedDynamoDb::with_search_table().await.0.client())
    }

    /// Searches, each some seconds after the beginning, and where what was opened of them stood.
    async fn count(&self, searches: &[(i64, &str, u64, &[u32])]) {
        let mut events = Vec::new();
        for (n, (seconds, keyword, total, positions)) in (0_u128..).zip(searches) {
            let at = after(*seconds);
            let search = SearchId::from_parts(at.as_millisecond().unsigned_abs(), n);
            let (keyword, client) = (Keyword::fold(keyword), Client::at("192.0.2.1"));
            for (n, position) in (1..).zip(*positions) {
                events.push(SearchEvent::Clicked(Clicked {
                    search,
                    at: at + SignedDuration::from_secs(n),
                    keyword: keyword.clone(),
                    homestay: format!("h-{position}").parse().unwrap(),
                    position: ClickPosition::new(*position).unwrap(),
                    client: client.clone(),
                }));
            }
            events.push(SearchEvent::Searched(Searched { search, at, keyword, total: *total, client }));
        }
        let now = NOW + SignedDuration::from_mins(10);
        let chance = Chance { at: now, salt: Salt([7; 32]), token: 1 };
        assert!(keep(&self.0, &Salts::default(), &events, chance).await.iter().all(Result::is_ok));
        let rules = HotRules { blocked: Vec::new(), min_clients: MinClients::default() };
        refresh(&self.0, &rules, now).await.unwrap();
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        Answer::of(handler::handle(&self.0, NOW, request.build()).await.unwrap())
    }
}

fn after(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

fn report() -> ApiRequest {
    ApiRequest::new("GET", ROUTE).caller("eve", &["admin"])
}

#[tokio::test]
async fn the_sample_event_reports_on_searches() {
    let desk = Desk::open().await;
    desk.count(&[
        (-100, "西湖", 9, &[2, 1]),
        (1, "西湖", 9, &[1]),
        (2, "西湖", 9, &[]),
        (3, "不存在", 0, &[]),
        (4, "", 20, &[4]),
        (5, "13800138000", 0, &[]),
    ])
    .await;
    let request = testing::request(testing::event("api/show-search-report.json"));
    let answer = Answer::of(handler::handle(&desk.0, NOW, request).await.unwrap());
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    insta::with_settings!({ sort_maps => true }, { insta::assert_json_snapshot!(answer.body) });
}

#[tokio::test]
async fn without_a_period_it_is_the_last_week_without_gaps() {
    let desk = Desk::open().await;
    let week = desk.ask(report()).await;
    assert_eq!((&week.body["from"], &week.body["to"]), (&json!("2026-11-05"), &json!("2026-11-11")));
    let days: Vec<&Value> = week.body["days"].as_array().unwrap().iter().map(|day| &day["day"]).collect();
    assert_eq!((days.len(), days[0], days[6]), (7, &json!("2026-11-05"), &json!("2026-11-11")));
    assert_eq!(week.body["totals"]["clickThroughBasisPoints"], 0);
}

#[tokio::test]
async fn a_period_has_92_days_at_most() {
    let desk = Desk::open().await;
    let between = |from: &str, to: &str| report().query("from", from).query("to", to);
    assert_eq!(desk.ask(between("2026-01-01", "2026-04-02")).await.status, 200);
    for (from, to, field) in [
        ("2026-01-01", "2026-04-03", "from"),
        ("2026-11-11", "2026-11-10", "to"),
        ("2026-11-1", "2026-11-10", "from"),
        ("2026-02-30", "2026-11-10", "from"),
        ("2026-11-01T00:00", "2026-11-10", "from"),
        ("2026-11-01", "x", "to"),
        ("2026-11-01", "", "to"),
        ("-009999-01-01", "9999-12-31", "from"),
    ] {
        let refused = desk.ask(between(from, to)).await;
        let told = (refused.problem(), refused.fields());
        assert_eq!(told, ((400, "invalid-parameter"), field.into()), "{from} {to}");
    }
}

#[tokio::test]
async fn only_operators_see_it() {
    let desk = Desk::open().await;
    assert_eq!(desk.ask(ApiRequest::new("GET", ROUTE)).await.problem(), (401, "unauthenticated"));
    let guest = ApiRequest::new("GET", ROUTE).caller("ann", &["host"]);
    assert_eq!(desk.ask(guest).await.problem(), (403, "forbidden"));
}

#[tokio::test]
async fn a_store_outage_is_hidden() {
    assert_faults_are_hidden(async |client| Desk::at(client).ask(report()).await).await;
}
