//! The search index as operators see it.

use domain_homestay::{
    GenerationId, Generations, IndexJob, JobFailure, JobKind, JobStage, JobTask, SyncFigures,
};
use domain_ids::RebuildId;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// The search index: what it consists of, and what is being done to it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchIndexView {
    /// Which generations there are.
    pub generations: GenerationsView,
    /// How many homestays can be found; absent while there is no live generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visible: Option<u64>,
    /// The rebuild that is running, or the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<RebuildView>,
    /// The comparison with the table that is running, or the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconciliation: Option<ReconciliationView>,
}

/// The generations of the index, each a whole index of its own.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"live": "g-01ka3z5qj8m4t2r7v9x1c6b0ng", "previous": "g-01k9x0000000000000000000aa"}))]
pub struct GenerationsView {
    /// The one that is searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub live: Option<GenerationId>,
    /// One that a rebuild is filling.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub building: Option<GenerationId>,
    /// The one that was searched before, kept in step to roll back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub previous: Option<GenerationId>,
}

impl From<Generations> for GenerationsView {
    fn from(generations: Generations) -> Self {
        let Generations { live, building, previous } = generations;
        Self { live, building, previous }
    }
}

/// A rebuild of the search index.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "01KA3Z5QJ8M4T2R7V9X1C6B0NG", "generation": "g-01ka3z5qj8m4t2r7v9x1c6b0ng", "status": "scanning",
    "progress": {"scanned": 40_000, "total": 93_000, "percent": 14},
    "figures": {"checked": 0, "repaired": 0, "forgotten": 0, "unreadable": 0},
    "createTime": "2026-11-11T00:00:00Z", "updateTime": "2026-11-11T00:01:00Z"
}))]
pub struct RebuildView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: RebuildId,
    /// The generation that it builds.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<GenerationId>,
    /// How far it is: `preparing`, `scanning`, `verifying`, `switching`, `done`, `failed`, `cancelled`.
    #[schema(value_type = String, example = "scanning")]
    pub status: &'static str,
    /// Why it failed: `generation-lost`, `index-unreadable`, `table-unreadable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub failure: Option<JobFailure>,
    /// How much of it is done.
    pub progress: ProgressView,
    /// What was found.
    pub figures: FiguresView,
    /// The generation that was live before, to which it can be rolled back while that is `previous`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub replaced: Option<GenerationId>,
    /// When it was rolled back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub rolled_back_time: Option<Timestamp>,
    /// When it was ordered.
    #[schema(value_type = String, format = DateTime)]
    pub create_time: Timestamp,
    /// When the last step was done.
    #[schema(value_type = String, format = DateTime)]
    pub update_time: Timestamp,
}

/// A comparison of the search index with the table.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "01KA3Z5QJ8M4T2R7V9X1C6B0NG", "status": "done", "progress": {"scanned": 0, "total": 93_000, "percent": 100},
    "figures": {"checked": 372_000, "repaired": 2, "forgotten": 17, "unreadable": 0},
    "createTime": "2026-11-11T01:00:00Z", "updateTime": "2026-11-11T01:02:00Z"
}))]
pub struct ReconciliationView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: RebuildId,
    /// How far it is: `preparing`, `comparing`, `done`, `failed`.
    #[schema(value_type = String, example = "comparing")]
    pub status: &'static str,
    /// Why it failed: `index-unreadable`, `table-unreadable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub failure: Option<JobFailure>,
    /// How much of it is done.
    pub progress: ProgressView,
    /// What was found.
    pub figures: FiguresView,
    /// When it was ordered.
    #[schema(value_type = String, format = DateTime)]
    pub create_time: Timestamp,
    /// When the last step was done.
    #[schema(value_type = String, format = DateTime)]
    pub update_time: Timestamp,
}

/// How much is done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressView {
    /// Homestays read from the table into the new generation.
    pub scanned: u64,
    /// About how many there are; exact as soon as all have been read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// 0 to 100.
    pub percent: u8,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FiguresView {
    /// Homestays compared: each once as the index holds it and once as the table has it, in each generation.
    pub checked: u64,
    /// How many of them were not as the table has them. While writes go on, some may merely have been early.
    pub repaired: u64,
    /// Deleted homestays of which the index no longer keeps the version, as the table does not.
    pub forgotten: u64,
    /// Items of the table that nobody understands; the index keeps what it had of them.
    pub unreadable: u64,
}

