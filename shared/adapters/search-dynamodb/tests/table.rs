//! The search table, on an embedded one: what it keeps, what it costs, and what it makes of answers that are not those hoped
//! for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::{
    Client as DynamoDb,
    operation::batch_write_item::BatchWriteItemOutput,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use coupon_dynamodb::Units;
use domain_coupon::StoreError;
use domain_ids::{GuestId, SearchId};
use domain_search::{
    Baseline, Baselines, Chance, ClickPosition, Clicked, Client, ClientDigest, Counters, DaySummary, Fact,
    FactStore, HISTORY_KEPT_FOR, HistoryEntry, HotList, HotRules, HotSearch, HotSearches, Hour, HourSummary,
    Keyword, KeywordCount, KeywordVotes, LateHour, MAX_KEYWORDS_OF_AN_HOUR, MinClients, Noted, Period,
    ReportShelf, Salt, Salts, SearchEvent, SearchHistory, Searched, Shelf, Trend, What, keep, refresh,
    remember,
};
use jiff::{SignedDuration, Timestamp, civil::date};
use search_dynamodb::{FACTS_KEPT_FOR, SALTS_KEPT_FOR, SearchTable};
use testing::{EmbeddedDynamoDb, Fault, NOW, SEARCH_TABLE};

async fn table() -> (EmbeddedDynamoDb, SearchTable) {
    let (db, name) = EmbeddedDynamoDb::with_search_table().await;
    let table = SearchTable::new(db.client(), name);
    (db, table)
}

