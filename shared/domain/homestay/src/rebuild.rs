//! Rebuilding an index while it is searched and written to, and comparing it with the table: jobs in small steps.
//!
//! A step reads a job, does some of it, and writes how far it is on condition that nobody else has; then it asks for the next
//! one. So a step may be repeated, also by two at once, and be cut off anywhere: what it did to the index is done again and
//! changes nothing, since there the greater version wins.
//!
//! A rebuild makes its generation known *before* it reads the first page of the table. Whatever was written before is on those
//! pages, since they are read consistently; whatever is written after comes through the stream to a writer that has asked which
//! generations there are only then. `docs/decisions/0014-index-and-table.md` has the argument in full.

use domain_coupon::{Page, StoreError};
use domain_ids::RebuildId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Change, GenerationId, Generations, HomestaySource, IndexAdmin, IndexError, PartProgress, Pass, SyncError,
    SyncFigures,
    reconcile::{compare, count},
    sync::{newest, read_on},
};

/// After this long without a step its message is taken for lost, and sent again: longer than one step takes with all
/// deliveries of its message.
pub const STALLED_AFTER: SignedDuration = SignedDuration::from_mins(45);

/// How often a job that is worked on at the same time is tried to be cancelled.
const CANCEL_TRIES: usize = 5;

/// Work on an index, as far as it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexJob {
    /// Identity.
    pub id: RebuildId,
    /// What is to be done.
    pub task: JobTask,
    /// How far it is.
    pub stage: JobStage,
    /// Counts the steps done. A message asks for one of them by its number, so that a repeated one is recognised.
    pub step: u32,
    /// What was done.
    pub figures: SyncFigures,
    /// About how many homestays there are, as far as that is known.
    pub estimate: Option<u64>,
    /// The generation that was live before, to roll back to.
    pub replaced: Option<GenerationId>,
    /// When it was rolled back.
    pub rolled_back_at: Option<Timestamp>,
    /// When it was ordered.
    pub started_at: Timestamp,
    /// When the last step was done.
    pub updated_at: Timestamp,
}

/// What a job is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobTask {
    /// Build a generation from the table, compare it, and have it searched.
    Rebuild {
        /// The new one.
        generation: GenerationId,
    },
    /// Compare generations with the table.
    Reconcile {
        /// Those that are not done; the first is worked on.
        left: Vec<GenerationId>,
    },
}

/// What kind of job. Of each kind one runs at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// [`JobTask::Rebuild`].
    Rebuild,
    /// [`JobTask::Reconcile`].
    Reconciliation,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum JobStage {
    /// Nothing is done yet.
    Preparing,
    /// The table is read into the new generation.
    Scanning {
        /// How far each part is.
        parts: Vec<PartProgress>,
    },
    /// A generation is compared with the table.
    Comparing {
        /// How far that is.
        pass: Pass,
    },
    /// The new generation is complete and becomes the live one.
    Switching,
    /// All of it is done.
    Done,
    /// It cannot go on.
    Failed {
        /// Why.
        failure: JobFailure,
    },
    /// An operator stopped it.
    Cancelled,
}

/// Why a job cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobFailure {
    /// The generation that was built is not there any more: another took its place.
    GenerationLost,
    /// What the index holds, or answers, cannot be understood.
    IndexUnreadable,
    /// What the table answers cannot be understood.
    TableUnreadable,
}

impl IndexJob {
    /// A rebuild that is about to begin.
    pub fn rebuild(id: RebuildId, at: Timestamp) -> Self {
        Self::new(id, JobTask::Rebuild { generation: generation_of(id) }, at)
    }

    /// A comparison that is about to begin.
    pub fn reconciliation(id: RebuildId, at: Timestamp) -> Self {
        Self::new(id, JobTask::Reconcile { left: Vec::new() }, at)
    }

