//! Messages of the queue of rebuilds, and the hourly schedule.

use contracts::RebuildStep;
use domain_homestay::{
    HomestaySource, IndexAdmin, IndexJob, JobBook, JobKind, JobQueue, JobStage, StepError, Stepped, Workshop,
};
use domain_ids::RebuildId;
use jiff::Timestamp;
use platform_batch::{
    BatchResponse, Failure,
    sqs::{self, SqsEvent},
};
use serde::Deserialize;

/// Messages worked on at once. The queue hands over one; were it more, each would have a share of the time-out.
const CONCURRENCY: usize = 1;

/// What the function is invoked with.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Event {
    /// Messages of the queue.
    Messages(SqsEvent),
    /// The hourly schedule, whose event says nothing that is needed.
    Schedule {},
}

/// What an invocation cannot compute: the time, and random bits.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now, in whole milliseconds.
    pub at: Timestamp,
    /// Becomes part of the id of a new comparison.
    pub id: u128,
}

/// Does each message's step, or reports the message to be delivered again; on the schedule, looks after what has stopped and orders a
/// comparison, whose steps come through the queue.
pub async fn handle<I, T, B, Q>(
    shop: &Workshop<I, T, B, Q>,
    chance: Chance,
    has_time: impl Fn() -> bool + Sync,
    event: Event,
) -> Result<BatchResponse, StepError>
where
    I: IndexAdmin,
    T: HomestaySource,
    B: JobBook,
    Q: JobQueue,
{
    match event {
        Event::Messages(event) => {
            let has_time = &has_time;
            let step = |message: sqs::Message<RebuildStep>| async move {
                let RebuildStep { rebuild, step } = message.body;
                let stepped = shop.step(rebuild, step, chance.at, has_time).await;
                let stepped = stepped.map_err(|error| {
                    if error.is_retryable() { Failure::again(error) } else { Failure::never(error) }
                })?;
                record(rebuild, &stepped);
                Ok(())
            };
            Ok(sqs::each(event, CONCURRENCY, sqs::json, step).await)
        }
        Event::Schedule {} => {
            let id = u64::try_from(chance.at.as_millisecond()).unwrap_or_default();
            let ticked = shop.tick(RebuildId::from_parts(id, chance.id), chance.at).await?;
            metrics::counter!("IndexJobsWoken").increment(ticked.woken.into());
            tracing::info!(
                jobs.woken = ticked.woken,
                generations.discarded = ticked.discarded,
                job.id = ticked.started.map(tracing::field::display),
                "looked after the index"
            );
            Ok(BatchResponse::new())
        }
    }
}

/// One log line of a step, and the metrics of a job that has ended.
fn record(id: RebuildId, stepped: &Stepped) {
    match stepped {
        Stepped::Advanced(job) => {
            tracing::info!(
                job.id = %id,
                job.step = job.step,
                job.percent = job.percent(),
                job.scanned = job.figures.scanned,
                job.checked = job.figures.checked,
                job.repaired = job.figures.repaired,
                job.forgotten = job.figures.forgotten,
                job.unreadable = job.figures.unreadable,
                "step"
            );
            if job.is_over() {
                record_end(job);
            }
        }
        Stepped::Repeated => tracing::info!(job.id = %id, "a step was repeated"),
        Stepped::Overtaken => tracing::info!(job.id = %id, "a step was overtaken"),
        Stepped::Cleared => tracing::info!(job.id = %id, "a generation was dropped"),
    }
}

fn record_end(job: &IndexJob) {
    let kind = match job.kind() {
        JobKind::Rebuild => "rebuild",
        JobKind::Reconciliation => "reconciliation",
    };
    let figures = [
        ("IndexScanned", job.figures.scanned),
        ("IndexChecked", job.figures.checked),
        ("IndexRepaired", job.figures.repaired),
        ("IndexForgotten", job.figures.forgotten),
        ("IndexUnreadable", job.figures.unreadable),
    ];
    for (name, number) in figures {
        metrics::counter!(name, "job" => kind).increment(number);
    }
    if let JobStage::Failed { failure } = job.stage {
        metrics::counter!("IndexJobsFailed", "job" => kind).increment(1);
        tracing::error!(job.id = %job.id, job.failure = ?failure, "the job failed");
    }
}
