//! Campaigns as the HTTP API spells them: requests parsed into commands, results shown as views. Shared by the functions
//! that speak of campaigns over HTTP.

mod cursor;
mod request;
mod view;

pub use cursor::CampaignCursor;
pub use request::{
    AudienceType, AudienceView, ClaimInCampaignRequest, CreateCampaignRequest, OfferRequest,
    PatchCampaignRequest,
};
pub use view::{
    CampaignAdminList, CampaignAdminView, CampaignList, CampaignSalesView, CampaignView, OfferView,
};

use platform_http::{Problem, StatusCode};

/// 404.
pub fn campaign_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "campaign-not-found", "There is no such campaign")
}
