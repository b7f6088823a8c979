//! One message to each guest of a segment, page by page.
//!
//! A broadcast is a record of how far it is, and a message in a queue that says from which page on to work. A page is
//! listed, its guests' messages are accepted, and then page, figures and the place of the next one are noted in one
//! conditional write. Whoever dies in between is repeated and finds the messages it has accepted: their ids are made from
//! the broadcast and the guest. So it does no harm either to begin the listing anew, once, when the directory no longer
//! knows where it was.
//!
//! A step answers for [`PAGES_PER_STEP`] pages from its own on, and then sends the next step. Of two that work on one
//! page, the second fails when it wants to note it, and is repeated when the first is ahead; it has nothing to do then.

use std::{fmt, str::FromStr};

use domain_channel::{Channel, Priority};
use domain_coupon::{Page, StoreError};
use domain_ids::{BroadcastId, GuestId, TemplateCode, TransactionId};
use jiff::Timestamp;

use crate::{
    AcceptError, MessageStore, NewNotification, Params, QueueError, Receiver, Renderer, TemplateReader,
    accept, check,
    message::{KEPT_FOR, digest, first},
};

/// Pages that one step answers for: 600 guests of Cognito, some seconds of work.
pub const PAGES_PER_STEP: u32 = 10;

/// Tries to cancel, while pages are noted.
const TRIES: usize = 8;

/// A group of guests in the directory: 1 to 128 characters, without spaces and control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestGroup(String);

/// The text is no name of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 128 characters without spaces")]
pub struct InvalidGroup;

impl GuestGroup {
    const MAX_CHARS: usize = 128;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GuestGroup {
    type Err = InvalidGroup;

    fn from_str(text: &str) -> Result<Self, InvalidGroup> {
        let plain = |c: char| !c.is_control() && !c.is_whitespace();
        let valid = (1..=Self::MAX_CHARS).contains(&text.chars().count()) && text.chars().all(plain);
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidGroup) }
    }
}

/// To whom a broadcast goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Every guest who can sign in.
    All,
    /// The members of a group.
    Group(GuestGroup),
}

/// Why a broadcast has failed. Messages that were accepted before stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BroadcastFailure {
    /// There is no such segment, or the listing was interrupted twice.
    SegmentUnreadable,
    /// The template is gone.
    TemplateNotFound,
    /// The template was disabled meanwhile.
    TemplateDisabled,
    /// The messages would be of no use any more.
    Expired,
    /// The template has changed, and the parameters do not fit it any more.
    RequestInvalid,
}

impl BroadcastFailure {
    /// Every one of them.
    pub const ALL: [Self; 5] = [
        Self::SegmentUnreadable,
        Self::TemplateNotFound,
        Self::TemplateDisabled,
        Self::Expired,
        Self::RequestInvalid,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SegmentUnreadable => "segment-unreadable",
            Self::TemplateNotFound => "notification-template-not-found",
            Self::TemplateDisabled => "template-disabled",
            Self::Expired => "expired",
            Self::RequestInvalid => "request-invalid",
        }
    }
}

/// Where a broadcast stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BroadcastStatus {
    /// Pages are being worked on.
    Running,
    /// Each guest has a message.
    Done,
    /// Somebody has thought better of it: no further pages.
    Cancelled,
    /// It cannot go on.
    Failed(BroadcastFailure),
}

impl BroadcastStatus {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed(_) => "failed",
        }
    }
}

/// What has become of a broadcast's guests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BroadcastFigures {
    /// Guests whose message was accepted.
    pub accepted: u64,
    /// Guests who had theirs already: from a try at the page that was cut off, or since the listing began anew.
    pub repeated: u64,
    /// Guests of the page at which the broadcast failed.
    pub refused: u64,
}

/// A broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broadcast {
    /// Identity.
    pub id: BroadcastId,
    /// To whom.
    pub audience: Audience,
    /// On which way.
    pub channel: Channel,
    /// How soon.
    pub priority: Priority,
    /// What it says.
    pub template: TemplateCode,
    /// What fills it in.
    pub params: Params,
    /// Not before.
    pub scheduled_at: Option<Timestamp>,
    /// Not after.
    pub expires_at: Option<Timestamp>,
    /// What it belongs to.
    pub transaction: Option<TransactionId>,
    /// Tells requests under one key apart.
    pub fingerprint: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The last time anything changed.
    pub updated_at: Timestamp,
    /// Where it stands.
    pub status: BroadcastStatus,
    /// Pages that are done.
    pub pages: u32,
    /// What has become of their guests.
    pub figures: BroadcastFigures,
    /// Where the next page begins in the directory; none for the first.
    pub next: Option<String>,
    /// Whether the listing has begun anew.
    pub restarted: bool,
    /// Changes with every change, from 1.
    pub revision: u64,
}

