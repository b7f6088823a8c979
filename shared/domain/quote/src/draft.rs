use std::ops::RangeInclusive;

use domain_coupon::limits;
use domain_ids::{HomestayId, HostId, OrderId};
use domain_money::Fen;
use jiff::civil::Date;

/// Lines of an order: a long journey is a dozen stays. One bit each in a `u64`.
pub const MAX_LINES: usize = 50;

/// Fen of a line: ten million yuan.
const AMOUNTS: RangeInclusive<u64> = 1..=limits::AMOUNT_FEN;

/// An order as the guest is putting it together: 1 to [`MAX_LINES`] lines, each sensible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderDraft {
    order: Option<OrderId>,
    first_order: bool,
    /// In an order of their own, so that nothing depends on that of the caller.
    lines: Vec<Line>,
    /// Where the caller had each of them.
    positions: Vec<usize>,
}

/// One stay of an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Where.
    pub homestay: HomestayId,
    /// Whose.
    pub host: HostId,
    /// In which city, by the name that templates use too; 1 to [`limits::CITY_CHARS`] characters.
    pub city: String,
    /// The first day, in the business's time (Asia/Shanghai).
    pub check_in: Date,
    /// The last day, after the first.
    pub check_out: Date,
    /// What it costs without coupons, 1 to [`limits::AMOUNT_FEN`] fen.
    pub amount: Fen,
}

/// One thing that is wrong with a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DraftViolation {
    /// The line at fault, counted from 0; `None` for the lines as a whole.
    pub line: Option<usize>,
    /// The field of the line, as the API spells it.
    pub field: &'static str,
    /// What it must be.
    pub must: &'static str,
}

/// Everything that is wrong with a draft.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} field(s) of the draft are not valid", .0.len())]
pub struct InvalidDraft(pub Vec<DraftViolation>);

impl OrderDraft {
    /// A draft of these lines. With `order`, coupons that this order holds count as free; `first_order` says that the
    /// guest has ordered nothing before.
    pub fn new(order: Option<OrderId>, first_order: bool, lines: Vec<Line>) -> Result<Self, InvalidDraft> {
        let mut wrong: Vec<DraftViolation> =
            lines.iter().enumerate().flat_map(|(at, line)| line.violations(at)).collect();
        if !(1..=MAX_LINES).contains(&lines.len()) {
            wrong.push(DraftViolation { line: None, field: "lines", must: "must be 1 to 50 lines" });
        }
        if !wrong.is_empty() {
            return Err(InvalidDraft(wrong));
        }
        let mut sorted: Vec<(Line, usize)> =
            lines.into_iter().enumerate().map(|(at, line)| (line, at)).collect();
        sorted.sort();
        let (lines, positions) = sorted.into_iter().unzip();
        Ok(Self { order, first_order, lines, positions })
    }

    /// The same draft for `order`.
    #[must_use]
    pub fn of_order(self, order: OrderId) -> Self {
        Self { order: Some(order), ..self }
    }

    /// The order it becomes, if that has an id yet.
    pub fn order(&self) -> Option<&OrderId> {
        self.order.as_ref()
    }

    /// Whether the guest has ordered nothing before.
    pub fn is_first_order(&self) -> bool {
        self.first_order
    }

    /// What it costs without coupons.
    pub fn total(&self) -> Fen {
        Fen::new(self.lines.iter().map(|line| line.amount.get()).sum())
    }

    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(crate) fn amounts(&self) -> Vec<u64> {
        self.lines.iter().map(|line| line.amount.get()).collect()
    }

    /// Amounts by line, put where the caller had the lines.
    pub(crate) fn in_callers_order(&self, amounts: impl IntoIterator<Item = u64>) -> Vec<Fen> {
        let mut placed: Vec<(usize, u64)> = self.positions.iter().copied().zip(amounts).collect();
        placed.sort_unstable();
        placed.into_iter().map(|(_, amount)| Fen::new(amount)).collect()
    }
}

impl Line {
    fn violations(&self, at: usize) -> Vec<DraftViolation> {
        let city = (1..=limits::CITY_CHARS).contains(&self.city.chars().count())
            && !self.city.chars().any(char::is_control)
            && self.city.trim() == self.city;
        let checks = [
            (city, "city", "must be 1 to 50 characters, without control characters or space around it"),
            (self.check_in < self.check_out, "checkOut", "must be after checkIn"),
            (AMOUNTS.contains(&self.amount.get()), "amountFen", "must be 1 to 1000000000"),
        ];
        let wrong = checks.into_iter().filter(|(holds, ..)| !holds);
        wrong.map(|(_, field, must)| DraftViolation { line: Some(at), field, must }).collect()
    }
}

/// Some lines of a draft, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LineSet(u64);

impl LineSet {
    /// Those of `lines` that `belong`.
    pub fn of(lines: &[Line], belongs: impl Fn(&Line) -> bool) -> Self {
        Self(lines.iter().rev().fold(0, |set, line| set << 1 | u64::from(belongs(line))))
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The sum of what is in the set. The sum of fifty lines is far below 2^64.
    pub fn sum(self, amounts: &[u64]) -> u64 {
        // All ones or all zeros instead of a branch: half of a search's time is spent here.
        let masked = |(line, amount): (usize, &u64)| amount & (self.0 >> line & 1).wrapping_neg();
        amounts.iter().enumerate().map(masked).sum()
    }

    /// What is in the set, with its line.
    pub fn members(self, amounts: &mut [u64]) -> impl Iterator<Item = (usize, &mut u64)> {
        amounts.iter_mut().enumerate().filter(move |(line, _)| self.0 >> line & 1 == 1)
    }
}
