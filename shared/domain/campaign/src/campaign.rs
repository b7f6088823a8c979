use std::collections::BTreeMap;

use domain_coupon::{Template, Violation, Violations, Window};
use domain_ids::{CampaignId, GuestId, TemplateId};
use domain_money::Fen;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Audience, ChangeError, Shortage, commitment, split};

/// Several templates under one schedule, audience and budget. A template's own schedule and stock hold as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// Identity; sorts by creation time.
    pub id: CampaignId,
    /// Counts the changes; the entity tag of optimistic locking.
    pub version: u64,
    /// 1 to [`limits::NAME_CHARS`] characters, shown to guests.
    pub name: String,
    /// Up to [`limits::DESCRIPTION_CHARS`] characters, shown to guests.
    pub description: String,
    /// The first instant at which its coupons can be claimed.
    pub starts_at: Timestamp,
    /// The first instant at which they can no longer be claimed.
    pub ends_at: Timestamp,
    /// The operator's switch.
    pub status: CampaignStatus,
    /// Who may claim.
    pub audience: Audience,
    /// What its coupons may cost at most; `None` is unlimited. What the offers have committed never exceeds it.
    pub budget: Option<Fen>,
    /// The campaign chooses one template for each guest, by the weights of its offers; otherwise the guest chooses.
    pub split: bool,
    /// Its templates, at most [`limits::TEMPLATES`].
    pub offers: BTreeMap<TemplateId, Offer>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What a campaign has of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What its stock may cost at most, never less than [`commitment`] of the template; `None` where that is not bounded.
    pub committed: Option<Fen>,
    /// Its share of the guests, relative to the other weights, up to [`limits::WEIGHT`]; 0 gets no guest. Has a meaning
    /// with a split only.
    pub weight: u16,
    /// What reports call it: 1 to [`limits::VARIANT_CHARS`] of `a-z 0-9 -`.
    pub variant: Option<String>,
}

/// The operator's switch: draft → active ⇄ paused, and from either → ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignStatus {
    /// Being put together; no guest sees it.
    Draft,
    /// Can be claimed within its time.
    Active,
    /// Cannot be claimed until it is resumed.
    Paused,
    /// Over for good.
    Ended,
}

/// Where a campaign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignPhase {
    /// Being put together.
    Draft,
    /// Not started yet.
    Coming,
    /// Can be claimed.
    Running,
    /// Paused by an operator.
    Paused,
    /// Over.
    Ended,
}

/// Bounds of a campaign. They keep its item under 12 KB, which claims read every two seconds.
pub mod limits {
    /// Characters of a name.
    pub const NAME_CHARS: usize = 100;
    /// Characters of a description.
    pub const DESCRIPTION_CHARS: usize = 500;
    /// Templates of a campaign. Showing one adds up the stock of each.
    pub const TEMPLATES: usize = 20;
    /// Groups of an audience.
    pub const GROUPS: usize = 10;
    /// Characters of a group's name, as Cognito has it.
    pub const GROUP_CHARS: usize = 128;
    /// Guests named by an audience.
    pub const GUESTS: usize = 100;
    /// The greatest weight of a variant.
    pub const WEIGHT: u16 = 1_000;
    /// Characters of a variant's name.
    pub const VARIANT_CHARS: usize = 32;
    /// Fen of a budget, and of all commitments: ten trillion yuan. Programs that read JSON numbers as floats still read it
    /// exactly.
    pub const BUDGET_FEN: u64 = 1_000_000_000_000_000;
}

/// The fields of a new campaign, each well-formed but not yet checked against the others.
#[derive(Debug, Clone)]
pub struct NewCampaign {
    /// See [`Campaign::name`].
    pub name: String,
    /// See [`Campaign::description`].
    pub description: String,
    /// See [`Campaign::starts_at`].
    pub starts_at: Timestamp,
    /// See [`Campaign::ends_at`].
    pub ends_at: Timestamp,
    /// See [`Audience`].
    pub audience: Audience,
    /// See [`Campaign::budget`].
    pub budget: Option<Fen>,
    /// See [`Campaign::split`].
    pub split: bool,
}

