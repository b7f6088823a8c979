//! Providers: they take messages, fail, hang, and keep books that nobody but the observer reads.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError},
    time::Duration,
};

use domain_coupon::StoreError;
use domain_ids::{MessageId, ProviderName};
use domain_notification::{
    Accepted, Address, Device, Failure, Gateway, Outcome, Outgoing, Provider, ProviderConfig, ProviderKind,
    Verdict,
};
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::{
    environment::{Environment, Held},
    scenario::{Account, PRIMARY},
    world::{World, in_run},
};
use crate::chance::Chance;

/// Permits taken at once, as in `notification-dynamodb`.
const BLOCK: u32 = 10;

/// Of the requests that hang, those that the provider takes all the same.
const TAKEN_WHILE_DOWN: f64 = 0.1;

/// What a provider wants between two calls when it asks for patience.
const PATIENCE: Duration = Duration::from_secs(1);

/// What providers have taken.
#[derive(Default)]
pub(super) struct Books {
    /// How often each message was taken for each address, and by whom.
    pub(super) taken: HashMap<(MessageId, String), Vec<&'static str>>,
    /// When each message was taken first.
    pub(super) first_taken: HashMap<MessageId, Duration>,
    /// Messages taken before their time.
    pub(super) early: u32,
    /// Messages taken, by second and provider.
    pub(super) by_second: BTreeMap<(&'static str, u64), u32>,
    /// Calls, by second and provider.
    pub(super) calls_by_second: BTreeMap<(&'static str, u64), u32>,
    /// Calls of the provider that is down, while it is.
    pub(super) wasted: Vec<(Duration, MessageId)>,
    /// Messages that the others of its channel took meanwhile.
    pub(super) rescued: HashMap<MessageId, Duration>,
    /// Calls by verdict.
    pub(super) verdicts: BTreeMap<&'static str, u32>,
    /// Messages with a call whose answer never came.
    pub(super) unheard: HashMap<MessageId, u32>,
    /// Messages that providers may report on, with the provider that took them.
    pub(super) to_report: Vec<(&'static str, MessageId)>,
    /// Permits given out, by provider and second.
    permits: HashMap<(ProviderName, i64), u32>,
}

/// An address as the books have it.
pub(super) fn text(address: &Address) -> String {
    match address {
        Address::Phone(phone) => phone.as_str().to_owned(),
        Address::Mail(mail) => mail.as_str().to_owned(),
        Address::Wechat { official, mini } => {
            let either = official.as_ref().or(mini.as_ref());
            either.map(|id| id.as_str().to_owned()).unwrap_or_default()
        }
        Address::Devices(devices) => devices.iter().map(Device::as_str).collect::<Vec<_>>().join(" "),
        Address::Inbox(guest) => guest.to_string(),
    }
}

/// A provider as one environment calls it.
struct Caller {
    world: Arc<World>,
    environment: Arc<Environment>,
    account: Account,
    timeout: Duration,
}

impl Caller {
    fn is_down(&self) -> Option<bool> {
        let outage = self.world.scenario.outage.filter(|_| self.account.name == PRIMARY)?;
        outage.is_on(self.world.clock.now()).then_some(outage.hangs)
    }

    async fn call(&self, outgoing: &Outgoing) -> Result<Accepted, Failure> {
        let world = &self.world;
        let faults = world.scenario.faults;
        let began = world.clock.now();
        let answer_in = self.account.latency / 2;
        world.takes(answer_in).await;
        let second = (self.account.name, world.clock.now().as_secs());
        *world.books().calls_by_second.entry(second).or_default() += 1;
        if let Some(hangs) = self.is_down() {
            world.books().wasted.push((world.clock.now(), outgoing.id));
            if !hangs {
                world.takes(answer_in).await;
                return Err(self.fails(outgoing, Verdict::FailOver, "not-sent"));
            }
            if world.happens(TAKEN_WHILE_DOWN) {
                self.take(outgoing);
            }
            return Err(self.hang(outgoing, began).await);
        }
        if is_at_fault(outgoing.id, faults.at_fault) {
            world.takes(answer_in).await;
            return Err(self.fails(outgoing, Verdict::GiveUp, "bad-message"));
        }
        if world.happens(faults.of_calls()) {
            let share = world.random(Chance::share) * faults.of_calls();
            if share < faults.retry {
                world.takes(answer_in).await;
                return Err(self.fails(outgoing, Verdict::Retry, "too-many").retry_after(PATIENCE));
            }
            if share < faults.retry + faults.fail_over {
                world.takes(answer_in).await;
                return Err(self.fails(outgoing, Verdict::FailOver, "out-of-order"));
            }
            if share < faults.retry + faults.fail_over + faults.taken_unheard {
                self.take(outgoing);
            }
            return Err(self.hang(outgoing, began).await);
        }
        self.take(outgoing);
        self.environment.may_die(world).await;
        world.takes(answer_in).await;
        let reference =
            (self.account.name.len() > 3).then(|| format!("{}-{}", self.account.name, outgoing.id));
        Ok(Accepted { reference, dead: Vec::new() })
    }

    /// The caller waits as long as it may.
    async fn hang(&self, outgoing: &Outgoing, began: Duration) -> Failure {
        let waited = self.world.clock.now().saturating_sub(began);
        self.world.clock.sleep(self.timeout.saturating_sub(waited)).await;
        *self.world.books().unheard.entry(outgoing.id).or_default() += 1;
        self.fails(outgoing, Verdict::Unknown, "unanswered")
    }

    fn fails(&self, _: &Outgoing, verdict: Verdict, code: &'static str) -> Failure {
        *self.world.books().verdicts.entry(code).or_default() += 1;
        Failure::new(verdict, code)
    }

    /// The provider takes it.
    fn take(&self, outgoing: &Outgoing) {
        let now = self.world.clock.now();
        let is_early = now < in_run(outgoing.due_at);
        let is_outage = self.world.scenario.outage.is_some_and(|outage| outage.is_on(now));
        let is_reported = self.world.happens(self.world.scenario.faults.reports);
        let mut books = self.world.books();
        let by = books.taken.entry((outgoing.id, text(&outgoing.address))).or_default();
        // Who recognises a repeat delivers it once.
        if self.account.is_idempotent && by.contains(&self.account.name) {
            return;
        }
        by.push(self.account.name);
        books.first_taken.entry(outgoing.id).or_insert(now);
        books.early += u32::from(is_early);
        *books.by_second.entry((self.account.name, now.as_secs())).or_default() += 1;
        if is_outage && matches!(outgoing.address, Address::Phone(_)) && self.account.name != PRIMARY {
            books.rescued.insert(outgoing.id, now);
        }
        if is_reported && matches!(outgoing.address, Address::Phone(_)) {
            books.to_report.push((self.account.name, outgoing.id));
        }
    }

    async fn ask(&self, outgoing: &Outgoing) -> Outcome {
        self.world.takes(self.account.latency).await;
        if !self.account.can_be_asked || self.is_down().is_some() {
            return Outcome::Unknown;
        }
        let key = (outgoing.id, text(&outgoing.address));
        let is_taken = self.world.books().taken.get(&key).is_some_and(|by| by.contains(&self.account.name));
        if is_taken { Outcome::Accepted(Accepted::default()) } else { Outcome::NotAccepted }
    }
}

/// Always the same of the same message, whoever is called.
fn is_at_fault(id: MessageId, share: f64) -> bool {
    let digits =
        id.to_string().bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(131).wrapping_add(byte.into()));
    f64::from(digits % 100_000) < share * 100_000.0
}

impl Provider for Caller {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>> {
        Box::pin(self.call(outgoing))
    }

    fn outcome<'a>(&'a self, outgoing: &'a Outgoing, _: Timestamp) -> BoxFuture<'a, Outcome> {
        Box::pin(self.ask(outgoing))
    }

    fn recognises(&self, _: Timestamp, _: Timestamp) -> bool {
        self.account.is_idempotent
    }
}

/// The providers as one environment reaches them.
pub(super) struct Accounts {
    pub(super) world: Arc<World>,
    pub(super) environment: Arc<Environment>,
}

impl Gateway for Accounts {
    async fn provider(&self, config: &ProviderConfig) -> Option<Arc<dyn Provider>> {
        let account = self.world.scenario.accounts.iter().find(|it| it.name == config.name.as_str())?;
        // Our own table is no provider that is waited for.
        let timeout =
            if config.kind == ProviderKind::Inbox { Duration::from_secs(1) } else { config.timeout };
        Some(Arc::new(Caller {
            world: Arc::clone(&self.world),
            environment: Arc::clone(&self.environment),
            account: *account,
            timeout,
        }))
    }

    /// As `notification-dynamodb` does it: permits of a second, several at once.
    async fn admit(&self, config: &ProviderConfig, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        let Some(rate) = config.rate_per_second else { return Ok(None) };
        let second = now.as_second();
        let next_second =
            Duration::from_millis(1_000 - u64::try_from(now.as_millisecond() % 1_000).unwrap_or(0));
        let held = |environment: &Environment| {
            let mut permits = environment.permits.lock().unwrap_or_else(PoisonError::into_inner);
            let held = permits.get_mut(&config.name).filter(|held| held.second == second)?;
            if held.left > 0 {
                held.left -= 1;
                return Some(None);
            }
            held.is_used_up.then_some(Some(next_second))
        };
        if let Some(answer) = held(&self.environment) {
            return Ok(answer);
        }
        let block = (rate / 10).clamp(1, BLOCK);
        for block in [block, 1] {
            self.world.travel().await;
            let is_given = {
                let mut books = self.world.books();
                let given = books.permits.entry((config.name.clone(), second)).or_default();
                let fits = *given + block <= rate;
                *given += if fits { block } else { 0 };
                fits
            };
            self.world.travel().await;
            if is_given {
                self.hold(&config.name, Held { second, left: block - 1, is_used_up: false });
                return Ok(None);
            }
        }
        self.hold(&config.name, Held { second, left: 0, is_used_up: true });
        Ok(Some(next_second))
    }
}

impl Accounts {
    fn hold(&self, provider: &ProviderName, taken: Held) {
        let mut permits = self.environment.permits.lock().unwrap_or_else(PoisonError::into_inner);
        let before =
            permits.get(provider).filter(|held| held.second == taken.second).map_or(0, |held| held.left);
        permits.insert(provider.clone(), Held { left: before + taken.left, ..taken });
    }
}