    fn new(id: RebuildId, task: JobTask, at: Timestamp) -> Self {
        Self {
            id,
            task,
            stage: JobStage::Preparing,
            step: 0,
            figures: SyncFigures::default(),
            estimate: None,
            replaced: None,
            rolled_back_at: None,
            started_at: at,
            updated_at: at,
        }
    }

    /// What kind of job it is.
    pub fn kind(&self) -> JobKind {
        match self.task {
            JobTask::Rebuild { .. } => JobKind::Rebuild,
            JobTask::Reconcile { .. } => JobKind::Reconciliation,
        }
    }

    /// Whether it has come to its end, be it a good or a bad one.
    pub fn is_over(&self) -> bool {
        match self.stage {
            JobStage::Preparing
            | JobStage::Scanning { .. }
            | JobStage::Comparing { .. }
            | JobStage::Switching => false,
            JobStage::Done | JobStage::Failed { .. } | JobStage::Cancelled => true,
        }
    }

    /// How much of it is done, 0 to 100. Below 100 it is about right: how many homestays there are is known when all have
    /// been read.
    pub fn percent(&self) -> u8 {
        let SyncFigures { scanned, checked, .. } = self.figures;
        let (read, all) = (scanned.saturating_add(checked), self.estimate.unwrap_or_default().max(scanned));
        // A homestay is read once to be built, and compared once from either side.
        let rounds = match self.task {
            JobTask::Rebuild { .. } => 3,
            JobTask::Reconcile { .. } => 4,
        };
        match self.stage {
            JobStage::Done => 100,
            JobStage::Switching => 99,
            JobStage::Preparing => 0,
            JobStage::Scanning { .. }
            | JobStage::Comparing { .. }
            | JobStage::Failed { .. }
            | JobStage::Cancelled => {
                let percent = read.saturating_mul(100).checked_div(all.saturating_mul(rounds));
                u8::try_from(percent.unwrap_or_default().min(99)).unwrap_or(99)
            }
        }
    }

    /// The generation that nobody needs any more once the job has ended without being done.
    fn litter(&self) -> Option<&GenerationId> {
        match (&self.stage, &self.task) {
            (JobStage::Failed { .. } | JobStage::Cancelled, JobTask::Rebuild { generation }) => {
                Some(generation)
            }
            _ => None,
        }
    }

    fn at_stage(&self, stage: JobStage, at: Timestamp) -> Self {
        Self { stage, step: self.step.saturating_add(1), updated_at: at, ..self.clone() }
    }
}

/// The name of the generation that a rebuild builds. Names are in the order of their rebuilds.
pub fn generation_of(id: RebuildId) -> GenerationId {
    match format!("g-{}", id.to_string().to_ascii_lowercase()).parse() {
        Ok(generation) => generation,
        Err(error) => unreachable!("28 characters of a-z, 0-9 and -: {error}"),
    }
}

/// Recognises a repeated order: a digest of who ordered it and of the caller's idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobKey([u8; 16]);

impl JobKey {
    /// The digest of `idempotency_key` as `caller` sent it, for a job of this `kind`.
    pub fn new(caller: &str, kind: JobKind, idempotency_key: &str) -> Self {
        let kind = match kind {
            JobKind::Rebuild => "#rebuild#",
            JobKind::Reconciliation => "#reconciliation#",
        };
        let digest = Sha256::new().chain_update(caller).chain_update(kind).chain_update(idempotency_key);
        let digest = digest.finalize();
        Self(std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default()))
    }

    /// The digest as bytes, for storage.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

/// Where jobs are written down.
pub trait JobBook: Sync {
    /// The job as it is now.
    fn job(&self, id: RebuildId) -> impl Future<Output = Result<Option<IndexJob>, StoreError>> + Send;

    /// The job of this kind that is not over, if any.
    fn running(&self, kind: JobKind) -> impl Future<Output = Result<Option<RebuildId>, StoreError>> + Send;

