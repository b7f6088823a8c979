//! The promises of a sale, kept by the domain's own code under the model's conflicts, throttling and lost replies.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use proptest::prelude::*;
use simulation::{
    Outcome, Scenario, run, run_together,
    scenario::{Issuing, Queue, TopUp},
    ticket::Ending,
};

/// A sale small enough for a test and short of stock: whoever comes last finds nothing.
fn short_sale(seed: u64, shards: u16, stock: u32, rate: u32) -> Scenario {
    Scenario { seed, duration: Duration::from_millis(1_500), ..Scenario::sale(rate, Some(shards), stock) }
}

fn guests(outcome: &Outcome) -> u32 {
    let answers = outcome.answers;
    answers.issued + answers.sold_out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the shards, the stock, the load and the seed: exactly the stock, or one for each guest.
    #[test]
    fn exactly_the_stock_is_issued(
        seed: u64,
        shards in 1_u16..=256,
        stock in 1_u32..1_500,
        rate in 100_u32..1_500,
        hold_ms in 3_u64..=10,
    ) {
        let hold = Duration::from_millis(hold_ms);
        let outcome = run(&Scenario { hold, ..short_sale(seed, shards, stock, rate) });
        prop_assert_eq!(outcome.stock.issued, stock.min(guests(&outcome)));
        prop_assert_eq!(outcome.stock.issued, outcome.answers.issued);
        prop_assert_eq!(outcome.stock.taken, outcome.stock.issued);
        prop_assert_eq!(outcome.answers.sold_out_too_early, 0);
        prop_assert_eq!(outcome.answers.unexpected, 0);
    }

    /// The same through the queue, however many are served with one transaction, with second clicks and lost replies.
    #[test]
    fn exactly_the_stock_is_issued_through_the_queue(
        seed: u64,
        shards in 1_u16..=64,
        stock in 1_u32..1_500,
        together in 1_u32..=10,
        lanes in 1_u32..=40,
    ) {
        let queue = Queue { together, lanes, fair: true };
        let faults = Scenario { repeats: 0.2, lost_replies: 0.02, ..short_sale(seed, shards, stock, 1_000) };
        let outcome = run(&Scenario { queue: Some(queue), ..faults });
        prop_assert!(outcome.answers.sold_out == 0 || outcome.stock.left_over == 0);
        prop_assert_eq!(outcome.stock.taken, outcome.stock.issued);
        prop_assert_eq!(outcome.answers.sold_out_too_early, 0);
        prop_assert_eq!(outcome.answers.unexpected, 0);
    }

    /// Second clicks and lost replies neither lose a unit nor issue one twice.
    #[test]
    fn faults_change_nothing(seed: u64, shards in 1_u16..=64, stock in 1_u32..600) {
        let sale = Scenario { repeats: 0.3, lost_replies: 0.05, ..short_sale(seed, shards, stock, 800) };
        let outcome = run(&sale);
        prop_assert!(outcome.answers.sold_out == 0 || outcome.stock.left_over == 0);
        prop_assert_eq!(outcome.stock.taken, outcome.stock.issued);
        prop_assert_eq!(outcome.answers.sold_out_too_early, 0);
        prop_assert_eq!(outcome.answers.unexpected, 0);
    }
}

#[test]
fn the_last_units_are_found_among_many_empty_shards() {
    for seed in 0..8 {
        let outcome = run(&short_sale(seed, 64, 3, 1_000));
        assert_eq!((outcome.stock.issued, outcome.stock.left_over), (3, 0));
        assert_eq!(outcome.answers.sold_out_too_early, 0);
    }
}

#[test]
fn a_top_up_during_the_sale_is_sold_too() {
    let top_up = TopUp { at: Duration::from_millis(900), total: 500 };
    let sale = short_sale(1, 20, 300, 400);
    let outcome = run(&Scenario { top_up: Some(top_up), duration: Duration::from_secs(5), ..sale });
    assert_eq!((outcome.stock.issued, outcome.stock.left_over), (500, 0));
    assert_eq!(outcome.answers.unexpected, 0);
}

#[test]
fn the_goals_hold_at_a_small_scale() {
    let steady =
        |rate, shards| run(&Scenario { duration: Duration::from_secs(5), ..Scenario::steady(rate, shards) });
    let by_rule = steady(2_000, None);
    assert!(by_rule.conflict_share <= 0.20, "{}", by_rule.conflict_share);
    assert!(by_rule.refused_share < 0.001, "{}", by_rule.refused_share);
    let small = steady(1_000, Some(64));
    assert!(small.conflict_share <= 0.15, "{}", small.conflict_share);
}

#[test]
fn ten_claims_together_bring_ten_times_as_many_through() {
    let queued = |together, shards| {
        let queue = Queue { together, lanes: 100, fair: true };
        run(&Scenario { queue: Some(queue), ..Scenario::queued(4_000, Some(shards)) })
    };
    let together = queued(10, 20);
    assert!(together.claims_per_second > 3_900.0, "{}", together.claims_per_second);
    assert!(together.conflict_share <= 0.20, "{}", together.conflict_share);
    assert!(together.write_units_per_coupon < 3.8, "{}", together.write_units_per_coupon);
    let singly = queued(1, 20);
    assert!(singly.conflict_share > 0.5, "{}", singly.conflict_share);
}

#[test]
fn in_a_fair_queue_a_quiet_sale_does_not_wait_for_the_crowd() {
    let p99_ms = |fair| {
        let queue = Queue { together: 10, lanes: 4, fair };
        let sale = |rate| Scenario { queue: Some(queue), ..Scenario::queued(rate, None) };
        let outcomes = run_together(&[sale(5_000), sale(300)], queue);
        [0, 1].map(|at| outcomes[at].latency.p99_ms)
    };
    let ([_, quiet], [_, behind]) = (p99_ms(true), p99_ms(false));
    assert!(quiet < 300.0 && behind > 1_000.0, "{quiet} ms and {behind} ms");
}

#[test]
fn the_same_seed_gives_the_same_sale_and_another_seed_another() {
    let figures = |seed| {
        let sale = Scenario { repeats: 0.1, lost_replies: 0.01, ..short_sale(seed, 16, 400, 500) };
        serde_json::to_string(&run(&sale)).unwrap()
    };
    assert_eq!(figures(7), figures(7));
    let answers = |seed| run(&short_sale(seed, 16, 400, 500)).latency;
    assert_ne!(answers(7), answers(8));
}

/// Why the transaction stays: `docs/decisions/0003-one-transaction-or-tickets.md`.
#[test]
fn tickets_lose_units_or_turn_guests_away_too_early_or_keep_them_waiting() {
    let sale = |ending| {
        let mut sale = short_sale(3, 16, 400, 100);
        sale.duration = Duration::from_secs(25);
        sale.repeats = 0.2;
        sale.lost_replies = 0.02;
        sale.protocol = Issuing::Ticket(ending);
        run(&sale)
    };
    let forgotten = sale(Ending::Forgotten);
    assert!(forgotten.stock.left_over > 0 && forgotten.answers.sold_out > 0);

    let swept = sale(Ending::Swept);
    assert_eq!(swept.stock.left_over, 0);
    assert!(swept.answers.sold_out_too_early > 0);

    let awaited = sale(Ending::Awaited);
    assert_eq!((awaited.stock.left_over, awaited.answers.sold_out_too_early), (0, 0));
    assert!(awaited.answers.refused() > 100, "asked to try again for as long as a ticket may be out");
}
