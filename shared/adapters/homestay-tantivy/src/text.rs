#![expect(clippy::float_arithmetic, reason = "relevance is an estimate; no money")]

use domain_homestay::{Boosts, Match};
use domain_text::{Alternative, Clause, Term, TermKind, TextQuery};
use tantivy::query::{
    BooleanQuery, BoostQuery, DisjunctionMaxQuery, EmptyQuery, FuzzyTermQuery, Occur, Query, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use crate::schema::Fields;

/// A clause that weighs less only adds to the score.
const REQUIRED_WEIGHT: f32 = 0.5;

/// The engine multiplies BM25 with `k1 + 1`, Lucene since its version 8 does not.
const AS_LUCENE: f32 = 1.0 / 2.2;

type AnyQuery = Box<dyn Query>;

/// `text` as a query of the engine. Terms are looked up as they are: nothing in them is syntax.
pub(crate) fn query(fields: &Fields, text: &TextQuery, matching: Match, boosts: &Boosts) -> AnyQuery {
    let clause = |clause: &Clause| scaled(any_of(alternatives(fields, clause, boosts)), clause.weight);
    let (mut required, mut others): (Vec<_>, Vec<_>) =
        text.clauses.iter().partition(|clause| clause.weight >= REQUIRED_WEIGHT);
    if required.is_empty() {
        std::mem::swap(&mut required, &mut others);
    }
    let least = matching.at_least(required.len());
    let mut parts: Vec<(Occur, AnyQuery)> = Vec::new();
    if least == required.len() {
        parts.extend(required.into_iter().map(|it| (Occur::Must, clause(it))));
    } else {
        let some = required.into_iter().map(|it| (Occur::Should, clause(it))).collect();
        parts.push((Occur::Must, Box::new(BooleanQuery::with_minimum_required_clauses(some, least))));
    }
    parts.extend(others.into_iter().map(|it| (Occur::Should, clause(it))));
    Box::new(BooleanQuery::with_minimum_required_clauses(parts, 0))
}

/// The ways in which a document can have a clause, each alternative in each field.
fn alternatives(fields: &Fields, clause: &Clause, boosts: &Boosts) -> Vec<AnyQuery> {
    let words = [
        (fields.title, boosts.title),
        (fields.subtitle, boosts.subtitle),
        (fields.facts, boosts.facts),
        (fields.info, boosts.info),
    ];
    let mut ways = Vec::new();
    for Alternative { terms, weight } in &clause.alternatives {
        if terms.is_empty() {
            continue;
        }
        let has_words = terms.iter().any(|term| matches!(term.kind, TermKind::Word | TermKind::WordPrefix));
        // Pinyin and initials are one field each, so that without words there is one way only.
        for (field, boost) in words.into_iter().take(if has_words { words.len() } else { 1 }) {
            let mut all: Vec<AnyQuery> =
                terms.iter().map(|term| look_up(fields, term, field, boost, boosts)).collect();
            let way = match (all.pop(), all.is_empty()) {
                (Some(only), true) => only,
                (last, _) => Box::new(BooleanQuery::intersection(all.into_iter().chain(last).collect())),
            };
            ways.push(scaled(way, *weight));
        }
    }
    ways
}

fn look_up(fields: &Fields, term: &Term, words: Field, boost: f32, boosts: &Boosts) -> AnyQuery {
    match term.kind {
        TermKind::Word => exact(words, &term.text, boost),
        TermKind::WordPrefix => prefix(words, &term.text, boost),
        TermKind::Pinyin => exact(fields.pinyin, &term.text, boosts.pinyin),
        TermKind::PinyinPrefix => prefix(fields.pinyin, &term.text, boosts.pinyin),
        TermKind::Initials => exact(fields.initials, &term.text, boosts.initials),
    }
}

fn exact(field: Field, text: &str, boost: f32) -> AnyQuery {
    let term = tantivy::Term::from_field_text(field, text);
    scaled(Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)), boost * AS_LUCENE)
}

/// A beginning is worth the same whatever it is completed to, as in Lucene: a rare word that happens to begin so must not
/// win. All terms that begin so are looked at, once each, into a set of documents: the work is bounded by the index.
fn prefix(field: Field, text: &str, boost: f32) -> AnyQuery {
    if text.is_empty() {
        return Box::new(EmptyQuery);
    }
    let term = tantivy::Term::from_field_text(field, text);
    scaled(Box::new(FuzzyTermQuery::new_prefix(term, 0, true)), boost)
}

fn any_of(mut ways: Vec<AnyQuery>) -> AnyQuery {
    match (ways.pop(), ways.is_empty()) {
        (None, _) => Box::new(EmptyQuery),
        (Some(only), true) => only,
        (Some(last), false) => {
            ways.push(last);
            Box::new(DisjunctionMaxQuery::new(ways))
        }
    }
}

fn scaled(query: AnyQuery, by: f32) -> AnyQuery {
    #[expect(clippy::float_cmp, reason = "one is one")]
    if by == 1.0 { query } else { Box::new(BoostQuery::new(query, by)) }
}
