//! `load quote`: a guest's coupons weighed for an order, beside the slow ways to do it. No store is involved: what is
//! measured is the part of `quote-coupons` that computes.

use std::hint::black_box;

use anyhow::{Context, Result};
use domain_coupon::{Benefit, Coupon, Scope, Stacking, Terms, Threshold, Usage};
use domain_ids::{CouponId, Nth, TemplateId};
use domain_money::Fen;
use domain_quote::{
    Applicable, Best, Line, MAX_COMBINED, OrderDraft, assess, best_combination, best_single, combine,
};
use fastrand::Rng;
use jiff::{SignedDuration, civil::date};
use serde::Serialize;
use testing::NOW;

use crate::{
    clock, progress,
    report::{Figure, Goal, Report},
    statistics::{max, median},
};

/// What a quote may take on the processor.
const GOAL_US: f64 = 1_000.0;

/// Cities, hosts and homestays that templates and lines are about.
const CITIES: u32 = 5;
const HOSTS: u32 = 10;
const HOMESTAYS: u32 = 20;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Wallets of each kind
    #[arg(long, default_value_t = 100)]
    wallets: u64,
    /// Coupons in each
    #[arg(long, default_value_t = 200)]
    coupons: u32,
    /// Lines of the order, 1 to 50
    #[arg(long, default_value_t = 20)]
    lines: u32,
    /// Coupons in the wallets in which every combination is tried
    #[arg(long, default_value_t = 14)]
    exhaustive: u32,
}

/// What coupons are worth beside an order.
#[derive(Debug, Clone, Copy)]
enum Worth {
    /// A few percent, as in a shop.
    Little,
    /// A good part each, so that five together take nearly all of it.
    Much,
    /// Shares only, none of them capped.
    Shares,
}

/// What a kind of wallet took.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Took {
    cpu_us: Vec<f64>,
    broken_off: u32,
}

/// Measures on this thread.
pub fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let &Arguments { wallets, coupons, lines, exhaustive } = arguments;
    for (worth, name) in
        [(Worth::Little, "small coupons"), (Worth::Much, "large coupons"), (Worth::Shares, "shares alone")]
    {
        let progress = progress::bar(name, wallets);
        let mut took = Took::default();
        for seed in 0..wallets {
            let (draft, wallet) = made(worth, coupons, lines, seed)?;
            let (best, cpu_us) = timed(|| Ok(quote(&draft, &wallet)))?;
            took.cpu_us.push(cpu_us);
            took.broken_off += u32::from(!best.is_exact);
            progress.inc(1);
        }
        progress.finish_and_clear();
        let of = |what: &str| format!("{coupons} {name}, {lines} lines, {what}");
        let (middle, most) = (median(&took.cpu_us), max(&took.cpu_us));
        report.extend([
            Figure::new(of("CPU"), middle.context("no wallet")?, "µs").aims_at(Goal::AtMost(GOAL_US)),
            Figure::new(of("CPU of the slowest"), most.context("no wallet")?, "µs"),
            Figure::new(of("searches broken off"), took.broken_off.into(), "").must_be(Goal::AtMost(0.0)),
        ]);
        report.detail(name, &took)?;
    }
    compare(exhaustive, lines, wallets, report)?;
    compare_with_pairs(coupons, lines, report)
}

/// Every combination of a few coupons, beside the search.
fn compare(coupons: u32, lines: u32, wallets: u64, report: &mut Report) -> Result<()> {
    let progress = progress::bar("every combination", wallets);
    let (mut ours, mut theirs, mut different) = (Vec::new(), Vec::new(), 0);
    for seed in 0..wallets {
        let worth = if seed % 2 == 0 { Worth::Little } else { Worth::Much };
        let (draft, wallet) = made(worth, coupons, lines, seed)?;
        let (best, cpu_us) = timed(|| Ok(quote(&draft, &wallet)))?;
        ours.push(cpu_us);
        let (most, cpu_us) = timed(|| Ok(tried_out(&draft, &applicable(&draft, &wallet), MAX_COMBINED)))?;
        theirs.push(cpu_us);
        different += u32::from(most != saved_by(&best));
        progress.inc(1);
    }
    progress.finish_and_clear();
    let of = |what: &str| format!("{coupons} coupons, {what}");
    let (ours, theirs) = (median(&ours).context("no wallet")?, median(&theirs).context("no wallet")?);
    report.extend([
        Figure::new(of("CPU"), ours, "µs"),
        Figure::new(of("CPU of trying every combination"), theirs, "µs"),
        Figure::new(of("every combination ÷ search"), theirs / ours, "×").aims_at(Goal::AtLeast(10.0)),
        Figure::new(of("wallets of another result"), different.into(), "").must_be(Goal::AtMost(0.0)),
    ]);
    Ok(())
}

/// All pairs of many coupons, which is as far as trying goes: what that takes, and how much it leaves to the guest.
fn compare_with_pairs(coupons: u32, lines: u32, report: &mut Report) -> Result<()> {
    let (draft, wallet) = made(Worth::Little, coupons, lines, 0)?;
    let (best, ours) = timed(|| Ok(quote(&draft, &wallet)))?;
    let (pair, theirs) = timed(|| Ok(tried_out(&draft, &applicable(&draft, &wallet), 2)))?;
    let of = |what: &str| format!("{coupons} small coupons, {what}");
    report.extend([
        Figure::new(of("CPU of trying every pair"), theirs, "µs"),
        Figure::new(of("every pair ÷ search"), theirs / ours, "×"),
        Figure::new(of("saved by the best pair ÷ by the best"), pair as f64 / saved_by(&best) as f64, ""),
    ]);
    Ok(())
}