impl Broadcast {
    /// What each of `receivers` is to get.
    fn notification(&self, receivers: Vec<Receiver>) -> NewNotification {
        NewNotification {
            scope: format!("broadcast:{}", self.id),
            key: self.id.to_string(),
            channel: self.channel,
            priority: self.priority,
            template: self.template.clone(),
            params: self.params.clone(),
            receivers,
            scheduled_at: self.scheduled_at,
            expires_at: self.expires_at,
            transaction: self.transaction.clone(),
            broadcast: Some(self.id),
        }
    }

    /// When it is forgotten: as long after its time as its messages are.
    pub fn forgotten_at(&self) -> Timestamp {
        let from = self.scheduled_at.unwrap_or(self.created_at).max(self.created_at);
        from.checked_add(KEPT_FOR).unwrap_or(Timestamp::MAX)
    }

    /// The step that works on from here.
    pub fn step(&self) -> BroadcastStep {
        BroadcastStep { broadcast: self.id, page: self.pages, token: self.next.clone() }
    }

    fn changed(&self, now: Timestamp) -> Self {
        Self { revision: self.revision.saturating_add(1), updated_at: now, ..self.clone() }
    }

    fn page_done(&self, figures: BroadcastFigures, next: Option<String>, now: Timestamp) -> Self {
        let status = if next.is_some() { BroadcastStatus::Running } else { BroadcastStatus::Done };
        let BroadcastFigures { accepted, repeated, refused } = self.figures;
        let figures = BroadcastFigures {
            accepted: accepted.saturating_add(figures.accepted),
            repeated: repeated.saturating_add(figures.repeated),
            refused: refused.saturating_add(figures.refused),
        };
        let pages = self.pages.saturating_add(1);
        Self { status, pages, figures, next, ..self.changed(now) }
    }

    fn begun_anew(&self, now: Timestamp) -> Self {
        Self { next: None, restarted: true, ..self.changed(now) }
    }

    fn failed(&self, why: BroadcastFailure, refused: usize, now: Timestamp) -> Self {
        let refused = u64::try_from(refused).unwrap_or(u64::MAX);
        let figures = BroadcastFigures { refused, ..self.figures };
        Self { status: BroadcastStatus::Failed(why), figures, next: None, ..self.changed(now) }
    }

    fn cancelled(&self, now: Timestamp) -> Self {
        Self { status: BroadcastStatus::Cancelled, next: None, ..self.changed(now) }
    }
}

/// Work that waits in the queue of broadcasts.
#[derive(Clone, PartialEq, Eq)]
pub struct BroadcastStep {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// From which page on.
    pub page: u32,
    /// Where that page begins in the directory, for people who look into the queue: the record decides.
    pub token: Option<String>,
}

impl fmt::Debug for BroadcastStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { broadcast, page, token: _ } = self;
        f.debug_struct("BroadcastStep")
            .field("broadcast", broadcast)
            .field("page", page)
            .finish_non_exhaustive()
    }
}

/// Names a request for a broadcast: the digest of who asks and the idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroadcastKey(String);

impl BroadcastKey {
    /// That of this scope and key.
    pub fn new(scope: &str, key: &str) -> Self {
        Self(data_encoding::HEXLOWER.encode(&digest(&["broadcast", scope, key])))
    }

    /// The digest as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a broadcast was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BroadcastAdded {
    /// It was.
    New,
    /// The key has one already.
    Known(Box<Broadcast>),
}

/// Where broadcasts are kept.
pub trait Broadcasts: Sync {
    /// Adds a broadcast unless there is one under this key.
    fn create(
        &self,
        broadcast: &Broadcast,
        key: &BroadcastKey,
    ) -> impl Future<Output = Result<BroadcastAdded, StoreError>> + Send;

