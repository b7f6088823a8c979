use std::sync::{Arc, atomic::Ordering};

use domain_notification::{Provider, Verdict};
use futures_util::future::join_all;
use notification_wechat::Wechat;
use provider_stubs::{Fault, Refusal, WECHAT_TOKEN_SECONDS};

use crate::bench::{Bench, Store, TIMEOUT, failure, message};

const ENVIRONMENTS: usize = 64;

/// Each environment sends a message, all at once.
async fn all_send(environments: &[Arc<Wechat<Store>>], round: u128) {
    let sends = environments.iter().zip(0_u128..).map(|(environment, place)| {
        let environment = Arc::clone(environment);
        tokio::spawn(async move { environment.send(&message(round * 1_000 + place, "ann")).await })
    });
    for sent in join_all(sends).await {
        assert!(sent.unwrap().is_ok());
    }
}

fn environments(bench: &Bench) -> Vec<Arc<Wechat<Store>>> {
    (0..ENVIRONMENTS).map(|_| Arc::new(bench.official())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_environments_fetch_one_token_for_each_time_that_one_expires() {
    let bench = Bench::new().await;
    let environments = environments(&bench);
    for round in 1..=4 {
        all_send(&environments, u128::from(round)).await;
        assert_eq!(bench.token_calls(), round, "the round is one token's life");
        // Within the last minutes of the present one.
        bench.later(WECHAT_TOKEN_SECONDS - 180);
    }
    assert_eq!(bench.stubs.received().len(), 4 * ENVIRONMENTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_environments_whose_token_was_ended_fetch_one() {
    let bench = Bench::new().await;
    let environments = environments(&bench);
    all_send(&environments, 1).await;
    bench.stubs.revoke_wechat_tokens();
    all_send(&environments, 2).await;
    assert_eq!(bench.token_calls(), 2);
    assert_eq!(bench.stubs.received().len(), 2 * ENVIRONMENTS, "what was refused was sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_environments_whose_token_has_run_out_fetch_one() {
    let bench = Bench::new().await;
    let environments = environments(&bench);
    all_send(&environments, 1).await;
    bench.later(WECHAT_TOKEN_SECONDS + 1);
    all_send(&environments, 2).await;
    assert_eq!(bench.token_calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_messages_of_one_environment_fetch_one_token() {
    let bench = Bench::new().await;
    let one = Arc::new(bench.official());
    let copies: Vec<_> = (0..ENVIRONMENTS).map(|_| Arc::clone(&one)).collect();
    all_send(&copies, 1).await;
    assert_eq!(bench.token_calls(), 1);
}

#[tokio::test]
async fn a_token_is_good_for_its_whole_life() {
    let bench = Bench::new().await;
    let official = bench.official();
    for place in 0..10 {
        assert!(official.send(&message(place, "ann")).await.is_ok());
        bench.later(600);
    }
    assert_eq!(bench.token_calls(), 1, "6,000 seconds are less than 7,200");
}

/// Fetching hangs; the fetcher dies.
async fn let_a_fetcher_die(bench: &Bench) {
    bench.stubs.script("wechat/token", [Fault::Hang]);
    let calls = bench.token_calls();
    let dying = bench.official();
    let fetching = tokio::spawn(async move { dying.send(&message(99, "ann")).await });
    while bench.token_calls() == calls {
        tokio::task::yield_now().await;
    }
    fetching.abort();
    assert!(fetching.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn while_somebody_fetches_the_others_go_on_with_the_old_token() {
    let bench = Bench::new().await;
    let other = bench.official();
    assert!(other.send(&message(1, "ann")).await.is_ok());
    bench.later(WECHAT_TOKEN_SECONDS - 180);
    let_a_fetcher_die(&bench).await;
    for place in 2..5 {
        assert!(other.send(&message(place, "ann")).await.is_ok());
    }
    assert_eq!(bench.token_calls(), 2, "the first token and the fetch that hung");
    bench.later(3);
    assert!(other.send(&message(5, "ann")).await.is_ok());
    assert_eq!(bench.token_calls(), 3, "the lease is over");
}

#[tokio::test]
async fn a_fetcher_that_dies_is_replaced_after_its_lease_and_not_before() {
    let bench = Bench::new().await;
    let_a_fetcher_die(&bench).await;
    assert!(bench.patient_official().send(&message(1, "ann")).await.is_ok());
    assert_eq!(bench.token_calls(), 2);
    let lease_ms = i64::try_from((TIMEOUT * 3 / 8).as_millis()).unwrap();
    let waited_ms = bench.elapsed_ms();
    assert!((lease_ms..lease_ms + 500).contains(&waited_ms), "{waited_ms} ms");
}

#[tokio::test]
async fn a_fetcher_that_finds_no_answer_leaves_its_place_to_others_at_once() {
    let bench = Bench::new().await;
    bench.stubs.script("wechat/token", [Fault::CutReply, Fault::Refuse(Refusal::Code("-1".into()))]);
    let official = bench.official();
    assert_eq!(official.send(&message(1, "ann")).await, failure(Verdict::FailOver, "token-unanswered"));
    assert_eq!(bench.official().send(&message(1, "ann")).await, failure(Verdict::Retry, "token--1"));
    assert!(bench.official().send(&message(1, "ann")).await.is_ok());
    assert_eq!(bench.elapsed_ms(), 0, "nobody waited");
}

#[tokio::test]
async fn a_fetcher_that_finds_no_answer_goes_on_with_the_old_token() {
    let bench = Bench::new().await;
    let official = bench.official();
    assert!(official.send(&message(1, "ann")).await.is_ok());
    bench.later(WECHAT_TOKEN_SECONDS - 180);
    bench.stubs.script("wechat/token", [Fault::ServerError]);
    assert!(official.send(&message(2, "ann")).await.is_ok());
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_taken_over() {
    let bench = Bench::new().await;
    bench.store.lost_answer.store(1, Ordering::SeqCst);
    assert!(bench.patient_official().send(&message(1, "ann")).await.is_ok());
    assert_eq!(bench.token_calls(), 1);
    assert!(bench.elapsed_ms() >= 3_000, "it may be another's: nobody fetches before its lease is over");
}

#[tokio::test]
async fn a_token_whose_record_s_answer_is_lost_is_used_and_known() {
    let bench = Bench::new().await;
    bench.store.lost_answer.store(2, Ordering::SeqCst);
    assert!(bench.official().send(&message(1, "ann")).await.is_ok());
    assert!(bench.official().send(&message(2, "ann")).await.is_ok());
    assert_eq!(bench.token_calls(), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_though_it_is_the_newest_is_replaced_by_force() {
    let bench = Bench::new().await;
    let official = bench.official();
    assert!(official.send(&message(1, "ann")).await.is_ok());
    bench.stubs.script("wechat-official", [Fault::Refuse(Refusal::Code("40001".into()))]);
    assert!(official.send(&message(2, "ann")).await.is_ok());
    assert_eq!(bench.token_calls(), 3, "once to see that it is the newest, once by force");
    assert!(bench.official().send(&message(3, "ann")).await.is_ok());
    assert_eq!(bench.token_calls(), 3, "the others know");
}

#[tokio::test]
async fn a_second_token_that_is_refused_ends_it() {
    for code in ["40001", "40014", "42001"] {
        let bench = Bench::new().await;
        let refused = Fault::Refuse(Refusal::Code(code.into()));
        bench.stubs.script("wechat-official", [refused.clone(), refused]);
        assert_eq!(bench.official().send(&message(1, "ann")).await, failure(Verdict::FailOver, code));
        assert_eq!(bench.stubs.calls("wechat-official/send"), 2);
    }
}

#[tokio::test]
async fn a_wrong_secret_makes_another_provider_try() {
    let bench = Bench::new().await;
    let sent = bench.official_with("wrong").send(&message(1, "ann")).await;
    assert_eq!(sent, failure(Verdict::FailOver, "token-40125"));
}

#[tokio::test]
async fn without_the_store_the_token_in_memory_is_used_while_it_is_good() {
    let bench = Bench::new().await;
    let official = bench.official();
    assert!(official.send(&message(1, "ann")).await.is_ok());
    bench.store.reads_left.store(0, Ordering::SeqCst);
    bench.later(WECHAT_TOKEN_SECONDS - 180);
    assert!(official.send(&message(2, "ann")).await.is_ok());
    bench.later(170);
    assert_eq!(official.send(&message(3, "ann")).await, failure(Verdict::Retry, "token-store"));
    assert_eq!(bench.official().send(&message(3, "ann")).await, failure(Verdict::Retry, "token-store"));
    assert_eq!(bench.token_calls(), 1, "a token that cannot be shared is not fetched");
}

#[tokio::test]
async fn who_waits_too_long_says_so_and_has_sent_nothing() {
    let bench = Bench::new().await;
    // Somebody else's lease that is longer than anybody's patience, as of a clock that is wrong.
    let claimed = domain_notification::SharedToken {
        refreshing_until: "2100-01-01T00:00:00Z".parse().unwrap(),
        revision: 1,
        ..Default::default()
    };
    let name = format!("wechat:{}", provider_stubs::WECHAT_OFFICIAL_APP_ID);
    assert!(domain_notification::SharedTokens::replace(&bench.store, &name, &claimed).await.unwrap());
    let sent = bench.patient_official().send(&message(1, "ann")).await;
    assert_eq!(sent, failure(Verdict::Retry, "token-awaited"));
    assert_eq!(bench.stubs.calls("wechat-official/send"), 0);
}

#[tokio::test]
async fn each_app_has_its_own_token() {
    let bench = Bench::new().await;
    assert!(bench.official().send(&message(1, "ann")).await.is_ok());
    assert!(bench.mini().send(&message(1, "ann")).await.is_ok());
    assert_eq!(bench.token_calls(), 2);
}
