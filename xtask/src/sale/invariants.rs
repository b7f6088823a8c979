//! What must hold after a sale: never one coupon too many, never one too few.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// What the table holds of one template.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Its stock.
    pub shards: Vec<Shard>,
    /// Its coupons, of whomever.
    pub coupons: Vec<StoredCoupon>,
}

/// A part of the stock.
#[derive(Debug, Clone, Copy)]
pub struct Shard {
    /// How many coupons it may give out.
    pub capacity: u64,
    /// How many it has given out.
    pub issued: u64,
}

/// A coupon in the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredCoupon {
    /// Whose it is.
    pub guest: String,
    /// Its id.
    pub id: String,
    /// Its code.
    pub code: String,
}

/// A coupon a guest was told to have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Promise {
    /// Who was told so.
    pub guest: String,
    /// The coupon's id.
    pub id: String,
    /// The coupon's code.
    pub code: String,
}

/// What guests saw who waited in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waits {
    /// Requests that were taken: a 202.
    pub queued: u64,
    /// Of these, so many have an outcome.
    pub settled: u64,
    /// Of these, so many were told a place.
    pub placed: u64,
    /// Of these, so many ended behind where they began.
    pub fell_back: u64,
}

/// Whether one invariant holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The invariant.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// The figures behind it.
    pub detail: String,
}

/// Guest, id and code.
type Coupons<'a> = BTreeSet<(&'a str, &'a str, &'a str)>;

/// Every invariant of a sale of `stock` coupons, one for each of `guests`, all of whom have claimed to the end.
pub fn check(stock: u32, guests: &BTreeSet<String>, ledger: &Ledger, promises: &[Promise]) -> Vec<Verdict> {
    let stock = u64::from(stock);
    let stored: Coupons<'_> = ledger.coupons.iter().map(|it| (&*it.guest, &*it.id, &*it.code)).collect();
    let answered: Coupons<'_> = promises.iter().map(|it| (&*it.guest, &*it.id, &*it.code)).collect();
    vec![
        issued_is_all_there_was_or_all_who_came(stock, guests, ledger),
        one_coupon_per_guest(guests, ledger),
        what_remains_is_what_was_not_issued(stock, ledger),
        no_shard_gave_more_than_it_had(ledger),
        every_answer_has_its_coupon(&stored, &answered),
        every_coupon_was_answered(&stored, &answered),
        no_code_twice(ledger),
    ]
}

/// What holds of the queue beside.
pub fn check_waits(waits: &Waits) -> Vec<Verdict> {
    let Waits { queued, settled, placed, fell_back } = waits;
    vec![
        Verdict {
            name: "every request has an outcome",
            holds: queued == settled,
            detail: format!("{queued} queued, {settled} settled"),
        },
        Verdict {
            name: "places go down",
            holds: *fell_back == 0,
            detail: format!("{placed} were told their place, {fell_back} of them fell back"),
        },
    ]
}

fn issued_is_all_there_was_or_all_who_came(
    stock: u64,
    guests: &BTreeSet<String>,
    ledger: &Ledger,
) -> Verdict {
    let (issued, due) = (ledger.coupons.len() as u64, stock.min(guests.len() as u64));
    let detail = format!("{issued} issued, {due} due");
    Verdict { name: "issued = min(stock, guests)", holds: issued == due, detail }
}

fn one_coupon_per_guest(guests: &BTreeSet<String>, ledger: &Ledger) -> Verdict {
    let held = count(ledger.coupons.iter().map(|coupon| &coupon.guest));
    let greedy = held.values().filter(|&&coupons| coupons > 1).count();
    let strangers = held.keys().filter(|guest| !guests.contains(**guest)).count();
    Verdict {
        name: "one coupon per guest",
        holds: greedy == 0 && strangers == 0,
        detail: format!("{greedy} guests hold more, {strangers} holders were not invited"),
    }
}

fn what_remains_is_what_was_not_issued(stock: u64, ledger: &Ledger) -> Verdict {
    let signed = |number: u64| i128::from(number);
    let remaining: i128 = ledger.shards.iter().map(|it| signed(it.capacity) - signed(it.issued)).sum();
    let due = signed(stock) - ledger.coupons.len() as i128;
    let detail = format!("{remaining} remaining in {} shards, {due} due", ledger.shards.len());
    Verdict { name: "Σ remaining = stock − issued", holds: remaining == due, detail }
}

fn no_shard_gave_more_than_it_had(ledger: &Ledger) -> Verdict {
    let overdrawn = ledger.shards.iter().filter(|shard| shard.issued > shard.capacity).count();
    Verdict {
        name: "no shard issued more than it had",
        holds: overdrawn == 0,
        detail: format!("{overdrawn} overdrawn"),
    }
}

fn every_answer_has_its_coupon(stored: &Coupons<'_>, answered: &Coupons<'_>) -> Verdict {
    let broken = answered.difference(stored).count();
    let detail = format!("{} coupons answered, {broken} of them not in the table", answered.len());
    Verdict { name: "every answer has its coupon", holds: broken == 0, detail }
}

fn every_coupon_was_answered(stored: &Coupons<'_>, answered: &Coupons<'_>) -> Verdict {
    let silent = stored.difference(answered).count();
    let detail = format!("{} coupons in the table, {silent} of them never answered", stored.len());
    Verdict { name: "every coupon was answered", holds: silent == 0, detail }
}

