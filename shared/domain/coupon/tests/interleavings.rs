//! Random interleavings of claims, batches of claims, repeats, top-ups, returns, pauses, failures, lost answers and crashes: the stock is issued
//! exactly, nobody gets two, nobody is sent away while something is left.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod model;

use std::collections::{BTreeMap, BTreeSet};

use domain_coupon::{
    Benefit, ClaimCoupon, ClaimError, ClaimKey, Claimed, CouponCode, IssueMode, IssueType, LimitedStock,
    NewTemplate, SaleMemory, Source, Stock, Template, TemplateChange, TemplateStatus, Threshold, Usage,
    change_template, claim, claim_batch, restock_template,
};
use domain_ids::{GuestId, TemplateId};
use domain_money::Fen;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use model::{Faults, Interleaved, Model};

const START: Timestamp = Timestamp::constant(1_794_326_400, 0);

/// Longer than a template is remembered and than a top-up is left to whoever began it.
const A_WHILE: SignedDuration = SignedDuration::from_secs(11);

fn template(total: u32, shards: u16, per_user_limit: u8) -> Template {
    let new = NewTemplate {
        name: "满100减20".into(),
        benefit: Benefit::Cash { amount: Fen::new(2_000) },
        threshold: Threshold::None,
        usage: Usage::default(),
        total_count: Some(total),
        per_user_limit,
        valid_days: 30,
        starts_at: START,
        ends_at: START + SignedDuration::from_hours(24),
        issue_type: IssueType::Manual,
        issue_mode: IssueMode::Direct,
        auto: None,
        restock: true,
        expected_claims_per_second: 1,
    };
    let mut template = new.publish(TemplateId::from_parts(1, 1), START).unwrap();
    template.stock =
        Stock::Limited(LimitedStock { shards: shards.try_into().unwrap(), ..LimitedStock::new(total, 1) });
    template
}

fn guest(number: u16) -> GuestId {
    format!("guest-{number}").parse().unwrap()
}

#[derive(Debug, Clone)]
enum Act {
    Claim { guest: u16, key: Option<u8>, environment: usize },
    ClaimTogether { guests: Vec<(u16, Option<u8>)>, environment: usize },
    TopUp { more: u32 },
    Return { more: u32 },
    Pause,
    Resume,
    Crash,
    Run { steps: u16 },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0_u16..30, prop::option::of(0_u8..3), 0_usize..4)
            .prop_map(|(guest, key, environment)| Act::Claim { guest, key, environment }),
        3 => (prop::collection::vec((0_u16..30, prop::option::of(0_u8..3)), 1..15), 0_usize..4)
            .prop_map(|(guests, environment)| Act::ClaimTogether { guests, environment }),
        1 => (1_u32..8).prop_map(|more| Act::TopUp { more }),
        1 => (1_u32..4).prop_map(|more| Act::Return { more }),
        1 => Just(Act::Pause),
        2 => Just(Act::Resume),
        1 => Just(Act::Crash),
        8 => (1_u16..60).prop_map(|steps| Act::Run { steps }),
    ]
}

fn faults() -> impl Strategy<Value = Faults> {
    (0_u8..12, 0_u8..12, 0_u8..30).prop_map(|(fails, loses_answer, conflicts)| Faults {
        fails,
        loses_answer,
        conflicts,
    })
}

/// One run: what was asked, in which order it was answered, and how.
struct Run<'a> {
    store: &'a Model,
    environments: &'a [SaleMemory],
    work: Interleaved<'a, Option<Vec<Result<Claimed, ClaimError>>>>,
    asked: BTreeMap<usize, Vec<Asked>>,
    answers: Vec<(Asked, Result<Claimed, ClaimError>)>,
    steps: u64,
    last_empty_at: Option<u64>,
    now: Timestamp,
    now_since: u64,
    total: u32,
    returned: u32,
    started: usize,
    codes: u64,
}

#[derive(Debug, Clone)]
struct Asked {
    guest: GuestId,
    key: Option<ClaimKey>,
    /// What an environment remembered when the guest asked, it has learnt since this step.
    remembered_since: u64,
}

