use std::cmp::Ordering;
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
    let mut best = Best::default();
    for (number, segment) in (0..).zip(&view.segments) {
        let standing = &segment.columns().map_err(error::engine)?.standing;
        let offer = |doc: u32| best.offer((standing.get(doc as usize).copied().unwrap_or(0.0), number, doc));
        beginning_with(segment, fields, typed.keys(), offer).map_err(error::engine)?;
    }
    let mut found = Vec::new();
    let mut title = String::new();
    for (_, segment, doc) in best.sorted() {
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

/// The [`EXAMINED`] best of what is offered, as many as that may be.
#[derive(Default)]
struct Best {
    kept: Vec<Candidate>,
    /// The worst that there is room for, once there are enough.
    least: Option<Candidate>,
}

/// How a homestay stands, its segment, and its place there.
type Candidate = (f32, u32, u32);

fn better(a: &Candidate, b: &Candidate) -> Ordering {
    b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2)))
}

impl Best {
    fn offer(&mut self, candidate: Candidate) {
        if self.least.is_some_and(|least| better(&candidate, &least).is_ge()) {
            return;
        }
        self.kept.push(candidate);
        if self.kept.len() == 2 * EXAMINED {
            let (_, least, _) = self.kept.select_nth_unstable_by(EXAMINED - 1, better);
            self.least = Some(*least);
            self.kept.truncate(EXAMINED);
        }
    }

    fn sorted(mut self) -> Vec<Candidate> {
        self.kept.sort_unstable_by(better);
        self.kept.truncate(EXAMINED);
        self.kept
    }
}

/// The homestays of `segment` that have a completion beginning with one of `keys`, each once.
fn beginning_with(
    segment: &Segment,
    fields: &Fields,
    keys: &[String],
    mut found: impl FnMut(u32),
) -> tantivy::Result<()> {
    let openings = segment.reader.inverted_index(fields.opening)?;
    let completions = segment.reader.inverted_index(fields.completion)?;
    // Of one term nothing comes twice.
    let once = matches!(keys, [key] if key.chars().count() <= OPENING_CHARS);
    let mut seen = vec![false; if once { 0 } else { segment.reader.max_doc() as usize }];
    let mut add = |mut postings: SegmentPostings| {
        let mut doc = postings.doc();
        while doc != TERMINATED {
            let before = seen.get_mut(doc as usize).is_some_and(|seen| std::mem::replace(seen, true));
            if !before && !segment.reader.is_deleted(doc) {
                found(doc);
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
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_many_are_those_of_all_in_order() {
        for offered in [0, 1, 255, 256, 511, 512, 513, 10_000] {
            // Many stand alike.
            let standings = (0_u16..97).map(f32::from).cycle().step_by(31);
            let mut all: Vec<Candidate> =
                (0..offered).zip(standings).map(|(doc, standing)| (standing, doc % 3, doc)).collect();
            let mut best = Best::default();
            for candidate in &all {
                best.offer(*candidate);
            }
            all.sort_by(better);
            all.truncate(EXAMINED);
            assert_eq!(best.sorted(), all, "of {offered}");
        }
    }
}
