//! Random interleavings of writers, the stream's consumers, the steps of rebuilds and comparisons, cancelling, rolling back, crashes,
//! failures, lost answers, repeats and reordering: the index comes to be what the table is, in every generation that takes
//! changes, and what was delivered is never missing from the one that is searched.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod model;

use model::world::{CALM, Peek, Rebuilds, Rules, Story, first, run};
use proptest::prelude::*;

fn checked(index: impl Peek, rules: Rules, percent: u8, seed: u64) -> Result<(), TestCaseError> {
    run(index, rules, percent, seed).map(|_| ()).map_err(TestCaseError::fail)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Rebuilds and the stream alone: nothing compares but a rebuild with itself.
    #[test]
    fn the_index_follows_the_table_while_it_is_rebuilt(seed: u64, percent in 0_u8..6, acts in 50_u32..900) {
        checked(first(), Rules { acts, ..CALM }, percent, seed)?;
    }

    /// With comparisons beside it, and homestays that the table forgets.
    #[test]
    fn comparing_beside_it_takes_nothing_away(seed: u64, percent in 0_u8..6, acts in 50_u32..900) {
        checked(first(), Rules { acts, expire: true, reconcile: true, ..CALM }, percent, seed)?;
    }

    /// Changes get lost, and versions begin anew: one comparison repairs that.
    #[test]
    fn a_comparison_repairs_what_was_lost(seed: u64, percent in 0_u8..6, acts in 50_u32..600) {
        let rules = Rules { acts, expire: true, reconcile: true, damage: true, ..CALM };
        checked(first(), rules, percent, seed)?;
    }

    /// What a rebuild rests on, without the comparison that would make up for it: its generation is known before the scan begins.
    #[test]
    fn a_scan_of_what_is_known_misses_nothing(seed: u64, percent in 0_u8..3, acts in 50_u32..900) {
        checked(first(), Rules { acts, rebuilds: Rebuilds::KnownThenScanned, ..CALM }, percent, seed)?;
    }
}

/// The tests above would notice: with the two swapped, a change falls between the scan and the stream.
#[test]
fn a_scan_before_its_generation_is_known_loses_changes() {
    let rules = Rules { rebuilds: Rebuilds::ScannedThenKnown, ..CALM };
    let lost = (0..100).filter(|seed| run(first(), rules, 1, *seed).is_err()).count();
    assert!(lost > 10, "{lost} of 100");
}

/// And much happens in them.
#[test]
fn the_worlds_are_not_idle() {
    let rules = Rules { acts: 900, expire: true, reconcile: true, ..CALM };
    let mut sum = Story::default();
    for seed in 0..60 {
        let story = run(first(), rules, 2, seed).unwrap();
        sum.done += story.done;
        sum.rolled_back += story.rolled_back;
        sum.cancelled += story.cancelled;
        sum.failed += story.failed;
        sum.compared += story.compared;
        sum.repaired += story.repaired;
        sum.forgotten += story.forgotten;
    }
    let enough = sum.done > 60 && sum.rolled_back > 10 && sum.cancelled > 5 && sum.compared > 60;
    assert!(enough && sum.repaired > 60 && sum.forgotten > 30, "{sum:?}");
    println!("{sum:?}");
}
