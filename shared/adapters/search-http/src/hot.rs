use domain_search::{HotSearches, Trend};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// What many search for at the moment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "items": [{"keyword": "三里屯", "rank": 1, "trend": "same"}, {"keyword": "大床房", "rank": 2, "trend": "new"}],
    "asOf": "2026-11-11T00:05:00Z"
}))]
pub struct HotSearchList {
    /// The most popular first; empty before there was a first list.
    pub items: Vec<HotSearchView>,
    /// When the list was made.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
}

/// A popular query.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HotSearchView {
    /// What is searched for, folded.
    pub keyword: String,
    /// Its place, from 1.
    pub rank: usize,
    /// How it moved within the last hour or two: `new`, `up`, `down` or `same`; absent while there is nothing to compare with.
    #[schema(value_type = Option<String>, example = "up")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trend: Option<Trend>,
}

impl HotSearchList {
    /// The first `limit` of the list; none of them, as of `now`, before there was a first list.
    pub fn new(list: Option<&HotSearches>, limit: u16, now: Timestamp) -> Self {
        let items = list.map_or(&[][..], |list| &list.items).iter().zip(1..).take(limit.into());
        let items = items.map(|(item, rank)| HotSearchView {
            keyword: item.keyword.as_str().to_owned(),
            rank,
            trend: item.trend,
        });
        Self { items: items.collect(), as_of: list.map_or(now, |list| list.as_of) }
    }
}
