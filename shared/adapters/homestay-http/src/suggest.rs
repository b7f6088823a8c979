use domain_homestay::{SuggestHomestays, Suggestion, Suggestions};
use domain_ids::HomestayId;
use domain_text::CompletionKind;
use platform_http::{Problem, Request, limit};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    PartView,
    parameters::{Parameters, senseless},
    search::parts_view,
};

/// Proposals, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 10;

/// What a request asks to be completed. 400 `invalid-parameter` names the parameter at fault.
pub fn suggest_request(request: &Request) -> Result<SuggestHomestays, Problem> {
    let typed = Parameters::of(request).text("q")?.unwrap_or_default();
    let limit = limit(request, DEFAULT_LIMIT, domain_homestay::MAX_SUGGESTIONS)?;
    SuggestHomestays::new(&typed, limit).map_err(|violations| senseless(&violations))
}

/// What may be meant by what was typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuggestionList {
    /// The proposals: places, queries, titles, the best of each first.
    pub items: Vec<SuggestionView>,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuggestionView {
    /// What to search for.
    pub text: String,
    /// What it is: `place`, `query` (many have searched for it) or `title` (of a homestay).
    #[schema(value_type = String, example = "place")]
    pub kind: CompletionKind,
    /// Which homestay, if it is the title of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub homestay_id: Option<HomestayId>,
    /// The text in pieces, what was typed marked.
    pub parts: Vec<PartView>,
}

impl SuggestionList {
    /// The proposals.
    pub fn new(suggestions: Suggestions) -> Self {
        Self { items: suggestions.items.into_iter().map(SuggestionView::new).collect() }
    }
}

impl SuggestionView {
    fn new(suggestion: Suggestion) -> Self {
        Self {
            text: suggestion.text,
            kind: suggestion.kind,
            homestay_id: suggestion.homestay,
            parts: parts_view(suggestion.parts),
        }
    }
}
