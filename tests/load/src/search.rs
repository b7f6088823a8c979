//! `load search`: guests' searches of real listings ×10, through the handlers of `search-homestays` and `suggest-homestays`, beside
//! the bare engine answering the same question; and what indexing takes.

mod api;
mod bare;
mod cold;
mod listings;
mod questions;

use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use domain_homestay::{
    Change, GenerationId, IndexAdmin, IndexWriter, SearchRules, SuggestMemory, Vocabulary,
};
use domain_search::{HotList, HotSearches, SearchEvent, SearchLog};
use domain_text::Analyzer;
use homestay_tantivy::TantivyIndex;
use jiff::Timestamp;
use lambda_http::{Body, Response};
use reqwest::Url;
use search_homestays::handler::{Chance, Parts};
use serde::Serialize;

use self::{
    bare::Bare,
    questions::{Kind, Question},
};
use crate::{
    clock, progress,
    report::{Figure, Goal, Report},
    statistics::median,
};

/// Goals of a question on the processor.
const QUERY_MS: f64 = 20.0;
const SUGGEST_MS: f64 = 3.0;
/// What our layers may take beside the engine.
const OVERHEAD: f64 = 1.25;
const DOCUMENTS_PER_SECOND: f64 = 10_000.0;

/// Changes of one batch of the index.
const BATCH: usize = 10_000;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How often each listing is there, at places and under ids of its own
    #[arg(long, default_value_t = 10)]
    copies: usize,
    /// Rounds of all questions
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Through the API at this address, of a stack that runs; nothing else is measured then
    #[arg(long, value_name = "URL")]
    api: Option<Url>,
    /// Only questions of this kind
    #[arg(long)]
    only: Option<Kind>,
    /// Cold starts to time; 0 for none
    #[arg(long, default_value_t = 20)]
    starts: usize,
}

/// What one kind of question took, in milliseconds on the processor.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Took {
    ours_ms: Vec<f64>,
    bare_ms: Vec<f64>,
}

/// Measures, on one thread but for the indexing.
pub fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(api) = &arguments.api {
        return runtime.block_on(api::measure(api, arguments.only, arguments.rounds, report));
    }
    let folder = tempfile::tempdir()?;
    let documents = runtime.block_on(index(arguments, folder.path(), report))?;
    let reading = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    reading.block_on(ask(arguments, folder.path(), documents, report))?;
    if arguments.starts > 0 {
        runtime.block_on(cold::measure(folder.path(), arguments.starts, report))?;
    }
    Ok(())
}

fn generation() -> Result<GenerationId> {
    Ok("g-bench".parse()?)
}

