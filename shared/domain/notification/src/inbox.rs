//! What guests are told within the app.

use domain_channel::Category;
use domain_coupon::{Page, StoreError};
use domain_ids::{GuestId, MessageId};
use jiff::{SignedDuration, Timestamp};

/// How long an entry is kept.
pub const INBOX_KEPT_FOR: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Unread entries are counted up to this; more is "99+" to anybody.
pub const MAX_UNREAD: u32 = 1_000;

/// A place in an inbox: the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InboxPosition {
    /// When the message was to be sent.
    pub at: Timestamp,
    /// The message.
    pub id: MessageId,
}

/// An entry. `Debug` leaves out what it says.
#[derive(Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// The message: the entry has its id.
    pub id: MessageId,
    /// When the message was to be sent.
    pub at: Timestamp,
    /// What it is about.
    pub category: Category,
    /// Its title.
    pub title: Option<String>,
    /// What it says.
    pub content: String,
    /// Whether the guest has read it.
    pub is_read: bool,
}

impl InboxEntry {
    /// Where it is.
    pub fn position(&self) -> InboxPosition {
        InboxPosition { at: self.at, id: self.id }
    }
}

impl std::fmt::Debug for InboxEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InboxEntry")
            .field("id", &self.id)
            .field("is_read", &self.is_read)
            .finish_non_exhaustive()
    }
}

/// Where inboxes are kept. To mark all as read is one write: a mark up to where all is read.
pub trait Inbox: Sync {
    /// Up to `limit` entries of `guest`, of one category if one is named, the newest first, from behind `after` on. A page may
    /// be short, and even empty, where others follow.
    fn entries(
        &self,
        guest: &GuestId,
        category: Option<Category>,
        after: Option<InboxPosition>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<InboxEntry, InboxPosition>, StoreError>> + Send;

    /// Unread entries by category, of each at most [`MAX_UNREAD`].
    fn unread(
        &self,
        guest: &GuestId,
    ) -> impl Future<Output = Result<std::collections::BTreeMap<Category, u32>, StoreError>> + Send;

    /// Marks one entry as read; says whether it is there.
    fn mark_read(
        &self,
        guest: &GuestId,
        entry: InboxPosition,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Marks everything up to `until` as read, of one category if one is named.
    fn mark_all_read(
        &self,
        guest: &GuestId,
        category: Option<Category>,
        until: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes an entry for good: a message that is dispatched again does not bring it back. Says whether it was there.
    fn delete(
        &self,
        guest: &GuestId,
        entry: InboxPosition,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
