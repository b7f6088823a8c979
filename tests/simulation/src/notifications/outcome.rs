//! What a run came to: what was promised beside what providers have in their books.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use domain_channel::{Channel, Priority};
use domain_ids::MessageId;
use domain_notification::{Delivery, Message, State};
use serde::Serialize;

use super::{
    provider::Books,
    run::Promise,
    scenario::{BACKUP, PRIMARY, Scenario},
    world::{World, in_run},
};
use crate::{outcome::Latency, scenario::as_millis};

/// A message that another provider has within this time was not kept waiting.
pub const AT_ONCE: Duration = Duration::from_secs(2);

/// For so long 99 % must go to the other provider.
const SETTLED_FOR: Duration = Duration::from_secs(5);

/// The reason of those of whom nobody knows whether a provider has them.
const UNKNOWN: &str = "outcome-unknown";

/// How the messages of a channel ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ends {
    /// Messages.
    pub messages: u32,
    /// Sent or delivered, and taken by providers once.
    pub once: u32,
    /// Sent or delivered, and taken by no provider; must not happen.
    pub never: u32,
    /// Taken more than once.
    pub twice: u32,
    /// Of these, messages without a call whose answer never came; must not happen.
    pub twice_for_nothing: u32,
    /// Refused for good, and taken by none: the message is at fault.
    pub refused: u32,
    /// Cancelled, and taken by none.
    pub cancelled: u32,
    /// Nobody knows, a dead letter says so, and nobody has it.
    pub unknown_never: u32,
    /// Nobody knows, a dead letter says so, and one provider has it.
    pub unknown_once: u32,
    /// Another dead letter, and taken by none.
    pub dead: u32,
    /// Cancelled or given up, and in the inbox all the same: our own inbox is written without a lease.
    pub in_inbox_all_the_same: u32,
    /// Refused, cancelled or a dead letter for another reason, and taken all the same; must not happen.
    pub taken_all_the_same: u32,
    /// Neither in a final state nor a dead letter; must not happen.
    pub lost: u32,
    /// Failed with a reason, and without the dead letter that belongs to it; must not happen.
    pub without_letter: u32,
}

impl Ends {
    /// What must not happen, whatever the channel.
    pub fn wrong(&self) -> u32 {
        self.never + self.taken_all_the_same + self.lost + self.without_letter + self.twice_for_nothing
    }

    fn count(&mut self, ended: &Ended<'_>) {
        let Ended { times, may_be_twice, is_ambiguous, has_letter, .. } = *ended;
        self.messages += 1;
        self.twice += u32::from(times > 1);
        self.twice_for_nothing += u32::from(times > 1 && !is_ambiguous);
        let Some(message) = ended.message else {
            self.lost += 1;
            return;
        };
        let is_in_inbox = ended.channel == Channel::Internal && times == 1;
        let is_unknown = message.error.as_deref() == Some(UNKNOWN);
        *match (&message.state, times) {
            (State::Sent { .. } | State::Delivered { .. }, 0) => &mut self.never,
            (State::Sent { .. } | State::Delivered { .. }, 1) => &mut self.once,
            // Counted above.
            (State::Sent { .. } | State::Delivered { .. }, _) => return,
            (State::Pending | State::Sending { .. }, _) if has_letter => return,
            (State::Pending | State::Sending { .. }, _) => &mut self.lost,
            (State::Failed { redrivable: true, .. }, _) if !has_letter => &mut self.without_letter,
            (State::Failed { redrivable: false, .. }, 0) => &mut self.refused,
            (State::Cancelled { .. }, 0) => &mut self.cancelled,
            (State::Failed { .. }, 0) if is_unknown => &mut self.unknown_never,
            (State::Failed { .. }, 1) if is_unknown => &mut self.unknown_once,
            (State::Failed { .. }, 0) => &mut self.dead,
            (State::Failed { .. } | State::Cancelled { .. }, _) if is_in_inbox => {
                &mut self.in_inbox_all_the_same
            }
            // One of its calls was not answered, and nobody took it afterwards.
            (State::Failed { redrivable: true, .. }, 1) if may_be_twice => &mut self.unknown_once,
            (State::Failed { redrivable: true, .. }, _) if may_be_twice => return,
            (State::Failed { .. } | State::Cancelled { .. }, _) => &mut self.taken_all_the_same,
        } += 1;
    }

