//! One run: clients ask, the stream relays, schedules fire, sweeps sweep, workers dispatch, providers report.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use domain_channel::{Channel, Priority};
use domain_ids::MessageId;
use domain_notification::{
    AcceptError, Channels, DeadLetters, DeliveryReport, Dispatch, DispatchError, DispatchQueue, Dispatched,
    Fate, NewNotification, Params, Plan, Receiver, Reported, Wake, accept, cancel, check, plan, record,
    sweep, wake,
};
use futures_util::{
    StreamExt,
    future::{Either, select},
    stream::FuturesUnordered,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    environment::Environment,
    outcome::Outcome,
    provider::Accounts,
    queue::{Entry, Sqs},
    scenario::Scenario,
    store::Store,
    texts::Texts,
    world::World,
};
use crate::executor::{Clock, Executor, Spawner};

/// Between two looks of a queue's pollers.
const POLLED_EVERY: Duration = Duration::from_millis(10);

/// Between two looks at a shard of the stream that had nothing: Lambda reads it four times a second.
const STREAM_READ_EVERY: Duration = Duration::from_millis(250);

/// Records that the relay is given at once.
const RECORDS: usize = 100;

/// Batches of records under way at once: of four shards, which a table has from the beginning, two each.
const RELAYS: usize = 8;

/// Until an invocation of the relay begins.
const INVOKED_IN: Duration = Duration::from_millis(10);

/// Between two sweeps.
const SWEPT_EVERY: Duration = Duration::from_mins(1);

/// Scheduler is late by up to so much.
const SCHEDULER_LATE: Duration = Duration::from_mins(1);

/// Until an environment that is started answers.
const COLD_START: Duration = Duration::from_millis(150);

/// How often a message is looked at again at once, as in `dispatch-notification`.
const TRIES: usize = 3;

/// Receivers of a request to many.
const MANY: usize = 50;

/// The farthest time that messages are scheduled for.
const AHEAD: Duration = Duration::from_mins(40);

/// When nothing has happened any more by then, something is lost.
const PATIENCE: Duration = Duration::from_hours(1);

/// Whoever asks again after an error waits so long.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A message that a client was told is accepted.
#[derive(Debug, Clone)]
pub(super) struct Promise {
    pub(super) id: MessageId,
    pub(super) channel: Channel,
    pub(super) priority: Priority,
    pub(super) accepted_at: Duration,
    pub(super) scheduled_at: Option<Timestamp>,
}

/// Runs `scenario` until every message has come to its end.
///
/// # Panics
/// If the channels' document is none.
#[expect(clippy::expect_used, reason = "a scenario that cannot be run has failed")]
pub fn run(scenario: &Scenario) -> Outcome {
    let executor = Executor::default();
    let channels: Channels = scenario.document.parse().expect("the document of the channels");
    let world = Arc::new(World::new(scenario.clone(), channels, executor.clock()));
    let run = Rc::new(Run {
        world: Arc::clone(&world),
        clock: executor.clock(),
        spawner: executor.spawner(),
        progress: RefCell::default(),
    });
    run.start();
    executor.run();
    let promises = std::mem::take(&mut run.progress.borrow_mut().promises);
    Outcome::of(&world, &promises)
}

struct Run {
    world: Arc<World>,
    clock: Clock,
    spawner: Spawner,
    progress: RefCell<Progress>,
}

#[derive(Default)]
struct Progress {
    promises: Vec<Promise>,
    /// Requests that no client has the answer to yet; and whether no more come.
    asking: u32,
    is_closed: bool,
    /// Environments that wait for work; the latest serves next.
    idle: Vec<Arc<Environment>>,
    /// Schedules that have not fired, and other things under way.
    under_way: u32,
}

impl Run {
    fn start(self: &Rc<Self>) {
        for &priority in Priority::ALL {
            self.spawner.spawn(Rc::clone(self).poll_queue(priority));
        }
        for _ in 0..RELAYS {
            self.spawner.spawn(Rc::clone(self).relay());
        }
        self.spawner.spawn(Rc::clone(self).sweep_each_minute());
        self.spawner.spawn(Rc::clone(self).report());
        self.spawner.spawn(Rc::clone(self).let_requests_arrive());
    }

    fn store(&self, environment: &Arc<Environment>) -> Store {
        Store { world: Arc::clone(&self.world), environment: Arc::clone(environment) }
    }

    fn sqs(&self) -> Sqs {
        Sqs(Arc::clone(&self.world))
    }

