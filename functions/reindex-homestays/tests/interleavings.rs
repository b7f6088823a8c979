//! The random interleavings of `domain-homestay`, on the embedded index: with real commits, locks and waiting.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

#[path = "../../../shared/domain/homestay/tests/model/mod.rs"]
mod model;

use std::collections::BTreeMap;

use domain_homestay::{GenerationId, Generations, Held, IndexAdmin};
use domain_ids::HomestayId;
use domain_text::Analyzer;
use homestay_tantivy::TantivyIndex;
use model::world::{CALM, Peek, Rules, run};
use tokio::runtime::{Handle, Runtime};

impl Peek for TantivyIndex {
    fn known(&self) -> Generations {
        Handle::current().block_on(self.generations()).unwrap()
    }

    fn contents(&self, generation: &GenerationId) -> BTreeMap<HomestayId, Held> {
        // A few dozen homestays: one page.
        Handle::current().block_on(self.scan(generation, None, 1_000)).unwrap().into_iter().collect()
    }
}

fn run_on_disk(rules: Rules, seeds: std::ops::Range<u64>) {
    let runtime = Runtime::new().unwrap();
    let _guard = runtime.enter();
    for seed in seeds {
        let folder = tempfile::tempdir().unwrap();
        let index = TantivyIndex::new(folder.path(), Analyzer::new());
        runtime.block_on(index.prepare(&"a".parse().unwrap())).unwrap();
        let story = run(index, rules, 2, seed).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        println!("seed {seed}: {story:?}");
    }
}

#[test]
fn the_embedded_index_follows_the_table_while_it_is_rebuilt() {
    run_on_disk(Rules { acts: 250, look_every: 10, ..CALM }, 0..3);
}

#[test]
fn comparing_the_embedded_index_takes_nothing_away() {
    run_on_disk(Rules { acts: 250, expire: true, reconcile: true, look_every: 10, ..CALM }, 10..12);
}

#[test]
fn a_comparison_repairs_what_the_embedded_index_lost() {
    run_on_disk(
        Rules { acts: 250, expire: true, reconcile: true, damage: true, look_every: 10, ..CALM },
        20..22,
    );
}
