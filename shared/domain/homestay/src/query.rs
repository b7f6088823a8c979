use domain_ids::HomestayId;
use domain_money::Fen;
use domain_text::TextQuery;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Document, Facilities, Facility, GeoPoint, Ranking, RoomType};

/// Hits of one page at most.
pub const MAX_LIMIT: u16 = 100;

/// How many hits may be skipped by number; further on goes a [`Position`]. The bound of `OpenSearch` (`max_result_window`).
pub const MAX_OFFSET: u32 = 9_900;

/// Where the ranges of prices begin that facets count, in fen.
pub const PRICE_STEPS: [u64; 6] = [0, 10_000, 20_000, 30_000, 50_000, 100_000];

/// The least ratings that facets count, in hundredths of a star.
pub const RATING_STEPS: [u16; 3] = [400, 450, 480];

/// The numbers of guests that facets count.
pub const CAPACITY_STEPS: [u16; 5] = [1, 2, 4, 6, 10];

/// What is asked of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexQuery {
    /// The keyword; empty for all.
    pub text: TextQuery,
    /// How much of the keyword a document must have.
    pub matching: Match,
    /// What else it must be like.
    pub filters: Filters,
    /// Where the guest wants to be.
    pub near: Option<Near>,
    /// In which order.
    pub sort: Sort,
    /// What counts in the composite order.
    pub ranking: Ranking,
    /// From where on.
    pub start: Start,
    /// How many, 1 to [`MAX_LIMIT`].
    pub limit: u16,
    /// Whether to count facets.
    pub facets: bool,
    /// What is "new" is seen from here.
    pub now: Timestamp,
}

/// How much of a keyword a document must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// Every clause that weighs at least half, or all if none does.
    All,
    /// Two of three of those (rounded up).
    Most,
    /// Any clause.
    Any,
}

impl Match {
    /// How many of `clauses` a document must have.
    pub fn at_least(self, clauses: usize) -> usize {
        match self {
            Self::All => clauses,
            Self::Most => (clauses * 2).div_ceil(3),
            Self::Any => clauses.min(1),
        }
    }
}

/// Where a guest wants to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// There.
    pub point: GeoPoint,
    /// No further away than that many metres.
    pub radius_m: Option<f64>,
}

/// What a homestay must be like. An empty one lets everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// At least.
    pub min_price: Option<Fen>,
    /// At most.
    pub max_price: Option<Fen>,
    /// At least, in hundredths of a star.
    pub min_rating: Option<u16>,
    /// At most, in hundredths of a star.
    pub max_rating: Option<u16>,
    /// All of them.
    pub facilities: Facilities,
    /// One of them; empty for any.
    pub room_types: Vec<RoomType>,
    /// In this city.
    pub city: Option<String>,
    /// In this district.
    pub district: Option<String>,
    /// For at least so many guests.
    pub capacity: Option<u16>,
}

/// In which order. Equals are ordered by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// By [`Ranking`], best first.
    Composite,
    /// Cheapest first.
    PriceAsc,
    /// Dearest first.
    PriceDesc,
    /// Nearest first; needs [`IndexQuery::near`].
    Distance,
    /// Most stars first.
    Rating,
    /// Last created first.
    Newest,
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Composite, Self::PriceAsc, Self::PriceDesc, Self::Distance, Self::Rating, Self::Newest];

    /// Whether small keys come first.
    pub const fn is_ascending(self) -> bool {
        match self {
            Self::PriceAsc | Self::Distance => true,
            Self::Composite | Self::PriceDesc | Self::Rating | Self::Newest => false,
        }
    }
}

/// From where on hits are given.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// Behind the first so many, at most [`MAX_OFFSET`].
    Offset(u32),
    /// Behind this one.
    After(Position),
}

/// Where a hit stands in an order: a cursor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// What it was ordered by: the score, fen, metres, hundredths of a star, milliseconds since 1970.
    pub key: f64,
    /// Which homestay.
    pub id: HomestayId,
    /// Which state of the index the order is of, where an index keeps such states (point in time).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// How many there are in all.
    pub total: u64,
    /// Those asked for, in order.
    pub hits: Vec<Hit>,
    /// Counts, if they were asked for.
    pub facets: Option<Facets>,
}

/// One that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// As the index has it.
    pub document: Document,
    /// The composite score, or that of the text alone where the order is another one and the index does not tell.
    pub score: f32,
    /// Metres from where the guest wants to be.
    pub distance_m: Option<f64>,
    /// Where it stands.
    pub position: Position,
}

/// How many of what was found are what. Values that none has are left out; most first, then by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    /// By city, the 50 with most.
    pub cities: Vec<(String, u64)>,
    /// By district, the 50 with most.
    pub districts: Vec<(String, u64)>,
    /// By kind of room.
    pub room_types: Vec<(RoomType, u64)>,
    /// By facility; a homestay counts for each that it has.
    pub facilities: Vec<(Facility, u64)>,
    /// By price: one for each of [`PRICE_STEPS`], up to the next.
    pub prices: Vec<Bucket>,
    /// By rating: one for each of [`RATING_STEPS`], that or more.
    pub ratings: Vec<Bucket>,
    /// By guests: one for each of [`CAPACITY_STEPS`], that or more.
    pub capacities: Vec<Bucket>,
}

/// How many are in a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// From here on.
    pub from: u64,
    /// How many.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_is_two_of_three_rounded_up() {
        let most = |clauses| Match::Most.at_least(clauses);
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(most), [0, 1, 2, 2, 3, 4, 4]);
        assert_eq!((Match::All.at_least(3), Match::Any.at_least(3), Match::Any.at_least(0)), (3, 1, 0));
    }
}
