//! What becomes of the answers of a domain, which are scripted here; what a genuine one answers is tested by
//! `tests/search-conformance`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::VecDeque,
    error::Error,
    num::NonZeroU16,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use aws_config::SdkConfig;
use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::StatusCode,
};
use domain_homestay::{
    Applied, Change, Filters, IndexAdmin, IndexError, IndexQuery, IndexWriter, Match, Position, Ranking,
    SearchIndex, Sort, Start, Version,
};
use domain_text::{Alternative, Analyzer, Clause, Term, TermKind, TextQuery};
use homestay_opensearch::{Endpoint, OpenSearchIndex, Policy, Settings, Shards};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A domain that gives these answers, one after the other, and then 500s.
#[derive(Clone, Default)]
struct Domain {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    asked: Arc<Mutex<Vec<(String, String)>>>,
    seconds: Arc<AtomicI64>,
}

async fn answer(State(domain): State<Domain>, request: Request) -> (StatusCode, Bytes) {
    let called = format!("{} {}", request.method(), request.uri());
    let body = to_bytes(request.into_body(), 10_000_000).await.unwrap();
    domain.asked.lock().unwrap().push((called, String::from_utf8(body.to_vec()).unwrap()));
    let next = domain.answers.lock().unwrap().pop_front();
    let (status, body) =
        next.unwrap_or_else(|| (500, json!({ "error": { "type": "none", "reason": "no answer" } })));
    (StatusCode::from_u16(status).unwrap(), body.to_string().into())
}

impl Domain {
    async fn index(&self) -> OpenSearchIndex {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint: Endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let policy = Policy { pause: Duration::from_millis(1), failures: 2, ..Policy::default() };
        let settings = Settings { policy, shards: Shards(NonZeroU16::MIN), ..Settings::default() };
        let seconds = Arc::clone(&self.seconds);
        let clock = move || Timestamp::from_second(1_700_000_000 + seconds.load(Ordering::Relaxed)).unwrap();
        OpenSearchIndex::new(
            &endpoint,
            &SdkConfig::builder().build(),
            settings,
            Analyzer::new(),
            Arc::new(clock),
        )
        .unwrap()
    }

    fn answers(&self, answers: impl IntoIterator<Item = (u16, Value)>) -> &Self {
        self.answers.lock().unwrap().extend(answers);
        self
    }

    fn asked(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn called(&self) -> Vec<String> {
        self.asked().into_iter().map(|(called, _)| called).collect()
    }
}

fn generations() -> (u16, Value) {
    let json = json!({
        "homestays-b": { "aliases": { "homestays": {}, "homestays-sync": {} } },
        "homestays-a": { "aliases": { "homestays-previous": {}, "homestays-sync": {} } },
    });
    (200, json)
}

fn done(statuses: &[(u16, &str)]) -> (u16, Value) {
    let items: Vec<Value> = statuses
        .iter()
        .map(|(status, kind)| match status {
            200..=299 => json!({ "index": { "status": status } }),
            _ => json!({ "index": { "status": status, "error": { "type": kind, "reason": "secret" } } }),
        })
        .collect();
    (200, json!({ "errors": true, "items": items }))
}

fn refused(status: u16, kind: &str) -> (u16, Value) {
    (status, json!({ "error": { "type": kind, "reason": "secret" }, "status": status }))
}

fn nothing_found() -> (u16, Value) {
    (200, json!({ "hits": { "total": { "value": 0 }, "hits": [] }, "pit_id": "new" }))
}

fn gone(name: &str, version: u64) -> Change {
    Change { id: name.parse().unwrap(), version: Version::from_stored(version), document: None }
}

fn query(start: Start) -> IndexQuery {
    let term = Term { kind: TermKind::Word, text: "secret".to_owned() };
    let alternatives = vec![Alternative { terms: vec![term], weight: 1.0 }];
    IndexQuery {
        text: TextQuery { clauses: vec![Clause { typed: "secret".to_owned(), alternatives, weight: 1.0 }] },
        matching: Match::All,
        filters: Filters::default(),
        near: None,
        sort: Sort::Composite,
        ranking: Ranking::default(),
        start,
        limit: 20,
        facets: false,
        now: Timestamp::UNIX_EPOCH,
    }
}

fn told(error: &IndexError) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        texts.push(error.to_string());
        source = error.source();
    }
    texts.join(": ")
}

