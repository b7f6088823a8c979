//! A world in which everything happens at once: see `interleavings.rs`.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use domain_homestay::{
    Change, Facilities, GenerationId, Generations, GeoPoint, Held, Homestay, HomestayChange, HomestaySource,
    IndexAdmin, IndexWriter, JobKind, JobStage, NewHomestay, NewJob, OrderJobError, Pace, Rating, RoomType,
    RowState, State, SyncError, TABLE_PARTS, Version, Workshop, cancel_rebuild, generation_of, newest,
    order_job, roll_back,
};
use domain_ids::{HomestayId, RebuildId};
use domain_money::Fen;
use jiff::{SignedDuration, Timestamp};
use testing::MemoryIndex;

use super::{Book, Faults, Interleaved, Queue, Shaky, Table, all_ids, expected};

const START: Timestamp = Timestamp::constant(1_794_326_400, 0);

/// Looks at an index without disturbing anybody.
pub trait Peek: IndexAdmin + Send + 'static {
    fn known(&self) -> Generations;
    fn contents(&self, generation: &GenerationId) -> BTreeMap<HomestayId, Held>;
}

impl Peek for MemoryIndex {
    fn known(&self) -> Generations {
        self.known()
    }

    fn contents(&self, generation: &GenerationId) -> BTreeMap<HomestayId, Held> {
        let held = self.contents(generation).into_iter();
        held.map(|(id, (version, document))| (id, Held { version, visible: document.is_some() })).collect()
    }
}

type Shop<I> = Workshop<Shaky<I>, Table, Book, Queue>;

fn shop<I: Peek>(index: I, faults: &Faults) -> Shop<I> {
    Workshop {
        index: Shaky::new(Arc::new(index), faults.clone()),
        source: Table::new(faults.clone()),
        book: Book::new(faults.clone()),
        queue: Queue::new(faults.clone()),
        pace: Pace { page: 2, rounds: 2 },
    }
}

/// What may happen in a world.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How much happens.
    pub acts: u32,
    /// Homestays are deleted for so long that the table forgets them.
    pub expire: bool,
    /// Comparisons run. Without them rebuilds and the stream alone must keep the index as the table is.
    pub reconcile: bool,
    /// Changes are lost on the way, the index loses and invents homestays, and homestays that the table has forgotten are
    /// created anew: what only a comparison can repair.
    pub damage: bool,
    /// How rebuilds are done.
    pub rebuilds: Rebuilds,
    /// The live generation is looked at after every so many acts.
    pub look_every: u32,
}

/// How rebuilds are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuilds {
    /// As they are.
    InSteps,
    /// At once, without comparing: the generation is made known, the table scanned.
    KnownThenScanned,
    /// The wrong way round.
    ScannedThenKnown,
}

/// A rebuild at once, without comparing.
async fn rebuild_at_once<I: Peek>(shop: &Shop<I>, id: RebuildId, known_first: bool) -> Result<(), SyncError> {
    let (index, generation) = (&shop.index, generation_of(id));
    if index.generations().await?.building.is_some() {
        return Ok(());
    }
    if known_first {
        index.build(&generation).await?;
    }
    let mut changes = Vec::new();
    for part in 0..TABLE_PARTS {
        let mut page = shop.source.page(part, None, 2).await?;
        changes.extend(page.homestays.iter().map(Change::of));
        while let Some(next) = page.next {
            page = shop.source.page(part, Some(&next), 2).await?;
            changes.extend(page.homestays.iter().map(Change::of));
        }
    }
    if !known_first {
        index.build(&generation).await?;
    }
    index.apply_to(&generation, &newest(changes)).await?;
    index.switch(&generation).await?;
    Ok(())
}

/// What a piece of work was for, and how it ended.
enum Purpose {
    Deliver(Vec<u64>),
    Step(u64),
    Other,
}

struct World<'a, I> {
    shop: &'a Shop<I>,
    faults: &'a Faults,
    rules: Rules,
    dice: fastrand::Rng,
    work: Interleaved<'a, bool>,
    purposes: BTreeMap<u64, Purpose>,
    delivered: BTreeMap<HomestayId, Version>,
    created: u32,
    jobs: u64,
    now: Timestamp,
}

impl<'a, I: Peek> World<'a, I> {
    fn new(shop: &'a Shop<I>, faults: &'a Faults, rules: Rules, seed: u64) -> Self {
        Self {
            shop,
            faults,
            rules,
            dice: fastrand::Rng::with_seed(seed),
            work: Interleaved::new(),
            purposes: BTreeMap::new(),
            delivered: BTreeMap::new(),
            created: 0,
            jobs: 0,
            now: START,
        }
    }