    fn add(&mut self, other: &Self) {
        let Self {
            messages,
            once,
            never,
            twice,
            twice_for_nothing,
            refused,
            cancelled,
            unknown_never,
            unknown_once,
            dead,
            in_inbox_all_the_same,
            taken_all_the_same,
            lost,
            without_letter,
        } = other;
        self.messages += messages;
        self.once += once;
        self.never += never;
        self.twice += twice;
        self.twice_for_nothing += twice_for_nothing;
        self.refused += refused;
        self.cancelled += cancelled;
        self.unknown_never += unknown_never;
        self.unknown_once += unknown_once;
        self.dead += dead;
        self.in_inbox_all_the_same += in_inbox_all_the_same;
        self.taken_all_the_same += taken_all_the_same;
        self.lost += lost;
        self.without_letter += without_letter;
    }
}

/// How one message ended.
struct Ended<'a> {
    message: Option<&'a Message>,
    channel: Channel,
    has_letter: bool,
    /// How often providers took it.
    times: u32,
    /// Whether a call may have been made of which nobody had the answer.
    is_ambiguous: bool,
    /// Whether it may then be sent again.
    may_be_twice: bool,
}

/// What an outage came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failover {
    /// From its beginning until 99 % of the messages of five seconds went to the other provider at once.
    pub settled_after_ms: f64,
    /// Calls of the provider that was down.
    pub wasted_calls: u32,
    /// Messages that such a call kept waiting for longer than `AT_ONCE`.
    pub messages_stuck: u32,
    /// The share of those after it had settled: environments that had not learnt yet, and probes.
    pub stuck_afterwards: f64,
    /// Messages that the other one took meanwhile.
    pub rescued: u32,
}

/// What went wrong by chance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "as they are called")]
pub struct Mishaps {
    pub calls_unheard: u32,
    pub duplicates: u32,
    pub redelivered: u32,
    pub deaths: u32,
    pub dead_sweeps: u32,
    pub lost_replies: u32,
    pub repeats: u32,
}

/// The result of a run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// What was simulated.
    pub scenario: Scenario,
    /// How messages ended, by channel.
    pub ends: BTreeMap<Channel, Ends>,
    /// Dead letters by reason.
    pub dead_letters: BTreeMap<String, u32>,
    /// Messages taken twice on channels where the configuration says at most once.
    pub against_config: u32,
    /// Messages taken before their time.
    pub early: u32,
    /// Messages that were for later.
    pub scheduled: u32,
    /// From the time they were due until their queue had them.
    pub late_queued: Latency,
    /// Until a worker had them in hand.
    pub late: Latency,
    /// Until a provider took them.
    pub late_taken: Latency,
    /// From acceptance until a worker had them in hand, of those that were due at once, by priority.
    pub waits: BTreeMap<Priority, Latency>,
    /// Until a provider took them.
    pub waits_taken: BTreeMap<Priority, Latency>,
    /// Of urgent messages, every wait until a provider took one, in milliseconds, the shortest first.
    #[serde(skip)]
    pub urgent_ms: Vec<f64>,
    /// Messages waiting at once, at most, by priority.
    pub longest_queues: BTreeMap<Priority, usize>,
    /// The outage.
    pub failover: Failover,
    /// What went wrong by chance.
    pub mishaps: Mishaps,
    /// Failed calls by code.
    pub failed_calls: BTreeMap<&'static str, u32>,
    /// Messages taken in each second by the first provider of text messages and by its stand-in.
    #[serde(skip)]
    pub timeline: Vec<[u32; 2]>,
    /// The most calls that a provider got in one second.
    pub busiest_second: BTreeMap<&'static str, u32>,
    /// Execution environments that were started.
    pub environments: u32,
    /// Requests to the table, a message.
    pub reads_per_message: f64,
    /// Requests to the table, a message.
    pub writes_per_message: f64,
    /// When it was over.
    pub ended_after_ms: f64,
}

