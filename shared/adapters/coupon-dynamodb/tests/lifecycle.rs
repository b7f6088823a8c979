//! Transitions on a real (embedded) table: races, units, and random interleavings against a simple model.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, sync::Arc};

use coupon_dynamodb::{CouponTable, Units};
use domain_coupon::{
    Actor, ClaimStore, Coupon, CouponShelf, CouponState, CouponStore, ExpiryStore, Issue, LOCKED_FOR,
    Refusal, Transition, TransitionError, transition,
};
use domain_ids::OrderId;
use domain_money::Fen;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use testing::{EmbeddedDynamoDb, NOW};

async fn table() -> (EmbeddedDynamoDb, CouponTable) {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = CouponTable::new(db.client(), name);
    (db, table)
}

async fn issue(table: &CouponTable, coupon: &Coupon) {
    assert_eq!(table.issue(coupon, None, None).await.unwrap(), Issue::Issued);
}

fn order(name: &str) -> OrderId {
    name.parse().unwrap()
}

fn lock(name: &str) -> Transition {
    Transition::Lock { order: order(name), saved: Fen::new(2_000) }
}

fn redeem(name: &str) -> Transition {
    Transition::Redeem { order: order(name) }
}

#[tokio::test]
async fn a_coupon_is_read_as_it_was_written_in_every_state() {
    let (_db, table) = table().await;
    let mut coupon = testing::coupon("ann", 1);
    issue(&table, &coupon).await;
    let release = Transition::Release { order: order("a") };
    let refund = Transition::Refund { order: order("a") };
    for step in [lock("a"), release, lock("a"), redeem("a"), refund] {
        coupon = coupon.after(&step, NOW).unwrap().unwrap();
        assert!(table.replace(&coupon).await.unwrap());
        assert_eq!(table.coupon(&coupon.guest, coupon.id).await.unwrap().as_ref(), Some(&coupon));
    }
}

