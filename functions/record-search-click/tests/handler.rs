//! What becomes of a click, on a log in memory and on one that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::sync::Mutex;

use domain_coupon::StoreError;
use domain_search::{ClickPosition, Clicked, Client, Keyword, SearchEvent, SearchLog};
use platform_http::Request;
use record_search_click::handler;
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, NOW};

const ROUTE: &str = "/v1/search-clicks";
const SEARCH: &str = "01M732Y8D00000000000000007";

#[derive(Default)]
struct Log(Mutex<Vec<SearchEvent>>);

impl SearchLog for Log {
    async fn record(&self, event: SearchEvent) -> Result<(), StoreError> {
        self.0.lock().unwrap().push(event);
        Ok(())
    }
}

impl Log {
    async fn ask(&self, request: Request) -> Answer {
        Answer::of(handler::handle(self, NOW, request).await.unwrap())
    }

    async fn post(&self, body: &Value) -> Answer {
        self.ask(ApiRequest::new("POST", ROUTE).json(body).build()).await
    }
}

fn body() -> Value {
    json!({ "searchId": SEARCH, "homestayId": "h-1643534", "position": 3, "keyword": "三里屯" })
}

#[tokio::test]
async fn the_sample_event_is_taken_note_of() {
    let log = Log::default();
    let answer = log.ask(testing::request(testing::event("api/record-search-click.json"))).await;
    assert_eq!((answer.status, answer.body), (202, json!({ "searchId": SEARCH })));
    let click = Clicked {
        search: SEARCH.parse().unwrap(),
        at: NOW,
        keyword: Keyword::fold("三里屯"),
        homestay: "h-1643534".parse().unwrap(),
        position: ClickPosition::new(3).unwrap(),
        client: Client::at("192.0.2.1"),
    };
    assert_eq!(log.0.into_inner().unwrap(), [SearchEvent::Clicked(click)]);
}

#[tokio::test]
async fn a_click_needs_no_keyword_and_folds_the_one_it_has() {
    let log = Log::default();
    for (keyword, folded) in [(json!(null), None), (json!("  "), None), (json!(" ＬＯＦＴ "), Some("loft"))]
    {
        let mut body = body();
        body["keyword"] = keyword;
        assert_eq!(log.post(&body).await.status, 202);
        let SearchEvent::Clicked(click) = log.0.lock().unwrap().pop().unwrap() else { panic!("no click") };
        assert_eq!(click.keyword, folded.and_then(Keyword::fold));
    }
    let mut without = body();
    without.as_object_mut().unwrap().remove("keyword");
    assert_eq!(log.post(&without).await.status, 202);
}

#[tokio::test]
async fn what_is_no_click_is_refused_with_the_field_at_fault() {
    let log = Log::default();
    for (field, value) in [
        ("searchId", json!("x")),
        ("searchId", json!(SEARCH.to_lowercase())),
        ("homestayId", json!("a#b")),
        ("homestayId", json!("")),
        ("position", json!(0)),
        ("position", json!(10_001)),
        ("position", json!(-1)),
        ("position", json!("3")),
        ("keyword", json!("长".repeat(101))),
        ("keyword", json!(7)),
        ("more", json!(1)),
    ] {
        let mut body = body();
        body[field] = value;
        let refused = log.post(&body).await;
        assert_eq!((refused.problem(), refused.fields().as_str()), ((422, "invalid-body"), field), "{body}");
    }
    let missing = log.post(&json!({ "searchId": SEARCH, "position": 1 })).await;
    assert_eq!((missing.problem(), missing.fields().as_str()), ((422, "invalid-body"), "homestayId"));
    let empty =
        log.ask(ApiRequest::new("POST", ROUTE).header("content-type", "application/json").build()).await;
    assert_eq!(empty.problem(), (400, "invalid-json"));
    let untyped = log.ask(ApiRequest::new("POST", ROUTE).body("{}").build()).await;
    assert_eq!(untyped.problem(), (415, "unsupported-media-type"));
    assert_eq!(log.0.into_inner().unwrap(), []);
}

struct Down(fn() -> StoreError);

impl SearchLog for Down {
    async fn record(&self, _: SearchEvent) -> Result<(), StoreError> {
        Err((self.0)())
    }
}

#[tokio::test]
async fn an_outage_of_the_queue_is_503_and_leaks_nothing() {
    for (down, told) in [
        (Down(|| StoreError::Unavailable("arn:aws:sqs:secret".into())), (503, "try-again")),
        (Down(|| StoreError::Throttled("arn:aws:sqs:secret".into())), (429, "too-many-requests")),
    ] {
        let request = ApiRequest::new("POST", ROUTE).json(&body()).build();
        let answer = Answer::of(handler::handle(&down, NOW, request).await.unwrap());
        assert_eq!((answer.problem(), answer.header("retry-after")), (told, Some("1")));
        assert!(!format!("{answer:?}").contains("arn:"));
    }
}
