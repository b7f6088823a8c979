use std::collections::HashSet;

use domain_coupon::StoreError;
use domain_ids::GrantId;
use jiff::Timestamp;

use crate::{
    Grant, GrantDesk, GrantStatus, Recipients, Work, WorkQueue,
    plan::{work_of_list, work_of_part},
};

/// Why a grant was neither paused nor resumed.
#[derive(Debug, thiserror::Error)]
pub enum PauseError {
    /// There is no such grant.
    #[error("no such grant")]
    NotFound,
    /// It is done, or has failed for good.
    #[error("the grant is over")]
    Over,
    /// The store failed. A repeat completes what was begun.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Stops a grant: chunks that are worked on are finished, the others are left. May be repeated.
pub async fn pause(desk: &impl GrantDesk, id: GrantId, at: Timestamp) -> Result<Grant, PauseError> {
    switch(desk, id, true, at).await
}

/// Goes on with a grant: puts everything that is not done into the queue again. May be repeated, and also helps a
/// grant that is not paused but whose messages are lost.
pub async fn resume(
    desk: &impl GrantDesk,
    queue: &impl WorkQueue,
    id: GrantId,
    at: Timestamp,
) -> Result<Grant, PauseError> {
    let grant = switch(desk, id, false, at).await?;
    let mut work = open_chunks(desk, &grant).await?;
    if !grant.planned {
        work.push(Work::Plan { grant: id, from: grant.chunks });
    }
    queue.send(&work).await?;
    Ok(grant)
}

async fn switch(
    desk: &impl GrantDesk,
    id: GrantId,
    paused: bool,
    at: Timestamp,
) -> Result<Grant, PauseError> {
    let grant = desk.grant(id).await?.ok_or(PauseError::NotFound)?;
    match grant.status() {
        GrantStatus::Done | GrantStatus::Failed => Err(PauseError::Over),
        GrantStatus::Planning | GrantStatus::Running | GrantStatus::Paused => {
            desk.set_paused(id, paused, at).await?.ok_or(PauseError::NotFound)
        }
    }
}

async fn open_chunks(desk: &impl GrantDesk, grant: &Grant) -> Result<Vec<Work>, StoreError> {
    let chunks = desk.chunks(grant.id).await?;
    Ok(match &grant.recipients {
        Recipients::List(list) => {
            let done: HashSet<u32> =
                chunks.iter().filter(|chunk| chunk.outcome.is_some()).map(|chunk| chunk.number).collect();
            work_of_list(grant.id, list, |number| !done.contains(&number))
        }
        Recipients::Segment(_) => chunks
            .iter()
            .filter(|chunk| chunk.outcome.is_none())
            .filter_map(|chunk| Some(work_of_part(grant.id, chunk.number, chunk.part.as_ref()?)))
            .collect(),
    })
}