#[tokio::test]
async fn each_transition_costs_one_write_unit_and_one_more_where_the_coupon_leaves_the_list_by_expiry() {
    let (_db, table) = table().await;
    let coupon = testing::coupon("ann", 1);
    issue(&table, &coupon).await;
    table.consumed().take();
    let mut now = NOW;
    let mut cost = async |step: Transition| {
        now += SignedDuration::from_secs(1);
        transition(&table, Actor::Service, &coupon.guest, coupon.id, &step, now).await.unwrap();
        table.consumed().take()
    };
    assert_eq!(cost(lock("a")).await, Units::whole(1, 1), "lock");
    assert_eq!(cost(Transition::Release { order: order("a") }).await, Units::whole(1, 1), "release");
    cost(lock("a")).await;
    assert_eq!(cost(redeem("a")).await, Units::whole(1, 2), "redeem");
    assert_eq!(cost(redeem("a")).await, Units::whole(1, 0), "a repeat");
    assert_eq!(cost(Transition::Refund { order: order("a") }).await, Units::whole(1, 1), "refund");

    let other = testing::coupon("bob", 1);
    issue(&table, &other).await;
    table.consumed().take();
    assert!(table.expire(&other.guest, other.id, other.expires_at).await.unwrap());
    assert_eq!(table.consumed().take(), Units::whole(0, 2), "expire");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_orders_at_once_one_gets_the_coupon() {
    let (_db, table) = table().await;
    let table = Arc::new(table);
    for round in 0..20 {
        let coupon = testing::coupon(&format!("guest-{round}"), 1);
        issue(&table, &coupon).await;
        let tries = (0..16).map(|number| {
            let (table, coupon) = (Arc::clone(&table), coupon.clone());
            tokio::spawn(async move {
                let name = format!("order-{number}");
                let on = async |step: Transition| {
                    transition(&*table, Actor::Service, &coupon.guest, coupon.id, &step, NOW).await
                };
                on(lock(&name)).await?;
                on(redeem(&name)).await
            })
        });
        let mut winners = 0;
        for tried in tries.collect::<Vec<_>>() {
            match tried.await.unwrap() {
                Ok(_) => winners += 1,
                Err(TransitionError::Refused(Refusal::Locked { .. } | Refusal::Used)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(winners, 1);
        let coupon = table.coupon(&coupon.guest, coupon.id).await.unwrap().unwrap();
        assert!(matches!(coupon.state, CouponState::Used(_)));
        assert_eq!(coupon.revision, 3, "one lock, one redemption");
    }
}

/// What may happen to a coupon, told once more and as simply as can be: rows of a table, no revisions, no store.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Model {
    Unused,
    Locked(char, Timestamp),
    Used(char),
    Expired,
    Refunded(char),
}

/// What an actor wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Lock,
    Redeem,
    Release,
    Refund,
    Expire,
}

impl Model {
    /// The state after `wish`; `None` where it is refused.
    fn after(&self, wish: Wish, by: char, now: Timestamp, expires_at: Timestamp) -> Option<Self> {
        use Model::{Expired, Locked, Refunded, Unused, Used};
        let fresh = now < expires_at;
        // Past its end a lock is none, but its order may still come late.
        let held_by = |of: char| matches!(self, Locked(order, _) if *order == of);
        let held = matches!(self, Locked(_, until) if now < *until);
        let free = matches!(self, Unused | Locked(..)) && !held;
        match wish {
            Wish::Lock if held && held_by(by) => Some(self.clone()),
            Wish::Lock if free && fresh => Some(Locked(by, now + LOCKED_FOR)),
            Wish::Redeem if held_by(by) && (held || fresh) => Some(Used(by)),
            Wish::Redeem if *self == Used(by) => Some(Used(by)),
            Wish::Release if held_by(by) => Some(Unused),
            Wish::Release if *self != Used(by) => Some(self.clone()),
            Wish::Refund if *self == Used(by) || *self == Refunded(by) => Some(Refunded(by)),
            Wish::Expire if free && !fresh => Some(Expired),
            Wish::Expire if *self == Expired => Some(Expired),
            _ => None,
        }
    }

    fn of(state: &CouponState) -> Self {
        let name = |order: &OrderId| order.as_str().chars().next().unwrap();
        match state {
            CouponState::Unused => Self::Unused,
            CouponState::Locked(lock) => Self::Locked(name(&lock.order), lock.until),
            CouponState::Used(spent) => Self::Used(name(&spent.order)),
            CouponState::Expired => Self::Expired,
            CouponState::Refunded(spent) => Self::Refunded(name(&spent.order)),
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// An actor reads a coupon and decides.
    Read { actor: usize, coupon: usize, wish: Wish, by: char },
    /// An actor writes what it has decided, however long ago.
    Write { actor: usize },
    /// The sweep, which decides and writes in one.
    Sweep { coupon: usize },
    /// Time goes by.
    Wait { minutes: i64 },
}

const ACTORS: usize = 4;
const COUPONS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let wish = prop::sample::select(vec![
        Wish::Lock,
        Wish::Lock,
        Wish::Redeem,
        Wish::Release,
        Wish::Refund,
        Wish::Expire,
    ]);
    prop_oneof![
        4 => (0..ACTORS, 0..COUPONS, wish, prop::sample::select(vec!['a', 'b']))
            .prop_map(|(actor, coupon, wish, by)| Step::Read { actor, coupon, wish, by }),
        4 => (0..ACTORS).prop_map(|actor| Step::Write { actor }),
        1 => (0..COUPONS).prop_map(|coupon| Step::Sweep { coupon }),
        1 => (1_i64..40).prop_map(|minutes| Step::Wait { minutes }),
    ]
}

fn command(wish: Wish, by: char) -> Transition {
    let name = by.to_string();
    match wish {
        Wish::Lock => lock(&name),
        Wish::Redeem => redeem(&name),
        Wish::Release => Transition::Release { order: order(&name) },
        Wish::Refund => Transition::Refund { order: order(&name) },
        Wish::Expire => Transition::Expire,
    }
}

/// Steps of one case. By default 32 cases make 12,800 steps; `PROPTEST_CASES=2048` makes 102,400.
const STEPS: usize = 400;

async fn run(steps: Vec<Step>) {
    let (_db, table) = table().await;
    let expires_at = NOW + SignedDuration::from_hours(12);
    let coupons: Vec<Coupon> = (0..COUPONS)
        .map(|number| Coupon { expires_at, ..testing::coupon(&format!("guest-{number}"), 1) })
        .collect();
    for coupon in &coupons {
        issue(&table, coupon).await;
    }
    let mut model = vec![Model::Unused; COUPONS];
    let mut versions = [0_u32; COUPONS];
    // What each actor has decided to write, from which version of which coupon.
    let mut decided: BTreeMap<usize, (usize, u32, Coupon, Model)> = BTreeMap::new();
    let mut now = NOW;
    for step in steps {
        match step {
            Step::Wait { minutes } => now += SignedDuration::from_mins(minutes),
            Step::Read { actor, coupon: at, wish, by } => {
                let coupon = table.coupon(&coupons[at].guest, coupons[at].id).await.unwrap().unwrap();
                assert_eq!(Model::of(&coupon.state), model[at], "the store and the model differ");
                let predicted = model[at].after(wish, by, now, expires_at);
                let next = coupon.after(&command(wish, by), now);
                assert_eq!(next.is_ok(), predicted.is_some(), "{wish:?} by {by} on {:?}", model[at]);
                decided.remove(&actor);
                match (next, predicted) {
                    (Ok(Some(next)), Some(predicted)) => {
                        assert_eq!(Model::of(&next.state), predicted);
                        decided.insert(actor, (at, versions[at], next, predicted));
                    }
                    (Ok(None), Some(predicted)) => assert_eq!(predicted, model[at], "a repeat"),
                    _ => {}
                }
            }
            Step::Write { actor } => {
                let Some((at, version, next, predicted)) = decided.remove(&actor) else { continue };
                let written = table.replace(&next).await.unwrap();
                assert_eq!(written, version == versions[at], "a decision holds for what was read");
                if written {
                    versions[at] += 1;
                    model[at] = predicted;
                }
            }
            Step::Sweep { coupon: at } => {
                let predicted = model[at].after(Wish::Expire, 'a', now, expires_at);
                let predicted = predicted.filter(|_| model[at] != Model::Expired);
                let expired = table.expire(&coupons[at].guest, coupons[at].id, now).await.unwrap();
                assert_eq!(expired, predicted.is_some());
                if let Some(predicted) = predicted {
                    versions[at] += 1;
                    model[at] = predicted;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 8,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_store_does_what_the_model_says(steps in prop::collection::vec(step(), STEPS)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
