//! Coupons and templates as the HTTP API spells them: requests parsed into commands, results shown as views, errors
//! shown as problems. Shared by the functions that speak of coupons over HTTP.

mod claim;
mod coupon;
mod guest;
mod problem;
mod responses;
mod template;
mod terms;
mod usage;

pub use claim::{claim_answer, claim_problem, claim_reason};
pub use coupon::{CouponList, CouponView};
pub use guest::guest;
pub use problem::{
    ErrorView, ProblemView, coupon_not_found, invalid, invalid_idempotency_key, store_problem,
    template_not_found, too_many_requests, try_again,
};
pub use responses::{Everybody, JsonBody, Operator, Paged, Responses, SignedIn, Versioned, problems};
pub use template::{
    CreateTemplateRequest, PatchTemplateRequest, SaleList, SaleView, TemplateCursor, TemplateList,
    TemplateView,
};
pub use terms::{CouponType, TermsView, ThresholdType, ThresholdView};
pub use usage::{AutoRuleEvent, AutoRuleView, ScopeView, StackingType, StackingView};

use jiff::Timestamp;

/// A number that does not fit becomes 0, which every field that is parsed with this refuses by its own rule.
pub fn fit<T: TryFrom<i64> + Default>(number: i64) -> T {
    T::try_from(number).unwrap_or_default()
}

/// The store keeps milliseconds; what a caller sends more precisely is cut, not rounded into the future.
pub fn to_millisecond(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
