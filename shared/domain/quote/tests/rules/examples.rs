//! The worked examples of `docs/operations/coupon-rules.md`.

use domain_coupon::{Coupon, Threshold, Usage};
use domain_money::Fen;
use domain_quote::{Applicable, Line, OrderDraft, Reason, assess, best_combination};
use testing::NOW;

use crate::wallet::{cash, coupon, discount, draft, line, reduction, stackable};

/// 杭州 for 600 yuan and 苏州 for 400.
fn order() -> OrderDraft {
    let stay = |n, city: &str, amount| Line { city: city.into(), ..line(n, amount) };
    OrderDraft::new(None, false, vec![stay(1, "杭州", 60_000), stay(2, "苏州", 40_000)]).unwrap()
}

fn from(amount: u64, coupon: Coupon) -> Coupon {
    let mut coupon = coupon;
    coupon.terms.threshold = Threshold::Amount(Fen::new(amount));
    coupon
}

fn within(city: &str) -> Usage {
    let mut usage = stackable();
    usage.scope.cities.insert(city.into());
    usage
}

fn three_coupons() -> [(Coupon, Usage); 3] {
    [
        (from(100_000, coupon(1, reduction(10_000))), stackable()),
        (coupon(2, discount(15, Some(12_000))), stackable()),
        (coupon(3, cash(5_000)), within("杭州")),
    ]
}

fn applicable(draft: &OrderDraft, wallet: &[(Coupon, Usage)]) -> Vec<Applicable> {
    wallet.iter().map(|(coupon, usage)| assess(coupon, usage, draft, NOW).unwrap()).collect()
}

#[test]
fn each_coupon_alone() {
    let saved: Vec<u64> = applicable(&order(), &three_coupons()).iter().map(|it| it.saved.get()).collect();
    assert_eq!(saved, [10_000, 12_000, 5_000]);
    let in_suzhou = from(80_000, coupon(4, reduction(8_000)));
    let missing = Reason::BelowThreshold { missing: Fen::new(40_000) };
    assert_eq!(assess(&in_suzhou, &within("苏州"), &order(), NOW), Err(vec![missing]));
}

#[test]
fn all_three_together() {
    let best = best_combination(&order(), &applicable(&order(), &three_coupons())).combination.unwrap();
    let saved: Vec<u64> = best.coupons.iter().map(|taken| taken.saved.get()).collect();
    assert_eq!(saved, [12_000, 10_000, 5_000]);
    assert_eq!(best.lines, [Fen::new(18_200), Fen::new(8_800)]);
    assert_eq!((best.saved, best.payable), (Fen::new(27_000), Fen::new(73_000)));
}

#[test]
fn single_savings_do_not_add_up() {
    let order = draft(&[10_000]);
    let wallet = [(coupon(1, cash(8_000)), stackable()), (coupon(2, discount(50, None)), stackable())];
    let coupons = applicable(&order, &wallet);
    assert_eq!((coupons[0].saved, coupons[1].saved), (Fen::new(8_000), Fen::new(5_000)));
    assert_eq!(best_combination(&order, &coupons).combination.unwrap().saved, Fen::new(10_000));
}
