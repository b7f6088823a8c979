//! One step of an import: from where the last one stopped, as far as it goes.

use std::collections::HashMap;

use domain_coupon::{StoreError, Violation, Violations};
use domain_ids::{HomestayId, ImportId};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use super::{
    Checkpoint, FileError, Import, ImportBook, ImportEnd, ImportFailure, ImportFailureReason, ImportFigures,
    ImportFiles, ImportFormat, ImportMark, ImportQueue, ImportStatus, ImportStore, MAX_PARTS, MAX_REPORTED,
    RefusedRow, ReportPart, RowError, RowOutcome, StoredHomestay,
    rows::{self, MAX_LINE_BYTES, Row, Said, Window},
};
use crate::{Homestay, NewHomestay, RowState, State, Version};

/// Bytes of the file that a step reads: about 2,000 rows of ordinary length.
pub const STEP_BYTES: u64 = 1024 * 1024;

/// Rows of a step: a few seconds of writing.
pub const ROWS_PER_STEP: usize = 2_000;

/// How much a step takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Bytes that it reads: more than a record may have.
    pub(super) bytes: u64,
    /// Rows that it imports.
    pub(super) rows: usize,
    /// Rows whose homestays are read at once; between two such chunks a step can stop.
    pub(super) chunk: usize,
}

/// Homestays that are written at once. A host's homestays are one partition of an index, which takes 1,000 writes a second; eight
/// at once, 5 ms or more each, are up to 1,600: what is over is absorbed by bursts.
const CONCURRENCY: usize = 8;

/// Times that a homestay is read again which somebody else changes at that moment.
const MAX_TRIES: u32 = 5;

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportStepDone {
    /// The import was moved on by this.
    Moved(Checkpoint),
    /// Another attempt had moved it on.
    Repeated,
    /// The import was over.
    Over,
}

/// Why a step was not taken. What is written is written; a repeat goes on.
#[derive(Debug, thiserror::Error)]
pub enum ImportStepError {
    /// There is no such import.
    #[error("no such import")]
    NotFound,
    /// Homestays were changed by others each time they were to be written.
    #[error("too much contention")]
    Busy,
    /// A store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl ImportStepError {
    /// Whether a repeat may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotFound => false,
            Self::Busy => true,
            Self::Store(error) => error.is_retryable(),
        }
    }
}

/// Imports the rows from byte `from` on, as many as a step has and as it `has_time` for, at least some, and asks for the next step.
///
/// `again` says that the queue has delivered the step before: then that attempt may have moved the import on and not asked for
/// the next step, which is done now. Two chains of steps that come of it run into each other and become one.
pub async fn import_step(
    book: &impl ImportBook,
    store: &impl ImportStore,
    files: &impl ImportFiles,
    queue: &impl ImportQueue,
    (id, from, again): (ImportId, u64, bool),
    at: Timestamp,
    has_time: impl Fn() -> bool + Sync,
) -> Result<ImportStepDone, ImportStepError> {
    // A hundred keys are what DynamoDB reads in one call.
    let extent = Extent { bytes: STEP_BYTES, rows: ROWS_PER_STEP, chunk: 100 };
    step_of(extent, (book, store, files, queue), (id, from, again), at, has_time).await
}

pub(super) async fn step_of(
    extent: Extent,
    (book, store, files, queue): (&impl ImportBook, &impl ImportStore, &impl ImportFiles, &impl ImportQueue),
    (id, from, again): (ImportId, u64, bool),
    at: Timestamp,
    has_time: impl Fn() -> bool + Sync,
) -> Result<ImportStepDone, ImportStepError> {
    let import = book.import(id).await?.ok_or(ImportStepError::NotFound)?;
    if import.status != ImportStatus::Running {
        return Ok(ImportStepDone::Over);
    }
    if import.position != from {
        if again {
            queue.send(id, import.position).await?;
        }
        return Ok(ImportStepDone::Repeated);
    }
    let checkpoint = match read(files, &import, extent).await {
        Ok(found) => {
            Step { import: &import, store, files, at, chunk: extent.chunk }.take(found, &has_time).await?
        }
        Err(FileError::Missing) => gone(&import, ImportFailureReason::FileMissing),
        Err(FileError::Changed) => gone(&import, ImportFailureReason::FileChanged),
        Err(FileError::Store(error)) => return Err(error.into()),
    };
    if !book.checkpoint(id, from, &checkpoint, at).await? && !is_written(book, id, &checkpoint, at).await? {
        return Ok(ImportStepDone::Repeated);
    }
    if checkpoint.end.is_none() {
        queue.send(id, checkpoint.to).await?;
    }
    Ok(ImportStepDone::Moved(checkpoint))
}

/// Whether the checkpoint was written all the same: the table's client tries again by itself where an answer is lost, and then
/// finds that the import has moved.
async fn is_written(
    book: &impl ImportBook,
    id: ImportId,
    checkpoint: &Checkpoint,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let now = book.import(id).await?;
    Ok(now.is_some_and(|import| import.position == checkpoint.to && import.updated_at == at))
}

