//! `GET /v1/homestays/suggest`.

use std::convert::Infallible;

use coupon_http::{Everybody, ProblemView};
use domain_coupon::StoreError;
use domain_homestay::{
    Found, IndexError, IndexQuery, PopularQueries, SearchIndex, SuggestMemory, TitleFound, suggest,
};
use domain_search::HotList;
use domain_text::Prefix;
use homestay_http::{SuggestionList, index_problem, suggest_request};
use jiff::Timestamp;
use platform_http::{Body, Problem, Request, Response, StatusCode, header, json, with_header};
use platform_telemetry::Chain;

/// The same for everybody, and places and popular queries are a minute old themselves.
const CACHE_CONTROL: &str = "public, max-age=60";

/// What completions are made of, over many invocations.
#[derive(Debug)]
pub struct Parts<I, H> {
    /// Where homestays are found.
    pub index: I,
    /// Where popular queries are read.
    pub hot: H,
    /// What is remembered of both.
    pub memory: SuggestMemory,
}

impl<I: SearchIndex, H: HotList + Sync> Parts<I, H> {
    /// Reads places and popular queries before the first guest types.
    pub async fn warm_up(&self, now: Timestamp) {
        self.memory.refresh(&Watched(&self.index), &Popular(&self.hot), now).await;
    }
}

/// 200 with completions of what was typed.
#[utoipa::path(
    get, path = "/v1/homestays/suggest", operation_id = "suggestHomestays", tag = "search",
    summary = "Complete what is being typed",
    description = "Hanzi, full pinyin, initials or a mixture of them (`北j`, `chaoy`, `cyq`, `大chuang`). Places first, then what many have \
        searched for, then titles. Without `q`, what many have searched for.",
    params(
        ("q" = Option<String>, Query, description = "What was typed so far, up to 200 characters", example = "sanlit"),
        ("limit" = Option<u16>, Query, description = "1 to 20, 10 without it", example = 10),
    ),
    responses(
        (status = 200, description = "The completions", body = SuggestionList,
            headers(("Cache-Control" = String, description = "`public, max-age=60`; `no-store` where something could not be read"))),
        Everybody,
        (status = 400, description = "`invalid-parameter`", body = ProblemView, content_type = "application/problem+json"),
    ),
)]
pub async fn handle<I: SearchIndex, H: HotList + Sync>(
    parts: &Parts<I, H>,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match platform_http::route_key(&request) {
        "GET /v1/homestays/suggest" => complete(parts, now, &request).await,
        _ => Err(platform_http::route_not_found()),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

async fn complete<I: SearchIndex, H: HotList + Sync>(
    parts: &Parts<I, H>,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let command = suggest_request(request)?;
    let (index, popular) = (Watched(&parts.index), Popular(&parts.hot));
    let found = suggest(&index, &popular, &parts.memory, &command, now).await;
    let suggestions = found.map_err(|error| index_problem(&error))?;
    let is_complete = suggestions.is_complete;
    metrics::counter!("SuggestionsIncomplete").increment(u64::from(!is_complete));
    tracing::info!(
        suggestions.count = suggestions.items.len(),
        suggestions.complete = is_complete,
        "suggested"
    );
    let response = json(StatusCode::OK, &SuggestionList::new(suggestions));
    Ok(if is_complete { with_header(response, header::CACHE_CONTROL, CACHE_CONTROL) } else { response })
}

/// The list of popular queries as the completion knows it.
struct Popular<'a, H>(&'a H);

impl<H: HotList + Sync> PopularQueries for Popular<'_, H> {
    async fn popular(&self, limit: usize) -> Result<Vec<String>, StoreError> {
        let list = self.0.hot().await.inspect_err(|error| {
            tracing::warn!(error = %Chain(error), "no popular queries");
        })?;
        let items = list.into_iter().flat_map(|list| list.items).take(limit);
        Ok(items.map(|item| item.keyword.as_str().to_owned()).collect())
    }
}

/// An index whose failures are logged: the completion goes on without it.
struct Watched<'a, I>(&'a I);

impl<I: SearchIndex> SearchIndex for Watched<'_, I> {
    async fn search(&self, query: &IndexQuery) -> Result<Found, IndexError> {
        self.0.search(query).await.inspect_err(failed)
    }

    async fn titles(&self, typed: &Prefix, limit: usize) -> Result<Vec<TitleFound>, IndexError> {
        self.0.titles(typed, limit).await.inspect_err(failed)
    }

    async fn words(&self, limit: usize) -> Result<Vec<(String, u32)>, IndexError> {
        self.0.words(limit).await.inspect_err(failed)
    }
}

fn failed(error: &IndexError) {
    tracing::error!(error = %Chain(error), "the index failed");
}
