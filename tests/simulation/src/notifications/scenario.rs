//! What is simulated: messages, providers, faults.

use std::time::Duration;

use domain_channel::{Channel, Priority};
use serde::Serialize;

use crate::scenario::millis;

/// When a provider is down, and how.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outage {
    /// From then on.
    #[serde(rename = "fromMs", serialize_with = "millis")]
    pub from: Duration,
    /// For so long.
    #[serde(rename = "lastsMs", serialize_with = "millis")]
    pub lasts: Duration,
    /// Requests hang until whoever sent them has waited long enough; otherwise they are refused at once.
    pub hangs: bool,
}

impl Outage {
    /// Whether it is going on.
    pub fn is_on(&self, now: Duration) -> bool {
        (self.from..self.from + self.lasts).contains(&now)
    }
}

/// What goes wrong by chance, each a share of the occasions.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Faults {
    /// A provider asks for patience.
    pub retry: f64,
    /// A provider does not serve.
    pub fail_over: f64,
    /// A provider takes a message and its answer never comes.
    pub taken_unheard: f64,
    /// A provider does not take a message, and its answer never comes.
    pub lost_unheard: f64,
    /// A message is at fault itself: no provider takes it.
    pub at_fault: f64,
    /// A write's reply is lost.
    pub lost_replies: f64,
    /// A write is refused by a table that is busy.
    pub refused_writes: f64,
    /// A queue delivers a message once more.
    pub duplicates: f64,
    /// A call of a queue fails, after it took some.
    pub queue_errors: f64,
    /// An execution environment dies: at each of five places around a provider's call.
    pub deaths: f64,
    /// A sweep dies half-way.
    pub dead_sweeps: f64,
    /// A client repeats a request.
    pub repeats: f64,
    /// A client thinks better of a message.
    pub cancelled: f64,
    /// A delivery report follows.
    pub reports: f64,
}

impl Faults {
    /// Everything goes wrong: of the calls of providers 5 %.
    pub const MANY: Self = Self {
        retry: 0.012,
        fail_over: 0.014,
        taken_unheard: 0.012,
        lost_unheard: 0.012,
        at_fault: 0.002,
        lost_replies: 0.001,
        refused_writes: 0.001,
        duplicates: 0.01,
        queue_errors: 0.005,
        deaths: 0.000_5,
        dead_sweeps: 0.2,
        repeats: 0.02,
        cancelled: 0.005,
        reports: 0.9,
    };

    /// Nothing does.
    pub const NONE: Self = Self {
        retry: 0.0,
        fail_over: 0.0,
        taken_unheard: 0.0,
        lost_unheard: 0.0,
        at_fault: 0.0,
        lost_replies: 0.0,
        refused_writes: 0.0,
        duplicates: 0.0,
        queue_errors: 0.0,
        deaths: 0.0,
        dead_sweeps: 0.0,
        repeats: 0.0,
        cancelled: 0.0,
        reports: 0.0,
    };

    /// Of the calls of providers, those that go wrong.
    pub fn of_calls(&self) -> f64 {
        self.retry + self.fail_over + self.taken_unheard + self.lost_unheard
    }
}

/// A provider.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Its name in the channels' document.
    pub name: &'static str,
    /// Half of its answers take longer.
    #[serde(rename = "latencyMs", serialize_with = "millis")]
    pub latency: Duration,
    /// It tells what it took.
    pub can_be_asked: bool,
    /// It recognises a repeat.
    pub is_idempotent: bool,
}

/// One run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scenario {
    /// Seeds everything random: the same scenario with the same seed has the same outcome.
    pub seed: u64,
    /// Messages, one receiver each.
    pub messages: u32,
    /// For how long requests arrive (Poisson).
    #[serde(rename = "arriveForMs", serialize_with = "millis")]
    pub arrive_for: Duration,
    /// The share of requests that are for later, by up to forty minutes.
    pub scheduled: f64,
    /// The share of requests to many receivers.
    pub to_many: f64,
    /// The channels and their shares.
    pub channels: Vec<(Channel, f64)>,
    /// The priorities and their shares.
    pub priorities: Vec<(Priority, f64)>,
    /// Messages of low priority that are there from the beginning, over all channels but the inbox.
    pub low_load: u32,
    /// The document of the channels.
    #[serde(skip)]
    pub document: String,
    /// The providers that it names.
    pub accounts: Vec<Account>,
    /// What goes wrong by chance.
    pub faults: Faults,
    /// What goes wrong with [`PRIMARY`].
    pub outage: Option<Outage>,
    /// Whether whoever takes a lease finds out that another has it. Without, nothing holds.
    pub has_lease: bool,
}

/// The provider that fails.
pub const PRIMARY: &str = "aliyun";

/// The provider that stands by for it.
pub const BACKUP: &str = "tencent";

/// How long a provider of text messages may take.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Failures in a row after which a provider is left alone.
pub const BREAKER_FAILURES: u32 = 5;

/// Calls of a provider of text messages in a second.
const RATE_PER_SECOND: u32 = 400;

/// For how many seconds.
pub const BREAKER_SECONDS: u32 = 30;

