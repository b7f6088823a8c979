use std::sync::atomic::Ordering::Relaxed;

use domain_homestay::{
    Continuation, Filters, FindHomestays, Finder, FoundHomestays, GeoPoint, Highlights, IndexError,
    InvalidSearch, MAX_CALLS, Match, Page, SearchRequest, SearchRules, Sort, Vocabulary, find,
};
use domain_money::Fen;
use domain_text::{Analyzer, Highlighter};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::fake::{FakeIndex, NOW, document};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

pub fn request(keyword: &str) -> SearchRequest {
    SearchRequest {
        keyword: keyword.to_owned(),
        autocorrect: true,
        filters: Filters::default(),
        point: None,
        radius_m: None,
        check_in: None,
        check_out: None,
        sort: Sort::Composite,
        page: Page::Number(1),
        page_size: 20,
        facets: None,
    }
}

pub fn point() -> GeoPoint {
    GeoPoint::new(39.936, 116.4546).unwrap()
}

/// A searcher in one execution environment.
struct Guest<'a> {
    index: &'a FakeIndex,
    analyzer: Analyzer,
    vocabulary: Vocabulary,
    rules: SearchRules,
}

impl<'a> Guest<'a> {
    fn at(index: &'a FakeIndex) -> Self {
        let (analyzer, vocabulary) = (Analyzer::new(), Vocabulary::default());
        Self { index, analyzer, vocabulary, rules: SearchRules::default() }
    }

    async fn find(&self, request: SearchRequest, now: Timestamp) -> Result<FoundHomestays, IndexError> {
        let Self { index, analyzer, vocabulary, rules } = self;
        let command = FindHomestays::new(request, now).unwrap();
        find(&Finder { index: *index, analyzer, vocabulary, rules }, &command, now).await
    }

    /// Page by page, by cursor, the clock going on.
    async fn all_pages(&self, request: &SearchRequest) -> Vec<String> {
        let mut ids = Vec::new();
        let mut page = request.page.clone();
        let mut now = NOW;
        loop {
            let found = self.find(SearchRequest { page, ..request.clone() }, now).await.unwrap();
            ids.extend(ids_of(&found));
            let Some(next) = found.next else { return ids };
            page = Page::After(next);
            now += HOUR * 30;
        }
    }
}

fn ids_of(found: &FoundHomestays) -> Vec<String> {
    found.hits.iter().map(|hit| hit.document.id.to_string()).collect()
}

async fn look(index: &FakeIndex, request: SearchRequest) -> FoundHomestays {
    Guest::at(index).find(request, NOW).await.unwrap()
}

#[tokio::test]
async fn what_finds_enough_with_all_of_the_keyword_is_one_query() {
    let index = FakeIndex::titled(&[("三里屯投影大床房", 5), ("国贸公寓", 9)]);
    let found = look(&index, request("三里屯 投影")).await;
    assert_eq!((found.matching, found.total, found.calls), (Match::All, 5, 1));
    assert_eq!((found.did_you_mean, found.corrected_from, index.calls()), (None, None, 1));
}

#[tokio::test]
async fn an_empty_keyword_finds_everything_at_once() {
    let index = FakeIndex::titled(&[("国贸公寓", 3)]);
    for keyword in ["", " ", "…🏠"] {
        let found = look(&index, request(keyword)).await;
        assert_eq!((found.matching, found.total, found.calls), (Match::All, 3, 1), "{keyword:?}");
    }
}

#[tokio::test]
async fn a_few_hits_with_all_of_it_are_joined_by_those_with_most_of_it_behind_them() {
    let index = FakeIndex::titled(&[("三里屯投影", 6), ("三里屯投影浴缸", 2), ("国贸浴缸", 9)]);
    let found = look(&index, request("三里屯 投影 浴缸")).await;
    assert_eq!((found.matching, found.total, found.calls), (Match::Most, 8, 2));
    let first: Vec<&str> = found.hits.iter().take(2).map(|hit| hit.document.title.as_str()).collect();
    assert_eq!(first, ["三里屯投影浴缸"; 2]);
}

#[tokio::test]
async fn a_single_hit_with_both_words_is_not_buried_under_those_with_one() {
    let index = FakeIndex::titled(&[("三里屯浴缸", 1), ("三里屯公寓", 30), ("国贸浴缸", 30)]);
    let found = look(&index, request("三里屯 浴缸")).await;
    assert_eq!((found.matching, found.total), (Match::All, 1));
}