    fn is_over(&self) -> bool {
        let progress = self.progress.borrow();
        let is_quiet = progress.is_closed && progress.asking == 0 && progress.under_way == 0;
        let latest = self.world.scenario.arrive_for + AHEAD + PATIENCE;
        let table = self.world.table();
        let is_settled = table.open == 0 && table.inserted.is_empty();
        drop(table);
        (is_quiet && is_settled && self.world.queues().is_empty()) || self.clock.now() > latest
    }

    // Clients.

    async fn let_requests_arrive(self: Rc<Self>) {
        let scenario = &self.world.scenario;
        let mut number = 0;
        let outside = [Channel::Sms, Channel::Email, Channel::Wechat, Channel::Push];
        // A campaign: requests to many, all at once.
        for (place, first) in (0..scenario.low_load).step_by(MANY).enumerate() {
            let receivers = MANY.min(usize::try_from(scenario.low_load - first).unwrap_or(MANY));
            let channel = outside.get(place % outside.len()).copied().unwrap_or(Channel::Sms);
            self.ask(channel, Priority::Low, first, receivers, None);
        }
        number += scenario.low_load;
        if scenario.low_load > 0 {
            // Until all of it is in the queue.
            self.clock.sleep(Duration::from_secs(10)).await;
        }
        let mean = 1.0 + scenario.to_many * f64::from(u32::try_from(MANY - 1).unwrap_or(u32::MAX));
        let rate = f64::from(scenario.messages) / mean / scenario.arrive_for.as_secs_f64();
        let mut left = scenario.messages;
        while left > 0 {
            let gap = self.world.random(|chance| chance.gap(rate));
            self.clock.sleep(gap).await;
            let channel = self.pick(&scenario.channels).unwrap_or(Channel::Sms);
            let priority = self.pick(&scenario.priorities).unwrap_or_default();
            let many = if self.world.happens(scenario.to_many) { MANY } else { 1 };
            let receivers = many.min(usize::try_from(left).unwrap_or(1));
            let at = self.world.happens(scenario.scheduled).then(|| {
                let ahead = self.world.random(|chance| chance.up_to(AHEAD));
                self.world.timestamp() + SignedDuration::try_from(ahead).unwrap_or_default()
            });
            self.ask(channel, priority, number, receivers, at);
            let receivers = u32::try_from(receivers).unwrap_or(left);
            number += receivers;
            left = left.saturating_sub(receivers);
        }
        self.progress.borrow_mut().is_closed = true;
    }

    fn pick<T: Copy>(&self, of: &[(T, f64)]) -> Option<T> {
        let mut share = self.world.random(crate::chance::Chance::share);
        let picked = of.iter().find(|(_, of)| {
            share -= of;
            share < 0.0
        });
        picked.or(of.last()).map(|(what, _)| *what)
    }

    fn ask(
        self: &Rc<Self>,
        channel: Channel,
        priority: Priority,
        number: u32,
        receivers: usize,
        scheduled_at: Option<Timestamp>,
    ) {
        let guests = (0..receivers).filter_map(|n| receiver(channel, number + u32::try_from(n).ok()?));
        let Ok(template) = channel.name().parse() else { return };
        let new = NewNotification {
            scope: "orders".into(),
            key: number.to_string(),
            channel,
            priority,
            template,
            params: Params::default(),
            receivers: guests.collect(),
            // Whole milliseconds, as in the API.
            scheduled_at: scheduled_at.and_then(|at| Timestamp::from_millisecond(at.as_millisecond()).ok()),
            expires_at: None,
            transaction: None,
            broadcast: None,
        };
        self.progress.borrow_mut().asking += 1;
        self.spawner.spawn(Rc::clone(self).ask_until_accepted(new));
    }

    async fn ask_until_accepted(self: Rc<Self>, new: NewNotification) {
        let environment = Arc::new(Environment::default());
        let store = self.store(&environment);
        let accepted_at = self.clock.now();
        let is_repeated = self.world.happens(self.world.scenario.faults.repeats);
        let mut answers = if is_repeated { 2 } else { 1 };
        while answers > 0 {
            let now = self.world.timestamp();
            let taken = match check(&Texts, &Texts, new.clone(), now).await {
                Ok(checked) => accept(&store, &checked, now).await,
                Err(error) => Err(error),
            };
            match taken {
                Ok(taken) => {
                    answers -= 1;
                    let mut progress = self.progress.borrow_mut();
                    self.world.seen().repeats += u32::from(taken.iter().any(|it| it.is_repeat));
                    if answers == 0 {
                        progress.promises.extend(taken.into_iter().map(|taken| Promise {
                            id: taken.id,
                            channel: new.channel,
                            priority: new.priority,
                            accepted_at,
                            scheduled_at: new.scheduled_at,
                        }));
                    }
                }
                Err(AcceptError::Store(_)) => self.clock.sleep(AGAIN_AFTER).await,
                // Not after a repeat that lasted until its time had come: all else is sound.
                Err(
                    AcceptError::NoTemplate
                    | AcceptError::Disabled
                    | AcceptError::Invalid(_)
                    | AcceptError::KeyReused,
                ) => break,
            }
        }
        if self.world.happens(self.world.scenario.faults.cancelled) {
            let last = self.progress.borrow().promises.last().map(|promise| promise.id);
            if let Some(id) = last {
                self.world.takes(Duration::from_secs(1)).await;
                // Too late, or in time.
                let _ = cancel(&store, id, self.world.timestamp()).await;
            }
        }
        self.progress.borrow_mut().asking -= 1;
    }

