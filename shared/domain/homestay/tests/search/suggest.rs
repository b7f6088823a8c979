use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use domain_coupon::StoreError;
use domain_homestay::{
    IndexError, MAX_SUGGESTIONS, PopularQueries, SuggestHomestays, SuggestMemory, Suggestion, Suggestions,
    suggest,
};
use domain_text::CompletionKind;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::fake::{FakeIndex, NOW, document};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

#[derive(Default)]
struct Hot {
    queries: Mutex<Vec<String>>,
    reads: AtomicUsize,
    is_down: AtomicBool,
}

impl Hot {
    fn of(queries: &[&str]) -> Self {
        let queries = queries.iter().map(|query| (*query).to_owned()).collect();
        Self { queries: Mutex::new(queries), ..Self::default() }
    }
}

impl PopularQueries for Hot {
    async fn popular(&self, _limit: usize) -> Result<Vec<String>, StoreError> {
        self.reads.fetch_add(1, Relaxed);
        if self.is_down.load(Relaxed) {
            return Err(StoreError::Unavailable("injected".into()));
        }
        Ok(self.queries.lock().unwrap().clone())
    }
}

struct Box<'a> {
    index: &'a FakeIndex,
    hot: &'a Hot,
    memory: SuggestMemory,
}

impl<'a> Box<'a> {
    fn new(index: &'a FakeIndex, hot: &'a Hot) -> Self {
        Self { index, hot, memory: SuggestMemory::default() }
    }

    async fn at(&self, now: Timestamp, typed: &str, limit: u16) -> Result<Suggestions, IndexError> {
        let command = SuggestHomestays::new(typed, limit).unwrap();
        suggest(self.index, self.hot, &self.memory, &command, now).await
    }

    async fn items(&self, typed: &str, limit: u16) -> Vec<Suggestion> {
        self.at(NOW, typed, limit).await.unwrap().items
    }
}

fn texts(items: &[Suggestion]) -> Vec<&str> {
    items.iter().map(|item| item.text.as_str()).collect()
}

fn marked(item: &Suggestion) -> Vec<&str> {
    item.parts.iter().filter(|part| part.matched).map(|part| part.text.as_str()).collect()
}

fn market() -> FakeIndex {
    FakeIndex::titled(&[("三里屯太古里公寓", 3), ("国贸大床房", 2), ("朝阳公园旁的小院", 1)])
}

#[tokio::test]
async fn places_come_before_queries_and_queries_before_titles() {
    let (index, hot) = (market(), Hot::of(&["三里屯 大床房"]));
    for typed in ["三里", "sanli", "slt", "san里"] {
        let items = Box::new(&index, &hot).items(typed, 10).await;
        let kinds: Vec<CompletionKind> = items.iter().map(|item| item.kind).collect();
        assert!(kinds.is_sorted(), "{typed}: {items:?}");
        for kind in [CompletionKind::Place, CompletionKind::Query, CompletionKind::Title] {
            assert!(kinds.contains(&kind), "{typed}: no {kind:?} among {:?}", texts(&items));
        }
        assert_eq!(items[0].text, "三里屯", "{typed}");
        assert!(items.iter().all(|item| item.homestay.is_some() == (item.kind == CompletionKind::Title)));
    }
}

#[tokio::test]
async fn a_place_without_homestays_is_not_proposed() {
    let (index, hot) = (market(), Hot::of(&[]));
    let suggestions = Box::new(&index, &hot);
    assert!(texts(&suggestions.items("上海", 10).await).is_empty());
    assert_eq!(suggestions.items("bj", 10).await[0].text, "北京");
    assert_eq!(suggestions.items("cyq", 10).await[0].text, "朝阳区");
}

#[tokio::test]
async fn what_was_typed_is_marked_in_whatever_it_stands_for() {
    let (index, hot) = (market(), Hot::of(&["北京民宿"]));
    let suggestions = Box::new(&index, &hot);
    for (typed, text, mark) in [
        ("三里", "三里屯", "三里"),
        ("sanlit", "三里屯", "三里屯"),
        ("bj mins", "北京民宿", "北京民宿"),
        ("bj", "北京民宿", "北京"),
        ("guom", "国贸大床房", "国贸"),
        ("taigu", "三里屯太古里公寓", "太古"),
    ] {
        let items = suggestions.items(typed, 10).await;
        let item = items.iter().find(|item| item.text == text);
        let item = item.unwrap_or_else(|| panic!("{typed}: {:?}", texts(&items)));
        assert_eq!(marked(item), [mark], "{typed} → {text}");
        assert_eq!(item.parts.iter().map(|part| part.text.as_str()).collect::<String>(), text);
    }
}

#[tokio::test]
async fn the_same_text_is_proposed_once_as_the_better_kind() {
    let index =
        FakeIndex::of([document("h-1", "三里屯"), document("h-2", "三里屯"), document("h-3", "三里屯 LOFT")]);
    let hot = Hot::of(&["三里屯", "三里屯loft"]);
    let items = Box::new(&index, &hot).items("三里屯", 10).await;
    assert_eq!(texts(&items), ["三里屯", "三里屯loft"]);
    assert_eq!(items[0].kind, CompletionKind::Place);
}