fn at(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

fn search_id(seconds: i64, random: u128) -> SearchId {
    SearchId::from_parts(at(seconds).as_millisecond().unsigned_abs(), random)
}

fn searched(seconds: i64, random: u128, keyword: &str, client: u8) -> SearchEvent {
    SearchEvent::Searched(Searched {
        search: search_id(seconds, random),
        at: at(seconds),
        keyword: Keyword::fold(keyword),
        total: 3,
        client: Client::at(&format!("192.0.2.{client}")),
    })
}

fn clicked(seconds: i64, random: u128, homestay: &str, position: u32) -> SearchEvent {
    SearchEvent::Clicked(Clicked {
        search: search_id(seconds, random),
        at: at(seconds + 10),
        keyword: None,
        homestay: homestay.parse().unwrap(),
        position: ClickPosition::new(position).unwrap(),
        client: Client::at("192.0.2.1"),
    })
}

fn chance(seconds: i64, token: u64) -> Chance {
    Chance { at: at(seconds), salt: Salt([7; 32]), token }
}

fn rules() -> HotRules {
    HotRules { blocked: Vec::new(), min_clients: MinClients::new(2).unwrap() }
}

async fn facts(table: &SearchTable, hour: Hour) -> BTreeSet<Fact> {
    let mut facts = BTreeSet::new();
    let read = table.facts(hour, 1_000_000, |fact| assert!(facts.insert(fact), "each once")).await.unwrap();
    assert_eq!((read.unreadable, read.cut_short), (0, false));
    facts
}

async fn items(db: &EmbeddedDynamoDb) -> Vec<HashMap<String, AttributeValue>> {
    db.client().scan().table_name(SEARCH_TABLE).send().await.unwrap().items.unwrap()
}

#[tokio::test]
async fn an_event_costs_one_write_unit_and_a_repeat_changes_nothing() {
    let (db, table) = table().await;
    let events: Vec<SearchEvent> = (0..60)
        .map(|n| searched(i64::from(n), n.into(), "一个三十个字以内的关键词但是也不算很短的那一种", n))
        .chain((0_u8..60).map(|n| clicked(i64::from(n), n.into(), &"h".repeat(64), 10_000)))
        .collect();
    let salts = Salts::default();
    assert!(keep(&table, &salts, &events, chance(60, 1)).await.iter().all(Result::is_ok));
    assert_eq!(table.consumed().take(), Units::whole(0, 120));
    let first = facts(&table, Hour::of(NOW)).await;
    assert_eq!(first.len(), 120);
    let before = items(&db).await.len();
    assert!(keep(&table, &salts, &events[30..90], chance(90, 2)).await.iter().all(Result::is_ok));
    assert_eq!(facts(&table, Hour::of(NOW)).await, first);
    assert_eq!(items(&db).await.len(), before);
}

#[tokio::test]
async fn nothing_that_is_kept_leads_back_to_who_searched() {
    let (db, table) = table().await;
    let events = [searched(0, 1, "西湖", 77), searched(1, 2, "13800138000", 77)];
    keep(&table, &Salts::default(), &events, chance(1, 1)).await;
    let text = format!("{:?}", items(&db).await);
    assert!(text.contains("西湖") && !text.contains("192.0.2") && !text.contains("138001"), "{text}");
    for item in items(&db).await {
        let ttl: i64 = item["ttl"].as_n().unwrap().parse().unwrap();
        let kept_for =
            if item["pk"] == AttributeValue::S("SALT".into()) { SALTS_KEPT_FOR } else { FACTS_KEPT_FOR };
        assert!(at(ttl - NOW.as_second()) <= Hour::of(NOW).end() + kept_for, "{item:?}");
    }
}

#[tokio::test]
async fn who_asks_first_makes_the_salt_of_a_day() {
    let (_, table) = table().await;
    let (monday, tuesday) = (date(2026, 11, 9), date(2026, 11, 10));
    let salt = async |day, byte| table.salt(day, Salt([byte; 32])).await.unwrap();
    assert_eq!(salt(monday, 1).await, Salt([1; 32]));
    assert_eq!(salt(monday, 2).await, Salt([1; 32]));
    assert_eq!(salt(tuesday, 3).await, Salt([3; 32]));
    let together = futures_util::future::join_all((10..30).map(|byte| salt(date(2026, 11, 11), byte))).await;
    assert!(together.iter().all(|salt| *salt == together[0]));
}

#[tokio::test]
async fn an_hour_is_asked_for_until_nobody_has_asked_since() {
    let (_, table) = table().await;
    let hour = Hour::of(NOW);
    table.ask_for(hour, 1).await.unwrap();
    let late = table.late_hours(10).await.unwrap();
    assert_eq!(late, [LateHour { hour, token: 1 }]);
    table.ask_for(hour, 2).await.unwrap();
    table.done_with(&late[0]).await.unwrap();
    let late = table.late_hours(10).await.unwrap();
    assert_eq!(late, [LateHour { hour, token: 2 }], "it was asked for again");
    table.done_with(&late[0]).await.unwrap();
    table.done_with(&late[0]).await.unwrap();
    assert_eq!(table.late_hours(10).await.unwrap(), []);
    for n in 0..5 {
        table.ask_for(Hour::of(at(n * 3_600)), 1).await.unwrap();
    }
    assert_eq!(table.late_hours(3).await.unwrap().len(), 3);
}

fn count(text: &str, searches: u64) -> KeywordCount {
    KeywordCount { keyword: Keyword::fold(text).unwrap(), searches, zero_result_searches: 1, clicks: 2 }
}

fn hour(hour: Hour, facts: u64) -> HourSummary {
    HourSummary {
        hour,
        facts,
        totals: Counters { searches: facts, ..Counters::default() },
        keywords: vec![count("西湖", facts), count("loft", 1)],
        votes: vec![KeywordVotes {
            keyword: Keyword::fold("西湖").unwrap(),
            votes: facts,
            witnesses: vec![0, u64::MAX],
        }],
    }
}

#[tokio::test]
async fn counts_read_back_and_are_replaced_by_those_of_more_facts_alone() {
    let (_, table) = table().await;
    let this = Hour::of(NOW);
    for facts in [5, 9, 7] {
        table.put_hour(&hour(this, facts)).await.unwrap();
    }
    let stored = table.hours_of(this.day()).await.unwrap();
    assert_eq!(stored, [HourSummary { votes: Vec::new(), ..hour(this, 9) }]);
    let votes = table.votes(this, this).await.unwrap();
    assert_eq!((votes.len(), &votes[0].votes), (1, &hour(this, 9).votes));
    assert_eq!(table.votes(Hour::of(at(3_600)), Hour::of(at(7_200))).await.unwrap(), []);

    let day = |facts| DaySummary::of(this.day(), &[hour(this, facts)]);
    for facts in [5, 9, 7] {
        table.put_day(&day(facts)).await.unwrap();
    }
    let period = Period::new(this.day(), this.day()).unwrap();
    assert_eq!(table.days(&period).await.unwrap(), [day(9)]);
}

#[tokio::test]
async fn the_fullest_hour_fits_into_an_item() {
    let (_, table) = table().await;
    let keywords = (0..MAX_KEYWORDS_OF_AN_HOUR).map(|n| {
        let text = format!("{}{n:04}", "长".repeat(26));
        KeywordCount {
            keyword: Keyword::fold(&text).unwrap(),
            searches: u64::MAX,
            zero_result_searches: u64::MAX,
            clicks: u64::MAX,
        }
    });
    let votes = (0..500).map(|n| KeywordVotes {
        keyword: Keyword::fold(&format!("{}{n:04}", "长".repeat(26))).unwrap(),
        votes: u64::MAX,
        witnesses: vec![u64::MAX; 10],
    });
    let full = HourSummary { keywords: keywords.collect(), votes: votes.collect(), ..hour(Hour::of(NOW), 9) };
    table.put_hour(&full).await.unwrap();
    let units = table.consumed().take().half_writes / 2;
    assert!((200..450).contains(&units), "{units}");
    assert_eq!(table.hours_of(full.hour.day()).await.unwrap()[0].keywords.len(), MAX_KEYWORDS_OF_AN_HOUR);
}

#[tokio::test]
async fn the_list_of_popular_queries_reads_back_and_no_earlier_one_takes_its_place() {
    let (_, table) = table().await;
    assert_eq!(table.hot().await.unwrap(), None);
    let keyword = Keyword::fold("西湖").unwrap();
    let list = |seconds| HotSearches {
        items: vec![HotSearch { keyword: keyword.clone(), trend: Some(Trend::Up) }],
        as_of: at(seconds),
        baseline: Some(Baselines {
            older: Baseline { at: at(seconds - 3_600), keywords: vec![keyword.clone()] },
            newer: Some(Baseline { at: at(seconds - 60), keywords: Vec::new() }),
        }),
    };
    for seconds in [10, 300, 20] {
        table.put_hot(&list(seconds)).await.unwrap();
    }
    assert_eq!(table.hot().await.unwrap(), Some(list(300)));
}

#[tokio::test]
async fn events_become_a_report_and_a_list() {
    let (_, table) = table().await;
    let mut events: Vec<SearchEvent> = (0..3).map(|n| searched(i64::from(n), n.into(), "西湖", n)).collect();
    events.push(searched(5, 50, "loft", 1));
    events.push(clicked(1, 1, "h-1", 2));
    assert!(keep(&table, &Salts::default(), &events, chance(60, 1)).await.iter().all(Result::is_ok));
    let refreshed = refresh(&table, &rules(), at(120)).await.unwrap();
    assert_eq!((refreshed.facts, refreshed.hot), (5, 1));
    let list = table.hot().await.unwrap().unwrap();
    assert_eq!(list.items[0].keyword.as_str(), "西湖");
    let today = Hour::of(NOW).day();
    let days = table.days(&Period::new(today, today).unwrap()).await.unwrap();
    assert_eq!((days[0].totals.searches, days[0].totals.reciprocal_ranks_millionths), (4, 500_000));

    // Something comes for it the day after: the hour is asked for, and counted again.
    let late = [searched(3, 99, "西湖", 9)];
    assert!(keep(&table, &Salts::default(), &late, chance(90_000, 2)).await.iter().all(Result::is_ok));
    assert_eq!(table.late_hours(10).await.unwrap().len(), 1);
    refresh(&table, &rules(), at(90_060)).await.unwrap();
    let days = table.days(&Period::new(today, today).unwrap()).await.unwrap();
    assert_eq!(days[0].totals.searches, 5);
    assert_eq!(table.late_hours(10).await.unwrap(), []);
}

#[tokio::test]
async fn an_hour_of_many_facts_is_read_page_by_page_and_up_to_a_limit() {
    let (_, table) = table().await;
    let mut random = fastrand::Rng::with_seed(7);
    let fact = |n: u128| Fact {
        search: search_id(1, n),
        what: What::Searched {
            keyword: Noted::Text(Keyword::fold(&"长".repeat(30)).unwrap()),
            found: true,
            client: ClientDigest(n.to_ne_bytes()),
        },
    };
    let facts: Vec<Fact> = (0..2_000).map(|_| fact(random.u128(..) >> 48)).collect();
    for chunk in facts.chunks(25) {
        table.keep(chunk).await.unwrap();
    }
    assert_eq!(self::facts(&table, Hour::of(NOW)).await, facts.into_iter().collect());
    let mut taken = 0;
    let read = table.facts(Hour::of(NOW), 100, |_| taken += 1).await.unwrap();
    assert_eq!((taken, read.cut_short), (100, true));
}

#[tokio::test]
async fn an_item_by_other_hands_is_passed_over_and_told_of() {
    let (db, table) = table().await;
    let put = db.client().put_item().table_name(SEARCH_TABLE);
    let put = put.item("pk", AttributeValue::S(format!("FACTS#{}#3", Hour::of(NOW))));
    put.item("sk", AttributeValue::S("nonsense".into())).send().await.unwrap();
    let read = table.facts(Hour::of(NOW), 100, |_| panic!("no fact")).await.unwrap();
    assert_eq!(read.unreadable, 1);
}

#[tokio::test]
async fn one_search_told_of_in_two_ways_is_one_search() {
    let (_, table) = table().await;
    let other = SearchEvent::Searched(Searched {
        total: 0,
        ..match searched(0, 1, "西湖", 1) {
            SearchEvent::Searched(searched) => searched,
            SearchEvent::Clicked(_) => unreachable!(),
        }
    });
    let outcomes = keep(&table, &Salts::default(), &[searched(0, 1, "西湖", 1), other], chance(1, 1)).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(facts(&table, Hour::of(NOW)).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_table_leaves_over_is_written_again_and_in_the_end_told_of() {
    let left_over = || {
        let put = PutRequest::builder().item("pk", AttributeValue::S("x".into())).build().unwrap();
        let request = WriteRequest::builder().put_request(put).build();
        BatchWriteItemOutput::builder().unprocessed_items(SEARCH_TABLE, vec![request]).build()
    };
    let fact = Fact::of(&searched(0, 1, "西湖", 1), &Salt([0; 32]));
    let twice = mock!(DynamoDb::batch_write_item)
        .sequence()
        .output(left_over)
        .times(2)
        .output(|| BatchWriteItemOutput::builder().build())
        .build();
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&twice]);
    SearchTable::new(client, SEARCH_TABLE.into()).keep(std::slice::from_ref(&fact)).await.unwrap();
    assert_eq!(twice.num_calls(), 3);

    let always = mock!(DynamoDb::batch_write_item).then_output(left_over);
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&always]);
    let failed = SearchTable::new(client, SEARCH_TABLE.into()).keep(&[fact]).await;
    assert!(matches!(failed, Err(StoreError::Throttled(_))), "{failed:?}");
    assert_eq!(always.num_calls(), 6);
}

