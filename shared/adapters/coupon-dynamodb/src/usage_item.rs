use std::collections::BTreeSet;

use domain_coupon::{AutoRule, Scope, Stacking, StayDates, Usage};
use domain_ids::{HomestayId, HostId};
use domain_money::Fen;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Where a coupon may be used, as attributes of a template. What admits everything is absent.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsageItem {
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    homestays: BTreeSet<HomestayId>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    hosts: BTreeSet<HostId>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    cities: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stay_from: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stay_to: Option<Date>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    first_order_only: bool,
    stacking: StackingKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stacking_group: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StackingKind {
    Exclusive,
    Stackable,
    Group,
}

impl From<&Usage> for UsageItem {
    fn from(usage: &Usage) -> Self {
        let (stacking, stacking_group) = match &usage.stacking {
            Stacking::Exclusive => (StackingKind::Exclusive, None),
            Stacking::Stackable => (StackingKind::Stackable, None),
            Stacking::Group(name) => (StackingKind::Group, Some(name.clone())),
        };
        let scope = usage.scope.clone();
        Self {
            homestays: scope.homestays,
            hosts: scope.hosts,
            cities: scope.cities,
            stay_from: scope.stay.map(|stay| stay.from),
            stay_to: scope.stay.map(|stay| stay.to),
            first_order_only: scope.first_order_only,
            stacking,
            stacking_group,
        }
    }
}

impl TryFrom<UsageItem> for Usage {
    type Error = &'static str;

    fn try_from(item: UsageItem) -> Result<Self, Self::Error> {
        let stay = match (item.stay_from, item.stay_to) {
            (Some(from), Some(to)) => Some(StayDates { from, to }),
            (None, None) => None,
            _ => return Err("stayFrom or stayTo is missing"),
        };
        let stacking = match (item.stacking, item.stacking_group) {
            (StackingKind::Exclusive, _) => Stacking::Exclusive,
            (StackingKind::Stackable, _) => Stacking::Stackable,
            (StackingKind::Group, Some(name)) => Stacking::Group(name),
            (StackingKind::Group, None) => return Err("stackingGroup is missing"),
        };
        let scope = Scope {
            homestays: item.homestays,
            hosts: item.hosts,
            cities: item.cities,
            stay,
            first_order_only: item.first_order_only,
        };
        Ok(Self { scope, stacking })
    }
}

/// What makes the platform grant a coupon, as a map of its own.
#[derive(Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(crate) enum AutoItem {
    SignUp,
    FirstOrder,
    Birthday,
    OrderAmount { from_fen: Fen },
}

impl From<AutoRule> for AutoItem {
    fn from(rule: AutoRule) -> Self {
        match rule {
            AutoRule::SignUp => Self::SignUp,
            AutoRule::FirstOrder => Self::FirstOrder,
            AutoRule::Birthday => Self::Birthday,
            AutoRule::OrderAmount { from } => Self::OrderAmount { from_fen: from },
        }
    }
}

impl From<AutoItem> for AutoRule {
    fn from(item: AutoItem) -> Self {
        match item {
            AutoItem::SignUp => Self::SignUp,
            AutoItem::FirstOrder => Self::FirstOrder,
            AutoItem::Birthday => Self::Birthday,
            AutoItem::OrderAmount { from_fen } => Self::OrderAmount { from: from_fen },
        }
    }
}
