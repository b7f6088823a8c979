//! A table with its stream, jobs and their queue in memory, an index that fails and is slow, and a scheduler that interleaves all
//! that works on them.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use domain_coupon::{Page, StoreError};
use domain_homestay::{
    Applied, Begun, Change, GenerationId, Generations, Held, Homestay, HomestaySource, IndexAdmin,
    IndexError, IndexJob, IndexWriter, JobBook, JobKey, JobKind, JobQueue, Stored, TABLE_PARTS, TablePage,
    TablePosition, Version,
};
use domain_ids::{HomestayId, RebuildId};
use tokio::task::yield_now;

/// When calls fail: so many of a hundred before they have done anything, and as many after they have done it.
#[derive(Debug, Clone)]
pub struct Faults {
    percent: Arc<AtomicU8>,
    dice: Arc<Mutex<fastrand::Rng>>,
}

impl Faults {
    pub fn new(seed: u64, percent: u8) -> Self {
        Self { percent: Arc::new(percent.into()), dice: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))) }
    }

    pub fn stop(&self) {
        self.percent.store(0, Ordering::Relaxed);
    }

    fn strike(&self) -> bool {
        self.dice.lock().unwrap().u8(0..100) < self.percent.load(Ordering::Relaxed)
    }

    /// Does `work` between two moments in which others may go first, or in which it fails.
    async fn around<T, E>(
        &self,
        error: impl Fn() -> E,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        yield_now().await;
        if self.strike() {
            return Err(error());
        }
        let done = work.await;
        yield_now().await;
        if self.strike() { Err(error()) } else { done }
    }
}

fn store_down() -> StoreError {
    StoreError::Unavailable("injected".into())
}

fn index_down() -> IndexError {
    IndexError::Unavailable("injected".into())
}

/// A change of the table, as its stream tells it.
#[derive(Debug, Clone)]
pub struct Record {
    pub change: Change,
    pub delivered: bool,
}

#[derive(Debug, Clone)]
pub struct Table {
    state: Arc<Mutex<TableState>>,
    faults: Faults,
}

#[derive(Debug, Default)]
pub struct TableState {
    pub homestays: BTreeMap<HomestayId, Homestay>,
    pub stream: BTreeMap<u64, Record>,
    next: u64,
}

impl TableState {
    pub fn write(&mut self, homestay: Homestay) {
        let change = Change::of(&homestay);
        self.stream.insert(self.next, Record { change, delivered: false });
        self.next += 1;
        self.homestays.insert(homestay.id.clone(), homestay);
    }
}

impl Table {
    pub fn new(faults: Faults) -> Self {
        Self { state: Arc::default(), faults }
    }

    pub fn state(&self) -> MutexGuard<'_, TableState> {
        self.state.lock().unwrap()
    }
}

fn part_of(id: &HomestayId) -> u16 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    u16::try_from(hasher.finish() % u64::from(TABLE_PARTS)).unwrap()
}

impl HomestaySource for Table {
    async fn page(
        &self,
        part: u16,
        after: Option<&TablePosition>,
        limit: u16,
    ) -> Result<TablePage, StoreError> {
        self.faults
            .around(store_down, async {
                let state = self.state();
                let behind = |id: &HomestayId| after.is_none_or(|after| id.as_str() > after.0.as_str());
                let rest: Vec<&Homestay> =
                    state.homestays.values().filter(|h| part_of(&h.id) == part && behind(&h.id)).collect();
                let page: Vec<Homestay> = rest.iter().take(limit.into()).map(|h| (*h).clone()).collect();
                let next = page.last().filter(|_| rest.len() > page.len());
                let next = next.map(|last| TablePosition(last.id.to_string()));
                Ok(TablePage { homestays: page, unreadable: 0, next })
            })
            .await
    }

    async fn many(&self, ids: &[HomestayId]) -> Result<Vec<Stored>, StoreError> {
        self.faults
            .around(store_down, async {
                let state = self.state();
                let stored = |id| match state.homestays.get(id) {
                    Some(homestay) => Stored::Homestay(Box::new(homestay.clone())),
                    None => Stored::Nothing,
                };
                Ok(ids.iter().map(stored).collect())
            })
            .await
    }

    async fn estimate(&self) -> Result<u64, StoreError> {
        Ok(7)
    }
}

#[derive(Debug, Clone)]
pub struct Book {
    state: Arc<Mutex<BookState>>,
    faults: Faults,
}

#[derive(Debug, Default)]
struct BookState {
    jobs: BTreeMap<RebuildId, IndexJob>,
    keys: Vec<(JobKey, RebuildId)>,
    is_deaf: bool,
}

