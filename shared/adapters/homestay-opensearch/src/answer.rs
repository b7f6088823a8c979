use domain_homestay::{Bucket, Document, Facets, Facility, Found, Hit, IndexQuery, Position, RoomType};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::mark::Mark;

/// What a search answers.
#[derive(Debug, Deserialize)]
#[serde(bound = "S: DeserializeOwned")]
pub(crate) struct Answer<S> {
    #[serde(default)]
    pit_id: Option<String>,
    pub(crate) hits: Hits<S>,
    #[serde(default)]
    aggregations: Option<Aggregations>,
}

#[derive(Debug, Deserialize)]
#[serde(bound = "S: DeserializeOwned")]
pub(crate) struct Hits<S> {
    #[serde(default)]
    total: Option<Total>,
    pub(crate) hits: Vec<RawHit<S>>,
}

#[derive(Debug, Deserialize)]
struct Total {
    value: u64,
}

#[derive(Debug, Deserialize)]
#[serde(bound = "S: DeserializeOwned")]
pub(crate) struct RawHit<S> {
    #[serde(rename = "_id")]
    pub(crate) id: String,
    #[serde(rename = "_score", default)]
    score: Option<f32>,
    #[serde(rename = "_source")]
    pub(crate) source: S,
    #[serde(default)]
    sort: Vec<Value>,
}

/// What is kept of a homestay to be shown.
#[derive(Debug, Deserialize)]
pub(crate) struct Stored {
    doc: Document,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Aggregations {
    cities: Terms<String>,
    districts: Terms<String>,
    room_types: Terms<RoomType>,
    facilities: Terms<Facility>,
    prices: Ranges,
    ratings: Ranges,
    capacities: Ranges,
}

#[derive(Debug, Deserialize)]
#[serde(bound = "K: DeserializeOwned")]
struct Terms<K> {
    buckets: Vec<TermCount<K>>,
}

#[derive(Debug, Deserialize)]
struct TermCount<K> {
    key: K,
    doc_count: u64,
}

#[derive(Debug, Deserialize)]
struct Ranges {
    buckets: Vec<RangeCount>,
}

#[derive(Debug, Deserialize)]
struct RangeCount {
    from: f64,
    doc_count: u64,
}

/// How often each word is.
#[derive(Debug, Deserialize)]
pub(crate) struct WordsAnswer {
    aggregations: WordCounts,
}

#[derive(Debug, Deserialize)]
struct WordCounts {
    words: Terms<String>,
}

impl Answer<Stored> {
    /// What was found by `query`.
    pub(crate) fn found(self, query: &IndexQuery) -> Found {
        let Self { pit_id, hits, aggregations } = self;
        Found {
            total: hits.total.map_or(0, |total| total.value),
            hits: hits.hits.into_iter().map(|hit| hit.read(query, pit_id.as_deref())).collect(),
            facets: aggregations.map(Aggregations::read),
        }
    }
}

impl RawHit<Stored> {
    fn read(self, query: &IndexQuery, snapshot: Option<&str>) -> Hit {
        let Self { score, source: Stored { doc: document }, sort, .. } = self;
        // By id alone where the order has no key.
        let key = sort.first().and_then(Value::as_f64).unwrap_or_default();
        Hit {
            score: score.unwrap_or_default(),
            distance_m: query.near.map(|near| near.point.distance_m(document.location)),
            position: Position { key, id: document.id.clone(), snapshot: Some(Mark::text(key, snapshot)) },
            document,
        }
    }
}

impl Aggregations {
    fn read(self) -> Facets {
        Facets {
            cities: self.cities.read(),
            districts: self.districts.read(),
            room_types: self.room_types.read(),
            facilities: self.facilities.read(),
            prices: self.prices.read(),
            ratings: self.ratings.read(),
            capacities: self.capacities.read(),
        }
    }
}

impl<K> Terms<K> {
    fn read(self) -> Vec<(K, u64)> {
        let counts = self.buckets.into_iter().filter(|bucket| bucket.doc_count > 0);
        counts.map(|bucket| (bucket.key, bucket.doc_count)).collect()
    }
}

impl Ranges {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the steps that were asked for"
    )]
    fn read(self) -> Vec<Bucket> {
        let counts = self.buckets.into_iter();
        counts.map(|bucket| Bucket { from: bucket.from as u64, count: bucket.doc_count }).collect()
    }
}

impl WordsAnswer {
    pub(crate) fn read(self) -> Vec<(String, u32)> {
        let words = self.aggregations.words.read().into_iter();
        words.map(|(word, count)| (word, u32::try_from(count).unwrap_or(u32::MAX))).collect()
    }
}
