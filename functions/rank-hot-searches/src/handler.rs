//! Counts the searches of the last hours and makes the list of popular queries.
//!
//! There is no checkpoint: a run makes everything from what is stored, and replaces what was there.

use domain_coupon::StoreError;
use domain_homestay::SearchRules;
use domain_search::{HotRules, Keyword, MinClients, Refreshed, Shelf, refresh};
use jiff::Timestamp;

/// Counts, and ranks by `rules`. An error is for the schedule to try again.
pub async fn handle(
    store: &impl Shelf,
    rules: &SearchRules,
    min_clients: MinClients,
    now: Timestamp,
) -> Result<(), StoreError> {
    let blocked = rules.blocked.iter().filter_map(|text| Keyword::fold(text)).collect();
    let refreshed = refresh(store, &HotRules { blocked, min_clients }, now).await?;
    let Refreshed { hours, facts, unreadable, cut_short, hot } = refreshed;
    metrics::counter!("SearchFactsUnreadable").increment(unreadable);
    metrics::counter!("SearchHoursCutShort").increment(u64::try_from(cut_short).unwrap_or(u64::MAX));
    tracing::info!(
        hours.counted = hours,
        hours.cut_short = cut_short,
        facts.counted = facts,
        facts.unreadable = unreadable,
        hot.count = hot,
        "counted searches"
    );
    Ok(())
}
