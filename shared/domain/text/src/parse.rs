//! What a keyword asks for.
#![expect(clippy::float_arithmetic, reason = "weights are estimates")]

use crate::analyzer::MAX_WORD_CHARS;
use crate::fold::{self, Class, Folded, Run};
use crate::known::{Segment, SegmentKind, known, syllables};
use crate::lexicon::lexicon;
use crate::pinyin::characters;
use crate::{Alternative, Clause, MAX_KEYWORD_CHARS, Synonyms, Term, TermKind, TextQuery};

/// Clauses of a query: each is a look-up for each of its alternatives in each field. Who asks for more things than this
/// finds nothing that has them all anyway.
const MAX_CLAUSES: usize = 12;
/// Alternatives of a clause, for the same reason; the best are kept.
const MAX_ALTERNATIVES: usize = 8;
/// Terms that one alternative demands together.
const MAX_TERMS: usize = 8;
/// Words that a synonym of several words may span (north face, 国家 体育场).
const MAX_SYNONYM_WORDS: usize = 5;
/// Characters of hanzi on either side of letters that may be one word with them (三里tun, san里屯).
const MAX_MIXED_CHARS: usize = 4;
/// Known words that a mixture is taken for.
const MAX_MIXED_WORDS: usize = 3;

/// Runs of letters that are tried with the hanzi beside them: each is a few dozen look-ups.
const MAX_MIXTURES: usize = 4;
/// Latin tokens that may be the pinyin of one word or of words run together.
const MAX_PINYIN_TOKENS: usize = 8;
/// Words that are looked at: more than a query has clauses, since of these the weightiest are kept.
const MAX_PIECES: usize = 3 * MAX_CLAUSES;

// How well an alternative says what was typed.
const LITERAL: f32 = 1.0;
const PINYIN: f32 = 0.95;
const MIXED: f32 = 0.9;
const SYNONYM: f32 = 0.5;
const INITIALS: f32 = 0.8;
const PARTS: f32 = 0.7;
const PINYIN_SYNONYM: f32 = 0.4;
const PREFIX: f32 = 0.5;
const GUESS: f32 = 0.4;

/// A thing that was asked for, on the way to a clause.
#[derive(Debug)]
enum Piece {
    /// A word of hanzi, or characters that no word joins.
    Hanzi(String),
    /// Letters and digits between separators or hanzi.
    Latin(String),
    /// Understood already.
    Clause(Clause),
}

pub(crate) fn query(keyword: &str, synonyms: &Synonyms) -> TextQuery {
    let given: String = keyword.chars().take(MAX_KEYWORD_CHARS).collect();
    let folded = fold::fold(&given);
    let mut pieces = with_synonyms(take_apart(&folded), synonyms);
    pieces.truncate(MAX_PIECES);
    let mut clauses: Vec<Clause> = Vec::new();
    let mut letters: Vec<String> = Vec::new();
    let count = pieces.len();
    for (at, piece) in pieces.into_iter().enumerate() {
        let last = at + 1 == count;
        match piece {
            Piece::Latin(token) => letters.push(token),
            Piece::Hanzi(word) => {
                clauses.extend(latin(&std::mem::take(&mut letters), false, synonyms));
                clauses.push(hanzi(&word, last, synonyms));
            }
            Piece::Clause(clause) => {
                clauses.extend(latin(&std::mem::take(&mut letters), false, synonyms));
                clauses.push(clause);
            }
        }
    }
    clauses.extend(latin(&letters, true, synonyms));
    TextQuery { clauses: capped(clauses) }
}

/// Each clause once; of too many those that matter, in the order typed.
fn capped(all: Vec<Clause>) -> Vec<Clause> {
    let mut clauses: Vec<Clause> = Vec::new();
    for clause in all {
        if !clause.alternatives.is_empty() && clauses.iter().all(|known| known.typed != clause.typed) {
            clauses.push(clause);
        }
    }
    if clauses.len() > MAX_CLAUSES {
        let mut weights: Vec<f32> = clauses.iter().map(|clause| clause.weight).collect();
        weights.sort_by(|a, b| b.total_cmp(a));
        let least = weights.get(MAX_CLAUSES - 1).copied().unwrap_or(0.0);
        clauses.retain(|clause| clause.weight >= least);
        clauses.truncate(MAX_CLAUSES);
    }
    clauses
}

