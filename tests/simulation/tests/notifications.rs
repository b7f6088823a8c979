//! The promises of the notification service, kept by the domain's own code while everything around it fails.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use domain_channel::{Channel, Priority};
use simulation::notifications::{Outcome, Scenario, run};

/// Messages of a fast run.
const FEW: u32 = 5_000;

fn assert_nothing_wrong(outcome: &Outcome) {
    let seed = outcome.scenario.seed;
    for (channel, ends) in &outcome.ends {
        assert_eq!(ends.wrong(), 0, "seed {seed}, {channel}: {ends:?}");
    }
    assert_eq!(outcome.all().messages, outcome.scenario.messages, "seed {seed}");
    assert_eq!((outcome.against_config, outcome.early), (0, 0), "seed {seed}");
    assert!(outcome.late_queued.max_ms <= 60_000.0, "seed {seed}: {:?}", outcome.late_queued);
}

#[test]
fn each_message_is_taken_once_where_providers_can_be_asked() {
    for seed in 1..=3 {
        let outcome = run(&Scenario { seed, ..Scenario::everything(FEW) });
        assert_nothing_wrong(&outcome);
        let all = outcome.all();
        assert_eq!((all.twice, all.unknown_never, all.unknown_once), (0, 0, 0), "seed {seed}: {all:?}");
        assert!(outcome.mishaps.deaths > 0 && outcome.mishaps.lost_replies > 0, "something went wrong");
    }
}

#[test]
fn where_nobody_can_be_asked_each_channel_keeps_to_its_configuration() {
    for seed in 1..=3 {
        let outcome = run(&Scenario { seed, ..Scenario::nobody_tells(FEW) });
        assert_nothing_wrong(&outcome);
        let sms = outcome.channel(Channel::Sms);
        assert_eq!(sms.twice, 0, "rather none than two, seed {seed}");
        assert!(sms.unknown_never + sms.unknown_once > 0, "and a dead letter says so, seed {seed}");
    }
}

#[test]
fn another_provider_takes_over_while_the_breakers_are_open() {
    for hangs in [true, false] {
        let outcome = run(&Scenario::outage(2 * FEW, hangs));
        assert_nothing_wrong(&outcome);
        assert!(outcome.failover.settled_after_ms <= 30_000.0, "{:?}", outcome.failover);
    }
}

#[test]
fn urgent_messages_do_not_wait_behind_others() {
    let p99_ms = |low_load| {
        let outcome = run(&Scenario::urgent(1_000, low_load));
        assert!(
            outcome.longest_queues.get(&Priority::Low).copied().unwrap_or_default() >= low_load as usize / 2
        );
        outcome.urgent().p99_ms
    };
    let (alone, beside) = (p99_ms(0), p99_ms(2 * FEW));
    assert!(beside <= alone + 1_000.0, "{alone} ms and {beside} ms");
}

#[test]
fn without_the_lease_messages_are_sent_twice() {
    let outcome = run(&Scenario::without_lease(FEW));
    assert!(outcome.all().twice > 0, "a check that cannot fail checks nothing");
    assert!(outcome.all().wrong() > 0 && outcome.against_config > 0);
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let figures =
        |seed| serde_json::to_string(&run(&Scenario { seed, ..Scenario::everything(500) })).unwrap();
    assert_eq!(figures(7), figures(7));
    assert_ne!(figures(7), figures(8));
}
