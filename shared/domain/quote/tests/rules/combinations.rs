//! The best combination, beside the slow way to it.
use std::collections::BTreeSet;

use crate::wallet::{cash, coupon, discount, draft, line, naive, reduction, stackable};
use domain_coupon::{Benefit, Coupon, Scope, Stacking, Threshold, Usage};
use domain_ids::CouponId;
use domain_money::Fen;
use domain_quote::{
    Applicable, Clash, Combination, Line, MAX_COMBINED, OrderDraft, assess, best_combination, best_single,
    combine,
};
use proptest::prelude::*;
use testing::NOW;

fn applicable(draft: &OrderDraft, wallet: &[(Coupon, Usage)]) -> Vec<Applicable> {
    wallet.iter().filter_map(|(coupon, usage)| assess(coupon, usage, draft, NOW).ok()).collect()
}

/// All of `benefits` on all lines, together.
fn together(draft: &OrderDraft, benefits: &[Benefit]) -> Combination {
    let wallet: Vec<_> =
        (0..).zip(benefits).map(|(n, benefit)| (coupon(n, benefit.clone()), stackable())).collect();
    let coupons = applicable(draft, &wallet);
    combine(draft, &coupons.iter().collect::<Vec<_>>()).unwrap()
}

fn fen(amounts: &[u64]) -> Vec<Fen> {
    amounts.iter().copied().map(Fen::new).collect()
}

fn saved_by_each(combination: &Combination) -> Vec<Fen> {
    combination.coupons.iter().map(|taken| taken.saved).collect()
}

#[test]
fn discounts_come_first_then_full_reductions_then_cash() {
    let combination = together(&draft(&[10_000]), &[cash(500), reduction(2_000), discount(10, None)]);
    assert_eq!(saved_by_each(&combination), fen(&[1_000, 2_000, 500]));
    assert_eq!((combination.saved, combination.payable), (Fen::new(3_500), Fen::new(6_500)));
}

#[test]
fn discounts_apply_to_what_is_left_and_round_down() {
    let combination = together(&draft(&[999]), &[discount(10, None), discount(15, None)]);
    assert_eq!(
        saved_by_each(&combination),
        fen(&[99, 135]),
        "10 % of 999, 15 % of 900, or the other way round"
    );
}

#[test]
fn what_a_coupon_takes_is_spread_by_largest_remainder() {
    let combination = together(&draft(&[100, 200, 400]), &[cash(100)]);
    // 14.29, 28.57, 57.14
    assert_eq!(combination.lines, fen(&[14, 29, 57]));
}

#[test]
fn a_threshold_is_held_against_the_original_amounts() {
    let draft = draft(&[10_000]);
    let mut half = coupon(1, reduction(2_000));
    half.terms.threshold = Threshold::Amount(Fen::new(10_000));
    let coupons = applicable(&draft, &[(coupon(0, discount(50, None)), stackable()), (half, stackable())]);
    let combination = combine(&draft, &[&coupons[0], &coupons[1]]).unwrap();
    assert_eq!(saved_by_each(&combination), fen(&[5_000, 2_000]));
}

#[test]
fn a_narrow_coupon_takes_before_a_wide_one() {
    let draft = draft(&[1_000, 1_000]);
    let mut narrow = stackable();
    narrow.scope.homestays.insert("h0".parse().unwrap());
    let wallet = [(coupon(0, cash(1_000)), stackable()), (coupon(1, cash(1_000)), narrow)];
    let best = best_combination(&draft, &applicable(&draft, &wallet)).combination.unwrap();
    assert_eq!(best.payable, Fen::new(0));
}

#[test]
fn an_exclusive_coupon_is_alone_and_a_group_gives_one() {
    let draft = draft(&[10_000]);
    let rule = |stacking| Usage { stacking, scope: Scope::default() };
    let group = || rule(Stacking::Group("new-year".into()));
    let wallet = [
        (coupon(0, cash(3_000)), rule(Stacking::Exclusive)),
        (coupon(1, cash(1_400)), group()),
        (coupon(2, cash(1_500)), group()),
        (coupon(3, cash(1_000)), stackable()),
    ];
    let coupons = applicable(&draft, &wallet);
    assert_eq!(combine(&draft, &[&coupons[0], &coupons[3]]), Err(Clash::Exclusive));
    assert_eq!(combine(&draft, &[&coupons[1], &coupons[2]]), Err(Clash::SameGroup));
    assert_eq!(best_single(&coupons).unwrap().coupon, wallet[0].0.id);
    assert_eq!(best_combination(&draft, &coupons).combination.unwrap().saved, Fen::new(3_000));
    let without = best_combination(&draft, &coupons[1..]).combination.unwrap();
    assert_eq!(saved_by_each(&without), fen(&[1_000, 1_500]));
}

