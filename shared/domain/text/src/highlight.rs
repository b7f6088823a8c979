//! Which parts of a text are what was asked for.

use std::ops::Range;

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::analyzer::{Entry, EntryKind, Walk};
use crate::fold::{self, Class, Folded};
use crate::lexicon::lexicon;
use crate::{Alternative, Term, TermKind, TextQuery};

/// Clauses that weigh less say nothing (的, 附近): a mark on them would hide those that count.
const MIN_CLAUSE_WEIGHT: f32 = 0.2;
/// From this weight on an alternative is as good as what was typed, and is marked beside it; a guess only if nothing
/// better is there.
const SURE_WEIGHT: f32 = 0.75;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The piece, as it stands in the text.
    pub text: String,
    /// Whether it is what was asked for.
    pub matched: bool,
}

/// Marks what a query asks for; made once for all the texts of a page.
///
/// To take a text apart as the index does costs more than the index needs to find it. So only those of its runs are taken
/// apart in which the characters or the sounds of a term are there one after the other, and most are not.
#[derive(Debug)]
pub struct Highlighter<'a> {
    clauses: Vec<Vec<Way>>,
    /// Each term once; a way names it by its number here.
    terms: Vec<&'a Term>,
    /// The terms that are all of an entry, by what it must be.
    whole: FxHashMap<(EntryKind, &'a str), usize>,
    /// Those that are its beginning.
    beginnings: Vec<usize>,
    /// Those that stand in a text as they are written, by their first character.
    written: FxHashMap<char, Vec<&'a str>>,
    /// Those that are heard in it, by their first letter.
    heard: FxHashMap<char, Vec<&'a Term>>,
}

/// An alternative: the numbers of its terms.
#[derive(Debug)]
struct Way {
    weight: f32,
    terms: Vec<usize>,
}

impl<'a> Highlighter<'a> {
    /// Marks what `query` asks for.
    pub fn new(query: &'a TextQuery) -> Self {
        let mut highlighter = Self {
            clauses: Vec::new(),
            terms: Vec::new(),
            whole: FxHashMap::default(),
            beginnings: Vec::new(),
            written: FxHashMap::default(),
            heard: FxHashMap::default(),
        };
        let mut numbers = FxHashMap::default();
        for clause in query.clauses.iter().filter(|clause| clause.weight >= MIN_CLAUSE_WEIGHT) {
            let mut ways: Vec<Way> = Vec::with_capacity(clause.alternatives.len());
            for Alternative { terms, weight } in &clause.alternatives {
                let mut number = |term| *numbers.entry(term).or_insert_with(|| highlighter.add(term));
                ways.push(Way { weight: *weight, terms: terms.iter().map(&mut number).collect() });
            }
            ways.sort_by(|a, b| b.weight.total_cmp(&a.weight));
            highlighter.clauses.push(ways);
        }
        highlighter
    }

    fn add(&mut self, term: &'a Term) -> usize {
        let number = self.terms.len();
        self.terms.push(term);
        if is_beginning(term) {
            self.beginnings.push(number);
        } else {
            self.whole.insert((entry_kind(term), &term.text), number);
        }
        if let Some(first) = term.text.chars().next() {
            match entry_kind(term) {
                EntryKind::Word => self.written.entry(first).or_default().push(&term.text),
                EntryKind::Pinyin | EntryKind::Initials => self.heard.entry(first).or_default().push(term),
            }
        }
        number
    }

    /// `text` in pieces, those that are asked for marked; `None` if none is. Of a text longer than `max_chars` the stretch
    /// of that length with the most of them.
    ///
    /// The pieces of a text that is no longer are the text. Where pinyin or a beginning was asked for, the whole word is
    /// marked.
    pub fn highlight(&self, text: &str, max_chars: usize) -> Option<Vec<Part>> {
        if self.clauses.is_empty() || max_chars == 0 {
            return None;
        }
        let places = self.places(text)?;
        let marks = merged(self.clauses.iter().flat_map(|ways| matches(ways, &places)).collect());
        let window = window(text, &marks, max_chars);
        let parts = parts(text, &marks, &window);
        parts.iter().any(|part| part.matched).then_some(parts)
    }