impl<'a> Run<'a> {
    fn new(store: &'a Model, environments: &'a [SaleMemory], total: u32, seed: u64) -> Self {
        Self {
            store,
            environments,
            work: Interleaved::new(seed),
            asked: BTreeMap::new(),
            answers: Vec::new(),
            steps: 0,
            last_empty_at: None,
            now: START,
            now_since: 0,
            total,
            returned: 0,
            started: 0,
            codes: 0,
        }
    }

    fn act(&mut self, act: &Act, seed: u64) {
        match act {
            Act::Claim { guest: number, key, environment } => self.claim(*number, *key, *environment, seed),
            Act::ClaimTogether { guests, environment } => self.claim_together(guests, *environment, seed),
            Act::Return { more } => self.give_back(*more),
            Act::TopUp { more } => {
                self.total += more;
                self.change(TemplateChange { total_count: Some(self.total), ..TemplateChange::default() });
            }
            Act::Pause => {
                self.change(TemplateChange {
                    status: Some(TemplateStatus::Paused),
                    ..TemplateChange::default()
                });
            }
            Act::Resume => {
                self.change(TemplateChange {
                    status: Some(TemplateStatus::Active),
                    ..TemplateChange::default()
                });
            }
            Act::Crash => self.work.crash_one(),
            Act::Run { steps } => (0..*steps).for_each(|_| self.step()),
        }
    }

    fn claim(&mut self, number: u16, key: Option<u8>, environment: usize, seed: u64) {
        let command = self.command(number, key, seed);
        self.ask(std::slice::from_ref(&command));
        let (store, memory) = (self.store, &self.environments[environment]);
        self.work.start(async move { Some(vec![claim(store, memory, &command).await]) });
    }

    fn claim_together(&mut self, guests: &[(u16, Option<u8>)], environment: usize, seed: u64) {
        let commands: Vec<ClaimCoupon> =
            guests.iter().map(|&(number, key)| self.command(number, key, seed)).collect();
        self.ask(&commands);
        let (store, memory) = (self.store, &self.environments[environment]);
        self.work.start(async move { Some(claim_batch(store, memory, &commands).await) });
    }

    fn command(&mut self, number: u16, key: Option<u8>, seed: u64) -> ClaimCoupon {
        let template = TemplateId::from_parts(1, 1);
        let guest = guest(number);
        self.codes += 1;
        ClaimCoupon {
            key: key.map(|key| ClaimKey::new(&guest, template, &key.to_string())),
            template,
            source: Source::Claim,
            campaign: None,
            exchange: None,
            code: CouponCode::from_random(u128::from(seed) << 40 | u128::from(self.codes)),
            at: self.now,
            seed: seed ^ self.codes,
            guest,
        }
    }

    fn ask(&mut self, commands: &[ClaimCoupon]) {
        let remembered_since = self.now_since;
        let asked = |command: &ClaimCoupon| Asked {
            guest: command.guest.clone(),
            key: command.key,
            remembered_since,
        };
        self.asked.insert(self.started, commands.iter().map(asked).collect());
        self.started += 1;
    }

    /// Coupons that were issued come back: no more than there are.
    fn give_back(&mut self, more: u32) {
        let issued = u32::try_from(self.store.state().coupons.len()).unwrap();
        self.returned = (self.returned + more).min(issued);
        self.wait_a_while();
        self.started += 1;
        let (store, now, returned) = (self.store, self.now, self.returned);
        self.work.start(async move {
            let _ = restock_template(store, TemplateId::from_parts(1, 1), returned, now).await;
            None
        });
    }

    fn wait_a_while(&mut self) {
        self.now += A_WHILE;
        self.now_since = self.steps;
    }

    fn change(&mut self, change: TemplateChange) {
        self.wait_a_while();
        self.started += 1;
        let (store, now) = (self.store, self.now);
        self.work.start(async move {
            let version = store.state().template.version;
            let _ = change_template(store, TemplateId::from_parts(1, 1), version, change, now).await;
            None
        });
    }