    fn run(&mut self) -> Result<(), String> {
        for act in 0..self.rules.acts {
            self.act();
            if act % self.rules.look_every == 0 {
                self.nothing_delivered_is_missing()?;
            }
        }
        self.faults.stop();
        self.come_to_rest();
        self.nothing_delivered_is_missing()
    }

    fn act(&mut self) {
        self.now += SignedDuration::from_secs(1);
        match self.dice.u8(0..100) {
            0..14 => self.write(),
            14..26 => self.deliver_some(),
            26..40 => self.step(),
            40..86 => (0..self.dice.u8(1..30)).for_each(|_| self.go_on()),
            86..88 => self.crash(),
            88..91 => self.order(JobKind::Rebuild),
            91 if self.dice.u8(0..3) == 0 => self.cancel(),
            92..94 => self.roll_back(),
            94..96 if self.rules.reconcile => self.order(JobKind::Reconciliation),
            96 if self.rules.reconcile => self.tick(),
            97 if self.rules.expire => self.expire(),
            98 if self.rules.damage => self.damage(),
            _ => self.go_on(),
        }
    }

    fn write(&mut self) {
        let mut table = self.shop.source.state();
        let present = table.homestays.values().filter(|h| h.state == State::Present);
        let present: Vec<Homestay> = present.cloned().collect();
        let pick = self.dice.choice(&present).cloned();
        let change = |homestay: &Homestay, row_state, sales| {
            let change = HomestayChange { row_state, sales, ..HomestayChange::default() };
            homestay.changed(change, START).unwrap()
        };
        let homestay = match (self.dice.u8(0..10), pick) {
            (0..3, _) | (_, None) if present.len() < 9 => {
                // With damage the ids of forgotten homestays come again, and their versions begin anew.
                let ids = if self.rules.damage { 12 } else { u32::MAX };
                let id = format!("h-{:03}", self.created % ids);
                self.created += 1;
                let id: HomestayId = id.parse().unwrap();
                match table.homestays.get(&id) {
                    Some(old) => {
                        let anew = Homestay { version: old.version.next(), ..homestay(&id) };
                        if old.state == State::Present { change(old, None, Some(1)) } else { anew }
                    }
                    None => homestay(&id),
                }
            }
            (0..6, Some(homestay)) => change(&homestay, None, Some(homestay.sales + 1)),
            (6..8, Some(homestay)) => {
                let turned = match homestay.row_state {
                    RowState::Published => RowState::Unpublished,
                    RowState::Unpublished => RowState::Published,
                };
                change(&homestay, Some(turned), None)
            }
            (_, Some(homestay)) => homestay.deleted(START),
            (_, None) => return,
        };
        table.write(homestay);
    }

    /// Some records reach a consumer: mostly new ones, in any order, also ones that had been delivered.
    fn deliver_some(&mut self) {
        let mut batch: Vec<u64> = {
            let table = self.shop.source.state();
            let wanted = |delivered: bool| if delivered { 10 } else { 60 };
            let records = table.stream.iter();
            records
                .filter(|(_, record)| self.dice.u8(0..100) < wanted(record.delivered))
                .map(|(at, _)| *at)
                .collect()
        };
        self.dice.shuffle(&mut batch);
        self.deliver(batch);
    }

    fn deliver(&mut self, batch: Vec<u64>) {
        let changes: Vec<_> = {
            let table = self.shop.source.state();
            batch.iter().filter_map(|at| table.stream.get(at)).map(|record| record.change.clone()).collect()
        };
        if changes.is_empty() {
            return;
        }
        let index = &self.shop.index;
        let id = self.work.start(async move { index.apply(&newest(changes)).await.is_ok() });
        self.purposes.insert(id, Purpose::Deliver(batch));
    }

    fn step(&mut self) {
        let waiting = self.shop.queue.waiting();
        let Some(&(message, id, step)) = self.dice.choice(&waiting) else { return };
        self.start_step(message, id, step);
    }

    fn start_step(&mut self, message: u64, id: RebuildId, step: u32) {
        let (shop, now) = (self.shop, self.now);
        let looks = AtomicU32::new(self.dice.u32(..3));
        let work = self.work.start(async move {
            shop.step(id, step, now, || !looks.fetch_add(1, Ordering::Relaxed).is_multiple_of(3))
                .await
                .is_ok()
        });
        self.purposes.insert(work, Purpose::Step(message));
    }

    fn go_on(&mut self) {
        let Some((id, is_done)) = self.work.go_on(&mut self.dice) else { return };
        match self.purposes.remove(&id).unwrap() {
            Purpose::Deliver(batch) if is_done => self.note_delivered(&batch),
            // Now and then a message is delivered although it has been dealt with.
            Purpose::Step(message) if is_done && self.dice.u8(0..10) > 0 => self.shop.queue.delete(message),
            Purpose::Deliver(_) | Purpose::Step(_) | Purpose::Other => {}
        }
    }