/// What an operator changes. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CampaignChange {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// A later end.
    pub ends_at: Option<Timestamp>,
    /// A new budget, at least what is committed.
    pub budget: Option<Fen>,
    /// Start, pause, resume or end.
    pub status: Option<CampaignStatus>,
}

/// What an operator wants of a template in a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewOffer {
    /// How many coupons there are to be: the new total, at least the present one; `None` leaves it.
    pub total: Option<u32>,
    /// See [`Offer::weight`]; needed with a split, without a meaning else.
    pub weight: Option<u16>,
    /// See [`Offer::variant`].
    pub variant: Option<String>,
}

impl NewCampaign {
    /// The campaign as a draft, or everything that is wrong with it at once.
    pub fn plan(self, id: CampaignId, now: Timestamp) -> Result<Campaign, Violations> {
        let mut wrong = Violations::default();
        check_name(&mut wrong, &self.name);
        check_description(&mut wrong, &self.description);
        self.audience.check(&mut wrong);
        if let Some(budget) = self.budget {
            check_budget(&mut wrong, budget);
        }
        wrong.check(self.starts_at < self.ends_at, Violation::new("endTime", "must be after startTime"));
        wrong.check(self.ends_at > now, Violation::new("endTime", "must be in the future"));
        wrong.into_result()?;
        Ok(Campaign {
            id,
            version: 1,
            name: self.name,
            description: self.description,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            status: CampaignStatus::Draft,
            audience: self.audience,
            budget: self.budget,
            split: self.split,
            offers: BTreeMap::new(),
            created_at: now,
            updated_at: now,
        })
    }
}

fn check_name(wrong: &mut Violations, name: &str) {
    let chars = name.chars().count();
    let printable = !name.chars().any(char::is_control) && name.trim() == name;
    wrong.check(
        (1..=limits::NAME_CHARS).contains(&chars) && printable,
        Violation::new("name", "must be 1 to 100 characters, without control characters or space around it"),
    );
}

fn check_description(wrong: &mut Violations, text: &str) {
    wrong.check(
        text.chars().count() <= limits::DESCRIPTION_CHARS
            && !text.chars().any(|c| c.is_control() && c != '\n'),
        Violation::new("description", "must be at most 500 characters, without control characters"),
    );
}

fn check_budget(wrong: &mut Violations, budget: Fen) {
    wrong.check(
        (1..=limits::BUDGET_FEN).contains(&budget.get()),
        Violation::new("budgetFen", "must be 1 to 1000000000000000"),
    );
}

impl Campaign {
    /// What the offers have committed together.
    pub fn committed(&self) -> Fen {
        self.offers.values().filter_map(|offer| offer.committed).fold(Fen::new(0), add)
    }

    /// When it runs.
    pub fn window(&self) -> Window {
        Window { starts_at: self.starts_at, ends_at: self.ends_at }
    }

    /// Where it stands at `now`.
    pub fn phase(&self, now: Timestamp) -> CampaignPhase {
        match self.status {
            CampaignStatus::Draft => CampaignPhase::Draft,
            CampaignStatus::Ended => CampaignPhase::Ended,
            CampaignStatus::Active | CampaignStatus::Paused if now >= self.ends_at => CampaignPhase::Ended,
            CampaignStatus::Paused => CampaignPhase::Paused,
            CampaignStatus::Active if now < self.starts_at => CampaignPhase::Coming,
            CampaignStatus::Active => CampaignPhase::Running,
        }
    }

