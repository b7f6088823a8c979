//! One run: guests arrive, environments serve them with the domain's own `claim`, the table keeps its limits.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use domain_coupon::{
    Benefit, ClaimCoupon, ClaimError, ClaimKey, Claimed, CouponCode, IssueMode, IssueType, LimitedStock,
    NewTemplate, Source, Stock, StoreError, Template, TemplateChange, Threshold, Usage, change_template,
    claim, claim_batch,
};
use domain_ids::{GuestId, TemplateId};
use domain_money::Fen;
use jiff::SignedDuration;

use crate::{
    chance::Chance,
    dynamodb::Table,
    executor::{Clock, Executor, Spawner},
    fleet::{Environment, Fleet},
    outcome::{Answers, Latency, Outcome, Sample, StockEnd, share},
    queue::{Line, Message},
    scenario::{Issuing, Queue, Scenario, as_millis},
    store::{Protocol, Store},
    ticket::Tickets,
    world::{SALE_STARTS, World},
};

/// What `Retry-After` tells a guest; up to half as long again passes before the repeat arrives.
const COMES_BACK_AFTER: Duration = Duration::from_secs(1);

/// A second click follows the first within this time.
const SECOND_CLICK_WITHIN: Duration = Duration::from_millis(20);

/// Between two looks at a sale.
const SAMPLED_EVERY: Duration = Duration::from_millis(50);

/// Between two sweeps for lost tickets.
const SWEPT_EVERY: Duration = Duration::from_secs(1);

/// Guests that arrive at once where they are put into a queue, which levels it out.
const ARRIVE_TOGETHER: u32 = 10;

/// Runs `scenario` to its end: until every guest has an answer.
///
/// # Panics
/// If the scenario is not a sale the domain would publish.
pub fn run(scenario: &Scenario) -> Outcome {
    let executor = Executor::default();
    let line = scenario.queue.map(|queue| Rc::new(Line::new(queue, executor.clock())));
    let sale = start(scenario, &executor, line.as_ref());
    if let Some(line) = line {
        line.work_off(&executor.spawner());
    }
    executor.run();
    sale.outcome()
}

/// Runs several sales behind one queue to their end.
///
/// # Panics
/// If a scenario is not a sale the domain would publish.
pub fn run_together(scenarios: &[Scenario], queue: Queue) -> Vec<Outcome> {
    let executor = Executor::default();
    let line = Rc::new(Line::new(queue, executor.clock()));
    let sales: Vec<Rc<Sale>> =
        scenarios.iter().map(|scenario| start(scenario, &executor, Some(&line))).collect();
    line.work_off(&executor.spawner());
    executor.run();
    sales.iter().map(|sale| sale.outcome()).collect()
}

fn start(scenario: &Scenario, executor: &Executor, line: Option<&Rc<Line>>) -> Rc<Sale> {
    let sale = Rc::new(Sale::new(scenario.clone(), executor.clock(), executor.spawner()));
    if let Some(line) = line {
        let group = line.open_for(sale.clone());
        sale.line.replace(Some((Rc::clone(line), group)));
    }
    sale.spawner.spawn(sale.clone().let_guests_arrive());
    if scenario.has_end() {
        sale.spawner.spawn(sale.clone().watch());
    }
    if matches!(scenario.protocol, Issuing::Ticket(_)) {
        sale.spawner.spawn(sale.clone().sweep());
    }
    if scenario.top_up.is_some() {
        sale.spawner.spawn(sale.clone().top_up());
    }
    if scenario.warm_up > Duration::ZERO {
        sale.spawner.spawn(sale.clone().warm_up());
    }
    sale
}

pub(crate) struct Sale {
    scenario: Scenario,
    /// The queue that its guests wait in, and their group there.
    line: RefCell<Option<(Rc<Line>, usize)>>,
    template: TemplateId,
    store: Store,
    fleet: Fleet,
    clock: Clock,
    spawner: Spawner,
    progress: RefCell<Progress>,
}

