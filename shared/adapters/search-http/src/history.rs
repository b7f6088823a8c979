use coupon_http::invalid;
use domain_coupon::{Violation, Violations};
use domain_search::{HistoryEntry, Typed};
use jiff::Timestamp;
use platform_http::{Problem, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// 404: for an entry that is not in the guest's history.
pub fn history_entry_not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "history-entry-not-found",
        "There is no such entry in the search history",
    )
}

/// Something that the guest has searched for.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"keyword": "三里屯 大床房"}))]
pub struct HistoryRequest {
    /// What, as it was typed: 1 to 100 characters.
    #[schema(max_length = 100)]
    pub keyword: String,
}

impl HistoryRequest {
    /// What was typed, or 422 `invalid-body`.
    pub fn parse(self) -> Result<Typed, Problem> {
        self.keyword.parse().map_err(|_| {
            let mut violations = Violations::default();
            violations.check(false, Violation::new("keyword", "must be 1 to 100 characters"));
            invalid(&violations)
        })
    }
}

/// What guests search for is theirs.
impl std::fmt::Debug for HistoryRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HistoryRequest")
    }
}

/// Something that the guest searched for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntryView {
    /// Names it within the history.
    #[schema(example = "6f1ed002ab5595859014ebf0951522d9")]
    pub id: String,
    /// What, as it was typed.
    #[schema(example = "三里屯 大床房")]
    pub keyword: String,
    /// When, the last time.
    #[schema(value_type = String, format = DateTime)]
    pub searched_at: Timestamp,
}

impl std::fmt::Debug for HistoryEntryView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HistoryEntryView")
    }
}

impl From<HistoryEntry> for HistoryEntryView {
    fn from(entry: HistoryEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            keyword: entry.typed.as_str().to_owned(),
            searched_at: entry.searched_at,
        }
    }
}

/// What the guest searched for.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryList {
    /// The newest first: at most 50, of the last 90 days.
    pub items: Vec<HistoryEntryView>,
}