#[tokio::test]
async fn any_of_it_is_asked_for_when_nothing_has_most_of_it() {
    let index = FakeIndex::titled(&[("三里屯公寓", 3), ("国贸浴缸", 4)]);
    let found = look(&index, request("三里屯 浴缸")).await;
    assert_eq!((found.matching, found.total), (Match::Any, 7));
    assert!(found.calls <= MAX_CALLS);
}

#[tokio::test]
async fn what_is_ordered_by_price_is_loosened_only_if_nothing_is_found() {
    let titles = [("三里屯投影", 6), ("三里屯投影浴缸", 2)];
    let by_price = SearchRequest { sort: Sort::PriceAsc, ..request("三里屯 投影 浴缸") };
    let found = look(&FakeIndex::titled(&titles), by_price.clone()).await;
    assert_eq!((found.matching, found.total), (Match::All, 2));
    let found = look(&FakeIndex::titled(&titles[..1]), by_price).await;
    assert_eq!((found.matching, found.total), (Match::Most, 6));
}

#[tokio::test]
async fn a_typing_error_that_finds_nothing_is_corrected_at_once() {
    let index = FakeIndex::titled(&[("鼓楼大院", 30), ("国贸公寓", 30)]);
    let found = look(&index, request("gulouu")).await;
    assert_eq!((found.corrected_from.as_deref(), found.matching), (Some("gulouu"), Match::All));
    assert_eq!((found.total, found.did_you_mean), (30, None));
    assert_ne!(found.keyword, "gulouu");
    assert!(found.calls <= MAX_CALLS);
}

#[tokio::test]
async fn a_spelling_that_finds_more_is_proposed_and_what_was_typed_is_shown() {
    let index = FakeIndex::titled(&[("鼓楼大院", 12), ("gulouu", 2)]);
    let guest = Guest::at(&index);
    let found = guest.find(request("gulouu"), NOW).await.unwrap();
    assert_eq!((found.keyword.as_str(), found.corrected_from, found.total), ("gulouu", None, 2));
    assert!(found.calls <= MAX_CALLS);
    let meant = found.did_you_mean.unwrap();
    assert!(guest.find(request(&meant), NOW).await.unwrap().total >= 12);
}

#[tokio::test]
async fn a_spelling_that_finds_ten_times_as_many_is_what_was_meant() {
    let index = FakeIndex::titled(&[("鼓楼大院", 60), ("gulouu", 2)]);
    let found = look(&index, request("gulouu")).await;
    assert_eq!((found.corrected_from.as_deref(), found.did_you_mean), (Some("gulouu"), None));
    assert!(found.total >= 60);
}

#[tokio::test]
async fn who_insists_on_a_spelling_gets_what_was_typed_and_the_other_one_proposed() {
    for (titles, total) in [
        (&[("鼓楼大院", 60), ("gulouu", 2)][..], 2),
        (&[("鼓楼大院", 60)], 0),
        // Most of what was typed, and not all of something else.
        (&[("鼓楼大院", 60), ("投影", 3)], 3),
    ] {
        let index = FakeIndex::titled(titles);
        let guest = Guest::at(&index);
        let keyword = if total == 3 { "gulouu 投影" } else { "gulouu" };
        let insisting = SearchRequest { autocorrect: false, ..request(keyword) };
        let found = guest.find(insisting, NOW).await.unwrap();
        assert_eq!((found.keyword.as_str(), found.corrected_from, found.total), (keyword, None, total));
        assert!(found.calls <= MAX_CALLS);
        if total < 3 {
            let meant = found.did_you_mean.unwrap();
            assert!(guest.find(request(&meant), NOW).await.unwrap().total >= 60);
        }
    }
}

#[tokio::test]
async fn pages_of_what_was_insisted_on_are_of_what_was_typed() {
    let index = FakeIndex::titled(&[("鼓楼大院", 60), ("gulouu", 4)]);
    let guest = Guest::at(&index);
    let insisting = SearchRequest { autocorrect: false, page_size: 3, ..request("gulouu") };
    assert_eq!(guest.all_pages(&insisting).await.len(), 4);
    let next = guest.find(insisting.clone(), NOW).await.unwrap().next.unwrap();
    let elsewhere = SearchRequest { page: Page::After(next), autocorrect: true, ..insisting };
    assert_eq!(FindHomestays::new(elsewhere, NOW), Err(InvalidSearch::Foreign));
}