/// What has happened so far.
#[derive(Default)]
struct Progress {
    doors_closed: bool,
    present: u32,
    answers: Answers,
    latencies: Vec<Duration>,
    first_sold_out: Option<Duration>,
    timeline: Vec<Sample>,
}

impl Sale {
    fn new(scenario: Scenario, clock: Clock, spawner: Spawner) -> Self {
        let template = template(&scenario);
        let id = template.id;
        let table = Table::new(template, scenario.partitions());
        let chance = Chance::seeded(scenario.seed);
        let mut world = World::new(clock.clone(), table, chance, scenario.hold, scenario.round_trip);
        world.lost_replies = scenario.lost_replies;
        let protocol = match scenario.protocol {
            Issuing::Transaction => Protocol::Transaction,
            Issuing::Ticket(ending) => Protocol::Ticket(Tickets::new(ending)),
        };
        Self {
            scenario,
            line: RefCell::default(),
            template: id,
            store: Store { world: Arc::new(world), protocol },
            fleet: Fleet::default(),
            clock,
            spawner,
            progress: RefCell::default(),
        }
    }

    async fn let_guests_arrive(self: Rc<Self>) {
        let at_once = if self.scenario.queue.is_some() { ARRIVE_TOGETHER } else { 1 };
        let rate = f64::from(self.scenario.rate) / f64::from(at_once);
        for first in (0_u32..).step_by(at_once as usize) {
            let gap = self.random(|chance| chance.gap(rate));
            self.clock.sleep(gap).await;
            if self.clock.now() >= self.scenario.duration {
                break;
            }
            for number in first..first.saturating_add(at_once) {
                let Ok(guest) = format!("guest-{number:010}").parse::<GuestId>() else { break };
                if self.random(|chance| chance.happens(self.scenario.repeats)) {
                    let delay = self.random(|chance| chance.up_to(SECOND_CLICK_WITHIN));
                    self.admit(guest.clone(), delay);
                }
                self.admit(guest, Duration::ZERO);
            }
        }
        self.progress.borrow_mut().doors_closed = true;
    }

    fn admit(self: &Rc<Self>, guest: GuestId, after: Duration) {
        self.progress.borrow_mut().present += 1;
        let came_at = self.clock.now() + after;
        if self.enqueue(Message { guest: guest.clone(), came_at, tries: 0 }) {
            return;
        }
        let sale = self.clone();
        self.spawner.spawn(async move {
            sale.clock.sleep(after).await;
            sale.serve(guest).await;
            sale.progress.borrow_mut().present -= 1;
        });
    }

    /// Whether there is a queue to wait in.
    fn enqueue(&self, message: Message) -> bool {
        let line = self.line.borrow();
        let Some((line, group)) = line.as_ref() else { return false };
        line.push(*group, message);
        true
    }

    /// Claims for several guests with one transaction, and writes down what came of each.
    pub(crate) async fn serve_together(self: Rc<Self>, environment: &Environment, batch: Vec<Message>) {
        let commands: Vec<ClaimCoupon> =
            batch.iter().map(|message| self.command(&message.guest, Source::Queue)).collect();
        let answers = claim_batch(&self.store, &environment.memory, &commands).await;
        let written = self.store.world.request(|table, now| {
            batch.iter().map(|message| table.write_outcome(now, &message.guest)).collect::<Vec<bool>>()
        });
        let written = written.await;
        for ((message, answer), written) in batch.into_iter().zip(answers).zip(written) {
            let tries = message.tries + 1;
            let settled = self.note(message.came_at, &answer) == Next::Leave && written;
            if settled || tries >= self.scenario.tries {
                self.progress.borrow_mut().present -= 1;
            } else {
                let sale = self.clone();
                self.spawner.spawn(async move {
                    sale.come_back_later().await;
                    sale.enqueue(Message { tries, ..message });
                });
            }
        }
    }

