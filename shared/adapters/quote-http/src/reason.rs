use domain_quote::{Clash, Reason, ScopePart};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Why a coupon does not apply to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum ReasonView {
    /// No line is of the homestays, hosts or cities it is for.
    OutOfScope {
        /// Which of them.
        part: ScopePartView,
    },
    /// No stay lies within the days it is for.
    StayOutsideDates,
    /// It is for a guest's first order only.
    FirstOrderOnly,
    /// The lines it applies to do not amount to its threshold.
    BelowThreshold {
        /// Fen that are missing.
        missing_fen: u64,
    },
    /// It would take nothing: other coupons of the order have taken all of its lines, or its share is below one fen.
    NothingLeft,
    /// Another order holds it.
    Locked {
        /// When that order's lock ends.
        #[schema(value_type = String, format = DateTime)]
        locked_until: Timestamp,
    },
    /// It was used.
    Used,
    /// Its time is over.
    Expired,
    /// The order it was used with was cancelled.
    Refunded,
    /// Its rules are no longer known.
    TemplateGone,
    /// It, or one that the order holds, is used alone or not at all.
    Exclusive,
    /// The order holds one of the same group.
    SameGroup,
    /// The order holds as many as an order may, which is 5.
    TooMany,
    /// One that the order holds does not apply to this draft: release it first.
    HeldDoesNotApply,
}

/// What of a line a scope is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopePartView {
    /// The homestay.
    Homestay,
    /// Whose homestay it is.
    Host,
    /// The city.
    City,
}

impl From<Reason> for ReasonView {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::OutOfScope(part) => Self::OutOfScope { part: part.into() },
            Reason::StayOutsideDates => Self::StayOutsideDates,
            Reason::FirstOrderOnly => Self::FirstOrderOnly,
            Reason::BelowThreshold { missing } => Self::BelowThreshold { missing_fen: missing.get() },
            Reason::NothingLeft => Self::NothingLeft,
            Reason::Locked { until } => Self::Locked { locked_until: until },
            Reason::Used => Self::Used,
            Reason::Expired => Self::Expired,
            Reason::Refunded => Self::Refunded,
            Reason::TemplateGone => Self::TemplateGone,
            Reason::Clash(Clash::Exclusive) => Self::Exclusive,
            Reason::Clash(Clash::SameGroup) => Self::SameGroup,
            Reason::Clash(Clash::TooMany) => Self::TooMany,
            Reason::Clash(Clash::HeldDoesNotApply) => Self::HeldDoesNotApply,
        }
    }
}

impl From<ScopePart> for ScopePartView {
    fn from(part: ScopePart) -> Self {
        match part {
            ScopePart::Homestay => Self::Homestay,
            ScopePart::Host => Self::Host,
            ScopePart::City => Self::City,
        }
    }
}

/// Each of them as the API spells it.
pub fn reasons(reasons: &[Reason]) -> Vec<ReasonView> {
    reasons.iter().copied().map(ReasonView::from).collect()
}