/// The words of the keyword, those of mixed hanzi and letters understood.
fn take_apart(folded: &[Folded]) -> Vec<Piece> {
    let runs = fold::runs(folded);
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(Run { from, mut to, .. }) = runs.get(at).copied() {
        at += 1;
        while let Some(next) = runs.get(at).filter(|next| next.from == to) {
            to = next.to;
            at += 1;
        }
        let last = at == runs.len();
        chunk(folded.get(from..to).unwrap_or_default(), last, &mut pieces);
    }
    pieces
}

/// Hanzi and letters without a space between.
fn chunk(folded: &[Folded], last: bool, pieces: &mut Vec<Piece>) {
    let runs = fold::runs(folded);
    // What stands before `done` is understood.
    let mut done = 0;
    let mut tried = 0;
    for Run { class, from, to } in runs.iter().copied() {
        if class != Class::Alphanumeric || runs.len() == 1 || tried == MAX_MIXTURES {
            continue;
        }
        tried += 1;
        if let Some((start, end, clause)) = mixture(folded, done, from, to, last) {
            plain(folded, done, start, pieces);
            pieces.push(Piece::Clause(clause));
            done = end;
        }
    }
    plain(folded, done, folded.len(), pieces);
}

/// Words of hanzi, characters that no word joins as one piece, and letters.
fn plain(folded: &[Folded], from: usize, to: usize, pieces: &mut Vec<Piece>) {
    let folded = folded.get(from..to).unwrap_or_default();
    for Run { class, from, to } in fold::runs(folded) {
        let chars = characters(folded, from, to);
        if class != Class::Han {
            pieces.push(Piece::Latin(chars.into_iter().take(MAX_WORD_CHARS).collect()));
            continue;
        }
        pieces.extend(words(&chars).into_iter().map(Piece::Hanzi));
    }
}

/// Words of a run of hanzi; characters that no word joins are one, unless they say nothing (的).
fn words(chars: &[char]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    let mut at = 0;
    for length in lexicon().cut(&chars.iter().collect::<String>()) {
        let word: String = chars.get(at..at + length).unwrap_or_default().iter().collect();
        at += length;
        let single = length == 1 && lexicon().weight(&word) >= 1.0;
        match words.last_mut() {
            Some(before) if single && open => before.push_str(&word),
            _ => words.push(word),
        }
        open = single;
    }
    words
}

/// The word that the letters in `from..to` are one with, and the hanzi beside them that belong to it.
fn mixture(
    folded: &[Folded],
    done: usize,
    from: usize,
    to: usize,
    last: bool,
) -> Option<(usize, usize, Clause)> {
    let letters = folded.get(from..to)?;
    if !letters.iter().all(|f| f.ch.is_ascii_lowercase()) {
        return None;
    }
    let before = hanzi_beside(folded.get(done..from)?.iter().rev());
    let after = hanzi_beside(folded.get(to..)?.iter());
    let mut windows: Vec<(usize, usize)> =
        (0..=before).flat_map(|b| (0..=after).map(move |a| (b, a))).filter(|(b, a)| b + a > 0).collect();
    windows.sort_by_key(|(b, a)| std::cmp::Reverse(b + a));
    // Letters that mean something alone belong to their neighbours only if all of it is a known word.
    let typed = |b: usize, a: usize| characters(folded, from - b, to + a).into_iter().collect::<String>();
    for (b, a) in &windows {
        let typed = typed(*b, *a);
        let (whole, _) = known().mixed(&typed, MAX_MIXED_WORDS);
        if !whole.is_empty() {
            return Some((from - b, to + a, mixed_clause(typed, &whole, last && to + a == folded.len())));
        }
    }
    let alone: String = letters.iter().map(|f| f.ch).collect();
    if !last || to != folded.len() || lexicon().is_latin_word(&alone) || !known().words(&alone).is_empty() {
        return None;
    }
    for (b, _) in windows.iter().filter(|(_, a)| *a == 0) {
        let typed = typed(*b, 0);
        let (_, beginning) = known().mixed(&typed, MAX_MIXED_WORDS);
        if !beginning.is_empty() {
            return Some((from - b, to, mixed_clause(typed, &beginning, true)));
        }
    }
    None
}