    fn note_delivered(&mut self, batch: &[u64]) {
        let mut table = self.shop.source.state();
        for at in batch {
            let Some(record) = table.stream.get_mut(at) else { continue };
            record.delivered = true;
            let greatest = self.delivered.entry(record.change.id.clone()).or_insert(record.change.version);
            *greatest = record.change.version.max(*greatest);
        }
    }

    fn crash(&mut self) {
        if let Some(id) = self.work.crash_one(&mut self.dice) {
            self.purposes.remove(&id);
        }
    }

    fn other(&mut self, work: impl Future<Output = bool> + 'a) {
        let id = self.work.start(work);
        self.purposes.insert(id, Purpose::Other);
    }

    fn new_id(&mut self) -> RebuildId {
        self.jobs += 1;
        RebuildId::from_parts(self.jobs, 0)
    }

    fn order(&mut self, kind: JobKind) {
        let (id, shop) = (self.new_id(), self.shop);
        if self.rules.rebuilds != Rebuilds::InSteps {
            let known_first = self.rules.rebuilds == Rebuilds::KnownThenScanned;
            // Whoever died left one that nobody builds any more.
            if self.work.is_empty()
                && let Some(left) = shop.index.inner.known().building
            {
                self.other(async move { shop.index.discard(&left).await.is_ok() });
            }
            self.other(async move { rebuild_at_once(shop, id, known_first).await.is_ok() });
            return;
        }
        let new = NewJob { id, kind, key: None, at: self.now };
        self.other(async move { order_job(&shop.book, &shop.queue, new).await.is_ok() });
    }

    fn cancel(&mut self) {
        let jobs = self.shop.book.jobs();
        let Some(job) = self.dice.choice(&jobs) else { return };
        let (id, shop, now) = (job.id, self.shop, self.now);
        self.other(async move { cancel_rebuild(&shop.book, &shop.queue, id, now).await.is_ok() });
    }

    fn roll_back(&mut self) {
        let jobs = self.shop.book.jobs();
        let done: Vec<RebuildId> = jobs
            .iter()
            .filter(|job| job.stage == JobStage::Done && job.kind() == JobKind::Rebuild)
            .map(|job| job.id)
            .collect();
        let Some(&id) = done.last() else { return };
        let (shop, now) = (self.shop, self.now);
        self.other(async move { roll_back(&shop.index, &shop.book, id, now).await.is_ok() });
    }

    fn tick(&mut self) {
        self.now += SignedDuration::from_hours(1);
        let (id, shop, now) = (self.new_id(), self.shop, self.now);
        self.other(async move { shop.tick(id, now).await.is_ok() });
    }

    /// Thirty days in which nothing is written: everything under way ends, and the table forgets what was deleted.
    fn expire(&mut self) {
        self.finish_work();
        loop {
            let late = self.undelivered();
            if late.is_empty() {
                break;
            }
            self.deliver(late);
            self.finish_work();
        }
        let mut table = self.shop.source.state();
        let gone = table.homestays.values().filter(|h| h.state != State::Present);
        let gone: Vec<HomestayId> = gone.map(|h| h.id.clone()).collect();
        for id in gone {
            table.homestays.remove(&id);
            table.stream.retain(|_, record| record.change.id != id);
            self.delivered.remove(&id);
        }
    }

    /// A change that nobody delivers any more.
    fn damage(&mut self) {
        let late = self.undelivered();
        if let Some(at) = self.dice.choice(&late) {
            self.shop.source.state().stream.remove(at);
        }
    }

    fn undelivered(&self) -> Vec<u64> {
        let table = self.shop.source.state();
        table.stream.iter().filter(|(_, record)| !record.delivered).map(|(at, _)| *at).collect()
    }

    fn finish_work(&mut self) {
        while !self.work.is_empty() {
            self.go_on();
        }
    }

    /// Nothing more is written, and everything that is under way ends.
    fn come_to_rest(&mut self) {
        for _ in 0..10_000 {
            self.finish_work();
            let (late, waiting) = (self.undelivered(), self.shop.queue.waiting());
            let running: Vec<_> = self.shop.book.jobs().into_iter().filter(|job| !job.is_over()).collect();
            if late.is_empty() && waiting.is_empty() && running.is_empty() {
                return;
            }
            self.deliver(late);
            for (message, id, step) in &waiting {
                self.start_step(*message, *id, *step);
            }
            if waiting.is_empty() {
                // Their messages were lost with those who should have sent them.
                for job in running {
                    self.start_step(u64::MAX, job.id, job.step);
                }
            }
        }
        panic!("it does not come to rest");
    }

