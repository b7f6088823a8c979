use coupon_http::invalid;
use domain_coupon::{Violation, Violations};
use domain_ids::{HomestayId, SearchId};
use domain_search::{ClickPosition, Clicked, Client, Keyword, MAX_KEYWORD_CHARS};
use jiff::Timestamp;
use platform_http::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A result that somebody opened.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "searchId": "01KA3Z5QJ8M4T2R7V9X1C6B0NG", "homestayId": "h-1643534", "position": 3, "keyword": "三里屯"
}))]
pub struct ClickRequest {
    /// `searchId` of the answer that the result stood in.
    #[schema(example = "01KA3Z5QJ8M4T2R7V9X1C6B0NG")]
    pub search_id: String,
    /// What was opened.
    #[schema(example = "h-1643534")]
    pub homestay_id: String,
    /// Where it stood, over all pages, from 1 to 10,000.
    #[schema(example = 3, minimum = 1, maximum = 10_000)]
    pub position: u32,
    /// For what the search was.
    #[schema(example = "三里屯", max_length = 100)]
    #[serde(default)]
    pub keyword: Option<String>,
}

/// What people search for is not logged.
impl std::fmt::Debug for ClickRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClickRequest").field("position", &self.position).finish_non_exhaustive()
    }
}

impl ClickRequest {
    /// The click that it tells of, or 422 `invalid-body` with the fields at fault.
    pub fn parse(self, client: Client, at: Timestamp) -> Result<Clicked, Problem> {
        let search: Option<SearchId> = self.search_id.parse().ok();
        let homestay: Option<HomestayId> = self.homestay_id.parse().ok();
        let position = ClickPosition::new(self.position);
        let text = self.keyword.unwrap_or_default();
        let is_short = text.chars().count() <= MAX_KEYWORD_CHARS;
        match (search, homestay, position) {
            (Some(search), Some(homestay), Some(position)) if is_short => {
                Ok(Clicked { search, at, keyword: Keyword::fold(&text), homestay, position, client })
            }
            (search, homestay, position) => {
                let mut violations = Violations::default();
                for (holds, field, must) in [
                    (search.is_some(), "searchId", "must be the searchId of a search"),
                    (homestay.is_some(), "homestayId", "must be the id of a homestay"),
                    (position.is_some(), "position", "must be 1 to 10000"),
                    (is_short, "keyword", "must be at most 100 characters"),
                ] {
                    violations.check(holds, Violation::new(field, must));
                }
                Err(invalid(&violations))
            }
        }
    }
}

/// The click was taken note of; it counts within minutes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClickAccepted {
    /// The search that it is counted with.
    #[schema(value_type = String, example = "01KA3Z5QJ8M4T2R7V9X1C6B0NG")]
    pub search_id: SearchId,
}