#[test]
fn an_order_takes_five_coupons_at_most() {
    let draft = draft(&[10_000]);
    let wallet: Vec<_> = (0..6).map(|n| (coupon(n, cash(100)), stackable())).collect();
    let coupons = applicable(&draft, &wallet);
    assert_eq!(combine(&draft, &coupons.iter().collect::<Vec<_>>()), Err(Clash::TooMany));
    let best = best_combination(&draft, &coupons).combination.unwrap();
    let used: Vec<CouponId> = best.coupons.iter().map(|taken| taken.coupon).collect();
    let first: Vec<CouponId> = wallet.iter().take(MAX_COMBINED).map(|(coupon, _)| coupon.id).collect();
    assert_eq!(used, first, "those that expire first");
}

#[test]
fn a_gift_goes_along_but_is_never_the_best() {
    let draft = draft(&[10_000]);
    let gift = coupon(0, Benefit::Gift { sku: "tea".into() });
    let coupons = applicable(&draft, &[(gift, stackable()), (coupon(1, cash(100)), stackable())]);
    assert_eq!(coupons[0].gift.as_deref(), Some("tea"));
    assert_eq!(combine(&draft, &[&coupons[0], &coupons[1]]).unwrap().saved, Fen::new(100));
    assert_eq!(best_combination(&draft, &coupons).combination.unwrap().coupons.len(), 1);
    assert_eq!(best_single(&coupons[..1]), None);
    assert_eq!(best_combination(&draft, &coupons[..1]).combination, None);
}

#[test]
fn of_equals_the_fewest_coupons_win_then_those_that_expire_first() {
    let draft = draft(&[1_000]);
    let of = |amounts: &[u64]| -> Vec<CouponId> {
        let wallet: Vec<_> =
            (0..).zip(amounts).map(|(n, &amount)| (coupon(n, cash(amount)), stackable())).collect();
        let best = best_combination(&draft, &applicable(&draft, &wallet)).combination.unwrap();
        best.coupons.iter().map(|taken| taken.coupon).collect()
    };
    let id = |n| coupon(n, cash(1)).id;
    assert_eq!(of(&[500, 500, 1_000]), [id(2)]);
    // 600 and 500 make it full as well as 700 and 600 do.
    assert_eq!(of(&[600, 500, 700]).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([id(0), id(1)]));
}

#[test]
fn a_search_that_takes_too_long_says_so_and_answers_the_same_each_time() {
    let mut rng = fastrand::Rng::with_seed(7);
    let amounts: Vec<u64> = (0..20).map(|_| rng.u64(10_000..300_000)).collect();
    let draft = draft(&amounts);
    let mut wallet: Vec<(Coupon, Usage)> = (0..200)
        .map(|n| {
            let mut usage = stackable();
            let some = (0..20_u8).filter(|_| rng.bool());
            usage.scope.homestays = some.map(|n| format!("h{n}").parse().unwrap()).collect();
            (coupon(n, discount(n % 50 + 1, None)), usage)
        })
        .collect();
    let best = best_combination(&draft, &applicable(&draft, &wallet));
    assert!(!best.is_exact, "any two of a million sets of lines overlap");
    rng.shuffle(&mut wallet);
    let coupons = applicable(&draft, &wallet);
    assert_eq!(best_combination(&draft, &coupons), best);
    let single = best_single(&coupons).unwrap();
    assert!(best.combination.unwrap().saved.get() > 2 * single.saved.get());
}

fn any_stacking() -> impl Strategy<Value = Stacking> {
    prop_oneof![
        1 => Just(Stacking::Exclusive),
        5 => Just(Stacking::Stackable),
        1 => Just(Stacking::Group("a".into())),
        1 => Just(Stacking::Group("b".into())),
    ]
}

fn any_benefit() -> impl Strategy<Value = Benefit> {
    let amount = || prop_oneof![1_u64..40, 1_u64..4_000];
    prop_oneof![
        (1_u8..=99, prop::option::of(amount())).prop_map(|(percent, cap)| discount(percent, cap)),
        amount().prop_map(reduction),
        amount().prop_map(cash),
        Just(Benefit::Gift { sku: "tea".into() }),
    ]
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let homestays =
        prop::collection::btree_set((0_u8..5).prop_map(|n| format!("h{n}").parse().unwrap()), 0..3);
    let hosts = prop::collection::btree_set((0_u8..3).prop_map(|n| format!("o{n}").parse().unwrap()), 0..2);
    let cities = prop::collection::btree_set((0_u8..2).prop_map(|n| format!("c{n}")), 0..2);
    (homestays, hosts, cities).prop_map(|(homestays, hosts, cities)| Scope {
        homestays,
        hosts,
        cities,
        ..Scope::default()
    })
}

