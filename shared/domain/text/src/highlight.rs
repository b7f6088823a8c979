//! Which parts of a text are what was asked for.

use std::ops::Range;

use serde::Serialize;

use crate::analyzer::{Entry, EntryKind, entries, walk};
use crate::{Alternative, Analyzer, Clause, Term, TermKind, TextQuery};

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

/// `text` in pieces, those that `query` asks for marked; `None` if it asks for none of them. Of a text longer than
/// `max_chars` the stretch of that length with the most of them.
///
/// The pieces of a text that is no longer are the text. Where pinyin or a beginning was asked for, the whole word is
/// marked.
pub fn highlight(_analyzer: &Analyzer, text: &str, query: &TextQuery, max_chars: usize) -> Option<Vec<Part>> {
    if query.is_empty() || max_chars == 0 {
        return None;
    }
    let terms = query.clauses.iter().flat_map(|clause| &clause.alternatives).flat_map(|way| &way.terms);
    let is_sound = |term: &Term| !matches!(term.kind, TermKind::Word | TermKind::WordPrefix);
    // To read a text aloud takes as long as all the rest.
    let entries = if terms.clone().any(is_sound) { entries(text) } else { walk(text, false) };
    let clauses = query.clauses.iter().filter(|clause| clause.weight >= MIN_CLAUSE_WEIGHT);
    let marks = merged(clauses.flat_map(|clause| matches(clause, &entries)).collect());
    let window = window(text, &marks, max_chars);
    let parts = parts(text, &marks, &window);
    parts.iter().any(|part| part.matched).then_some(parts)
}

fn matches(clause: &Clause, entries: &[Entry]) -> Vec<Range<usize>> {
    let mut ways: Vec<&Alternative> = clause.alternatives.iter().collect();
    ways.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let mut found: Vec<Range<usize>> = Vec::new();
    for way in ways {
        if !found.is_empty() && way.weight < SURE_WEIGHT {
            break;
        }
        let of_terms: Vec<Vec<Range<usize>>> = way.terms.iter().map(|term| places(term, entries)).collect();
        if of_terms.iter().all(|places| !places.is_empty()) {
            found.extend(of_terms.into_iter().flatten());
        }
    }
    found
}

fn places(term: &Term, entries: &[Entry]) -> Vec<Range<usize>> {
    let (kind, beginning) = match term.kind {
        TermKind::Word => (EntryKind::Word, false),
        TermKind::WordPrefix => (EntryKind::Word, true),
        TermKind::Pinyin => (EntryKind::Pinyin, false),
        TermKind::PinyinPrefix => (EntryKind::Pinyin, true),
        TermKind::Initials => (EntryKind::Initials, false),
    };
    let is = |entry: &&Entry| {
        entry.kind == kind
            && if beginning { entry.text.starts_with(&term.text) } else { entry.text == term.text }
    };
    entries.iter().filter(is).map(|entry| entry.start..entry.end).collect()
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
    use crate::Synonyms;

    fn shown(text: &str, keyword: &str, max_chars: usize) -> Option<String> {
        let analyzer = Analyzer::new();
        let query = analyzer.query(keyword, &Synonyms::house());
        let parts = highlight(&analyzer, text, &query, max_chars)?;
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