fn no_code_twice(ledger: &Ledger) -> Verdict {
    let codes = count(ledger.coupons.iter().map(|coupon| &coupon.code));
    let twice = codes.values().filter(|&&coupons| coupons > 1).count();
    Verdict {
        name: "no code twice",
        holds: twice == 0,
        detail: format!("{twice} codes on more than one coupon"),
    }
}

fn count<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: u32 = 3;

    struct Sale {
        guests: BTreeSet<String>,
        ledger: Ledger,
        promises: Vec<Promise>,
    }

    /// Three of four guests got one; the second was told twice.
    fn sound() -> Sale {
        let coupon = |n: u32| StoredCoupon {
            guest: format!("guest-{n}"),
            id: format!("id-{n}"),
            code: format!("code-{n}"),
        };
        let promise = |n: u32| {
            let StoredCoupon { guest, id, code } = coupon(n);
            Promise { guest, id, code }
        };
        Sale {
            guests: (1..=4).map(|n| format!("guest-{n}")).collect(),
            ledger: Ledger {
                shards: vec![Shard { capacity: 2, issued: 2 }, Shard { capacity: 1, issued: 1 }],
                coupons: (1..=3).map(coupon).collect(),
            },
            promises: vec![promise(2), promise(1), promise(2), promise(3)],
        }
    }

    fn broken(change: impl Fn(&mut Sale)) -> Vec<&'static str> {
        let mut sale = sound();
        change(&mut sale);
        let verdicts = check(STOCK, &sale.guests, &sale.ledger, &sale.promises);
        verdicts.into_iter().filter(|verdict| !verdict.holds).map(|verdict| verdict.name).collect()
    }

    #[test]
    fn a_sound_sale_breaks_nothing() {
        assert_eq!(broken(|_| {}), Vec::<&str>::new());
    }

    #[test]
    fn fewer_guests_than_coupons_leave_the_rest_in_the_shards() {
        let few = |sale: &mut Sale| {
            sale.guests = (1..=2).map(|n| format!("guest-{n}")).collect();
            sale.ledger.coupons.pop();
            sale.ledger.shards[1].issued = 0;
            sale.promises.pop();
        };
        assert_eq!(broken(few), Vec::<&str>::new());
    }

    #[test]
    fn a_coupon_too_many_is_detected() {
        let too_many = |sale: &mut Sale| {
            let coupon = StoredCoupon { guest: "guest-4".into(), id: "id-4".into(), code: "code-4".into() };
            sale.promises.push(Promise {
                guest: coupon.guest.clone(),
                id: coupon.id.clone(),
                code: coupon.code.clone(),
            });
            sale.ledger.coupons.push(coupon);
            sale.ledger.shards[1].issued = 2;
        };
        assert_eq!(broken(too_many), ["issued = min(stock, guests)", "no shard issued more than it had"]);
    }

    #[test]
    fn a_coupon_too_few_is_detected() {
        let too_few = |sale: &mut Sale| {
            sale.ledger.coupons.pop();
            sale.ledger.shards[1].issued = 0;
            sale.promises.pop();
        };
        assert_eq!(broken(too_few), ["issued = min(stock, guests)"]);
    }

    #[test]
    fn a_unit_that_was_taken_without_a_coupon_is_detected() {
        assert_eq!(broken(|sale| sale.ledger.shards[0].capacity = 3), ["Σ remaining = stock − issued"]);
    }

    #[test]
    fn a_guest_with_two_coupons_is_detected() {
        let greedy = |sale: &mut Sale| {
            sale.ledger.coupons[2].guest = "guest-1".into();
            sale.promises[3].guest = "guest-1".into();
        };
        assert_eq!(broken(greedy), ["one coupon per guest"]);
    }

    #[test]
    fn a_coupon_of_somebody_else_is_detected() {
        let stranger = |sale: &mut Sale| {
            sale.ledger.coupons[2].guest = "stranger".into();
            sale.promises[3].guest = "stranger".into();
        };
        assert_eq!(broken(stranger), ["one coupon per guest"]);
    }

    #[test]
    fn a_promise_that_was_not_kept_is_detected() {
        let other_code = |sale: &mut Sale| sale.promises[0].code = "code-9".into();
        assert_eq!(broken(other_code), ["every answer has its coupon"]);
    }

    #[test]
    fn a_coupon_nobody_was_told_of_is_detected() {
        assert_eq!(broken(|sale| drop(sale.promises.pop())), ["every coupon was answered"]);
    }

    #[test]
    fn a_request_without_an_outcome_and_a_place_that_went_up_are_detected() {
        let broken = |waits| {
            let verdicts = check_waits(&waits).into_iter();
            verdicts.filter(|verdict| !verdict.holds).map(|verdict| verdict.name).collect::<Vec<_>>()
        };
        let sound = Waits { queued: 9, settled: 9, placed: 4, fell_back: 0 };
        assert_eq!(broken(sound), Vec::<&str>::new());
        assert_eq!(broken(Waits { settled: 8, ..sound }), ["every request has an outcome"]);
        assert_eq!(broken(Waits { fell_back: 1, ..sound }), ["places go down"]);
    }

    #[test]
    fn a_code_on_two_coupons_is_detected() {
        let same_code = |sale: &mut Sale| {
            sale.ledger.coupons[2].code = "code-1".into();
            sale.promises[3].code = "code-1".into();
        };
        assert_eq!(broken(same_code), ["no code twice"]);
    }
}
