//! The same questions through the HTTP API of a stack that runs: beside each, in the same round, a search that is refused. That takes
//! the same way and looks nothing up, so that the difference is what a search takes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Client, StatusCode, Url};

use super::questions::{self, Kind, Question};
use crate::{
    progress,
    report::{Figure, Report},
    statistics::Latency,
};

/// Searches under way at a time when as many as possible are asked.
const CONCURRENCY: usize = 16;

/// What takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Asks `only` this kind, or each, `rounds` times: one after the other, then many at a time.
pub async fn measure(api: &Url, only: Option<Kind>, rounds: usize, report: &mut Report) -> Result<()> {
    let http = Client::builder().timeout(TIMEOUT).no_proxy().build()?;
    let api = Api { http, base: api.as_str().trim_end_matches('/').to_owned() };
    let mut rows = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| only.is_none_or(|only| only == *kind)) {
        let questions = questions::of(kind);
        let bar = progress::bar(kind.name(), rounds as u64 + 2);
        let (mut answered, mut refused) = (Vec::new(), Vec::new());
        // The first round finds nothing warm.
        for round in 0..=rounds {
            for question in &questions {
                let took = (api.answered(question).await?, api.refused(kind).await?);
                if round > 0 {
                    answered.push(took.0);
                    refused.push(took.1);
                }
            }
            bar.inc(1);
        }
        // As many environments as are asked at a time start first.
        api.all(&questions, rounds.min(2)).await?;
        bar.inc(1);
        let a_second = api.all(&questions, rounds).await?;
        bar.finish_and_clear();
        let (answered, refused) = (Latency::of(answered)?, Latency::of(refused)?);
        rows.push((
            kind.name().to_owned(),
            vec![answered.p50, answered.p99, refused.p50, refused.p99, a_second],
        ));
        report.detail(kind.name(), &[answered, refused])?;
        report.extend([Figure::new(
            format!("{}: p50 above a refusal", kind.name()),
            answered.p50 - refused.p50,
            "ms",
        )]);
    }
    let columns = ["ms", "p50", "p99", "refused, p50", "refused, p99", "a second, 16 at a time"];
    report.table(&columns, rows);
    Ok(())
}

struct Api {
    http: Client,
    base: String,
}

impl Api {
    /// Asks each of `questions` so many times, many at a time; how many were answered a second.
    async fn all(&self, questions: &[Question], rounds: usize) -> Result<f64> {
        let all: Vec<&Question> = std::iter::repeat_n(questions, rounds).flatten().collect();
        let (count, started) = (all.len(), Instant::now());
        let asked = stream::iter(all).map(|question| self.answered(question)).buffer_unordered(CONCURRENCY);
        asked.try_for_each(async |_| Ok(())).await?;
        Ok(count as f64 / started.elapsed().as_secs_f64())
    }

    async fn answered(&self, question: &Question) -> Result<Duration> {
        self.get(question.route(), &question.query(), StatusCode::OK).await
    }

    async fn refused(&self, kind: Kind) -> Result<Duration> {
        let (route, limit) = if kind == Kind::Suggest {
            (questions::SUGGEST, "limit")
        } else {
            (questions::SEARCH, "pageSize")
        };
        self.get(route, &[(limit, "0")], StatusCode::BAD_REQUEST).await
    }

    /// How long it took until all of the answer was there.
    async fn get(&self, route: &str, query: &[(&str, &str)], status: StatusCode) -> Result<Duration> {
        let url = format!("{}{route}", self.base);
        let started = Instant::now();
        let response = self.http.get(&url).query(query).send().await.with_context(|| {
            format!("nobody answers at {url}: start the stack with `make dev`, which prints the address of the API")
        })?;
        let answered = response.status();
        let body = response.text().await?;
        let took = started.elapsed();
        ensure!(answered == status, "{url} {query:?} was answered with {answered}: {body}");
        Ok(took)
    }
}