#[tokio::test]
async fn a_spelling_that_finds_no_more_is_not_proposed() {
    let index = FakeIndex::titled(&[("鼓楼大院", 12), ("gulouu", 2)]);
    let dear = Filters { min_price: Some(Fen::new(99_999)), ..Filters::default() };
    let found = look(&index, SearchRequest { filters: dear, ..request("gulouu") }).await;
    assert_eq!((found.total, found.did_you_mean, found.corrected_from), (0, None, None));
}

#[tokio::test]
async fn pages_of_a_correction_are_of_the_correction_by_cursor_and_by_number() {
    let index = FakeIndex::titled(&[("鼓楼大院", 30), ("国贸公寓", 30)]);
    let guest = Guest::at(&index);
    let typed = SearchRequest { page_size: 20, ..request("gulouu") };
    let first = guest.find(typed.clone(), NOW).await.unwrap();
    let page = Page::After(first.next.clone().unwrap());
    let by_cursor = guest.find(SearchRequest { page, ..typed.clone() }, NOW).await.unwrap();
    let by_number = guest.find(SearchRequest { page: Page::Number(2), ..typed }, NOW).await.unwrap();
    assert_eq!((by_cursor.hits.len(), by_cursor.calls), (10, 1));
    assert_eq!(ids_of(&by_cursor), ids_of(&by_number));
    for page in [by_cursor, by_number] {
        assert_eq!(
            (page.keyword, page.corrected_from),
            (first.keyword.clone(), first.corrected_from.clone())
        );
    }
}

#[tokio::test]
async fn the_words_of_the_index_are_read_once_in_ten_minutes_and_only_if_needed() {
    let index = FakeIndex::titled(&[("鼓楼大院", 30)]);
    let guest = Guest::at(&index);
    let words_read = || *index.word_calls.lock().unwrap();
    guest.find(request("鼓楼"), NOW).await.unwrap();
    assert_eq!(words_read(), 0);
    for (later, times) in [(0, 1), (9, 1), (10, 2)] {
        guest.find(request("gulouu"), NOW + MINUTE * later).await.unwrap();
        assert_eq!(words_read(), times, "after {later} minutes");
    }
}

#[tokio::test]
async fn an_outage_is_an_error_after_one_call() {
    let index = FakeIndex::titled(&[("鼓楼大院", 30)]);
    index.is_down.store(true, Relaxed);
    let failed = Guest::at(&index).find(request("鼓楼"), NOW).await;
    assert!(matches!(failed, Err(IndexError::Unavailable(_))), "{failed:?}");
    assert_eq!(index.calls(), 1);
}

#[tokio::test]
async fn the_level_of_the_first_page_is_that_of_the_next_whatever_comes_in_between() {
    let index = FakeIndex::titled(&[("三里屯投影", 6)]);
    let guest = Guest::at(&index);
    let two = SearchRequest { page_size: 2, ..request("三里屯 投影 浴缸") };
    let first = guest.find(two.clone(), NOW).await.unwrap();
    assert_eq!(first.matching, Match::Most);
    for number in 0..9 {
        index.add(document(&format!("new-{number}"), "三里屯投影浴缸"));
    }
    let page = Page::After(first.next.unwrap());
    let second = guest.find(SearchRequest { page, ..two }, NOW).await.unwrap();
    assert_eq!((second.matching, second.calls), (Match::Most, 1));
    assert!(
        ids_of(&second).iter().all(|id| id.starts_with("h-")),
        "what is better stands before the first page"
    );
}

#[tokio::test]
async fn facets_are_counted_on_the_first_page_unless_the_caller_says_otherwise() {
    let index = FakeIndex::titled(&[("鼓楼大院", 30)]);
    for (number, asked, counted) in
        [(1, None, true), (2, None, false), (1, Some(false), false), (2, Some(true), true)]
    {
        let page = Page::Number(number);
        let found = look(&index, SearchRequest { page, facets: asked, ..request("鼓楼") }).await;
        assert_eq!(found.facets.is_some(), counted, "page {number}, {asked:?}");
    }
}

