//! Who may no longer guess, on a real (embedded) table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use domain_coupon::StoreError;
use domain_exchange::{Guesser, Guesses};
use exchange_dynamodb::{GUESSES_PER_GUEST, GUESSES_PER_IP, GuessCounter};
use jiff::SignedDuration;
use testing::{COUPON_TABLE, EmbeddedDynamoDb, Fault, NOW};

const HOUR: Duration = Duration::from_hours(1);

fn counter(client: Client) -> GuessCounter {
    let key = "0123456789abcdef0123456789abcdef".parse().unwrap();
    GuessCounter::new(client, COUPON_TABLE.into(), key).unwrap()
}

async fn counters() -> (GuessCounter, GuessCounter) {
    let (db, _) = EmbeddedDynamoDb::with_coupon_table().await;
    (counter(db.client()), counter(db.client()))
}

fn guesser(guest: &str, ip: &str) -> Guesser {
    Guesser { guest: guest.parse().unwrap(), ip: ip.parse().ok() }
}

#[tokio::test]
async fn after_ten_wrong_codes_a_guest_is_barred_everywhere_until_the_hour_is_over() {
    let (here, elsewhere) = counters().await;
    let ann = guesser("ann", "192.0.2.1");
    let at = NOW + SignedDuration::from_mins(20);
    for _ in 0..GUESSES_PER_GUEST {
        assert_eq!(elsewhere.barred(&ann, at).await.unwrap(), None);
        assert_eq!(here.count(&ann, at).await.unwrap(), None);
    }
    let rest = Duration::from_mins(40);
    for counter in [&here, &elsewhere] {
        assert_eq!(counter.barred(&ann, at).await.unwrap(), Some(rest));
        assert_eq!(counter.count(&ann, at).await.unwrap(), Some(rest));
    }
    assert_eq!(here.barred(&guesser("bob", "192.0.2.1"), at).await.unwrap(), None, "others go on");
    assert_eq!(here.barred(&guesser("ann", "192.0.2.9"), at).await.unwrap(), Some(rest), "on any address");
    assert_eq!(elsewhere.barred(&ann, NOW + HOUR).await.unwrap(), None);
    assert_eq!(here.count(&ann, NOW + HOUR).await.unwrap(), None);
}

#[tokio::test]
async fn after_fifty_wrong_codes_an_address_is_barred_for_every_guest() {
    let (counter, _) = counters().await;
    for n in 0..GUESSES_PER_IP {
        let guest = guesser(&format!("guest-{}", n / 5), "192.0.2.1");
        assert_eq!(counter.count(&guest, NOW).await.unwrap(), None, "{n}");
    }
    let other = guesser("other", "192.0.2.1");
    assert_eq!(counter.barred(&other, NOW).await.unwrap(), Some(HOUR));
    assert_eq!(counter.count(&other, NOW).await.unwrap(), Some(HOUR));
    assert_eq!(counter.barred(&guesser("other", "192.0.2.2"), NOW).await.unwrap(), None);
    assert_eq!(counter.barred(&guesser("other", "unknown"), NOW).await.unwrap(), None);
}

#[tokio::test]
async fn one_guest_cannot_shut_out_an_address() {
    let (counter, _) = counters().await;
    for _ in 0..10 * GUESSES_PER_IP {
        counter.count(&guesser("ann", "192.0.2.1"), NOW).await.unwrap();
    }
    assert_eq!(counter.barred(&guesser("bob", "192.0.2.1"), NOW).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_wrong_codes_at_once_ten_are_looked_at() {
    let (here, elsewhere) = counters().await;
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0..60 {
        let counter = if n % 2 == 0 { here.clone() } else { elsewhere.clone() };
        guesses.spawn(async move { counter.count(&guesser("ann", "192.0.2.1"), NOW).await.unwrap() });
    }
    let passed = guesses.join_all().await.into_iter().filter(Option::is_none).count();
    assert_eq!(passed, usize::try_from(GUESSES_PER_GUEST).unwrap());
}

#[tokio::test]
async fn asking_counts_nothing() {
    let (counter, _) = counters().await;
    let ann = guesser("ann", "192.0.2.1");
    for _ in 0..2 * GUESSES_PER_IP {
        assert_eq!(counter.barred(&ann, NOW).await.unwrap(), None);
    }
    assert_eq!(counter.count(&ann, NOW).await.unwrap(), None);
}

#[tokio::test]
async fn every_fault_is_an_error_and_no_answer() {
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let counter = counter(fault.client());
        let ann = guesser("ann", "192.0.2.1");
        let errors =
            [counter.barred(&ann, NOW).await.unwrap_err(), counter.count(&ann, NOW).await.unwrap_err()];
        for error in errors {
            assert_eq!(matches!(error, StoreError::Throttled(_)), fault == Fault::Throttling, "{error:?}");
        }
    }
}