fn gone(import: &Import, reason: ImportFailureReason) -> Checkpoint {
    let failure = ImportFailure { reason, line: None, column: None };
    Checkpoint {
        to: import.position,
        lines: import.lines,
        figures: ImportFigures::default(),
        part: None,
        end: Some(ImportEnd::Failed(failure)),
    }
}

async fn read(files: &impl ImportFiles, import: &Import, extent: Extent) -> Result<rows::Read, FileError> {
    let (from, end) = (import.position, import.file.bytes);
    let to = end.min(from.saturating_add(extent.bytes));
    let bytes = if from < to { files.read(&import.file, from..to).await? } else { Vec::new() };
    let head = if from > 0 && import.format == ImportFormat::Csv {
        files.read(&import.file, 0..end.min(MAX_LINE_BYTES as u64)).await?
    } else {
        Vec::new()
    };
    let window = Window {
        format: import.format,
        source: &import.source,
        datum: import.datum,
        bytes: &bytes,
        from,
        lines: import.lines,
        is_last: from.saturating_add(bytes.len() as u64) >= end,
        head: &head,
    };
    Ok(rows::read(&window, extent.rows))
}

struct Step<'a, S, F> {
    import: &'a Import,
    store: &'a S,
    files: &'a F,
    at: Timestamp,
    chunk: usize,
}

/// A row that is to be imported.
struct Work {
    /// Which of its chunk.
    place: usize,
    /// Where it begins, in bytes of the file.
    at: u64,
    /// What it says.
    said: Said,
}

/// What came of a row.
#[derive(Debug)]
enum Outcome {
    Written(RowOutcome),
    Unchanged,
    Refused(Violations),
}

/// What is to be done for a row.
enum Decision {
    Write(Box<Homestay>, Option<Version>, RowOutcome),
    Nothing(Outcome),
}