impl Outcome {
    pub(super) fn of(world: &World, promises: &[Promise]) -> Self {
        let (table, books, seen) = (world.table(), world.books(), world.seen());
        let mut taken: HashMap<MessageId, u32> = HashMap::new();
        for ((id, _), by) in &books.taken {
            *taken.entry(*id).or_default() += u32::try_from(by.len()).unwrap_or(u32::MAX);
        }
        let mut ends: BTreeMap<Channel, Ends> = BTreeMap::new();
        let mut against_config = 0;
        let (mut late_queued, mut late, mut late_taken) = (Vec::new(), Vec::new(), Vec::new());
        let (mut waits, mut waits_taken): (BTreeMap<Priority, Vec<Duration>>, BTreeMap<_, Vec<Duration>>) =
            Default::default();
        for promise in promises {
            let times = taken.get(&promise.id).copied().unwrap_or_default();
            let at_most_once =
                world.channels.channel(promise.channel).is_some_and(|it| it.delivery == Delivery::AtMostOnce);
            let is_ambiguous = books.unheard.contains_key(&promise.id) || seen.orphaned.contains(&promise.id);
            against_config += u32::from(times > 1 && at_most_once);
            ends.entry(promise.channel).or_default().count(&Ended {
                message: table.get(promise.id),
                channel: promise.channel,
                has_letter: seen.dead_letters.contains_key(&promise.id),
                times,
                may_be_twice: !at_most_once && is_ambiguous,
                is_ambiguous,
            });
            let due = promise.scheduled_at.map_or(promise.accepted_at, in_run);
            let is_later = promise.scheduled_at.is_some();
            if let Some(at) = seen.queued.get(&promise.id).filter(|_| is_later) {
                late_queued.push(at.saturating_sub(due));
            }
            if let Some(at) = seen.taken.get(&promise.id) {
                let wait = at.saturating_sub(due);
                if is_later { late.push(wait) } else { waits.entry(promise.priority).or_default().push(wait) }
            }
            if let Some(at) = books.first_taken.get(&promise.id) {
                let wait = at.saturating_sub(due);
                if is_later {
                    late_taken.push(wait);
                } else {
                    waits_taken.entry(promise.priority).or_default().push(wait);
                }
            }
        }
        let mut urgent_ms: Vec<f64> =
            waits_taken.get(&Priority::Urgent).into_iter().flatten().copied().map(as_millis).collect();
        urgent_ms.sort_by(f64::total_cmp);
        let mut dead_letters = BTreeMap::new();
        for reason in seen.dead_letters.values() {
            *dead_letters.entry(reason.clone()).or_default() += 1;
        }
        let all = f64::from(u32::try_from(promises.len().max(1)).unwrap_or(u32::MAX));
        let queues = world.queues();
        let latencies = |of: BTreeMap<Priority, Vec<Duration>>| {
            of.into_iter().map(|(priority, waits)| (priority, Latency::of(waits))).collect()
        };
        Self {
            scenario: world.scenario.clone(),
            ends,
            dead_letters,
            against_config,
            early: books.early,
            scheduled: u32::try_from(late.len()).unwrap_or(u32::MAX),
            late_queued: Latency::of(late_queued),
            late: Latency::of(late),
            late_taken: Latency::of(late_taken),
            waits: latencies(waits),
            waits_taken: latencies(waits_taken),
            urgent_ms,
            longest_queues: Priority::ALL
                .iter()
                .map(|&priority| (priority, queues.longest(priority)))
                .collect(),
            failover: failover(world, &books),
            mishaps: Mishaps {
                calls_unheard: books.unheard.values().sum(),
                duplicates: seen.duplicates,
                redelivered: seen.redelivered,
                deaths: seen.deaths,
                dead_sweeps: seen.dead_sweeps,
                lost_replies: seen.lost_replies,
                repeats: seen.repeats,
            },
            failed_calls: books.verdicts.clone(),
            timeline: timeline(&books),
            busiest_second: busiest(&books),
            environments: seen.environments,
            reads_per_message: f64::from(table.reads) / all,
            writes_per_message: f64::from(table.writes) / all,
            ended_after_ms: as_millis(world.clock.now()),
        }
    }

