use std::collections::BTreeSet;

use domain_coupon::{AutoRule, Scope, Stacking, StayDates, Violation, Violations};
use domain_ids::{HomestayId, HostId};
use domain_money::Fen;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fit;

/// Which parts of an order a coupon applies to. What is absent admits everything; what is given must hold together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schema(example = json!({"cities": ["北京"], "stayFrom": "2026-12-01", "stayTo": "2026-12-31"}))]
pub struct ScopeView {
    /// Only these homestays, at most 100.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub homestay_ids: BTreeSet<HomestayId>,
    /// Only homestays of these hosts, at most 100.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub host_ids: BTreeSet<HostId>,
    /// Only homestays in these cities, at most 100.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub cities: BTreeSet<String>,
    /// The first day of check-in (Asia/Shanghai); with `stayTo`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub stay_from: Option<Date>,
    /// The last day of check-out (Asia/Shanghai); with `stayFrom`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub stay_to: Option<Date>,
    /// Only the guest's first order.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub first_order_only: bool,
}

impl ScopeView {
    pub(crate) fn parse(self, wrong: &mut Violations) -> Scope {
        let stay = match (self.stay_from, self.stay_to) {
            (Some(from), Some(to)) => Some(StayDates { from, to }),
            (None, None) => None,
            (Some(_), None) => {
                wrong.check(false, Violation::new("scope/stayTo", "is needed with stayFrom"));
                None
            }
            (None, Some(_)) => {
                wrong.check(false, Violation::new("scope/stayFrom", "is needed with stayTo"));
                None
            }
        };
        Scope {
            homestays: self.homestay_ids,
            hosts: self.host_ids,
            cities: self.cities,
            stay,
            first_order_only: self.first_order_only,
        }
    }
}

impl From<&Scope> for ScopeView {
    fn from(scope: &Scope) -> Self {
        let scope = scope.clone();
        Self {
            homestay_ids: scope.homestays,
            host_ids: scope.hosts,
            cities: scope.cities,
            stay_from: scope.stay.map(|stay| stay.from),
            stay_to: scope.stay.map(|stay| stay.to),
            first_order_only: scope.first_order_only,
        }
    }
}

/// Which coupons may be used together on one order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StackingType {
    /// 不可叠加: alone.
    #[default]
    Exclusive,
    /// 可叠加: with any other that is not exclusive.
    Stackable,
    /// At most one of each `group`.
    Group,
}

/// Which coupons may be used together on one order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"type": "group", "group": "new-year"}))]
pub struct StackingView {
    /// Kind of rule.
    #[serde(rename = "type")]
    pub kind: StackingType,
    /// 1 to 32 of `a-z 0-9 -`; with `group` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl StackingView {
    pub(crate) fn parse(self, wrong: &mut Violations) -> Stacking {
        match (self.kind, self.group) {
            (StackingType::Exclusive, None) => Stacking::Exclusive,
            (StackingType::Stackable, None) => Stacking::Stackable,
            (StackingType::Group, Some(name)) => Stacking::Group(name),
            (StackingType::Group, None) => {
                wrong.check(false, Violation::new("stacking/group", "is needed for this type"));
                Stacking::Exclusive
            }
            (StackingType::Exclusive | StackingType::Stackable, Some(_)) => {
                wrong.check(false, Violation::new("stacking/group", "does not belong to this type"));
                Stacking::Exclusive
            }
        }
    }
}

impl From<&Stacking> for StackingView {
    fn from(stacking: &Stacking) -> Self {
        match stacking {
            Stacking::Exclusive => Self { kind: StackingType::Exclusive, group: None },
            Stacking::Stackable => Self { kind: StackingType::Stackable, group: None },
            Stacking::Group(name) => Self { kind: StackingType::Group, group: Some(name.clone()) },
        }
    }
}

/// What makes the platform grant a coupon by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutoRuleEvent {
    /// The guest signed up.
    SignUp,
    /// The guest's first order was paid.
    FirstOrder,
    /// The guest's birthday, once a year.
    Birthday,
    /// An order of at least `minAmountFen` was paid, once per order.
    OrderAmount,
}

/// What makes the platform grant a coupon by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"on": "order_amount", "minAmountFen": 50000}))]
pub struct AutoRuleView {
    /// The event.
    pub on: AutoRuleEvent,
    /// Fen; with `order_amount` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub min_amount_fen: Option<i64>,
}

impl AutoRuleView {
    pub(crate) fn parse(self, wrong: &mut Violations) -> AutoRule {
        let field = "autoRule/minAmountFen";
        let is_amount = self.on == AutoRuleEvent::OrderAmount;
        wrong.check(
            self.min_amount_fen.is_some() || !is_amount,
            Violation::new(field, "is needed for this event"),
        );
        wrong.check(
            self.min_amount_fen.is_none() || is_amount,
            Violation::new(field, "does not belong to this event"),
        );
        match self.on {
            AutoRuleEvent::SignUp => AutoRule::SignUp,
            AutoRuleEvent::FirstOrder => AutoRule::FirstOrder,
            AutoRuleEvent::Birthday => AutoRule::Birthday,
            AutoRuleEvent::OrderAmount => {
                AutoRule::OrderAmount { from: Fen::new(fit(self.min_amount_fen.unwrap_or_default())) }
            }
        }
    }
}

impl From<AutoRule> for AutoRuleView {
    fn from(rule: AutoRule) -> Self {
        let bare = |on| Self { on, min_amount_fen: None };
        match rule {
            AutoRule::SignUp => bare(AutoRuleEvent::SignUp),
            AutoRule::FirstOrder => bare(AutoRuleEvent::FirstOrder),
            AutoRule::Birthday => bare(AutoRuleEvent::Birthday),
            AutoRule::OrderAmount { from } => {
                Self { on: AutoRuleEvent::OrderAmount, min_amount_fen: i64::try_from(from.get()).ok() }
            }
        }
    }
}
