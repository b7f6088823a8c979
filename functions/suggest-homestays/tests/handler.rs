//! What somebody is proposed while typing, on an index and a list in memory.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use domain_coupon::StoreError;
use domain_homestay::{Facets, Found, IndexError, IndexQuery, SearchIndex, SuggestMemory, TitleFound};
use domain_search::{HotList, HotSearch, HotSearches, Keyword};
use domain_text::Prefix;
use jiff::Timestamp;
use serde_json::json;
use suggest_homestays::handler::{Parts, handle};
use testing::{Answer, ApiRequest};

const ROUTE: &str = "/v1/homestays/suggest";
const NOW: Timestamp = Timestamp::constant(1_794_326_400, 0);

#[derive(Default)]
struct Index {
    is_down: AtomicBool,
}

impl Index {
    fn answer<T>(&self, value: T) -> Result<T, IndexError> {
        if self.is_down.load(Relaxed) { Err(IndexError::Unavailable("secret".into())) } else { Ok(value) }
    }
}

impl SearchIndex for Index {
    async fn search(&self, _query: &IndexQuery) -> Result<Found, IndexError> {
        let cities = vec![("北京".to_owned(), 30)];
        let facets = Facets { cities, districts: vec![("朝阳区".to_owned(), 20)], ..Facets::default() };
        self.answer(Found { total: 30, hits: Vec::new(), facets: Some(facets) })
    }

    async fn titles(&self, typed: &Prefix, limit: usize) -> Result<Vec<TitleFound>, IndexError> {
        let titles = ["三里屯阳光大床房", "三里屯太古里公寓"].into_iter().zip(["h-1", "h-2"]);
        let found = titles.filter(|(title, _)| typed.matches(title)).take(limit);
        self.answer(
            found
                .map(|(title, id)| TitleFound { id: id.parse().unwrap(), title: title.to_owned() })
                .collect(),
        )
    }

    async fn words(&self, _limit: usize) -> Result<Vec<(String, u32)>, IndexError> {
        self.answer(vec![("三里屯".to_owned(), 12)])
    }
}

#[derive(Default)]
struct Hot {
    is_down: AtomicBool,
    is_new: AtomicBool,
}

impl HotList for Hot {
    async fn hot(&self) -> Result<Option<HotSearches>, StoreError> {
        if self.is_down.load(Relaxed) {
            return Err(StoreError::Unavailable("secret".into()));
        }
        let items = ["三里屯 民宿", "国贸"]
            .map(|text| HotSearch { keyword: Keyword::fold(text).unwrap(), trend: None });
        let list = HotSearches { items: items.into(), as_of: NOW, baseline: None };
        Ok((!self.is_new.load(Relaxed)).then_some(list))
    }
}

fn site() -> Parts<Index, Hot> {
    Parts { index: Index::default(), hot: Hot::default(), memory: SuggestMemory::default() }
}

async fn ask(site: &Parts<Index, Hot>, request: platform_http::Request) -> Answer {
    Answer::of(handle(site, NOW, request).await.unwrap())
}

async fn get(site: &Parts<Index, Hot>, query: &[(&str, &str)]) -> Answer {
    let request =
        query.iter().fold(ApiRequest::new("GET", ROUTE), |request, (name, value)| request.query(name, value));
    ask(site, request.build()).await
}

#[tokio::test]
async fn places_queries_and_titles_are_proposed_with_what_was_typed_marked() {
    let answer = get(&site(), &[("q", "sanlit")]).await;
    assert_eq!(answer.status, 200);
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(answer.body);
    });
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
}

#[tokio::test]
async fn the_sample_event_is_answered() {
    let answer = ask(&site(), testing::request(testing::event("api/suggest-homestays.json"))).await;
    assert_eq!(answer.items("text").first(), Some(&json!("三里屯")));
}

#[tokio::test]
async fn with_nothing_typed_the_popular_ones_are_proposed() {
    for query in [&[][..], &[("q", "")], &[("q", " ")]] {
        assert_eq!(get(&site(), query).await.items("text"), ["三里屯 民宿", "国贸"]);
    }
    let site = site();
    site.hot.is_new.store(true, Relaxed);
    let before_there_were_any = get(&site, &[]).await;
    assert_eq!((before_there_were_any.status, before_there_were_any.body), (200, json!({ "items": [] })));
}

#[tokio::test]
async fn a_parameter_that_is_not_valid_is_named() {
    let long = "x".repeat(201);
    // As hanzi, each nine bytes of the address, the gateway would not let it through.
    let very_long = "x".repeat(10_000);
    for (field, query) in [
        ("q", vec![("q", long.as_str())]),
        ("q", vec![("q", &very_long)]),
        ("q", vec![("q", "a"), ("q", "b")]),
        ("limit", vec![("limit", "0")]),
        ("limit", vec![("limit", "21")]),
        ("limit", vec![("limit", "ten")]),
    ] {
        let answer = get(&site(), &query).await;
        assert_eq!(
            (answer.problem(), answer.fields()),
            ((400, "invalid-parameter"), field.to_owned()),
            "{query:?}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn a_table_outage_costs_the_popular_queries_alone_and_is_not_cached() {
    let site = site();
    site.hot.is_down.store(true, Relaxed);
    let answer = get(&site, &[("q", "sanlit")]).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    assert!(!answer.items("kind").contains(&json!("query")) && !answer.items("kind").is_empty());
}

#[tokio::test]
async fn an_index_outage_is_503_and_leaks_nothing_unless_something_is_known() {
    let cold = site();
    cold.index.is_down.store(true, Relaxed);
    let answer = get(&cold, &[("q", "beij")]).await;
    assert_eq!((answer.problem(), answer.header("retry-after")), ((503, "try-again"), Some("1")));
    assert!(!answer.body.to_string().contains("secret"));
    let warm = site();
    warm.warm_up(NOW).await;
    warm.index.is_down.store(true, Relaxed);
    let answer = get(&warm, &[("q", "beij")]).await;
    assert_eq!((answer.status, answer.items("text")), (200, vec![json!("北京")]));
}

#[tokio::test]
async fn another_route_is_not_found() {
    let answer = ask(&site(), ApiRequest::new("GET", "/v1/homestays/suggestions").build()).await;
    assert_eq!(answer.problem(), (404, "route-not-found"));
}
