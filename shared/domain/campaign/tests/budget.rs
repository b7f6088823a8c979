//! Random interleavings of operators who put templates into campaigns, take them out, top up, and move budgets, with
//! failures, lost answers and crashes: at every moment a budget covers all the stock it has to.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::Pin,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use domain_campaign::{
    Audience, Campaign, CampaignChange, CampaignSource, CampaignStatus, CampaignStore, NewCampaign, NewOffer,
    change_campaign, commitment, offer_template, withdraw_template,
};
use domain_coupon::{
    Benefit, IssueMode, IssueType, NewTemplate, RefillStore, Stock, StoreError, Template, TemplateChange,
    TemplateStore, Threshold, Usage, change_template,
};
use domain_ids::{CampaignId, TemplateId};
use domain_money::Fen;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::constant(1_794_326_400, 0);

/// Fen that one coupon of a template may cost.
const LIABILITY: u64 = 10;

const CAMPAIGNS: u8 = 2;
const TEMPLATES: u8 = 2;

struct Model(Mutex<State>);

struct State {
    campaigns: BTreeMap<CampaignId, Campaign>,
    templates: BTreeMap<TemplateId, Template>,
    /// How often, in percent, a step fails, and how often its answer is lost.
    faults: (u8, u8),
    rng: fastrand::Rng,
}

impl Model {
    fn new(faults: (u8, u8), seed: u64) -> Self {
        let campaigns = (0..CAMPAIGNS).map(|n| (campaign_id(n), campaign(n))).collect();
        let templates = (0..TEMPLATES).map(|n| (template_id(n), template(n))).collect();
        Self(Mutex::new(State { campaigns, templates, faults, rng: fastrand::Rng::with_seed(seed) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Lets others run first, then does `work` in one step, unless a fault strikes before or after.
    async fn step<T>(&self, work: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        let mut yielded = false;
        poll_fn(|_| if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending })
            .await;
        let mut state = self.state();
        let (fails, loses_answer) = state.faults;
        if state.rng.u8(..100) < fails {
            return Err(StoreError::Unavailable("injected: failed".into()));
        }
        let done = work(&mut state);
        if state.rng.u8(..100) < loses_answer {
            return Err(StoreError::Unavailable("injected: answer lost".into()));
        }
        Ok(done)
    }
}

impl CampaignSource for Model {
    async fn campaign(&self, id: CampaignId) -> Result<Option<Campaign>, StoreError> {
        self.step(|state| state.campaigns.get(&id).cloned()).await
    }
}

impl CampaignStore for Model {
    async fn insert(&self, _: &Campaign) -> Result<(), StoreError> {
        unreachable!("the model starts with its campaigns")
    }

    async fn replace(&self, campaign: &Campaign, expected: u64) -> Result<bool, StoreError> {
        self.step(|state| {
            let present = state.campaigns.get_mut(&campaign.id).unwrap();
            let matches = present.version == expected;
            if matches {
                *present = campaign.clone();
            }
            matches
        })
        .await
    }
}

impl RefillStore for Model {
    async fn raise_shards(&self, _: &Template) -> Result<(), StoreError> {
        self.step(|_| ()).await
    }

    async fn replace(&self, template: &Template, expected: u64) -> Result<bool, StoreError> {
        self.step(|state| {
            let present = state.templates.get_mut(&template.id).unwrap();
            let matches = present.version == expected;
            if matches {
                *present = template.clone();
            }
            matches
        })
        .await
    }
}

impl TemplateStore for Model {
    async fn insert(&self, _: &Template) -> Result<(), StoreError> {
        unreachable!("the model starts with its templates")
    }

    async fn template(&self, id: TemplateId) -> Result<Option<Template>, StoreError> {
        self.step(|state| state.templates.get(&id).cloned()).await
    }
}

fn campaign_id(n: u8) -> CampaignId {
    CampaignId::from_parts(1, n.into())
}

fn template_id(n: u8) -> TemplateId {
    TemplateId::from_parts(1, n.into())
}

fn campaign(n: u8) -> Campaign {
    let new = NewCampaign {
        name: "双十一".into(),
        description: String::new(),
        starts_at: NOW,
        ends_at: NOW + SignedDuration::from_hours(24),
        audience: Audience::Everyone,
        budget: Some(Fen::new(500)),
        split: false,
    };
    new.plan(campaign_id(n), NOW).unwrap()
}

fn template(n: u8) -> Template {
    let new = NewTemplate {
        name: "代金券".into(),
        benefit: Benefit::Cash { amount: Fen::new(LIABILITY) },
        threshold: Threshold::None,
        usage: Usage::default(),
        total_count: Some(10),
        per_user_limit: 1,
        valid_days: 30,
        starts_at: NOW,
        ends_at: NOW + SignedDuration::from_hours(24),
        issue_type: IssueType::Manual,
        issue_mode: IssueMode::Direct,
        auto: None,
        restock: false,
        expected_claims_per_second: 1,
    };
    new.publish(template_id(n), NOW).unwrap()
}

/// What an operator begins to do with what he reads at that moment, or what happens to one who has begun.
#[derive(Debug, Clone)]
enum Act {
    Offer { campaign: u8, template: u8, total: u32 },
    Withdraw { campaign: u8, template: u8 },
    Budget { campaign: u8, fen: u64 },
    Activate { campaign: u8 },
    TopUp { template: u8, total: u32 },
    Crash,
    Run { steps: u8 },
}

fn act() -> impl Strategy<Value = Act> {
    let (campaign, template) = (0..CAMPAIGNS, 0..TEMPLATES);
    prop_oneof![
        8 => (campaign.clone(), template.clone(), 5_u32..40)
            .prop_map(|(campaign, template, total)| Act::Offer { campaign, template, total }),
        4 => (campaign.clone(), template.clone())
            .prop_map(|(campaign, template)| Act::Withdraw { campaign, template }),
        2 => (campaign.clone(), 50_u64..900).prop_map(|(campaign, fen)| Act::Budget { campaign, fen }),
        1 => campaign.prop_map(|campaign| Act::Activate { campaign }),
        2 => (template, 10_u32..60).prop_map(|(template, total)| Act::TopUp { template, total }),
        2 => Just(Act::Crash),
        12 => (1_u8..6).prop_map(|steps| Act::Run { steps }),
    ]
}

type Work<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

fn begin<'a>(store: &'a Model, act: &Act) -> Option<Work<'a>> {
    let version = |campaign: u8| store.state().campaigns[&campaign_id(campaign)].version;
    let change = |campaign: u8, change: CampaignChange| -> Option<Work<'a>> {
        let expected = version(campaign);
        Some(Box::pin(async move {
            let _ = change_campaign(store, campaign_id(campaign), expected, change, NOW).await;
        }))
    };
    match *act {
        Act::Offer { campaign, template, total } => {
            let (expected, ids) = (version(campaign), (campaign_id(campaign), template_id(template)));
            let new = NewOffer { total: Some(total), ..NewOffer::default() };
            Some(Box::pin(async move {
                let _ = offer_template(store, store, ids, expected, &new, NOW).await;
            }))
        }
        Act::Withdraw { campaign, template } => {
            let (expected, ids) = (version(campaign), (campaign_id(campaign), template_id(template)));
            Some(Box::pin(async move {
                let _ = withdraw_template(store, store, ids, expected, NOW).await;
            }))
        }
        Act::Budget { campaign, fen } => {
            change(campaign, CampaignChange { budget: Some(Fen::new(fen)), ..CampaignChange::default() })
        }
        Act::Activate { campaign } => {
            let status = Some(CampaignStatus::Active);
            change(campaign, CampaignChange { status, ..CampaignChange::default() })
        }
        Act::TopUp { template, total } => {
            let expected = store.state().templates[&template_id(template)].version;
            let change = TemplateChange { total_count: Some(total), ..TemplateChange::default() };
            Some(Box::pin(async move {
                let _ = change_template(store, template_id(template), expected, change, NOW).await;
            }))
        }
        Act::Crash | Act::Run { .. } => None,
    }
}