    /// The job that was ordered with this key.
    fn ordered(&self, key: JobKey) -> impl Future<Output = Result<Option<RebuildId>, StoreError>> + Send;

    /// Writes a new job down, with its key, unless one of its kind is running: in one step.
    fn begin(
        &self,
        job: &IndexJob,
        key: Option<JobKey>,
    ) -> impl Future<Output = Result<Begun, StoreError>> + Send;

    /// Writes `job` down as it is now, if it was at step `before`; says whether it was. One that is over is no longer
    /// running: in one step.
    fn advance(&self, job: &IndexJob, before: u32) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Up to `limit` jobs of this kind, the newest first, from behind `after` on.
    fn latest(
        &self,
        kind: JobKind,
        after: Option<RebuildId>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<IndexJob, RebuildId>, StoreError>> + Send;
}

/// What became of a new job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It is written down, and runs.
    Yes,
    /// Its key names another.
    KeyTaken,
    /// This one of its kind is running.
    Running(RebuildId),
}

/// Where the steps wait that are to be done.
pub trait JobQueue: Sync {
    /// Asks for a step of a job.
    fn send(&self, id: RebuildId, step: u32) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// An order for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewJob {
    /// Its identity, should it be new.
    pub id: RebuildId,
    /// What kind.
    pub kind: JobKind,
    /// Recognises repeats, where the caller named the request.
    pub key: Option<JobKey>,
    /// Now.
    pub at: Timestamp,
}

/// A job that was ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderedJob {
    /// The job as it is now.
    pub job: IndexJob,
    /// An earlier request with the same key had ordered it.
    pub replayed: bool,
}

/// Why a job was not ordered.
#[derive(Debug, thiserror::Error)]
pub enum OrderJobError {
    /// This one of its kind is running.
    #[error("another job of this kind is running")]
    Running(RebuildId),
    /// The table or the queue failed. The job may have been ordered; a repeat with the same key finds it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Orders a job, or finds the one that was ordered with the same key.
pub async fn order_job(
    book: &impl JobBook,
    queue: &impl JobQueue,
    new: NewJob,
) -> Result<OrderedJob, OrderJobError> {
    if let Some(job) = find_ordered(book, new.key).await? {
        return repeat(queue, job).await;
    }
    let job = match new.kind {
        JobKind::Rebuild => IndexJob::rebuild(new.id, new.at),
        JobKind::Reconciliation => IndexJob::reconciliation(new.id, new.at),
    };
    match book.begin(&job, new.key).await? {
        Begun::Yes => {}
        // Its own: the answer to the first attempt was lost.
        Begun::Running(id) if id == job.id => {}
        Begun::Running(id) => return Err(OrderJobError::Running(id)),
        Begun::KeyTaken => match find_ordered(book, new.key).await? {
            Some(job) => return repeat(queue, job).await,
            None => return Err(OrderJobError::Store(StoreError::Corrupt("a key without its job".into()))),
        },
    }
    queue.send(job.id, job.step).await?;
    Ok(OrderedJob { job, replayed: false })
}

async fn find_ordered(book: &impl JobBook, key: Option<JobKey>) -> Result<Option<IndexJob>, StoreError> {
    let Some(key) = key else { return Ok(None) };
    match book.ordered(key).await? {
        Some(id) => book.job(id).await,
        None => Ok(None),
    }
}

/// The first request may have died before it asked for the first step. To be asked twice does no harm.
async fn repeat(queue: &impl JobQueue, job: IndexJob) -> Result<OrderedJob, OrderJobError> {
    if job.step == 0 && !job.is_over() {
        queue.send(job.id, job.step).await?;
    }
    Ok(OrderedJob { job, replayed: true })
}

/// How much a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Homestays on a page of each part of the table. Each may have 24 KB.
    pub page: u16,
    /// Pages, of each part, of a step: what is done again when a step dies.
    pub rounds: u32,
}

