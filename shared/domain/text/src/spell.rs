//! What was probably meant.
#![expect(
    clippy::float_arithmetic,
    reason = "candidates are compared by likeness and the logarithm of frequency"
)]

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};

use crate::fold::{self, Class, Folded, Run};
use crate::known::{known, syllables};
use crate::lexicon::lexicon;
use crate::pinyin::characters;
use crate::{MAX_KEYWORD_CHARS, fold::key};

/// Characters of the longest word that is corrected: longer ones are sentences.
const MAX_WORD_CHARS: usize = 8;
/// Letters of a run that is looked through for an error; longer ones cost time and are no names.
const MAX_LETTERS: usize = 32;
/// Fewer letters are within one error of everything.
const MIN_LETTERS: usize = 4;
/// How many times more documents must have the correction than what was typed.
const MIN_RATIO: u32 = 20;
/// A candidate is in two documents at least: what is in one is as likely an error itself.
const MIN_DOCUMENTS: u32 = 2;

// How like the candidate is to what was typed.
const SAME_PINYIN: f32 = 1.0;
const FUZZY_PINYIN: f32 = 0.85;
const ONE_LETTER: f32 = 0.7;
const ONE_CHARACTER: f32 = 0.65;

/// Knows the words of an index, and which of them somebody probably meant.
///
/// Looks for homophones (三里囤), for pinyin that sounds alike to many (zh and z, n and ng, l and n) or is one letter off,
/// and for long words with a character missing, wrong or in the wrong place. Only what is unknown to the index, or much
/// rarer in it than the correction, is corrected.
#[derive(Debug, Clone, Default)]
pub struct Speller {
    words: Vec<Word>,
    numbers: FxHashMap<Box<str>, u32>,
    /// Hashes of pinyin, of pinyin as it sounds alike, and of pinyin less a letter, each with a word that has it, in order.
    pinyin: Vec<(u32, u32)>,
    alike: Vec<(u32, u32)>,
    shorter: Vec<(u32, u32)>,
    /// Hashes of long words less a character.
    characters: Vec<(u32, u32)>,
}

#[derive(Debug, Clone)]
struct Word {
    text: Box<str>,
    /// Letters as it is typed: its pinyin, or itself if it is Latin.
    letters: Box<str>,
    documents: u32,
    chars: u8,
}

impl Speller {
    /// Of the words of an index, each with the number of documents that have it.
    pub fn new(words: impl IntoIterator<Item = (String, u32)>) -> Self {
        let mut speller = Self::default();
        for (text, documents) in words {
            let chars: Vec<char> = text.chars().collect();
            let Ok(count) = u8::try_from(chars.len()) else { continue };
            let hanzi = chars.iter().all(|ch| !ch.is_ascii());
            let letters = if hanzi {
                let words: Vec<usize> =
                    if lexicon().has_word(&text) { vec![chars.len()] } else { lexicon().cut(&text) };
                lexicon().readings.read(&chars, &words).concat()
            } else {
                text.clone()
            };
            let Ok(number) = u32::try_from(speller.words.len()) else { break };
            speller.numbers.insert(text.as_str().into(), number);
            if documents >= MIN_DOCUMENTS && count > 1 && usize::from(count) <= MAX_LETTERS {
                speller.index(number, &letters, &chars, hanzi);
            }
            speller.words.push(Word {
                text: text.into_boxed_str(),
                letters: letters.into_boxed_str(),
                documents,
                chars: count,
            });
        }
        for hashes in [&mut speller.pinyin, &mut speller.alike, &mut speller.shorter, &mut speller.characters]
        {
            hashes.sort_unstable();
            hashes.shrink_to_fit();
        }
        speller
    }

    fn index(&mut self, number: u32, letters: &str, chars: &[char], hanzi: bool) {
        if letters.is_empty() || !letters.bytes().all(|b| b.is_ascii_lowercase()) {
            return;
        }
        self.pinyin.push((hash(letters), number));
        if hanzi {
            self.alike.push((hash(&sounds(letters)), number));
        }
        if letters.len() >= MIN_LETTERS {
            self.shorter.extend(less_one(letters).map(|less| (hash(&less), number)));
        }
        if hanzi && chars.len() >= 3 {
            self.characters.extend(less_one_char(chars).map(|less| (hash(&less), number)));
        }
    }

