//! Homestays and queries to try an index with.

use domain_homestay::{
    Change, Document, Facilities, Filters, GeoPoint, IndexQuery, Match, Ranking, Rating, RoomType, Sort,
    Start, Version,
};
use domain_ids::HomestayId;
use domain_money::Fen;
use domain_text::{Analyzer, Synonyms};
use jiff::Timestamp;

/// The present of all scenarios.
pub const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

/// The analysis.
pub fn analyzer() -> Analyzer {
    Analyzer::new()
}

/// `name` as an id.
///
/// # Panics
///
/// If it is none.
pub fn id(name: &str) -> HomestayId {
    name.parse().unwrap_or_else(|_| panic!("{name} is no id"))
}

/// A homestay like many: in Beijing, without ratings or anything else that it would be found or preferred for.
///
/// # Panics
///
/// If `name` is no id.
pub fn document(name: &str) -> Document {
    Document {
        id: id(name),
        host: "host".parse().unwrap_or_else(|_| panic!("host is an id")),
        title: "普通".to_owned(),
        subtitle: String::new(),
        info: String::new(),
        location: at(39.9, 116.4),
        city: "北京".to_owned(),
        district: "东城区".to_owned(),
        price: Fen::new(20_000),
        rating: Rating::default(),
        sales: 0,
        room_type: RoomType::Entire,
        capacity: 2,
        facilities: Facilities::new(),
        cover: String::new(),
        created_at: NOW,
    }
}

/// A place on Earth.
///
/// # Panics
///
/// If it is none.
pub fn at(lat: f64, lon: f64) -> GeoPoint {
    GeoPoint::new(lat, lon).unwrap_or_else(|_| panic!("{lat}, {lon} is no place"))
}

/// `document` was published, as of that version.
pub fn put(document: Document, version: u64) -> Change {
    Change { id: document.id.clone(), version: Version::from_stored(version), document: Some(document) }
}

/// It is not to be found any more, as of that version.
pub fn gone(name: &str, version: u64) -> Change {
    Change { id: id(name), version: Version::from_stored(version), document: None }
}

/// A query that finds everything, the newest first.
pub fn everything() -> IndexQuery {
    IndexQuery {
        text: domain_text::TextQuery::default(),
        matching: Match::All,
        filters: Filters::default(),
        near: None,
        sort: Sort::Newest,
        ranking: Ranking::default(),
        start: Start::Offset(0),
        limit: 100,
        facets: false,
        now: NOW,
    }
}

/// A query for `keyword`, the best first.
pub fn text(keyword: &str) -> IndexQuery {
    let text = analyzer().query(keyword, &Synonyms::default());
    IndexQuery { text, sort: Sort::Composite, ..everything() }
}