impl Pace {
    /// A thousand homestays at once, which an embedded index writes in a tenth of a second; twenty thousand a step.
    pub const DEFAULT: Self = Self { page: 250, rounds: 20 };
}

/// What became of a message that asked for a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stepped {
    /// The step is done, and this is the job now.
    Advanced(Box<IndexJob>),
    /// It had been done before.
    Repeated,
    /// Somebody else was faster, or the job was cancelled meanwhile.
    Overtaken,
    /// The job had ended without being done; the generation it built is dropped.
    Cleared,
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// There is no such job.
    #[error("there is no such job")]
    NotFound,
    /// Table, index or queue failed.
    #[error(transparent)]
    Sync(#[from] SyncError),
}

impl StepError {
    /// Whether the same may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotFound => false,
            Self::Sync(error) => error.is_retryable(),
        }
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Sync(error.into())
    }
}

impl From<IndexError> for StepError {
    fn from(error: IndexError) -> Self {
        Self::Sync(error.into())
    }
}

/// What the steps of a job work on.
#[derive(Debug)]
pub struct Workshop<I, T, B, Q> {
    /// The index.
    pub index: I,
    /// The table.
    pub source: T,
    /// Where jobs are written down.
    pub book: B,
    /// Where their steps wait.
    pub queue: Q,
    /// How much a step does.
    pub pace: Pace,
}

impl<I: IndexAdmin, T: HomestaySource, B: JobBook, Q: JobQueue> Workshop<I, T, B, Q> {
    /// Does step `number` of the job, at least a page of it and as much as it `has_time` for, and asks for the next one.
    pub async fn step(
        &self,
        id: RebuildId,
        number: u32,
        at: Timestamp,
        has_time: impl Fn() -> bool + Sync,
    ) -> Result<Stepped, StepError> {
        let job = self.book.job(id).await?.ok_or(StepError::NotFound)?;
        if number != job.step {
            // Whoever did the last step may have died before it asked for the next.
            if number.checked_add(1) == Some(job.step) && (!job.is_over() || job.litter().is_some()) {
                self.queue.send(id, job.step).await?;
            }
            return Ok(Stepped::Repeated);
        }
        if job.is_over() {
            if let Some(generation) = job.litter() {
                self.index.discard(generation).await?;
            }
            return Ok(Stepped::Cleared);
        }
        let next = match self.next(&job, at, has_time).await {
            Ok(next) => next,
            Err(error) if error.is_retryable() => return Err(error.into()),
            Err(SyncError::Index(_)) => failed(&job, JobFailure::IndexUnreadable, at),
            Err(SyncError::Store(_)) => failed(&job, JobFailure::TableUnreadable, at),
        };
        if !self.book.advance(&next, job.step).await? && self.book.job(id).await?.as_ref() != Some(&next) {
            return Ok(Stepped::Overtaken);
        }
        // Or it was written all the same: the answer was lost, and the table's client, which tries again by itself, found it.
        if !next.is_over() || next.litter().is_some() {
            self.queue.send(id, next.step).await?;
        }
        Ok(Stepped::Advanced(Box::new(next)))
    }

