//! The engine alone: the same question as one query of its own, by the means it brings, in the same order by its way to compute one,
//! and the same page read from it. No parsing of a request, no analysis, no highlights, no JSON.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result};
use domain_homestay::{Boosts, Document, GeoPoint, SearchRules};
use domain_text::{Analyzer, Prefix, Term as Asked, TermKind, TextQuery};
use std::ops::Bound;
use tantivy::{
    DocAddress, DocId, Index, Order, Score, Searcher, SegmentReader, TantivyDocument, Term,
    collector::{Count, TopDocs},
    columnar::ColumnValues,
    query::{
        AllQuery, BooleanQuery, BoostQuery, DisjunctionMaxQuery, Occur, PhrasePrefixQuery, Query, RangeQuery,
        TermQuery,
    },
    schema::{Field, IndexRecordOption, Value as _},
};

use super::{Kind, Question};

/// Hits of a page, as our handlers answer unless asked otherwise.
const PAGE: usize = 20;
const SUGGESTIONS: usize = 10;

/// The engine on the index that our adapter has written.
pub struct Bare {
    searcher: Searcher,
    analyzer: Analyzer,
}

/// A question as the engine understands it.
pub struct Prepared {
    query: Box<dyn Query>,
    order: Ordered,
    limit: usize,
}

/// In which order.
enum Ordered {
    /// By score, stars and sales.
    Composite,
    By(&'static str, Order),
    From(GeoPoint),
}

impl Bare {
    pub fn open(folder: &Path, analyzer: Analyzer) -> Result<Self> {
        let index = Index::open_in_dir(folder).context("the engine cannot open the index")?;
        Ok(Self { searcher: index.reader()?.searcher(), analyzer })
    }

    fn field(&self, name: &str) -> Result<Field> {
        Ok(self.searcher.schema().get_field(name)?)
    }

    /// What `question` is to the engine; not measured.
    pub fn question(&self, question: &Question) -> Result<Prepared> {
        if question.kind == Kind::Suggest {
            return self.beginning(question.parameter("q").unwrap_or_default());
        }
        let mut all: Vec<(Occur, Box<dyn Query>)> =
            vec![(Occur::Must, self.range_u64("visible", Some(1.0), None)?)];
        if let Some(keyword) = question.parameter("keyword") {
            let text = self.analyzer.query(keyword, &SearchRules::default().synonyms);
            all.push((Occur::Must, self.text(&text)?));
        }
        let (min, max) = (question.number("minPriceFen"), question.number("maxPriceFen"));
        if min.is_some() || max.is_some() {
            all.push((Occur::Must, self.range_u64("price", min, max)?));
        }
        if let Some(guests) = question.number("capacity") {
            all.push((Occur::Must, self.range_u64("capacity", Some(guests), None)?));
        }
        if let Some(stars) = question.number("minRating") {
            all.push((Occur::Must, self.range_u64("rating", Some(stars * 100.0), None)?));
        }
        if let (Some(lat), Some(lon), Some(km)) =
            (question.number("lat"), question.number("lon"), question.number("radiusKm"))
        {
            let (south_west, north_east) = GeoPoint::new(lat, lon)?.around(km * 1e3);
            all.push((Occur::Must, self.range_i64("lat", south_west.lat(), north_east.lat())?));
            all.push((Occur::Must, self.range_i64("lon", south_west.lon(), north_east.lon())?));
        }
        let order = match (question.parameter("sort"), question.number("lat").zip(question.number("lon"))) {
            (Some("price_asc"), _) => Ordered::By("price", Order::Asc),
            (Some("rating"), _) => Ordered::By("rating", Order::Desc),
            (Some("distance"), Some((lat, lon))) => Ordered::From(GeoPoint::new(lat, lon)?),
            _ => Ordered::Composite,
        };
        let query: Box<dyn Query> = if all.len() == 1 && question.kind != Kind::Filter {
            Box::new(AllQuery)
        } else {
            Box::new(BooleanQuery::new(all))
        };
        Ok(Prepared { query, order, limit: PAGE })
    }

    /// Each clause must be there, in one of its ways, in one of the fields.
    fn text(&self, text: &TextQuery) -> Result<Box<dyn Query>> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for clause in &text.clauses {
            let mut ways: Vec<Box<dyn Query>> = Vec::new();
            for alternative in &clause.alternatives {
                for term in &alternative.terms {
                    for (field, boost) in Self::fields(term) {
                        ways.push(Box::new(BoostQuery::new(
                            self.term(field, term)?,
                            boost * alternative.weight,
                        )));
                    }
                }
            }
            let occur = if clause.weight < 0.5 { Occur::Should } else { Occur::Must };
            clauses.push((occur, Box::new(DisjunctionMaxQuery::new(ways))));
        }
        Ok(Box::new(BooleanQuery::new(clauses)))
    }

