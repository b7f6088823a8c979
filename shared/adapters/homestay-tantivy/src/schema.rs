use std::cell::RefCell;
use std::collections::BTreeSet;

use domain_homestay::{Change, Document, Facility, Quality, Ranking, RoomType};
use domain_text::{Analysed, Analyzer, completion_keys};
use serde::{Deserialize, Serialize};
use tantivy::TantivyDocument;
use tantivy::schema::{
    Field, IndexRecordOption, NumericOptions, STORED, Schema, TextFieldIndexing, TextOptions,
};

/// Raised when what is written here, or what the analysis makes of text, changes: an index of another version is rebuilt.
const VERSION: u32 = 2;

/// Written beside an index: what must be the same for it to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Marker {
    version: u32,
    /// Stored by their place in these lists.
    room_types: Vec<String>,
    facilities: Vec<String>,
}

impl Marker {
    pub fn current() -> Self {
        Self {
            version: VERSION,
            room_types: RoomType::ALL.iter().map(|room_type| room_type.name().to_owned()).collect(),
            facilities: Facility::ALL.iter().map(|facility| facility.name().to_owned()).collect(),
        }
    }
}

/// Names of the columns.
pub(crate) mod column {
    pub const ID: &str = "id";
    pub const VERSION: &str = "version";
    pub const VISIBLE: &str = "visible";
    pub const NAME: &str = "name";
    pub const LAT: &str = "lat";
    pub const LON: &str = "lon";
    pub const PRICE: &str = "price";
    pub const RATING: &str = "rating";
    pub const CAPACITY: &str = "capacity";
    pub const ROOM_TYPE: &str = "room_type";
    pub const FACILITIES: &str = "facilities";
    pub const CITY: &str = "city";
    pub const DISTRICT: &str = "district";
    pub const CREATED: &str = "created";
    pub const QUALITY_RATING: &str = "quality_rating";
    pub const QUALITY_SALES: &str = "quality_sales";
}

/// The fields of a document in the index.
///
/// Of what is gone only the id, the version and that it is not visible are held.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    pub schema: Schema,
    pub id: Field,
    version: Field,
    visible: Field,
    pub title: Field,
    pub subtitle: Field,
    pub facts: Field,
    pub info: Field,
    pub pinyin: Field,
    pub initials: Field,
    pub completion: Field,
    /// The first characters of those: what is typed first begins far too many of them to look at each.
    pub opening: Field,
    name: Field,
    lat: Field,
    lon: Field,
    price: Field,
    rating: Field,
    capacity: Field,
    room_type: Field,
    facilities: Field,
    city: Field,
    district: Field,
    created: Field,
    quality_rating: Field,
    quality_sales: Field,
    pub document: Field,
}

impl Fields {
    pub fn new() -> Self {
        let mut schema = Schema::builder();
        let indexing =
            |name, option| TextFieldIndexing::default().set_tokenizer(name).set_index_option(option);
        // Terms have no positions: nothing asks for phrases. Lengths are kept, BM25 asks for them.
        let words =
            TextOptions::default().set_indexing_options(indexing("whitespace", IndexRecordOption::WithFreqs));
        let key = TextOptions::default()
            .set_indexing_options(indexing("raw", IndexRecordOption::Basic).set_fieldnorms(false));
        let text = TextOptions::default().set_fast("raw");
        let number = NumericOptions::default().set_fast();
        Self {
            id: schema.add_text_field(column::ID, key.clone().set_fast("raw")),
            version: schema.add_u64_field(column::VERSION, number.clone()),
            visible: schema.add_u64_field(column::VISIBLE, number.clone()),
            title: schema.add_text_field("title", words.clone()),
            subtitle: schema.add_text_field("subtitle", words.clone()),
            facts: schema.add_text_field("facts", words.clone()),
            info: schema.add_text_field("info", words.clone()),
            pinyin: schema.add_text_field("pinyin", words.clone()),
            initials: schema.add_text_field("initials", words),
            completion: schema.add_text_field("completion", key.clone()),
            opening: schema.add_text_field("opening", key),
            name: schema.add_text_field(column::NAME, text.clone()),
            lat: schema.add_i64_field(column::LAT, number.clone()),
            lon: schema.add_i64_field(column::LON, number.clone()),
            price: schema.add_u64_field(column::PRICE, number.clone()),
            rating: schema.add_u64_field(column::RATING, number.clone()),
            capacity: schema.add_u64_field(column::CAPACITY, number.clone()),
            room_type: schema.add_u64_field(column::ROOM_TYPE, number.clone()),
            facilities: schema.add_u64_field(column::FACILITIES, number.clone()),
            city: schema.add_text_field(column::CITY, text.clone()),
            district: schema.add_text_field(column::DISTRICT, text),
            created: schema.add_i64_field(column::CREATED, number.clone()),
            quality_rating: schema.add_f64_field(column::QUALITY_RATING, number.clone()),
            quality_sales: schema.add_f64_field(column::QUALITY_SALES, number),
            document: schema.add_bytes_field("document", STORED),
            schema: schema.build(),
        }
    }