/// The money of every coupon on sale is committed, and no more is committed than there is.
fn check(state: &State) -> Result<(), TestCaseError> {
    for (id, campaign) in &state.campaigns {
        prop_assert!(campaign.committed() <= campaign.budget.unwrap(), "{campaign:?}");
        for template in state.templates.values().filter(|template| template.campaign == Some(*id)) {
            let committed = campaign.offers.get(&template.id).and_then(|offer| offer.committed);
            prop_assert!(committed >= commitment(template), "{template:?} in {campaign:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_budget_covers_the_stock_at_every_moment(
        acts in prop::collection::vec(act(), 1..80), faults in (0_u8..12, 0_u8..12), seed: u64,
    ) {
        let store = Model::new(faults, seed);
        let mut rng = fastrand::Rng::with_seed(seed ^ 1);
        let mut work: Vec<Work> = Vec::new();
        let step = |work: &mut Vec<Work>, rng: &mut fastrand::Rng| {
            if work.is_empty() {
                return;
            }
            let chosen = rng.usize(..work.len());
            if work[chosen].as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                drop(work.swap_remove(chosen));
            }
        };
        for act in &acts {
            match act {
                Act::Crash if !work.is_empty() => drop(work.swap_remove(rng.usize(..work.len()))),
                Act::Run { steps } => {
                    for _ in 0..*steps {
                        step(&mut work, &mut rng);
                        check(&store.state())?;
                    }
                }
                act => work.extend(begin(&store, act)),
            }
        }
        while !work.is_empty() {
            step(&mut work, &mut rng);
            check(&store.state())?;
        }

        // Whatever was left behind, a repeat without faults finishes it: committed is what is on sale, to the fen.
        store.state().faults = (0, 0);
        for n in 0..TEMPLATES {
            let Some(id) = store.state().templates[&template_id(n)].campaign else { continue };
            let expected = store.state().campaigns[&id].version;
            let offer = NewOffer::default();
            let finished = offer_template(&store, &store, (id, template_id(n)), expected, &offer, NOW);
            let finished = to_end(finished).unwrap();
            let state = store.state();
            let template = &state.templates[&template_id(n)];
            prop_assert_eq!(finished.offers[&template.id].committed, commitment(template));
            prop_assert!(!matches!(&template.stock, Stock::Limited(stock) if stock.refilling));
        }
    }
}

/// Runs work that nobody disturbs: the model's steps do not wake anybody.
fn to_end<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
    }
}