    /// Where each term is; `None` if none is anywhere.
    fn places(&self, text: &str) -> Option<Vec<Vec<Range<usize>>>> {
        let folded = fold::fold(text);
        let mut places: Option<Vec<Vec<Range<usize>>>> = None;
        let mut walk = Walk::new(&folded, |entry: Entry<'_>| {
            let whole = self.whole.get(&(entry.kind, entry.text)).copied();
            let begins = |number: &usize| {
                let term = self.terms.get(*number);
                term.is_some_and(|term| entry_kind(term) == entry.kind && entry.text.starts_with(&term.text))
            };
            for number in whole.into_iter().chain(self.beginnings.iter().copied().filter(begins)) {
                let places = places.get_or_insert_with(|| vec![Vec::new(); self.terms.len()]);
                if let Some(place) = places.get_mut(number) {
                    place.push(entry.start..entry.end);
                }
            }
        });
        for run in fold::runs(&folded) {
            let run_of_text = folded.get(run.from..run.to).unwrap_or_default();
            let heard = run.class == Class::Han && self.is_heard(run_of_text);
            if heard || self.is_written(run_of_text) {
                walk.run(run, heard);
            }
        }
        places
    }

    /// Whether the characters of a term are in `run` one after the other: they may still be of two words.
    fn is_written(&self, run: &[Folded]) -> bool {
        (0..run.len()).any(|at| {
            let rest = run.get(at..).unwrap_or_default();
            let terms = rest.first().and_then(|first| self.written.get(&first.ch));
            terms.into_iter().flatten().any(|term| {
                let mut run = rest.iter().map(|f| f.ch);
                term.chars().all(|ch| run.next() == Some(ch))
            })
        })
    }

    /// Whether `run`, all hanzi, can be read so that a term is heard in it: it may still be read otherwise.
    fn is_heard(&self, run: &[Folded]) -> bool {
        !self.heard.is_empty()
            && (0..run.len()).any(|at| {
                let rest = run.get(at..).unwrap_or_default();
                let Some(first) = rest.first() else { return false };
                lexicon().readings.possible(first.ch).any(|reading| {
                    let terms = reading.chars().next().and_then(|letter| self.heard.get(&letter));
                    terms.into_iter().flatten().any(|term| is_heard(term, rest))
                })
            })
    }
}

fn is_heard(term: &Term, run: &[Folded]) -> bool {
    let readings = &lexicon().readings;
    if term.kind == TermKind::Initials {
        let sounds =
            |letter: char, ch: char| readings.possible(ch).any(|reading| reading.starts_with(letter));
        return term.text.len() <= run.len()
            && term.text.chars().zip(run).all(|(letter, f)| sounds(letter, f.ch));
    }
    begins_with(&term.text, run, is_beginning(term))
}

/// Whether `run` can be read so that it begins with `letters`; where they are a `beginning`, they may end within a syllable.
fn begins_with(letters: &str, run: &[Folded], beginning: bool) -> bool {
    let Some((first, rest)) = run.split_first() else { return letters.is_empty() };
    letters.is_empty()
        || lexicon().readings.possible(first.ch).any(|reading| match letters.strip_prefix(reading) {
            Some(letters) => begins_with(letters, rest, beginning),
            None => beginning && reading.starts_with(letters),
        })
}

fn is_beginning(term: &Term) -> bool {
    matches!(term.kind, TermKind::WordPrefix | TermKind::PinyinPrefix)
}

fn entry_kind(term: &Term) -> EntryKind {
    match term.kind {
        TermKind::Word | TermKind::WordPrefix => EntryKind::Word,
        TermKind::Pinyin | TermKind::PinyinPrefix => EntryKind::Pinyin,
        TermKind::Initials => EntryKind::Initials,
    }
}

/// What of a clause is there, by the `places` of its terms.
fn matches(ways: &[Way], places: &[Vec<Range<usize>>]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for way in ways {
        if !found.is_empty() && way.weight < SURE_WEIGHT {
            break;
        }
        let of_terms = || way.terms.iter().map(|term| places.get(*term).map_or(&[][..], Vec::as_slice));
        if of_terms().all(|places| !places.is_empty()) {
            found.extend(of_terms().flatten().cloned());
        }
    }
    found
}

