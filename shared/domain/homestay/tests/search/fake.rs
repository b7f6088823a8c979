//! An index in memory, as plain as can be: every document is looked at.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use domain_homestay::{
    Document, Facets, Filters, Found, GeoPoint, Hit, IndexError, IndexQuery, Position, Rating, RoomType,
    SearchIndex, Sort, Start, TitleFound,
};
use domain_money::Fen;
use domain_text::{Alternative, Analysed, Analyzer, Clause, Prefix, TermKind, TextQuery};
use jiff::{SignedDuration, Timestamp};

pub const NOW: Timestamp = Timestamp::constant(1_794_326_400, 0);

#[derive(Default)]
pub struct FakeIndex {
    documents: Mutex<Vec<(Document, [Analysed; 3])>>,
    pub queries: Mutex<Vec<IndexQuery>>,
    pub word_calls: Mutex<usize>,
    pub is_down: AtomicBool,
    analyzer: Analyzer,
}

/// A homestay of Beijing.
pub fn document(id: &str, title: &str) -> Document {
    Document {
        id: id.parse().unwrap(),
        host: "host".parse().unwrap(),
        title: title.to_owned(),
        subtitle: String::new(),
        info: String::new(),
        location: GeoPoint::new(39.936, 116.4546).unwrap(),
        city: "北京".to_owned(),
        district: "朝阳区".to_owned(),
        price: Fen::new(29_900),
        rating: Rating { hundredths: 480, count: 12 },
        sales: 30,
        room_type: RoomType::Entire,
        capacity: 2,
        facilities: domain_homestay::Facilities::new(),
        cover: String::new(),
        created_at: NOW - SignedDuration::from_hours(24 * 40),
    }
}

impl FakeIndex {
    pub fn of(documents: impl IntoIterator<Item = Document>) -> Self {
        let index = Self::default();
        for document in documents {
            index.add(document);
        }
        index
    }

    /// `count` homestays of each title.
    pub fn titled(titles: &[(&str, usize)]) -> Self {
        let numbered = titles.iter().enumerate().flat_map(|(nth, (title, count))| {
            (0..*count).map(move |number| document(&format!("h-{nth}-{number}"), title))
        });
        Self::of(numbered)
    }

    pub fn add(&self, document: Document) {
        let analysed =
            [&document.title, &document.facts(), &document.info].map(|text| self.analyzer.document(text));
        self.documents.lock().unwrap().push((document, analysed));
    }

    pub fn calls(&self) -> usize {
        self.queries.lock().unwrap().len()
    }

    fn answer<T>(&self, value: T) -> Result<T, IndexError> {
        if self.is_down.load(Relaxed) { Err(IndexError::Unavailable("injected".into())) } else { Ok(value) }
    }
}

impl SearchIndex for FakeIndex {
    async fn search(&self, query: &IndexQuery) -> Result<Found, IndexError> {
        self.queries.lock().unwrap().push(query.clone());
        let documents = self.documents.lock().unwrap();
        let mut hits: Vec<Hit> = documents
            .iter()
            .filter(|(document, _)| passes(document, &query.filters))
            .filter_map(|(document, analysed)| hit(document, analysed, query))
            .collect();
        let order = |a: &Position, b: &Position| {
            let keys = a.key.total_cmp(&b.key);
            let keys = if query.sort.is_ascending() { keys } else { keys.reverse() };
            keys.then_with(|| a.id.cmp(&b.id))
        };
        hits.sort_by(|a, b| order(&a.position, &b.position));
        let total = hits.len() as u64;
        let facets = query.facets.then(|| facets(&hits));
        match &query.start {
            Start::Offset(offset) => drop(hits.drain(..(*offset as usize).min(hits.len()))),
            Start::After(after) => hits.retain(|hit| order(&hit.position, after) == Ordering::Greater),
        }
        hits.truncate(query.limit.into());
        self.answer(Found { total, hits, facets })
    }

    async fn titles(&self, typed: &Prefix, limit: usize) -> Result<Vec<TitleFound>, IndexError> {
        let documents = self.documents.lock().unwrap();
        let found = documents.iter().filter(|(document, _)| typed.matches(&document.title)).take(limit);
        self.answer(
            found
                .map(|(document, _)| TitleFound { id: document.id.clone(), title: document.title.clone() })
                .collect(),
        )
    }