/// Writes the listings to an index, and says what that took; how many there are.
async fn index(arguments: &Arguments, folder: &Path, report: &mut Report) -> Result<usize> {
    let homestays = listings::multiplied(arguments.copies)?;
    let analyzer = Analyzer::new();
    // Not counted: the dictionary is loaded once.
    black_box(analyzer.document("三里屯"));
    let index = TantivyIndex::new(folder, analyzer);
    index.prepare(&generation()?).await?;
    let bar = progress::bar("index", homestays.len() as u64);
    let (started, cpu) = (Instant::now(), clock::of_process(std::process::id())?);
    for batch in homestays.chunks(BATCH) {
        let changes: Vec<Change> = batch.iter().map(Change::of).collect();
        let applied = index.apply(&changes).await?;
        ensure!(applied.applied == batch.len(), "only {applied:?} of {}", batch.len());
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    let (took, cpu) = (started.elapsed(), clock::of_process(std::process::id())?.saturating_sub(cpu));
    let count = homestays.len() as f64;
    report.extend([
        Figure::new("homestays", count, ""),
        Figure::new("indexed a second, analysis and commits included", count / took.as_secs_f64(), "/s")
            .aims_at(Goal::AtLeast(DOCUMENTS_PER_SECOND)),
        Figure::new("CPU a homestay", cpu.as_secs_f64() * 1e6 / count, "µs"),
        Figure::new("on disk", bytes(folder)? as f64 / 1e6, "MB"),
    ]);
    Ok(homestays.len())
}

fn bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { bytes_of(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}

fn bytes_of(folder: &Path) -> Result<u64> {
    // What was removed is kept for a while, for those who still read it; it is no part of the index.
    if folder.ends_with("trash") { Ok(0) } else { bytes(folder) }
}

/// A log that remembers nothing: the queue is another's to measure.
struct NoLog;

impl SearchLog for NoLog {
    async fn record(&self, _event: SearchEvent) -> Result<(), domain_coupon::StoreError> {
        Ok(())
    }
}

impl HotList for NoLog {
    async fn hot(&self) -> Result<Option<HotSearches>, domain_coupon::StoreError> {
        Ok(None)
    }
}

async fn ask(arguments: &Arguments, folder: &Path, documents: usize, report: &mut Report) -> Result<()> {
    let analyzer = Analyzer::new();
    let index = TantivyIndex::new(folder, analyzer);
    let search = Parts { index: index.clone(), log: NoLog, analyzer, vocabulary: Vocabulary::default() };
    let complete = suggest_homestays::handler::Parts { index, hot: NoLog, memory: SuggestMemory::default() };
    let rules = SearchRules::default();
    let now = Timestamp::now();
    search.warm_up(now).await;
    complete.warm_up(now).await;
    let bare = Bare::open(&folder.join("generations").join(generation()?.as_str()), analyzer)?;

    for kind in Kind::ALL.into_iter().filter(|kind| arguments.only.is_none_or(|only| only == *kind)) {
        let questions = questions::of(kind);
        let bar = progress::bar(kind.name(), arguments.rounds as u64);
        let mut took = Took::default();
        for round in 0..=arguments.rounds {
            for question in &questions {
                let request = question.request();
                let answer = async || {
                    if kind == Kind::Suggest {
                        suggest_homestays::handler::handle(&complete, now, request).await
                    } else {
                        let chance = Chance { at: now, search: 7 };
                        search_homestays::handler::handle(&search, &rules, chance, request).await
                    }
                };
                let (Ok(response), ours) = timed(answer).await?;
                check(&response, question)?;
                let asked = bare.question(question)?;
                let (found, theirs) = timed(async || bare.answer(&asked)).await?;
                black_box(found?);
                // The first round reads from the disk.
                if round > 0 {
                    took.ours_ms.push(ours);
                    took.bare_ms.push(theirs);
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        figures(kind, documents, &took, report)?;
    }
    report.extend([Figure::new("peak memory, two readers and the indexing", peak_memory_mb()?, "MB")]);
    Ok(())
}

fn figures(kind: Kind, documents: usize, took: &Took, report: &mut Report) -> Result<()> {
    let (middle, bare) = (middle(&took.ours_ms)?, middle(&took.bare_ms)?);
    let p99 = percentile(&took.ours_ms, 0.99).context("nothing was asked")?;
    let of = |what: &str| format!("{}: {what}", kind.name());
    let limit = if matches!(kind, Kind::Suggest) { SUGGEST_MS } else { QUERY_MS };
    report.extend([
        Figure::new(of("CPU p50"), middle, "ms"),
        Figure::new(of("CPU p99"), p99, "ms").aims_at(Goal::AtMost(limit)),
        Figure::new(of("bare engine, CPU p50"), bare, "ms"),
        Figure::new(of("ours ÷ bare"), middle / bare, "").aims_at(Goal::AtMost(OVERHEAD)),
        Figure::new(
            of("a second and core"),
            1e3 * took.ours_ms.len() as f64 / took.ours_ms.iter().sum::<f64>(),
            "/s",
        ),
    ]);
    report.detail(format!("{} of {documents}", kind.name()), took)
}

fn middle(values: &[f64]) -> Result<f64> {
    median(values).context("nothing was asked")
}

fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into the values")]
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied()
}

/// What `work` gives and the milliseconds that this thread worked for it.
async fn timed<T>(work: impl AsyncFnOnce() -> T) -> Result<(T, f64)> {
    let before = clock::of_this_thread()?;
    let done = work().await;
    let took: Duration = clock::of_this_thread()?.saturating_sub(before);
    Ok((done, took.as_secs_f64() * 1e3))
}

fn check(response: &Response<Body>, question: &Question) -> Result<()> {
    ensure!(response.status() == 200, "{question:?}: {response:?}");
    Ok(())
}

fn peak_memory_mb() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("no status of this process")?;
    Ok(crate::start::peak_memory_bytes(&status)? as f64 / 1e6)
}