    /// With a split, the template the campaign chooses for `guest`; `None` without a split, and while every weight is 0.
    pub fn assigned_to(&self, guest: &GuestId) -> Option<TemplateId> {
        let weights = self.offers.iter().map(|(&id, offer)| (id, offer.weight));
        if self.split { split::assigned(self.id, guest, weights) } else { None }
    }

    /// The campaign with `change` applied.
    pub fn changed(&self, change: CampaignChange, now: Timestamp) -> Result<Self, ChangeError> {
        self.is_not_over()?;
        let mut wrong = Violations::default();
        let mut next = self.touched(now);
        if let Some(name) = change.name {
            check_name(&mut wrong, &name);
            next.name = name;
        }
        if let Some(description) = change.description {
            check_description(&mut wrong, &description);
            next.description = description;
        }
        if let Some(ends_at) = change.ends_at {
            wrong.check(ends_at >= self.ends_at, Violation::new("endTime", "can only be extended"));
            next.ends_at = ends_at;
        }
        if let Some(budget) = change.budget {
            check_budget(&mut wrong, budget);
            wrong.check(
                budget >= self.committed(),
                Violation::new("budgetFen", "must be at least what is committed"),
            );
            wrong.check(
                self.offers.values().all(|offer| offer.committed.is_some()),
                Violation::new("budgetFen", "needs templates whose cost is bounded"),
            );
            next.budget = Some(budget);
        }
        if let Some(status) = change.status {
            next.become_status(status, &mut wrong);
        }
        wrong.into_result()?;
        Ok(next)
    }

    fn become_status(&mut self, status: CampaignStatus, wrong: &mut Violations) {
        use CampaignStatus::{Active, Draft, Ended, Paused};
        let follows = match (self.status, status) {
            (Draft, Draft | Active) | (Active | Paused, Active | Paused | Ended) | (Ended, Ended) => true,
            (Draft, Paused | Ended) | (Active | Paused | Ended, Draft) | (Ended, Active | Paused) => false,
        };
        wrong.check(
            follows,
            Violation::new("status", "goes from draft to active, then to and from paused, and to ended"),
        );
        self.status = status;
        self.check_offers("status", wrong);
    }

    /// The campaign with `template` in it, as it is going to be (joined, with its new total), on the terms of `new`. What
    /// was committed for it before is kept where it is more: see [`crate::offer_template`].
    pub(crate) fn offering(
        &self,
        template: &Template,
        new: &NewOffer,
        now: Timestamp,
    ) -> Result<Self, ChangeError> {
        self.is_not_over()?;
        let mut wrong = Violations::default();
        let mut next = self.touched(now);
        let before = next.offers.remove(&template.id);
        let needed = commitment(template);
        wrong.check(
            needed.is_some() || self.budget.is_none(),
            Violation::new("templateId", "must have a limited stock of fixed amounts or capped discounts"),
        );
        wrong.check(
            next.offers.len() < limits::TEMPLATES,
            Violation::new("templateId", "must be one of at most 20 templates"),
        );
        self.check_terms(new, &mut wrong);
        let kept = before.and_then(|offer| offer.committed);
        let offer = Offer {
            committed: needed.map(|needed| kept.map_or(needed, |kept| needed.max(kept))),
            weight: new.weight.unwrap_or(1),
            variant: new.variant.clone(),
        };
        let others = next.committed();
        let of_it = offer.committed.unwrap_or(Fen::new(0));
        next.offers.insert(template.id, offer);
        next.check_offers("weight", &mut wrong);
        wrong.into_result()?;

        let budget = self.budget.unwrap_or(Fen::new(limits::BUDGET_FEN));
        if add(others, of_it) > budget {
            return Err(ChangeError::OverBudget(Shortage { budget, committed: others, needed: of_it }));
        }
        Ok(next)
    }