    /// All channels together.
    pub fn all(&self) -> Ends {
        let mut all = Ends::default();
        for ends in self.ends.values() {
            all.add(ends);
        }
        all
    }

    /// Of one channel.
    pub fn channel(&self, channel: Channel) -> Ends {
        self.ends.get(&channel).copied().unwrap_or_default()
    }

    /// How long urgent messages waited until a provider took them.
    pub fn urgent(&self) -> Latency {
        self.waits_taken.get(&Priority::Urgent).copied().unwrap_or_default()
    }
}

fn failover(world: &World, books: &Books) -> Failover {
    let Some(outage) = world.scenario.outage else { return Failover::default() };
    // A message that the other one took at once was not kept waiting by a call in vain.
    let is_stuck = |at: Duration, id: &MessageId| {
        books.rescued.get(id).is_none_or(|taken| taken.saturating_sub(at) > AT_ONCE)
    };
    let stuck = books.wasted.iter().filter(|(at, id)| is_stuck(*at, id));
    let mut events: Vec<(Duration, bool)> = stuck.map(|&(at, _)| (at, false)).collect();
    let messages_stuck = u32::try_from(events.len()).unwrap_or(u32::MAX);
    events.extend(books.rescued.values().map(|&at| (at, true)));
    events.sort_unstable();
    let count = |from: Duration, until: Duration, rescued: bool| {
        let of = events.iter().filter(|(at, is)| *is == rescued && (from..until).contains(at)).count();
        f64::from(u32::try_from(of).unwrap_or(u32::MAX))
    };
    let ends = outage.from + outage.lasts;
    let mut settled = outage.from;
    while settled < ends {
        let until = settled + SETTLED_FOR;
        let (rescued, waiting) = (count(settled, until, true), count(settled, until, false));
        if rescued > 0.0 && rescued >= 0.99 * (rescued + waiting) {
            break;
        }
        settled += Duration::from_millis(500);
    }
    let after = count(settled, ends, false);
    Failover {
        settled_after_ms: as_millis(settled.saturating_sub(outage.from)),
        wasted_calls: u32::try_from(books.wasted.len()).unwrap_or(u32::MAX),
        messages_stuck,
        stuck_afterwards: after / (after + count(settled, ends, true)).max(1.0),
        rescued: u32::try_from(books.rescued.len()).unwrap_or(u32::MAX),
    }
}

fn timeline(books: &Books) -> Vec<[u32; 2]> {
    let of = |name, second| books.by_second.get(&(name, second)).copied().unwrap_or_default();
    let last = books.by_second.keys().map(|(_, second)| *second).max().unwrap_or_default();
    (0..=last).map(|second| [of(PRIMARY, second), of(BACKUP, second)]).collect()
}

fn busiest(books: &Books) -> BTreeMap<&'static str, u32> {
    let mut busiest = BTreeMap::new();
    for (&(name, _), &calls) in &books.calls_by_second {
        let most: &mut u32 = busiest.entry(name).or_default();
        *most = calls.max(*most);
    }
    busiest
}