#[tokio::test]
async fn an_outage_is_told_of_and_throttling_told_from_it() {
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let table = SearchTable::new(fault.client(), SEARCH_TABLE.into());
        let fact = Fact::of(&searched(0, 1, "西湖", 1), &Salt([0; 32]));
        let today = Hour::of(NOW).day();
        let failures = [
            table.keep(&[fact]).await.unwrap_err(),
            table.salt(today, Salt([0; 32])).await.unwrap_err(),
            table.ask_for(Hour::of(NOW), 1).await.unwrap_err(),
            table.facts(Hour::of(NOW), 1, |_| {}).await.unwrap_err(),
            table.hot().await.unwrap_err(),
            table.put_hour(&hour(Hour::of(NOW), 1)).await.unwrap_err(),
            table.days(&Period::new(today, today).unwrap()).await.unwrap_err(),
            table.entries(&"ann".parse().unwrap(), 1).await.unwrap_err(),
        ];
        for failure in failures {
            assert_eq!(
                matches!(failure, StoreError::Throttled(_)),
                fault == Fault::Throttling,
                "{failure:?}"
            );
            assert!(failure.is_retryable());
        }
    }
}

#[tokio::test]
async fn a_history_is_its_guests_own_and_costs_a_unit_and_a_look() {
    let (_, table) = table().await;
    let (ann, bob): (GuestId, GuestId) = ("ann".parse().unwrap(), "bob".parse().unwrap());
    let entry = remember(&table, &ann, "Great Wall".parse().unwrap(), NOW).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(1, 1));
    assert_eq!(table.entries(&ann, 10).await.unwrap(), vec![entry.clone()]);
    assert_eq!(table.entries(&bob, 10).await.unwrap(), []);
    assert!(!table.delete(&bob, entry.id).await.unwrap());
    let earlier = HistoryEntry { searched_at: at(-60), ..entry.clone() };
    table.put(&ann, &earlier).await.unwrap();
    assert_eq!(table.entries(&ann, 10).await.unwrap(), vec![entry.clone()], "requests come in any order");
    assert!(table.delete(&ann, entry.id).await.unwrap());
    assert!(!table.delete(&ann, entry.id).await.unwrap());
}

#[tokio::test]
async fn a_history_has_fifty_entries_which_expire_and_are_all_deleted() {
    let (db, table) = table().await;
    let ann: GuestId = "ann".parse().unwrap();
    for n in 0..53 {
        remember(&table, &ann, format!("第{n}家").parse().unwrap(), at(n)).await.unwrap();
    }
    let entries: BTreeMap<Timestamp, String> = table
        .entries(&ann, 100)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| (entry.searched_at, entry.typed.as_str().to_owned()))
        .collect();
    assert_eq!((entries.len(), entries[&at(3)].as_str()), (50, "第3家"));
    for item in items(&db).await {
        let ttl: i64 = item["ttl"].as_n().unwrap().parse().unwrap();
        assert!(ttl <= (at(60) + HISTORY_KEPT_FOR).as_second());
    }
    domain_search::forget(&table, &ann).await.unwrap();
    assert_eq!(items(&db).await.len(), 0);
}
