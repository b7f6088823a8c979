//! Homestays and searches as the API spells them: requests, views, problems.

mod homestay;
mod import;
mod index;
mod parameters;
mod problems;
mod search;
mod suggest;

pub use homestay::{
    CreateHomestayRequest, HomestayCursor, HomestayList, HomestayView, OwnHomestayView, PatchHomestayRequest,
};
pub use import::{
    CreateImportRequest, CreateImportUploadRequest, ImportFailureView, ImportList, ImportOrder,
    ImportProgressView, ImportReport, ImportUploadView, ImportView, RefusedRowView, RowErrorView,
    report_cursor, report_position,
};
pub use index::{
    FiguresView, GenerationsView, ProgressView, RebuildList, RebuildView, ReconciliationView, SearchIndexView,
};
pub use problems::{
    cancel_problem, change_problem, create_problem, homestay_not_found, import_not_found, invalid_body,
    no_such_upload, report_problem, start_problem,
};
pub use search::{
    CapacityCountView, ClauseView, CountView, ExplanationView, FacetsView, HighlightsView, MatchView,
    PartView, PriceCountView, RatingCountView, ResultView, SearchView, explain_parameter, index_problem,
    search_request,
};
pub use suggest::{SuggestionList, SuggestionView, suggest_request};
