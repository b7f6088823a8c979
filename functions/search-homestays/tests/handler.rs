//! What guests and operators are answered, on an index and a log in memory.
#![expect(
    clippy::unwrap_used,
    clippy::float_arithmetic,
    reason = "a test that cannot go on has failed; keys are floats"
)]

use std::{
    future::pending,
    sync::{
        Mutex,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
};

use domain_coupon::StoreError;
use domain_homestay::{
    Bucket, Document, Facets, Facility, Found, GeoPoint, Hit, IndexError, IndexQuery, Position, Rating,
    RoomType, SearchIndex, SearchRules, Start, TitleFound, Vocabulary,
};
use domain_search::{SearchEvent, SearchLog, Searched};
use domain_text::{Analyzer, Prefix};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use search_homestays::{
    Measured,
    handler::{Chance, Parts, handle},
};
use serde_json::{Value, json};
use testing::{Answer, ApiRequest};

const SEARCH: &str = "/v1/homestays/search";
const ADMIN: &str = "/v1/admin/homestays/search";
const NOW: Timestamp = Timestamp::constant(1_794_326_400, 0);
const CHANCE: Chance = Chance { at: NOW, search: 7 };

type Failure = fn() -> IndexError;

/// So many homestays, `h-01` the best, whatever is asked for.
#[derive(Default)]
struct Index {
    count: usize,
    failure: Mutex<Option<Failure>>,
    queries: Mutex<Vec<IndexQuery>>,
}

impl SearchIndex for Index {
    async fn search(&self, query: &IndexQuery) -> Result<Found, IndexError> {
        self.queries.lock().unwrap().push(query.clone());
        if let Some(failure) = *self.failure.lock().unwrap() {
            return Err(failure());
        }
        let behind = match &query.start {
            Start::Offset(offset) => *offset as usize,
            Start::After(position) => position.id.as_str()[2..].parse().unwrap(),
        };
        let numbers = behind + 1..=self.count;
        let hits = numbers.take(query.limit.into()).map(|number| hit(number, query)).collect();
        Ok(Found { total: self.count as u64, hits, facets: query.facets.then(facets) })
    }

    async fn titles(&self, _typed: &Prefix, _limit: usize) -> Result<Vec<TitleFound>, IndexError> {
        unreachable!("nobody completes anything here")
    }

    async fn words(&self, _limit: usize) -> Result<Vec<(String, u32)>, IndexError> {
        Ok(Vec::new())
    }
}

fn hit(number: usize, query: &IndexQuery) -> Hit {
    let document = Document {
        id: format!("h-{number:02}").parse().unwrap(),
        host: "host-of-secrets".parse().unwrap(),
        title: "三里屯阳光大床房".to_owned(),
        subtitle: "近地铁".to_owned(),
        info: "安静，步行到三里屯。".to_owned(),
        location: GeoPoint::new(39.936, 116.4546).unwrap(),
        city: "北京".to_owned(),
        district: "朝阳区".to_owned(),
        price: domain_money::Fen::new(29_900),
        rating: Rating { hundredths: 485, count: u32::from(number != 2) * 12 },
        sales: 30,
        room_type: RoomType::Double,
        capacity: 2,
        facilities: [Facility::Wifi, Facility::Kitchen].into(),
        cover: if number == 2 { String::new() } else { "https://img.example.com/1.jpg".to_owned() },
        created_at: NOW - SignedDuration::from_hours(240),
    };
    let position = Position { key: 0.1 + f64::from(f32::MAX) / 3.0, id: document.id.clone(), snapshot: None };
    let distance_m = query.near.map(|near| near.point.distance_m(document.location));
    Hit { document, score: 3.5, distance_m, position }
}

fn facets() -> Facets {
    Facets {
        cities: vec![("北京".to_owned(), 3)],
        districts: vec![("朝阳区".to_owned(), 2)],
        room_types: vec![(RoomType::Double, 3)],
        facilities: vec![(Facility::Wifi, 3)],
        prices: vec![Bucket { from: 20_000, count: 2 }, Bucket { from: 100_000, count: 1 }],
        ratings: vec![Bucket { from: 450, count: 3 }],
        capacities: vec![Bucket { from: 2, count: 3 }],
    }
}

/// 0 takes everything, 1 fails, 2 never answers.
#[derive(Default)]
struct Log {
    mood: AtomicU8,
    events: Mutex<Vec<Searched>>,
}

impl SearchLog for Log {
    async fn record(&self, event: SearchEvent) -> Result<(), StoreError> {
        match self.mood.load(Relaxed) {
            0 => {
                let SearchEvent::Searched(searched) = event else { panic!("{event:?}") };
                self.events.lock().unwrap().push(searched);
                Ok(())
            }
            1 => Err(StoreError::Unavailable("injected".into())),
            _ => pending().await,
        }
    }
}

struct Site {
    parts: Parts<Measured<Index>, Log>,
}

impl Site {
    fn with(count: usize) -> Self {
        let index = Measured(Index { count, ..Index::default() });
        let (analyzer, vocabulary) = (Analyzer::new(), Vocabulary::default());
        Self { parts: Parts { index, log: Log::default(), analyzer, vocabulary } }
    }

    fn index(&self) -> &Index {
        &self.parts.index.0
    }

    async fn ask(&self, request: platform_http::Request) -> Answer {
        Answer::of(handle(&self.parts, &SearchRules::default(), CHANCE, request).await.unwrap())
    }

    async fn get(&self, route: &str, query: &[(&str, &str)]) -> Answer {
        let request = query
            .iter()
            .fold(ApiRequest::new("GET", route), |request, (name, value)| request.query(name, value));
        self.ask(request.caller("ann", &["admin"]).build()).await
    }

    fn events(&self) -> Vec<Searched> {
        self.parts.log.events.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_search_shows_what_guests_need() {
    let site = Site::with(3);
    let query = [("keyword", "三里屯"), ("lat", "39.946"), ("lon", "116.4546"), ("pageSize", "1")];
    let answer = site.get(SEARCH, &query).await;
    assert_eq!(answer.status, 200);
    let mut body = answer.body;
    assert!(body["nextCursor"].take().is_string());
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(body);
    });
    assert!(!body.to_string().contains("secrets"), "whose it is concerns nobody who searches");
}

#[tokio::test]
async fn the_sample_events_are_answered() {
    let site = Site::with(1);
    for sample in ["search-homestays", "search-homestays-explain"] {
        let answer = site.ask(testing::request(testing::event(&format!("api/{sample}.json")))).await;
        assert_eq!((answer.status, answer.items("id")), (200, vec![json!("h-01")]), "{:?}", answer.body);
    }
}

#[tokio::test]
async fn what_is_absent_is_left_out() {
    let answer = Site::with(2).get(SEARCH, &[("facets", "false"), ("page", ""), ("city", " ")]).await;
    let mut members: Vec<&String> = answer.body.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["items", "keyword", "matching", "page", "pageSize", "searchId", "total"]);
    let second = &answer.body["items"][1];
    for absent in ["rating", "cover", "distanceM", "explanation"] {
        assert_eq!(second.get(absent), None, "{absent}");
    }
    assert_eq!(second["highlights"], json!({}));
}