    fn documents(&self, word: &str) -> u32 {
        let number = self.numbers.get(word).and_then(|number| usize::try_from(*number).ok());
        number.and_then(|number| self.words.get(number)).map_or(0, |word| word.documents)
    }

    /// What was probably meant by `keyword`; `None` if nothing better is known.
    pub fn correct(&self, keyword: &str) -> Option<String> {
        let given: String = keyword.chars().take(MAX_KEYWORD_CHARS).collect();
        let folded = fold::fold(&given);
        let mut corrections: Vec<(usize, usize, String)> = Vec::new();
        let runs = fold::runs(&folded);
        for (nth, Run { class, from, to }) in runs.iter().copied().enumerate() {
            let chars = characters(&folded, from, to);
            let last = nth + 1 == runs.len();
            let found = match class {
                Class::Han => self.hanzi(&chars),
                Class::Alphanumeric | Class::Separator => self.latin(&chars, last).into_iter().collect(),
            };
            corrections.extend(found.into_iter().map(|(start, end, text)| (from + start, from + end, text)));
        }
        let corrected = spliced(&given, &folded, &corrections);
        (!corrections.is_empty() && key(&corrected) != key(&given)).then_some(corrected)
    }

    /// Corrections of a run of hanzi: where, and what stands there then.
    fn hanzi(&self, chars: &[char]) -> Vec<(usize, usize, String)> {
        let mut found = Vec::new();
        let mut done = 0;
        let suspects = self.suspects(chars);
        if suspects.is_empty() {
            return self.homophone(chars).into_iter().collect();
        }
        for (from, to) in suspects {
            if from < done {
                continue;
            }
            // The error may be a part of a longer word whose other part was cut off as a word of its own.
            let mut best: Option<(f32, usize, usize, &str)> = None;
            // Characters that the index has as words of their own may stay out of it (近 of 近顾宫).
            let is_word =
                |at: usize| chars.get(at).is_some_and(|ch| self.documents(&ch.to_string()) >= MIN_DOCUMENTS);
            let first = (from..to - 1).find(|at| !is_word(*at)).unwrap_or(to - 1);
            let last = (from + 1..to).rfind(|at| !is_word(*at)).unwrap_or(from);
            let (first, last) = if first > last { (to - 1, from) } else { (first, last) };
            for start in to.saturating_sub(MAX_WORD_CHARS).max(done)..=first {
                for end in (last + 1).max(start + 2)..=chars.len().min(start + MAX_WORD_CHARS) {
                    let Some(window) = chars.get(start..end) else { continue };
                    let Some((score, word)) = self.alike_hanzi(window, false) else { continue };
                    // What is longer leaves less to chance.
                    let score = score * small(end - start).sqrt();
                    if best.is_none_or(|(known, ..)| score > known) {
                        best = Some((score, start, end, word));
                    }
                }
            }
            if let Some((_, start, end, word)) = best {
                found.push((start, end, word.to_owned()));
                done = end;
            }
        }
        found
    }

    /// A word that sounds exactly like characters that the index knows one by one (天安们), and has all but one of them.
    fn homophone(&self, chars: &[char]) -> Option<(usize, usize, String)> {
        let lengths = lexicon().cut(&chars.iter().collect::<String>());
        let ends = lengths.iter().scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        let starts: Vec<usize> = std::iter::once(0).chain(ends).take(lengths.len()).collect();
        for (nth, start) in starts.iter().enumerate() {
            for end in starts.iter().skip(nth + 2).copied().chain([chars.len()]) {
                let inner = lengths.iter().zip(&starts).filter(|(_, from)| **from >= *start && **from < end);
                if !(3..=MAX_WORD_CHARS).contains(&(end - start))
                    || !inner.clone().any(|(length, _)| *length == 1)
                {
                    continue;
                }
                let Some(window) = chars.get(*start..end) else { continue };
                let same = |word: &str| {
                    word.chars().zip(window).filter(|(a, b)| a == *b).count() + 1 == window.len()
                };
                if let Some((likeness, word)) = self.alike_hanzi(window, true)
                    && likeness > 0.0
                    && word.chars().count() == window.len()
                    && same(word)
                    && self.documents(word) >= MIN_RATIO
                {
                    return Some((*start, end, word.to_owned()));
                }
            }
        }
        None
    }