    /// Claims, and claims again as long as the answer leaves hope.
    async fn serve(&self, guest: GuestId) {
        for _ in 0..self.scenario.tries {
            let command = self.command(&guest, Source::Claim);
            let came_at = self.clock.now();
            let environment = self.fleet.take();
            let answer = claim(&self.store, &environment.memory, &command).await;
            self.fleet.put_back(environment);
            if self.note(came_at, &answer) == Next::Leave {
                return;
            }
            self.come_back_later().await;
        }
    }

    fn command(&self, guest: &GuestId, source: Source) -> ClaimCoupon {
        ClaimCoupon {
            guest: guest.clone(),
            template: self.template,
            source,
            campaign: None,
            exchange: None,
            key: Some(ClaimKey::new(guest, self.template, "one sale, one coupon")),
            code: CouponCode::from_random(u128::from(self.random(Chance::number))),
            at: self.store.world.timestamp(),
            seed: self.random(Chance::number),
        }
    }

    async fn come_back_later(&self) {
        let pause = COMES_BACK_AFTER + self.random(|chance| chance.up_to(COMES_BACK_AFTER / 2));
        self.clock.sleep(pause).await;
    }

    fn note(&self, came_at: Duration, answer: &Result<Claimed, ClaimError>) -> Next {
        let now = self.clock.now();
        let mut progress = self.progress.borrow_mut();
        let mut answers = Answers::default();
        let next = match answer {
            Ok(claimed) if claimed.replayed => {
                answers.replayed = 1;
                Next::Leave
            }
            Ok(_) => {
                answers.issued = 1;
                if came_at >= self.scenario.warm_up {
                    progress.latencies.push(now.saturating_sub(came_at));
                }
                Next::Leave
            }
            Err(ClaimError::SoldOut) => {
                answers.sold_out = 1;
                answers.sold_out_too_early = u32::from(self.store.world.table().left() > 0);
                progress.first_sold_out.get_or_insert(now);
                Next::Leave
            }
            Err(ClaimError::Busy) => {
                answers.busy = 1;
                Next::ComeBack
            }
            Err(ClaimError::Throttled | ClaimError::Store(StoreError::Throttled(_))) => {
                answers.throttled = 1;
                Next::ComeBack
            }
            Err(ClaimError::Store(StoreError::Unavailable(_))) => {
                answers.lost = 1;
                Next::ComeBack
            }
            Err(
                ClaimError::TemplateNotFound
                | ClaimError::NotClaimable
                | ClaimError::QueueOnly
                | ClaimError::CampaignOnly
                | ClaimError::CodeUsed
                | ClaimError::NotStarted(_)
                | ClaimError::Ended(_)
                | ClaimError::Paused(_)
                | ClaimError::LimitReached { .. }
                | ClaimError::Store(StoreError::Corrupt(_)),
            ) => {
                answers.unexpected = 1;
                Next::Leave
            }
        };
        if came_at >= self.scenario.warm_up {
            progress.answers.add(answers);
        }
        next
    }