#[tokio::test]
async fn dates_are_checked_and_sent_back_unchecked_against_orders() {
    let answer = Site::with(1).get(SEARCH, &[("checkIn", "2026-12-24"), ("checkOut", "2026-12-26")]).await;
    let body = &answer.body;
    assert_eq!([&body["checkIn"], &body["checkOut"]], ["2026-12-24", "2026-12-26"]);
    assert_eq!(body["availability"], "unchecked");
}

#[tokio::test]
async fn every_parameter_reaches_the_index() {
    let site = Site::with(9);
    let query = [
        ("keyword", " 三里屯 "),
        ("lat", "39.9"),
        ("lon", "116.4"),
        ("radiusKm", "0.5"),
        ("minPriceFen", "100"),
        ("maxPriceFen", "20000"),
        ("minRating", "4.5"),
        ("maxRating", "4.95"),
        ("facilities", "wifi, kitchen,wifi"),
        ("roomType", "double,entire"),
        ("city", "北京市"),
        ("district", "朝阳区"),
        ("capacity", "3"),
        ("sort", "distance"),
        ("page", "2"),
        ("pageSize", "3"),
        ("colour", "blue"),
    ];
    assert_eq!(site.get(SEARCH, &query).await.status, 200);
    let asked = site.index().queries.lock().unwrap()[0].clone();
    insta::assert_debug_snapshot!((
        asked.filters,
        asked.near,
        asked.sort,
        asked.start,
        asked.limit,
        asked.facets
    ));
}