    fn check_terms(&self, new: &NewOffer, wrong: &mut Violations) {
        let belongs = |field| Violation::new(field, "belongs to a campaign with a split");
        wrong.check(self.split || new.weight.is_none(), belongs("weight"));
        wrong.check(self.split || new.variant.is_none(), belongs("variant"));
        wrong.check(!self.split || new.weight.is_some(), Violation::new("weight", "is needed with a split"));
        wrong.check(
            new.weight.is_none_or(|weight| weight <= limits::WEIGHT),
            Violation::new("weight", "must be 0 to 1000"),
        );
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        wrong.check(
            new.variant.as_ref().is_none_or(|name| {
                (1..=limits::VARIANT_CHARS).contains(&name.len()) && name.chars().all(plain)
            }),
            Violation::new("variant", "must be 1 to 32 of a-z 0-9 -"),
        );
    }

    /// Once guests can claim there must be something for each of them.
    fn check_offers(&self, field: &'static str, wrong: &mut Violations) {
        let something = self.offers.values().any(|offer| !self.split || offer.weight > 0);
        wrong.check(
            something || self.status == CampaignStatus::Draft,
            Violation::new(
                field,
                "leaves guests nothing to claim: the campaign needs a template of some weight",
            ),
        );
    }

    /// The campaign with no more committed for a template than `needed`; `None` where it is not more.
    pub(crate) fn settled(&self, template: TemplateId, needed: Option<Fen>) -> Option<Self> {
        let mut next = self.touched(self.updated_at);
        let offer = next.offers.get_mut(&template).filter(|offer| offer.committed > needed)?;
        offer.committed = needed;
        Some(next)
    }

    /// The campaign without a template, while it is a draft.
    pub(crate) fn without(&self, template: TemplateId, now: Timestamp) -> Result<Self, ChangeError> {
        if self.status != CampaignStatus::Draft {
            return Err(ChangeError::Started);
        }
        let mut next = self.touched(now);
        next.offers.remove(&template).ok_or(ChangeError::TemplateNotFound)?;
        Ok(next)
    }

    fn is_not_over(&self) -> Result<(), ChangeError> {
        if self.status == CampaignStatus::Ended { Err(ChangeError::Over) } else { Ok(()) }
    }

    fn touched(&self, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now, ..self.clone() }
    }
}

/// More than there can be counts as the most there can be, which no budget covers.
fn add(a: Fen, b: Fen) -> Fen {
    Fen::new(a.get().saturating_add(b.get()))
}

#[cfg(test)]
mod tests {
    use domain_coupon::Stock;
    use jiff::SignedDuration;

    use super::*;
    use crate::fixtures::{self, NOW};