#[tokio::test]
async fn what_was_asked_for_is_highlighted_in_title_and_description() {
    let mut homestay = document("h-1", "三里屯阳光公寓");
    homestay.info = "安静。".repeat(100) + "步行到三里屯五分钟" + &"。".repeat(100);
    let index = FakeIndex::of([homestay]);
    let guest = Guest::at(&index);
    let found = guest.find(request("三里屯"), NOW).await.unwrap();
    let highlights = Highlights::of(&Highlighter::new(&found.query), &found.hits[0].document);
    let [title, info] = [highlights.title.unwrap(), highlights.info.unwrap()];
    for parts in [&title, &info] {
        let marked: Vec<&str> =
            parts.iter().filter(|part| part.matched).map(|part| part.text.as_str()).collect();
        assert_eq!(marked, ["三里屯"]);
    }
    assert!(info.iter().map(|part| part.text.chars().count()).sum::<usize>() <= 122);
    let everything = guest.find(request(""), NOW).await.unwrap();
    let nothing = Highlights::of(&Highlighter::new(&everything.query), &everything.hits[0].document);
    assert_eq!(nothing, Highlights::default());
}

#[test]
fn what_makes_no_sense_names_its_field() {
    // 2026-11-10 in Shanghai; in UTC it is still the 9th.
    let now: Timestamp = "2026-11-09T16:30:00Z".parse().unwrap();
    let date = |text: &str| Some(text.parse().unwrap());
    let base = || request("");
    let filtered = |change: fn(&mut Filters)| {
        let mut request = base();
        change(&mut request.filters);
        request
    };
    let stay = |check_in: &str, check_out: &str| SearchRequest {
        check_in: date(check_in),
        check_out: date(check_out),
        ..base()
    };
    for (fields, request) in [
        ("keyword", SearchRequest { keyword: "x".repeat(201), ..base() }),
        ("radiusKm", SearchRequest { radius_m: Some(1.0), ..base() }),
        ("radiusKm", SearchRequest { point: Some(point()), radius_m: Some(0.0), ..base() }),
        ("radiusKm", SearchRequest { point: Some(point()), radius_m: Some(200_000.1), ..base() }),
        ("radiusKm", SearchRequest { point: Some(point()), radius_m: Some(f64::NAN), ..base() }),
        ("sort", SearchRequest { sort: Sort::Distance, ..base() }),
        ("pageSize", SearchRequest { page_size: 0, ..base() }),
        ("pageSize", SearchRequest { page_size: 101, ..base() }),
        ("page", SearchRequest { page: Page::Number(0), ..base() }),
        ("page", SearchRequest { page: Page::Number(101), page_size: 100, ..base() }),
        ("page", SearchRequest { page: Page::Number(u32::MAX), ..base() }),
        ("checkOut", SearchRequest { check_in: date("2026-12-24"), ..base() }),
        ("checkIn", SearchRequest { check_out: date("2026-12-24"), ..base() }),
        ("checkIn", stay("2026-11-09", "2026-11-12")),
        ("checkOut", stay("2026-12-24", "2026-12-24")),
        ("checkOut", stay("2026-12-24", "2026-12-23")),
        ("checkOut", stay("2026-12-24", "2027-02-23")),
        ("checkOut", stay("2026-12-24", "9999-12-31")),
        (
            "maxPriceFen",
            filtered(|filters| {
                (filters.min_price, filters.max_price) = (Some(Fen::new(2)), Some(Fen::new(1)));
            }),
        ),
        ("minPriceFen", filtered(|filters| filters.min_price = Some(Fen::new(100_000_001)))),
        ("maxRating", filtered(|filters| (filters.min_rating, filters.max_rating) = (Some(450), Some(400)))),
        ("minRating", filtered(|filters| filters.min_rating = Some(501))),
        ("city", filtered(|filters| filters.city = Some("x".repeat(41)))),
        ("district", filtered(|filters| filters.district = Some(String::new()))),
        ("capacity", filtered(|filters| filters.capacity = Some(0))),
        ("capacity", filtered(|filters| filters.capacity = Some(51))),
    ] {
        let Err(InvalidSearch::Fields(wrong)) = FindHomestays::new(request.clone(), now) else {
            panic!("{request:?}")
        };
        let named: Vec<&str> = wrong.iter().map(|violation| violation.field).collect();
        assert_eq!(named, [fields], "{request:?}");
    }
}

#[test]
fn what_is_at_the_limit_makes_sense() {
    let now: Timestamp = "2026-11-09T16:30:00Z".parse().unwrap();
    let date = |text: &str| Some(text.parse().unwrap());
    for request in [
        SearchRequest { keyword: "三".repeat(200), ..request("") },
        SearchRequest { page: Page::Number(100), page_size: 100, ..request("") },
        SearchRequest {
            point: Some(point()),
            radius_m: Some(200_000.0),
            sort: Sort::Distance,
            ..request("")
        },
        SearchRequest { check_in: date("2026-11-10"), check_out: date("2027-01-09"), ..request("") },
    ] {
        assert!(FindHomestays::new(request.clone(), now).is_ok(), "{request:?}");
    }
}

