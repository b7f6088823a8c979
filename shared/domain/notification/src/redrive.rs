//! Dead letters, put back when whatever was wrong has been repaired.
//!
//! For each letter the message is made pending again, then its queue is told, then the letter is deleted. Whoever dies in
//! between leaves the letter, and the next redrive finds a message that is pending: it tells the queue (again) and deletes
//! the letter. A message that is in its queue twice is sent once, as always. So nothing is lost, and nothing sent twice.
//!
//! Letters that do not match are kept from sight until the end, so that none is looked at twice, and then released; should
//! that fail, they come into sight again by themselves.

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
};

use domain_channel::{Channel, Priority};
use domain_coupon::StoreError;
use domain_ids::{MessageId, TemplateCode};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use crate::{DispatchQueue, Message, MessageStore, QueueError, Receiver, State, Wake};

/// The most messages of one redrive.
pub const MAX_REDRIVEN: u16 = 500;

/// The most letters one redrive looks at: a read for each, within the time a caller waits.
pub const MAX_SCANNED: u32 = 1_000;

/// Messages shown as examples.
pub const MAX_EXAMPLES: usize = 10;

/// Letters received at once: the limit of `SQS`.
const BATCH: u16 = 10;

/// Messages read, and written, at once.
const CONCURRENCY: usize = 10;

/// Tries to make a message pending, while others write too.
const TRIES: usize = 3;

/// A dead letter that was received.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// The message; none where nobody can read the letter.
    pub message: Option<MessageId>,
    /// Why it was buried, where it says so.
    pub reason: Option<String>,
    /// When it was buried.
    pub buried_at: Option<Timestamp>,
    /// With what it is deleted or released.
    pub receipt: String,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").field("message", &self.message).finish_non_exhaustive()
    }
}

/// Where dead letters are taken from.
pub trait DeadLetterBox: Sync {
    /// Up to `most` (at most ten) letters, which nobody else sees for a while; none where there seem to be no more.
    fn receive(
        &self,
        priority: Priority,
        most: u16,
    ) -> impl Future<Output = Result<Vec<Letter>, QueueError>> + Send;

    /// Deletes a letter.
    fn delete(
        &self,
        priority: Priority,
        letter: &Letter,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Lets others see a letter again.
    fn release(
        &self,
        priority: Priority,
        letter: &Letter,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// About how many letters there are, with those that are kept from sight.
    fn depth(&self, priority: Priority) -> impl Future<Output = Result<u64, QueueError>> + Send;
}

/// Which letters are meant; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedriveFilter {
    /// What the reason contains.
    pub reason: Option<String>,
    /// The message's template.
    pub template: Option<TemplateCode>,
    /// The message's channel.
    pub channel: Option<Channel>,
    /// To whom the message is.
    pub receiver: Option<Receiver>,
    /// Failed before this.
    pub failed_before: Option<Timestamp>,
    /// Failed at this time or later.
    pub failed_after: Option<Timestamp>,
}

impl RedriveFilter {
    fn takes(&self, letter: &Letter, message: &Message) -> bool {
        let failed_at = match &message.state {
            State::Failed { at, .. } => Some(*at),
            // Whoever redrove it before has died, or somebody is at it.
            _ => letter.buried_at,
        };
        let holds = |bound: Option<Timestamp>, holds: fn(Timestamp, Timestamp) -> bool| match bound {
            None => true,
            Some(bound) => failed_at.is_some_and(|at| holds(at, bound)),
        };
        let reason = reason(letter, message);
        self.reason.as_ref().is_none_or(|part| reason.contains(part))
            && self.template.as_ref().is_none_or(|code| *code == message.template.code)
            && self.channel.is_none_or(|channel| channel == message.channel)
            && self.receiver.as_ref().is_none_or(|receiver| *receiver == message.receiver)
            && holds(self.failed_before, |at, bound| at < bound)
            && holds(self.failed_after, |at, bound| at >= bound)
    }
}

fn reason<'a>(letter: &'a Letter, message: &'a Message) -> &'a str {
    letter.reason.as_deref().or(message.error.as_deref()).unwrap_or_default()
}

/// What is to be redriven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// Whose dead letters.
    pub priority: Priority,
    /// Which of them.
    pub filter: RedriveFilter,
    /// Only looks.
    pub dry_run: bool,
    /// The most messages, 1 to [`MAX_REDRIVEN`].
    pub limit: u16,
}

