//! Where a coupon may be used, and with which others: rules of a template that never change once it is published, so
//! that a coupon need not carry them (`docs/decisions/0006-lifecycle.md`).

use std::collections::BTreeSet;

use domain_ids::{HomestayId, HostId};
use domain_money::Fen;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{IssueType, Violation, Violations, template::limits};

/// What an order must be for the coupon to apply, and what else may be used with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Which parts of an order it applies to.
    pub scope: Scope,
    /// Which coupons may be used together.
    pub stacking: Stacking,
}

/// Which parts of an order a coupon applies to. An empty set, or `None`, admits everything; what is set must hold
/// together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only these homestays, at most [`limits::SCOPE_ENTRIES`].
    pub homestays: BTreeSet<HomestayId>,
    /// Only homestays of these hosts, at most [`limits::SCOPE_ENTRIES`].
    pub hosts: BTreeSet<HostId>,
    /// Only homestays in these cities, by the name the order carries, at most [`limits::SCOPE_ENTRIES`].
    pub cities: BTreeSet<String>,
    /// Only stays within these days.
    pub stay: Option<StayDates>,
    /// Only the guest's first order.
    pub first_order_only: bool,
}

/// Days of business (Asia/Shanghai) that a stay must lie in: check-in not before `from`, check-out not after `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StayDates {
    /// The first day of check-in.
    pub from: Date,
    /// The last day of check-out, after `from`.
    pub to: Date,
}

/// Which coupons may be used together on one order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Stacking {
    /// 不可叠加: alone.
    #[default]
    Exclusive,
    /// 可叠加: with any other that is not exclusive.
    Stackable,
    /// At most one of each group; 1 to [`limits::GROUP_CHARS`] of `a-z 0-9 -`.
    Group(String),
}

/// How claims reach the stock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssueMode {
    /// At once: the guest waits for the answer.
    #[default]
    Direct,
    /// Through a queue, several in one transaction: the guest asks for the answer.
    Queued,
}

/// What makes the platform grant a coupon of an `auto` template by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoRule {
    /// The guest signed up.
    SignUp,
    /// The guest's first order was paid.
    FirstOrder,
    /// The guest's birthday, once a year.
    Birthday,
    /// An order of at least this amount was paid, once per order.
    OrderAmount {
        /// The least amount.
        from: Fen,
    },
}

impl Scope {
    pub(crate) fn check(&self, wrong: &mut Violations) {
        let few = |entries: usize| entries <= limits::SCOPE_ENTRIES;
        wrong.check(few(self.homestays.len()), Violation::new("scope/homestayIds", "must be at most 100"));
        wrong.check(few(self.hosts.len()), Violation::new("scope/hostIds", "must be at most 100"));
        let plain = |city: &String| {
            (1..=limits::CITY_CHARS).contains(&city.chars().count())
                && !city.chars().any(char::is_control)
                && city.trim() == city
        };
        wrong.check(
            few(self.cities.len()) && self.cities.iter().all(plain),
            Violation::new("scope/cities", "must be at most 100 names of 1 to 50 characters"),
        );
        wrong.check(
            self.stay.is_none_or(|stay| stay.from < stay.to),
            Violation::new("scope/stayTo", "must be after stayFrom"),
        );
    }
}

impl Stacking {
    pub(crate) fn check(&self, wrong: &mut Violations) {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let sensible = match self {
            Self::Exclusive | Self::Stackable => true,
            Self::Group(name) => (1..=limits::GROUP_CHARS).contains(&name.len()) && name.chars().all(plain),
        };
        wrong.check(sensible, Violation::new("stacking/group", "must be 1 to 32 of a-z 0-9 -"));
    }
}

/// An `auto` template has a rule, and no other has one.
pub(crate) fn check_auto(wrong: &mut Violations, issue_type: IssueType, auto: Option<AutoRule>) {
    let fits = auto.is_some() == (issue_type == IssueType::Auto);
    wrong.check(fits, Violation::new("autoRule", "belongs to the issue type auto, which needs one"));
    if let Some(AutoRule::OrderAmount { from }) = auto {
        wrong.check(
            (1..=limits::AMOUNT_FEN).contains(&from.get()),
            Violation::new("autoRule/minAmountFen", "must be 1 to 1000000000"),
        );
    }
}
