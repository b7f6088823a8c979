//! Comparing an index with the table, page by page, and repairing it.
//!
//! First what the index holds is looked up in the table, then what the table has in the index. The order matters where a
//! repair has to take something out of the index before it can be put in anew: should whoever does so die in between, the
//! second half finds it missing.

use std::cmp::Ordering;

use domain_ids::HomestayId;
use serde::{Deserialize, Serialize};

use crate::{
    Change, GenerationId, Held, HomestaySource, IndexAdmin, PartProgress, Stored, SyncError, Version,
    sync::read_on,
};

/// How far a comparison is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "side", rename_all = "snake_case")]
pub enum Pass {
    /// What the index holds is looked up in the table.
    Index {
        /// Behind this homestay.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<HomestayId>,
    },
    /// What the table has is looked up in the index.
    Table {
        /// How far each part is.
        parts: Vec<PartProgress>,
    },
}

impl Pass {
    /// At its beginning.
    pub const fn begin() -> Self {
        Self::Index { after: None }
    }
}

/// What was done to an index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncFigures {
    /// Homestays read from the table to build a generation, deleted ones among them.
    pub scanned: u64,
    /// Homestays compared: each is, once as the index holds it and once as the table has it.
    pub checked: u64,
    /// Of these, how many were not as the table has them. While writes go on they may be merely early: the stream would have
    /// brought them.
    pub repaired: u64,
    /// Homestays that the table no longer has, of which the index no longer keeps the version.
    pub forgotten: u64,
    /// Items of the table that nobody understands.
    pub unreadable: u64,
}

/// Compares the next page and repairs `generation`; returns where to go on, or `None` at the end.
pub(crate) async fn compare(
    index: &impl IndexAdmin,
    source: &impl HomestaySource,
    generation: &GenerationId,
    pass: &Pass,
    limit: u16,
    figures: &mut SyncFigures,
) -> Result<Option<Pass>, SyncError> {
    match pass {
        Pass::Index { after } => {
            let held = index.scan(generation, after.as_ref(), usize::from(limit)).await?;
            let Some((last, _)) = held.last() else {
                return Ok(Some(Pass::Table { parts: PartProgress::begin() }));
            };
            let last = last.clone();
            check_held(index, source, generation, held, figures).await?;
            Ok(Some(Pass::Index { after: Some(last) }))
        }
        Pass::Table { parts } => {
            let round = read_on(source, parts, limit).await?;
            figures.unreadable += round.unreadable;
            figures.checked += count(round.homestays.len());
            let changes = round.homestays.iter().map(Change::of).collect();
            add_missing(index, generation, changes, figures).await?;
            let is_over = round.parts.iter().all(|part| *part == PartProgress::End);
            Ok((!is_over).then_some(Pass::Table { parts: round.parts }))
        }
    }
}

/// What is to be done about a homestay that an index holds.
enum Verdict {
    /// Nothing: it is as in the table, or the table's item is not readable.
    Leave,
    /// The table has a newer version.
    Late(Box<Change>),
    /// The table has nothing any more, and the index has its version alone.
    Gone,
    /// The index says what the table cannot have said: its version is not that old, or says something else.
    Wrong,
}

/// The table is read after the index, so that what it says is as new as what is held, or newer: unless its versions went
/// back, which they do when a homestay is created anew long after it was deleted, or the table is restored from a backup.
fn verdict(held: Held, stored: &Stored) -> Verdict {
    match stored {
        Stored::Unreadable => Verdict::Leave,
        Stored::Nothing if held.visible => Verdict::Wrong,
        Stored::Nothing => Verdict::Gone,
        Stored::Homestay(homestay) => match homestay.version.cmp(&held.version) {
            Ordering::Greater => Verdict::Late(Box::new(Change::of(homestay))),
            Ordering::Equal if homestay.is_visible() == held.visible => Verdict::Leave,
            Ordering::Equal | Ordering::Less => Verdict::Wrong,
        },
    }
}

async fn check_held(
    index: &impl IndexAdmin,
    source: &impl HomestaySource,
    generation: &GenerationId,
    held: Vec<(HomestayId, Held)>,
    figures: &mut SyncFigures,
) -> Result<(), SyncError> {
    let ids: Vec<HomestayId> = held.iter().map(|(id, _)| id.clone()).collect();
    let stored = source.many(&ids).await?;
    figures.checked += count(held.len());
    let (mut late, mut gone, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    for ((id, held), stored) in held.into_iter().zip(&stored) {
        figures.unreadable += u64::from(*stored == Stored::Unreadable);
        match verdict(held, stored) {
            Verdict::Leave => {}
            Verdict::Late(change) => late.push(*change),
            Verdict::Gone => gone.push((id, held.version)),
            Verdict::Wrong => wrong.push((id, held)),
        }
    }
    if !late.is_empty() {
        figures.repaired += count(index.apply_to(generation, &late).await?.applied);
    }
    if !gone.is_empty() {
        index.forget(generation, &gone).await?;
        figures.forgotten += count(gone.len());
    }
    if !wrong.is_empty() {
        figures.repaired += count(wrong.len());
        replace(index, source, generation, wrong).await?;
    }
    Ok(())
}

/// Takes what is wrong out of the index and puts in what the table has. It is read again after that: whatever was written
/// meanwhile, and refused by the version that has been taken out, is in it.
async fn replace(
    index: &impl IndexAdmin,
    source: &impl HomestaySource,
    generation: &GenerationId,
    wrong: Vec<(HomestayId, Held)>,
) -> Result<(), SyncError> {
    let visible = wrong.iter().filter(|(_, held)| held.visible);
    let hide: Vec<Change> = visible
        .map(|(id, held)| Change { id: id.clone(), version: held.version.next(), document: None })
        .collect();
    if !hide.is_empty() {
        index.apply_to(generation, &hide).await?;
    }
    let out: Vec<(HomestayId, Version)> = wrong
        .into_iter()
        .map(|(id, held)| (id, if held.visible { held.version.next() } else { held.version }))
        .collect();
    index.forget(generation, &out).await?;
    let ids: Vec<HomestayId> = out.into_iter().map(|(id, _)| id).collect();
    let anew: Vec<Change> = source
        .many(&ids)
        .await?
        .iter()
        .filter_map(|stored| match stored {
            Stored::Homestay(homestay) => Some(Change::of(homestay)),
            Stored::Nothing | Stored::Unreadable => None,
        })
        .collect();
    if !anew.is_empty() {
        index.apply_to(generation, &anew).await?;
    }
    Ok(())
}

/// Applies those `changes` that the index lacks. Where it holds a newer version it has been faster than this page.
async fn add_missing(
    index: &impl IndexAdmin,
    generation: &GenerationId,
    mut changes: Vec<Change>,
    figures: &mut SyncFigures,
) -> Result<(), SyncError> {
    if changes.is_empty() {
        return Ok(());
    }
    let ids: Vec<HomestayId> = changes.iter().map(|change| change.id.clone()).collect();
    let mut held = index.held(generation, &ids).await?.into_iter();
    changes.retain(|change| held.next().flatten().is_none_or(|held| held.version < change.version));
    if !changes.is_empty() {
        figures.repaired += count(index.apply_to(generation, &changes).await?.applied);
    }
    Ok(())
}

pub(crate) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