    fn fields(term: &Asked) -> Vec<(&'static str, f32)> {
        let boosts = Boosts::default();
        match term.kind {
            TermKind::Word | TermKind::WordPrefix => vec![
                ("title", boosts.title),
                ("subtitle", boosts.subtitle),
                ("facts", boosts.facts),
                ("info", boosts.info),
            ],
            TermKind::Pinyin | TermKind::PinyinPrefix => vec![("pinyin", boosts.pinyin)],
            TermKind::Initials => vec![("initials", boosts.initials)],
        }
    }

    fn term(&self, field: &str, term: &Asked) -> Result<Box<dyn Query>> {
        let engine_term = Term::from_field_text(self.field(field)?, &term.text);
        Ok(match term.kind {
            TermKind::WordPrefix | TermKind::PinyinPrefix => {
                Box::new(PhrasePrefixQuery::new(vec![engine_term]))
            }
            TermKind::Word | TermKind::Pinyin | TermKind::Initials => {
                Box::new(TermQuery::new(engine_term, IndexRecordOption::WithFreqs))
            }
        })
    }

    fn beginning(&self, typed: &str) -> Result<Prepared> {
        let field = self.field("completion")?;
        let prefix = Prefix::parse(typed);
        let keys = prefix.keys().iter().map(|key| {
            let query: Box<dyn Query> =
                Box::new(PhrasePrefixQuery::new(vec![Term::from_field_text(field, key)]));
            (Occur::Should, query)
        });
        Ok(Prepared {
            query: Box::new(BooleanQuery::new(keys.collect())),
            order: Ordered::By("rating", Order::Desc),
            limit: SUGGESTIONS,
        })
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounds of a question of ours"
    )]
    fn range_u64(&self, name: &str, min: Option<f64>, max: Option<f64>) -> Result<Box<dyn Query>> {
        let field = self.field(name)?;
        let bound = |value: Option<f64>| {
            value.map_or(Bound::Unbounded, |value| Bound::Included(Term::from_field_u64(field, value as u64)))
        };
        Ok(Box::new(RangeQuery::new(bound(min), bound(max))))
    }

    #[expect(clippy::cast_possible_truncation, reason = "millionths of a degree")]
    fn range_i64(&self, name: &str, min: f64, max: f64) -> Result<Box<dyn Query>> {
        let field = self.field(name)?;
        let bound = |degrees: f64| Bound::Included(Term::from_field_i64(field, (degrees * 1e6) as i64));
        Ok(Box::new(RangeQuery::new(bound(min), bound(max))))
    }

    /// The homestays of the page, as they are stored, and how many there are.
    pub fn answer(&self, asked: &Prepared) -> Result<(usize, Vec<Document>)> {
        let top = TopDocs::with_limit(asked.limit);
        let (addresses, total): (Vec<_>, usize) = match &asked.order {
            Ordered::Composite => {
                let top = top.tweak_score(|segment: &SegmentReader| {
                    let [stars, sales] = ["quality_rating", "quality_sales"].map(|name| {
                        segment.fast_fields().f64(name).map(|column| column.first_or_default_col(0.0))
                    });
                    move |doc: DocId, score: Score| {
                        let factor = |column: &tantivy::Result<Arc<dyn ColumnValues<f64>>>| {
                            column.as_ref().map_or(1.0, |column| (2.0 + column.get_val(doc)).ln())
                        };
                        f64::from(score) * factor(&stars) * factor(&sales)
                    }
                });
                addresses(self.searcher.search(&*asked.query, &(top, Count))?)
            }
            &Ordered::From(point) => {
                let top = top.tweak_score(move |segment: &SegmentReader| {
                    let [lat, lon] = ["lat", "lon"].map(|name| {
                        segment.fast_fields().i64(name).map(|column| column.first_or_default_col(0))
                    });
                    move |doc: DocId, _: Score| {
                        let degrees = |column: &tantivy::Result<Arc<dyn ColumnValues<i64>>>| {
                            column.as_ref().map_or(0.0, |column| column.get_val(doc) as f64 / 1e6)
                        };
                        GeoPoint::new(degrees(&lat), degrees(&lon))
                            .map_or(f64::MIN, |other| -point.distance_m(other))
                    }
                });
                addresses(self.searcher.search(&*asked.query, &(top, Count))?)
            }
            Ordered::By(column, order) => {
                let top = top.order_by_fast_field::<u64>(*column, *order);
                addresses(self.searcher.search(&*asked.query, &(top, Count))?)
            }
        };
        let stored = self.field("document")?;
        let read = |address| {
            let entry: TantivyDocument = self.searcher.doc(address)?;
            let json =
                entry.get_first(stored).and_then(|value| value.as_bytes()).context("nothing is stored")?;
            Ok(serde_json::from_slice(json)?)
        };
        Ok((total, addresses.into_iter().map(read).collect::<Result<_>>()?))
    }
}

fn addresses<K>((hits, total): (Vec<(K, DocAddress)>, usize)) -> (Vec<DocAddress>, usize) {
    (hits.into_iter().map(|(_, address)| address).collect(), total)
}
