//! `GET /v1/homestays/search` and, with explanations, `GET /v1/admin/homestays/search`.

use std::{convert::Infallible, time::Duration};

use coupon_http::{Everybody, Operator, Paged};
use domain_homestay::{
    Explanation, Filters, FindHomestays, Finder, FoundHomestays, Highlights, IndexQuery, Match, Ranking,
    SearchIndex, SearchRules, Sort, Start, Vocabulary, find,
};
use domain_ids::SearchId;
use domain_search::{Client, Keyword, SearchEvent, SearchLog, Searched};
use domain_text::{Analyzer, Highlighter, TextQuery};
use homestay_http::{ResultView, SearchView, explain_parameter, index_problem, search_request};
use jiff::Timestamp;
use lambda_http::{RequestExt, request::RequestContext};
use platform_http::{
    Body, Problem, Request, Response, StatusCode, caller, header, json, route_key, with_header,
};
use platform_telemetry::Chain;

/// Time for taking note of a search. It is waited for: what a function leaves undone when it answers is frozen with it. A
/// healthy queue takes it in a tenth of that.
pub const RECORD_DEADLINE: Duration = Duration::from_millis(100);

/// For a guest who goes back from a homestay to the list. Not for others: the answer names one search, and whoever got it from a
/// shared cache would not be counted.
const CACHE_CONTROL: &str = "private, max-age=10";

/// What searches are answered with, over many invocations.
#[derive(Debug)]
pub struct Parts<I, L> {
    /// Where homestays are found.
    pub index: I,
    /// Who takes note of searches.
    pub log: L,
    /// Takes keywords apart.
    pub analyzer: Analyzer,
    /// The words of the index.
    pub vocabulary: Vocabulary,
}

impl<I: SearchIndex, L> Parts<I, L> {
    /// Opens the index before the first guest comes. If that fails, the first guest finds out.
    pub async fn warm_up(&self, now: Timestamp) {
        let anything = IndexQuery {
            text: TextQuery::default(),
            matching: Match::All,
            filters: Filters::default(),
            near: None,
            sort: Sort::Composite,
            ranking: Ranking::default(),
            start: Start::Offset(0),
            limit: 1,
            facets: true,
            now,
        };
        let _ = self.index.search(&anything).await;
    }
}

/// What an invocation cannot compute.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now, in whole milliseconds.
    pub at: Timestamp,
    /// Random bits: the searches of one millisecond are told apart by them.
    pub search: u128,
}

/// 200 with what was found.
pub async fn handle<I: SearchIndex, L: SearchLog + Sync>(
    parts: &Parts<I, L>,
    rules: &SearchRules,
    chance: Chance,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match route_key(&request) {
        "GET /v1/homestays/search" => search(parts, rules, chance, &request).await,
        "GET /v1/admin/homestays/search" => search_as_operator(parts, rules, chance, &request).await,
        _ => Err(platform_http::route_not_found()),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

/// A search of a guest.
#[utoipa::path(
    get, path = "/v1/homestays/search", operation_id = "searchHomestays", tag = "search",
    summary = "Search homestays",
    description = "By keyword (hanzi, pinyin, initials or a mixture), place, price, rating, facilities, kind of room and guests. What \
        finds too little with all of the keyword is asked again with most of it, with another spelling, or with any of it: `matching`, \
        `correctedFrom` and `didYouMean` tell; `autocorrect=false` insists on the spelling typed. Empty parameters count as absent, unknown ones are ignored.",
    params(
        ("keyword" = Option<String>, Query, description = "Up to 200 characters", example = "三里屯 大床房"),
        ("autocorrect" = Option<bool>, Query, description = "Whether another spelling of `keyword` may be searched for in its place; \
            `true` without it. With `false` it is only proposed, in `didYouMean`"),
        ("lat" = Option<f64>, Query, description = "Degrees north, with `lon`", example = 39.936),
        ("lon" = Option<f64>, Query, description = "Degrees east, with `lat`", example = 116.4546),
        ("datum" = Option<String>, Query, description = "What `lat` and `lon` are in: `gcj02` (Chinese maps) without it, or `wgs84` (GPS)"),
        ("radiusKm" = Option<f64>, Query, description = "More than 0, at most 200; with `lat` and `lon`", example = 5),
        ("minPriceFen" = Option<u64>, Query, description = "For a night"),
        ("maxPriceFen" = Option<u64>, Query, description = "For a night"),
        ("minRating" = Option<f64>, Query, description = "0 to 5, at most two decimals", example = 4.5),
        ("maxRating" = Option<f64>, Query, description = "0 to 5, at most two decimals"),
        ("facilities" = Option<String>, Query, description = "All of these, joined by commas", example = "wifi,kitchen"),
        ("roomType" = Option<String>, Query, description = "One of these, joined by commas", example = "double,twin"),
        ("city" = Option<String>, Query, example = "北京"),
        ("district" = Option<String>, Query, example = "朝阳区"),
        ("capacity" = Option<u16>, Query, description = "For at least so many guests, 1 to 50"),
        ("checkIn" = Option<String>, Query, description = "A date (Asia/Shanghai), not in the past, with `checkOut`"),
        ("checkOut" = Option<String>, Query, description = "1 to 60 nights later. Availability is not checked yet"),
        ("sort" = Option<String>, Query, description = "`composite` without it, `price_asc`, `price_desc`, `distance` (needs `lat` and `lon`), `rating` or `newest`"),
        ("page" = Option<u32>, Query, description = "From 1; `(page - 1) × pageSize` is at most 9900, `nextCursor` goes further"),
        ("pageSize" = Option<u16>, Query, description = "1 to 100, 20 without it"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before, with the same other parameters; not with `page`"),
        ("facets" = Option<bool>, Query, description = "Whether to count; without it, on the first page"),
    ),
    responses(
        (status = 200, description = "What was found", body = SearchView,
            headers(("Cache-Control" = String, description = "`private, max-age=10`"))),
        Everybody, Paged,
    ),
)]
pub async fn search<I: SearchIndex, L: SearchLog + Sync>(
    parts: &Parts<I, L>,
    rules: &SearchRules,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let command = search_request(request, chance.at)?;
    let found = look(parts, rules, chance, &command).await?;
    let id = search_id(chance);
    let show = async { view(id, &command, &found, |_| None) };
    let ((), view) = tokio::join!(record(parts, chance, request, &command, &found), show);
    Ok(with_header(json(StatusCode::OK, &view), header::CACHE_CONTROL, CACHE_CONTROL))
}

/// The same for an operator, who may ask why. It is not counted as a search.
#[utoipa::path(
    get, path = "/v1/admin/homestays/search", operation_id = "searchHomestaysAsOperator", tag = "admin",
    summary = "Search homestays and explain the order",
    description = "Takes the parameters of `GET /v1/homestays/search` too. Such searches are not counted.",
    params(
        ("keyword" = Option<String>, Query, description = "Up to 200 characters", example = "三里屯 大床房"),
        ("explain" = Option<bool>, Query, description = "Whether each homestay says why it stands where it does"),
    ),
    responses((status = 200, description = "What was found", body = SearchView), Operator, Paged),
    security(("jwt" = [])),
)]
pub async fn search_as_operator<I: SearchIndex, L: SearchLog + Sync>(
    parts: &Parts<I, L>,
    rules: &SearchRules,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    caller(request)?.require_group("admin")?;
    let explain = explain_parameter(request)?;
    let command = search_request(request, chance.at)?;
    let found = look(parts, rules, chance, &command).await?;
    let view = view(search_id(chance), &command, &found, |hit| {
        explain.then(|| Explanation::of(&parts.analyzer, &rules.ranking, &command, &found, hit))
    });
    Ok(json(StatusCode::OK, &view))
}

