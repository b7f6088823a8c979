//! Where messages are kept, and where they wait.

use domain_channel::Priority;
use domain_coupon::{Page, StoreError};
use domain_ids::{GuestId, MessageId};
use jiff::Timestamp;

use crate::{Address, Contacts, Message, Preferences, Receiver};

/// Whether a message was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It was; its being there is what has it queued.
    New,
    /// It was there already, and stands as it stands.
    Known(Box<Message>),
}

/// Where messages are kept.
pub trait MessageStore: Sync {
    /// Adds a message unless there is one with its id: one write, which is all that acceptance takes.
    fn add(&self, message: &Message) -> impl Future<Output = Result<Added, StoreError>> + Send;

    /// The message as it is now (not an older copy).
    fn message(&self, id: MessageId) -> impl Future<Output = Result<Option<Message>, StoreError>> + Send;

    /// Replaces a message, if its revision is still one less than `next`'s; says whether it was.
    fn replace(&self, next: &Message) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// A place in a list of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessagePosition {
    /// When the message was accepted.
    pub accepted_at: Timestamp,
    /// The message.
    pub id: MessageId,
}

/// Where messages are looked up by their receiver.
pub trait MessageShelf: MessageStore {
    /// Up to `limit` messages to `receiver`, the newest first, from behind `after` on.
    fn messages_to(
        &self,
        receiver: &Receiver,
        after: Option<MessagePosition>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<Message, MessagePosition>, StoreError>> + Send;
}

/// What is known of a guest: where to reach, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuestProfile {
    /// Where to.
    pub contacts: Contacts,
    /// How.
    pub preferences: Preferences,
}

/// Where guests and addresses are looked up before something is sent.
pub trait Guests: Sync {
    /// What is known of a guest; the default where nothing is.
    fn profile(&self, guest: &GuestId) -> impl Future<Output = Result<GuestProfile, StoreError>> + Send;

    /// Whether nothing is to be sent to `address`: it is dead, or its owner has complained. Of devices and openids nothing is
    /// known; inboxes take everything.
    fn is_suppressed(&self, address: &Address) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Puts an address onto the suppression list, for this reason (a provider's code, or ours).
    fn suppress(
        &self,
        address: &Address,
        reason: &str,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets devices of a guest that are no more.
    fn forget_devices(
        &self,
        guest: &GuestId,
        dead: &[String],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// How often guests were told something today.
pub trait Caps: Sync {
    /// Counts one more message to a guest under `rule` on the day of `now` in Asia/Shanghai, unless that would be more than
    /// `most`; says whether it counted. A repeat may count again: rather one message too few than one too many.
    fn admit(
        &self,
        guest: &GuestId,
        rule: &str,
        most: u16,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Which messages a digest bundles.
pub trait Digests: Sync {
    /// Adds `member`, unless it is there.
    fn join(
        &self,
        digest: MessageId,
        member: MessageId,
        forgotten_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// All members as they are now (not an older list).
    fn members(&self, digest: MessageId) -> impl Future<Output = Result<Vec<MessageId>, StoreError>> + Send;
}

/// A message that is to be dispatched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wake {
    /// The message.
    pub id: MessageId,
    /// Whose queue it waits in.
    pub priority: Priority,
    /// Not before; at most [`MAX_DELAY`](crate::MAX_DELAY) from now.
    pub at: Timestamp,
}

/// Nothing, or not all, could be put into a queue. To put it in again does no harm.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The queue could not be reached, or refused the call.
    #[error("the queue is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The queue took some and not others.
    #[error("the queue took {taken} of {sent}")]
    Partial {
        /// How many were sent.
        sent: usize,
        /// How many it took.
        taken: usize,
    },
}

/// The queues from which messages are dispatched, one for each priority.
pub trait DispatchQueue: Sync {
    /// Puts all of `wakes` into their queues. After an error some may be in.
    fn wake(&self, wakes: &[Wake], now: Timestamp) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// Where messages end that need a human.
pub trait DeadLetters: Sync {
    /// Keeps a message aside with the reason.
    fn bury(
        &self,
        id: MessageId,
        priority: Priority,
        reason: &str,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// Where single messages wait for their time outside of the table.
pub trait Schedules: Sync {
    /// Has a message woken at `at`; where that is over at `now`, soon. A message that is scheduled stays as it is.
    fn schedule(
        &self,
        id: MessageId,
        at: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;
}
