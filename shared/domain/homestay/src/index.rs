use std::{error::Error, fmt, str::FromStr};

use domain_ids::HomestayId;
use domain_text::Prefix;
use serde::{Deserialize, Serialize};

use crate::{Change, Found, IndexQuery, Version};

/// An index could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It could not be reached, timed out or failed. Whether a change was applied is not known.
    #[error("the index is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// It takes no more for now, or somebody else is writing. Nothing was applied.
    #[error("the index is busy")]
    Busy(#[source] Box<dyn Error + Send + Sync>),
    /// There is no such index, or none that is live yet.
    #[error("there is no such index")]
    Missing,
    /// What it holds, or answers, cannot be understood.
    #[error("the index is not readable")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
}

impl IndexError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Busy(_) | Self::Missing => true,
            Self::Corrupt(_) => false,
        }
    }
}

/// Where homestays are found. It shows what was applied within a second.
pub trait SearchIndex: Sync {
    /// What `query` asks for, of the live generation.
    fn search(&self, query: &IndexQuery) -> impl Future<Output = Result<Found, IndexError>> + Send;

    /// Up to `limit` homestays whose titles go on from what was typed, those of best quality first. An index looks up
    /// [`Prefix::keys`] and keeps what [`Prefix::matches`].
    fn titles(
        &self,
        typed: &Prefix,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<TitleFound>, IndexError>> + Send;

    /// Up to `limit` words of titles and facts and how many homestays have them, the most frequent ones: what a spelling is
    /// compared with.
    fn words(&self, limit: usize) -> impl Future<Output = Result<Vec<(String, u32)>, IndexError>> + Send;
}

/// A homestay whose title goes on from what was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TitleFound {
    /// Which homestay.
    pub id: HomestayId,
    /// Its title.
    pub title: String,
}

/// What takes the changes of homestays.
pub trait IndexWriter: Sync {
    /// Applies `changes` to every generation: the live one, one that is being built, one that may be rolled back to. When it
    /// returns, they are durable in all of them. Of several changes of one homestay the greatest version wins.
    ///
    /// Which generations there are is read anew each time: a rebuild begins its scan after it has made its generation known,
    /// so that what was written before is scanned and what is written after is applied here.
    fn apply(&self, changes: &[Change]) -> impl Future<Output = Result<Applied, IndexError>> + Send;
}

/// What became of changes, in the live generation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Newer than what was held.
    pub applied: usize,
    /// As old as what was held, or older.
    pub outdated: usize,
}

/// The generations of an index and what they hold: for rebuilding it and for comparing it with the table.
pub trait IndexAdmin: IndexWriter {
    /// Which generations there are.
    fn generations(&self) -> impl Future<Output = Result<Generations, IndexError>> + Send;

    /// Makes `generation` and, unless one is live, the live one. Harmless if it is there already.
    fn prepare(&self, generation: &GenerationId) -> impl Future<Output = Result<(), IndexError>> + Send;

    /// Makes an empty `generation` known as the one being built, in place of any other. Harmless if it is known already, also as
    /// the live or the previous one: a message that asks for it may be late.
    fn build(&self, generation: &GenerationId) -> impl Future<Output = Result<(), IndexError>> + Send;

    /// Applies `changes` to `generation` alone.
    fn apply_to(
        &self,
        generation: &GenerationId,
        changes: &[Change],
    ) -> impl Future<Output = Result<Applied, IndexError>> + Send;

    /// Makes `generation`, which is being built, the live one and the live one the previous one, at once for every searcher;
    /// what was the previous one is dropped. Harmless if it already is live. [`IndexError::Missing`] if it is neither.
    fn switch(&self, generation: &GenerationId) -> impl Future<Output = Result<(), IndexError>> + Send;

    /// Makes the previous generation, `to`, the live one, and the live one the previous one, at once. Harmless if `to` is live
    /// already. [`IndexError::Missing`] if it is neither.
    fn roll_back(&self, to: &GenerationId) -> impl Future<Output = Result<(), IndexError>> + Send;

    /// Drops `generation` unless it is live. Harmless if it is gone.
    fn discard(&self, generation: &GenerationId) -> impl Future<Output = Result<(), IndexError>> + Send;

    /// What `generation` holds of each of `ids`, in their order.
    fn held(
        &self,
        generation: &GenerationId,
        ids: &[HomestayId],
    ) -> impl Future<Output = Result<Vec<Option<Held>>, IndexError>> + Send;

    /// What `generation` holds of up to `limit` homestays behind `after`, in the order of their ids.
    fn scan(
        &self,
        generation: &GenerationId,
        after: Option<&HomestayId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(HomestayId, Held)>, IndexError>> + Send;

    /// Forgets homestays that `generation` holds as gone at these versions; what is visible or newer stays.
    fn forget(
        &self,
        generation: &GenerationId,
        gone: &[(HomestayId, Version)],
    ) -> impl Future<Output = Result<(), IndexError>> + Send;
}

/// What an index holds of a homestay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// As of which version.
    pub version: Version,
    /// Whether it can be found; otherwise its version alone is held.
    pub visible: bool,
}

/// The generations of an index: each a whole index of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generations {
    /// The one that is searched.
    pub live: Option<GenerationId>,
    /// One that will be.
    pub building: Option<GenerationId>,
    /// The one that was, kept in step so that it may be again.
    pub previous: Option<GenerationId>,
}

impl Generations {
    /// Those that take changes.
    pub fn all(&self) -> impl Iterator<Item = &GenerationId> {
        [&self.live, &self.building, &self.previous].into_iter().flatten()
    }
}

/// Names a generation: 1 to 40 characters of `a-z 0-9 -`, since it becomes part of an index's name or a folder's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GenerationId(String);

/// Not the name of a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a generation is named by 1 to 40 characters of a-z, 0-9 and -")]
pub struct InvalidGeneration;

impl GenerationId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for GenerationId {
    type Err = InvalidGeneration;

    fn from_str(text: &str) -> Result<Self, InvalidGeneration> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=40).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidGeneration)
        }
    }
}

impl TryFrom<String> for GenerationId {
    type Error = InvalidGeneration;

    fn try_from(text: String) -> Result<Self, InvalidGeneration> {
        text.parse()
    }
}

impl From<GenerationId> for String {
    fn from(generation: GenerationId) -> Self {
        generation.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_cannot_leave_its_folder() {
        for text in ["", "..", "a/b", "A", "a_b", &"x".repeat(41)] {
            assert!(text.parse::<GenerationId>().is_err(), "{text:?}");
        }
        assert!("g-01j9".parse::<GenerationId>().is_ok());
    }
}