async fn look<I: SearchIndex, L>(
    parts: &Parts<I, L>,
    rules: &SearchRules,
    chance: Chance,
    command: &FindHomestays,
) -> Result<FoundHomestays, Problem> {
    let Parts { index, analyzer, vocabulary, .. } = parts;
    let finder = Finder { index, analyzer, vocabulary, rules };
    let found = find(&finder, command, chance.at).await.map_err(|error| index_problem(&error))?;
    count(&found, chance);
    Ok(found)
}

fn view(
    id: SearchId,
    command: &FindHomestays,
    found: &FoundHomestays,
    explain: impl Fn(&domain_homestay::Hit) -> Option<Explanation>,
) -> SearchView {
    let highlighter = Highlighter::new(&found.query);
    SearchView::new(id, command, found, |hit| {
        ResultView::new(hit, Highlights::of(&highlighter, &hit.document), explain(hit))
    })
}

/// Metrics of a search. What was searched for is nobody's business here.
fn count(found: &FoundHomestays, chance: Chance) {
    let matching = match found.matching {
        Match::All => "all",
        Match::Most => "most",
        Match::Any => "any",
    };
    metrics::counter!("Searches", "matching" => matching).increment(1);
    metrics::counter!("SearchesWithoutResult").increment(u64::from(found.total == 0));
    metrics::counter!("SearchesCorrected").increment(u64::from(found.corrected_from.is_some()));
    metrics::histogram!("SearchIndexCalls").record(f64::from(found.calls));
    tracing::info!(
        search.id = %search_id(chance), search.total = found.total, search.matching = matching,
        search.calls = found.calls, search.corrected = found.corrected_from.is_some(), "searched"
    );
}

/// Takes note of what guests see first; turning pages is no further search. Whether that succeeds is no concern of theirs.
async fn record<I, L: SearchLog + Sync>(
    parts: &Parts<I, L>,
    chance: Chance,
    request: &Request,
    command: &FindHomestays,
    found: &FoundHomestays,
) {
    let Some(client) = client(request).filter(|_| command.is_first_page()) else { return };
    let event = SearchEvent::Searched(Searched {
        search: search_id(chance),
        at: chance.at,
        // What was meant: a typing error is not to become popular.
        keyword: Keyword::fold(&found.keyword),
        total: found.total,
        client,
    });
    let reason = match tokio::time::timeout(RECORD_DEADLINE, parts.log.record(event)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => {
            tracing::warn!(error = %Chain(&error), "a search was not recorded");
            "failed"
        }
        Err(_) => {
            tracing::warn!("a search was not recorded in time");
            "timed_out"
        }
    };
    metrics::counter!("SearchesNotRecorded", "reason" => reason).increment(1);
}

fn search_id(chance: Chance) -> SearchId {
    SearchId::from_parts(u64::try_from(chance.at.as_millisecond()).unwrap_or_default(), chance.search)
}

/// Who asks, as API Gateway saw it: a header could say anything.
fn client(request: &Request) -> Option<Client> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref().map(Client::at),
        _ => None,
    }
}