    async fn next(
        &self,
        job: &IndexJob,
        at: Timestamp,
        has_time: impl Fn() -> bool + Sync,
    ) -> Result<IndexJob, SyncError> {
        match (&job.stage, &job.task) {
            (JobStage::Preparing, JobTask::Rebuild { generation }) => self.prepare(job, generation, at).await,
            (JobStage::Preparing, JobTask::Reconcile { .. }) => {
                let generations = self.index.generations().await?;
                let kept = [generations.live, generations.previous];
                let left: Vec<GenerationId> = kept.into_iter().flatten().collect();
                let estimate = Some(self.source.estimate().await?);
                let job = IndexJob { estimate, ..job.clone() };
                Ok(compare_next(&job, left, at))
            }
            (JobStage::Scanning { parts }, JobTask::Rebuild { generation }) => {
                self.scan(job, generation, parts, at, has_time).await
            }
            (JobStage::Comparing { pass }, JobTask::Rebuild { generation }) => {
                self.compare(job, generation, pass, at, has_time).await
            }
            (JobStage::Comparing { pass }, JobTask::Reconcile { left }) => match left.first() {
                Some(generation) => self.compare(job, generation, pass, at, has_time).await,
                None => Ok(job.at_stage(JobStage::Done, at)),
            },
            (JobStage::Switching, JobTask::Rebuild { generation }) => self.switch(job, generation, at).await,
            (JobStage::Scanning { .. } | JobStage::Switching, JobTask::Reconcile { .. })
            | (JobStage::Done | JobStage::Failed { .. } | JobStage::Cancelled, _) => {
                Err(StoreError::Corrupt("a job at a stage that it cannot have".into()).into())
            }
        }
    }

    async fn prepare(
        &self,
        job: &IndexJob,
        generation: &GenerationId,
        at: Timestamp,
    ) -> Result<IndexJob, SyncError> {
        let estimate = Some(self.source.estimate().await?);
        let Generations { building, .. } = self.index.generations().await?;
        // A worker that slept since before this rebuild was cancelled must not take the place of the next one.
        if building.is_some_and(|other| other > *generation) {
            return Ok(failed(job, JobFailure::GenerationLost, at));
        }
        self.index.build(generation).await?;
        let job = IndexJob { estimate, ..job.clone() };
        Ok(job.at_stage(JobStage::Scanning { parts: PartProgress::begin() }, at))
    }

    async fn scan(
        &self,
        job: &IndexJob,
        generation: &GenerationId,
        parts: &[PartProgress],
        at: Timestamp,
        has_time: impl Fn() -> bool + Sync,
    ) -> Result<IndexJob, SyncError> {
        if !self.is_known(generation).await? {
            return Ok(failed(job, JobFailure::GenerationLost, at));
        }
        let mut job = job.clone();
        let mut parts = parts.to_vec();
        for round in 0..self.pace.rounds.max(1) {
            if round > 0 && !has_time() {
                break;
            }
            match self.scan_on(generation, &mut parts, &mut job.figures).await {
                Ok(()) => {}
                // What is done is kept; the next step meets the error, if it is still there.
                Err(error) if round > 0 && error.is_retryable() => break,
                Err(error) => return Err(error),
            }
            if parts.iter().all(|part| *part == PartProgress::End) {
                job.estimate = Some(job.figures.scanned);
                return Ok(job.at_stage(JobStage::Comparing { pass: Pass::begin() }, at));
            }
        }
        Ok(job.at_stage(JobStage::Scanning { parts }, at))
    }

    async fn scan_on(
        &self,
        generation: &GenerationId,
        parts: &mut Vec<PartProgress>,
        figures: &mut SyncFigures,
    ) -> Result<(), SyncError> {
        let round = read_on(&self.source, parts, self.pace.page).await?;
        let changes = newest(round.homestays.iter().map(Change::of));
        if !changes.is_empty() {
            self.index.apply_to(generation, &changes).await?;
        }
        figures.scanned += count(round.homestays.len());
        figures.unreadable += round.unreadable;
        *parts = round.parts;
        Ok(())
    }