#[tokio::test]
async fn a_place_from_a_gps_device_is_put_where_chinese_maps_have_it() {
    let site = Site::with(1);
    site.get(SEARCH, &[("lat", "39.907333"), ("lon", "116.391083"), ("datum", "wgs84")]).await;
    let near = site.index().queries.lock().unwrap()[0].near.unwrap();
    let on_a_map = GeoPoint::new(39.908_737, 116.397_325).unwrap();
    assert!(near.point.distance_m(on_a_map) < 5.0, "{near:?}");
}

#[tokio::test]
async fn a_parameter_that_is_not_valid_is_named() {
    let site = Site::with(1);
    let long = "x".repeat(201);
    // As hanzi, each nine bytes of the address, the gateway would not let it through.
    let very_long = "x".repeat(10_000);
    let here = [("lat", "39.9"), ("lon", "116.4")];
    let with_place = |name, value| [here[0], here[1], (name, value)].to_vec();
    let table: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("keyword", vec![("keyword", &long)]),
        ("keyword", vec![("keyword", &very_long)]),
        ("keyword", vec![("keyword", "a"), ("keyword", "b")]),
        ("lat", vec![("lat", "NaN"), ("lon", "116")]),
        ("lat", vec![("lat", "inf"), ("lon", "116")]),
        ("lat", vec![("lat", "90.1"), ("lon", "116")]),
        ("lat", vec![("lat", "north"), ("lon", "116")]),
        ("lon", vec![("lat", "39"), ("lon", "-180.5")]),
        ("lon", vec![("lat", "39"), ("lon", "1e999")]),
        ("lat lon", vec![("lat", "91"), ("lon", "181")]),
        ("lon", vec![("lat", "39")]),
        ("lat", vec![("lon", "116")]),
        ("autocorrect", vec![("autocorrect", "no")]),
        ("datum", with_place("datum", "bd09")),
        ("radiusKm", vec![("radiusKm", "5")]),
        ("radiusKm", with_place("radiusKm", "0")),
        ("radiusKm", with_place("radiusKm", "-1")),
        ("radiusKm", with_place("radiusKm", "200.1")),
        ("radiusKm", with_place("radiusKm", "NaN")),
        ("sort", vec![("sort", "distance")]),
        ("sort", vec![("sort", "Price")]),
        ("minPriceFen", vec![("minPriceFen", "-1")]),
        ("minPriceFen", vec![("minPriceFen", "1.5")]),
        ("maxPriceFen", vec![("maxPriceFen", "18446744073709551616")]),
        ("maxPriceFen", vec![("maxPriceFen", "100000001")]),
        ("maxPriceFen", vec![("minPriceFen", "2"), ("maxPriceFen", "1")]),
        ("minRating", vec![("minRating", "5.01")]),
        ("minRating", vec![("minRating", "4.555")]),
        ("minRating", vec![("minRating", ".5")]),
        ("minRating", vec![("minRating", "4.")]),
        ("maxRating", vec![("maxRating", "NaN")]),
        ("maxRating", vec![("minRating", "4.5"), ("maxRating", "4.4")]),
        ("facilities", vec![("facilities", "wifi,helipad")]),
        ("facilities", vec![("facilities", "wifi,")]),
        ("roomType", vec![("roomType", "castle")]),
        ("city", vec![("city", &long)]),
        ("district", vec![("district", &long)]),
        ("capacity", vec![("capacity", "0")]),
        ("capacity", vec![("capacity", "51")]),
        ("checkIn", vec![("checkIn", "24.12.2026"), ("checkOut", "2026-12-26")]),
        ("checkIn", vec![("checkIn", "2026-02-30"), ("checkOut", "2026-12-26")]),
        ("checkIn", vec![("checkIn", "2026-11-10"), ("checkOut", "2026-11-12")]),
        ("checkOut", vec![("checkIn", "2026-12-24"), ("checkOut", "2026-12-24")]),
        ("checkOut", vec![("checkIn", "2026-12-24"), ("checkOut", "2027-02-23")]),
        ("checkOut", vec![("checkIn", "2026-12-24")]),
        ("checkIn", vec![("checkOut", "2026-12-24")]),
        ("page", vec![("page", "0")]),
        ("page", vec![("page", "-1")]),
        ("page", vec![("page", "4294967296")]),
        ("page", vec![("page", "101"), ("pageSize", "100")]),
        ("pageSize", vec![("pageSize", "0")]),
        ("pageSize", vec![("pageSize", "101")]),
        ("facets", vec![("facets", "yes")]),
        ("minPriceFen sort pageSize", vec![("pageSize", "x"), ("sort", "x"), ("minPriceFen", "x")]),
    ];
    for (fields, query) in table {
        let answer = site.get(SEARCH, &query).await;
        assert_eq!(answer.problem(), (400, "invalid-parameter"), "{query:?}");
        assert_eq!(answer.fields(), fields, "{query:?}");
    }
    assert!(site.index().queries.lock().unwrap().is_empty(), "nobody was asked");
    assert!(site.events().is_empty());
}