    /// Where the index does not know what was typed: words that no or few documents have, and characters that no word
    /// joins here but some would elsewhere.
    fn suspects(&self, chars: &[char]) -> Vec<(usize, usize)> {
        let mut suspects: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        let lengths = lexicon().cut(&chars.iter().collect::<String>());
        let single = |nth: usize| lengths.get(nth) == Some(&1);
        for (nth, length) in lengths.iter().enumerate() {
            let (from, to) = (at, at + length);
            at = to;
            let text =
                |from: usize, to: usize| chars.get(from..to).unwrap_or_default().iter().collect::<String>();
            let word = text(from, to);
            if lexicon().weight(&word) < 1.0 {
                continue;
            }
            let joined = nth > 0 && single(nth - 1) && self.documents(&text(from.saturating_sub(1), to)) > 0
                || single(nth + 1) && self.documents(&text(from, to + 1)) > 0;
            let lonely = *length == 1 && (nth > 0 && single(nth - 1) || single(nth + 1)) && !joined;
            if lonely || self.documents(&word) < MIN_DOCUMENTS {
                match suspects.last_mut() {
                    Some((_, end)) if *end == from && *length == 1 => *end = to,
                    _ => suspects.push((from, to)),
                }
            }
        }
        suspects
    }

    /// The word that `window` was probably meant to be; with `exact` only one that sounds the same.
    fn alike_hanzi(&self, window: &[char], exact: bool) -> Option<(f32, &str)> {
        let text: String = window.iter().collect();
        let typed = self.documents(&text);
        let words = if lexicon().has_word(&text) { vec![window.len()] } else { lexicon().cut(&text) };
        let reading = lexicon().readings.read(window, &words);
        let letters = reading.concat();
        let mut best: Option<(f32, &str)> = None;
        let mut try_word = |number: u32, likeness: f32| {
            let Some(word) = self.better(number, typed) else { return };
            if *word.text == *text || word.text.is_ascii() {
                return;
            }
            let same = word.text.chars().filter(|ch| window.contains(ch)).count();
            // Nothing in common but the sound of two characters is a coincidence as often as an error.
            let longer = window.len().max(word.chars.into());
            let score = likeness * small(1 + same) / small(1 + longer) * small_log(word.documents);
            if best.is_none_or(|(known, text)| (score, &*word.text) > (known, text)) {
                best = Some((score, &word.text));
            }
        };
        // Who knows a character by another reading has typed it for that (三里囤: tun, not dun).
        let others = if exact { lexicon().readings.others(window, &reading) } else { Vec::new() };
        for letters in std::iter::once(letters.clone()).chain(others.iter().map(|way| way.concat())) {
            for number in at(&self.pinyin, hash(&letters)) {
                if self.word(number).is_some_and(|word| *word.letters == *letters) {
                    try_word(number, SAME_PINYIN);
                }
            }
        }
        if exact {
            return best;
        }
        let sound = sounds(&letters);
        for number in at(&self.alike, hash(&sound)) {
            if self
                .word(number)
                .is_some_and(|w| usize::from(w.chars) == window.len() && sounds(&w.letters) == sound)
            {
                try_word(number, FUZZY_PINYIN);
            }
        }
        if window.len() >= 2 {
            let less = less_one_char(window).map(|less| hash(&less)).chain([hash(&text)]);
            for number in less.flat_map(|less| at(&self.characters, less)) {
                let like = |word: &Word| one_error(&word.text.chars().collect::<Vec<_>>(), window);
                if self.word(number).is_some_and(|word| word.chars >= 3 && like(word)) {
                    try_word(number, ONE_CHARACTER);
                }
            }
        }
        best
    }