#[tokio::test]
async fn with_nothing_typed_the_popular_ones_are_proposed_in_their_order() {
    let (index, hot) = (market(), Hot::of(&["国贸", "三里屯", "鼓楼"]));
    for typed in ["", "  "] {
        let items = Box::new(&index, &hot).items(typed, 2).await;
        assert_eq!(texts(&items), ["国贸", "三里屯"]);
        assert!(items.iter().all(|item| marked(item).is_empty()));
    }
    assert!(Box::new(&index, &hot).items("…", 10).await.is_empty());
}

#[tokio::test]
async fn a_kind_with_many_leaves_room_for_the_others_and_takes_what_they_leave() {
    let queries: Vec<String> = (0..30).map(|number| format!("三里屯{number}号院")).collect();
    let hot = Hot { queries: Mutex::new(queries), ..Hot::default() };
    let index =
        FakeIndex::of((0..30).map(|number| document(&format!("h-{number}"), &format!("三里屯公寓{number}"))));
    let count = |items: &[Suggestion], kind| items.iter().filter(|item| item.kind == kind).count();
    for (limit, queries, titles) in [(1, 0, 0), (2, 1, 0), (10, 3, 6), (20, 6, 13)] {
        let items = Box::new(&index, &hot).items("三里屯", limit).await;
        let (q, t) = (count(&items, CompletionKind::Query), count(&items, CompletionKind::Title));
        assert_eq!((items.len(), q, t), (limit.into(), queries, titles), "{:?}", texts(&items));
    }
    let no_titles = FakeIndex::titled(&[("国贸", 1)]);
    assert_eq!(Box::new(&no_titles, &hot).items("三里屯", 10).await.len(), 10);
}

#[tokio::test]
async fn popular_queries_are_read_once_a_minute() {
    let (index, hot) = (market(), Hot::of(&["国贸"]));
    let suggestions = Box::new(&index, &hot);
    for (later, reads) in [(0, 1), (59, 1), (60, 2), (119, 2), (600, 3)] {
        suggestions.at(NOW + SECOND * later, "g", 10).await.unwrap();
        assert_eq!(hot.reads.load(Relaxed), reads, "after {later} s");
    }
    assert_eq!(*index.word_calls.lock().unwrap(), 2, "places are read once in ten minutes");
}

#[tokio::test]
async fn what_was_read_before_the_first_guest_is_not_read_again() {
    let (index, hot) = (market(), Hot::of(&["国贸"]));
    let suggestions = Box::new(&index, &hot);
    suggestions.memory.refresh(&index, &hot, NOW).await;
    let found = suggestions.at(NOW, "g", 10).await.unwrap();
    assert!(found.is_complete && !found.items.is_empty());
    assert_eq!((hot.reads.load(Relaxed), *index.word_calls.lock().unwrap()), (1, 1));
}

#[tokio::test]
async fn what_cannot_be_read_is_left_out_and_said_so() {
    let (index, hot) = (market(), Hot::of(&["三里屯 大床房"]));
    hot.is_down.store(true, Relaxed);
    let suggestions = Box::new(&index, &hot);
    let found = suggestions.at(NOW, "三里", 10).await.unwrap();
    assert!(!found.is_complete && found.items.iter().all(|item| item.kind != CompletionKind::Query));
    hot.is_down.store(false, Relaxed);
    let later = NOW + SECOND * 10;
    assert!(suggestions.at(later, "三里", 10).await.unwrap().is_complete);
    index.is_down.store(true, Relaxed);
    let found = suggestions.at(later, "三里", 10).await.unwrap();
    assert!(!found.is_complete && !found.items.is_empty());
}

#[tokio::test]
async fn an_outage_with_nothing_left_to_propose_is_an_error() {
    let (index, hot) = (market(), Hot::default());
    index.is_down.store(true, Relaxed);
    let failed = Box::new(&index, &hot).at(NOW, "三里", 10).await;
    assert!(matches!(failed, Err(IndexError::Unavailable(_))), "{failed:?}");
}

#[test]
fn a_parameter_out_of_range_is_named() {
    for (typed, limit, field) in
        [("x".repeat(201), 10, "q"), (String::new(), 0, "limit"), (String::new(), 21, "limit")]
    {
        let wrong = SuggestHomestays::new(&typed, limit).unwrap_err();
        assert_eq!(wrong.iter().map(|violation| violation.field).collect::<Vec<_>>(), [field]);
    }
    assert!(SuggestHomestays::new(&"x".repeat(200), MAX_SUGGESTIONS).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_typed_panics_and_pieces_are_the_text(typed in "\\PC{0,20}|[a-z ']{0,12}|[三里屯国贸 a-z]{0,6}", limit in 1_u16..=20) {
        let (index, hot) = (market(), Hot::of(&["三里屯 大床房", "国贸🏠loft"]));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let items = runtime.block_on(Box::new(&index, &hot).items(&typed, limit));
        prop_assert!(items.len() <= usize::from(limit));
        for item in items {
            let whole: String = item.parts.iter().map(|part| part.text.as_str()).collect();
            prop_assert_eq!(whole, item.text);
        }
    }
}
