//! The rules of homestays: what a host may say of one, how it gets into a search index, how it is found.
//!
//! The table is the truth. Every change of a [`Homestay`] raises its version; its stream carries the changes to every
//! [`IndexWriter`], where the greater version wins, whatever the order and however often ([`Change`]). What is found, and in
//! which order, is the same on every [`SearchIndex`]: the analysis is that of `domain-text`, the order that of [`Ranking`].
//!
//! No AWS, no HTTP, no clock, no randomness.

mod change;
mod datum;
mod explain;
mod facility;
mod find;
mod geo;
mod homestay;
mod import;
mod index;
mod manage;
mod query;
mod ranking;
mod rebuild;
mod reconcile;
mod remembered;
mod rules;
mod suggest;
mod sync;

#[cfg(test)]
mod fixtures;

pub use domain_coupon::FileError;

pub use change::{Change, Document, Version};
pub use datum::{Datum, InvalidDatum, wgs84_to_gcj02};
pub use explain::{ExplainedClause, ExplainedMatch, Explanation, MatchField};
pub use facility::{Facilities, Facility, InvalidFacility, RoomType};
pub use find::{
    Continuation, FindHomestays, Finder, FoundHomestays, Highlights, InvalidSearch, MAX_CALLS, MAX_NIGHTS,
    MAX_RADIUS_M, MAX_SEARCH_CHARS, Page, SearchRequest, Stay, Vocabulary, find,
};
pub use geo::{EARTH_RADIUS_M, GeoPoint, InvalidPoint, metres_between};
pub use homestay::{Homestay, HomestayChange, NewHomestay, Rating, RowState, State, limits};
pub use import::{
    COLUMNS, CancelError, Checkpoint, Import, ImportBook, ImportDesk, ImportEnd, ImportFailure,
    ImportFailureReason, ImportFigures, ImportFile, ImportFiles, ImportFormat, ImportKey, ImportMark,
    ImportQueue, ImportReportPage, ImportReportPosition, ImportShelf, ImportStatus, ImportStepDone,
    ImportStepError, ImportStore, ImportUploadId, ImportUploads, MAX_IMPORT_BYTES, MAX_LINE_BYTES, MAX_PARTS,
    MAX_REPORTED, NewImport, ROWS_PER_STEP, RefusedRow, ReportPart, RowError, RowOutcome, STEP_BYTES,
    SourceName, StartError, Started, StoredHomestay, UPLOAD_OPEN_FOR, cancel_import, import_report,
    import_step, start_import,
};
pub use index::{
    Applied, GenerationId, Generations, Held, IndexAdmin, IndexError, IndexWriter, InvalidGeneration,
    SearchIndex, TitleFound,
};
pub use manage::{
    ChangeError, CreateError, CreateHomestay, Created, Editor, HomestayPosition, HomestayShelf,
    HomestayStore, change_homestay, create_homestay, delete_homestay, editable_homestay, id_from_parts,
    id_of_request, visible_homestay,
};
pub use query::{
    Bucket, CAPACITY_STEPS, Facets, Filters, Found, Hit, IndexQuery, MAX_LIMIT, MAX_OFFSET, Match, Near,
    PRICE_STEPS, Position, RATING_STEPS, Sort, Start,
};
pub use ranking::{Boosts, InvalidRanking, Quality, Ranking};
pub use rebuild::{
    Begun, CancelRebuildError, IndexJob, JobBook, JobFailure, JobKey, JobKind, JobQueue, JobStage, JobTask,
    NewJob, OrderJobError, OrderedJob, Pace, RollBackError, STALLED_AFTER, StepError, Stepped, Ticked,
    Workshop, cancel_rebuild, generation_of, order_job, roll_back,
};
pub use reconcile::{Pass, SyncFigures};
pub use rules::{InvalidRules, MAX_BLOCKED, SearchRules};
pub use suggest::{
    MAX_POPULAR, MAX_SUGGESTIONS, PopularQueries, SuggestHomestays, SuggestMemory, Suggestion, Suggestions,
    suggest,
};
pub use sync::{
    HomestaySource, PartProgress, Stored, SyncError, TABLE_PARTS, TablePage, TablePosition, newest,
};