fn hanzi_beside<'a>(beside: impl Iterator<Item = &'a Folded>) -> usize {
    beside.take(MAX_MIXED_CHARS).take_while(|f| f.class == Class::Han).count()
}

fn mixed_clause(typed: String, words: &[&str], last: bool) -> Clause {
    let mut alternatives: Vec<Alternative> = Vec::new();
    for word in words {
        push(&mut alternatives, terms_of(word), MIXED);
    }
    if last {
        let chars: Vec<char> = typed.chars().collect();
        let syllables: String =
            chars.iter().map(|ch| crate::pinyin::pinyin(&ch.to_string()).concat()).collect();
        push(&mut alternatives, vec![term(TermKind::PinyinPrefix, &syllables)], PREFIX);
    }
    let weight = words.first().map_or(1.0, |word| lexicon().weight(word));
    Clause { typed, alternatives, weight }
}

/// Neighbours that are one synonym become one clause; words that have synonyms of their own get them later.
fn with_synonyms(pieces: Vec<Piece>, synonyms: &Synonyms) -> Vec<Piece> {
    if synonyms.is_empty() {
        return pieces;
    }
    let mut rest = pieces.as_slice();
    let mut spans: Vec<usize> = Vec::new();
    while !rest.is_empty() {
        let longest = rest.iter().take(MAX_SYNONYM_WORDS).take_while(|piece| text(piece).is_some()).count();
        let span = (2..=longest).rev().find(|span| {
            let key: String = rest.iter().take(*span).filter_map(text).collect();
            !synonyms.of(&key).is_empty()
        });
        spans.push(span.unwrap_or(1));
        rest = rest.get(span.unwrap_or(1)..).unwrap_or_default();
    }
    let mut pieces = pieces.into_iter();
    let mut all = Vec::new();
    for span in spans {
        let some: Vec<Piece> = pieces.by_ref().take(span).collect();
        if span == 1 {
            all.extend(some);
            continue;
        }
        let texts: Vec<&str> = some.iter().filter_map(text).collect();
        let key = texts.concat();
        let mut alternatives = Vec::new();
        push(&mut alternatives, texts.iter().flat_map(|text| terms_of(text)).collect(), LITERAL);
        for meaning in synonyms.of(&key) {
            push_synonym(&mut alternatives, terms_of(meaning), SYNONYM);
        }
        all.push(Piece::Clause(Clause { typed: texts.join(" "), alternatives, weight: 1.0 }));
    }
    all
}

fn text(piece: &Piece) -> Option<&str> {
    match piece {
        Piece::Hanzi(text) | Piece::Latin(text) => Some(text),
        Piece::Clause(_) => None,
    }
}

fn hanzi(word: &str, last: bool, synonyms: &Synonyms) -> Clause {
    let chars: Vec<char> = word.chars().collect();
    let known_word = chars.len() == 1 || lexicon().has_word(word);
    let mut alternatives = Vec::new();
    if known_word {
        push(&mut alternatives, vec![term(TermKind::Word, word)], LITERAL);
    } else {
        push(&mut alternatives, pairs(&chars), LITERAL);
    }
    for meaning in synonyms.of(word) {
        push_synonym(&mut alternatives, terms_of(meaning), SYNONYM);
    }
    if known_word {
        push(&mut alternatives, parts(&chars), PARTS);
        if let Some(stem) = stem(&chars) {
            push(&mut alternatives, vec![term(TermKind::Word, &stem)], PARTS);
        }
    } else {
        push(
            &mut alternatives,
            chars.iter().map(|ch| term(TermKind::Word, &ch.to_string())).collect(),
            PARTS,
        );
    }
    if last {
        push(&mut alternatives, vec![term(TermKind::WordPrefix, word)], PREFIX);
    }
    Clause { typed: word.to_owned(), alternatives, weight: lexicon().weight(word) }
}