#[tokio::test]
async fn what_is_busy_is_sent_again_and_the_rest_is_not() {
    let domain = Domain::default();
    let index = domain.index().await;
    // Two changes, each to the live generation and to the previous one.
    domain.answers([
        generations(),
        done(&[(201, ""), (429, "rejected"), (409, "version_conflict_engine_exception"), (503, "busy")]),
        done(&[(201, ""), (409, "version_conflict_engine_exception")]),
    ]);
    let applied = index.apply(&[gone("h-1", 2), gone("h-2", 1)]).await.unwrap();
    assert_eq!(applied, Applied { applied: 1, outdated: 1 }, "in the live generation");
    let asked = domain.asked();
    let lines: Vec<Value> = asked[1].1.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines[..2],
        [
            json!({ "index": { "_index": "homestays-b-writer", "_id": "h-1", "version": 2, "version_type": "external",
                "require_alias": true } }),
            json!({ "id": "h-1", "version": 2, "visible": false }),
        ]
    );
    let again: Vec<Value> = asked[2].1.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(again, [&lines[2..4], &lines[6..8]].concat());
}

#[tokio::test]
async fn what_stays_busy_is_busy_and_what_is_wrong_is_corrupt() {
    let domain = Domain::default();
    let index = domain.index().await;
    let busy = || done(&[(429, "rejected")]);
    domain.answers([busy(), busy(), busy()]);
    let one = "b".parse().unwrap();
    let error = index.apply_to(&one, &[gone("h-1", 1)]).await.unwrap_err();
    assert!(matches!(error, IndexError::Busy(_)), "{error:?}");
    domain.answers([done(&[(400, "mapper_parsing_exception")])]);
    let error = index.apply_to(&one, &[gone("h-1", 1)]).await.unwrap_err();
    assert!(matches!(error, IndexError::Corrupt(_)), "{error:?}");
    assert_eq!(
        told(&error),
        "the index is not readable: a document was answered 400 mapper_parsing_exception"
    );
    domain.answers([done(&[(404, "index_not_found_exception")])]);
    assert!(matches!(index.apply_to(&one, &[gone("h-1", 1)]).await, Err(IndexError::Missing)));
}

#[tokio::test]
async fn a_generation_that_is_dropped_meanwhile_keeps_none_of_the_others_back() {
    let domain = Domain::default();
    let index = domain.index().await;
    let only_live = json!({ "homestays-b": { "aliases": { "homestays": {}, "homestays-sync": {} } } });
    let dropped = || done(&[(201, ""), (404, "index_not_found_exception")]);
    domain.answers([generations(), dropped(), (200, only_live)]);
    assert_eq!(index.apply(&[gone("h-1", 1)]).await.unwrap(), Applied { applied: 1, outdated: 0 });
    domain.answers([generations(), dropped(), generations()]);
    assert!(
        matches!(index.apply(&[gone("h-1", 1)]).await, Err(IndexError::Missing)),
        "it is known, and not there"
    );
}

#[tokio::test]
async fn a_domain_that_is_down_is_left_alone_for_a_while() {
    let domain = Domain::default();
    let index = domain.index().await;
    for _ in 0..2 {
        let error = index.search(&query(Start::Offset(0))).await.unwrap_err();
        assert!(matches!(error, IndexError::Unavailable(_)), "{error:?}");
    }
    assert_eq!(domain.called().len(), 2, "what it answers is not worth a repetition");
    assert!(matches!(index.search(&query(Start::Offset(0))).await, Err(IndexError::Unavailable(_))));
    assert!(domain.called().is_empty(), "nobody asks it");
    domain.seconds.store(10, Ordering::Relaxed);
    domain.answers([refused(503, "unavailable"), nothing_found()]);
    assert_eq!(index.search(&query(Start::Offset(0))).await.unwrap().total, 0);
    assert_eq!(domain.called().len(), 2, "what passes is repeated");
}

