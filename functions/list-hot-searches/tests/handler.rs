//! What everybody is shown, on an embedded table and on one that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use domain_search::{HotMemory, HotSearch, HotSearches, Keyword, Shelf, Trend};
use jiff::{SignedDuration, Timestamp};
use list_hot_searches::handler;
use search_dynamodb::SearchTable;
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, Fault, NOW, SEARCH_TABLE, assert_faults_are_hidden};

const ROUTE: &str = "/v1/homestays/hot-searches";

struct Desk {
    table: SearchTable,
    memory: HotMemory,
}

impl Desk {
    async fn open() -> Self {
        let (db, name) = EmbeddedDynamoDb::with_search_table().await;
        Self { table: SearchTable::new(db.client(), name), memory: HotMemory::default() }
    }

    async fn put(&self, number: usize, as_of: Timestamp) {
        let item = |n: usize| HotSearch {
            keyword: Keyword::fold(&format!("第{n}家")).unwrap(),
            trend: (n > 1).then_some(Trend::New),
        };
        let list = HotSearches { items: (1..=number).map(item).collect(), as_of, baseline: None };
        self.table.put_hot(&list).await.unwrap();
    }

    async fn ask_at(&self, now: Timestamp, request: ApiRequest) -> Answer {
        Answer::of(handler::handle(&self.table, &self.memory, now, request.build()).await.unwrap())
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        self.ask_at(NOW, request).await
    }
}

fn get() -> ApiRequest {
    ApiRequest::new("GET", ROUTE)
}

#[tokio::test]
async fn the_sample_event_lists_popular_queries_for_everybody_to_keep() {
    let desk = Desk::open().await;
    desk.put(2, NOW).await;
    let request = testing::request(testing::event("api/list-hot-searches.json"));
    let answer = Answer::of(handler::handle(&desk.table, &desk.memory, NOW, request).await.unwrap());
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("public, max-age=30")));
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(answer.body, @r#"
        {
          "asOf": "2026-11-10T16:00:00Z",
          "items": [
            {
              "keyword": "第1家",
              "rank": 1
            },
            {
              "keyword": "第2家",
              "rank": 2,
              "trend": "new"
            }
          ]
        }
        "#);
    });
}

#[tokio::test]
async fn before_there_is_a_list_it_is_empty() {
    let answer = Desk::open().await.ask(get()).await;
    assert_eq!((answer.status, answer.items("keyword").len()), (200, 0));
}

#[tokio::test]
async fn a_limit_is_1_to_50_and_20_without_one() {
    let desk = Desk::open().await;
    desk.put(50, NOW).await;
    let number = async |limit: &str| desk.ask(get().query("limit", limit)).await.items("rank").len();
    assert_eq!((number("1").await, number("50").await), (1, 50));
    assert_eq!(desk.ask(get()).await.items("rank").len(), 20);
    for limit in ["0", "51", "x", ""] {
        let refused = desk.ask(get().query("limit", limit)).await;
        assert_eq!((refused.problem(), refused.fields()), ((400, "invalid-parameter"), "limit".into()));
        assert_eq!(refused.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn a_new_list_is_seen_after_half_a_minute_and_an_outage_not_at_all() {
    let desk = Desk::open().await;
    desk.put(1, NOW).await;
    assert_eq!(desk.ask(get()).await.items("rank").len(), 1);
    desk.put(2, NOW + SignedDuration::from_secs(1)).await;
    let after = async |seconds| desk.ask_at(NOW + SignedDuration::from_secs(seconds), get()).await;
    assert_eq!(after(29).await.items("rank").len(), 1);
    assert_eq!(after(30).await.items("rank").len(), 2);
    let down = SearchTable::new(Fault::Broken.client(), SEARCH_TABLE.into());
    let now = NOW + SignedDuration::from_mins(5);
    let answer = Answer::of(handler::handle(&down, &desk.memory, now, get().build()).await.unwrap());
    assert_eq!((answer.status, answer.items("rank").len()), (200, 2));
}

#[tokio::test]
async fn a_store_outage_is_hidden() {
    assert_faults_are_hidden(async |client| {
        let desk =
            Desk { table: SearchTable::new(client, SEARCH_TABLE.into()), memory: HotMemory::default() };
        desk.ask(get()).await
    })
    .await;
}
