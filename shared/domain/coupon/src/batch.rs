//! Claiming several coupons of a template in one transaction: a shard is held once for all of them, so that it is good
//! for as many times more claims a second.

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

use domain_ids::{GuestId, Nth};

use crate::{
    ClaimCoupon, ClaimError, ClaimStore, Claimed, Coupon, SaleMemory, Shard, ShardSearch, Step, Stock,
    StoreError, Template,
    claim::{claim, new_coupon, refresh, refusal},
};

/// Coupons of one transaction. More would save little (of a transaction's units 2 a coupon are the floor, 2.2 are paid at ten) and
/// would hold up ten guests where one of them has to start over.
pub const MAX_BATCH: usize = 10;

/// What became of the attempt to write several coupons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchIssue {
    /// Each was written, and as many units were taken from the shard, in one step.
    Issued,
    /// Guests of these coupons (places in the batch) hold one with that ordinal already; nothing was written.
    Held(Vec<usize>),
    /// The shard has not enough left for all; nothing was written.
    ShardShort,
    /// Another transaction was in the way; nothing was written.
    Conflict,
    /// The store refused more work for now; nothing was written.
    Throttled,
}

/// Where claims are recorded several at a time.
pub trait BatchClaimStore: ClaimStore {
    /// Writes the coupons (at most [`MAX_BATCH`], of one template) if each key is free, and takes as many units from
    /// `shard` if it has them, given that its capacity is at least `capacity`: all or nothing.
    fn issue_batch(
        &self,
        coupons: &[Coupon],
        shard: Shard,
        capacity: u32,
    ) -> impl Future<Output = Result<BatchIssue, StoreError>> + Send;
}

/// Issues a coupon for each claim on one template, or says why not, in the order of the claims: what [`claim`] would
/// answer to each in turn.
///
/// Claims of different guests share transactions. A guest's second claim waits for the first, and whatever a batch
/// cannot settle (a coupon held already, the last units of the stock) is claimed singly.
pub async fn claim_batch(
    store: &impl BatchClaimStore,
    memory: &SaleMemory,
    commands: &[ClaimCoupon],
) -> Vec<Result<Claimed, ClaimError>> {
    let mut outcomes = BTreeMap::new();
    for batch in batches(commands) {
        // Where the store failed it is not known what was written; claiming singly finds out.
        let issued = issue_together(store, memory, &batch).await.unwrap_or_default();
        outcomes.extend(issued.into_iter().map(|(place, claimed)| (place, Ok(claimed))));
        for (place, command) in batch {
            if let Entry::Vacant(open) = outcomes.entry(place) {
                open.insert(claim(store, memory, command).await);
            }
        }
    }
    outcomes.into_values().collect()
}

/// A claim and its place among the answers.
type Placed<'a> = (usize, &'a ClaimCoupon);

/// Splits the claims into batches in which each guest is only once, keeping the order of each guest's claims.
fn batches(commands: &[ClaimCoupon]) -> Vec<Vec<Placed<'_>>> {
    let mut batches: Vec<Vec<Placed<'_>>> = Vec::new();
    let mut next_of: HashMap<&GuestId, usize> = HashMap::new();
    for (place, command) in commands.iter().enumerate() {
        let earliest = next_of.entry(&command.guest).or_default();
        let has_room = |batch: &Vec<Placed<'_>>| batch.len() < MAX_BATCH;
        let at = (*earliest..batches.len()).find(|&at| batches.get(at).is_some_and(has_room));
        let at = at.unwrap_or(batches.len());
        *earliest = at + 1;
        match batches.get_mut(at) {
            Some(batch) => batch.push((place, command)),
            None => batches.push(vec![(place, command)]),
        }
    }
    batches
}

