use std::{fmt, str::FromStr};

use domain_coupon::StoreError;
use domain_ids::GuestId;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::{Keyword, MAX_KEYWORD_CHARS, keyword::single_spaced};

/// Entries of a history. Older ones fall out.
pub const MAX_HISTORY: usize = 50;

/// How long an entry is kept after its search.
pub const HISTORY_KEPT_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Entries read at once when all are deleted; a history has more than [`MAX_HISTORY`] only for a moment.
const PAGE: u16 = 100;

/// Pages deleted in one call.
const MAX_PAGES: usize = 20;

/// What a guest searched for, as it was typed, without white space at the ends and twice in a row: 1 to
/// [`MAX_KEYWORD_CHARS`] characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Typed {
    text: String,
    keyword: Keyword,
}

/// The text is empty, or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 100 characters")]
pub struct InvalidTyped;

impl Typed {
    /// What was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Typed {
    type Err = InvalidTyped;

    fn from_str(text: &str) -> Result<Self, InvalidTyped> {
        if text.chars().count() > MAX_KEYWORD_CHARS {
            return Err(InvalidTyped);
        }
        let keyword = Keyword::fold(text).ok_or(InvalidTyped)?;
        let text = single_spaced(text.chars().filter(|ch| !ch.is_control() || ch.is_whitespace()));
        Ok(Self { text, keyword })
    }
}

/// What guests search for is theirs.
impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed")
    }
}

/// Names an entry within its guest's history: a digest of guest and folded keyword, so that a repeat is the same entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistoryId(u128);

/// The text is no id of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of a history entry")]
pub struct InvalidHistoryId;

impl HistoryId {
    fn of(guest: &GuestId, keyword: &Keyword) -> Self {
        let digest =
            Sha256::new().chain_update(guest.as_str()).chain_update([0]).chain_update(keyword.as_str());
        Self(digest.finalize().iter().take(16).fold(0, |id, &byte| id << 8 | u128::from(byte)))
    }
}

impl fmt::Display for HistoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for HistoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HistoryId")
    }
}

impl FromStr for HistoryId {
    type Err = InvalidHistoryId;

    fn from_str(text: &str) -> Result<Self, InvalidHistoryId> {
        let id = u128::from_str_radix(text, 16).map_err(|_| InvalidHistoryId).map(Self)?;
        // One spelling only.
        if id.to_string() == text { Ok(id) } else { Err(InvalidHistoryId) }
    }
}

/// Something that a guest searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Names it.
    pub id: HistoryId,
    /// What.
    pub typed: Typed,
    /// When, the last time.
    pub searched_at: Timestamp,
}

impl HistoryEntry {
    /// What `guest` searched for at this moment.
    pub fn new(guest: &GuestId, typed: Typed, searched_at: Timestamp) -> Self {
        Self { id: HistoryId::of(guest, &typed.keyword), typed, searched_at }
    }

    /// When it is forgotten.
    pub fn expires_at(&self) -> Timestamp {
        self.searched_at.checked_add(HISTORY_KEPT_FOR).unwrap_or(Timestamp::MAX)
    }
}

/// Where histories are kept.
pub trait SearchHistory {
    /// Keeps an entry in place of an earlier one with its id; a later one stays.
    fn put(
        &self,
        guest: &GuestId,
        entry: &HistoryEntry,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Entries of a guest, in any order: all of them, as far as `limit` allows.
    fn entries(
        &self,
        guest: &GuestId,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<HistoryEntry>, StoreError>> + Send;

    /// Deletes an entry. `false`: there is none.
    fn delete(&self, guest: &GuestId, id: HistoryId)
    -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Deletes entries, a page of them at most, whether they are there or not. If it fails, some may be deleted.
    fn delete_all(
        &self,
        guest: &GuestId,
        ids: &[HistoryId],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Takes note of what a guest searched for: the newest of at most [`MAX_HISTORY`].
pub async fn remember(
    history: &impl SearchHistory,
    guest: &GuestId,
    typed: Typed,
    now: Timestamp,
) -> Result<HistoryEntry, StoreError> {
    let entry = HistoryEntry::new(guest, typed, now);
    history.put(guest, &entry).await?;
    let mut entries = history.entries(guest, PAGE).await?;
    newest_first(&mut entries);
    let surplus: Vec<HistoryId> = entries.iter().skip(MAX_HISTORY).map(|entry| entry.id).collect();
    if !surplus.is_empty() {
        history.delete_all(guest, &surplus).await?;
    }
    Ok(entry)
}

/// What a guest searched for, the newest first: at most [`MAX_HISTORY`].
pub async fn recall(
    history: &impl SearchHistory,
    guest: &GuestId,
    now: Timestamp,
) -> Result<Vec<HistoryEntry>, StoreError> {
    let mut entries = history.entries(guest, PAGE).await?;
    entries.retain(|entry| now < entry.expires_at());
    newest_first(&mut entries);
    entries.truncate(MAX_HISTORY);
    Ok(entries)
}

/// Deletes all that a guest searched for. A repeat goes on where this one failed.
pub async fn forget(history: &impl SearchHistory, guest: &GuestId) -> Result<(), StoreError> {
    for _ in 0..MAX_PAGES {
        let ids: Vec<HistoryId> = history.entries(guest, PAGE).await?.iter().map(|entry| entry.id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        history.delete_all(guest, &ids).await?;
    }
    Err(StoreError::Unavailable("somebody writes the history faster than it is deleted".into()))
}

fn newest_first(entries: &mut [HistoryEntry]) {
    entries.sort_by(|a, b| b.searched_at.cmp(&a.searched_at).then_with(|| a.id.cmp(&b.id)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest() -> GuestId {
        "ann".parse().unwrap()
    }

    fn id(guest: &GuestId, text: &str) -> HistoryId {
        HistoryEntry::new(guest, text.parse().unwrap(), Timestamp::UNIX_EPOCH).id
    }

    #[test]
    fn a_repeat_is_the_same_entry_and_another_guests_is_not() {
        assert_eq!(id(&guest(), "Great  Wall"), id(&guest(), "great wall "));
        assert_ne!(id(&guest(), "great wall"), id(&"bob".parse().unwrap(), "great wall"));
    }

    #[test]
    fn an_id_has_one_spelling() {
        let text = id(&guest(), "a").to_string();
        assert_eq!((text.len(), text.parse()), (32, Ok(id(&guest(), "a"))));
        for text in ["", "0", "+1", &text.to_uppercase(), &format!("0{text}"), "zz"] {
            assert_eq!(text.parse::<HistoryId>(), Err(InvalidHistoryId), "{text}");
        }
    }

    #[test]
    fn what_was_typed_is_kept_as_it_was() {
        let typed: Typed = "  Great \t Wall\u{0} ".parse().unwrap();
        assert_eq!(typed.as_str(), "Great Wall");
        assert!("长".repeat(100).parse::<Typed>().is_ok());
        for text in ["", "  ", "\u{0}", &"长".repeat(101)] {
            assert_eq!(text.parse::<Typed>(), Err(InvalidTyped), "{text:?}");
        }
        assert_eq!(format!("{typed:?}"), "Typed");
    }
}