/// Every two neighbours, as documents have them for characters that no word joins.
fn pairs(chars: &[char]) -> Vec<Term> {
    chars.windows(2).map(|pair| term(TermKind::Word, &pair.iter().collect::<String>())).collect()
}

/// A long word as words one after the other (国家 + 体育场), which a document may have where it does not have the whole.
fn parts(chars: &[char]) -> Vec<Term> {
    let length = chars.len();
    if length < 4 {
        return Vec::new();
    }
    let mut best: Vec<Option<(usize, usize)>> = vec![None; length + 1];
    if let Some(first) = best.first_mut() {
        *first = Some((0, 0));
    }
    for from in 0..length - 1 {
        let Some(Some((count, _))) = best.get(from).copied() else { continue };
        for to in from + 2..=length {
            let word: String = chars.get(from..to).unwrap_or_default().iter().collect();
            if (from, to) == (0, length) || !lexicon().has_word(&word) {
                continue;
            }
            if let Some(slot) = best.get_mut(to)
                && slot.is_none_or(|(known, _)| count + 1 < known)
            {
                *slot = Some((count + 1, from));
            }
        }
    }
    let mut terms = Vec::new();
    let mut end = length;
    while end > 0 {
        let Some(Some((_, from))) = best.get(end).copied() else { return Vec::new() };
        terms
            .push(term(TermKind::Word, &chars.get(from..end).unwrap_or_default().iter().collect::<String>()));
        end = from;
    }
    terms.reverse();
    terms
}

/// 朝阳 of 朝阳区, 北京 of 北京市: titles leave out what kind of place it is.
fn stem(chars: &[char]) -> Option<String> {
    let (last, stem) = chars.split_last()?;
    let stem: String = stem.iter().collect();
    (chars.len() > 2 && "市区县省站镇".contains(*last) && lexicon().has_word(&stem)).then_some(stem)
}

/// Latin tokens one after the other: words as they are, pinyin in whatever pieces it was typed, initials.
fn latin(tokens: &[String], last: bool, synonyms: &Synonyms) -> Vec<Clause> {
    let mut clauses = Vec::new();
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        if is_literal(token) || !synonyms.of(token).is_empty() && known().words(token).is_empty() {
            clauses.push(literal(token, last && after.is_empty(), synonyms));
            rest = after;
            continue;
        }
        let run = rest
            .iter()
            .take(MAX_PINYIN_TOKENS)
            .take_while(|token| !is_literal(token) && !syllables(token).is_empty())
            .count();
        // The longest run of tokens that is pinyin together: san li tun is one word.
        let read = (1..=run.max(1)).rev().find_map(|count| {
            let some = rest.get(..count)?;
            let segments = known().segment(&some.concat(), last && count == rest.len())?;
            Some((count, segments))
        });
        let read = read.filter(|_| !is_mixture(token));
        let Some((count, segments)) = read else {
            clauses.push(abbreviation(token, last && after.is_empty()));
            rest = after;
            continue;
        };
        let (some, after) = rest.split_at(count);
        clauses.extend(pinyin(some, &segments, last && after.is_empty(), synonyms));
        rest = after;
    }
    clauses
}

/// Whether a token is pinyin and initials of one known word (chaoyq), rather than of several.
fn is_mixture(token: &str) -> bool {
    has_vowel(token)
        && token.len() > 2
        && syllables(token).is_empty()
        && !known().mixed(token, 1).0.is_empty()
}

fn has_vowel(token: &str) -> bool {
    token.bytes().any(|b| b"aeiouv".contains(&b))
}

fn is_literal(token: &str) -> bool {
    lexicon().is_latin_word(token) || !token.bytes().all(|b| b.is_ascii_lowercase())
}

