//! Who is served with whom.

use std::collections::{BTreeMap, HashMap};

use contracts::QueuedClaim;
use domain_coupon::MAX_BATCH;
use domain_ids::{GuestId, TemplateId};
use platform_batch::sqs::Message;

pub(crate) type Claim = Message<QueuedClaim>;

/// Splits the messages into batches, each of one template and of as many claims as fit into one transaction. All
/// claims of a guest on a template are in one batch, in the order in which they were accepted; a guest with more than
/// fit makes a batch longer.
pub(crate) fn batches(mut claims: Vec<Claim>) -> Vec<Vec<Claim>> {
    claims.sort_by(|a, b| (a.body.accepted_at, &a.body.request).cmp(&(b.body.accepted_at, &b.body.request)));
    let mut by_template: BTreeMap<Option<TemplateId>, Vec<Claim>> = BTreeMap::new();
    for claim in claims {
        by_template.entry(claim.body.template).or_default().push(claim);
    }
    by_template.into_values().flat_map(split).collect()
}

fn split(claims: Vec<Claim>) -> Vec<Vec<Claim>> {
    let mut batches: Vec<Vec<Claim>> = vec![Vec::with_capacity(MAX_BATCH)];
    let mut batch_of: HashMap<GuestId, usize> = HashMap::new();
    for claim in claims {
        let last = batches.len() - 1;
        let at = *batch_of.entry(claim.body.guest.clone()).or_insert(last);
        if let Some(batch) = batches.get_mut(at) {
            batch.push(claim);
        }
        if batches.last().is_some_and(|batch| batch.len() >= MAX_BATCH) {
            batches.push(Vec::with_capacity(MAX_BATCH));
        }
    }
    batches.retain(|batch| !batch.is_empty());
    batches
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn claims(of: &[(u8, u8, u16)]) -> Vec<Claim> {
        let claim = |(at, &(guest, template, ms)): (usize, &(u8, u8, u16))| Message {
            id: format!("m-{at}"),
            sent_at: None,
            receive_count: 1,
            body: QueuedClaim {
                request: format!("r-{at}").parse().unwrap(),
                accepted_at: Timestamp::from_millisecond(ms.into()).unwrap(),
                guest: format!("guest-{guest}").parse().unwrap(),
                template: (template > 0).then(|| testing::template_id(template.into())),
                key: String::new(),
            },
        };
        of.iter().enumerate().map(claim).collect()
    }

    proptest! {
        #[test]
        fn every_claim_is_in_one_batch_of_its_template_with_the_guest_s_others_in_their_order(
            of in prop::collection::vec((0_u8..30, 0_u8..3, 0_u16..50), 0..120),
        ) {
            let batches = batches(claims(&of));
            let mut ids: Vec<&str> = batches.iter().flatten().map(|claim| claim.id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), of.len());

            let mut batch_of = HashMap::new();
            for (at, batch) in batches.iter().enumerate() {
                let first = batch.first().unwrap();
                prop_assert!(batch.iter().all(|claim| claim.body.template == first.body.template));
                for claim in batch {
                    let whose = (claim.body.guest.clone(), claim.body.template);
                    prop_assert_eq!(*batch_of.entry(whose).or_insert(at), at);
                }
                let order: Vec<_> = batch.iter().map(|claim| (&claim.body.guest, claim.body.accepted_at)).collect();
                let mut sorted = order.clone();
                sorted.sort_by_key(|(guest, _)| *guest);
                prop_assert!(sorted.is_sorted());
            }
        }
    }

    #[test]
    fn a_hundred_guests_are_ten_transactions() {
        let of: Vec<_> = (0..100).map(|guest| (guest, 1, 0)).collect();
        let sizes: Vec<usize> = batches(claims(&of)).iter().map(Vec::len).collect();
        assert_eq!(sizes, [MAX_BATCH; 10]);
    }
}