/// Execution environments that a queue's messages may have at once.
pub fn concurrency(priority: Priority) -> u32 {
    match priority {
        Priority::Urgent => 50,
        Priority::High | Priority::Normal => 20,
        Priority::Low => 5,
    }
}

/// The channels' document. Text messages are sent once at most, whatever happens.
fn document(breaker_failures: u32, other_delivery: &str) -> String {
    format!(
        r#"{{"channels": {{
            "sms": {{"delivery": "at_most_once", "breaker": {{"failures": {breaker_failures}, "openSeconds": {BREAKER_SECONDS}}},
                "providers": [
                    {{"name": "{PRIMARY}", "kind": "aliyun", "tier": 1, "ratePerSecond": {RATE_PER_SECOND}, "timeoutMs": {timeout}}},
                    {{"name": "{BACKUP}", "kind": "tencent", "tier": 2, "ratePerSecond": {RATE_PER_SECOND}, "timeoutMs": {timeout}}}]}},
            "email": {{"delivery": "{other_delivery}", "providers": [
                {{"name": "ses", "kind": "ses", "tier": 1}}, {{"name": "sendgrid", "kind": "sendgrid", "tier": 2}}]}},
            "wechat": {{"delivery": "{other_delivery}", "providers": [
                {{"name": "official", "kind": "wechat_official", "weight": 60}}, {{"name": "mini", "kind": "wechat_mini", "weight": 40}}]}},
            "push": {{"delivery": "{other_delivery}", "providers": [{{"name": "push", "kind": "sns_push"}}]}},
            "internal": {{"delivery": "at_least_once", "providers": [{{"name": "inbox", "kind": "inbox"}}]}}
        }}}}"#,
        timeout = TIMEOUT.as_millis(),
    )
}

fn accounts(can_be_asked: bool) -> Vec<Account> {
    let account = |name, ms, can_be_asked, is_idempotent| Account {
        name,
        latency: Duration::from_millis(ms),
        can_be_asked,
        is_idempotent,
    };
    vec![
        account(PRIMARY, 80, can_be_asked, false),
        account(BACKUP, 120, can_be_asked, false),
        account("ses", 60, can_be_asked, false),
        account("sendgrid", 150, can_be_asked, false),
        account("official", 100, can_be_asked, false),
        account("mini", 100, can_be_asked, false),
        account("push", 50, can_be_asked, false),
        account("inbox", 5, false, true),
    ]
}

impl Scenario {
    /// Messages of every kind for ten minutes, and everything that can go wrong. Whoever took a message can be asked.
    pub fn everything(messages: u32) -> Self {
        Self {
            seed: 1,
            messages,
            arrive_for: Duration::from_mins(10),
            scheduled: 0.15,
            to_many: 0.02,
            channels: vec![
                (Channel::Sms, 0.4),
                (Channel::Email, 0.2),
                (Channel::Wechat, 0.15),
                (Channel::Push, 0.1),
                (Channel::Internal, 0.15),
            ],
            priorities: vec![
                (Priority::Urgent, 0.1),
                (Priority::High, 0.2),
                (Priority::Normal, 0.4),
                (Priority::Low, 0.3),
            ],
            low_load: 0,
            document: document(BREAKER_FAILURES, "at_most_once"),
            accounts: accounts(true),
            faults: Faults::MANY,
            outage: Some(Outage { from: Duration::from_mins(4), lasts: Duration::from_mins(1), hangs: true }),
            has_lease: true,
        }
    }

    /// The same, but nobody can be asked what became of a message, and channels other than text messages rather send twice.
    pub fn nobody_tells(messages: u32) -> Self {
        Self {
            document: document(BREAKER_FAILURES, "at_least_once"),
            accounts: accounts(false),
            ..Self::everything(messages)
        }
    }

    /// Text messages alone, and an outage of their first provider: how soon the second one has them.
    pub fn outage(messages: u32, hangs: bool) -> Self {
        Self {
            scheduled: 0.0,
            channels: vec![(Channel::Sms, 1.0)],
            outage: Some(Outage { from: Duration::from_mins(4), lasts: Duration::from_mins(1), hangs }),
            ..Self::everything(messages)
        }
    }

    /// While the first provider hangs, which is left alone after so many failures in a row.
    pub fn outage_by_failures(messages: u32, failures: u32) -> Self {
        Self { document: document(failures, "at_most_once"), ..Self::outage(messages, true) }
    }

    /// The first, with many deliveries repeated, and nobody finds out that another has the lease.
    pub fn without_lease(messages: u32) -> Self {
        Self {
            has_lease: false,
            faults: Faults { duplicates: 0.2, ..Faults::MANY },
            ..Self::everything(messages)
        }
    }

    /// Urgent messages for three minutes, beside so many others.
    pub fn urgent(messages: u32, low_load: u32) -> Self {
        Self {
            arrive_for: Duration::from_mins(3),
            scheduled: 0.0,
            to_many: 0.0,
            priorities: vec![(Priority::Urgent, 1.0)],
            low_load,
            faults: Faults { duplicates: 0.01, ..Faults::NONE },
            outage: None,
            ..Self::everything(messages)
        }
    }
}
