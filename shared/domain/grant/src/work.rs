//! The ports of a grant that is under way.

use std::ops::Range;

use domain_coupon::{FileError, StoreError};
use domain_ids::{GrantId, GuestId};
use jiff::Timestamp;

use crate::{Chunk, Failure, Grant, Outcome, Part, Refusal};

/// One step of a grant, as it waits in the queue. Each may come several times, and in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Find out what the chunks are, from this one on, and put them into the queue.
    Plan {
        /// Whose.
        grant: GrantId,
        /// The first chunk this message answers for.
        from: u32,
    },
    /// Give the guests of a chunk their coupons.
    Chunk {
        /// Whose.
        grant: GrantId,
        /// Which.
        number: u32,
        /// The bytes of its file in which its lines begin; not empty.
        range: Range<u64>,
    },
}

/// Where work waits.
pub trait WorkQueue: Sync {
    /// Puts all of it into the queue. After an error some of it may be there.
    fn send(&self, work: &[Work]) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Where grants are looked at.
pub trait GrantShelf: Sync {
    /// The grant as it is now (not an older copy).
    fn grant(&self, id: GrantId) -> impl Future<Output = Result<Option<Grant>, StoreError>> + Send;

    /// Every chunk of which something is known, by number.
    fn chunks(&self, id: GrantId) -> impl Future<Output = Result<Vec<Chunk>, StoreError>> + Send;
}

/// Where it is noted how far a grant is.
pub trait GrantBook: GrantShelf {
    /// What is known of one chunk now.
    fn chunk(
        &self,
        id: GrantId,
        number: u32,
    ) -> impl Future<Output = Result<Option<Chunk>, StoreError>> + Send;

    /// Notes that every chunk is in the queue.
    fn planned(&self, id: GrantId, at: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes the part `number` of a segment, and where its listing goes on (`None`: it has ended, and every chunk is
    /// known), if `number` chunks are known so far: says whether they were.
    fn add_part(
        &self,
        id: GrantId,
        number: u32,
        part: &Part,
        listed_to: Option<&str>,
        at: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Notes what came of a chunk and adds it to the grant's figures, in one step, unless the chunk is done already:
    /// says whether it was not.
    fn finish(
        &self,
        id: GrantId,
        number: u32,
        outcome: &Outcome,
        at: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Notes that the grant cannot go on, unless that is noted already.
    fn fail(
        &self,
        id: GrantId,
        failure: Failure,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Where the files of grants are. A file that is written again under the same name has the same content.
pub trait JobFiles: Sync {
    /// The bytes of `range` that the file has; with `tag`, only if the file has that content.
    fn read(
        &self,
        key: &str,
        tag: Option<&str>,
        range: Range<u64>,
    ) -> impl Future<Output = Result<Vec<u8>, FileError>> + Send;

    /// Writes a part of a segment, one guest a line.
    fn write_part(
        &self,
        id: GrantId,
        number: u32,
        guests: &[GuestId],
    ) -> impl Future<Output = Result<Part, StoreError>> + Send;

    /// Writes the refusals of a chunk, and says where.
    fn write_report(
        &self,
        id: GrantId,
        number: u32,
        refusals: &[Refusal],
    ) -> impl Future<Output = Result<String, StoreError>> + Send;

    /// The refusals that were written there.
    fn read_report(&self, file: &str) -> impl Future<Output = Result<Vec<Refusal>, FileError>> + Send;
}
