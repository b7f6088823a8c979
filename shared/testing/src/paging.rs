use serde_json::Value;

use crate::{Answer, ApiRequest};

/// Pages of a list that a test follows: more are a list without an end.
const MAX_PAGES: usize = 1_000;

/// What is no cursor of any list: not base64, no text inside, or a text that names no position.
const BAD_CURSORS: [&str; 13] = [
    "",
    "?",
    "bm9uc2Vuc2U=",
    // The bytes ff fe.
    "__4",
    // nonsense
    "bm9uc2Vuc2U",
    // .
    "Lg",
    // A position cut short, at either end.
    "MTc5NDMyNjQwMDAwMC4",
    "LjAxS0EzWjVRSjhNNFQyUjdWOVgxQzZCME5H",
    // Milliseconds beyond 64 bits, beyond the calendar, before 1970.
    "OTk5OTk5OTk5OTk5OTk5OTk5OTkuMDFLQTNaNVFKOE00VDJSN1Y5WDFDNkIwTkc",
    "OTIyMzM3MjAzNjg1NDc3NTgwNy4wMUtBM1o1UUo4TTRUMlI3VjlYMUM2QjBORw",
    "LTEuMDFLQTNaNVFKOE00VDJSN1Y5WDFDNkIwTkc",
    // A template in lower case.
    "MTc5NDMyNjQwMDAwMC4wMWthM3o1cWo4bTR0MnI3djl4MWM2YjBuZw",
    // The coupon number 0 of a template.
    "MDFLQTNaNVFKOE00VDJSN1Y5WDFDNkIwTkctMC1RVVdHTkxESUhFRFRVRklH",
];

/// The member `name` of every item of a list, page by page: asks with the cursor of the page before until there is
/// none.
pub async fn pages(
    name: &str,
    first: ApiRequest,
    ask: impl AsyncFn(ApiRequest) -> Answer,
) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut request = first.clone();
    while pages.len() < MAX_PAGES {
        let page = ask(request).await;
        assert_eq!(page.status, 200, "{}", page.body);
        pages.push(page.items(name));
        match page.body["nextCursor"].as_str() {
            Some(cursor) => request = first.clone().query("cursor", cursor),
            None => return pages,
        }
    }
    panic!("no end after {MAX_PAGES} pages");
}

/// Requires of a list that it has 1 to `max` items a page, and refuses any other limit and what is no cursor.
pub async fn assert_paging_is_checked(list: ApiRequest, max: u16, ask: impl AsyncFn(ApiRequest) -> Answer) {
    for limit in ["1".into(), max.to_string()] {
        assert_eq!(ask(list.clone().query("limit", &limit)).await.status, 200, "{limit}");
    }
    let above = (max + 1).to_string();
    let long = "1".repeat(10_000);
    for limit in ["0", "-1", "101", "65537", "abc", "", " 1", "1.0", "1e1", &above, &long] {
        let refused = ask(list.clone().query("limit", limit)).await;
        assert_eq!(refused.problem(), (400, "invalid-parameter"), "{limit}");
        assert_eq!(refused.fields(), "limit");
    }
    let twice = ask(list.clone().query("limit", "1").query("limit", "1")).await;
    assert_eq!((twice.problem(), twice.fields()), ((400, "invalid-parameter"), "limit".into()));

    for cursor in BAD_CURSORS.into_iter().chain([&*"A".repeat(512), &*"A".repeat(10_000)]) {
        let refused = ask(list.clone().query("cursor", cursor)).await;
        assert_eq!(refused.problem(), (400, "invalid-cursor"), "{cursor}");
        assert_eq!(refused.fields(), "cursor");
    }
    let twice = ask(list.query("cursor", "Lg").query("cursor", "Lg")).await;
    assert_eq!((twice.problem(), twice.fields()), ((400, "invalid-cursor"), "cursor".into()));
}
