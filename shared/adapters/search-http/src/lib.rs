//! What people searched for, as the API spells it: requests, views, problems.

mod click;
mod client;
mod history;
mod hot;
mod report;

pub use click::{ClickAccepted, ClickRequest};
pub use client::client;
pub use history::{HistoryEntryView, HistoryList, HistoryRequest, history_entry_not_found};
pub use hot::{HotSearchList, HotSearchView};
pub use report::{KeywordCountView, SearchCountersView, SearchDayView, SearchReportView, period};
