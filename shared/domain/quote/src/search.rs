//! The best combination by branch and bound: exact, and quick because most branches are hopeless.
//!
//! Coupons are tried in the order in which they are applied, so that what is left of the order is known at each step,
//! to the fen. What further coupons can take is bounded by forgetting which lines they take it from ([`Floors`]); for
//! coupons that apply to the whole order this bound is exact, and the coupons it would take are themselves a good
//! first answer.

use crate::{MAX_COMBINED, effect::Effect};

/// Steps after which a search is broken off: some 20 ms. Wallets of 200 coupons of all kinds with the scopes of real shops
/// need a few hundred; hundreds of large discounts, or of overlapping sets of lines, can need more.
const MAX_STEPS: u32 = 10_000;

/// Steps after which the search for the equal that expires first is broken off.
const MAX_TIE_STEPS: u32 = 2_000;

/// Coupons of one effect and one rule of stacking: which of them is used makes no difference to the order.
#[derive(Debug)]
pub(crate) struct Class {
    /// What each of them does.
    pub effect: Effect,
    /// The group of which one at most is used.
    pub group: Option<usize>,
    /// Their places in the order of expiry, ascending; no more than can be used together.
    pub ranks: Vec<usize>,
}

/// What a search has found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Saved in all.
    pub saved: u64,
    /// The coupons, ascending.
    pub ranks: Vec<usize>,
    /// No other combination saves more, or as much with fewer coupons. Not so where the search was broken off.
    pub is_exact: bool,
}

/// The most that can be saved by at most [`MAX_COMBINED`] coupons of `classes`, which are in the order of their effects;
/// of equals the fewest, of as many those that expire first.
pub(crate) fn best(classes: &[Class], amounts: &[u64]) -> Found {
    let copies = |class| Class::copies(class, amounts);
    let pieces: Vec<Piece> = classes.iter().flat_map(copies).collect();
    let mut search = Search::default();
    search.descend(amounts, 0, &mut Vec::new(), &pieces);
    let Search { saved, ranks, steps } = search;
    let mut ties = Ties { pieces: &pieces, amounts, saved, count: ranks.len(), steps: 0 };
    let first = ties.first(&mut Vec::new());
    Found { saved, ranks: first.unwrap_or(ranks), is_exact: steps <= MAX_STEPS }
}

/// One coupon of a class, beside what is left at a step.
#[derive(Debug, Clone, Copy)]
struct Piece<'c> {
    class: &'c Class,
    rank: usize,
    /// What is left of its lines.
    reach: u64,
    /// What it takes of that; it never takes more later.
    takes: u64,
}

impl Class {
    fn copies(&self, left: &[u64]) -> impl Iterator<Item = Piece<'_>> {
        let reach = self.effect.reach(left);
        let takes = self.effect.takes(left);
        self.ranks.iter().map(move |&rank| Piece { class: self, rank, reach, takes })
    }
}

impl Piece<'_> {
    fn on(self, left: &[u64]) -> Self {
        Self { reach: self.class.effect.reach(left), takes: self.class.effect.takes(left), ..self }
    }

    fn goes_with(&self, other: &Self) -> bool {
        self.class.group.is_none() || self.class.group != other.class.group
    }

    fn is_copy_of(&self, other: &Self) -> bool {
        std::ptr::eq(self.class, other.class)
    }
}

#[derive(Debug, Default)]
struct Search {
    saved: u64,
    ranks: Vec<usize>,
    steps: u32,
}

