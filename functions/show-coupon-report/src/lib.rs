//! Shows operators what became of coupons.

pub mod handler;
mod period;
mod view;

pub use view::{CampaignReportView, CountersView, ReportView, SlotView, TemplateReportView};
