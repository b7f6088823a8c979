//! What a run makes of the facts, on an embedded table and on one that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use domain_homestay::SearchRules;
use domain_ids::SearchId;
use domain_search::{
    Chance, Client, HotList, Keyword, MinClients, Salt, Salts, SearchEvent, Searched, Trend, keep,
};
use jiff::{SignedDuration, Timestamp};
use rank_hot_searches::handler::handle;
use search_dynamodb::SearchTable;
use testing::{EmbeddedDynamoDb, Fault, NOW, SEARCH_TABLE};

async fn table() -> SearchTable {
    let (db, name) = EmbeddedDynamoDb::with_search_table().await;
    SearchTable::new(db.client(), name)
}

fn after(minutes: i64) -> Timestamp {
    NOW + SignedDuration::from_mins(minutes)
}

/// So many clients search for a keyword.
async fn search(table: &SearchTable, minutes: i64, keyword: &str, clients: u8) {
    let at = after(minutes);
    let event = |client: u8| {
        let salt: u128 = keyword.bytes().fold(1, |hash, byte| hash * 31 + u128::from(byte));
        SearchEvent::Searched(Searched {
            search: SearchId::from_parts(
                at.as_millisecond().unsigned_abs(),
                (salt << 8) + u128::from(client),
            ),
            at,
            keyword: Keyword::fold(keyword),
            total: 7,
            client: Client::at(&format!("192.0.2.{client}")),
        })
    };
    let events: Vec<SearchEvent> = (0..clients).map(event).collect();
    let chance = Chance { at, salt: Salt([7; 32]), token: 1 };
    assert!(keep(table, &Salts::default(), &events, chance).await.iter().all(Result::is_ok));
}

async fn list(table: &SearchTable) -> Vec<(String, Option<Trend>)> {
    let list = table.hot().await.unwrap().unwrap();
    list.items.into_iter().map(|item| (item.keyword.as_str().to_owned(), item.trend)).collect()
}

fn rules(json: &str) -> SearchRules {
    json.parse().unwrap()
}

#[tokio::test]
async fn what_many_search_for_is_popular_and_what_is_blocked_is_not() {
    let table = table().await;
    search(&table, 1, "西湖", 9).await;
    search(&table, 1, "三里屯", 12).await;
    search(&table, 1, "有违禁词的", 30).await;
    search(&table, 1, "少", 4).await;
    search(&table, 1, "13800138000", 30).await;
    let rules = rules(r#"{"blocked": ["违禁", "ＢＡＤ"]}"#);
    handle(&table, &rules, MinClients::default(), after(5)).await.unwrap();
    assert_eq!(list(&table).await, [("三里屯".into(), None), ("西湖".into(), None)]);
    handle(&table, &rules, MinClients::new(1).unwrap(), after(6)).await.unwrap();
    assert_eq!(list(&table).await.len(), 3);
}

#[tokio::test]
async fn a_run_that_is_repeated_changes_nothing_but_the_time() {
    let table = table().await;
    search(&table, 1, "西湖", 9).await;
    let rules = SearchRules::default();
    for minutes in [5, 5, 6] {
        handle(&table, &rules, MinClients::default(), after(minutes)).await.unwrap();
        let texts: Vec<String> = list(&table).await.into_iter().map(|(text, _)| text).collect();
        assert_eq!(texts, ["西湖"]);
    }
    assert_eq!(table.hot().await.unwrap().unwrap().as_of, after(6));
}

#[tokio::test]
async fn what_was_popular_makes_way_for_what_is() {
    let table = table().await;
    let rules = SearchRules::default();
    search(&table, 1, "西湖", 20).await;
    handle(&table, &rules, MinClients::default(), after(5)).await.unwrap();
    let next_day = 24 * 60;
    search(&table, next_day, "三里屯", 9).await;
    handle(&table, &rules, MinClients::default(), after(next_day + 5)).await.unwrap();
    let expected = [("三里屯".into(), Some(Trend::New)), ("西湖".into(), Some(Trend::Down))];
    assert_eq!(list(&table).await, expected);
    handle(&table, &rules, MinClients::default(), after(80 * 60)).await.unwrap();
    assert_eq!(list(&table).await.len(), 1, "beyond three days nothing counts");
}

#[tokio::test]
async fn before_anybody_searches_the_list_is_empty() {
    let table = table().await;
    handle(&table, &SearchRules::default(), MinClients::default(), NOW).await.unwrap();
    assert_eq!(list(&table).await, []);
}

#[tokio::test]
async fn an_outage_fails_the_run() {
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let table = SearchTable::new(fault.client(), SEARCH_TABLE.into());
        let failed = handle(&table, &SearchRules::default(), MinClients::default(), NOW).await;
        assert!(failed.is_err_and(|error| error.is_retryable()), "{fault:?}");
    }
}
