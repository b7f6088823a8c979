//! Coupons that a rule grants: one for each thing that happens to a guest and that a template rewards.

use std::sync::{Arc, Mutex, PoisonError};

use domain_coupon::{
    AutoRule, ClaimCoupon, ClaimError, ClaimKey, ClaimStore, Claimed, IssueType, SaleMemory, Source,
    StoreError, Template, TemplateShelf, TemplateStatus, claim,
};
use domain_ids::{GuestId, OrderId, TemplateId};
use domain_money::Fen;
use jiff::{SignedDuration, Timestamp};

use crate::Secret;

/// How long the templates with a rule are believed: a new one rewards what happens half a minute later.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_secs(30);

/// Templates read at once.
const TEMPLATES_PER_PAGE: u16 = 100;

/// Templates on sale that are looked through for rules, those first whose sale ends first: far more than are on sale
/// at once.
pub const MAX_TEMPLATES: usize = 5_000;

/// Something that happened to a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occasion {
    /// The guest signed up.
    SignedUp,
    /// The guest has a birthday.
    Birthday {
        /// In this year.
        year: i16,
    },
    /// The guest paid an order.
    OrderPaid {
        /// Which.
        order: OrderId,
        /// How much, after all discounts.
        amount: Fen,
        /// It is the first that the guest has paid.
        first: bool,
    },
}

impl Occasion {
    /// What names the coupon that `rule` grants for it, so that nobody gets it twice; `None` where it grants none.
    fn key(&self, rule: AutoRule) -> Option<String> {
        match (rule, self) {
            (AutoRule::SignUp, Self::SignedUp) => Some("sign_up".into()),
            (AutoRule::FirstOrder, Self::OrderPaid { first: true, .. }) => Some("first_order".into()),
            (AutoRule::Birthday, Self::Birthday { year }) => Some(format!("birthday:{year}")),
            (AutoRule::OrderAmount { from }, Self::OrderPaid { order, amount, .. }) if *amount >= from => {
                Some(format!("order:{order}"))
            }
            (
                AutoRule::SignUp | AutoRule::FirstOrder | AutoRule::Birthday | AutoRule::OrderAmount { .. },
                Self::SignedUp | Self::Birthday { .. } | Self::OrderPaid { .. },
            ) => None,
        }
    }
}

/// The templates with a rule, as one execution environment remembers them between invocations.
#[derive(Debug, Default)]
pub struct RewardMemory(Mutex<Option<(Timestamp, Arc<Vec<Template>>)>>);

impl RewardMemory {
    async fn rules(
        &self,
        templates: &impl TemplateShelf,
        now: Timestamp,
    ) -> Result<Arc<Vec<Template>>, StoreError> {
        if let Some(known) = self.recall(now) {
            return Ok(known);
        }
        let (mut rules, mut seen, mut after) = (Vec::new(), 0, None);
        loop {
            let page = templates.on_sale(now, after, TEMPLATES_PER_PAGE).await?;
            seen += page.items.len();
            let has_rule =
                |template: &Template| template.issue_type == IssueType::Auto && template.auto.is_some();
            rules.extend(page.items.into_iter().filter(has_rule));
            after = page.next;
            if after.is_none() || seen >= MAX_TEMPLATES {
                break;
            }
        }
        let rules = Arc::new(rules);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&rules)));
        Ok(rules)
    }

    fn recall(&self, now: Timestamp) -> Option<Arc<Vec<Template>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, rules) = known.as_ref()?;
        let age = now.duration_since(*read_at);
        (SignedDuration::ZERO..REMEMBERED_FOR).contains(&age).then(|| Arc::clone(rules))
    }
}

/// What a template granted for an occasion.
#[derive(Debug)]
pub struct Rewarded {
    /// The template.
    pub template: TemplateId,
    /// Its coupon, or why there is none.
    pub outcome: Result<Claimed, ClaimError>,
}

impl Rewarded {
    /// Whether a repeat of the event may change the outcome for a reason that passes by itself.
    pub fn is_retryable(&self) -> bool {
        match &self.outcome {
            Err(ClaimError::Busy | ClaimError::Throttled) => true,
            Err(ClaimError::Store(error)) => error.is_retryable(),
            Ok(_)
            | Err(
                ClaimError::TemplateNotFound
                | ClaimError::NotClaimable
                | ClaimError::QueueOnly
                | ClaimError::CampaignOnly
                | ClaimError::CodeUsed
                | ClaimError::NotStarted(_)
                | ClaimError::Ended(_)
                | ClaimError::Paused(_)
                | ClaimError::SoldOut
                | ClaimError::LimitReached { .. },
            ) => false,
        }
    }
}

/// Grants `guest` the coupon of every running template whose rule rewards `occasion`.
///
/// Repeated, also years later, it returns what was granted before.
pub async fn reward(
    store: &(impl ClaimStore + TemplateShelf),
    (rules, sales): (&RewardMemory, &SaleMemory),
    guest: &GuestId,
    occasion: &Occasion,
    secret: Secret,
    at: Timestamp,
) -> Result<Vec<Rewarded>, StoreError> {
    let rules = rules.rules(store, at).await?;
    let mut rewards = Vec::new();
    for (number, template) in (0..).zip(rules.iter().filter(|template| is_running(template, at))) {
        let Some(key) = template.auto.and_then(|rule| occasion.key(rule)) else { continue };
        let (code, seed) = secret.code(number, 0);
        let command = ClaimCoupon {
            guest: guest.clone(),
            template: template.id,
            source: Source::Auto,
            campaign: None,
            exchange: None,
            key: Some(ClaimKey::new(guest, template.id, &key)),
            code,
            at,
            seed,
        };
        let outcome = claim(store, sales, &command).await;
        rewards.push(Rewarded { template: template.id, outcome });
    }
    Ok(rewards)
}

fn is_running(template: &Template, now: Timestamp) -> bool {
    template.status == TemplateStatus::Active && (template.starts_at..template.ends_at).contains(&now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_rewards_its_occasion_under_a_natural_key() {
        let paid = |amount, first| Occasion::OrderPaid {
            order: "o-1".parse().unwrap(),
            amount: Fen::new(amount),
            first,
        };
        let birthday = Occasion::Birthday { year: 2026 };
        let from_100 = AutoRule::OrderAmount { from: Fen::new(100) };
        for (rule, occasion, key) in [
            (AutoRule::SignUp, Occasion::SignedUp, Some("sign_up")),
            (AutoRule::SignUp, birthday.clone(), None),
            (AutoRule::Birthday, birthday.clone(), Some("birthday:2026")),
            (AutoRule::Birthday, Occasion::SignedUp, None),
            (AutoRule::FirstOrder, paid(1, true), Some("first_order")),
            (AutoRule::FirstOrder, paid(1, false), None),
            (AutoRule::FirstOrder, birthday, None),
            (from_100, paid(100, false), Some("order:o-1")),
            (from_100, paid(99, true), None),
            (from_100, Occasion::SignedUp, None),
        ] {
            assert_eq!(occasion.key(rule).as_deref(), key, "{rule:?} {occasion:?}");
        }
    }
}