fn literal(token: &str, last: bool, synonyms: &Synonyms) -> Clause {
    let mut alternatives = Vec::new();
    push(&mut alternatives, vec![term(TermKind::Word, token)], LITERAL);
    for meaning in synonyms.of(token) {
        push_synonym(&mut alternatives, terms_of(meaning), SYNONYM);
    }
    if last {
        push(&mut alternatives, vec![term(TermKind::WordPrefix, token)], PREFIX);
    }
    Clause { typed: token.to_owned(), alternatives, weight: lexicon().weight(token) }
}

/// A clause for each piece of the pinyin; all have the tokens as they are as an alternative, so that a title in Latin
/// letters that only looks like pinyin has them all.
fn pinyin(tokens: &[String], segments: &[Segment], last: bool, synonyms: &Synonyms) -> Vec<Clause> {
    let letters = tokens.concat();
    let mut clauses = Vec::new();
    for (nth, segment) in segments.iter().enumerate() {
        let Some(piece) = letters.get(segment.from..segment.to) else { continue };
        let open = last && nth + 1 == segments.len();
        let mut alternatives = Vec::new();
        push(&mut alternatives, tokens_at(tokens, segment), LITERAL);
        let split = syllables(piece);
        let pairs: Vec<Term> = split.windows(2).map(|pair| term(TermKind::Pinyin, &pair.concat())).collect();
        match segment.kind {
            SegmentKind::Word | SegmentKind::Syllables => {
                push(&mut alternatives, vec![term(TermKind::Pinyin, piece)], PINYIN);
            }
            SegmentKind::Initials => push(&mut alternatives, vec![term(TermKind::Initials, piece)], INITIALS),
            SegmentKind::Beginning => {}
        }
        let homophones = if segment.kind == SegmentKind::Word { known().words(piece) } else { &[] };
        for meaning in homophones.iter().flat_map(|word| synonyms.of(word)).take(MAX_MIXED_WORDS) {
            push_synonym(&mut alternatives, terms_of(meaning), PINYIN_SYNONYM);
        }
        if open && segment.kind != SegmentKind::Initials {
            let weight = if segment.kind == SegmentKind::Beginning { PARTS } else { PREFIX };
            push(&mut alternatives, vec![term(TermKind::PinyinPrefix, piece)], weight);
        }
        if split.len() > 2 {
            let (complete, beginning) = match segment.kind {
                SegmentKind::Beginning => pairs.split_at(pairs.len().saturating_sub(1)),
                SegmentKind::Word | SegmentKind::Syllables | SegmentKind::Initials => {
                    (pairs.as_slice(), [].as_slice())
                }
            };
            let mut terms = complete.to_vec();
            terms.extend(
                beginning.iter().map(|pair| Term { kind: TermKind::PinyinPrefix, text: pair.text.clone() }),
            );
            push(&mut alternatives, terms, PARTS);
        }
        if open
            && segments.len() == 1
            && let [token] = tokens
        {
            push(&mut alternatives, vec![term(TermKind::WordPrefix, token)], PREFIX);
            if segment.kind != SegmentKind::Word && (2..=6).contains(&token.len()) {
                // tam: a beginning of pinyin is as likely the initials of 天安门.
                let weight = if segment.kind == SegmentKind::Beginning { INITIALS } else { GUESS };
                push(&mut alternatives, vec![term(TermKind::Initials, token)], weight);
            }
        }
        let weight =
            homophones.first().map_or_else(|| lexicon().weight(piece), |word| lexicon().weight(word));
        clauses.push(Clause { typed: piece.to_owned(), alternatives, weight });
    }
    clauses
}

/// The tokens that a piece of their letters was typed in.
fn tokens_at(tokens: &[String], segment: &Segment) -> Vec<Term> {
    let mut from = 0;
    let mut terms = Vec::new();
    for token in tokens {
        let to = from + token.len();
        if from < segment.to && segment.from < to {
            terms.push(term(TermKind::Word, token));
        }
        from = to;
    }
    terms
}