#[tokio::test]
async fn pages_follow_one_another_by_cursor_until_there_are_no_more() {
    let site = Site::with(7);
    let mut query = vec![("keyword", "三里屯".to_owned()), ("pageSize", "3".to_owned())];
    let mut ids = Vec::new();
    loop {
        let borrowed: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = site.get(SEARCH, &borrowed).await;
        ids.extend(answer.items("id"));
        assert_eq!(answer.body.get("page").is_none(), borrowed.len() == 3);
        let Some(cursor) = answer.body["nextCursor"].as_str() else { break };
        query.truncate(2);
        query.push(("cursor", cursor.to_owned()));
    }
    assert_eq!(ids, ["h-01", "h-02", "h-03", "h-04", "h-05", "h-06", "h-07"]);
    let keys: Vec<Start> =
        site.index().queries.lock().unwrap().iter().map(|query| query.start.clone()).collect();
    let Start::After(position) = &keys[1] else { panic!("{keys:?}") };
    let exact = 0.1 + f64::from(f32::MAX) / 3.0;
    assert_eq!(position.key.to_bits(), exact.to_bits(), "to the last bit");
}

#[tokio::test]
async fn a_page_behind_the_end_is_empty() {
    let answer = Site::with(7).get(SEARCH, &[("page", "90"), ("pageSize", "100")]).await;
    assert_eq!((answer.status, &answer.body["total"], &answer.body["items"]), (200, &json!(7), &json!([])));
    assert_eq!(answer.body.get("nextCursor"), None);
}

#[tokio::test]
async fn a_cursor_that_is_none_or_of_another_search_is_refused() {
    let site = Site::with(7);
    let first = site.get(SEARCH, &[("keyword", "三里屯"), ("pageSize", "3")]).await;
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let long = "A".repeat(1_000);
    for query in [
        vec![("cursor", "x")],
        vec![("cursor", "!!")],
        vec![("cursor", "W10")],
        vec![("cursor", &long)],
        vec![("cursor", cursor)],
        vec![("cursor", cursor), ("keyword", "国贸")],
        vec![("cursor", cursor), ("keyword", "三里屯"), ("sort", "newest")],
        vec![("cursor", cursor), ("keyword", "三里屯"), ("minPriceFen", "1")],
    ] {
        let answer = site.get(SEARCH, &query).await;
        assert_eq!(
            (answer.problem(), answer.fields()),
            ((400, "invalid-cursor"), "cursor".to_owned()),
            "{query:?}"
        );
    }
    let both = site.get(SEARCH, &[("cursor", cursor), ("keyword", "三里屯"), ("page", "1")]).await;
    assert_eq!((both.problem(), both.fields()), ((400, "invalid-parameter"), "page".to_owned()));
}

#[tokio::test]
async fn a_search_is_recorded_with_its_keyword_total_and_client() {
    let site = Site::with(3);
    let answer = site.get(SEARCH, &[("keyword", "  LOFT　三里屯 ")]).await;
    let [event] = &site.events()[..] else { panic!("one event") };
    assert_eq!(answer.body["searchId"], event.search.to_string());
    assert_eq!(event.keyword.as_ref().unwrap().as_str(), "loft 三里屯");
    assert_eq!((event.at, event.total, event.client.as_str()), (NOW, 3, "192.0.2.1"));
}