/// A page of rebuilds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RebuildList {
    /// The newest first.
    pub items: Vec<RebuildView>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl From<&IndexJob> for RebuildView {
    fn from(job: &IndexJob) -> Self {
        let generation = match &job.task {
            JobTask::Rebuild { generation } => Some(generation.clone()),
            JobTask::Reconcile { .. } => None,
        };
        Self {
            id: job.id,
            generation,
            status: status(job),
            failure: failure(job),
            progress: job.into(),
            figures: job.figures.into(),
            replaced: job.replaced.clone(),
            rolled_back_time: job.rolled_back_at,
            create_time: job.started_at,
            update_time: job.updated_at,
        }
    }
}

impl From<&IndexJob> for ReconciliationView {
    fn from(job: &IndexJob) -> Self {
        Self {
            id: job.id,
            status: status(job),
            failure: failure(job),
            progress: job.into(),
            figures: job.figures.into(),
            create_time: job.started_at,
            update_time: job.updated_at,
        }
    }
}

impl From<&IndexJob> for ProgressView {
    fn from(job: &IndexJob) -> Self {
        Self { scanned: job.figures.scanned, total: job.estimate, percent: job.percent() }
    }
}

impl From<SyncFigures> for FiguresView {
    fn from(figures: SyncFigures) -> Self {
        let SyncFigures { scanned: _, checked, repaired, forgotten, unreadable } = figures;
        Self { checked, repaired, forgotten, unreadable }
    }
}

fn status(job: &IndexJob) -> &'static str {
    match (&job.stage, job.kind()) {
        (JobStage::Preparing, _) => "preparing",
        (JobStage::Scanning { .. }, _) => "scanning",
        (JobStage::Comparing { .. }, JobKind::Rebuild) => "verifying",
        (JobStage::Comparing { .. }, JobKind::Reconciliation) => "comparing",
        (JobStage::Switching, _) => "switching",
        (JobStage::Done, _) => "done",
        (JobStage::Failed { .. }, _) => "failed",
        (JobStage::Cancelled, _) => "cancelled",
    }
}

fn failure(job: &IndexJob) -> Option<JobFailure> {
    match job.stage {
        JobStage::Failed { failure } => Some(failure),
        JobStage::Preparing
        | JobStage::Scanning { .. }
        | JobStage::Comparing { .. }
        | JobStage::Switching
        | JobStage::Done
        | JobStage::Cancelled => None,
    }
}

#[cfg(test)]
mod tests {
    use domain_homestay::PartProgress;
    use serde_json::{json, to_value};

    use super::*;

    const AT: Timestamp = Timestamp::constant(1_794_326_400, 0);

    #[test]
    fn a_rebuild_shows_how_far_it_is() {
        let job = IndexJob {
            stage: JobStage::Scanning { parts: PartProgress::begin() },
            figures: SyncFigures { scanned: 50, unreadable: 1, ..SyncFigures::default() },
            estimate: Some(100),
            ..IndexJob::rebuild(RebuildId::from_parts(1, 1), AT)
        };
        let expected = json!({
            "id": "00000000010000000000000001",
            "generation": "g-00000000010000000000000001",
            "status": "scanning",
            "progress": { "scanned": 50, "total": 100, "percent": 16 },
            "figures": { "checked": 0, "repaired": 0, "forgotten": 0, "unreadable": 1 },
            "createTime": "2026-11-10T16:00:00Z",
            "updateTime": "2026-11-10T16:00:00Z",
        });
        assert_eq!(to_value(RebuildView::from(&job)).unwrap(), expected);
    }

    #[test]
    fn a_job_that_failed_says_why() {
        let job = IndexJob {
            stage: JobStage::Failed { failure: JobFailure::GenerationLost },
            ..IndexJob::reconciliation(RebuildId::from_parts(1, 1), AT)
        };
        let view = to_value(ReconciliationView::from(&job)).unwrap();
        assert_eq!((&view["status"], &view["failure"]), (&json!("failed"), &json!("generation-lost")));
    }
}