/// Letters that are no pinyin: initials, or a word that the house does not know.
fn abbreviation(token: &str, last: bool) -> Clause {
    let mut alternatives = Vec::new();
    push(&mut alternatives, vec![term(TermKind::Word, token)], LITERAL);
    if token.len() > 1 {
        if has_vowel(token) {
            // tam: 天安门 has a syllable that is one letter.
            if known().has_initials(token) {
                push(&mut alternatives, vec![term(TermKind::Initials, token)], INITIALS);
            }
            let (whole, beginning) = known().mixed(token, MAX_MIXED_WORDS);
            // chaoyq: a mixture of pinyin and initials, which no document has as it is.
            for word in whole.iter().chain(beginning.iter().filter(|_| last)).take(MAX_MIXED_WORDS) {
                push(&mut alternatives, terms_of(word), INITIALS);
            }
        } else {
            push(&mut alternatives, vec![term(TermKind::Initials, token)], INITIALS);
            push(&mut alternatives, initials(token), PREFIX);
        }
    }
    if last {
        push(&mut alternatives, vec![term(TermKind::WordPrefix, token)], PREFIX);
        if token.len() == 1 {
            push(&mut alternatives, vec![term(TermKind::PinyinPrefix, token)], GUESS);
        }
    }
    Clause { typed: token.to_owned(), alternatives, weight: 1.0 }
}

/// Initials of several known words one after the other (bjms: bj ms), the longest first.
fn initials(token: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut rest = token;
    while !rest.is_empty() {
        let most = rest.len().min(if terms.is_empty() { token.len() - 1 } else { rest.len() }).min(5);
        let found = (2..=most).rev().find_map(|to| {
            let (piece, after) = (rest.get(..to)?, rest.get(to..)?);
            (known().has_initials(piece) && after.len() != 1).then_some((piece, after))
        });
        let Some((piece, after)) = found else { return Vec::new() };
        terms.push(term(TermKind::Initials, piece));
        rest = after;
    }
    terms
}

/// A word or words as documents have them.
fn terms_of(text: &str) -> Vec<Term> {
    let folded = fold::fold(text);
    let mut pieces = Vec::new();
    plain(&folded, 0, folded.len(), &mut pieces);
    let mut terms = Vec::new();
    for piece in &pieces {
        match piece {
            Piece::Hanzi(word) if word.chars().count() > 1 && !lexicon().has_word(word) => {
                terms.extend(pairs(&word.chars().collect::<Vec<char>>()));
            }
            Piece::Hanzi(word) | Piece::Latin(word) => terms.push(term(TermKind::Word, word)),
            Piece::Clause(_) => {}
        }
    }
    terms
}

fn term(kind: TermKind, text: &str) -> Term {
    Term { kind, text: text.to_owned() }
}

/// Adds a way to say it, unless it is empty, known, or one too many.
fn push(alternatives: &mut Vec<Alternative>, terms: Vec<Term>, weight: f32) {
    push_within(alternatives, terms, weight, MAX_ALTERNATIVES);
}

/// Lists of synonyms are long: they leave room for the beginning and the parts of the word.
fn push_synonym(alternatives: &mut Vec<Alternative>, terms: Vec<Term>, weight: f32) {
    // A synonym of several words has the score of each: together they count as one.
    let words = u8::try_from(terms.len()).unwrap_or(u8::MAX).max(1);
    push_within(alternatives, terms, weight / f32::from(words), MAX_ALTERNATIVES - 2);
}

