use domain_money::Fen;
use jiff::Timestamp;

/// Why a coupon does not apply to a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No line is of the homestays, hosts or cities it is for.
    OutOfScope(ScopePart),
    /// No stay lies within the days it is for.
    StayOutsideDates,
    /// It is for a guest's first order only.
    FirstOrderOnly,
    /// The lines it applies to do not amount to its threshold.
    BelowThreshold {
        /// What is missing.
        missing: Fen,
    },
    /// It would take nothing: other coupons of the order have taken all of its lines, or its share is below one fen.
    NothingLeft,
    /// Another order holds it.
    Locked {
        /// When that order's lock ends.
        until: Timestamp,
    },
    /// It was used.
    Used,
    /// Its time is over.
    Expired,
    /// The order it was used with was cancelled.
    Refunded,
    /// Its template is gone, and with it the rules of its use.
    TemplateGone,
    /// It does not go with the other coupons of the order.
    Clash(Clash),
}

/// What of a line a scope is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopePart {
    /// The homestay.
    Homestay,
    /// Whose homestay it is.
    Host,
    /// The city.
    City,
}

/// Why coupons do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clash {
    /// One of them is used alone or not at all.
    Exclusive,
    /// Two are of one group.
    SameGroup,
    /// More than [`crate::MAX_COMBINED`].
    TooMany,
    /// One that the order holds already does not apply to this draft: it must be released first.
    HeldDoesNotApply,
}

impl From<Clash> for Reason {
    fn from(clash: Clash) -> Self {
        Self::Clash(clash)
    }
}