/// In order, those that touch as one.
fn merged(mut marks: Vec<Range<usize>>) -> Vec<Range<usize>> {
    marks.sort_by_key(|mark| (mark.start, mark.end));
    let mut all: Vec<Range<usize>> = Vec::new();
    for mark in marks {
        match all.last_mut() {
            Some(last) if mark.start <= last.end => last.end = last.end.max(mark.end),
            _ => all.push(mark),
        }
    }
    all
}

/// The stretch of `max_chars` characters with the most marked ones, and a little before the first of them.
fn window(text: &str, marks: &[Range<usize>], max_chars: usize) -> Range<usize> {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let chars = starts.len() - 1;
    if chars <= max_chars {
        return 0..text.len();
    }
    let number = |byte: usize| starts.partition_point(|start| *start < byte);
    let marked: Vec<Range<usize>> = marks.iter().map(|mark| number(mark.start)..number(mark.end)).collect();
    let within = |from: usize| -> usize {
        let overlap =
            |mark: &Range<usize>| mark.end.min(from + max_chars).saturating_sub(mark.start.max(from));
        marked.iter().map(overlap).sum()
    };
    // The best stretch begins at a mark; the first of equals.
    let best =
        marked.iter().map(|mark| mark.start).max_by_key(|from| (within(*from), std::cmp::Reverse(*from)));
    let Some(first) = best else { return 0..starts.get(max_chars).copied().unwrap_or(text.len()) };
    let last =
        marked.iter().map(|mark| mark.end).filter(|end| *end <= first + max_chars).max().unwrap_or(first);
    let room = (first + max_chars).saturating_sub(last.max(first));
    let from = first.saturating_sub(room / 2).min(chars - max_chars);
    let at = |number: usize| starts.get(number).copied().unwrap_or(text.len());
    at(from)..at(from + max_chars)
}

fn parts(text: &str, marks: &[Range<usize>], window: &Range<usize>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut push = |from: usize, to: usize, matched: bool| {
        if let Some(piece) = text.get(from..to).filter(|piece| !piece.is_empty()) {
            parts.push(Part { text: piece.to_owned(), matched });
        }
    };
    let mut at = window.start;
    for mark in marks {
        let (from, to) = (mark.start.max(at), mark.end.min(window.end));
        if from < to {
            push(at, from, false);
            push(from, to, true);
            at = to;
        }
    }
    push(at, window.end, false);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Analyzer, Synonyms};

    fn shown(text: &str, keyword: &str, max_chars: usize) -> Option<String> {
        let analyzer = Analyzer::new();
        let query = analyzer.query(keyword, &Synonyms::house());
        let parts = Highlighter::new(&query).highlight(text, max_chars)?;
        Some(parts.iter().map(|p| if p.matched { format!("[{}]", p.text) } else { p.text.clone() }).collect())
    }

    #[test]
    fn words_synonyms_pinyin_and_beginnings_are_marked() {
        for (text, keyword, expected) in [
            ("三里屯大床房·近地铁", "三里屯 地铁", "[三里屯]大床房·近[地铁]"),
            ("温馨双人房", "大床房", "温馨[双人房]"),
            ("三里屯大床房", "sanlitun", "[三里屯]大床房"),
            ("三里屯大床房", "sanlitundachuang", "[三里屯大床]房"),
            ("三里屯大床房", "slt", "[三里屯]大床房"),
            ("三里屯大床房", "三里", "[三里]屯大床房"),
            ("Sanlitun ＬＯＦＴ公寓", "loft", "Sanlitun [ＬＯＦＴ]公寓"),
            ("重庆解放碑", "zhongqing", "[重庆]解放碑"),
            ("故宮附近的房子", "故宫附近", "[故宮]附近的房子"),
        ] {
            assert_eq!(shown(text, keyword, 100).as_deref(), Some(expected), "{keyword}");
        }
        assert_eq!(shown("三里屯", "望京", 100), None);
        assert_eq!(shown("三里屯", "", 100), None);
        assert_eq!(shown("附近的", "附近的", 100), None);
    }

    #[test]
    fn of_a_long_text_the_stretch_with_the_most_is_shown() {
        let text = format!("地铁{}三里屯大床房{}", "。".repeat(50), "！".repeat(50));
        let shown = shown(&text, "三里屯 大床房 地铁", 20).unwrap();
        assert!(shown.contains("[三里屯大床房]"), "{shown}");
        assert_eq!(shown.chars().filter(|ch| !"[]".contains(*ch)).count(), 20);
    }
}
