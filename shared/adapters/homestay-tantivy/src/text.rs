#![expect(clippy::float_arithmetic, reason = "relevance is an estimate; no money")]

use std::collections::BTreeSet;

use domain_homestay::{Boosts, Match};
use domain_text::{Alternative, Clause, Term, TermKind, TextQuery};
use tantivy::query::{
    BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, EmptyQuery, FuzzyTermQuery, Occur, Query,
    TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use crate::schema::Fields;
use crate::view::View;

/// A clause that weighs less only adds to the score.
const REQUIRED_WEIGHT: f32 = 0.5;

/// The engine multiplies BM25 with `k1 + 1`, Lucene since its version 8 does not.
const AS_LUCENE: f32 = 1.0 / 2.2;

type AnyQuery = Box<dyn Query>;

/// Words with the same beginning that are looked up one by one. More of them are as fast as a set.
const MAX_COMPLETIONS: usize = 16;

/// `text` as a query of the engine on `view`. Terms are looked up as they are: nothing in them is syntax.
pub(crate) fn query(
    fields: &Fields,
    view: &View,
    text: &TextQuery,
    matching: Match,
    boosts: &Boosts,
) -> tantivy::Result<AnyQuery> {
    let all = [
        (fields.title, boosts.title),
        (fields.subtitle, boosts.subtitle),
        (fields.facts, boosts.facts),
        (fields.info, boosts.info),
    ];
    // A field that no homestay fills would be made up anew for each term.
    let mut words = Vec::with_capacity(all.len());
    for (field, boost) in all {
        if view.has_terms(field)? {
            words.push((field, boost));
        }
    }
    let ways = Ways { fields, view, words, boosts };
    let clause = |clause: &Clause| tantivy::Result::Ok(scaled(any_of(ways.of(clause)?), clause.weight));
    let (mut required, mut others): (Vec<_>, Vec<_>) =
        text.clauses.iter().partition(|clause| clause.weight >= REQUIRED_WEIGHT);
    if required.is_empty() {
        std::mem::swap(&mut required, &mut others);
    }
    let least = matching.at_least(required.len());
    let mut parts: Vec<(Occur, AnyQuery)> = Vec::new();
    let each = |clauses: Vec<&Clause>, occur| {
        clauses.into_iter().map(move |it| Ok((occur, clause(it)?))).collect::<tantivy::Result<Vec<_>>>()
    };
    if least == required.len() {
        parts.extend(each(required, Occur::Must)?);
    } else {
        let some = each(required, Occur::Should)?;
        parts.push((Occur::Must, Box::new(BooleanQuery::with_minimum_required_clauses(some, least))));
    }
    parts.extend(each(others, Occur::Should)?);
    Ok(Box::new(BooleanQuery::with_minimum_required_clauses(parts, 0)))
}

/// The ways in which a document can have something.
struct Ways<'a> {
    fields: &'a Fields,
    view: &'a View,
    /// The fields that words are looked up in, and what a match there counts.
    words: Vec<(Field, f32)>,
    boosts: &'a Boosts,
}

impl Ways<'_> {
    /// Those to have a clause: each alternative in each field.
    fn of(&self, clause: &Clause) -> tantivy::Result<Vec<AnyQuery>> {
        let mut ways = Vec::new();
        for Alternative { terms, weight } in &clause.alternatives {
            let has_words =
                terms.iter().any(|term| matches!(term.kind, TermKind::Word | TermKind::WordPrefix));
            // Pinyin and initials are one field each, so that without words there is one way only.
            let fields = self.words.iter().take(if has_words { self.words.len() } else { 1 });
            for (field, boost) in fields.copied() {
                match terms.as_slice() {
                    [] => {}
                    [only] => {
                        let all = self.look_up(only, field, boost)?;
                        ways.extend(all.into_iter().map(|way| scaled(way, *weight)));
                    }
                    several => {
                        let all = several.iter().map(|term| Ok(any_of(self.look_up(term, field, boost)?)));
                        let all = BooleanQuery::intersection(all.collect::<tantivy::Result<_>>()?);
                        ways.push(scaled(Box::new(all), *weight));
                    }
                }
            }
        }
        Ok(ways)
    }

    fn look_up(&self, term: &Term, words: Field, boost: f32) -> tantivy::Result<Vec<AnyQuery>> {
        let Self { fields, boosts, .. } = self;
        Ok(match term.kind {
            TermKind::Word => vec![exact(words, &term.text, boost)],
            TermKind::WordPrefix => self.beginning(words, &term.text, boost)?,
            TermKind::Pinyin => vec![exact(fields.pinyin, &term.text, boosts.pinyin)],
            TermKind::PinyinPrefix => self.beginning(fields.pinyin, &term.text, boosts.pinyin)?,
            TermKind::Initials => vec![exact(fields.initials, &term.text, boosts.initials)],
        })
    }

    /// A beginning is worth the same whatever it is completed to, as in Lucene: a rare word that happens to begin so must
    /// not win. Mostly few words begin so, and each is looked up by itself, which costs nothing where other clauses match
    /// little; of many, each is looked at once, into a set of documents: the work is bounded by the index.
    fn beginning(&self, field: Field, text: &str, boost: f32) -> tantivy::Result<Vec<AnyQuery>> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let mut completions: BTreeSet<Vec<u8>> = BTreeSet::new();
        for segment in &self.view.segments {
            let index = segment.reader.inverted_index(field)?;
            let mut terms = index.terms().range().ge(text).into_stream()?;
            while terms.advance() && terms.key().starts_with(text.as_bytes()) {
                if completions.len() == MAX_COMPLETIONS && !completions.contains(terms.key()) {
                    let begins =
                        FuzzyTermQuery::new_prefix(tantivy::Term::from_field_text(field, text), 0, true);
                    return Ok(vec![scaled(Box::new(begins), boost)]);
                }
                completions.insert(terms.key().to_vec());
            }
        }
        let one = |completion: Vec<u8>| -> AnyQuery {
            let term = tantivy::Term::from_field_text(field, &String::from_utf8_lossy(&completion));
            Box::new(ConstScoreQuery::new(Box::new(TermQuery::new(term, IndexRecordOption::Basic)), boost))
        };
        Ok(completions.into_iter().map(one).collect())
    }
}

fn exact(field: Field, text: &str, boost: f32) -> AnyQuery {
    let term = tantivy::Term::from_field_text(field, text);
    scaled(Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)), boost * AS_LUCENE)
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