    fn random<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        self.store.world.random(draw)
    }

    async fn warm_up(self: Rc<Self>) {
        self.clock.sleep(self.scenario.warm_up).await;
        self.store.world.table().reset_work();
    }

    async fn watch(self: Rc<Self>) {
        let mut before = Answers::default();
        while !self.is_over() {
            self.clock.sleep(SAMPLED_EVERY).await;
            let mut progress = self.progress.borrow_mut();
            let answers = progress.answers.since(before);
            before = progress.answers;
            let left = self.store.world.table().left();
            progress.timeline.push(Sample { at_ms: as_millis(self.clock.now()), left, answers });
        }
    }

    async fn sweep(self: Rc<Self>) {
        let Protocol::Ticket(tickets) = &self.store.protocol else { return };
        while !self.is_over() {
            self.clock.sleep(SWEPT_EVERY).await;
            tickets.sweep(&self.store.world);
        }
    }

    async fn top_up(self: Rc<Self>) {
        let Some(top_up) = self.scenario.top_up else { return };
        self.clock.sleep(top_up.at).await;
        let version = self.store.world.table().template().version;
        let change = TemplateChange { total_count: Some(top_up.total), ..TemplateChange::default() };
        let now = self.store.world.timestamp();
        let changed = change_template(&self.store, self.template, version, change, now).await;
        if changed.is_err() {
            self.progress.borrow_mut().answers.unexpected += 1;
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        let progress = self.progress.borrow();
        progress.doors_closed && progress.present == 0
    }

    fn outcome(&self) -> Outcome {
        // The queue knows its sales.
        self.line.take();
        let progress = self.progress.take();
        let table = self.store.world.table();
        let (work, until_last_unit) = (table.work(), table.work_until_last_unit());
        let answers = progress.answers;
        let counted = self.scenario.duration.saturating_sub(self.scenario.warm_up);
        let ended = table.left() == 0;
        let selling = if ended { table.last_issued_at() } else { counted };
        let freed_too_late = match (&self.store.protocol, progress.first_sold_out) {
            (Protocol::Ticket(tickets), Some(said)) => {
                tickets.freed_at().into_iter().filter(|&freed| freed > said).count()
            }
            _ => 0,
        };
        Outcome {
            scenario: self.scenario.clone(),
            shards: self.scenario.shard_count(),
            partitions: self.scenario.partitions(),
            environments: self.scenario.queue.map_or(self.fleet.size(), Queue::environments),
            answers,
            claims_per_second: f64::from(answers.issued) / selling.as_secs_f64(),
            conflict_share: share(work.conflicts, work.transactions),
            retries_per_claim: share(work.transactions.saturating_sub(answers.total()), answers.total()),
            refused_share: share(answers.refused(), answers.total()),
            write_units_per_coupon: share(work.write_units, answers.issued),
            latency: Latency::of(progress.latencies),
            work,
            stock: StockEnd {
                issued: table.issued(),
                left_over: table.left(),
                taken: table.taken(),
                last_coupon_ms: as_millis(table.last_issued_at()),
                first_sold_out_after_ms: progress
                    .first_sold_out
                    .map(|said| as_millis(said) - as_millis(table.last_issued_at())),
                quiet_after_ms: as_millis(table.last_stock_access().saturating_sub(table.last_issued_at())),
                write_units_after: work.write_units.saturating_sub(until_last_unit.write_units),
                read_units_after: work.read_units.saturating_sub(until_last_unit.read_units),
                freed_too_late: u32::try_from(freed_too_late).unwrap_or(u32::MAX),
            },
            timeline: progress.timeline,
        }
    }
}

/// What a guest does after an answer.
#[derive(PartialEq, Eq)]
enum Next {
    Leave,
    ComeBack,
}

/// The template the scenario sells.
pub(crate) fn template(scenario: &Scenario) -> Template {
    let draft = NewTemplate {
        name: "满100减20".into(),
        benefit: Benefit::FullReduction { amount: Fen::new(2_000) },
        threshold: Threshold::Amount(Fen::new(10_000)),
        usage: Usage::default(),
        total_count: Some(scenario.stock),
        per_user_limit: 1,
        valid_days: 30,
        starts_at: SALE_STARTS,
        ends_at: SALE_STARTS + SignedDuration::from_hours(24),
        issue_type: IssueType::Manual,
        issue_mode: IssueMode::Direct,
        auto: None,
        restock: false,
        expected_claims_per_second: scenario.rate,
    };
    let id = TemplateId::from_parts(SALE_STARTS.as_millisecond().unsigned_abs(), 1);
    let published = draft.publish(id, SALE_STARTS);
    #[expect(
        clippy::expect_used,
        reason = "a scenario that cannot be published is a mistake in the scenario"
    )]
    let mut template = published.expect("the domain publishes the scenario");
    if let (Stock::Limited(stock), Some(shards)) = (&mut template.stock, scenario.shards) {
        *stock = LimitedStock { shards: shards.try_into().unwrap_or(stock.shards), ..stock.clone() };
    }
    template
}
