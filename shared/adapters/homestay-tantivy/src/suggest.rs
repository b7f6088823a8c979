use std::collections::HashMap;

use domain_homestay::{IndexError, TitleFound};
use domain_text::Prefix;
use tantivy::postings::SegmentPostings;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet as _, TERMINATED, Term};

use crate::error::{self, Cause};
use crate::schema::{Fields, OPENING_CHARS};
use crate::view::{Segment, View};

/// Titles that are compared with what was typed: keys say only how their words begin, and comparing takes time.
const EXAMINED: usize = 256;

/// The most titles that are given.
const MAX_TITLES: usize = 20;

/// The most words that are given; a city has fewer.
const MAX_WORDS: usize = 50_000;

/// See [`domain_homestay::SearchIndex::titles`].
pub(crate) fn titles(
    fields: &Fields,
    view: &View,
    typed: &Prefix,
    limit: usize,
) -> Result<Vec<TitleFound>, IndexError> {
    let mut candidates: Vec<(f32, u32, u32)> = Vec::new();
    for (number, segment) in (0..).zip(&view.segments) {
        let docs = beginning_with(segment, fields, typed.keys()).map_err(error::engine)?;
        let standing = &segment.columns().map_err(error::engine)?.standing;
        candidates.extend(
            docs.into_iter().map(|doc| (standing.get(doc as usize).copied().unwrap_or(0.0), number, doc)),
        );
    }
    let better =
        |a: &(f32, u32, u32), b: &(f32, u32, u32)| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2)));
    if candidates.len() > EXAMINED {
        candidates.select_nth_unstable_by(EXAMINED, better);
        candidates.truncate(EXAMINED);
    }
    candidates.sort_unstable_by(better);
    let mut found = Vec::new();
    let mut title = String::new();
    for (_, segment, doc) in candidates {
        if found.len() >= limit.min(MAX_TITLES) {
            break;
        }
        let names =
            view.segments.get(segment as usize).map(Segment::columns).transpose().map_err(error::engine)?;
        let names = names
            .and_then(|columns| columns.names.as_ref())
            .ok_or_else(|| error::corrupt(Cause::NoDocument))?;
        for ord in names.term_ords(doc) {
            if names.ord_to_str(ord, &mut title).map_err(error::file)? && typed.matches(&title) {
                found.push(TitleFound { id: view.id(segment, doc)?, title: title.clone() });
            }
        }
    }
    Ok(found)
}

/// The homestays of `segment` that have a completion beginning with one of `keys`, each once.
fn beginning_with(segment: &Segment, fields: &Fields, keys: &[String]) -> tantivy::Result<Vec<u32>> {
    let openings = segment.reader.inverted_index(fields.opening)?;
    let completions = segment.reader.inverted_index(fields.completion)?;
    let mut seen = vec![false; segment.reader.max_doc() as usize];
    let mut docs = Vec::new();
    let mut add = |mut postings: SegmentPostings| {
        let mut doc = postings.doc();
        while doc != TERMINATED {
            if let Some(seen) = seen.get_mut(doc as usize)
                && !std::mem::replace(seen, true)
                && !segment.reader.is_deleted(doc)
            {
                docs.push(doc);
            }
            doc = postings.advance();
        }
    };
    for key in keys {
        if key.chars().count() <= OPENING_CHARS {
            let term = Term::from_field_text(fields.opening, key);
            if let Some(postings) = openings.read_postings(&term, IndexRecordOption::Basic)? {
                add(postings);
            }
            continue;
        }
        let mut terms = completions.terms().range().ge(key).into_stream()?;
        while let Some((term, info)) = terms.next()
            && term.starts_with(key.as_bytes())
        {
            add(completions.read_postings_from_terminfo(info, IndexRecordOption::Basic)?);
        }
    }
    Ok(docs)
}

/// See [`domain_homestay::SearchIndex::words`]. What was replaced counts until its segment is merged; a word in title and
/// facts counts where more have it.
pub(crate) fn words(fields: &Fields, view: &View, limit: usize) -> Result<Vec<(String, u32)>, IndexError> {
    let mut all: HashMap<String, u32> = HashMap::new();
    for segment in &view.segments {
        let mut here: HashMap<Vec<u8>, u32> = HashMap::new();
        for field in [fields.title, fields.facts] {
            frequencies(segment, field, &mut here).map_err(error::engine)?;
        }
        for (word, count) in here {
            if let Ok(word) = String::from_utf8(word) {
                *all.entry(word).or_default() += count;
            }
        }
    }
    let mut words: Vec<_> = all.into_iter().collect();
    words.sort_unstable_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
    words.truncate(limit.min(MAX_WORDS));
    Ok(words)
}

fn frequencies(segment: &Segment, field: Field, all: &mut HashMap<Vec<u8>, u32>) -> tantivy::Result<()> {
    let index = segment.reader.inverted_index(field)?;
    let mut terms = index.terms().stream()?;
    while let Some((word, info)) = terms.next() {
        match all.get_mut(word) {
            Some(count) => *count = info.doc_freq.max(*count),
            None => {
                all.insert(word.to_vec(), info.doc_freq);
            }
        }
    }
    Ok(())
}
