//! Which coupons apply to an order by themselves, and why others do not.
use crate::wallet::{cash, coupon, discount, line, reduction, stackable};
use domain_coupon::{Coupon, CouponState, Lock, Scope, StayDates, Threshold, Use};
use domain_money::Fen;
use domain_quote::{Line, MAX_LINES, OrderDraft, Reason, ScopePart, assess};
use jiff::{SignedDuration, civil::date};
use testing::NOW;

fn two_lines() -> OrderDraft {
    OrderDraft::new(None, false, vec![line(1, 6_000), line(2, 5_000)]).unwrap()
}

/// What a coupon with this scope saves on two lines of 60 and 50 yuan, or why it does not apply.
fn within(scope: Scope, coupon: &Coupon) -> Result<u64, Vec<Reason>> {
    let mut usage = stackable();
    usage.scope = scope;
    assess(coupon, &usage, &two_lines(), NOW).map(|applicable| applicable.saved.get())
}

#[test]
fn a_coupon_saves_by_its_kind() {
    for (benefit, saved) in [
        (cash(2_000), 2_000),
        (cash(20_000), 11_000),
        (reduction(2_000), 2_000),
        (discount(15, None), 1_650),
        (discount(15, Some(1_000)), 1_000),
    ] {
        assert_eq!(within(Scope::default(), &coupon(1, benefit)), Ok(saved));
    }
}

#[test]
fn a_scope_admits_the_lines_that_meet_all_of_it() {
    let ten_percent = coupon(1, discount(10, None));
    let homestay = Scope { homestays: ["h1".parse().unwrap()].into(), ..Scope::default() };
    assert_eq!(within(homestay.clone(), &ten_percent), Ok(600));
    let host = Scope { hosts: ["o2".parse().unwrap()].into(), ..Scope::default() };
    assert_eq!(within(host.clone(), &ten_percent), Ok(500));
    let city = Scope { cities: ["c0".into(), "c9".into()].into(), ..Scope::default() };
    assert_eq!(within(city, &ten_percent), Ok(500));
    let stay = |from, to| Scope {
        stay: Some(StayDates { from: date(2026, 12, from), to: date(2026, 12, to) }),
        ..Scope::default()
    };
    assert_eq!(within(stay(1, 3), &ten_percent), Ok(1_100));
    for (from, to) in [(2, 3), (1, 2), (4, 9)] {
        assert_eq!(within(stay(from, to), &ten_percent), Err(vec![Reason::StayOutsideDates]));
    }
    let elsewhere = Scope { homestays: ["h9".parse().unwrap()].into(), ..host.clone() };
    assert_eq!(within(elsewhere, &ten_percent), Err(vec![Reason::OutOfScope(ScopePart::Homestay)]));
    let crossed = Scope { homestays: homestay.homestays, ..host };
    let either = [ScopePart::Homestay, ScopePart::Host].map(Reason::OutOfScope);
    assert_eq!(within(crossed, &ten_percent), Err(either.to_vec()), "each line meets one part");
}

#[test]
fn a_threshold_counts_the_lines_within_the_scope() {
    let mut from_110 = coupon(1, cash(100));
    from_110.terms.threshold = Threshold::Amount(Fen::new(11_000));
    assert_eq!(within(Scope::default(), &from_110), Ok(100));
    let city = Scope { cities: ["c1".into()].into(), ..Scope::default() };
    assert_eq!(within(city, &from_110), Err(vec![Reason::BelowThreshold { missing: Fen::new(5_000) }]));
}

#[test]
fn every_reason_is_told_at_once() {
    let mut wanting = coupon(1, cash(100));
    wanting.terms.threshold = Threshold::Amount(Fen::new(20_000));
    wanting.state = CouponState::Expired;
    let first = Scope { first_order_only: true, ..Scope::default() };
    let missing = Reason::BelowThreshold { missing: Fen::new(9_000) };
    assert_eq!(within(first, &wanting), Err(vec![Reason::Expired, Reason::FirstOrderOnly, missing]));
}

#[test]
fn a_share_below_one_fen_is_nothing() {
    let draft = OrderDraft::new(None, true, vec![line(1, 99)]).unwrap();
    let one_percent = coupon(1, discount(1, None));
    assert_eq!(assess(&one_percent, &stackable(), &draft, NOW), Err(vec![Reason::NothingLeft]));
}

#[test]
fn what_happened_to_a_coupon_counts() {
    let until = NOW + SignedDuration::from_mins(30);
    let order = || "order-1".parse().unwrap();
    let spent = || Use { order: order(), saved: Fen::new(1), at: NOW };
    let locked = CouponState::Locked(Lock { order: order(), saved: Fen::new(1), until });
    for (state, reason) in [
        (locked.clone(), Reason::Locked { until }),
        (CouponState::Used(spent()), Reason::Used),
        (CouponState::Expired, Reason::Expired),
        (CouponState::Refunded(spent()), Reason::Refunded),
    ] {
        let coupon = Coupon { state, ..coupon(1, cash(100)) };
        assert_eq!(within(Scope::default(), &coupon), Err(vec![reason]));
    }
    let locked = Coupon { state: locked, ..coupon(1, cash(100)) };
    let of_order = two_lines().of_order(order());
    assert!(assess(&locked, &stackable(), &of_order, NOW).is_ok(), "by the order itself");
    assert!(assess(&locked, &stackable(), &two_lines(), until).is_ok(), "until the lock ends");
    let past = coupon(1, cash(100)).expires_at;
    assert_eq!(assess(&locked, &stackable(), &of_order, past).unwrap_err(), [Reason::Expired]);
}

#[test]
fn a_draft_is_sensible_or_every_fault_is_named() {
    let faults = |lines: Vec<Line>| -> Vec<(Option<usize>, &str)> {
        let wrong = OrderDraft::new(None, false, lines).unwrap_err();
        wrong.0.iter().map(|fault| (fault.line, fault.field)).collect()
    };
    assert_eq!(faults(vec![]), [(None, "lines")]);
    assert_eq!(faults(vec![line(1, 1); MAX_LINES + 1]), [(None, "lines")]);
    assert!(OrderDraft::new(None, false, vec![line(1, 1_000_000_000); MAX_LINES]).is_ok());
    let city = |city: &str| Line { city: city.into(), ..line(1, 1) };
    let dates = Line { check_out: date(2026, 12, 1), ..line(1, 0) };
    assert_eq!(faults(vec![line(1, 1), dates]), [(Some(1), "checkOut"), (Some(1), "amountFen")]);
    assert_eq!(faults(vec![line(1, 1_000_000_001)]), [(Some(0), "amountFen")]);
    for name in ["", " x", "a\u{0}b", &"城".repeat(51)] {
        assert_eq!(faults(vec![city(name)]), [(Some(0), "city")], "{name:?}");
    }
    assert!(OrderDraft::new(None, false, vec![city(&"城".repeat(50))]).is_ok());
}
