//! `search-homestays` as a process on the index: from its start to the answer of its first search.

use std::{path::Path, time::Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    progress,
    report::{Figure, Goal, Report},
    start::{Function, RuntimeApi, build_binary},
    statistics::{max, median},
};

const GOAL_MS: f64 = 300.0;

/// Starts it so many times.
pub async fn measure(index: &Path, starts: usize, report: &mut Report) -> Result<()> {
    let binary = build_binary("search-homestays")?;
    let event = testing::event("api/search-homestays.json").to_string();
    let location = format!("file:{}", index.display());
    let queue = "http://127.0.0.1:9/000000000000/searches".to_owned();
    let mut until_answer = Vec::new();
    let mut memory = Vec::new();
    let bar = progress::bar("cold starts", starts as u64);
    // The first one reads the binary and the index from the disk.
    for number in 0..=starts {
        let mut api = RuntimeApi::start().await?;
        api.put(event.clone()).await?;
        let started_at = Instant::now();
        let environment = [("SEARCH_INDEX", location.clone()), ("SEARCH_EVENT_QUEUE_URL", queue.clone())];
        let function = Function::start(&binary, "search-homestays", api.address(), environment)?;
        let answer = api.answer().await?;
        let response: Value = serde_json::from_slice(&answer.body).context("the answer is not JSON")?;
        ensure!(response.get("statusCode").and_then(Value::as_u64) == Some(200), "not found: {response}");
        if number > 0 {
            until_answer.push((answer.answered_at - started_at).as_secs_f64() * 1e3);
            memory.push(function.peak_memory_bytes()? as f64 / 1e6);
        }
        function.stop().await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let nothing = "nothing was started";
    report.extend([
        Figure::new("cold start to first answer, median", median(&until_answer).context(nothing)?, "ms")
            .aims_at(Goal::AtMost(GOAL_MS)),
        Figure::new("cold start to first answer, slowest", max(&until_answer).context(nothing)?, "ms"),
        Figure::new("peak memory of the function", max(&memory).context(nothing)?, "MB"),
    ]);
    Ok(())
}