#[tokio::test]
async fn a_continuation_of_another_search_is_refused() {
    let index = FakeIndex::titled(&[("三里屯投影", 6)]);
    let two = SearchRequest { page_size: 2, ..request("三里屯") };
    let next = look(&index, two.clone()).await.next.unwrap();
    let page = Page::After(next.clone());
    let on = SearchRequest { page, ..two };
    for other in [
        SearchRequest { keyword: "国贸".to_owned(), ..on.clone() },
        SearchRequest { autocorrect: false, ..on.clone() },
        SearchRequest { sort: Sort::PriceAsc, ..on.clone() },
        SearchRequest { point: Some(point()), ..on.clone() },
        SearchRequest { filters: Filters { capacity: Some(2), ..Filters::default() }, ..on.clone() },
        SearchRequest { page: Page::After(Continuation { of: next.of ^ 1, ..next.clone() }), ..on.clone() },
    ] {
        assert_eq!(FindHomestays::new(other, NOW), Err(InvalidSearch::Foreign));
    }
    assert!(FindHomestays::new(SearchRequest { page_size: 7, ..on.clone() }, NOW).is_ok());
    assert!(FindHomestays::new(SearchRequest { facets: Some(true), ..on }, NOW).is_ok());
}

fn homestays() -> impl Strategy<Value = Vec<domain_homestay::Document>> {
    let titles = prop::sample::select(vec!["三里屯投影", "三里屯投影浴缸", "国贸浴缸公寓", "鼓楼大院"]);
    let one = (titles, 1_u64..4, 0_u16..3, 0_u32..3, 0_i64..400);
    prop::collection::vec(one, 0..40).prop_map(|all| {
        let numbered = all.into_iter().enumerate();
        numbered
            .map(|(number, (title, yuan, stars, sales, days))| {
                let mut document = document(&format!("h-{number}"), title);
                document.price = Fen::new(yuan * 10_000);
                document.rating.hundredths = 400 + stars * 50;
                document.sales = sales * 100;
                document.created_at = NOW - HOUR * 24 * i32::try_from(days).unwrap();
                document.location = GeoPoint::new(39.9 + f64::from(stars) / 100.0, 116.4).unwrap();
                document
            })
            .collect()
    })
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pages_by_cursor_and_by_number_give_every_hit_once_in_one_order(
        homestays in homestays(),
        keyword in prop::sample::select(vec!["", "三里屯", "三里屯 投影 浴缸", "国贸 鼓楼", "公寓 大院"]),
        sort in prop::sample::select(Sort::ALL.to_vec()),
        page_size in 1_u16..8,
    ) {
        let index = FakeIndex::of(homestays);
        let guest = Guest::at(&index);
        let all = SearchRequest { sort, point: Some(point()), page_size: 100, ..request(keyword) };
        let whole = run(guest.find(all.clone(), NOW)).unwrap();
        let small = SearchRequest { page_size, ..all };
        prop_assert_eq!(run(guest.all_pages(&small)), ids_of(&whole));
        let mut by_number = Vec::new();
        for number in 1.. {
            let page = Page::Number(number);
            let found = run(guest.find(SearchRequest { page, ..small.clone() }, NOW + MINUTE)).unwrap();
            prop_assert_eq!((found.total, found.matching), (whole.total, whole.matching));
            if found.hits.is_empty() { break }
            by_number.extend(ids_of(&found));
        }
        prop_assert_eq!(by_number, ids_of(&whole));
    }

    #[test]
    fn no_keyword_panics_or_takes_more_than_four_queries(keyword in "\\PC{0,40}|[a-z ]{0,20}|[三里屯投影大床房 a-z]{0,12}") {
        let index = FakeIndex::titled(&[("三里屯投影大床房", 3), ("gulou loft", 4)]);
        let found = run(Guest::at(&index).find(request(&keyword), NOW)).unwrap();
        prop_assert!(found.calls <= MAX_CALLS);
        prop_assert_eq!(usize::from(found.calls), index.calls());
        let highlighter = Highlighter::new(&found.query);
        for hit in &found.hits {
            let _ = Highlights::of(&highlighter, &hit.document);
        }
    }
}