    /// Corrections of a run of letters.
    fn latin(&self, chars: &[char], last: bool) -> Option<(usize, usize, String)> {
        let letters: String = chars.iter().collect();
        let length = letters.len();
        if !letters.bytes().all(|b| b.is_ascii_lowercase()) || !(MIN_LETTERS..=MAX_LETTERS).contains(&length)
        {
            return None;
        }
        if self.documents(&letters) > 0 || lexicon().is_latin_word(&letters) || known().has_initials(&letters)
        {
            return None;
        }
        // What stands before and after the error is known.
        let known_to = self.reachable(&letters);
        if known_to.last() == Some(&true) {
            return None;
        }
        let reversed = self.reachable_back(&letters);
        let mut best: Option<(f32, usize, usize, &str)> = None;
        for from in (0..length).filter(|from| known_to.get(*from) == Some(&true)) {
            for to in (from + MIN_LETTERS - 1..=length).filter(|to| reversed.get(*to) == Some(&true)) {
                let Some(piece) = letters.get(from..to) else { continue };
                let Some((score, word)) = self.alike_letters(piece) else { continue };
                let score = score * small(piece.len()).sqrt();
                if best.is_none_or(|(known, ..)| score > known) {
                    best = Some((score, from, to, word));
                }
            }
        }
        let (_, from, to, word) = best?;
        // What may go on is no error yet, unless all of it together is one.
        let begins = |from: usize| letters.get(from..).is_some_and(|rest| known().begins(rest));
        let open = known_to.iter().enumerate().any(|(at, reached)| *reached && begins(at));
        if last && (begins(0) || open && (from, to) != (0, length)) {
            return None;
        }
        Some((from, to, word.to_owned()))
    }

    /// Up to where the letters are pinyin of words of the index, one after the other.
    fn reachable(&self, letters: &str) -> Vec<bool> {
        let mut reached = vec![false; letters.len() + 1];
        if let Some(first) = reached.first_mut() {
            *first = true;
        }
        for from in 0..letters.len() {
            if reached.get(from) != Some(&true) {
                continue;
            }
            for to in from + 1..=letters.len() {
                if letters.get(from..to).is_some_and(|piece| self.is_pinyin(piece))
                    && let Some(place) = reached.get_mut(to)
                {
                    *place = true;
                }
            }
        }
        reached
    }

    /// From where on they are to the end.
    fn reachable_back(&self, letters: &str) -> Vec<bool> {
        let mut reached = vec![false; letters.len() + 1];
        if let Some(last) = reached.last_mut() {
            *last = true;
        }
        for from in (0..letters.len()).rev() {
            let on = (from + 1..=letters.len()).any(|to| {
                reached.get(to) == Some(&true)
                    && letters.get(from..to).is_some_and(|piece| self.is_pinyin(piece))
            });
            if let Some(place) = reached.get_mut(from) {
                *place = on;
            }
        }
        reached
    }

    fn is_pinyin(&self, piece: &str) -> bool {
        piece.len() > 2
            && at(&self.pinyin, hash(piece)).any(|n| self.word(n).is_some_and(|w| *w.letters == *piece))
    }

    fn alike_letters(&self, piece: &str) -> Option<(f32, &str)> {
        let mut best: Option<(f32, &str)> = None;
        let mut try_word = |number: u32, likeness: f32| {
            let Some(word) = self.better(number, 0) else { return };
            let score = likeness * small_log(word.documents);
            if best.is_none_or(|(known, letters)| (score, &*word.letters) > (known, letters)) {
                best = Some((score, &word.letters));
            }
        };
        let typed: Vec<char> = piece.chars().collect();
        // Only what is no pinyin of its own, or sounds alike, is worth a guess at what it sounds like.
        if !syllables(piece).is_empty() {
            let sound = sounds(piece);
            for number in at(&self.alike, hash(&sound)) {
                if self.word(number).is_some_and(|word| sounds(&word.letters) == sound) {
                    try_word(number, FUZZY_PINYIN);
                }
            }
        }
        let less = less_one(piece).map(|less| hash(&less)).chain([hash(piece)]);
        let candidates = less.flat_map(|less| at(&self.shorter, less).chain(at(&self.pinyin, less)));
        for number in candidates {
            if self
                .word(number)
                .is_some_and(|word| one_error(&word.letters.chars().collect::<Vec<_>>(), &typed))
            {
                try_word(number, ONE_LETTER);
            }
        }
        best
    }