    fn step(&mut self) {
        self.steps += 1;
        let finished = self.work.step();
        if self.store.state().left() == 0 {
            self.last_empty_at = Some(self.steps);
        }
        if let Some((_, None)) = finished {
            self.wait_a_while();
        }
        let Some((number, Some(answers))) = finished else { return };
        let asked = self.asked[&number].clone();
        assert_eq!(asked.len(), answers.len(), "each claim has its answer");
        for (asked, answer) in asked.into_iter().zip(answers) {
            if matches!(answer, Err(ClaimError::SoldOut)) {
                assert!(
                    self.last_empty_at.is_some_and(|empty| empty >= asked.remembered_since),
                    "told sold out although something was left all the while"
                );
            }
            self.answers.push((asked, answer));
        }
    }

    fn run_to_the_end(&mut self) {
        while !self.work.is_idle() {
            self.step();
        }
    }
}

fn check(store: &Model, run: &Run<'_>, per_user_limit: u8) -> Result<(), TestCaseError> {
    let state = store.state();
    let Stock::Limited(stock) = &state.template.stock else { unreachable!() };
    let issued: u32 = state.shards.values().map(|shard| shard.issued).sum();
    prop_assert!(issued <= stock.capacity(), "never one too many");
    prop_assert!(stock.total <= run.total && stock.returned <= run.returned);
    prop_assert_eq!(issued as usize, state.coupons.len(), "a unit taken is a coupon held");

    let mut held: BTreeMap<&GuestId, u8> = BTreeMap::new();
    for coupon in state.coupons.values() {
        *held.entry(&coupon.guest).or_default() += 1;
    }
    prop_assert!(held.values().all(|&count| count <= per_user_limit), "nobody gets more than allowed");

    let codes: BTreeSet<String> = state.coupons.values().map(|coupon| coupon.code.to_string()).collect();
    prop_assert_eq!(codes.len(), state.coupons.len());

    let mut by_key: BTreeMap<(GuestId, [u8; 16]), String> = BTreeMap::new();
    for (asked, answer) in &run.answers {
        let Ok(claimed) = answer else { continue };
        prop_assert_eq!(
            state.coupons.get(&claimed.coupon.id),
            Some(&claimed.coupon),
            "what was answered is stored"
        );
        if let Some(key) = asked.key {
            let code = claimed.coupon.code.to_string();
            let first = by_key.entry((asked.guest.clone(), key.to_bytes())).or_insert(code.clone());
            prop_assert_eq!(&*first, &code, "one key, one coupon");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_stock_is_issued_exactly_whatever_happens(
        total in 1_u32..25,
        shards in 1_u16..12,
        per_user_limit in 1_u8..4,
        acts in prop::collection::vec(act(), 1..80),
        faults in faults(),
        seed: u64,
    ) {
        let store = Model::new(template(total, shards, per_user_limit), faults, seed);
        let environments: [SaleMemory; 4] = std::array::from_fn(|_| SaleMemory::default());
        let mut run = Run::new(&store, &environments, total, seed);
        for act in &acts {
            run.act(act, seed);
        }
        run.run_to_the_end();
        check(&store, &run, per_user_limit)?;

        // The storm is over: whatever is left, and whatever a crashed top-up still owes, is there for the next guests.
        store.state().faults = Faults::default();
        run.change(TemplateChange { status: Some(TemplateStatus::Active), ..TemplateChange::default() });
        run.run_to_the_end();
        run.wait_a_while();
        let before = store.state().coupons.len();
        let decided = match &store.state().template.stock {
            Stock::Limited(stock) => stock.capacity() as usize,
            Stock::Unlimited => unreachable!(),
        };
        for number in 1_000..1_000 + u16::try_from(decided - before).unwrap() {
            run.claim(number, None, usize::from(number) % 4, seed);
            run.run_to_the_end();
            let answer = &run.answers.last().unwrap().1;
            prop_assert!(answer.is_ok(), "never one too few: {:?}", answer);
        }
        run.claim(9_999, None, 0, seed);
        run.run_to_the_end();
        prop_assert!(matches!(run.answers.last(), Some((_, Err(ClaimError::SoldOut)))));
        check(&store, &run, per_user_limit)?;
    }

    #[test]
    fn a_repeat_after_a_lost_answer_finds_the_coupon(
        total in 1_u32..5, shards in 1_u16..5, repeats in 1_usize..6, loses_answer in 1_u8..100, seed: u64,
    ) {
        let store = Model::new(template(total, shards, 1), Faults { loses_answer, ..Faults::default() }, seed);
        let environments = [SaleMemory::default()];
        let mut run = Run::new(&store, &environments, total, seed);
        for _ in 0..repeats {
            run.claim(1, Some(1), 0, seed);
        }
        run.run_to_the_end();
        store.state().faults = Faults::default();
        run.wait_a_while();
        run.claim(1, Some(1), 0, seed);
        run.run_to_the_end();
        let last = &run.answers.last().unwrap().1;
        prop_assert!(last.is_ok(), "{:?}", last);
        prop_assert_eq!(store.state().coupons.len(), 1);
    }
}

/// Acts and claims one after another, nothing at once.
fn one_after_another<'a>(store: &'a Model, environments: &'a [SaleMemory], total: u32) -> Run<'a> {
    Run::new(store, environments, total, 1)
}

impl Run<'_> {
    fn claim_alone(&mut self, number: u16, key: Option<u8>) -> &Result<Claimed, ClaimError> {
        self.claim(number, key, 0, 1);
        self.run_to_the_end();
        &self.answers.last().unwrap().1
    }

    fn act_alone(&mut self, act: &Act) {
        self.act(act, 1);
        self.run_to_the_end();
    }
}

#[test]
fn a_paused_sale_gives_nothing_until_it_is_resumed() {
    let store = Model::new(template(5, 2, 1), Faults::default(), 1);
    let environments = [SaleMemory::default()];
    let mut run = one_after_another(&store, &environments, 5);
    run.act_alone(&Act::Pause);
    assert!(matches!(run.claim_alone(1, None), Err(ClaimError::Paused(_))));
    run.act_alone(&Act::Resume);
    assert!(run.claim_alone(1, None).is_ok());
}

#[test]
fn a_repeat_returns_its_coupon_also_when_the_sale_is_over() {
    let store = Model::new(template(1, 1, 1), Faults::default(), 1);
    let environments = [SaleMemory::default()];
    let mut run = one_after_another(&store, &environments, 1);
    let first = run.claim_alone(1, Some(7)).as_ref().unwrap().coupon.clone();
    let expect_replay = |run: &mut Run<'_>| {
        let repeat = run.claim_alone(1, Some(7)).as_ref().unwrap().clone();
        assert_eq!(repeat, Claimed { coupon: first.clone(), replayed: true, conflicts: 0 });
    };

    assert!(matches!(run.claim_alone(2, None), Err(ClaimError::SoldOut)));
    expect_replay(&mut run);
    run.act_alone(&Act::Pause);
    expect_replay(&mut run);
    run.now = START + SignedDuration::from_hours(25);
    assert!(matches!(run.claim_alone(3, Some(7)), Err(ClaimError::Ended(_))));
    expect_replay(&mut run);
}

#[test]
fn who_holds_enough_is_told_which() {
    let store = Model::new(template(9, 2, 2), Faults::default(), 1);
    let environments = [SaleMemory::default()];
    let mut run = one_after_another(&store, &environments, 9);
    let first = run.claim_alone(1, None).as_ref().unwrap().coupon.id;
    let second = run.claim_alone(1, None).as_ref().unwrap().coupon.id;
    match run.claim_alone(1, Some(1)) {
        Err(ClaimError::LimitReached { held }) => assert_eq!(*held, [first, second]),
        answer => panic!("{answer:?}"),
    }
}

#[test]
fn a_refusal_after_sell_out_costs_nothing() {
    let store = Model::new(template(1, 1, 1), Faults::default(), 1);
    let environments = [SaleMemory::default()];
    let mut run = one_after_another(&store, &environments, 1);
    assert!(run.claim_alone(1, None).is_ok());
    assert!(matches!(run.claim_alone(2, None), Err(ClaimError::SoldOut)));
    let calls = store.state().calls;
    for guest in 3..100 {
        assert!(matches!(run.claim_alone(guest, None), Err(ClaimError::SoldOut)));
    }
    assert_eq!(store.state().calls, calls);
}
