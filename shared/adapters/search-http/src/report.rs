use std::str::FromStr;

use domain_search::{Counters, Hour, InvalidPeriod, KeywordCount, Period, Report};
use jiff::{Span, Timestamp, civil::Date};
use platform_http::{Problem, Request, StatusCode, query};
use serde::Serialize;
use utoipa::ToSchema;

/// Days before the last one that a report shows, unless the caller wants others: a week.
const DEFAULT_DAYS_BEFORE: i64 = 6;

/// The period of `from` and `to`: days of business, both included. Without `to` it ends today, without `from` it is a week.
/// Anything else is 400 `invalid-parameter`.
pub fn period(request: &Request, now: Timestamp) -> Result<Period, Problem> {
    let from = query::<Day>(request, "from")?;
    let to = query::<Day>(request, "to")?;
    let last = to.map_or_else(|| Hour::of(now).day(), |day| day.0);
    let first = from.map_or_else(|| last.saturating_sub(Span::new().days(DEFAULT_DAYS_BEFORE)), |day| day.0);
    Period::new(first, last).map_err(|error| {
        let (field, must) = match error {
            InvalidPeriod::Backwards => ("to", "must not be before from"),
            InvalidPeriod::TooLong => ("from", "must be at most 92 days from to, both included"),
        };
        Problem::new(StatusCode::BAD_REQUEST, "invalid-parameter", "A query parameter is not valid")
            .field(field, must)
    })
}

/// `2026-11-11`, and nothing that a date can also be read from.
struct Day(Date);

impl FromStr for Day {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse().ok().filter(|day: &Date| day.to_string() == text).map(Self).ok_or(())
    }
}

/// What was searched for, what was not found, what was opened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchReportView {
    /// First day.
    #[schema(value_type = String, example = "2026-11-11")]
    pub from: Date,
    /// Last day.
    #[schema(value_type = String, example = "2026-11-17")]
    pub to: Date,
    /// Of all days.
    pub totals: SearchCountersView,
    /// Of each day, without gaps, in order.
    pub days: Vec<SearchDayView>,
    /// The keywords searched for most, at most 100. Keywords that look like somebody's own (numbers, addresses, links) are
    /// not kept.
    pub top_keywords: Vec<KeywordCountView>,
    /// The keywords that most often found nothing, at most 100.
    pub top_zero_result_keywords: Vec<KeywordCountView>,
    /// When it was read. What happened in the minutes before may be missing.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
}

/// A day of business.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchDayView {
    /// Which.
    #[schema(value_type = String, example = "2026-11-11")]
    pub day: Date,
    /// What happened on it.
    #[serde(flatten)]
    pub counters: SearchCountersView,
}

/// How often each thing has happened. A click counts on the day of its search.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchCountersView {
    /// Searches whose first page was shown.
    pub searches: u64,
    /// Of these, those with a keyword.
    pub keyword_searches: u64,
    /// Of all, those that found nothing.
    pub zero_result_searches: u64,
    /// Of 10,000 searches, those that found nothing; rounded down.
    pub zero_result_basis_points: u64,
    /// Of all, those of which a result was opened.
    pub clicked_searches: u64,
    /// Of 10,000 searches, those of which a result was opened; rounded down.
    pub click_through_basis_points: u64,
    /// Results opened.
    pub clicks: u64,
    /// Mean of 1 / place of the result that was opened first, over the searches of which one was opened; in millionths, rounded
    /// down: 1,000,000 is always the first.
    #[schema(example = 523_810)]
    pub mean_reciprocal_rank_millionths: u64,
}

/// How often a keyword was searched for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeywordCountView {
    /// The keyword, folded.
    pub keyword: String,
    /// Searches for it.
    pub searches: u64,
    /// Of these, those that found nothing.
    pub zero_result_searches: u64,
    /// Results of these that were opened.
    pub clicks: u64,
}

impl SearchReportView {
    /// The report as it was read at `as_of`.
    pub fn new(period: &Period, report: &Report, as_of: Timestamp) -> Self {
        Self {
            from: period.first(),
            to: period.last(),
            totals: SearchCountersView::from(&report.totals),
            days: report
                .days
                .iter()
                .map(|(day, counters)| SearchDayView { day: *day, counters: counters.into() })
                .collect(),
            top_keywords: report.keywords.iter().map(KeywordCountView::from).collect(),
            top_zero_result_keywords: report
                .zero_result_keywords
                .iter()
                .map(KeywordCountView::from)
                .collect(),
            as_of,
        }
    }
}

impl From<&Counters> for SearchCountersView {
    fn from(counters: &Counters) -> Self {
        Self {
            searches: counters.searches,
            keyword_searches: counters.keyword_searches,
            zero_result_searches: counters.zero_result_searches,
            zero_result_basis_points: counters.zero_result_basis_points(),
            clicked_searches: counters.clicked_searches,
            click_through_basis_points: counters.click_through_basis_points(),
            clicks: counters.clicks,
            mean_reciprocal_rank_millionths: counters.mean_reciprocal_rank_millionths(),
        }
    }
}

impl From<&KeywordCount> for KeywordCountView {
    fn from(count: &KeywordCount) -> Self {
        Self {
            keyword: count.keyword.as_str().to_owned(),
            searches: count.searches,
            zero_result_searches: count.zero_result_searches,
            clicks: count.clicks,
        }
    }
}
