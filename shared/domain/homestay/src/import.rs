//! Importing many homestays from a file.
//!
//! An [`Import`] goes through its file in steps ([`import_step`]), one after the other, each from where the last one stopped.
//! A step may be repeated, cut off anywhere, or taken by two at once: what a row has written carries the row's place in the file
//! ([`ImportMark`]), so that a repeat recognises it and counts it as what it was; and a step's figures are added in the same write
//! that moves the import on, which happens once.

mod report;
mod rows;
mod start;
mod step;

use std::{fmt, str::FromStr};

use domain_coupon::{FileError, StoreError};
use domain_ids::{HomestayId, HostId, ImportId, InvalidId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Datum, Homestay, Version};

pub use report::{ImportReportPage, ImportReportPosition, import_report};
pub use rows::{COLUMNS, MAX_LINE_BYTES};
pub use start::{
    CancelError, ImportDesk, ImportKey, ImportUploads, MAX_IMPORT_BYTES, NewImport, StartError, Started,
    UPLOAD_OPEN_FOR, cancel_import, start_import,
};
pub use step::{ImportStepDone, ImportStepError, ROWS_PER_STEP, STEP_BYTES, import_step};

/// Refused rows that a report holds; the others are only counted. Who has more of them has the wrong file.
pub const MAX_REPORTED: u64 = 10_000;

/// Files of a report, which the import's item lists.
pub const MAX_PARTS: usize = 1_000;

/// A file of homestays, and how far it is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Identity; sorts by creation time.
    pub id: ImportId,
    /// What is imported.
    pub file: ImportFile,
    /// How the file is written.
    pub format: ImportFormat,
    /// Whose homestays these are: the first part of their ids.
    pub source: SourceName,
    /// The host of rows that name none.
    pub host: Option<HostId>,
    /// In which datum the file tells places.
    pub datum: Datum,
    /// Nothing is written, only counted.
    pub dry_run: bool,
    /// How far it is.
    pub status: ImportStatus,
    /// Why it cannot go on.
    pub failure: Option<ImportFailure>,
    /// Bytes of the file that are done.
    pub position: u64,
    /// Lines of the file that are done.
    pub lines: u64,
    /// What came of their rows.
    pub figures: ImportFigures,
    /// Where the refused rows are told, in the order of the file.
    pub parts: Vec<ReportPart>,
    /// When it was started.
    pub created_at: Timestamp,
    /// The last time any of this changed.
    pub updated_at: Timestamp,
}

impl Import {
    /// Hundredths of the file that are done, rounded down.
    pub fn percent(&self) -> u8 {
        let hundredths = self.position.saturating_mul(100).checked_div(self.file.bytes).unwrap_or(100);
        u8::try_from(hundredths).unwrap_or(100).min(100)
    }

    /// Refused rows that the report holds.
    pub fn reported(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.rows)).sum()
    }
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportStatus {
    /// It is being worked on.
    Running,
    /// Every row has its outcome.
    Done,
    /// It cannot go on; see [`ImportFailure`].
    Failed,
    /// An operator has stopped it for good. What was written stays.
    Cancelled,
}

/// A file as it was when the import was started. Another file of the same name is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportFile {
    /// Where it is.
    pub key: String,
    /// How long it is.
    pub bytes: u64,
    /// The store's name of exactly this content.
    pub tag: String,
}

/// How a file of homestays is written, in UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportFormat {
    /// Comma-separated values (RFC 4180), the first record being the names of the columns.
    Csv,
    /// One JSON object a line.
    #[serde(rename = "jsonl")]
    JsonLines,
}

/// Whose homestays a file tells of: 1 to 20 of `a-z 0-9`. Without a dash, so that `<source>-<external id>` is read one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceName(String);

impl SourceName {
    const MAX_LEN: usize = 20;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the homestay that this source calls `external_id`: always the same one.
    pub fn homestay(&self, external_id: &str) -> Result<HomestayId, InvalidId> {
        if external_id.is_empty() {
            return Err(InvalidId { kind: "homestay" });
        }
        format!("{}-{external_id}", self.0).parse()
    }
}

impl FromStr for SourceName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId { kind: "source" })
        }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names an uploaded file: a ULID, as imports have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportUploadId(ImportId);

impl ImportUploadId {
    /// The name of an upload prepared now, of 80 random bits, so that nobody finds another's.
    pub fn from_parts(created_ms: u64, random: u128) -> Self {
        Self(ImportId::from_parts(created_ms, random))
    }
}

impl fmt::Display for ImportUploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ImportUploadId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self).map_err(|_| InvalidId { kind: "upload" })
    }
}