    async fn compare(
        &self,
        job: &IndexJob,
        generation: &GenerationId,
        pass: &Pass,
        at: Timestamp,
        has_time: impl Fn() -> bool + Sync,
    ) -> Result<IndexJob, SyncError> {
        if !self.is_known(generation).await? {
            return Ok(match &job.task {
                JobTask::Rebuild { .. } => failed(job, JobFailure::GenerationLost, at),
                // A rebuild has switched meanwhile, and this one was dropped.
                JobTask::Reconcile { left } => compare_next(job, rest(left), at),
            });
        }
        let mut job = job.clone();
        let mut pass = pass.clone();
        for round in 0..self.pace.rounds.max(1) {
            if round > 0 && !has_time() {
                break;
            }
            let mut figures = job.figures;
            let compared =
                compare(&self.index, &self.source, generation, &pass, self.pace.page, &mut figures).await;
            match compared {
                Ok(next) => {
                    job.figures = figures;
                    match next {
                        Some(next) => pass = next,
                        None => {
                            return Ok(match &job.task {
                                JobTask::Rebuild { .. } => job.at_stage(JobStage::Switching, at),
                                JobTask::Reconcile { left } => compare_next(&job, rest(left), at),
                            });
                        }
                    }
                }
                Err(error) if round > 0 && error.is_retryable() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(job.at_stage(JobStage::Comparing { pass }, at))
    }

    async fn switch(
        &self,
        job: &IndexJob,
        generation: &GenerationId,
        at: Timestamp,
    ) -> Result<IndexJob, SyncError> {
        let Generations { live, building, previous } = self.index.generations().await?;
        let replaced = if live.as_ref() == Some(generation) {
            // Switched before, by one that died then.
            previous
        } else if building.as_ref() == Some(generation) {
            self.index.switch(generation).await?;
            live
        } else {
            return Ok(failed(job, JobFailure::GenerationLost, at));
        };
        let job = IndexJob { replaced, ..job.clone() };
        Ok(job.at_stage(JobStage::Done, at))
    }

    async fn is_known(&self, generation: &GenerationId) -> Result<bool, SyncError> {
        Ok(self.index.generations().await?.all().any(|known| known == generation))
    }

    /// What is due every hour: asks again for steps whose messages were lost, drops what a rebuild left that has ended, and
    /// orders a comparison unless one is running.
    pub async fn tick(&self, id: RebuildId, at: Timestamp) -> Result<Ticked, StepError> {
        let mut ticked = Ticked::default();
        // Before it is asked who builds it: whoever does has been running since before it was known.
        let building = self.index.generations().await?.building;
        for kind in [JobKind::Rebuild, JobKind::Reconciliation] {
            let Some(job) = self.job_running(kind).await? else { continue };
            if at.duration_since(job.updated_at) >= STALLED_AFTER {
                self.queue.send(job.id, job.step).await?;
                ticked.woken += 1;
            }
        }
        if let Some(generation) = building {
            let builder = self.book.running(JobKind::Rebuild).await?;
            if builder.map(generation_of).as_ref() != Some(&generation) {
                self.index.discard(&generation).await?;
                ticked.discarded += 1;
            }
        }
        let new = NewJob { id, kind: JobKind::Reconciliation, key: None, at };
        match order_job(&self.book, &self.queue, new).await {
            Ok(ordered) => ticked.started = Some(ordered.job.id),
            Err(OrderJobError::Running(_)) => {}
            Err(OrderJobError::Store(error)) => return Err(error.into()),
        }
        Ok(ticked)
    }

    async fn job_running(&self, kind: JobKind) -> Result<Option<IndexJob>, StoreError> {
        match self.book.running(kind).await? {
            Some(id) => self.book.job(id).await,
            None => Ok(None),
        }
    }
}

/// What an hourly look came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Jobs whose next step was asked for again.
    pub woken: u32,
    /// Generations dropped that nobody builds any more.
    pub discarded: u32,
    /// The comparison that was ordered.
    pub started: Option<RebuildId>,
}

fn failed(job: &IndexJob, failure: JobFailure, at: Timestamp) -> IndexJob {
    job.at_stage(JobStage::Failed { failure }, at)
}

fn rest(left: &[GenerationId]) -> Vec<GenerationId> {
    left.iter().skip(1).cloned().collect()
}

fn compare_next(job: &IndexJob, left: Vec<GenerationId>, at: Timestamp) -> IndexJob {
    let stage = if left.is_empty() { JobStage::Done } else { JobStage::Comparing { pass: Pass::begin() } };
    IndexJob { task: JobTask::Reconcile { left }, ..job.clone() }.at_stage(stage, at)
}

/// Why a rebuild was not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelRebuildError {
    /// There is no such rebuild.
    #[error("there is no such rebuild")]
    NotFound,
    /// It is over, or is about to be.
    #[error("the rebuild is over")]
    Over,
    /// It goes on faster than it can be stopped.
    #[error("the rebuild was worked on each time")]
    Busy,
    /// The table or the queue failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Stops a rebuild; harmless if it is stopped. What it built is dropped by its next step.
pub async fn cancel_rebuild(
    book: &impl JobBook,
    queue: &impl JobQueue,
    id: RebuildId,
    at: Timestamp,
) -> Result<IndexJob, CancelRebuildError> {
    for _ in 0..CANCEL_TRIES {
        let job = rebuild(book, id).await?.ok_or(CancelRebuildError::NotFound)?;
        let cancelled = match job.stage {
            JobStage::Cancelled => job,
            // Whoever has read this stage switches, whatever is written now.
            JobStage::Switching | JobStage::Done | JobStage::Failed { .. } => {
                return Err(CancelRebuildError::Over);
            }
            JobStage::Preparing | JobStage::Scanning { .. } | JobStage::Comparing { .. } => {
                let cancelled = job.at_stage(JobStage::Cancelled, at);
                if !book.advance(&cancelled, job.step).await? {
                    continue;
                }
                cancelled
            }
        };
        queue.send(id, cancelled.step).await?;
        return Ok(cancelled);
    }
    Err(CancelRebuildError::Busy)
}

/// Why a rebuild was not rolled back.
#[derive(Debug, thiserror::Error)]
pub enum RollBackError {
    /// There is no such rebuild.
    #[error("there is no such rebuild")]
    NotFound,
    /// It is not done, or its generation is not the one that is searched.
    #[error("the rebuild is not the one in use")]
    NotLive,
    /// The generation before it is not there any more, or never was.
    #[error("there is nothing to roll back to")]
    NothingBefore,
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Has the generation searched again that a rebuild replaced, which has been kept in step since; harmless if it is already.
pub async fn roll_back(
    index: &impl IndexAdmin,
    book: &impl JobBook,
    id: RebuildId,
    at: Timestamp,
) -> Result<IndexJob, RollBackError> {
    let job = rebuild(book, id).await?.ok_or(RollBackError::NotFound)?;
    let (JobStage::Done, JobTask::Rebuild { generation }) = (&job.stage, &job.task) else {
        return Err(RollBackError::NotLive);
    };
    let to = job.replaced.as_ref().ok_or(RollBackError::NothingBefore)?;
    let Generations { live, previous, .. } = index.generations().await?;
    if live.as_ref() == Some(generation) {
        if previous.as_ref() != Some(to) {
            return Err(RollBackError::NothingBefore);
        }
        match index.roll_back(to).await {
            Ok(()) => {}
            // A rebuild has switched since.
            Err(IndexError::Missing) => return Err(RollBackError::NothingBefore),
            Err(error) => return Err(error.into()),
        }
    } else if live.as_ref() != Some(to) {
        return Err(RollBackError::NotLive);
    }
    if job.rolled_back_at.is_some() {
        return Ok(job);
    }
    let rolled_back = IndexJob { rolled_back_at: Some(at), ..job.at_stage(JobStage::Done, at) };
    // Somebody else has noted the same, if it is not written.
    book.advance(&rolled_back, job.step).await?;
    Ok(rolled_back)
}

async fn rebuild(book: &impl JobBook, id: RebuildId) -> Result<Option<IndexJob>, StoreError> {
    Ok(book.job(id).await?.filter(|job| job.kind() == JobKind::Rebuild))
}
