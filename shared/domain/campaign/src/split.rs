use domain_ids::{CampaignId, GuestId, TemplateId};
use sha2::{Digest, Sha256};

/// The template of the weighted `variants` that `guest` gets: the same one for as long as neither they nor their weights
/// change, and not to be guessed from what the guest gets in another campaign. `None` where every weight is 0.
pub(crate) fn assigned(
    campaign: CampaignId,
    guest: &GuestId,
    variants: impl Iterator<Item = (TemplateId, u16)> + Clone,
) -> Option<TemplateId> {
    let total: u64 = variants.clone().map(|(_, weight)| u64::from(weight)).sum();
    let mut point = scaled(spread(campaign, guest), total);
    for (template, weight) in variants {
        let weight = u64::from(weight);
        if point < weight {
            return Some(template);
        }
        point -= weight;
    }
    None
}

/// A number that is even over guests and independent between campaigns. An id has no `#`.
fn spread(campaign: CampaignId, guest: &GuestId) -> u64 {
    let digest = Sha256::digest(format!("{campaign}#{guest}"));
    digest.iter().take(8).fold(0, |spread, &byte| spread << 8 | u64::from(byte))
}

/// `spread` of 2⁶⁴ as a share of `total`: below it, unless it is 0.
fn scaled(spread: u64, total: u64) -> u64 {
    u64::try_from((u128::from(spread) * u128::from(total)) >> 64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn template(n: usize) -> TemplateId {
        TemplateId::from_parts(1, n as u128)
    }

    fn variants(weights: &[u16]) -> impl Iterator<Item = (TemplateId, u16)> + Clone {
        weights.iter().copied().enumerate().map(|(n, weight)| (template(n), weight))
    }

    fn guest(n: u32) -> GuestId {
        format!("guest-{n}").parse().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn an_assignment_is_stable_and_never_of_weight_0(
            weights in prop::collection::vec(0_u16..=1_000, 0..20), campaign: u128, n: u32,
        ) {
            let campaign = CampaignId::from_parts(1, campaign);
            let first = assigned(campaign, &guest(n), variants(&weights));
            prop_assert_eq!(first, assigned(campaign, &guest(n), variants(&weights)));
            prop_assert_eq!(first.is_none(), weights.iter().all(|&weight| weight == 0));
            let weight = first.and_then(|first| variants(&weights).find(|(id, _)| *id == first));
            prop_assert!(weight.is_none_or(|(_, weight)| weight > 0));
        }

        /// Each variant gets its share of 10,000 guests, give or take five standard deviations.
        #[test]
        fn shares_follow_the_weights(weights in prop::collection::vec(0_u16..=1_000, 1..6), campaign: u128) {
            const GUESTS: u32 = 10_000;
            let campaign = CampaignId::from_parts(1, campaign);
            let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
            prop_assume!(total > 0);
            let mut counts = BTreeMap::<TemplateId, i64>::new();
            for n in 0..GUESTS {
                *counts.entry(assigned(campaign, &guest(n), variants(&weights)).unwrap()).or_default() += 1;
            }
            for (id, weight) in variants(&weights) {
                let expected = i64::try_from(u64::from(GUESTS) * u64::from(weight) / total).unwrap();
                let found = counts.get(&id).copied().unwrap_or_default();
                prop_assert!((found - expected).abs() <= 250, "{found} of {expected}");
            }
        }
    }

    #[test]
    fn campaigns_split_independently_of_each_other() {
        let halves = [1, 1];
        let of = |campaign, n| assigned(CampaignId::from_parts(1, campaign), &guest(n), variants(&halves));
        let alike = (0..1_000).filter(|&n| of(1, n) == of(2, n)).count();
        assert!((400..600).contains(&alike), "{alike} of 1000");
    }
}
