use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use domain_homestay::{
    Change, Document, GenerationId, Held, IndexAdmin as _, IndexWriter as _, SearchIndex as _, Version,
};
use domain_ids::HomestayId;
use domain_money::Fen;

use crate::scenarios::generation;
use crate::{Backend, document, everything, gone, put};

/// Homestays of a history; few, so that changes of one meet.
const HOMESTAYS: u64 = 12;

/// Changes of each at most.
const CHANGES: u64 = 6;

/// Makes up a history of homestays from `seed` and delivers it to a new index as streams do at their worst: in any order,
/// twice, in batches, to an index that dies between or within calls and is asked again. A generation is built meanwhile,
/// from a scan of a table that goes on changing, and switched to. In the end every generation must hold what the table
/// holds.
///
/// An error says what differs, and with which seed.
pub async fn replay<B: Backend>(backend: &B, seed: u64) -> anyhow::Result<()> {
    Replay::new(backend, seed).await?.run().await.with_context(|| format!("seed {seed}"))
}

struct Replay<'a, B: Backend> {
    backend: &'a B,
    index: Option<B::Index>,
    random: fastrand::Rng,
    table: BTreeMap<HomestayId, Change>,
    /// What the stream has still to deliver, in the order in which it will.
    stream: Vec<Change>,
}

impl<'a, B: Backend> Replay<'a, B> {
    async fn new(backend: &'a B, seed: u64) -> anyhow::Result<Self> {
        let index = backend.fresh().await;
        index.prepare(&generation("one")).await?;
        let mut random = fastrand::Rng::with_seed(seed);
        let stream = stream(&mut random);
        Ok(Self { backend, index: Some(index), random, table: BTreeMap::new(), stream })
    }

    fn index(&self) -> anyhow::Result<&B::Index> {
        self.index.as_ref().context("the index is open")
    }

    async fn run(mut self) -> anyhow::Result<()> {
        let (one, two) = (generation("one"), generation("two"));
        let rebuild_at = self.random.usize(0..=self.stream.len());
        let mut delivered = 0;
        while !self.stream.is_empty() {
            let size = self.random.usize(1..=8).min(self.stream.len());
            let batch: Vec<Change> = self.stream.drain(..size).collect();
            for change in &batch {
                let known = self.table.get(&change.id);
                if known.is_none_or(|known| known.version < change.version) {
                    self.table.insert(change.id.clone(), change.clone());
                }
            }
            self.deliver(&batch).await?;
            if (delivered..delivered + size).contains(&rebuild_at) {
                self.rebuild(&two).await?;
            }
            delivered += size;
        }
        if self.index()?.generations().await?.building.is_some() {
            self.index()?.switch(&two).await?;
        }
        let generations = self.index()?.generations().await?;
        for generation in generations.all() {
            self.compare(generation).await?;
        }
        ensure!(generations.all().any(|known| *known == one), "the first generation is still there");
        self.compare_found().await
    }

    /// Delivers `batch`, perhaps after a call that died half-way, perhaps twice.
    async fn deliver(&mut self, batch: &[Change]) -> anyhow::Result<()> {
        match self.random.u8(0..10) {
            0 => self.crash().await?,
            1 => {
                // Died after it had written to one generation, and not to the other.
                let generations = self.index()?.generations().await?;
                let all: Vec<&GenerationId> = generations.all().collect();
                if let Some(first) = self.random.choice(all) {
                    self.index()?.apply_to(first, batch).await?;
                }
                self.crash().await?;
            }
            2 => {
                // Died when half of the batch was there.
                let half = batch.get(..batch.len() / 2).unwrap_or_default();
                self.index()?.apply(half).await?;
                self.crash().await?;
            }
            3 => {
                self.index()?.apply(batch).await?;
            }
            _ => {}
        }
        let applied = self.index()?.apply(batch).await?;
        ensure!(
            applied.applied + applied.outdated == batch.len(),
            "each of {} changes is applied or outdated: {applied:?}",
            batch.len()
        );
        Ok(())
    }

    async fn crash(&mut self) -> anyhow::Result<()> {
        let index = self.index.take().context("the index is open")?;
        self.index = Some(self.backend.reopen(index).await);
        Ok(())
    }

    /// Makes the generation known, then scans the table; changes go on in between.
    async fn rebuild(&mut self, two: &GenerationId) -> anyhow::Result<()> {
        self.index()?.build(two).await?;
        let rows: Vec<Change> = self.table.values().cloned().collect();
        for rows in rows.chunks(3) {
            if self.random.bool() && !self.stream.is_empty() {
                let change = self.stream.remove(0);
                let known = self.table.get(&change.id);
                if known.is_none_or(|known| known.version < change.version) {
                    self.table.insert(change.id.clone(), change.clone());
                }
                self.index()?.apply(&[change]).await?;
            }
            self.index()?.apply_to(two, rows).await?;
            if self.random.u8(0..4) == 0 {
                self.crash().await?;
                self.index()?.build(two).await?;
                self.index()?.apply_to(two, rows).await?;
            }
        }
        if self.random.bool() {
            self.index()?.switch(two).await?;
        }
        Ok(())
    }

    async fn compare(&self, generation: &GenerationId) -> anyhow::Result<()> {
        let index = self.index()?;
        self.backend.refresh(index).await;
        let expected: Vec<(HomestayId, Held)> = self
            .table
            .values()
            .map(|row| (row.id.clone(), Held { version: row.version, visible: row.document.is_some() }))
            .collect();
        let mut scanned = Vec::new();
        loop {
            let after = scanned.last().map(|(id, _): &(HomestayId, Held)| id.clone());
            let some = index.scan(generation, after.as_ref(), 5).await?;
            if some.is_empty() {
                break;
            }
            scanned.extend(some);
        }
        ensure!(scanned == expected, "{generation} holds\n{scanned:?}\nand the table\n{expected:?}");
        let ids: Vec<HomestayId> = self.table.keys().cloned().collect();
        let held = index.held(generation, &ids).await?;
        let expected: Vec<_> = expected.into_iter().map(|(_, held)| Some(held)).collect();
        ensure!(held == expected, "{generation} holds {held:?} and the table {expected:?}");
        Ok(())
    }

    async fn compare_found(&self) -> anyhow::Result<()> {
        let found = self.index()?.search(&everything()).await?;
        let mut documents: Vec<Document> = found.hits.into_iter().map(|hit| hit.document).collect();
        documents.sort_by(|a, b| a.id.cmp(&b.id));
        let expected: Vec<Document> = self.table.values().filter_map(|row| row.document.clone()).collect();
        ensure!(documents == expected, "found are\n{documents:?}\nand the table has\n{expected:?}");
        Ok(())
    }
}

/// All changes of all homestays, some twice, in any order.
fn stream(random: &mut fastrand::Rng) -> Vec<Change> {
    let mut stream = Vec::new();
    for homestay in 0..random.u64(1..=HOMESTAYS) {
        let name = format!("h-{homestay}");
        for version in 1..=random.u64(1..=CHANGES) {
            let change = if random.u8(0..3) == 0 {
                gone(&name, version)
            } else {
                let price = Fen::new(1_000 + version);
                put(Document { title: format!("第{version}版"), price, ..document(&name) }, version)
            };
            if random.u8(0..4) == 0 {
                stream.push(change.clone());
            }
            stream.push(change);
        }
    }
    random.shuffle(&mut stream);
    debug_assert!(stream.iter().all(|change| change.version >= Version::FIRST));
    stream
}
