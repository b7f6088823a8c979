#![expect(clippy::float_arithmetic, reason = "relevance is an estimate; no money")]

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Document, Near, Rating};

/// How much each thing counts in the composite order. Operators change it while searches go on.
///
/// `composite = text × ln(2 + rating·r) × ln(2 + sales·s) × (floor + (1 − floor)·½^(distance / half)) × (1 + freshness·½^(age / half))`,
/// where `text` is the BM25 score of the keyword, or 1 without one; `r` and `s` are those of [`Quality`]; and the factor of
/// the distance is 1 when nobody says where. It is put together of what `OpenSearch` can compute without a script
/// (`field_value_factor` with `ln2p`, `exp` decay), so that every index orders alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Ranking {
    /// What stars count, 0 to 100.
    pub rating: f32,
    /// What sales count, 0 to 100.
    pub sales: f32,
    /// What is left of a homestay that is infinitely far, 0 to 1.
    pub distance_floor: f32,
    /// Metres after which half of the rest is left, 100 to 1,000,000.
    pub distance_half_m: u32,
    /// What being new counts, 0 to 100.
    pub freshness: f32,
    /// Days after which half of it is left, 1 to 3,650.
    pub freshness_half_days: u32,
    /// What a match counts, by where it is.
    pub boosts: Boosts,
}

/// What a match counts in each field, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Boosts {
    /// In the title.
    pub title: f32,
    /// In the subtitle.
    pub subtitle: f32,
    /// In [`Document::facts`].
    pub facts: f32,
    /// In the description.
    pub info: f32,
    /// Full pinyin, of title, subtitle and facts.
    pub pinyin: f32,
    /// Initials, of title, subtitle and facts.
    pub initials: f32,
}

/// The ranking cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is out of range")]
pub struct InvalidRanking(pub &'static str);

impl Default for Ranking {
    fn default() -> Self {
        Self {
            rating: 6.0,
            sales: 1.0,
            distance_floor: 0.1,
            distance_half_m: 3_000,
            freshness: 0.1,
            freshness_half_days: 90,
            boosts: Boosts::default(),
        }
    }
}

impl Default for Boosts {
    fn default() -> Self {
        Self { title: 5.0, subtitle: 2.0, facts: 3.0, info: 1.0, pinyin: 4.0, initials: 3.0 }
    }
}

impl Ranking {
    /// An error unless every weight is a number within its range.
    pub fn check(&self) -> Result<(), InvalidRanking> {
        let weights = [
            ("rating", self.rating),
            ("sales", self.sales),
            ("freshness", self.freshness),
            ("boosts/title", self.boosts.title),
            ("boosts/subtitle", self.boosts.subtitle),
            ("boosts/facts", self.boosts.facts),
            ("boosts/info", self.boosts.info),
            ("boosts/pinyin", self.boosts.pinyin),
            ("boosts/initials", self.boosts.initials),
        ];
        let wrong =
            weights.into_iter().find(|(_, weight)| !(0.0..=100.0).contains(weight)).map(|(name, _)| name);
        let wrong = wrong
            .or_else(|| (!(0.0..=1.0).contains(&self.distance_floor)).then_some("distanceFloor"))
            .or_else(|| (!(100..=1_000_000).contains(&self.distance_half_m)).then_some("distanceHalfM"))
            .or_else(|| (!(1..=3_650).contains(&self.freshness_half_days)).then_some("freshnessHalfDays"));
        wrong.map_or(Ok(()), |name| Err(InvalidRanking(name)))
    }

    /// The factor of the stars.
    pub fn rating_factor(&self, quality: Quality) -> f32 {
        self.rating.mul_add(quality.rating, 2.0).ln()
    }

    /// The factor of the sales.
    pub fn sales_factor(&self, quality: Quality) -> f32 {
        self.sales.mul_add(quality.sales, 2.0).ln()
    }

    /// The factor of `metres` from where the guest wants to be.
    #[expect(clippy::cast_possible_truncation, reason = "an estimate")]
    pub fn distance_factor(&self, metres: f64) -> f32 {
        let left = ((-metres / f64::from(self.distance_half_m)) as f32).exp2();
        (1.0 - self.distance_floor).mul_add(left, self.distance_floor)
    }

    /// The factor of being `created_at` then.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn freshness_factor(&self, created_at: Timestamp, now: Timestamp) -> f32 {
        const MS_A_DAY: f32 = 86_400_000.0;
        let age_ms = (now.as_millisecond() - created_at.as_millisecond()).max(0) as f32;
        self.freshness.mul_add((-age_ms / MS_A_DAY / self.freshness_half_days as f32).exp2(), 1.0)
    }

    /// Everything but the text, multiplied.
    pub fn factor(&self, document: &Document, near: Option<&Near>, now: Timestamp) -> f32 {
        let quality = Quality::of(document);
        let distance =
            near.map_or(1.0, |near| self.distance_factor(near.point.distance_m(document.location)));
        self.rating_factor(quality)
            * self.sales_factor(quality)
            * distance
            * self.freshness_factor(document.created_at, now)
    }
}