/// What `quote-coupons` computes between its reads and its answer.
fn quote(draft: &OrderDraft, wallet: &[(Coupon, Usage)]) -> Best {
    let coupons = applicable(draft, wallet);
    black_box(best_single(&coupons));
    best_combination(draft, &coupons)
}

fn applicable(draft: &OrderDraft, wallet: &[(Coupon, Usage)]) -> Vec<Applicable> {
    wallet.iter().filter_map(|(coupon, usage)| assess(coupon, usage, draft, NOW).ok()).collect()
}

fn saved_by(best: &Best) -> u64 {
    best.combination.as_ref().map_or(0, |combination| combination.saved.get())
}

/// The most that any combination of up to `size` of `coupons` saves.
fn tried_out(draft: &OrderDraft, coupons: &[Applicable], size: usize) -> u64 {
    fn tried<'a>(
        draft: &OrderDraft,
        rest: &'a [Applicable],
        size: usize,
        chosen: &mut Vec<&'a Applicable>,
    ) -> u64 {
        let mut most = combine(draft, chosen).map_or(0, |combination| combination.saved.get());
        if chosen.len() < size {
            for (at, next) in rest.iter().enumerate() {
                chosen.push(next);
                most = most.max(tried(draft, rest.get(at + 1..).unwrap_or_default(), size, chosen));
                chosen.pop();
            }
        }
        most
    }
    tried(draft, coupons, size, &mut Vec::new())
}

/// An order and a wallet: templates for everything, for a city, a host or a homestay, a quarter of them in groups.
fn made(worth: Worth, coupons: u32, lines: u32, seed: u64) -> Result<(OrderDraft, Vec<(Coupon, Usage)>)> {
    let mut rng = Rng::with_seed(seed);
    let lines = (0..lines).map(|_| line(&mut rng)).collect::<Result<Vec<_>>>()?;
    let draft = OrderDraft::new(None, false, lines)?;
    let order = draft.total().get();
    let wallet = (0..coupons).map(|n| {
        let stacking = match rng.u32(..20) {
            0 => Stacking::Exclusive,
            1..=5 => Stacking::Group(format!("group-{}", rng.u32(..6))),
            _ => Stacking::Stackable,
        };
        let usage = Usage { scope: scope(&mut rng)?, stacking };
        Ok((coupon(n, benefit(worth, order, &mut rng), &mut rng), usage))
    });
    Ok((draft, wallet.collect::<Result<_>>()?))
}

fn line(rng: &mut Rng) -> Result<Line> {
    let homestay = rng.u32(..HOMESTAYS);
    Ok(Line {
        homestay: format!("h-{homestay}").parse()?,
        host: format!("o-{}", homestay % HOSTS).parse()?,
        city: format!("c-{}", homestay % CITIES),
        check_in: date(2026, 12, 1),
        check_out: date(2026, 12, 3),
        amount: Fen::new(rng.u64(10_000..=300_000)),
    })
}

fn scope(rng: &mut Rng) -> Result<Scope> {
    let mut scope = Scope::default();
    match rng.u32(..4) {
        0 => {
            scope.cities.insert(format!("c-{}", rng.u32(..CITIES)));
        }
        1 => {
            scope.hosts.insert(format!("o-{}", rng.u32(..HOSTS)).parse()?);
        }
        2 => {
            scope.homestays.insert(format!("h-{}", rng.u32(..HOMESTAYS)).parse()?);
        }
        _ => {}
    }
    Ok(scope)
}

fn benefit(worth: Worth, order: u64, rng: &mut Rng) -> Benefit {
    let (share, most) = match worth {
        Worth::Little => (30, order / 100),
        Worth::Much => (50, order / 4),
        Worth::Shares => return Benefit::Discount { percent: rng.u8(1..=50), cap: None },
    };
    let amount = Fen::new(rng.u64(1..=most));
    match rng.u32(..3) {
        0 => Benefit::Discount { percent: rng.u8(1..=share), cap: Some(amount) },
        1 => Benefit::FullReduction { amount },
        _ => Benefit::Cash { amount },
    }
}

fn coupon(n: u32, benefit: Benefit, rng: &mut Rng) -> Coupon {
    let coupon = testing::coupon("guest", 1);
    let threshold = match rng.u64(..4) {
        0 => Threshold::Amount(Fen::new(rng.u64(10_000..=500_000))),
        _ => Threshold::None,
    };
    Coupon {
        id: CouponId::new(&coupon.guest, TemplateId::from_parts(1_794_000_000_000, n.into()), Nth::MIN),
        terms: Terms { name: "bench".into(), benefit, threshold },
        expires_at: coupon.expires_at + SignedDuration::from_hours(rng.i64(0..720)),
        ..coupon
    }
}

/// What `work` returns, and its time on the processor in microseconds.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let before = clock::of_this_thread()?;
    let done = black_box(work()?);
    let took = clock::of_this_thread()?.saturating_sub(before);
    Ok((done, took.as_secs_f64() * 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_finds_what_trying_finds() {
        for (worth, seed) in [(Worth::Little, 1), (Worth::Much, 2), (Worth::Shares, 3)] {
            let (draft, wallet) = made(worth, 10, 5, seed).unwrap();
            let most = tried_out(&draft, &applicable(&draft, &wallet), MAX_COMBINED);
            assert_eq!(saved_by(&quote(&draft, &wallet)), most);
        }
    }
}
