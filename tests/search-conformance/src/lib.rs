//! What every index of homestays must do, run on each.
//!
//! A backend says how it makes an index and how it shows what was written ([`Backend`]); its test is then one line,
//! `search_conformance::run(&backend).await`. Each [`Scenario`] gets an index of its own, with nothing in it and no
//! generation. What a server in the place of the real one cannot do is a [`Gap`], named by scenario and printed.
//!
//! The suite fixes what the ports leave open: buckets of facets are all there, zero counts too; named values with a
//! count of zero are not; of one batch's changes of one homestay `Applied` counts each either as applied or as outdated;
//! a page beyond the end is empty and its total is right; without a live generation everything is `Missing`.

use std::pin::Pin;

use domain_homestay::{IndexAdmin, SearchIndex};

mod build;
mod history;
mod scenarios;

pub use build::{NOW, analyzer, document, everything, gone, id, put, text};
pub use history::replay;

/// How a kind of index is made for a scenario.
pub trait Backend: Sync {
    /// The index.
    type Index: SearchIndex + IndexAdmin + Send + Sync;

    /// A new one that shares nothing with others and has no generation yet.
    fn fresh(&self) -> impl Future<Output = Self::Index>;

    /// The same index as another process finds it, after the one that had `index` died.
    fn reopen(&self, index: Self::Index) -> impl Future<Output = Self::Index>;

    /// Shows searches what was applied up to now: an index may take a second for it by itself.
    fn refresh(&self, index: &Self::Index) -> impl Future<Output = ()>;

    /// What it cannot do though the real one can. Naming a scenario that does not exist is an error.
    fn gaps(&self) -> &[Gap] {
        &[]
    }
}

/// A scenario that a backend cannot pass for want of something that is not ours.
#[derive(Debug, Clone, Copy)]
pub struct Gap {
    /// Which scenario, by name.
    pub scenario: &'static str,
    /// What is missing.
    pub why: &'static str,
}

type Running<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// One thing that every index must do.
pub struct Scenario<B: Backend> {
    /// What, as a sentence.
    pub name: &'static str,
    run: for<'a> fn(&'a B) -> Running<'a>,
}

impl<B: Backend> Scenario<B> {
    /// Runs it; an error says what was not so.
    pub async fn run(&self, backend: &B) -> anyhow::Result<()> {
        (self.run)(backend).await
    }
}

/// All scenarios.
pub fn scenarios<B: Backend>() -> Vec<Scenario<B>> {
    scenarios::all()
}

/// Runs all scenarios on `backend` and tells of each; those in [`Backend::gaps`] are skipped, and said to be.
///
/// # Panics
///
/// At the end, with the names of those that failed, if any did, or if a gap names no scenario.
pub async fn run<B: Backend>(backend: &B) {
    let scenarios = scenarios::<B>();
    for gap in backend.gaps() {
        assert!(
            scenarios.iter().any(|scenario| scenario.name == gap.scenario),
            "no scenario {}",
            gap.scenario
        );
    }
    let mut failed = Vec::new();
    for scenario in &scenarios {
        if let Some(gap) = backend.gaps().iter().find(|gap| gap.scenario == scenario.name) {
            println!("SKIPPED {}: {}", scenario.name, gap.why);
            continue;
        }
        match scenario.run(backend).await {
            Ok(()) => println!("ok      {}", scenario.name),
            Err(error) => {
                println!("FAILED  {}: {error:?}", scenario.name);
                failed.push(format!("{}: {error:#}", scenario.name));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), scenarios.len(), failed.join("\n"));
}
