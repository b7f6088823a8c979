use domain_homestay::{Change, Document, Facility, Quality, Ranking, RoomType};
use domain_ids::HomestayId;
use domain_text::{Analysed, Analyzer, completion_keys};
use serde::Serialize;

/// What is indexed of a homestay. Its text is words with spaces between, which is all that the domain has to know of it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Indexed<'a> {
    Found(Box<Found<'a>>),
    Gone { id: &'a HomestayId, version: u64, visible: bool },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Found<'a> {
    id: &'a HomestayId,
    version: u64,
    visible: bool,
    title: String,
    subtitle: String,
    facts: String,
    info: String,
    pinyin: String,
    initials: String,
    words: Vec<String>,
    completion_keys: Vec<String>,
    location: Point,
    #[serde(skip_serializing_if = "str::is_empty")]
    city: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    district: &'a str,
    price_fen: u64,
    rating_hundredths: u16,
    room_type: RoomType,
    capacity: u16,
    facilities: Vec<Facility>,
    created_at_ms: i64,
    rating_quality: f32,
    sales_quality: f32,
    quality: f32,
    doc: &'a Document,
}

#[derive(Debug, Serialize)]
struct Point {
    lat: f64,
    lon: f64,
}

/// Bytes of a keyword at most: Lucene refuses those longer than 32,766. Words are a few characters.
const KEYWORD_BYTES: usize = 512;

impl<'a> Indexed<'a> {
    /// What is indexed of `change`.
    pub(crate) fn of(change: &'a Change, analyzer: Analyzer) -> Self {
        let version = change.version.get();
        let Some(document) = &change.document else {
            return Self::Gone { id: &change.id, version, visible: false };
        };
        let facts = analyzer.document(&document.facts());
        let (title, subtitle) = (analyzer.document(&document.title), analyzer.document(&document.subtitle));
        let short = [&title, &subtitle, &facts];
        let mut words: Vec<String> = [&title, &facts]
            .into_iter()
            .flat_map(|text| text.words.iter().map(|word| word.text.clone()))
            .collect();
        words.sort_unstable();
        words.dedup();
        words.retain(|word| word.len() <= KEYWORD_BYTES);
        let mut completion_keys = completion_keys(&document.title);
        completion_keys.retain(|key| key.len() <= KEYWORD_BYTES);
        let quality = Quality::of(document);
        Self::Found(Box::new(Found {
            id: &change.id,
            version,
            visible: true,
            title: spaced(title.words.iter().map(|word| word.text.as_str())),
            subtitle: spaced(subtitle.words.iter().map(|word| word.text.as_str())),
            facts: spaced(facts.words.iter().map(|word| word.text.as_str())),
            info: spaced(analyzer.words(&document.info).iter().map(|word| word.text.as_str())),
            pinyin: all(short, |text| &text.pinyin),
            initials: all(short, |text| &text.initials),
            words,
            completion_keys,
            location: Point { lat: document.location.lat(), lon: document.location.lon() },
            city: &document.city,
            district: &document.district,
            price_fen: document.price.get(),
            rating_hundredths: document.rating.hundredths,
            room_type: document.room_type,
            capacity: document.capacity,
            facilities: document.facilities.iter().copied().collect(),
            created_at_ms: document.created_at.as_millisecond(),
            rating_quality: quality.rating,
            sales_quality: quality.sales,
            quality: standing(quality),
            doc: document,
        }))
    }
}

/// What titles are ordered by while one is being typed: what counts before anybody has asked for anything.
#[expect(clippy::float_arithmetic, reason = "an estimate")]
fn standing(quality: Quality) -> f32 {
    let ranking = Ranking::default();
    ranking.rating_factor(quality) * ranking.sales_factor(quality)
}

fn all<'a>(texts: [&'a Analysed; 3], terms: impl Fn(&'a Analysed) -> &'a Vec<String>) -> String {
    spaced(texts.into_iter().flat_map(|text| terms(text).iter().map(String::as_str)))
}

fn spaced<'a>(terms: impl Iterator<Item = &'a str>) -> String {
    terms.collect::<Vec<_>>().join(" ")
}
