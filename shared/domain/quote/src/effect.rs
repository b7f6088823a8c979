//! What a coupon takes off the lines it applies to: integer arithmetic, in fen.

use domain_coupon::Benefit;
use domain_money::Fen;

use crate::draft::{LineSet, MAX_LINES};

/// What a coupon does to a draft. Two coupons of one effect are interchangeable.
///
/// The order of effects is the order in which coupons are applied: by kind; within a kind those on the smaller amount
/// first, so that a coupon for everything takes what narrower ones have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Effect {
    kind: Kind,
    /// What the lines cost without coupons.
    base: u64,
    take: Take,
    lines: LineSet,
}

/// Discounts come first, while there is most to take a share of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Discount,
    FullReduction,
    Cash,
    Gift,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Take {
    Share { percent: u64, cap: u64 },
    Amount(u64),
    Nothing,
}

impl Take {
    /// What is taken of `left`: at most `left`, and never less of more. Shares are rounded down.
    fn of(self, left: u64) -> u64 {
        match self {
            Self::Share { percent, cap } => (left * percent / 100).min(cap),
            Self::Amount(amount) => amount.min(left),
            Self::Nothing => 0,
        }
    }
}

impl Effect {
    /// The effect of `benefit` on `lines` of a draft whose lines cost `amounts`.
    pub fn new(benefit: &Benefit, lines: LineSet, amounts: &[u64]) -> Self {
        let (kind, take) = match benefit {
            Benefit::Discount { percent, cap } => {
                let cap = cap.map_or(u64::MAX, Fen::get);
                (Kind::Discount, Take::Share { percent: u64::from(*percent), cap })
            }
            Benefit::FullReduction { amount } => (Kind::FullReduction, Take::Amount(amount.get())),
            Benefit::Cash { amount } => (Kind::Cash, Take::Amount(amount.get())),
            Benefit::Gift { .. } => (Kind::Gift, Take::Nothing),
        };
        Self { kind, base: lines.sum(amounts), take, lines }
    }

    /// What its lines cost without coupons.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// What is left of its lines.
    pub fn reach(&self, left: &[u64]) -> u64 {
        self.lines.sum(left)
    }

    /// What it takes of what is `left`.
    pub fn takes(&self, left: &[u64]) -> u64 {
        self.take.of(self.reach(left))
    }

    /// The least that can be left of the whole draft, where `whole` is left of it and at most `reach` of the lines.
    /// Never less of more.
    pub fn leaves_at_least(&self, whole: u64, reach: u64) -> u64 {
        whole - self.take.of(reach.min(whole))
    }

    /// Takes it off: each line pays its share of what is left, rounded by largest remainder, so that the parts add up.
    /// Returns what was taken.
    pub fn apply(&self, left: &mut [u64]) -> u64 {
        let whole = self.reach(left);
        let taken = self.take.of(whole);
        if taken == 0 {
            return 0;
        }
        let mut remainders = [(0, 0); MAX_LINES];
        let mut missing = taken;
        for ((line, amount), remainder) in self.lines.members(left).zip(&mut remainders) {
            let (share, rest) = divided(*amount, taken, whole);
            *amount -= share;
            missing -= share;
            *remainder = (rest, MAX_LINES - line);
        }
        // Largest remainder first, then the first line. Fewer fen are missing than lines have a remainder.
        remainders.sort_unstable_by(|a, b| b.cmp(a));
        for (_, line) in remainders.iter().zip(0..missing).map(|(remainder, _)| remainder) {
            if let Some(amount) = left.get_mut(MAX_LINES - line) {
                *amount -= 1;
            }
        }
        taken
    }
}

/// `amount × part ÷ whole`, and the remainder. The product of two amounts does not fit into 64 bits.
fn divided(amount: u64, part: u64, whole: u64) -> (u64, u64) {
    let (product, whole) = (u128::from(amount) * u128::from(part), u128::from(whole));
    let fits = |number: u128| u64::try_from(number).unwrap_or_default();
    (fits(product / whole), fits(product % whole))
}