/// What speaks for a homestay before anybody has asked for anything; stored with it in the index.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// 0 to 1: the stars, as far as there are enough ratings to believe them.
    pub rating: f32,
    /// 0 to 1: the logarithm of the nights sold, 1 at ten thousand.
    pub sales: f32,
}

impl Quality {
    /// That of a document.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn of(document: &Document) -> Self {
        let sales = (document.sales as f32).ln_1p() / 10_000_f32.ln_1p();
        Self { rating: believable(document.rating), sales: sales.min(1.0) }
    }
}

/// The Bayesian mean: as if so many guests had given so many stars before the first rating. Three stars and less are 0.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn believable(rating: Rating) -> f32 {
    const GUESTS: f32 = 10.0;
    const STARS: f32 = 3.8;
    let count = rating.count as f32;
    let stars = f32::from(rating.hundredths) / 100.0;
    ((stars.mul_add(count, GUESTS * STARS) / (GUESTS + count) - 3.0) / 2.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{GeoPoint, fixtures};

    fn rated(hundredths: u16, count: u32) -> f32 {
        believable(Rating { hundredths, count })
    }

    #[test]
    fn many_good_ratings_are_worth_more_than_one_perfect_one() {
        assert!(rated(480, 200) > rated(500, 1));
        assert!(rated(500, 1) > rated(0, 0));
        assert!(rated(0, 0) > rated(300, 50));
    }

    #[test]
    fn nearer_is_better_and_half_is_left_after_the_half_distance() {
        let ranking = Ranking { distance_floor: 0.0, distance_half_m: 1_000, ..Ranking::default() };
        assert!((ranking.distance_factor(1_000.0) - 0.5).abs() < 1e-6);
        assert!(ranking.distance_factor(10.0) > ranking.distance_factor(11.0));
    }

    #[test]
    fn a_weight_out_of_range_is_named() {
        assert_eq!(Ranking::default().check(), Ok(()));
        let boosts = Boosts { info: f32::NAN, ..Boosts::default() };
        assert_eq!(Ranking { boosts, ..Ranking::default() }.check(), Err(InvalidRanking("boosts/info")));
        let ranking = Ranking { distance_half_m: 0, ..Ranking::default() };
        assert_eq!(ranking.check(), Err(InvalidRanking("distanceHalfM")));
    }

    proptest! {
        #[test]
        fn a_factor_is_positive_and_finite(
            hundredths in 0_u16..=500, count: u32, sales: u32, lat in -90.0..90.0, lon in -180.0..180.0,
        ) {
            let mut document = Document::of(&fixtures::homestay("h-1"));
            document.rating = Rating { hundredths, count };
            document.sales = sales;
            let near = Near { point: GeoPoint::new(lat, lon).unwrap(), radius_m: None };
            let factor = Ranking::default().factor(&document, Some(&near), fixtures::NOW);
            prop_assert!(factor.is_finite() && factor > 0.0);
        }
    }
}