impl BookState {
    fn running(&self, kind: JobKind) -> Option<RebuildId> {
        self.jobs.values().find(|job| job.kind() == kind && !job.is_over()).map(|job| job.id)
    }
}

impl Book {
    pub fn new(faults: Faults) -> Self {
        Self { state: Arc::default(), faults }
    }

    pub fn jobs(&self) -> Vec<IndexJob> {
        self.state.lock().unwrap().jobs.values().cloned().collect()
    }

    /// From now on the answers to its conditional writes are lost, and its client tries again by itself: what is heard is that
    /// the condition no longer holds.
    pub fn lose_answers(&self) {
        self.state.lock().unwrap().is_deaf = true;
    }
}

impl JobBook for Book {
    async fn job(&self, id: RebuildId) -> Result<Option<IndexJob>, StoreError> {
        self.faults.around(store_down, async { Ok(self.state.lock().unwrap().jobs.get(&id).cloned()) }).await
    }

    async fn running(&self, kind: JobKind) -> Result<Option<RebuildId>, StoreError> {
        self.faults.around(store_down, async { Ok(self.state.lock().unwrap().running(kind)) }).await
    }

    async fn ordered(&self, key: JobKey) -> Result<Option<RebuildId>, StoreError> {
        let find = async {
            let state = self.state.lock().unwrap();
            Ok(state.keys.iter().find(|(known, _)| *known == key).map(|(_, id)| *id))
        };
        self.faults.around(store_down, find).await
    }

    async fn begin(&self, job: &IndexJob, key: Option<JobKey>) -> Result<Begun, StoreError> {
        let write = async {
            let mut state = self.state.lock().unwrap();
            if key.is_some_and(|key| state.keys.iter().any(|(known, _)| *known == key)) {
                return Ok(Begun::KeyTaken);
            }
            if let Some(running) = state.running(job.kind()) {
                return Ok(Begun::Running(running));
            }
            state.keys.extend(key.map(|key| (key, job.id)));
            state.jobs.insert(job.id, job.clone());
            Ok(Begun::Yes)
        };
        self.faults.around(store_down, write).await
    }

    async fn advance(&self, job: &IndexJob, before: u32) -> Result<bool, StoreError> {
        let write = async {
            let mut state = self.state.lock().unwrap();
            let is_there = state.jobs.get(&job.id).is_some_and(|held| held.step == before);
            if is_there {
                state.jobs.insert(job.id, job.clone());
            }
            Ok(is_there && !state.is_deaf && !self.faults.strike())
        };
        self.faults.around(store_down, write).await
    }

    async fn latest(
        &self,
        kind: JobKind,
        after: Option<RebuildId>,
        limit: u16,
    ) -> Result<Page<IndexJob, RebuildId>, StoreError> {
        let state = self.state.lock().unwrap();
        let jobs = state.jobs.values().rev();
        let jobs = jobs.filter(|job| job.kind() == kind && after.is_none_or(|after| job.id < after));
        Ok(Page { items: jobs.take(limit.into()).cloned().collect(), next: None })
    }
}

#[derive(Debug, Clone)]
pub struct Queue {
    messages: Arc<Mutex<Messages>>,
    faults: Faults,
}

#[derive(Debug, Default)]
struct Messages {
    waiting: BTreeMap<u64, (RebuildId, u32)>,
    next: u64,
}

impl Queue {
    pub fn new(faults: Faults) -> Self {
        Self { messages: Arc::default(), faults }
    }

    pub fn waiting(&self) -> Vec<(u64, RebuildId, u32)> {
        let messages = self.messages.lock().unwrap();
        messages.waiting.iter().map(|(at, (id, step))| (*at, *id, *step)).collect()
    }

    pub fn delete(&self, at: u64) {
        self.messages.lock().unwrap().waiting.remove(&at);
    }
}

impl JobQueue for Queue {
    async fn send(&self, id: RebuildId, step: u32) -> Result<(), StoreError> {
        let send = async {
            let mut messages = self.messages.lock().unwrap();
            let next = messages.next;
            messages.waiting.insert(next, (id, step));
            messages.next += 1;
            Ok(())
        };
        self.faults.around(store_down, send).await
    }
}

/// An index that fails, and gives way around each call.
#[derive(Debug)]
pub struct Shaky<I> {
    pub inner: Arc<I>,
    faults: Faults,
}

