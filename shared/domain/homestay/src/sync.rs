//! What a table's changes come to, and the table as those read it who bring it to an index.

use domain_coupon::StoreError;
use domain_ids::HomestayId;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::{Change, Homestay, IndexError};

/// Parts in which the table is read at once. An index takes what they have together: with four pages it is busy for longer
/// than the table takes to read the next ones.
pub const TABLE_PARTS: u16 = 4;

/// The table of homestays, as those read it who bring it to an index. Every read is strongly consistent: it has what was
/// written before it began. On that rests that a rebuild misses nothing.
pub trait HomestaySource: Sync {
    /// Up to `limit` homestays of part `part` of [`TABLE_PARTS`] behind `after`, deleted ones among them. A page may be empty
    /// and have another behind it.
    fn page(
        &self,
        part: u16,
        after: Option<&TablePosition>,
        limit: u16,
    ) -> impl Future<Output = Result<TablePage, StoreError>> + Send;

    /// What the table holds of each of `ids`, in their order.
    fn many(&self, ids: &[HomestayId]) -> impl Future<Output = Result<Vec<Stored>, StoreError>> + Send;

    /// About how many items the table has; it may be hours old.
    fn estimate(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// What a table holds of a homestay.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored {
    /// Nothing: it never was, or was deleted long ago.
    Nothing,
    /// This.
    Homestay(Box<Homestay>),
    /// An item that nobody understands. What an index has of it is left alone.
    Unreadable,
}

/// A page of a part of the table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TablePage {
    /// The homestays, in no order.
    pub homestays: Vec<Homestay>,
    /// Items that nobody understands: one of them must not keep all others from being found.
    pub unreadable: u64,
    /// Where the next page begins; `None` at the end of the part.
    pub next: Option<TablePosition>,
}

/// Where in a part of the table a page ends, as the table says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TablePosition(pub String);

/// How far a part of the table has been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "at", content = "position", rename_all = "snake_case")]
pub enum PartProgress {
    /// Not at all.
    Begin,
    /// So far.
    Behind(TablePosition),
    /// To its end.
    End,
}

impl PartProgress {
    /// All parts, not read yet.
    pub fn begin() -> Vec<Self> {
        vec![Self::Begin; usize::from(TABLE_PARTS)]
    }
}

/// The next page of each part, together.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) homestays: Vec<Homestay>,
    pub(crate) unreadable: u64,
    pub(crate) parts: Vec<PartProgress>,
}

/// Reads on in every part that is not at its end.
pub(crate) async fn read_on(
    source: &impl HomestaySource,
    parts: &[PartProgress],
    limit: u16,
) -> Result<Round, StoreError> {
    let reads = (0_u16..).zip(parts).map(|(part, progress)| async move {
        let after = match progress {
            PartProgress::Begin => None,
            PartProgress::Behind(position) => Some(position),
            PartProgress::End => return Ok(TablePage::default()),
        };
        source.page(part, after, limit).await
    });
    let pages = try_join_all(reads).await?;
    let mut round = Round::default();
    for page in pages {
        round.homestays.extend(page.homestays);
        round.unreadable += page.unreadable;
        round.parts.push(page.next.map_or(PartProgress::End, PartProgress::Behind));
    }
    Ok(round)
}

/// The newest of the `changes` of each homestay, in the order of their ids: what an index does with all of them, at the cost
/// of one each.
pub fn newest(changes: impl IntoIterator<Item = Change>) -> Vec<Change> {
    let mut newest: Vec<Change> = changes.into_iter().collect();
    newest.sort_by(|a, b| (&a.id, b.version).cmp(&(&b.id, a.version)));
    newest.dedup_by(|later, first| later.id == first.id);
    newest
}

/// Table and index could not be brought together.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SyncError {
    /// Whether the same may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Index(error) => error.is_retryable(),
            Self::Store(error) => error.is_retryable(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Version;

    fn change(id: u8, version: u64) -> Change {
        Change {
            id: format!("h-{id}").parse().unwrap(),
            version: Version::from_stored(version),
            document: None,
        }
    }

    proptest! {
        #[test]
        fn the_newest_change_of_each_is_kept(all in prop::collection::vec((0_u8..6, 1_u64..9), 0..30)) {
            let newest = newest(all.iter().map(|&(id, version)| change(id, version)));
            let mut expected = std::collections::BTreeMap::new();
            for (id, version) in all {
                let greatest = expected.entry(id).or_insert(version);
                *greatest = version.max(*greatest);
            }
            let expected: Vec<Change> = expected.into_iter().map(|(id, version)| change(id, version)).collect();
            prop_assert_eq!(newest, expected);
        }
    }
}
