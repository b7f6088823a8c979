//! The rules of granting: coupons that guests get without claiming them.
//!
//! An operator's grant is a job: a list of guests, or a segment of them, cut into chunks ([`plan()`]) that are worked
//! off one by one ([`grant_chunk`]), each as often as it takes, until every row of the list is either a coupon or a
//! line of the [`report()`]. A rule's grant is one coupon for one thing that happened to one guest ([`reward()`]).
//!
//! Both may be repeated, late, several times at once and after a crash at any point: what a guest has got for one
//! reason is recognised by its [`ClaimKey`](domain_coupon::ClaimKey), and figures are counted once.

mod chunk;
mod create;
mod grant;
mod lines;
mod plan;
mod report;
mod resume;
mod reward;
mod work;

pub use chunk::{CONCURRENCY, ChunkDone, GrantError, grant_chunk};
pub use create::{
    CreateError, Created, GrantDesk, GrantKey, ListCheck, Lists, NewGrant, UPLOAD_OPEN_FOR, Wanted,
    check_list, create_grant,
};
pub use domain_coupon::FileError;
pub use grant::{
    Chunk, Failure, Figures, Grant, GrantStatus, GroupName, InvalidName, ListFile, Outcome, Part, Reason,
    Recipients, Refusal, Secret, Segment, UploadId,
};
pub use lines::{BadRow, CHUNK_BYTES, MAX_LINE_BYTES, MAX_LIST_BYTES, Row, Rows, chunks_of, rows, window_of};
pub use plan::{GUESTS_PER_PART, GuestPage, ListError, PARTS_PER_PLAN, PlanDone, Segments, plan};
pub use report::{GotNothing, ReportPage, ReportPosition, report};
pub use resume::{PauseError, pause, resume};
pub use reward::{MAX_TEMPLATES, Occasion, RewardMemory, Rewarded, reward};
pub use work::{GrantBook, GrantShelf, JobFiles, Work, WorkQueue};