    fn word(&self, number: u32) -> Option<&Word> {
        self.words.get(usize::try_from(number).ok()?)
    }

    /// The word, if it is that much more frequent.
    fn better(&self, number: u32, typed: u32) -> Option<&Word> {
        let needed = MIN_DOCUMENTS.max(typed.saturating_mul(MIN_RATIO));
        self.word(number).filter(|word| word.documents >= needed)
    }
}

/// `given` with the corrections in their places, the rest as it was typed.
fn spliced(given: &str, folded: &[Folded], corrections: &[(usize, usize, String)]) -> String {
    let mut text = String::with_capacity(given.len());
    let mut at = 0;
    for (from, to, word) in corrections {
        let (Some(first), Some(last)) = (folded.get(*from), folded.get(to.saturating_sub(1))) else {
            continue;
        };
        text.push_str(given.get(at..first.start).unwrap_or_default());
        text.push_str(word);
        at = last.end;
    }
    text.push_str(given.get(at..).unwrap_or_default());
    text
}

fn at(hashes: &[(u32, u32)], hash: u32) -> impl Iterator<Item = u32> {
    let from = hashes.partition_point(|(known, _)| *known < hash);
    hashes
        .get(from..)
        .unwrap_or_default()
        .iter()
        .take_while(move |(known, _)| *known == hash)
        .map(|(_, number)| *number)
}

/// Half of a hash: what collides is told apart by the word itself.
fn hash(text: &str) -> u32 {
    let mut hasher = FxHasher::default();
    text.hash(&mut hasher);
    u32::try_from(hasher.finish() >> 32).unwrap_or_default()
}

/// Pinyin as it sounds to many speakers: without h after z, c, s, without g after n, with l for n.
fn sounds(letters: &str) -> String {
    let mut sound = String::with_capacity(letters.len());
    let mut before = ' ';
    let mut rest = letters.chars().peekable();
    while let Some(ch) = rest.next() {
        let begins = !matches!(before, 'a' | 'e' | 'i' | 'o' | 'u' | 'v');
        let dropped = ch == 'h' && matches!(before, 'z' | 'c' | 's')
            || ch == 'g' && before == 'n' && !rest.peek().is_some_and(|next| "aeiou".contains(*next));
        before = ch;
        if dropped {
            continue;
        }
        sound.push(if ch == 'n' && begins { 'l' } else { ch });
    }
    sound
}

fn less_one(letters: &str) -> impl Iterator<Item = String> {
    (0..letters.len()).filter_map(|at| Some([letters.get(..at)?, letters.get(at + 1..)?].concat()))
}

fn less_one_char(chars: &[char]) -> impl Iterator<Item = String> {
    (0..chars.len())
        .map(|at| chars.iter().enumerate().filter(|(nth, _)| *nth != at).map(|(_, ch)| ch).collect())
}

/// Whether one insertion, deletion, substitution or swap of neighbours makes the one of the other.
fn one_error(one: &[char], two: &[char]) -> bool {
    if one == two || one.len().abs_diff(two.len()) > 1 {
        return false;
    }
    let same = one.iter().zip(two).take_while(|(a, b)| a == b).count();
    let (one, two) = (one.get(same..).unwrap_or_default(), two.get(same..).unwrap_or_default());
    let swapped = match (one, two) {
        ([a, b, one @ ..], [c, d, two @ ..]) => a == d && b == c && one == two,
        (_, _) => false,
    };
    let (less_one, less_two) = (one.get(1..).unwrap_or_default(), two.get(1..).unwrap_or_default());
    swapped
        || !one.is_empty() && !two.is_empty() && less_one == less_two
        || !one.is_empty() && less_one == two
        || !two.is_empty() && one == less_two
}

#[expect(clippy::cast_precision_loss, reason = "lengths of words")]
fn small(count: usize) -> f32 {
    count as f32
}