    // The table's stream, schedules, sweeps.

    async fn relay(self: Rc<Self>) {
        loop {
            let records: Vec<MessageId> = {
                let now = self.clock.now();
                let mut table = self.world.table();
                let count = table.inserted.iter().take_while(|(at, _)| *at < now).count().min(RECORDS);
                table.inserted.drain(..count).map(|(_, id)| id).collect()
            };
            if !records.is_empty() {
                self.world.takes(INVOKED_IN).await;
                self.relay_records(records).await;
            } else if self.is_over() {
                return;
            } else {
                self.clock.sleep(STREAM_READ_EVERY).await;
            }
        }
    }

    /// Until all is done, from the beginning each time.
    async fn relay_records(self: &Rc<Self>, records: Vec<MessageId>) {
        let mut is_scheduled = false;
        loop {
            let now = self.world.timestamp();
            // The image of the insert.
            let plans: Vec<(MessageId, Plan)> = {
                let table = self.world.table();
                let images = records.iter().filter_map(|id| Some((*id, plan(table.get(*id)?, now))));
                images.collect()
            };
            let mut wakes = Vec::new();
            for (id, plan) in plans {
                match plan {
                    Plan::Queue(wake) => wakes.push(wake),
                    Plan::Schedule(at) if !is_scheduled => {
                        let again = self.world.happens(self.world.scenario.faults.duplicates);
                        for _ in 0..=usize::from(again) {
                            self.progress.borrow_mut().under_way += 1;
                            self.spawner.spawn(Rc::clone(self).fire(id, at));
                        }
                    }
                    Plan::Schedule(_) | Plan::Wait | Plan::Nothing => {}
                }
            }
            is_scheduled = true;
            if self.sqs().wake(&wakes, now).await.is_ok() {
                break;
            }
            self.clock.sleep(AGAIN_AFTER).await;
        }
    }

    async fn fire(self: Rc<Self>, id: MessageId, at: Timestamp) {
        let store = self.store(&Arc::default());
        let wait = Duration::try_from(at.duration_since(self.world.timestamp())).unwrap_or_default();
        let late = self.world.random(|chance| chance.up_to(SCHEDULER_LATE));
        self.clock.sleep(wait + late).await;
        while wake(&store, &self.sqs(), id, self.world.timestamp()).await.is_err() {
            self.clock.sleep(AGAIN_AFTER).await;
        }
        self.progress.borrow_mut().under_way -= 1;
    }

    async fn sweep_each_minute(self: Rc<Self>) {
        let store = self.store(&Arc::default());
        let queue = self.sqs();
        while !self.is_over() {
            self.clock.sleep(SWEPT_EVERY).await;
            let dies = self.world.happens(self.world.scenario.faults.dead_sweeps);
            let lives_for = if dies {
                self.world.random(|chance| chance.up_to(Duration::from_millis(400)))
            } else {
                Duration::from_secs(50)
            };
            let death = Box::pin(self.clock.sleep(lives_for));
            let work = Box::pin(sweep(&store, &queue, self.world.timestamp(), || true));
            match select(work, death).await {
                Either::Left((Ok(swept), _)) => self.world.seen().swept += swept.queued,
                Either::Left((Err(_), _)) | Either::Right(_) => self.world.seen().dead_sweeps += 1,
            }
        }
    }