impl Search {
    /// Tries everything that can be added to what is `chosen`, which saves `saved` and leaves `left`.
    fn descend<'c>(&mut self, left: &[u64], saved: u64, chosen: &mut Vec<Piece<'c>>, open: &[Piece<'c>]) {
        self.steps += 1;
        let slots = MAX_COMBINED.saturating_sub(chosen.len());
        if slots == 0 || self.steps > MAX_STEPS {
            return;
        }
        let allowed = |piece: &&Piece| chosen.iter().all(|other| piece.goes_with(other));
        let open = open.iter().filter(allowed).map(|piece| piece.on(left));
        let mut open: Vec<Piece> = open.filter(|piece| piece.takes > 0).collect();
        if slots == 1 {
            for piece in open {
                self.offer_with(saved + piece.takes, chosen, piece);
            }
            return;
        }

        let floors = Floors::of(&open, left.iter().sum(), slots, &[]);
        if !self.may_improve(saved, chosen.len(), slots, &floors) {
            return;
        }
        for proposal in floors.proposals(&open) {
            self.try_out(left, saved, chosen, &proposal);
        }
        if !self.may_improve(saved, chosen.len(), slots, &floors) {
            return;
        }
        let rest = floors.saved_by(slots - 1);
        open.retain(|piece| saved + piece.takes + rest >= self.saved);
        for (at, piece) in open.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|before| open.get(before));
            let is_second_of_its_class = before.is_some_and(|before| piece.is_copy_of(before));
            if is_second_of_its_class || saved + piece.takes + rest < self.saved {
                continue;
            }
            let mut left = left.to_vec();
            let taken = piece.class.effect.apply(&mut left);
            self.offer_with(saved + taken, chosen, *piece);
            chosen.push(*piece);
            self.descend(&left, saved + taken, chosen, open.get(at + 1..).unwrap_or_default());
            chosen.pop();
        }
    }

    /// Whether more can be saved than by the best so far, or as much with fewer coupons.
    fn may_improve(&self, saved: u64, chosen: usize, slots: usize, floors: &Floors) -> bool {
        if saved + floors.saved_by(slots) > self.saved {
            return true;
        }
        let fewer = self.ranks.len().saturating_sub(1 + chosen).min(slots);
        fewer > 0 && saved + floors.saved_by(fewer) >= self.saved
    }

    fn try_out<'c>(&mut self, left: &[u64], saved: u64, chosen: &mut Vec<Piece<'c>>, more: &[Piece<'c>]) {
        let (count, mut left, mut saved) = (chosen.len(), left.to_vec(), saved);
        for piece in more {
            if chosen.iter().all(|other| piece.goes_with(other)) {
                saved += piece.class.effect.apply(&mut left);
                chosen.push(*piece);
            }
        }
        if let Some(last) = chosen.pop() {
            self.offer_with(saved, chosen, last);
        }
        chosen.truncate(count);
    }

    fn offer_with(&mut self, saved: u64, chosen: &[Piece], last: Piece) {
        let is_better = saved > self.saved || saved == self.saved && chosen.len() + 1 < self.ranks.len();
        if is_better {
            let ranks = chosen.iter().chain([&last]).map(|piece| piece.rank);
            (self.saved, self.ranks) = (saved, ranks.collect());
            self.ranks.sort_unstable();
        }
    }
}

/// The least that can be left of an order after 0, 1, … coupons: a bound, since it lets every coupon take from whatever
/// is left, as long as that was left of its own lines when the step began, and does not look at groups.
struct Floors {
    whole: u64,
    after: [Option<Floor>; MAX_COMBINED + 1],
}

#[derive(Debug, Clone, Copy)]
struct Floor {
    left: u64,
    /// The pieces that leave so little.
    picks: [Option<usize>; MAX_COMBINED],
}

impl Floors {
    /// After up to `slots` of `pieces`, which are in the order in which they are applied; those whose rank is in `must`
    /// are applied in any case. Less in front leaves less behind, so that the least after each number is enough to know.
    fn of(pieces: &[Piece], whole: u64, slots: usize, must: &[usize]) -> Self {
        let mut after = [None; MAX_COMBINED + 1];
        if let Some(none) = after.first_mut() {
            *none = Some(Floor { left: whole, picks: [None; MAX_COMBINED] });
        }
        for (at, piece) in pieces.iter().enumerate() {
            let is_a_must = must.contains(&piece.rank);
            for count in (0..slots).rev() {
                let Some([before, after]) = after.get_mut(count..count + 2) else { continue };
                let next = before.map(|before| before.with(at, count, piece));
                let is_less = match (&next, &after) {
                    (Some(next), Some(after)) => next.left < after.left,
                    (next, _) => next.is_some(),
                };
                if is_less || is_a_must {
                    *after = next;
                }
            }
            if is_a_must && let Some(none) = after.first_mut() {
                *none = None;
            }
        }
        Self { whole, after }
    }