#[expect(clippy::cast_precision_loss, reason = "a logarithm needs no exact integer")]
fn small_log(documents: u32) -> f32 {
    (1.0 + documents as f32).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speller() -> Speller {
        let words = [
            ("三里屯", 900),
            ("三里", 900),
            ("故宫", 800),
            ("故", 3),
            ("宫", 2),
            ("大床房", 2000),
            ("大床", 2100),
            ("国贸", 700),
            ("望京", 500),
            ("北京", 5000),
            ("民宿", 4000),
            ("鼓楼", 300),
            ("南锣鼓巷", 600),
            ("锣鼓", 600),
            ("投影", 900),
            ("大", 90),
            ("loft", 600),
            ("sanlitun", 40),
            ("四合院", 300),
            ("什刹海", 300),
            ("地铁", 3000),
            ("传媒", 20),
            ("天安门", 400),
            ("公寓", 3000),
            ("近", 4000),
            ("十", 30),
            ("朝阳", 900),
            ("朝阳区", 300),
            ("房", 500),
            ("高清", 200),
        ];
        Speller::new(words.map(|(word, documents)| (word.to_owned(), documents)))
    }

    #[test]
    fn what_was_probably_meant_is_found() {
        let speller = speller();
        for (typed, meant) in [
            ("三里囤", "三里屯"),
            ("十刹海", "什刹海"),
            ("顾宫", "故宫"),
            ("三里囤大床房", "三里屯大床房"),
            ("近顾宫 民宿", "近故宫 民宿"),
            ("sanlitn", "sanlitun"),
            ("sanlitum", "sanlitun"),
            ("shanlitun", "sanlitun"),
            ("gugong loff", "gugong loft"),
            ("wanjing", "wangjing"),
            ("guomoa", "guomao"),
            ("南罗鼓巷", "南锣鼓巷"),
            ("南锣巷", "南锣鼓巷"),
            ("南鼓锣巷", "南锣鼓巷"),
            ("四合圆", "四合院"),
            ("sanlitndachuangfang", "sanlitundachuangfang"),
            ("天安们", "天安门"),
            ("大窗房", "大床房"),
        ] {
            assert_eq!(speller.correct(typed).as_deref(), Some(meant), "{typed}");
        }
    }

    #[test]
    fn a_character_that_some_titles_have_is_still_taken_for_its_sound() {
        let words = [("三里屯", 900), ("三里", 900), ("囤", 10), ("大床房", 2000)];
        let speller = Speller::new(words.map(|(word, documents)| (word.to_owned(), documents)));
        assert_eq!(speller.correct("三里囤").as_deref(), Some("三里屯"));
        assert_eq!(speller.correct("三里囤大床房").as_deref(), Some("三里屯大床房"));
    }

    #[test]
    fn what_is_known_is_left_as_it_is() {
        let speller = speller();
        for typed in [
            "三里屯",
            "三里屯大床房",
            "sanlitun",
            "sanlitundachuangfang",
            "slt",
            "bj",
            "loft",
            "北京 民宿",
            "附近的",
            "798",
            "",
            "🏠",
            "villa",
            "三里",
            "朝阳区",
            "大床房投影",
        ] {
            assert_eq!(speller.correct(typed), None, "{typed}");
        }
        assert_eq!(Speller::default().correct("三里囤"), None);
    }

    #[test]
    fn one_error_is_one() {
        let one =
            |a: &str, b: &str| one_error(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        for (a, b) in
            [("abc", "abd"), ("abc", "ab"), ("abc", "abcd"), ("abc", "acb"), ("abc", "xabc"), ("bc", "abc")]
        {
            assert!(one(a, b) && one(b, a), "{a} {b}");
        }
        for (a, b) in [("abc", "abc"), ("abc", "cba"), ("abc", "a"), ("abcd", "badc")] {
            assert!(!one(a, b), "{a} {b}");
        }
    }

    #[test]
    fn sounds_that_many_confuse_are_one() {
        for (a, b) in
            [("zhongguo", "zongguo"), ("wangjing", "wanjin"), ("nanluo", "lanluo"), ("shishi", "sisi")]
        {
            assert_eq!(sounds(a), sounds(b), "{a} {b}");
        }
        assert_ne!(sounds("fangan"), sounds("fanan"));
    }
}