#[tokio::test]
async fn a_refusal_tells_its_kind_and_nothing_of_what_was_asked() {
    let domain = Domain::default();
    let index = domain.index().await;
    for (status, kind) in
        [(400, "parsing_exception"), (403, "security_exception"), (404, "index_not_found_exception")]
    {
        domain.answers([refused(status, kind)]);
        let error = index.search(&query(Start::Offset(0))).await.unwrap_err();
        let as_expected = match status {
            400 => matches!(error, IndexError::Corrupt(_)),
            403 => matches!(error, IndexError::Unavailable(_)),
            _ => matches!(error, IndexError::Missing),
        };
        assert!(as_expected, "{error:?}");
        assert!(!format!("{error:?} {}", told(&error)).contains("secret"), "{error:?}");
        assert!(status == 404 || told(&error).contains(kind), "{}", told(&error));
    }
}

#[tokio::test]
async fn the_second_page_makes_a_snapshot_and_a_snapshot_that_is_gone_is_made_anew() {
    let domain = Domain::default();
    let index = domain.index().await;
    let after = |snapshot: Option<&str>| {
        let snapshot = snapshot.map(str::to_owned);
        query(Start::After(Position { key: 1.0, id: "h-1".parse().unwrap(), snapshot }))
    };
    let pit = || (200, json!({ "pit_id": "one" }));
    let (live, snapshot, within) = (
        "POST /homestays/_search?allow_partial_search_results=false",
        "POST /homestays/_search/point_in_time?keep_alive=60s",
        "POST /_search?allow_partial_search_results=false",
    );
    for (query, answers, calls) in [
        (query(Start::Offset(0)), vec![nothing_found()], vec![live]),
        (after(None), vec![pit(), nothing_found()], vec![snapshot, within]),
        (after(Some("3ff0000000000000.one")), vec![nothing_found()], vec![within]),
        (
            after(Some("3ff0000000000000.old")),
            vec![refused(404, "search_context_missing_exception"), pit(), nothing_found()],
            vec![within, snapshot, within],
        ),
        (
            after(Some("3ff0000000000000.forged")),
            vec![refused(400, "illegal"), pit(), nothing_found()],
            vec![within, snapshot, within],
        ),
        // No more of them can be made: the live index is good enough.
        (after(None), vec![refused(400, "too_many"), nothing_found()], vec![snapshot, live]),
    ] {
        domain.answers(answers);
        index.search(&query).await.unwrap();
        assert_eq!(domain.called(), calls);
    }
}

#[tokio::test]
async fn generations_are_switched_by_one_request_and_a_lost_answer_does_no_harm() {
    let domain = Domain::default();
    let index = domain.index().await;
    let aliases = |live: &str, other: &str, role: &str| {
        let (live, other) = (format!("homestays-{live}"), format!("homestays-{other}"));
        (
            200,
            json!({
                live: { "aliases": { "homestays": {}, "homestays-sync": {} } },
                other: { "aliases": { format!("homestays-{role}"): {}, "homestays-sync": {} } },
            }),
        )
    };
    domain.answers([
        aliases("a", "b", "building"),
        (200, json!({})),
        // The first attempt did it, and its answer was lost.
        refused(404, "aliases_not_found_exception"),
        aliases("b", "a", "previous"),
    ]);
    index.switch(&"b".parse().unwrap()).await.unwrap();
    let asked = domain.asked();
    assert_eq!(asked[2].0, "POST /_aliases");
    let action = |what: &str, index: &str, alias: &str| match what {
        "add" => json!({ "add": { "index": index, "alias": alias } }),
        _ => json!({ "remove": { "index": index, "alias": alias, "must_exist": true } }),
    };
    assert_eq!(
        serde_json::from_str::<Value>(&asked[2].1).unwrap(),
        json!({ "actions": [
            action("remove", "homestays-b", "homestays-building"),
            action("add", "homestays-b", "homestays"),
            action("remove", "homestays-a", "homestays"),
            action("add", "homestays-a", "homestays-previous"),
        ] })
    );
}