prop_compose! {
    /// Coupons of up to `max`, few of which are alike, some expiring at one moment.
    fn any_wallet(max: u8)(
        coupons in prop::collection::vec(
            (any_benefit(), any_scope(), any_stacking(), 0_u64..3_000, any::<bool>()), 0..usize::from(max),
        ),
    ) -> Vec<(Coupon, Usage)> {
        (0..).zip(coupons).map(|(n, (benefit, scope, stacking, threshold, at_once))| {
            let mut coupon = coupon(n, benefit);
            if threshold > 1_500 {
                coupon.terms.threshold = Threshold::Amount(Fen::new(threshold));
            }
            if at_once {
                coupon.expires_at = testing::coupon("ann", 1).expires_at;
            }
            (coupon, Usage { scope, stacking })
        }).collect()
    }
}

fn any_lines() -> impl Strategy<Value = Vec<Line>> {
    let amount = prop_oneof![1_u64..20, 1_u64..5_000];
    prop::collection::vec((0_u8..5, amount).prop_map(|(n, amount)| line(n, amount)), 1..6)
}

fn order(lines: &[Line]) -> OrderDraft {
    OrderDraft::new(None, false, lines.to_vec()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_best_is_what_the_slow_way_finds(lines in any_lines(), wallet in any_wallet(9)) {
        let draft = order(&lines);
        let coupons = applicable(&draft, &wallet);
        let best = best_combination(&draft, &coupons);
        prop_assert!(best.is_exact);
        prop_assert_eq!(best.combination, naive(&draft, &coupons));
    }
}

proptest! {
    #[test]
    fn what_is_saved_adds_up_and_is_never_more_than_the_order(lines in any_lines(), wallet in any_wallet(6)) {
        let draft = order(&lines);
        let coupons = applicable(&draft, &wallet);
        let Ok(combination) = combine(&draft, &coupons.iter().collect::<Vec<_>>()) else { return Ok(()) };
        let sum = |parts: &mut dyn Iterator<Item = Fen>| parts.map(Fen::get).sum::<u64>();
        let saved = combination.saved.get();
        prop_assert_eq!(sum(&mut combination.lines.iter().copied()), saved);
        prop_assert_eq!(sum(&mut combination.coupons.iter().map(|taken| taken.saved)), saved);
        prop_assert_eq!(saved + combination.payable.get(), draft.total().get());
        prop_assert_eq!(combination.lines.len(), lines.len());
        for (taken, line) in combination.lines.iter().zip(&lines) {
            prop_assert!(*taken <= line.amount);
        }
        for taken in &combination.coupons {
            let alone = coupons.iter().find(|coupon| coupon.coupon == taken.coupon).unwrap();
            prop_assert!(taken.saved <= alone.saved, "never more beside others than alone");
        }
    }

    #[test]
    fn the_order_of_lines_and_coupons_makes_no_difference(
        lines in any_lines(), wallet in any_wallet(12), seed: u64,
    ) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut lines_too, mut wallet_too) = (lines.clone(), wallet.clone());
        rng.shuffle(&mut lines_too);
        rng.shuffle(&mut wallet_too);
        let best = |lines: &[Line], wallet: &[(Coupon, Usage)]| {
            let draft = order(lines);
            let coupons = applicable(&draft, wallet);
            (best_single(&coupons).cloned(), best_combination(&draft, &coupons))
        };
        let ((single, one), (single_too, other)) = (best(&lines, &wallet), best(&lines_too, &wallet_too));
        prop_assert_eq!(single, single_too);
        let (Some(one), Some(other)) = (one.combination, other.combination) else { return Ok(()) };
        prop_assert_eq!(&one.coupons, &other.coupons);
        let by_line = |lines: &[Line], taken: &[Fen]| {
            let mut pairs: Vec<_> = lines.iter().cloned().zip(taken.iter().copied()).collect();
            pairs.sort();
            pairs
        };
        prop_assert_eq!(by_line(&lines, &one.lines), by_line(&lines_too, &other.lines));
    }

    #[test]
    fn another_coupon_never_makes_the_best_worse(lines in any_lines(), wallet in any_wallet(12)) {
        let draft = order(&lines);
        let coupons = applicable(&draft, &wallet);
        let saved = |coupons: &[Applicable]| {
            best_combination(&draft, coupons).combination.map_or(0, |best| best.saved.get())
        };
        let all = saved(&coupons);
        prop_assert!(best_single(&coupons).is_none_or(|single| single.saved.get() <= all));
        for without in 0..coupons.len() {
            let mut fewer = coupons.clone();
            fewer.remove(without);
            prop_assert!(saved(&fewer) <= all);
        }
    }
}