/// What a redrive found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Letters looked at: the sum of `matched`, `skipped`, `stale` and `unreadable`.
    pub scanned: u32,
    /// Letters that match.
    pub matched: u32,
    /// Messages that are pending again and in their queue.
    pub redriven: u32,
    /// Letters that do not match. They stay.
    pub skipped: u32,
    /// Letters of messages that were sent, cancelled, refused or forgotten meanwhile. They are deleted.
    pub stale: u32,
    /// Letters that nobody can read. They stay.
    pub unreadable: u32,
    /// Whether all letters were looked at.
    pub is_complete: bool,
    /// Some messages that match, each with its reason.
    pub examples: Vec<(MessageId, String)>,
}

/// A redrive broke off. Letters of messages that are not in their queues are still there.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A queue failed.
    #[error("a queue failed")]
    Queue(#[from] QueueError),
}

/// Puts dead letters back, or, in a dry run, tells what would be put back.
pub async fn redrive(
    store: &impl MessageStore,
    queue: &impl DispatchQueue,
    letters: &impl DeadLetterBox,
    order: &Redrive,
    now: Timestamp,
    has_time: impl Fn() -> bool + Sync,
) -> Result<Redriven, RedriveError> {
    let mut run = Run { store, queue, letters, order, now, held: Vec::new(), seen: BTreeSet::new() };
    let mut done = Redriven::default();
    let ended = run.work(&mut done, has_time).await;
    run.release().await;
    ended.map(|()| done)
}

/// What is to be done with a letter.
enum Verdict {
    Unreadable,
    Stale,
    Skip,
    Match(Box<Message>),
}

struct Run<'a, S, Q, L> {
    store: &'a S,
    queue: &'a Q,
    letters: &'a L,
    order: &'a Redrive,
    now: Timestamp,
    /// Kept from the sight of others.
    held: Vec<Letter>,
    /// Messages that matched; one may have several letters.
    seen: BTreeSet<MessageId>,
}