/// The claims that one transaction settled; the others are left to be claimed singly.
async fn issue_together(
    store: &impl BatchClaimStore,
    memory: &SaleMemory,
    batch: &[Placed<'_>],
) -> Result<Vec<(usize, Claimed)>, StoreError> {
    let Some(&(_, first)) = batch.first() else { return Ok(Vec::new()) };
    let template = match memory.recall(first.template, first.at) {
        Some(known) => known,
        None => refresh(store, memory, first).await?,
    };
    let Some(template) = template else { return Ok(Vec::new()) };
    let Stock::Limited(stock) = &template.stock else { return Ok(Vec::new()) };
    let mut coupons = new_coupons(store, &template, batch).await?;
    let mut search =
        ShardSearch::new(&template.stock, &first.guest, memory.empty_shards(&template), first.seed);
    while !coupons.is_empty() {
        let Step::Try { shard: Some(shard), after } = search.step() else { break };
        if !after.is_zero() {
            store.wait(after).await;
        }
        let together: Vec<Coupon> = coupons.iter().map(|(_, coupon)| coupon.clone()).collect();
        match store.issue_batch(&together, shard, stock.capacity_of(shard)).await? {
            BatchIssue::Issued => {
                let conflicts = search.conflicts();
                let claimed = |coupon| Claimed { coupon, replayed: false, conflicts };
                return Ok(coupons.into_iter().map(|(place, coupon)| (place, claimed(coupon))).collect());
            }
            BatchIssue::Held(held) => {
                let mut at = 0..;
                coupons.retain(|_| at.next().is_some_and(|at| !held.contains(&at)));
            }
            BatchIssue::ShardShort => break,
            BatchIssue::Conflict | BatchIssue::Throttled => search.conflicted(),
        }
    }
    Ok(Vec::new())
}

/// The coupons to write for the claims that nothing is known against.
async fn new_coupons(
    store: &impl BatchClaimStore,
    template: &Template,
    batch: &[Placed<'_>],
) -> Result<Vec<(usize, Coupon)>, StoreError> {
    let mut coupons = Vec::with_capacity(batch.len());
    for &(place, command) in batch {
        if command.template != template.id
            || command.exchange.is_some()
            || refusal(template, command).is_some()
        {
            continue;
        }
        let held = if template.per_user_limit == 1 {
            Vec::new()
        } else {
            store.held(&command.guest, template.id).await?
        };
        let is_repeat = command.key.is_some() && held.iter().any(|coupon| coupon.key == command.key);
        let free = (1..=template.per_user_limit)
            .filter_map(Nth::new)
            .find(|&nth| held.iter().all(|coupon| coupon.nth() != nth));
        if let Some(nth) = free.filter(|_| !is_repeat) {
            coupons.push((place, new_coupon(command, template, nth)));
        }
    }
    Ok(coupons)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{CouponCode, Source, fixtures, fixtures::NOW};

    fn claims(guests: &[u8]) -> Vec<ClaimCoupon> {
        let claim = |&guest: &u8| ClaimCoupon {
            guest: format!("guest-{guest}").parse().unwrap(),
            template: fixtures::template_id(1),
            source: Source::Queue,
            campaign: None,
            exchange: None,
            key: None,
            code: CouponCode::from_random(1),
            at: NOW,
            seed: 1,
        };
        guests.iter().map(claim).collect()
    }

    proptest! {
        #[test]
        fn every_claim_is_in_one_batch_and_a_guest_s_claims_keep_their_order(
            guests in prop::collection::vec(0_u8..8, 0..60),
        ) {
            let commands = claims(&guests);
            let batches = batches(&commands);
            let mut last: HashMap<&GuestId, usize> = HashMap::new();
            let mut places: Vec<usize> = Vec::new();
            for batch in &batches {
                prop_assert!((1..=MAX_BATCH).contains(&batch.len()));
                let mut here: Vec<&GuestId> = batch.iter().map(|(_, command)| &command.guest).collect();
                here.sort();
                prop_assert!(here.windows(2).all(|pair| pair[0] != pair[1]));
                for (place, command) in batch {
                    let before = last.insert(&command.guest, *place);
                    prop_assert!(before.is_none_or(|before| before < *place));
                    places.push(*place);
                }
            }
            places.sort_unstable();
            prop_assert_eq!(places, (0..guests.len()).collect::<Vec<_>>());
        }
    }
}