    fn fields(error: &ChangeError) -> Vec<&str> {
        match error {
            ChangeError::Invalid(violations) => violations.iter().map(|violation| violation.field).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// A campaign over 10,000 yuan, 2,000 of them committed to template 1.
    fn offering() -> Campaign {
        offered(&fixtures::campaign(), 1, 100)
    }

    fn offered(campaign: &Campaign, n: u8, total: u32) -> Campaign {
        campaign.offering(&fixtures::template(n, total), &weighed(campaign), NOW).unwrap()
    }

    fn weighed(campaign: &Campaign) -> NewOffer {
        NewOffer { weight: campaign.split.then_some(1), ..NewOffer::default() }
    }

    fn status(status: CampaignStatus) -> CampaignChange {
        CampaignChange { status: Some(status), ..CampaignChange::default() }
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let wrong = NewCampaign {
            name: " ".into(),
            description: "a\tb".into(),
            ends_at: NOW,
            audience: Audience::Groups([].into()),
            budget: Some(Fen::new(0)),
            ..fixtures::draft()
        };
        let violations = wrong.plan(fixtures::campaign().id, NOW).unwrap_err();
        let fields: Vec<_> = violations.iter().map(|violation| violation.field).collect();
        assert_eq!(fields, ["name", "description", "audience/groups", "budgetFen", "endTime", "endTime"]);
    }

    #[test]
    fn a_status_goes_forward_only() {
        use CampaignStatus::{Active, Draft, Ended, Paused};
        let all = [Draft, Active, Paused, Ended];
        let follows = |from, to| {
            let campaign = Campaign { status: from, ..offering() };
            campaign.changed(status(to), NOW).is_ok()
        };
        let open = |from| all.into_iter().filter(|&to| follows(from, to)).collect::<Vec<_>>();
        assert_eq!(open(Draft), [Draft, Active]);
        assert_eq!(open(Active), [Active, Paused, Ended]);
        assert_eq!(open(Paused), [Active, Paused, Ended]);
        assert_eq!(open(Ended), []);
    }

    #[test]
    fn a_campaign_starts_with_something_to_claim() {
        let refused = fixtures::campaign().changed(status(CampaignStatus::Active), NOW).unwrap_err();
        assert_eq!(fields(&refused), ["status"]);

        let split = Campaign { split: true, ..fixtures::campaign() };
        let nothing = NewOffer { weight: Some(0), ..NewOffer::default() };
        let template = fixtures::template(1, 1);
        let idle = split.offering(&template, &nothing, NOW).unwrap();
        assert_eq!(fields(&idle.changed(status(CampaignStatus::Active), NOW).unwrap_err()), ["status"]);
        let active = offered(&split, 1, 1).changed(status(CampaignStatus::Active), NOW).unwrap();
        assert_eq!(fields(&active.offering(&template, &nothing, NOW).unwrap_err()), ["weight"]);
    }

    #[test]
    fn a_phase_follows_the_switch_and_the_clock() {
        use CampaignStatus::{Active, Draft, Ended, Paused};
        let hour = SignedDuration::from_hours(1);
        let at = |status, now| Campaign { status, ..offering() }.phase(now);
        assert_eq!(at(Draft, NOW), CampaignPhase::Draft);
        assert_eq!(at(Active, NOW - hour), CampaignPhase::Coming);
        assert_eq!(at(Active, NOW), CampaignPhase::Running);
        assert_eq!(at(Paused, NOW - hour), CampaignPhase::Paused);
        assert_eq!(at(Active, NOW + 24 * hour), CampaignPhase::Ended);
        assert_eq!(at(Paused, NOW + 24 * hour), CampaignPhase::Ended);
        assert_eq!(at(Ended, NOW), CampaignPhase::Ended);
    }

    #[test]
    fn a_budget_covers_what_is_committed() {
        let full = offered(&offering(), 2, 400);
        assert_eq!(full.committed(), Fen::new(1_000_000));
        let more = full.offering(&fixtures::template(3, 1), &NewOffer::default(), NOW).unwrap_err();
        let shortage =
            Shortage { budget: Fen::new(1_000_000), committed: Fen::new(1_000_000), needed: Fen::new(2_000) };
        assert!(matches!(more, ChangeError::OverBudget(found) if found == shortage), "{more:?}");

        let budget = |fen| CampaignChange { budget: Some(Fen::new(fen)), ..CampaignChange::default() };
        assert_eq!(fields(&full.changed(budget(999_999), NOW).unwrap_err()), ["budgetFen"]);
        assert_eq!(fields(&full.changed(budget(limits::BUDGET_FEN + 1), NOW).unwrap_err()), ["budgetFen"]);
        let raised = full.changed(budget(1_002_000), NOW).unwrap();
        assert_eq!(offered(&raised, 3, 1).committed(), Fen::new(1_002_000));
        assert!(offering().changed(budget(200_000), NOW).is_ok(), "lowered to what is committed");
    }

    #[test]
    fn a_budget_needs_costs_that_are_bounded() {
        let unlimited = Template { stock: Stock::Unlimited, ..fixtures::template(1, 1) };
        let refused = fixtures::campaign().offering(&unlimited, &NewOffer::default(), NOW).unwrap_err();
        assert_eq!(fields(&refused), ["templateId"]);
        let free = Campaign { budget: None, ..fixtures::campaign() };
        let free = free.offering(&unlimited, &NewOffer::default(), NOW).unwrap();
        assert_eq!(free.committed(), Fen::new(0));
        let budget = CampaignChange { budget: Some(Fen::new(1)), ..CampaignChange::default() };
        assert_eq!(fields(&free.changed(budget, NOW).unwrap_err()), ["budgetFen"]);
    }

    #[test]
    fn what_is_committed_stays_exact_in_json_without_a_budget_too() {
        let free = Campaign { budget: None, ..fixtures::campaign() };
        let mut template = fixtures::template(1, 100_000_000);
        template.terms.benefit = domain_coupon::Benefit::Cash { amount: Fen::new(1_000_000_000) };
        let refused = free.offering(&template, &NewOffer::default(), NOW);
        assert!(matches!(refused, Err(ChangeError::OverBudget(_))), "{refused:?}");
    }

    #[test]
    fn a_commitment_is_lowered_by_settling_alone() {
        let lower = offering().offering(&fixtures::template(1, 50), &NewOffer::default(), NOW).unwrap();
        assert_eq!(lower.committed(), Fen::new(200_000));
        let settled = lower.settled(fixtures::template_id(1), Some(Fen::new(100_000))).unwrap();
        assert_eq!((settled.committed(), settled.version), (Fen::new(100_000), lower.version + 1));
        assert_eq!(settled.settled(fixtures::template_id(1), Some(Fen::new(100_000))), None);
        assert_eq!(settled.settled(fixtures::template_id(1), Some(Fen::new(200_000))), None);
    }

    #[test]
    fn weights_and_variants_belong_to_a_split() {
        let split = Campaign { split: true, ..fixtures::campaign() };
        let refused = |campaign: &Campaign, weight, variant: Option<&str>| {
            let new = NewOffer { total: None, weight, variant: variant.map(Into::into) };
            fields(&campaign.offering(&fixtures::template(1, 1), &new, NOW).unwrap_err())
                .into_iter()
                .map(String::from)
                .collect::<Vec<_>>()
        };
        assert_eq!(refused(&fixtures::campaign(), Some(1), Some("a")), ["weight", "variant"]);
        assert_eq!(refused(&split, None, None), ["weight"]);
        assert_eq!(refused(&split, Some(1_001), Some("A")), ["weight", "variant"]);
        assert_eq!(refused(&split, Some(1), Some(&"a".repeat(33))), ["variant"]);
    }

    #[test]
    fn templates_are_bounded_and_leave_a_draft_only() {
        let full = (1..=20).fold(fixtures::campaign(), |campaign, n| offered(&campaign, n, 1));
        let one_more = full.offering(&fixtures::template(21, 1), &NewOffer::default(), NOW).unwrap_err();
        assert_eq!(fields(&one_more), ["templateId"]);
        assert!(full.offering(&fixtures::template(20, 2), &NewOffer::default(), NOW).is_ok());

        let without = full.without(fixtures::template_id(20), NOW).unwrap();
        assert_eq!(without.offers.len(), 19);
        let gone = without.without(fixtures::template_id(20), NOW);
        assert!(matches!(gone, Err(ChangeError::TemplateNotFound)), "{gone:?}");
        let active = full.changed(status(CampaignStatus::Active), NOW).unwrap();
        let late = active.without(fixtures::template_id(1), NOW);
        assert!(matches!(late, Err(ChangeError::Started)), "{late:?}");
    }

    #[test]
    fn what_is_over_does_not_change() {
        let over = Campaign { status: CampaignStatus::Ended, ..offering() };
        assert!(matches!(over.changed(CampaignChange::default(), NOW), Err(ChangeError::Over)));
        let offer = over.offering(&fixtures::template(2, 1), &NewOffer::default(), NOW);
        assert!(matches!(offer, Err(ChangeError::Over)));
    }
}
