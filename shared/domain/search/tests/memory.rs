//! What is remembered of the popular queries, and what guests have searched for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use domain_coupon::StoreError;
use domain_ids::GuestId;
use domain_search::{
    FRESH_FOR, HISTORY_KEPT_FOR, HistoryEntry, HistoryId, HotList, HotMemory, HotSearches, MAX_HISTORY,
    STALE_FOR, SearchHistory, forget, recall, remember,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::constant(1_794_326_400, 0);

/// Answers as it is told, and counts.
#[derive(Default)]
struct Hot {
    asked: AtomicUsize,
    fails: Mutex<bool>,
}

impl HotList for Hot {
    async fn hot(&self) -> Result<Option<HotSearches>, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if *self.fails.lock().unwrap() {
            return Err(StoreError::Unavailable("down".into()));
        }
        Ok(Some(HotSearches { items: Vec::new(), as_of: NOW, baseline: None }))
    }
}

#[tokio::test]
async fn the_list_is_remembered_for_half_a_minute_and_stands_in_during_an_outage() {
    let (hot, memory) = (Hot::default(), HotMemory::default());
    let read_at = async |now| memory.current(&hot, now).await;
    assert!(read_at(NOW).await.unwrap().is_some());
    read_at(NOW + FRESH_FOR - SignedDuration::from_millis(1)).await.unwrap();
    assert_eq!(hot.asked.load(Ordering::Relaxed), 1);
    read_at(NOW + FRESH_FOR).await.unwrap();
    assert_eq!(hot.asked.load(Ordering::Relaxed), 2);
    *hot.fails.lock().unwrap() = true;
    let last = NOW + FRESH_FOR;
    assert!(read_at(last + STALE_FOR - SignedDuration::from_millis(1)).await.unwrap().is_some());
    assert!(read_at(last + STALE_FOR).await.is_err());
    assert!(HotMemory::default().current(&hot, NOW).await.is_err());
    *hot.fails.lock().unwrap() = false;
    read_at(NOW - SignedDuration::from_hours(1)).await.unwrap();
    assert_eq!(hot.asked.load(Ordering::Relaxed), 6, "a clock that was set back");
}

/// Histories in memory.
#[derive(Default)]
struct Histories(Mutex<BTreeMap<(GuestId, HistoryId), HistoryEntry>>);

impl SearchHistory for Histories {
    async fn put(&self, guest: &GuestId, entry: &HistoryEntry) -> Result<(), StoreError> {
        let mut entries = self.0.lock().unwrap();
        let known = entries.get(&(guest.clone(), entry.id));
        if known.is_none_or(|known| known.searched_at <= entry.searched_at) {
            entries.insert((guest.clone(), entry.id), entry.clone());
        }
        Ok(())
    }

    async fn entries(&self, guest: &GuestId, limit: u16) -> Result<Vec<HistoryEntry>, StoreError> {
        let entries = self.0.lock().unwrap();
        let own = entries.iter().filter(|((owner, _), _)| owner == guest).map(|(_, entry)| entry.clone());
        Ok(own.take(limit.into()).collect())
    }

    async fn delete(&self, guest: &GuestId, id: HistoryId) -> Result<bool, StoreError> {
        Ok(self.0.lock().unwrap().remove(&(guest.clone(), id)).is_some())
    }

    async fn delete_all(&self, guest: &GuestId, ids: &[HistoryId]) -> Result<(), StoreError> {
        let mut entries = self.0.lock().unwrap();
        for id in ids {
            entries.remove(&(guest.clone(), *id));
        }
        Ok(())
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn texts(entries: &[HistoryEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.typed.as_str()).collect()
}

proptest! {
    #[test]
    fn a_history_is_the_newest_fifty_each_once(numbers in proptest::collection::vec(0..80_u32, 0..200)) {
        let (histories, ann) = (Histories::default(), "ann".parse().unwrap());
        let mut expected: Vec<String> = Vec::new();
        for (seconds, number) in (0..).zip(&numbers) {
            let text = format!("第{number}家");
            run(remember(&histories, &ann, text.parse().unwrap(), NOW + SignedDuration::from_secs(seconds))).unwrap();
            expected.retain(|known| *known != text);
            expected.insert(0, text);
            expected.truncate(MAX_HISTORY);
            prop_assert!(histories.0.lock().unwrap().len() <= MAX_HISTORY);
        }
        let recalled = run(recall(&histories, &ann, NOW + SignedDuration::from_hours(1))).unwrap();
        prop_assert_eq!(texts(&recalled), expected);
        run(forget(&histories, &ann)).unwrap();
        prop_assert_eq!(run(recall(&histories, &ann, NOW)).unwrap(), []);
    }
}

#[test]
fn what_is_too_old_is_not_recalled_even_while_it_is_stored() {
    let (histories, ann) = (Histories::default(), "ann".parse().unwrap());
    run(remember(&histories, &ann, "西湖".parse().unwrap(), NOW)).unwrap();
    let at = |later| run(recall(&histories, &ann, NOW + later)).unwrap().len();
    assert_eq!((at(HISTORY_KEPT_FOR - SignedDuration::from_secs(1)), at(HISTORY_KEPT_FOR)), (1, 0));
}

#[test]
fn another_spelling_moves_the_entry_up_and_is_shown_as_typed_last() {
    let (histories, ann, bob) = (Histories::default(), "ann".parse().unwrap(), "bob".parse().unwrap());
    for (seconds, text) in [(0, "Loft"), (1, "西湖"), (2, "ＬＯＦＴ")] {
        run(remember(&histories, &ann, text.parse().unwrap(), NOW + SignedDuration::from_secs(seconds)))
            .unwrap();
    }
    let now = NOW + SignedDuration::from_secs(9);
    assert_eq!(texts(&run(recall(&histories, &ann, now)).unwrap()), ["ＬＯＦＴ", "西湖"]);
    assert_eq!(run(recall(&histories, &bob, now)).unwrap(), []);
}