    /// What was delivered is in the generation that is searched.
    fn nothing_delivered_is_missing(&self) -> Result<(), String> {
        if self.rules.damage {
            return Ok(());
        }
        let index = &self.shop.index.inner;
        let live = index.contents(&index.known().live.unwrap());
        for (id, delivered) in &self.delivered {
            let held = live.get(id).map(|held| held.version);
            if held < Some(*delivered) {
                return Err(format!("{id}: delivered {delivered:?}, live has {held:?}"));
            }
        }
        Ok(())
    }

    /// The generations that are or may be searched hold what the table has, and of what it has forgotten nothing to find. One that
    /// was being built by somebody who died is complete only when another has built it.
    fn index_is_table(&self) -> Result<(), String> {
        let index = &self.shop.index.inner;
        let table = expected(&self.shop.source);
        let Generations { live, previous, .. } = index.known();
        for generation in [live, previous].into_iter().flatten() {
            let held = index.contents(&generation);
            for id in all_ids(&table, &held) {
                match (table.get(id), held.get(id)) {
                    (None, Some(held)) if !held.visible => {}
                    (table, held) if table == held => {}
                    (table, held) => {
                        return Err(format!("{id}: {generation} has {held:?}, the table {table:?}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// After a whole comparison nothing is left of what the table has forgotten.
    fn reconcile(&mut self) {
        let new = NewJob { id: self.new_id(), kind: JobKind::Reconciliation, key: None, at: self.now };
        let shop = self.shop;
        self.other(async move {
            match order_job(&shop.book, &shop.queue, new).await {
                Ok(_) => true,
                Err(OrderJobError::Running(_) | OrderJobError::Store(_)) => panic!("nothing runs or fails"),
            }
        });
        self.come_to_rest();
    }

    fn index_is_exactly_table(&self) -> Result<(), String> {
        let index = &self.shop.index.inner;
        let Generations { live, previous, .. } = index.known();
        for generation in [live, previous].into_iter().flatten() {
            let (held, table) = (index.contents(&generation), expected(&self.shop.source));
            if held != table {
                return Err(format!("{generation} has {held:?}, the table {table:?}"));
            }
        }
        Ok(())
    }
}

fn homestay(id: &HomestayId) -> Homestay {
    let new = NewHomestay {
        title: "三里屯阳光大床房".to_owned(),
        subtitle: String::new(),
        info: String::new(),
        location: GeoPoint::new(39.936, 116.4546).unwrap(),
        city: "北京".to_owned(),
        district: String::new(),
        price: Fen::new(29_900),
        room_type: RoomType::Double,
        capacity: 2,
        facilities: Facilities::new(),
        cover: String::new(),
        row_state: RowState::Published,
        rating: Rating::default(),
        sales: 0,
    };
    Homestay::create(id.clone(), "host".parse().unwrap(), new, START).unwrap()
}

pub fn first() -> MemoryIndex {
    MemoryIndex::with_live("a")
}

/// What became of a world.
#[derive(Debug, Default)]
pub struct Story {
    pub done: usize,
    pub rolled_back: usize,
    pub cancelled: usize,
    pub failed: usize,
    pub compared: usize,
    pub repaired: u64,
    pub forgotten: u64,
}

pub fn run<I: Peek>(index: I, rules: Rules, percent: u8, seed: u64) -> Result<Story, String> {
    let faults = Faults::new(seed, percent);
    let shop = shop(index, &faults);
    let mut world = World::new(&shop, &faults, rules, seed);
    world.run()?;
    if !rules.damage {
        world.index_is_table()?;
    }
    if rules.damage || rules.expire {
        world.reconcile();
        world.index_is_exactly_table()?;
    }
    let mut story = Story::default();
    for job in shop.book.jobs() {
        story.repaired += job.figures.repaired;
        story.forgotten += job.figures.forgotten;
        story.rolled_back += usize::from(job.rolled_back_at.is_some());
        match (&job.stage, job.kind()) {
            (JobStage::Done, JobKind::Rebuild) => story.done += 1,
            (JobStage::Done, JobKind::Reconciliation) => story.compared += 1,
            (JobStage::Cancelled, _) => story.cancelled += 1,
            (JobStage::Failed { .. }, _) => story.failed += 1,
            (stage, _) => return Err(format!("a job rests at {stage:?}")),
        }
    }
    Ok(story)
}

/// A world in which nothing is lost and nothing compared.
pub const CALM: Rules = Rules {
    acts: 600,
    expire: false,
    reconcile: false,
    damage: false,
    rebuilds: Rebuilds::InSteps,
    look_every: 1,
};