fn push_within(alternatives: &mut Vec<Alternative>, mut terms: Vec<Term>, weight: f32, room: usize) {
    let mut seen: Vec<Term> = Vec::new();
    terms.retain(|term| {
        let new = !term.text.is_empty() && !seen.contains(term);
        seen.push(term.clone());
        new
    });
    terms.truncate(MAX_TERMS);
    if !terms.is_empty() && alternatives.len() < room && alternatives.iter().all(|known| known.terms != terms)
    {
        alternatives.push(Alternative { terms, weight });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(keyword: &str) -> Vec<String> {
        let query = query(keyword, &Synonyms::house());
        let clauses = query.clauses.iter().map(|clause| {
            let alternatives = clause.alternatives.iter().map(|alternative| {
                let terms = alternative.terms.iter().map(|term| {
                    let mark = match term.kind {
                        TermKind::Word => "",
                        TermKind::WordPrefix => "^",
                        TermKind::Pinyin => "~",
                        TermKind::PinyinPrefix => "~^",
                        TermKind::Initials => "#",
                    };
                    format!("{mark}{}", term.text)
                });
                terms.collect::<Vec<_>>().join("+")
            });
            alternatives.collect::<Vec<_>>().join(" ")
        });
        clauses.collect()
    }

    fn typed(keyword: &str) -> Vec<String> {
        query(keyword, &Synonyms::house()).clauses.into_iter().map(|clause| clause.typed).collect()
    }

    #[test]
    fn a_keyword_is_taken_apart_into_what_it_asks_for() {
        for (keyword, clauses) in [
            ("三里屯大床房", "三里屯|大床房"),
            ("故宫附近的民宿", "故宫|附近|的|民宿"),
            ("sanlitundachuangfang", "sanlitun|dachuangfang"),
            ("dachuang fang", "dachuangfang"),
            ("san li tun", "sanlitun"),
            ("sanlitun loft", "sanlitun|loft"),
            ("bj民宿", "bj|民宿"),
            ("三里tun", "三里tun"),
            ("san里屯民宿", "san里屯|民宿"),
            ("大chuang", "大chuang"),
            ("北京minsu", "北京|minsu"),
            ("bj minsu", "bj|minsu"),
            ("望京 loft", "望京|loft"),
            ("Sunny & Cozy Apt", "sunny|cozy|apt"),
            ("301医院", "301 医院"),
            ("民宿 民宿", "民宿"),
            ("wi-fi", "wi fi"),
        ] {
            assert_eq!(typed(keyword).join("|"), clauses, "{keyword}");
        }
    }

    #[test]
    fn the_literal_word_is_first_then_what_it_also_means() {
        let clauses = shown("大床房");
        assert!(clauses[0].starts_with("大床房 双人房 "), "{clauses:?}");
        assert!(clauses[0].ends_with("^大床房"), "{clauses:?}");
        assert_eq!(shown("国家体育场")[0], "国家体育场 鸟巢 国家+体育场 ^国家体育场");
        assert_eq!(shown("朝阳区")[0], "朝阳区 朝阳 ^朝阳区");
        assert_eq!(shown("海晟 公寓")[0], "海晟 海+晟");
    }

    #[test]
    fn letters_may_be_a_word_pinyin_or_initials() {
        assert_eq!(
            shown("sanlitun")[0],
            "sanlitun ~sanlitun 三里屯太古里 ~^sanlitun ~sanli+~litun ^sanlitun"
        );
        assert_eq!(shown("sanlit")[0], "sanlit ~^sanlit ~sanli+~^lit ^sanlit #sanlit");
        assert!(shown("cyq")[0].starts_with("cyq #cyq"), "{:?}", shown("cyq"));
        assert_eq!(shown("bjms x")[0], "bjms #bjms #bj+#ms");
        assert!(shown("chaoyq")[0].contains(" 朝阳区"), "{:?}", shown("chaoyq"));
        assert_eq!(shown("loft x")[0], "loft 复式 跃层 duplex");
        assert_eq!(shown("三里tun")[0], "三里屯 ~^sanlitun");
    }

    #[test]
    fn words_that_say_little_weigh_little() {
        let query = query("故宫附近的民宿", &Synonyms::default());
        let weights: Vec<f32> = query.clauses.iter().map(|clause| clause.weight).collect();
        assert_eq!(weights, [1.0, 0.1, 0.1, 0.4]);
    }

    #[test]
    fn a_long_keyword_keeps_what_matters() {
        let keyword =
            "的 了 在 有 和 与 及 三里屯 国贸 望京 故宫 天坛 后海 前门 西单 东单 大床房 浴缸 投影 厨房";
        let query = query(keyword, &Synonyms::house());
        assert_eq!(query.clauses.len(), MAX_CLAUSES);
        assert!(query.clauses.iter().all(|clause| clause.weight >= 0.9), "{query:?}");
        assert!(query.clauses.iter().all(|clause| clause.alternatives.len() <= MAX_ALTERNATIVES));
    }
}