    /// The most that `count` coupons or fewer can save.
    fn saved_by(&self, count: usize) -> u64 {
        let least = self.after.iter().take(count + 1).flatten().map(|floor| floor.left).min();
        self.whole - least.unwrap_or(self.whole)
    }

    /// The most that exactly `count` coupons can save, if there are as many.
    fn saved_by_exactly(&self, count: usize) -> Option<u64> {
        self.after.get(count).copied().flatten().map(|floor| self.whole - floor.left)
    }

    /// Which coupons leave so little, for each number of them.
    fn proposals<'c>(&self, pieces: &[Piece<'c>]) -> Vec<Vec<Piece<'c>>> {
        let picked =
            |floor: &Floor| floor.picks.iter().flatten().filter_map(|&at| pieces.get(at).copied()).collect();
        self.after.iter().skip(1).flatten().map(picked).collect()
    }
}

impl Floor {
    fn with(mut self, at: usize, count: usize, piece: &Piece) -> Self {
        self.left = piece.class.effect.leaves_at_least(self.left, piece.reach);
        if let Some(pick) = self.picks.get_mut(count) {
            *pick = Some(at);
        }
        self
    }
}

/// All combinations of `count` coupons that save `saved`.
struct Ties<'c> {
    /// In the order in which they are applied.
    pieces: &'c [Piece<'c>],
    amounts: &'c [u64],
    saved: u64,
    count: usize,
    steps: u32,
}

impl Ties<'_> {
    /// The first of them in the order of their ranks that begins with `chosen`.
    fn first(&mut self, chosen: &mut Vec<usize>) -> Option<Vec<usize>> {
        self.steps += 1;
        if self.steps > MAX_TIE_STEPS {
            return None;
        }
        if chosen.len() == self.count {
            return (self.saved_by(chosen) == self.saved).then(|| chosen.clone());
        }
        let is_chosen = |piece: &&Piece| chosen.contains(&piece.rank);
        let held: Vec<&Piece> = self.pieces.iter().filter(is_chosen).collect();
        let is_later = |piece: &Piece| chosen.last().is_none_or(|&last| piece.rank > last);
        let goes = |piece: &Piece| is_later(piece) && held.iter().all(|other| piece.goes_with(other));
        let possible = self.pieces.iter().filter(|piece| is_chosen(piece) || goes(piece));
        let possible: Vec<Piece> = possible.copied().collect();
        let floors = Floors::of(&possible, self.amounts.iter().sum(), self.count, chosen);
        if floors.saved_by_exactly(self.count)? < self.saved {
            return None;
        }
        let rest = floors.saved_by_exactly(self.count - 1).unwrap_or_default();
        let may_follow = |piece: &&Piece| goes(piece) && piece.takes + rest >= self.saved;
        let mut next: Vec<usize> = possible.iter().filter(may_follow).map(|piece| piece.rank).collect();
        next.sort_unstable();
        for rank in next {
            chosen.push(rank);
            let first = self.first(chosen);
            chosen.pop();
            if first.is_some() {
                return first;
            }
        }
        None
    }

    fn saved_by(&self, chosen: &[usize]) -> u64 {
        let mut left = self.amounts.to_vec();
        let chosen = self.pieces.iter().filter(|piece| chosen.contains(&piece.rank));
        chosen.map(|piece| piece.class.effect.apply(&mut left)).sum()
    }
}