#[tokio::test]
async fn turning_pages_and_what_operators_try_is_no_search_of_a_guest() {
    let site = Site::with(30);
    site.get(SEARCH, &[("page", "2")]).await;
    site.get(ADMIN, &[("keyword", "三里屯")]).await;
    assert!(site.events().is_empty());
    let first = site.get(SEARCH, &[]).await;
    site.get(SEARCH, &[("cursor", first.body["nextCursor"].as_str().unwrap())]).await;
    assert_eq!(site.events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_fails_or_hangs_does_not_keep_a_guest_from_the_answer() {
    let site = Site::with(3);
    let calm = site.get(SEARCH, &[]).await;
    for mood in [1, 2] {
        site.parts.log.mood.store(mood, Relaxed);
        let answer = site.get(SEARCH, &[]).await;
        assert_eq!((answer.status, &answer.body), (200, &calm.body));
    }
}

#[tokio::test]
async fn an_index_outage_is_503_and_leaks_nothing() {
    let site = Site::with(3);
    let failures: [(Failure, (u16, &str)); 4] = [
        (|| IndexError::Unavailable("secret".into()), (503, "try-again")),
        (|| IndexError::Corrupt("secret".into()), (503, "try-again")),
        (|| IndexError::Missing, (503, "try-again")),
        (|| IndexError::Busy("secret".into()), (429, "too-many-requests")),
    ];
    for (failure, problem) in failures {
        *site.index().failure.lock().unwrap() = Some(failure);
        for route in [SEARCH, ADMIN] {
            let answer = site.get(route, &[("keyword", "三里屯")]).await;
            assert_eq!(answer.problem(), problem);
            assert_eq!(answer.header("retry-after"), Some("1"));
            assert!(!answer.body.to_string().contains("secret"));
        }
    }
    assert!(site.events().is_empty());
}

#[tokio::test]
async fn only_operators_are_told_why() {
    let site = Site::with(1);
    let why = |answer: &Answer| answer.body["items"][0]["explanation"].clone();
    let explain = [("keyword", "三里屯"), ("explain", "true")];
    assert_eq!(why(&site.get(SEARCH, &explain).await), Value::Null);
    assert_eq!(why(&site.get(ADMIN, &explain[..1]).await), Value::Null);
    let explained = why(&site.get(ADMIN, &explain).await);
    assert_eq!(explained["score"], 3.5);
    assert_eq!(explained["clauses"][0]["matches"][0]["field"], "title", "{explained}");
    let badly = site.get(ADMIN, &[("explain", "yes")]).await;
    assert_eq!((badly.problem(), badly.fields()), ((400, "invalid-parameter"), "explain".to_owned()));
    let request = || ApiRequest::new("GET", ADMIN);
    assert_eq!(site.ask(request().build()).await.problem(), (401, "unauthenticated"));
    assert_eq!(site.ask(request().caller("bob", &["guest"]).build()).await.problem(), (403, "forbidden"));
}

#[tokio::test]
async fn a_browser_may_keep_an_answer_for_ten_seconds_and_nobody_else() {
    let site = Site::with(1);
    let answer = site.get(SEARCH, &[]).await;
    assert_eq!(answer.header("cache-control"), Some("private, max-age=10"));
    assert_eq!(site.get(ADMIN, &[]).await.header("cache-control"), Some("no-store"));
    assert_eq!(site.get(SEARCH, &[("page", "x")]).await.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn another_route_is_not_found() {
    let answer = Site::with(1).get("/v1/homestays/searching", &[]).await;
    assert_eq!(answer.problem(), (404, "route-not-found"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_is_sent_is_answered_or_refused(
        name in prop::sample::select(vec![
            "keyword", "lat", "lon", "radiusKm", "datum", "minPriceFen", "maxPriceFen", "minRating", "maxRating", "facilities",
            "roomType", "city", "district", "capacity", "checkIn", "checkOut", "sort", "page", "pageSize", "cursor", "facets",
        ]),
        value in "\\PC{0,30}|[0-9.eE+-]{0,12}|[A-Za-z0-9_-]{0,60}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answer = runtime.block_on(Site::with(3).get(SEARCH, &[(name, &value)]));
        prop_assert!(matches!(answer.status, 200 | 400), "{} {:?}", answer.status, answer.body);
    }
}