impl<S: MessageStore, Q: DispatchQueue, L: DeadLetterBox> Run<'_, S, Q, L> {
    async fn work(&mut self, done: &mut Redriven, has_time: impl Fn() -> bool) -> Result<(), RedriveError> {
        loop {
            let left = u32::from(self.order.limit).saturating_sub(done.matched);
            let left = left.min(MAX_SCANNED.saturating_sub(done.scanned)).min(BATCH.into());
            if left == 0 || !has_time() {
                return Ok(());
            }
            let most = u16::try_from(left).unwrap_or(BATCH);
            let batch = self.letters.receive(self.order.priority, most).await?;
            if batch.is_empty() {
                done.is_complete = true;
                return Ok(());
            }
            self.held.extend(batch.iter().cloned());
            self.work_batch(batch, done).await?;
        }
    }

    async fn work_batch(&mut self, batch: Vec<Letter>, done: &mut Redriven) -> Result<(), RedriveError> {
        let store = self.store;
        let found: Vec<(Letter, Option<Message>)> = stream::iter(batch)
            .map(|letter| async move {
                let message = match letter.message {
                    Some(id) => store.message(id).await?,
                    None => None,
                };
                Ok::<_, StoreError>((letter, message))
            })
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        let (mut matched, mut stale) = (Vec::new(), Vec::new());
        for (letter, message) in found {
            done.scanned += 1;
            match self.judge(&letter, message) {
                Verdict::Unreadable => done.unreadable += 1,
                Verdict::Skip => done.skipped += 1,
                Verdict::Stale => {
                    done.stale += 1;
                    stale.push(letter);
                }
                Verdict::Match(message) => {
                    done.matched += 1;
                    if done.examples.len() < MAX_EXAMPLES {
                        done.examples.push((message.id, reason(&letter, &message).to_owned()));
                    }
                    matched.push((letter, *message));
                }
            }
        }
        if self.order.dry_run {
            return Ok(());
        }
        let delivered = self.put_back(matched).await?;
        done.redriven += u32::try_from(delivered.len()).unwrap_or_default();
        self.delete(delivered).await?;
        self.delete(stale).await?;
        Ok(())
    }

    fn judge(&mut self, letter: &Letter, message: Option<Message>) -> Verdict {
        if letter.message.is_none() {
            return Verdict::Unreadable;
        }
        let Some(message) = message else { return Verdict::Stale };
        let is_wanted = match &message.state {
            State::Failed { redrivable, .. } => *redrivable,
            // One that waits in the table is on a list already.
            State::Pending => !message.waits,
            State::Sending { .. } => true,
            State::Sent { .. } | State::Delivered { .. } | State::Cancelled { .. } => false,
        };
        if !is_wanted {
            Verdict::Stale
        } else if !self.order.filter.takes(letter, &message) {
            Verdict::Skip
        } else if self.seen.insert(message.id) {
            Verdict::Match(Box::new(message))
        } else {
            Verdict::Stale
        }
    }

    /// Makes messages pending and tells their queue; returns the letters of which nothing is left to do.
    async fn put_back(&self, matched: Vec<(Letter, Message)>) -> Result<Vec<Letter>, RedriveError> {
        let store = self.store;
        let pending: Vec<(Letter, Option<Wake>)> = stream::iter(matched)
            .map(|(letter, message)| async move { Ok((letter, self.rearm(store, message).await?)) })
            .buffered(CONCURRENCY)
            .try_collect::<Vec<_>>()
            .await
            .map_err(|error: StoreError| RedriveError::from(error))?;
        let wakes: Vec<Wake> = pending.iter().filter_map(|(_, wake)| *wake).collect();
        if !wakes.is_empty() {
            self.queue.wake(&wakes, self.now).await?;
        }
        Ok(pending.into_iter().filter(|(_, wake)| wake.is_some()).map(|(letter, _)| letter).collect())
    }

    /// The message as its queue is to hear of it; none where others were faster each time, so that its letter stays.
    async fn rearm(&self, store: &S, message: Message) -> Result<Option<Wake>, StoreError> {
        let mut message = message;
        for _ in 0..TRIES {
            match message.redriven() {
                Ok(next) if store.replace(&next).await? => return Ok(Some(self.wake(&next))),
                Ok(_) => match store.message(message.id).await? {
                    Some(now) => message = now,
                    None => return Ok(None),
                },
                // It is pending, or somebody is at it or has died there: the dispatch finds out.
                Err(_) => return Ok(Some(self.wake(&message))),
            }
        }
        Ok(None)
    }

    fn wake(&self, message: &Message) -> Wake {
        Wake { id: message.id, priority: message.priority, at: message.due_at().max(self.now) }
    }

    async fn delete(&mut self, letters: Vec<Letter>) -> Result<(), QueueError> {
        let (priority, from) = (self.order.priority, self.letters);
        let deleted = stream::iter(letters)
            .map(|letter| async move {
                from.delete(priority, &letter).await?;
                Ok::<_, QueueError>(letter.receipt)
            })
            .buffer_unordered(CONCURRENCY)
            .try_collect::<HashSet<String>>()
            .await?;
        self.held.retain(|letter| !deleted.contains(&letter.receipt));
        Ok(())
    }

    async fn release(&self) {
        let (priority, to) = (self.order.priority, self.letters);
        // One that cannot be released comes into sight again by itself.
        stream::iter(self.held.iter().cloned())
            .for_each_concurrent(CONCURRENCY, |letter| async move {
                let _ = to.release(priority, &letter).await;
            })
            .await;
    }
}