    /// The broadcast as it is now (not an older copy).
    fn broadcast(
        &self,
        id: BroadcastId,
    ) -> impl Future<Output = Result<Option<Broadcast>, StoreError>> + Send;

    /// Replaces a broadcast, if its revision is still one less than `next`'s; says whether it was.
    fn update(&self, next: &Broadcast) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// The list of broadcasts.
pub trait BroadcastShelf: Broadcasts {
    /// Up to `limit` broadcasts, the newest first, from behind `after` on.
    fn newest(
        &self,
        after: Option<BroadcastId>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<Broadcast, BroadcastId>, StoreError>> + Send;
}

/// The queue of broadcasts.
pub trait BroadcastSteps: Sync {
    /// Puts a step into the queue. To put it in again does no harm.
    fn send(&self, step: &BroadcastStep) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// Some guests of an audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestListing {
    /// The guests, at most some hundreds; may be none although more follow.
    pub guests: Vec<GuestId>,
    /// Where the listing goes on; `None` at its end.
    pub next: Option<String>,
}

/// An audience could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is no such group, or where the listing went on is not known any more.
    #[error("the audience cannot be listed")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The directory failed.
    #[error("the directory of guests failed")]
    Store(#[from] StoreError),
}

/// The directory of guests.
pub trait Directory: Sync {
    /// A page of an audience, from `token` on.
    fn list(
        &self,
        audience: &Audience,
        token: Option<&str>,
    ) -> impl Future<Output = Result<GuestListing, DirectoryError>> + Send;
}

/// What somebody wants broadcast.
#[derive(Debug, Clone)]
pub struct NewBroadcast {
    /// Its identity, unless the key has one already.
    pub id: BroadcastId,
    /// To whom.
    pub audience: Audience,
    /// What; its receivers are those of the audience.
    pub notification: NewNotification,
}

/// A broadcast that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroadcastCreated {
    /// The broadcast as it is now.
    pub broadcast: Broadcast,
    /// Whether it had been asked for before.
    pub is_repeat: bool,
}

/// There is no broadcast, or, after an error of store or queue, perhaps one: a repeat under the same key finds it.
#[derive(Debug, thiserror::Error)]
pub enum CreateBroadcastError {
    /// Something is wrong with the request, or the store failed.
    #[error("the broadcast is refused")]
    Accept(#[from] AcceptError),
    /// The queue failed.
    #[error("the queue of broadcasts failed")]
    Queue(#[from] QueueError),
}

/// Creates a broadcast and has it begin. A repeat finds it, and has it go on if it is running: so a broadcast whose step
/// was lost is helped by a repeat of its request.
pub async fn create_broadcast(
    store: &impl Broadcasts,
    queue: &impl BroadcastSteps,
    templates: &impl TemplateReader,
    renderer: &impl Renderer,
    new: NewBroadcast,
    now: Timestamp,
) -> Result<BroadcastCreated, CreateBroadcastError> {
    let NewBroadcast { id, audience, notification } = new;
    check_broadcast(templates, renderer, &notification, now).await?;
    let key = BroadcastKey::new(&notification.scope, &notification.key);
    let fingerprint = fingerprint(&audience, &notification);
    let broadcast = Broadcast {
        id,
        audience,
        channel: notification.channel,
        priority: notification.priority,
        template: notification.template,
        params: notification.params,
        scheduled_at: notification.scheduled_at,
        expires_at: notification.expires_at,
        transaction: notification.transaction,
        fingerprint,
        created_at: now,
        updated_at: now,
        status: BroadcastStatus::Running,
        pages: 0,
        figures: BroadcastFigures::default(),
        next: None,
        restarted: false,
        revision: 1,
    };
    let created = match store.create(&broadcast, &key).await.map_err(AcceptError::from)? {
        BroadcastAdded::New => BroadcastCreated { broadcast, is_repeat: false },
        BroadcastAdded::Known(known) if known.fingerprint == fingerprint => {
            BroadcastCreated { broadcast: *known, is_repeat: true }
        }
        BroadcastAdded::Known(_) => return Err(AcceptError::KeyReused.into()),
    };
    if created.broadcast.status == BroadcastStatus::Running {
        queue.send(&created.broadcast.step()).await?;
    }
    Ok(created)
}

/// Checks a request for a broadcast without creating one.
pub async fn check_broadcast(
    templates: &impl TemplateReader,
    renderer: &impl Renderer,
    notification: &NewNotification,
    now: Timestamp,
) -> Result<(), AcceptError> {
    // Somebody whom every channel reaches, as it may reach guests.
    let somebody: Vec<Receiver> = "somebody".parse().into_iter().collect();
    let to_somebody = NewNotification { receivers: somebody, ..notification.clone() };
    check(templates, renderer, to_somebody, now).await.map(|_| ())
}

/// Of all that must be the same in a repeat.
fn fingerprint(audience: &Audience, new: &NewNotification) -> u64 {
    let (kind, group) = match audience {
        Audience::All => ("all", ""),
        Audience::Group(group) => ("group", group.as_str()),
    };
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let transaction = new.transaction.as_ref().map(ToString::to_string).unwrap_or_default();
    u64::from_be_bytes(first(&digest(&[
        kind,
        group,
        new.channel.name(),
        new.priority.name(),
        new.template.as_str(),
        &serde_json::to_string(&new.params).unwrap_or_default(),
        &time(new.scheduled_at),
        &time(new.expires_at),
        &transaction,
    ])))
}

/// A step broke off.
#[derive(Debug, thiserror::Error)]
pub enum BroadcastError {
    /// The store or the directory failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A queue failed.
    #[error("the queue of broadcasts failed")]
    Queue(#[from] QueueError),
    /// There was no time for all pages of the step.
    #[error("there was no time for all pages of the step")]
    OutOfTime,
    /// Another step has noted the page; it may die before it sends the next one.
    #[error("another step works on the same page")]
    Overtaken,
    /// The step begins where the broadcast has not come yet: nobody sends such a step.
    #[error("the step is ahead of the broadcast")]
    Ahead,
}

impl BroadcastError {
    /// Whether the same step may succeed when it comes again.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable(),
            Self::Queue(_) | Self::OutOfTime | Self::Overtaken => true,
            Self::Ahead => false,
        }
    }
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// Its pages are done, and the next step is in the queue.
    Sent,
    /// The broadcast is not running any more.
    Over(BroadcastStatus),
    /// Others are ahead.
    Passed,
    /// There is no such broadcast (any more).
    Gone,
}

/// Works off the pages a step answers for, while there is time.
pub async fn take_step<S, Q, D, T, R>(
    (store, queue, directory): (&S, &Q, &D),
    (templates, renderer): (&T, &R),
    step: &BroadcastStep,
    now: Timestamp,
    has_time: impl Fn() -> bool + Sync,
) -> Result<Stepped, BroadcastError>
where
    S: Broadcasts + MessageStore,
    Q: BroadcastSteps,
    D: Directory,
    T: TemplateReader,
    R: Renderer,
{
    let Some(mut broadcast) = store.broadcast(step.broadcast).await? else { return Ok(Stepped::Gone) };
    let until = step.page.saturating_add(PAGES_PER_STEP);
    loop {
        if broadcast.status != BroadcastStatus::Running {
            return Ok(Stepped::Over(broadcast.status));
        }
        if step.page > broadcast.pages {
            return Err(BroadcastError::Ahead);
        }
        if broadcast.pages > until {
            return Ok(Stepped::Passed);
        }
        if broadcast.pages == until {
            queue.send(&broadcast.step()).await?;
            return Ok(Stepped::Sent);
        }
        if !has_time() {
            return Err(BroadcastError::OutOfTime);
        }
        let next = next_page(store, directory, (templates, renderer), &broadcast, now).await?;
        if store.update(&next).await? {
            broadcast = next;
        } else {
            let found = store.broadcast(step.broadcast).await?.map(|found| found.status);
            return match found {
                None => Ok(Stepped::Gone),
                Some(BroadcastStatus::Running) => Err(BroadcastError::Overtaken),
                Some(over) => Ok(Stepped::Over(over)),
            };
        }
    }
}

/// The broadcast when its next page is worked off.
async fn next_page<T: TemplateReader, R: Renderer>(
    messages: &impl MessageStore,
    directory: &impl Directory,
    (templates, renderer): (&T, &R),
    broadcast: &Broadcast,
    now: Timestamp,
) -> Result<Broadcast, BroadcastError> {
    let listing = match directory.list(&broadcast.audience, broadcast.next.as_deref()).await {
        Ok(listing) => listing,
        Err(DirectoryError::Store(error)) => return Err(error.into()),
        // Where a listing goes on is known for an hour; a step may have waited longer.
        Err(DirectoryError::Refused(_)) if broadcast.next.is_some() && !broadcast.restarted => {
            return Ok(broadcast.begun_anew(now));
        }
        Err(DirectoryError::Refused(_)) => {
            return Ok(broadcast.failed(BroadcastFailure::SegmentUnreadable, 0, now));
        }
    };
    let guests = listing.guests.len();
    if guests == 0 {
        return Ok(broadcast.page_done(BroadcastFigures::default(), listing.next, now));
    }
    let due = broadcast.scheduled_at.unwrap_or(now).max(now);
    if broadcast.expires_at.is_some_and(|at| at <= due) {
        return Ok(broadcast.failed(BroadcastFailure::Expired, guests, now));
    }
    let receivers = listing.guests.into_iter().map(Receiver::Guest).collect();
    let taken = match check(templates, renderer, broadcast.notification(receivers), now).await {
        Ok(checked) => accept(messages, &checked, now).await,
        Err(error) => Err(error),
    };
    let why = match taken {
        Ok(taken) => {
            let repeated = taken.iter().filter(|it| it.is_repeat).count();
            let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
            let figures = BroadcastFigures {
                accepted: count(taken.len() - repeated),
                repeated: count(repeated),
                refused: 0,
            };
            return Ok(broadcast.page_done(figures, listing.next, now));
        }
        Err(AcceptError::Store(error)) => return Err(error.into()),
        Err(AcceptError::NoTemplate) => BroadcastFailure::TemplateNotFound,
        Err(AcceptError::Disabled) => BroadcastFailure::TemplateDisabled,
        Err(AcceptError::Invalid(_) | AcceptError::KeyReused) => BroadcastFailure::RequestInvalid,
    };
    Ok(broadcast.failed(why, guests, now))
}

/// The broadcast is not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelBroadcastError {
    /// There is no such broadcast.
    #[error("there is no such broadcast")]
    NotFound,
    /// It is over.
    #[error("the broadcast is {}", .0.name())]
    Over(BroadcastStatus),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// Pages were noted faster each time.
    #[error("others were faster each time")]
    Busy,
}

/// Stops a broadcast that is running. Messages that were accepted stay. One that is cancelled already is returned as it is.
pub async fn cancel_broadcast(
    store: &impl Broadcasts,
    id: BroadcastId,
    now: Timestamp,
) -> Result<Broadcast, CancelBroadcastError> {
    for _ in 0..TRIES {
        let broadcast = store.broadcast(id).await?.ok_or(CancelBroadcastError::NotFound)?;
        match broadcast.status {
            BroadcastStatus::Running => {}
            BroadcastStatus::Cancelled => return Ok(broadcast),
            over @ (BroadcastStatus::Done | BroadcastStatus::Failed(_)) => {
                return Err(CancelBroadcastError::Over(over));
            }
        }
        let next = broadcast.cancelled(now);
        if store.update(&next).await? {
            return Ok(next);
        }
    }
    Err(CancelBroadcastError::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_name_without_spaces() {
        for name in ["vip", "双十一", &"x".repeat(128)] {
            assert_eq!(name.parse::<GuestGroup>().unwrap().as_str(), name);
        }
        for name in ["", "a b", "a\n", &"x".repeat(129)] {
            assert_eq!(name.parse::<GuestGroup>(), Err(InvalidGroup), "{name:?}");
        }
    }

    #[test]
    fn a_key_is_a_digest_and_keys_of_two_scopes_do_not_meet() {
        let key = BroadcastKey::new("admin:eve", "13800138000");
        assert_eq!(key, BroadcastKey::new("admin:eve", "13800138000"));
        assert_ne!(key, BroadcastKey::new("admin:e", "ve13800138000"));
        assert!(!format!("{key:?}").contains("138001"));
    }

    #[test]
    fn a_step_shows_no_token() {
        let broadcast = BroadcastId::from_parts(1, 1);
        let step = BroadcastStep { broadcast, page: 3, token: Some("secret".into()) };
        assert!(!format!("{step:?}").contains("secret"));
    }
}