    async fn words(&self, limit: usize) -> Result<Vec<(String, u32)>, IndexError> {
        *self.word_calls.lock().unwrap() += 1;
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for (_, [title, facts, _]) in &*self.documents.lock().unwrap() {
            let mut words: Vec<&str> =
                title.words.iter().chain(&facts.words).map(|word| word.text.as_str()).collect();
            words.sort_unstable();
            words.dedup();
            for word in words {
                *counts.entry(word.to_owned()).or_default() += 1;
            }
        }
        // The most frequent ones: what one or two homestays have falls behind the limit of a real index.
        counts.retain(|_, count| *count > 2);
        self.answer(counts.into_iter().take(limit).collect())
    }
}

fn passes(document: &Document, filters: &Filters) -> bool {
    let Filters { min_price, max_price, city, .. } = filters;
    min_price.is_none_or(|price| document.price >= price)
        && max_price.is_none_or(|price| document.price <= price)
        && city.as_ref().is_none_or(|city| document.city == *city)
}

fn hit(document: &Document, analysed: &[Analysed; 3], query: &IndexQuery) -> Option<Hit> {
    let text = text_score(analysed, &query.text, query.matching)?;
    let score = text * query.ranking.factor(document, query.near.as_ref(), query.now);
    let distance_m = query.near.map(|near| near.point.distance_m(document.location));
    let near_enough =
        query.near.and_then(|near| near.radius_m).is_none_or(|radius| distance_m <= Some(radius));
    if !near_enough {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let key = match query.sort {
        Sort::Composite => f64::from(score),
        Sort::PriceAsc | Sort::PriceDesc => document.price.get() as f64,
        Sort::Distance => distance_m.unwrap(),
        Sort::Rating => f64::from(document.rating.hundredths),
        Sort::Newest => document.created_at.as_millisecond() as f64,
    };
    let position = Position { key, id: document.id.clone(), snapshot: None };
    Some(Hit { document: document.clone(), score, distance_m, position })
}

fn text_score(analysed: &[Analysed; 3], text: &TextQuery, matching: domain_homestay::Match) -> Option<f32> {
    if text.is_empty() {
        return Some(1.0);
    }
    let scores: Vec<(f32, f32)> =
        text.clauses.iter().map(|clause| (clause.weight, clause_score(analysed, clause))).collect();
    let heavy: Vec<f32> =
        scores.iter().filter(|(weight, _)| *weight >= 0.5).map(|(_, score)| *score).collect();
    let counted = if heavy.is_empty() { scores.iter().map(|(_, score)| *score).collect() } else { heavy };
    let had = counted.iter().filter(|score| **score > 0.0).count();
    (had >= matching.at_least(counted.len()))
        .then(|| scores.iter().map(|(weight, score)| weight * score).sum())
}

fn clause_score(analysed: &[Analysed; 3], clause: &Clause) -> f32 {
    let fields = analysed.iter().zip([5.0, 3.0, 1.0]);
    let scores = clause.alternatives.iter().flat_map(|alternative| {
        let fields = fields.clone();
        fields.filter(|(field, _)| has(field, alternative)).map(|(_, boost)| boost * alternative.weight)
    });
    scores.fold(0.0, f32::max)
}

fn has(field: &Analysed, alternative: &Alternative) -> bool {
    alternative.terms.iter().all(|term| match term.kind {
        TermKind::Word => field.words.iter().any(|word| word.text == term.text),
        TermKind::WordPrefix => field.words.iter().any(|word| word.text.starts_with(&term.text)),
        TermKind::Pinyin => field.pinyin.contains(&term.text),
        TermKind::PinyinPrefix => field.pinyin.iter().any(|pinyin| pinyin.starts_with(&term.text)),
        TermKind::Initials => field.initials.contains(&term.text),
    })
}

fn facets(hits: &[Hit]) -> Facets {
    let count = |name: fn(&Document) -> &String| {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for hit in hits {
            *counts.entry(name(&hit.document).clone()).or_default() += 1;
        }
        counts.into_iter().collect()
    };
    Facets {
        cities: count(|found| &found.city),
        districts: count(|found| &found.district),
        ..Facets::default()
    }
}