    /// `change` as the index holds it.
    pub fn entry(&self, analyzer: Analyzer, change: &Change) -> Result<TantivyDocument, serde_json::Error> {
        let mut entry = TantivyDocument::default();
        entry.add_text(self.id, change.id.as_str());
        entry.add_u64(self.version, change.version.get());
        entry.add_u64(self.visible, u64::from(change.document.is_some()));
        if let Some(document) = &change.document {
            self.add(&mut entry, analyzer, document)?;
        }
        Ok(entry)
    }

    fn add_completions(&self, entry: &mut TantivyDocument, title: &str) {
        let keys: BTreeSet<String> = completion_keys(title).into_iter().collect();
        let openings: BTreeSet<&str> = keys.iter().flat_map(|key| openings(key)).collect();
        for opening in openings {
            entry.add_text(self.opening, opening);
        }
        for key in &keys {
            entry.add_text(self.completion, key);
        }
    }

    fn add(
        &self,
        entry: &mut TantivyDocument,
        analyzer: Analyzer,
        document: &Document,
    ) -> Result<(), serde_json::Error> {
        let facts = document.facts();
        let mut pinyin = Vec::new();
        let mut initials = Vec::new();
        for (field, text) in
            [(self.title, &document.title), (self.subtitle, &document.subtitle), (self.facts, &facts)]
        {
            let Analysed { words, pinyin: full, initials: short } = analyzer.document(text);
            add_terms(entry, field, words.into_iter().map(|word| word.text));
            pinyin.extend(full);
            initials.extend(short);
        }
        add_terms(entry, self.pinyin, pinyin);
        add_terms(entry, self.initials, initials);
        add_terms(entry, self.info, analyzer.words(&document.info).into_iter().map(|word| word.text));
        self.add_completions(entry, &document.title);

        entry.add_text(self.name, &document.title);
        entry.add_i64(self.lat, i64::from(micro(document.location.lat())));
        entry.add_i64(self.lon, i64::from(micro(document.location.lon())));
        entry.add_u64(self.price, document.price.get());
        entry.add_u64(self.rating, document.rating.hundredths.into());
        entry.add_u64(self.capacity, document.capacity.into());
        entry.add_u64(self.room_type, room_type(document.room_type).into());
        entry.add_u64(self.facilities, facilities(&document.facilities).into());
        entry.add_text(self.city, &document.city);
        entry.add_text(self.district, &document.district);
        entry.add_i64(self.created, document.created_at.as_millisecond());
        let quality = Quality::of(document);
        entry.add_f64(self.quality_rating, quality.rating.into());
        entry.add_f64(self.quality_sales, quality.sales.into());
        thread_local! {
            static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        BUFFER.with_borrow_mut(|json| {
            json.clear();
            serde_json::to_writer(&mut *json, document)?;
            entry.add_bytes(self.document, json);
            Ok(())
        })
    }
}

/// Terms have no spaces in them, so they are given with spaces between them; the engine would write pre-tokenized text as
/// JSON and read it again.
fn add_terms(entry: &mut TantivyDocument, field: Field, terms: impl IntoIterator<Item = String>) {
    let terms: Vec<String> = terms.into_iter().collect();
    if !terms.is_empty() {
        entry.add_text(field, terms.join(" "));
    }
}

/// Characters of a completion's key that are an [`Fields::opening`].
pub(crate) const OPENING_CHARS: usize = 4;

/// The beginnings of `key` of up to [`OPENING_CHARS`] characters.
fn openings(key: &str) -> impl Iterator<Item = &str> {
    let ends = key.char_indices().map(|(start, ch)| start + ch.len_utf8()).take(OPENING_CHARS);
    ends.filter_map(|end| key.get(..end))
}

/// Degrees in millionths, which is what a `GeoPoint` knows.
#[expect(clippy::cast_possible_truncation, clippy::float_arithmetic, reason = "180 million fits")]
pub(crate) fn micro(degrees: f64) -> i32 {
    (degrees * 1e6).round() as i32
}

/// The place of `wanted` in the list of all.
pub(crate) fn room_type(wanted: RoomType) -> u8 {
    (0..).zip(RoomType::ALL).find(|(_, other)| **other == wanted).map_or(u8::MAX, |(place, _)| place)
}

/// One bit for each of `wanted`, by its place in the list of all.
pub(crate) fn facilities<'a>(wanted: impl IntoIterator<Item = &'a Facility>) -> u32 {
    let bit = |wanted: &Facility| {
        (0_u32..).zip(Facility::ALL).find(|(_, other)| *other == wanted).map_or(0, |(place, _)| 1 << place)
    };
    wanted.into_iter().map(bit).fold(0, |all, bit| all | bit)
}

/// What a homestay is worth when nobody asks for anything in particular: the order of suggestions.
#[expect(clippy::float_arithmetic, reason = "an estimate; no money")]
pub(crate) fn standing(ranking: &Ranking, quality: Quality) -> f32 {
    ranking.rating_factor(quality) * ranking.sales_factor(quality)
}

const _: () = assert!(Facility::ALL.len() <= 32 && RoomType::ALL.len() <= 32, "bits of a column");