    /// Reports come in any order, twice, and before the record of the call.
    async fn report(self: Rc<Self>) {
        let store = self.store(&Arc::default());
        while !self.is_over() {
            self.clock.sleep(AGAIN_AFTER).await;
            let reports = std::mem::take(&mut self.world.books().to_report);
            let work: FuturesUnordered<_> = reports
                .into_iter()
                .map(|(name, id)| {
                    let store = &store;
                    let clock = &self.clock;
                    let world = &self.world;
                    async move {
                        let delay = world.random(|chance| chance.up_to(Duration::from_secs(2)));
                        clock.sleep(delay).await;
                        let report = DeliveryReport {
                            of: Reported::Message(id),
                            fate: Fate::Delivered,
                            at: world.timestamp(),
                            address: None,
                        };
                        let Ok(from) = name.parse() else { return };
                        for _ in 0..=usize::from(world.happens(0.1)) {
                            // What is lost here, the provider tells no second time.
                            let _ = record(store, &from, &report).await;
                        }
                    }
                })
                .collect();
            work.count().await;
        }
    }

    // Workers.

    async fn poll_queue(self: Rc<Self>, priority: Priority) {
        loop {
            while let Some(batch) = self.world.receive(priority) {
                self.spawner.spawn(Rc::clone(&self).invoke(priority, batch));
            }
            if self.is_over() {
                return;
            }
            self.clock.sleep(POLLED_EVERY).await;
        }
    }

    async fn invoke(self: Rc<Self>, priority: Priority, batch: Vec<Entry>) {
        let idle = self.progress.borrow_mut().idle.pop();
        let environment = if let Some(environment) = idle {
            environment
        } else {
            self.world.seen().environments += 1;
            self.world.takes(COLD_START).await;
            Arc::default()
        };
        let store = self.store(&environment);
        let gateway = Accounts { world: Arc::clone(&self.world), environment: Arc::clone(&environment) };
        let world = &self.world;
        let dispatch = Dispatch {
            store: &store,
            templates: &Texts,
            renderer: &Texts,
            gateway: &gateway,
            health: &environment.health,
            channels: &world.channels,
            clock: || world.timestamp(),
        };
        let work: FuturesUnordered<_> = batch
            .iter()
            .map(|entry| {
                let (dispatch, run) = (&dispatch, &self);
                async move {
                    run.world.note_taken(entry.id);
                    let handled = match dispatched(dispatch, entry.id).await {
                        Ok(dispatched) => run.act(entry.id, dispatched).await,
                        Err(_) => Err(()),
                    };
                    (*entry, handled)
                }
            })
            .collect();
        let handled = environment.lives_through(work.collect::<Vec<_>>()).await;
        if let Some(handled) = handled {
            let failed = handled.into_iter().filter(|(_, handled)| handled.is_err());
            self.world.put_back(priority, failed.map(|(entry, _)| entry));
            self.progress.borrow_mut().idle.push(Arc::clone(&environment));
        } else {
            self.world.seen().deaths += 1;
            self.world.put_back(priority, batch.iter().copied());
        }
        self.world.queues().end(priority);
    }

    /// As `dispatch-notification` does it, before the delivery is acknowledged.
    async fn act(&self, id: MessageId, dispatched: Dispatched) -> Result<(), ()> {
        match dispatched {
            Dispatched::Sent { .. } | Dispatched::Done(_) | Dispatched::Refused(_) | Dispatched::Waits => {
                Ok(())
            }
            Dispatched::Later { at, priority, .. } => {
                let wake = Wake { id, priority, at };
                self.sqs().wake(&[wake], self.world.timestamp()).await.map_err(drop)
            }
            Dispatched::Dead { reason, priority } => {
                self.sqs().bury(id, priority, &reason).await.map_err(drop)
            }
        }
    }
}

async fn dispatched<C: Fn() -> Timestamp + Sync>(
    dispatch: &Dispatch<'_, Store, Texts, Texts, Accounts, C>,
    id: MessageId,
) -> Result<Dispatched, DispatchError> {
    let mut tries = 1;
    loop {
        match dispatch.dispatch(id).await {
            Err(DispatchError::Outdated) if tries < TRIES => tries += 1,
            dispatched => return dispatched,
        }
    }
}

/// Guests, and addresses of people who are none, in turn.
fn receiver(channel: Channel, number: u32) -> Option<Receiver> {
    let is_guest = number.is_multiple_of(2);
    match channel {
        Channel::Sms if !is_guest => format!("tel:+86139{number:08}").parse().ok(),
        Channel::Email if !is_guest => format!("mailto:nobody-{number}@example.com").parse().ok(),
        Channel::Wechat if !is_guest => format!("wechat-official:follower-{number}").parse().ok(),
        Channel::Sms | Channel::Email | Channel::Wechat | Channel::Push | Channel::Internal => {
            format!("guest-{number}").parse().ok()
        }
    }
}