impl<S: ImportStore, F: ImportFiles> Step<'_, S, F> {
    async fn take(
        &self,
        found: rows::Read,
        has_time: impl Fn() -> bool + Sync,
    ) -> Result<Checkpoint, ImportStepError> {
        let mut figures = ImportFigures::default();
        let mut refused = Vec::new();
        let mut stopped = None;
        let mut chunks = found.rows.chunks(self.chunk).peekable();
        while let Some(chunk) = chunks.next() {
            for (row, outcome) in chunk.iter().zip(self.rows(chunk).await?) {
                match outcome {
                    Outcome::Written(RowOutcome::Created) => figures.created += 1,
                    Outcome::Written(RowOutcome::Changed) => figures.changed += 1,
                    Outcome::Unchanged => figures.unchanged += 1,
                    Outcome::Refused(violations) => {
                        figures.refused += 1;
                        refused.push(refused_row(row, &violations));
                    }
                }
            }
            if chunks.peek().is_some() && !has_time() {
                stopped = chunk.last();
                break;
            }
        }
        let (to, lines, failure) = match stopped {
            Some(last) => (last.end, last.lines, None),
            None => (found.end, found.lines, found.failure),
        };
        let end = match failure {
            Some(failure) => Some(ImportEnd::Failed(failure)),
            None if to >= self.import.file.bytes => Some(ImportEnd::Done),
            None => None,
        };
        let part = self.report(to, refused).await?;
        Ok(Checkpoint { to, lines, figures, part, end })
    }

    /// Writes the refused rows, as far as the report has room.
    async fn report(&self, to: u64, mut refused: Vec<RefusedRow>) -> Result<Option<ReportPart>, StoreError> {
        let room = if self.import.parts.len() < MAX_PARTS {
            MAX_REPORTED.saturating_sub(self.import.reported())
        } else {
            0
        };
        refused.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        let rows = u32::try_from(refused.len()).unwrap_or(u32::MAX);
        if rows == 0 {
            return Ok(None);
        }
        let part = ReportPart { from: self.import.position, to, rows };
        self.files.write_part(self.import.id, part, &refused).await?;
        Ok(Some(part))
    }

    /// What comes of the rows of a chunk, in their order: those of one homestay one after the other.
    async fn rows(&self, chunk: &[Row]) -> Result<Vec<Outcome>, ImportStepError> {
        let mut of: HashMap<HomestayId, Vec<Work>> = HashMap::new();
        let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(chunk.len());
        for (place, row) in chunk.iter().enumerate() {
            outcomes.push(match &row.said {
                Ok(said) => {
                    let work = Work { place, at: row.at, said: said.clone() };
                    of.entry(said.id.clone()).or_default().push(work);
                    None
                }
                Err(violations) => Some(Outcome::Refused(violations.clone())),
            });
        }
        let (ids, work): (Vec<HomestayId>, Vec<Vec<Work>>) = of.into_iter().unzip();
        let stored = self.store.stored(&ids).await?;
        let done: Vec<Vec<(usize, Outcome)>> = stream::iter(work.into_iter().zip(stored))
            .map(|(rows, stored)| self.homestay(rows, stored))
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        for (place, outcome) in done.into_iter().flatten() {
            if let Some(slot) = outcomes.get_mut(place) {
                *slot = Some(outcome);
            }
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    async fn homestay(
        &self,
        rows: Vec<Work>,
        mut stored: Option<StoredHomestay>,
    ) -> Result<Vec<(usize, Outcome)>, ImportStepError> {
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            outcomes.push((row.place, self.row(&row, &mut stored).await?));
        }
        Ok(outcomes)
    }

    async fn row(&self, row: &Work, stored: &mut Option<StoredHomestay>) -> Result<Outcome, ImportStepError> {
        for _ in 0..MAX_TRIES {
            let (homestay, before, outcome) = match self.decide(row, stored.as_ref()) {
                Decision::Nothing(outcome) => return Ok(outcome),
                Decision::Write(homestay, before, outcome) => (homestay, before, outcome),
            };
            let mark = ImportMark { import: self.import.id, at: row.at, outcome };
            if self.import.dry_run || self.store.write(&homestay, before, &mark).await? {
                *stored = Some(StoredHomestay { homestay: *homestay, mark: Some(mark) });
                return Ok(Outcome::Written(outcome));
            }
            // Somebody else was faster: perhaps another attempt at this very row.
            let id = std::slice::from_ref(&row.said.id);
            *stored = self.store.stored(id).await?.into_iter().flatten().next();
        }
        Err(ImportStepError::Busy)
    }

    fn decide(&self, row: &Work, stored: Option<&StoredHomestay>) -> Decision {
        let known = stored.map(|stored| &stored.homestay);
        let wanted = match self.wanted(&row.said, known) {
            Ok(wanted) => wanted,
            Err(violations) => return Decision::Nothing(Outcome::Refused(violations)),
        };
        let mark = stored.and_then(|stored| stored.mark).filter(|mark| mark.import == self.import.id);
        if let Some(mark) = mark {
            return Decision::Nothing(match row.at.cmp(&mark.at) {
                // This row wrote it, before a crash or in another attempt.
                std::cmp::Ordering::Equal => Outcome::Written(mark.outcome),
                // A row behind this one wrote it, so this one had found nothing to write.
                std::cmp::Ordering::Less => Outcome::Unchanged,
                std::cmp::Ordering::Greater => {
                    let mut violations = Violations::default();
                    violations.check(false, Violation::new("externalId", "must not be that of a row before"));
                    Outcome::Refused(violations)
                }
            });
        }
        let present = known.filter(|known| known.state == State::Present);
        let same = |known: &&Homestay| {
            **known == Homestay { version: known.version, updated_at: known.updated_at, ..wanted.clone() }
        };
        if present.is_some_and(|known| same(&known)) {
            return Decision::Nothing(Outcome::Unchanged);
        }
        let outcome = if present.is_some() { RowOutcome::Changed } else { RowOutcome::Created };
        Decision::Write(Box::new(wanted), known.map(|known| known.version), outcome)
    }

    /// The homestay as the row wants it; what it does not say is as it was, or as it is for a new one.
    fn wanted(&self, said: &Said, known: Option<&Homestay>) -> Result<Homestay, Violations> {
        let present = known.filter(|known| known.state == State::Present);
        let host = said.host.as_ref().or(self.import.host.as_ref()).or(present.map(|known| &known.host));
        let mut violations = Violations::default();
        violations
            .check(host.is_some(), Violation::new("hostId", "must be there where the import names no host"));
        let Some(host) = host else { return Err(violations) };
        let said = said.clone();
        let new = NewHomestay {
            title: said.title,
            subtitle: said.subtitle,
            info: said.info,
            location: said.location,
            city: said.city,
            district: said.district,
            price: said.price,
            room_type: said.room_type,
            capacity: said.capacity,
            facilities: said.facilities,
            cover: said.cover,
            row_state: said.row_state.or(present.map(|known| known.row_state)).unwrap_or(RowState::Published),
            rating: said.rating.or(present.map(|known| known.rating)).unwrap_or_default(),
            sales: said.sales.or(present.map(|known| known.sales)).unwrap_or_default(),
        };
        let created_at = said.created_at.or(present.map(|known| known.created_at)).unwrap_or(self.at);
        let homestay = Homestay::create(said.id, host.clone(), new, self.at)?;
        let version = known.map_or(Version::FIRST, |known| known.version.next());
        Ok(Homestay { version, created_at, ..homestay })
    }
}

fn refused_row(row: &Row, violations: &Violations) -> RefusedRow {
    let error = |violation: &Violation| RowError {
        field: violation.field.to_owned(),
        must: violation.must.to_owned(),
    };
    RefusedRow {
        line: row.line,
        external_id: row.external_id.clone(),
        errors: violations.iter().map(error).collect(),
    }
}