impl<I> Shaky<I> {
    pub fn new(inner: Arc<I>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

impl<I: IndexAdmin + Send> IndexWriter for Shaky<I> {
    async fn apply(&self, changes: &[Change]) -> Result<Applied, IndexError> {
        self.faults.around(index_down, self.inner.apply(changes)).await
    }
}

impl<I: IndexAdmin + Send> IndexAdmin for Shaky<I> {
    async fn generations(&self) -> Result<Generations, IndexError> {
        self.faults.around(index_down, self.inner.generations()).await
    }

    async fn prepare(&self, generation: &GenerationId) -> Result<(), IndexError> {
        self.faults.around(index_down, self.inner.prepare(generation)).await
    }

    async fn build(&self, generation: &GenerationId) -> Result<(), IndexError> {
        self.faults.around(index_down, self.inner.build(generation)).await
    }

    async fn apply_to(&self, generation: &GenerationId, changes: &[Change]) -> Result<Applied, IndexError> {
        self.faults.around(index_down, self.inner.apply_to(generation, changes)).await
    }

    async fn switch(&self, generation: &GenerationId) -> Result<(), IndexError> {
        self.faults.around(index_down, self.inner.switch(generation)).await
    }

    async fn roll_back(&self, to: &GenerationId) -> Result<(), IndexError> {
        self.faults.around(index_down, self.inner.roll_back(to)).await
    }

    async fn discard(&self, generation: &GenerationId) -> Result<(), IndexError> {
        self.faults.around(index_down, self.inner.discard(generation)).await
    }

    async fn held(
        &self,
        generation: &GenerationId,
        ids: &[HomestayId],
    ) -> Result<Vec<Option<Held>>, IndexError> {
        self.faults.around(index_down, self.inner.held(generation, ids)).await
    }

    async fn scan(
        &self,
        generation: &GenerationId,
        after: Option<&HomestayId>,
        limit: usize,
    ) -> Result<Vec<(HomestayId, Held)>, IndexError> {
        self.faults.around(index_down, self.inner.scan(generation, after, limit)).await
    }

    async fn forget(
        &self,
        generation: &GenerationId,
        gone: &[(HomestayId, Version)],
    ) -> Result<(), IndexError> {
        self.faults.around(index_down, self.inner.forget(generation, gone)).await
    }
}

/// Whether a piece of work has been told to go on: at once if it only gives way, later if it waits for something outside.
#[derive(Debug, Default)]
struct Signal {
    is_woken: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.is_woken.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

/// Longer than anything outside takes: who waits for it goes on.
const OUTSIDE: Duration = Duration::from_millis(200);

struct Task<'a, T> {
    id: u64,
    work: Pin<Box<dyn Future<Output = T> + 'a>>,
    signal: Arc<Signal>,
}

/// Work under way, each piece of which goes on when it is its turn, by chance.
pub struct Interleaved<'a, T> {
    tasks: Vec<Task<'a, T>>,
    next: u64,
}

impl<'a, T> Interleaved<'a, T> {
    pub fn new() -> Self {
        Self { tasks: Vec::new(), next: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub fn start(&mut self, work: impl Future<Output = T> + 'a) -> u64 {
        let id = self.next;
        self.next += 1;
        self.tasks.push(Task { id, work: Box::pin(work), signal: Arc::default() });
        id
    }

    /// One of them goes on for a moment; what it returns if that was its last one.
    pub fn go_on(&mut self, dice: &mut fastrand::Rng) -> Option<(u64, T)> {
        if self.tasks.is_empty() {
            return None;
        }
        let at = dice.usize(..self.tasks.len());
        let Task { id, work, signal } = &mut self.tasks[at];
        *signal.is_woken.lock().unwrap() = false;
        let waker = Waker::from(Arc::clone(signal));
        match work.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => {
                let id = *id;
                drop(self.tasks.swap_remove(at));
                Some((id, value))
            }
            Poll::Pending => {
                let is_woken = signal.is_woken.lock().unwrap();
                if !*is_woken && dice.bool() {
                    drop(signal.changed.wait_timeout_while(is_woken, OUTSIDE, |woken| !*woken).unwrap());
                }
                None
            }
        }
    }

    /// One of them dies where it is.
    pub fn crash_one(&mut self, dice: &mut fastrand::Rng) -> Option<u64> {
        if self.tasks.is_empty() {
            return None;
        }
        let at = dice.usize(..self.tasks.len());
        Some(self.tasks.swap_remove(at).id)
    }
}

/// What a generation should hold of the table: everything it has, at its version.
pub fn expected(table: &Table) -> BTreeMap<HomestayId, Held> {
    let state = table.state();
    let held = |homestay: &Homestay| Held { version: homestay.version, visible: homestay.is_visible() };
    state.homestays.values().map(|homestay| (homestay.id.clone(), held(homestay))).collect()
}

/// Ids of the table and of an index.
pub fn all_ids<'a, A: 'a, B: 'a>(
    a: &'a BTreeMap<HomestayId, A>,
    b: &'a BTreeMap<HomestayId, B>,
) -> BTreeSet<&'a HomestayId> {
    a.keys().chain(b.keys()).collect()
}