/// Why an import cannot go on, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportFailure {
    /// Why.
    pub reason: ImportFailureReason,
    /// In which line of the file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Which column of the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// Why an import cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportFailureReason {
    /// The file is not there any more.
    FileMissing,
    /// The file was replaced after the import was started.
    FileChanged,
    /// A line is not UTF-8.
    NotUtf8,
    /// A record is longer than [`MAX_LINE_BYTES`]: perhaps a quote that is never closed.
    LineTooLong,
    /// The header lacks a column, has one twice or one that nobody knows.
    WrongHeader,
}

/// What came of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportFigures {
    /// Rows of homestays that were new.
    pub created: u64,
    /// Rows of homestays that were otherwise.
    pub changed: u64,
    /// Rows that said what was known.
    pub unchanged: u64,
    /// Rows that say what no homestay can be.
    pub refused: u64,
}

impl ImportFigures {
    /// Every row.
    pub fn rows(&self) -> u64 {
        self.created + self.changed + self.unchanged + self.refused
    }
}

/// A file of refused rows: those of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportPart {
    /// Where the step began, in bytes of the file.
    pub from: u64,
    /// Where it stopped.
    pub to: u64,
    /// How many rows it tells; not 0.
    pub rows: u32,
}

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedRow {
    /// In which line of the file it begins, from 1.
    pub line: u64,
    /// What the source calls the homestay, cut to 64 characters, where the row says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What is wrong with it, at least one thing.
    pub errors: Vec<RowError>,
}

/// One thing that is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowError {
    /// The field; empty if it is the row as a whole.
    pub field: String,
    /// What it must be.
    pub must: String,
}

/// Which row of which import wrote a homestay last, and as what: kept with the homestay, also when others change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportMark {
    /// Which import.
    pub import: ImportId,
    /// Where the row begins, in bytes of the file.
    pub at: u64,
    /// What the row did.
    pub outcome: RowOutcome,
}

/// What a row did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowOutcome {
    /// Its homestay was new.
    Created,
    /// Its homestay was otherwise.
    Changed,
}

/// A homestay as it is stored, with the mark of the import that wrote it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHomestay {
    /// The homestay, deleted or not.
    pub homestay: Homestay,
    /// Which row wrote it, if one did.
    pub mark: Option<ImportMark>,
}

/// Where imports write homestays.
pub trait ImportStore: Sync {
    /// The homestays as they are now, in the order of `ids`, however many.
    fn stored(
        &self,
        ids: &[HomestayId],
    ) -> impl Future<Output = Result<Vec<Option<StoredHomestay>>, StoreError>> + Send;

    /// Writes a homestay, with its mark, over the one of version `before`, or where there is none; says whether it was so.
    fn write(
        &self,
        homestay: &Homestay,
        before: Option<Version>,
        mark: &ImportMark,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Where it is read how far imports are.
pub trait ImportShelf: Sync {
    /// The import as it is now (not an older copy).
    fn import(&self, id: ImportId) -> impl Future<Output = Result<Option<Import>, StoreError>> + Send;
}

/// What a step adds to its import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where the step stopped.
    pub to: u64,
    /// Lines before that.
    pub lines: u64,
    /// What came of its rows.
    pub figures: ImportFigures,
    /// Where its refused rows are told.
    pub part: Option<ReportPart>,
    /// How it has ended; `None` if it goes on.
    pub end: Option<ImportEnd>,
}

/// How an import has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportEnd {
    /// At the end of the file.
    Done,
    /// Before it.
    Failed(ImportFailure),
}

/// Where it is noted how far imports are.
pub trait ImportBook: ImportShelf {
    /// Moves an import on and adds the step's figures, in one write, if the import stands at `from` and is running or was
    /// cancelled meanwhile; says whether it was so. A cancelled one stays so unless this is its end.
    fn checkpoint(
        &self,
        id: ImportId,
        from: u64,
        checkpoint: &Checkpoint,
        at: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Where the files of imports are.
pub trait ImportFiles: Sync {
    /// The bytes of a range of the file, if it is still that file.
    fn read(
        &self,
        file: &ImportFile,
        range: std::ops::Range<u64>,
    ) -> impl Future<Output = Result<Vec<u8>, FileError>> + Send;

    /// Writes a part of the report. One that is written again is replaced.
    fn write_part(
        &self,
        id: ImportId,
        part: ReportPart,
        rows: &[RefusedRow],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The rows that were written there.
    fn read_part(
        &self,
        id: ImportId,
        part: ReportPart,
    ) -> impl Future<Output = Result<Vec<RefusedRow>, FileError>> + Send;
}

/// Where the steps of imports wait.
pub trait ImportQueue: Sync {
    /// Asks for the step of `id` from this byte on.
    fn send(&self, id: ImportId, from: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
}

#[cfg(test)]
mod tests;
