//! Pinyin: the reading of characters in their word, and the readings that somebody may think they have.

use std::sync::OnceLock;

use pinyin::ToPinyin;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::fold::{self, Class, Folded, Run};
use crate::lexicon::{self, lexicon};

static PHRASES: &str = include_str!("../data/phrases.tsv");
static OTHERS: &str = include_str!("../data/readings.tsv");

/// Readings of a word that are indexed: the right one, and those that somebody who does not know it would type. More
/// would be readings that nobody uses.
pub(crate) const MAX_READINGS: usize = 4;

/// The longest phrase that is looked up; that of the data is shorter.
const MAX_PHRASE_CHARS: usize = 16;

/// How characters are read.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    /// Phrases and places with their reading where that is not what the characters say.
    phrases: FxHashMap<&'static str, Vec<&'static str>>,
    /// By first character: the characters of the longest phrase.
    longest: FxHashMap<char, usize>,
    /// A character's first reading, where it is not that of the `pinyin` crate.
    first: FxHashMap<char, &'static str>,
    /// Readings in use besides the first one.
    others: FxHashMap<char, Vec<&'static str>>,
    /// Readings that it has in phrases alone.
    in_phrases: FxHashMap<char, Vec<&'static str>>,
}

impl Readings {
    pub fn load() -> Self {
        let mut readings = Self::default();
        let rows = |file: &'static str| {
            file.lines().filter(|row| !row.starts_with('#')).filter_map(|row| row.split_once('\t'))
        };
        for (ch, others) in rows(OTHERS) {
            let Some(ch) = ch.chars().next() else { continue };
            readings.others.insert(ch, others.split(' ').collect());
        }
        let only = |phrase: &str| phrase.chars().next().filter(|ch| ch.len_utf8() == phrase.len());
        // What characters say alone comes first: a phrase is told from it.
        readings.first =
            rows(PHRASES).filter_map(|(phrase, reading)| Some((only(phrase)?, reading))).collect();
        for (phrase, reading) in rows(PHRASES).filter(|(phrase, _)| only(phrase).is_none()) {
            readings.add(phrase, reading);
        }
        // After the phrases: a place wins.
        for place in lexicon::places() {
            if place.reading.is_empty() {
                continue;
            }
            let usual = place.name.chars().map(|ch| readings.first(ch).unwrap_or(""));
            if !usual.eq(place.reading.split(' ')) || readings.phrases.contains_key(place.name) {
                readings.add(place.name, place.reading);
            }
        }
        readings
    }

    fn add(&mut self, phrase: &'static str, reading: &'static str) {
        let Some(first) = phrase.chars().next() else { return };
        let longest = self.longest.entry(first).or_default();
        *longest = phrase.chars().count().max(*longest);
        let syllables: Vec<&str> = reading.split(' ').collect();
        for (ch, syllable) in phrase.chars().zip(&syllables) {
            if self.possible(ch).all(|known| known != *syllable) {
                self.in_phrases.entry(ch).or_default().push(syllable);
            }
        }
        self.phrases.insert(phrase, syllables);
    }

    fn first(&self, ch: char) -> Option<&'static str> {
        if let Some(reading) = self.first.get(&ch) {
            return Some(reading);
        }
        ch.to_pinyin().map(|reading| with_v(reading.plain()))
    }

    /// The reading of each of `chars`, which is hanzi only and was cut into `words`: the longest phrase that stands
    /// within a word or is whole words, then the character alone. "" for a character without a reading.
    pub fn read(&self, chars: &[char], words: &[usize]) -> Vec<&'static str> {
        let mut starts = vec![false; chars.len() + 1];
        let mut word_end = vec![0; chars.len()];
        let mut at = 0;
        for length in words {
            for place in word_end.iter_mut().skip(at).take(*length) {
                *place = at + length;
            }
            if let Some(start) = starts.get_mut(at) {
                *start = true;
            }
            at += length;
        }
        if let Some(end) = starts.last_mut() {
            *end = true;
        }
        let mut reading = Vec::with_capacity(chars.len());
        let mut phrase = String::new();
        while let Some(ch) = chars.get(reading.len()) {
            let at = reading.len();
            let longest =
                self.longest.get(ch).copied().unwrap_or(0).min(chars.len() - at).min(MAX_PHRASE_CHARS);
            let found = (2..=longest).rev().find_map(|length| {
                let end = at + length;
                let within = word_end.get(at).is_some_and(|word| end <= *word);
                let whole = starts.get(at) == Some(&true) && starts.get(end) == Some(&true);
                if !within && !whole {
                    return None;
                }
                phrase.clear();
                phrase.extend(chars.get(at..end)?);
                self.phrases.get(phrase.as_str())
            });
            match found {
                Some(syllables) => reading.extend(syllables),
                None => reading.push(self.first(*ch).unwrap_or("")),
            }
        }
        reading
    }

    /// The readings of `ch` in use, `right` first.
    pub fn of(&self, ch: char, right: &'static str) -> impl Iterator<Item = &'static str> {
        let usual = self.first(ch).into_iter();
        let others = self.others.get(&ch).into_iter().flatten().copied();
        std::iter::once(right)
            .chain(usual.chain(others).filter(move |other| *other != right))
            .filter(|r| !r.is_empty())
    }

    /// Every reading that `ch` may be given, in whatever word.
    pub fn possible(&self, ch: char) -> impl Iterator<Item = &'static str> {
        let in_phrases = self.in_phrases.get(&ch).into_iter().flatten().copied();
        self.of(ch, self.first(ch).unwrap_or("")).chain(in_phrases)
    }

    /// The readings of a word besides the `right` one: those with one character read otherwise, then with more.
    pub fn others(&self, chars: &[char], right: &[&'static str]) -> Vec<Vec<&'static str>> {
        let mut others: Vec<Vec<&'static str>> = Vec::new();
        for (at, (ch, syllable)) in chars.iter().zip(right).enumerate() {
            for other in self.of(*ch, syllable).skip(1) {
                for base in 0..=others.len() {
                    if others.len() + 1 >= MAX_READINGS {
                        return others;
                    }
                    let base = base.checked_sub(1).and_then(|base| others.get(base));
                    let mut next = base.map_or_else(|| right.to_vec(), Clone::clone);
                    if let Some(place) = next.get_mut(at) {
                        *place = other;
                    }
                    if next != right && !others.contains(&next) {
                        others.push(next);
                    }
                }
            }
        }
        others
    }
}

/// ü is typed v.
fn with_v(syllable: &'static str) -> &'static str {
    match syllable {
        "lü" => "lv",
        "nü" => "nv",
        "lüe" | "lue" => "lve",
        "nüe" | "nue" => "nve",
        "ê" => "e",
        other => other,
    }
}

/// The syllables that there are.
pub(crate) fn is_syllable(letters: &str) -> bool {
    syllables().contains(letters)
}

/// Whether letters begin a syllable.
pub(crate) fn begins_syllable(letters: &str) -> bool {
    static BEGINNINGS: OnceLock<FxHashSet<&'static str>> = OnceLock::new();
    let beginnings = BEGINNINGS.get_or_init(|| {
        syllables()
            .iter()
            .flat_map(|syllable| (1..=syllable.len()).filter_map(|to| syllable.get(..to)))
            .collect()
    });
    beginnings.contains(letters)
}

/// Letters of the longest syllable, zhuang.
pub(crate) const MAX_SYLLABLE: usize = 6;

fn syllables() -> &'static FxHashSet<&'static str> {
    static SYLLABLES: OnceLock<FxHashSet<&'static str>> = OnceLock::new();
    SYLLABLES.get_or_init(|| {
        // Interjections (hm, ng, lo) are none that anybody spells a place with, and would take Latin words for pinyin.
        let spelled = |s: &&str| {
            *s != "lo"
                && s.bytes().all(|b| b.is_ascii_lowercase())
                && s.bytes().any(|b| b"aeiouv".contains(&b))
        };
        ('\u{4e00}'..='\u{9fa5}')
            .filter_map(|ch| Some(with_v(ch.to_pinyin()?.plain())))
            .filter(spelled)
            .collect()
    })
}

/// The pinyin of `text`, a syllable for each character that has one, without tones, ü as v; runs of other letters and
/// digits as they are, folded.
///
/// Characters are read as their word is: 重庆 is chong qing, 长城 chang cheng, 什刹海 shi cha hai.
pub fn pinyin(text: &str) -> Vec<String> {
    let folded = fold::fold(text);
    let mut syllables = Vec::new();
    for Run { class, from, to } in fold::runs(&folded) {
        let chars: Vec<char> = characters(&folded, from, to);
        if class == Class::Han {
            let words = lexicon().cut(&chars.iter().collect::<String>());
            let reading = lexicon().readings.read(&chars, &words);
            syllables.extend(reading.into_iter().filter(|s| !s.is_empty()).map(str::to_owned));
        } else {
            syllables.push(chars.into_iter().collect());
        }
    }
    syllables
}

pub(crate) fn characters(folded: &[Folded], from: usize, to: usize) -> Vec<char> {
    folded.get(from..to).unwrap_or_default().iter().map(|f| f.ch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_read_as_its_word_is() {
        for (text, reading) in [
            ("重庆", "chong qing"),
            ("长沙", "chang sha"),
            ("厦门", "xia men"),
            ("什刹海", "shi cha hai"),
            ("朝阳", "chao yang"),
            ("长城", "chang cheng"),
            ("大栅栏", "da shi lan"),
            ("北京大学长城", "bei jing da xue chang cheng"),
            ("银行", "yin hang"),
            ("旅行", "lv xing"),
            ("音乐厅", "yin yue ting"),
            ("女生", "nv sheng"),
            ("侵略", "qin lve"),
            ("重慶LOFT 2号线", "chong qing loft 2 hao xian"),
            ("朝南的房间", "chao nan de fang jian"),
            ("乐山大佛", "le shan da fo"),
        ] {
            assert_eq!(pinyin(text).join(" "), reading, "{text}");
        }
    }

    #[test]
    fn other_readings_are_few() {
        let readings = &lexicon().readings;
        let chars = ['重', '庆'];
        assert_eq!(readings.others(&chars, &["chong", "qing"]), [vec!["zhong", "qing"]]);
        let long: Vec<char> = "重重重重重重".chars().collect();
        assert_eq!(readings.others(&long, &["chong"; 6]).len(), MAX_READINGS - 1);
    }

    #[test]
    fn syllables_are_those_of_mandarin() {
        for syllable in ["zhuang", "a", "er", "lv", "nve", "xian", "ang"] {
            assert!(is_syllable(syllable), "{syllable}");
        }
        for other in ["b", "ng", "hm", "loft", "zh", "v", "lue"] {
            assert!(!is_syllable(other), "{other}");
        }
        assert!(begins_syllable("zhua") && begins_syllable("s") && !begins_syllable("sr"));
    }
}
