//! Completion of what is being typed.

use std::cmp::Reverse;
use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::fold::{self, Class, Folded, Run};
use crate::lexicon::lexicon;
use crate::pinyin::{MAX_SYLLABLE, begins_syllable, characters, is_syllable};

/// Characters of a beginning that are looked at. Who has typed more searches; the sets of [`Prefix::matches`] fit a word
/// of the machine.
const MAX_PREFIX_CHARS: usize = 32;
/// Letters of a key: more tell no two texts apart that fewer do not.
const MAX_KEY_CHARS: usize = 12;
/// Keys of a text: its first words, and other readings of them.
const MAX_TEXT_KEYS: usize = 16;
/// Words of a text that a completion may begin at: nobody types the tenth word of a title first.
const MAX_STARTS: usize = 8;
/// Ways to read a beginning that are followed (xian: x or x'a), the most likely first; each is a look-up.
const MAX_PREFIX_KEYS: usize = 6;

/// Something that a beginning of text can be completed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// What it is completed to.
    pub text: String,
    /// What it is.
    pub kind: CompletionKind,
    /// The greater, the sooner it is proposed.
    pub weight: u32,
}

/// What a completion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompletionKind {
    /// A city, a district, a sight.
    Place,
    /// What many have searched for.
    Query,
    /// The title of a homestay.
    Title,
}

/// A character of a text, and what may be typed for it.
#[derive(Debug, Clone, Copy)]
struct Unit {
    ch: char,
    class: Class,
    /// Its right reading; "" for a letter or digit, which stands for itself.
    right: &'static str,
    /// Where it stands in the text as given, in bytes.
    start: usize,
    end: usize,
}

/// What a text is looked up by. In order of its letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    letters: String,
    /// Of which text.
    entry: u32,
    /// At which of its words it begins.
    place: usize,
    /// Whether it has the right readings only.
    right: bool,
}

/// A text as [`Prefix`] meets it.
#[derive(Debug, Clone, Default)]
struct Units {
    units: Vec<Unit>,
    /// Where its words begin.
    starts: Vec<usize>,
}

impl Units {
    fn of(text: &str) -> Self {
        Self::of_folded(&fold::fold(text))
    }

    fn of_folded(folded: &[Folded]) -> Self {
        let mut found = Self::default();
        for Run { class, from, to } in fold::runs(folded) {
            let chars = characters(folded, from, to);
            let base = found.units.len();
            let given = folded.get(from..to).unwrap_or_default();
            let unit = |f: &Folded, right| Unit { ch: f.ch, class, right, start: f.start, end: f.end };
            if class == Class::Han {
                let lengths = lexicon().cut(&chars.iter().collect::<String>());
                let reading = lexicon().readings.read(&chars, &lengths);
                found.starts.extend(word_starts(&chars, &lengths).into_iter().map(|start| base + start));
                found.units.extend(given.iter().zip(reading).map(|(f, right)| unit(f, right)));
            } else {
                found.starts.push(base);
                found.units.extend(given.iter().map(|f| unit(f, "")));
            }
        }
        found
    }

    /// Keys from the beginning of each of its first words on: first with the right readings, then with one of its first
    /// characters read otherwise.
    fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        let mut push = |letters: String, place: usize, right: bool| {
            let new = || keys.iter().all(|key| key.letters != letters || key.place != place);
            if keys.len() < MAX_TEXT_KEYS && !letters.is_empty() && new() {
                keys.push(Key { letters, entry: 0, place, right });
            }
        };
        let starts = self.starts.iter().take(MAX_STARTS).enumerate();
        for (place, start) in starts.clone() {
            push(self.tail(*start).iter().filter_map(Unit::initial).collect(), place, true);
        }
        for (place, start) in starts {
            let tail = self.tail(*start);
            for (at, unit) in tail.iter().enumerate() {
                for other in unit.readings().skip(1).filter_map(|reading| reading.chars().next()) {
                    let letters = tail.iter().enumerate();
                    let letters =
                        letters.filter_map(|(i, u)| if i == at { Some(other) } else { u.initial() });
                    push(letters.collect(), place, false);
                }
            }
        }
        keys
    }

    fn tail(&self, start: usize) -> &[Unit] {
        let end = self.units.len().min(start + MAX_KEY_CHARS);
        self.units.get(start..end).unwrap_or_default()
    }
}

impl Unit {
    fn initial(&self) -> Option<char> {
        match self.readings().next() {
            Some(reading) => reading.chars().next(),
            None => Some(self.ch),
        }
    }

    /// Its readings, the right one first; none for a letter or digit.
    fn readings(&self) -> impl Iterator<Item = &'static str> {
        let is_hanzi = self.class == Class::Han;
        is_hanzi.then(|| lexicon().readings.of(self.ch, self.right)).into_iter().flatten()
    }
}

/// Beginnings of words, and of the words that end a longer one (三里屯太古里: also 太古里).
fn word_starts(chars: &[char], lengths: &[usize]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    for length in lengths {
        starts.push(at);
        let end = at + length;
        if *length >= 4 {
            for from in at + 2..end - 1 {
                let tail: String = chars.get(from..end).unwrap_or_default().iter().collect();
                if lexicon().has_word(&tail) {
                    starts.push(from);
                    break;
                }
            }
        }
        at = end;
    }
    starts
}

/// What a text is found by while it is being typed: initials from the beginning of each of its first words on.
///
/// Letters and digits stand for themselves (loft). At most 16 keys of at most 12 letters; a reading that the text does
/// not have here, but a character may have, makes a key too (重庆: cq and zq).
pub fn completion_keys(text: &str) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for key in Units::of(text).keys() {
        if !keys.contains(&key.letters) {
            keys.push(key.letters);
        }
    }
    keys
}

/// What was typed so far: hanzi, full pinyin, initials, or a mixture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefix {
    typed: Vec<Typed>,
    keys: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Typed {
    ch: char,
    class: Class,
    /// A space or an apostrophe stood before it: no syllable goes on over that (xi'an).
    parted: bool,
}

impl Prefix {
    /// Reads it. Never fails; of what cannot be pinyin nothing is completed but the same letters.
    pub fn parse(typed: &str) -> Self {
        let mut prefix = Self::default();
        let mut parted = false;
        // A character may fold into several, so the limit is set before and after.
        let given: String = typed.chars().take(2 * MAX_PREFIX_CHARS).collect();
        for f in fold::fold(&given) {
            if f.class == Class::Separator {
                parted = true;
            } else if prefix.typed.len() < MAX_PREFIX_CHARS {
                prefix.typed.push(Typed { ch: f.ch, class: f.class, parted });
                parted = false;
            }
        }
        prefix.keys = prefix.read_keys();
        prefix
    }

    /// The beginnings of [`completion_keys`] of texts that it may be completed to; few, the most likely first. Empty if
    /// nothing was typed.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Whether `text` really goes on from what was typed: keys leave out what this looks at.
    pub fn matches(&self, text: &str) -> bool {
        self.stretch(text).is_some()
    }

    /// What of `text`, in bytes, was typed: from the beginning of a word on, the stretch that ends first. `None` if `text` does
    /// not [match](Self::matches).
    pub fn stretch(&self, text: &str) -> Option<Range<usize>> {
        let folded = fold::fold(text);
        if self.typed.is_empty() || !self.may_match(&folded) {
            return None;
        }
        let text = Units::of_folded(&folded);
        let stretches = text.starts.iter().take(MAX_STARTS).filter_map(|start| {
            let units = text.units.get(*start..)?;
            let last = self.walk(units).0?.checked_sub(1)?;
            Some(units.first()?.start..units.get(last)?.end)
        });
        stretches.min_by_key(|stretch| (stretch.end, Reverse(stretch.start)))
    }

    /// Hanzi stand for themselves: a text without them need not be read, which takes far longer than to fold it.
    fn may_match(&self, folded: &[Folded]) -> bool {
        let mut hanzi = self.typed.iter().filter(|typed| typed.class == Class::Han);
        hanzi.all(|typed| folded.iter().any(|f| f.ch == typed.ch))
    }

    /// Whether what was typed is for the whole of `text`.
    pub(crate) fn matches_whole(&self, text: &str) -> bool {
        self.walk(&Units::of(text).units).1
    }

    /// How many of `units` it is for at least, if it is for their beginning, and whether it is for all of them. Follows every
    /// way to read it at once: bit i of the set says that the units so far may have taken the first i characters.
    fn walk(&self, units: &[Unit]) -> (Option<usize>, bool) {
        let done = 1_u64 << self.typed.len();
        let mut set = 1_u64;
        let mut reached = None;
        for (nth, unit) in units.iter().enumerate() {
            let ways = (0..self.typed.len()).filter(|at| set & (1 << at) != 0);
            set = ways.fold(0, |next, at| next | self.steps(unit, at));
            reached = reached.or((set & done != 0).then_some(nth + 1));
            if set & !done == 0 {
                return (reached, set & done != 0 && nth + 1 == units.len());
            }
        }
        (reached, set & done != 0)
    }

    /// How far typed may be taken by `unit` from `at` on, as a set.
    fn steps(&self, unit: &Unit, at: usize) -> u64 {
        let Some(typed) = self.typed.get(at) else { return 0 };
        if typed.ch == unit.ch {
            return 1 << (at + 1);
        }
        if typed.class == Class::Han {
            return 0;
        }
        let mut reached = 0;
        for reading in unit.readings() {
            let common = self.common(reading, at);
            for taken in 1..=common {
                // In the middle a syllable stands whole or by its initial; what is typed last may stop anywhere.
                let initial = taken == 1 || taken == 2 && reading.as_bytes().get(1) == Some(&b'h');
                if initial || taken == reading.len() || at + taken == self.typed.len() {
                    reached |= 1 << (at + taken);
                }
            }
        }
        reached
    }

    fn common(&self, reading: &str, at: usize) -> usize {
        let typed = self.typed.get(at..).unwrap_or_default();
        let same = typed.iter().zip(reading.chars()).enumerate();
        same.take_while(|(nth, (typed, ch))| typed.ch == *ch && (*nth == 0 || !typed.parted)).count()
    }

    /// Initials that it may stand for: the cheapest ways to take it apart into characters and syllables.
    fn read_keys(&self) -> Vec<String> {
        let length = self.typed.len();
        let mut ways: Vec<Vec<(u32, String)>> = vec![Vec::new(); length + 1];
        if let Some(first) = ways.first_mut() {
            first.push((0, String::new()));
        }
        for at in 0..length {
            let mut here = ways.get_mut(at).map(std::mem::take).unwrap_or_default();
            shorten(&mut here);
            for (to, letter, price) in self.readings_at(at) {
                let Some(there) = ways.get_mut(to) else { continue };
                there.extend(here.iter().map(|(cost, key)| {
                    let mut key = key.clone();
                    if key.len() < MAX_KEY_CHARS {
                        key.push(letter);
                    }
                    (cost + price, key)
                }));
            }
        }
        let mut ends = ways.pop().unwrap_or_default();
        shorten(&mut ends);
        let mut keys: Vec<String> =
            ends.into_iter().map(|(_, key)| key).filter(|key| !key.is_empty()).collect();
        // Letters may be those of a Latin word, however well they read as pinyin.
        let literal: String = self.typed.iter().take(MAX_KEY_CHARS).map(|t| t.ch).collect();
        if self.typed.iter().all(|t| t.class == Class::Alphanumeric)
            && !literal.is_empty()
            && !keys.contains(&literal)
        {
            keys.truncate(MAX_PREFIX_KEYS - 1);
            keys.push(literal);
        }
        keys
    }

    /// What may stand at `at`: to where, its initial, and a price that is higher for what is less likely.
    fn readings_at(&self, at: usize) -> Vec<(usize, char, u32)> {
        let Some(first) = self.typed.get(at) else { return Vec::new() };
        if first.class == Class::Han {
            let mut initials: Vec<char> = Vec::new();
            for reading in lexicon().readings.of(first.ch, "") {
                initials.extend(reading.chars().next().filter(|initial| !initials.contains(initial)));
            }
            if initials.is_empty() {
                initials.push(first.ch);
            }
            return (0_u32..).zip(initials).map(|(nth, initial)| (at + 1, initial, 10 + nth)).collect();
        }
        let letters: String = {
            let run = self.typed.get(at..).unwrap_or_default().iter().enumerate();
            let run = run.take_while(|(nth, t)| t.ch.is_ascii_lowercase() && (*nth == 0 || !t.parted));
            run.map(|(_, t)| t.ch).take(MAX_SYLLABLE).collect()
        };
        let mut found = Vec::new();
        for to in 1..=letters.len().max(1) {
            let Some(syllable) = letters.get(..to) else {
                found.push((at + 1, first.ch, 10));
                break;
            };
            let last = at + to == self.typed.len();
            let price = match to {
                1 if !matches!(first.ch, 'a' | 'e' | 'o' | 'i' | 'u' | 'v') => 12,
                1 if matches!(first.ch, 'a' | 'e' | 'o') => 15,
                1 => 40,
                2 if matches!(syllable, "zh" | "ch" | "sh") => 12,
                _ if is_syllable(syllable) => 10,
                _ if last && begins_syllable(syllable) => 11,
                _ => continue,
            };
            found.push((at + to, first.ch, price));
        }
        found
    }
}

/// The cheapest of the ways, each key once.
fn shorten(ways: &mut Vec<(u32, String)>) {
    ways.sort();
    let mut seen: FxHashSet<String> = FxHashSet::default();
    ways.retain(|(_, key)| seen.len() < MAX_PREFIX_KEYS && seen.insert(key.clone()));
}

/// Knows completions by heart: places and popular queries, thousands, not millions.
#[derive(Debug, Clone, Default)]
pub struct Completer {
    entries: Vec<Known>,
    keys: Vec<Key>,
}

#[derive(Debug, Clone)]
struct Known {
    completion: Completion,
    folded: String,
    units: Units,
}

impl Completer {
    /// Of `completions`; of those with the same text the weightiest.
    pub fn new(completions: Vec<Completion>) -> Self {
        let mut best: FxHashMap<String, Completion> = FxHashMap::default();
        for completion in completions {
            let folded = fold::key(&completion.text);
            match best.get_mut(&folded) {
                Some(known)
                    if (known.weight, Reverse(known.kind))
                        >= (completion.weight, Reverse(completion.kind)) => {}
                Some(known) => *known = completion,
                None => {
                    best.insert(folded, completion);
                }
            }
        }
        let entries = best.into_iter().map(|(folded, completion)| {
            let units = Units::of(&completion.text);
            Known { completion, folded, units }
        });
        let mut entries: Vec<Known> = entries.collect();
        // The weightiest first, so that a lower number is a better completion.
        entries.sort_by(|a, b| rank(a).cmp(&rank(b)));
        let mut keys = Vec::new();
        for (number, entry) in (0_u32..).zip(&entries) {
            keys.extend(entry.units.keys().into_iter().map(|key| Key { entry: number, ..key }));
        }
        keys.sort();
        Self { entries, keys }
    }

    /// The best `limit` of them for `prefix`: what is already all typed first, then what begins with it, then what goes
    /// on from it at a later word, then what only does with a reading
    /// that is not the right one (z for 重庆); among these the weightiest.
    pub fn complete(&self, prefix: &Prefix, limit: usize) -> Vec<&Completion> {
        let typed: String = prefix.typed.iter().map(|t| t.ch).collect();
        let mut found: Vec<(u8, u32, &Completion)> = Vec::new();
        for letters in prefix.keys() {
            let from = self.keys.partition_point(|key| key.letters.as_str() < letters.as_str());
            let with_them = self.keys.get(from..).unwrap_or_default().iter();
            for key in with_them.take_while(|key| key.letters.starts_with(letters.as_str())) {
                let Some(entry) = usize::try_from(key.entry).ok().and_then(|number| self.entries.get(number))
                else {
                    continue;
                };
                let start = entry.units.starts.get(key.place).copied().unwrap_or_default();
                if prefix.walk(entry.units.units.get(start..).unwrap_or_default()).0.is_none() {
                    continue;
                }
                let class = match (key.right, key.place) {
                    (_, 0) if entry.folded == typed => 0,
                    (true, 0) => 1,
                    (true, _) => 2,
                    (false, _) => 3,
                };
                found.push((class, key.entry, &entry.completion));
            }
        }
        found.sort_unstable_by_key(|(class, number, _)| (*class, *number));
        let mut seen: FxHashSet<u32> = FxHashSet::default();
        found.retain(|(_, number, _)| seen.len() < limit && seen.insert(*number));
        found.into_iter().map(|(_, _, completion)| completion).collect()
    }
}

fn rank(known: &Known) -> (Reverse<u32>, usize, &str) {
    (Reverse(known.completion.weight), known.folded.chars().count(), &known.completion.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hanzi_pinyin_initials_and_mixtures_go_on_to_the_text() {
        for (typed, text) in [
            ("bj minsu", "北京民宿"),
            ("bjms", "北京民宿"),
            ("cyq", "朝阳区"),
            ("chaoy", "朝阳区"),
            ("chaoyq", "朝阳区"),
            ("大chuang", "大床房"),
            ("san里t", "三里屯"),
            ("三里tun", "三里屯"),
            ("loft", "北京LOFT公寓"),
            ("LO", "Loft公寓"),
            ("loftgy", "Loft公寓"),
            ("xi'an", "西安"),
            ("xa", "西安"),
            ("zhongq", "重庆"),
            ("cq", "重庆"),
            ("798", "798艺术区"),
            ("taiguli", "三里屯太古里"),
            ("bei jing", "北京"),
            ("臺", "台北"),
        ] {
            let prefix = Prefix::parse(typed);
            assert!(prefix.matches(text), "{typed} → {text}");
            let keys = completion_keys(text);
            let reached =
                prefix.keys().iter().any(|key| keys.iter().any(|known| known.starts_with(key.as_str())));
            assert!(reached, "{typed} {:?} → {text} {keys:?}", prefix.keys());
        }
    }

    #[test]
    fn what_was_not_typed_is_not_matched() {
        for (typed, text) in [
            ("xi an", "先农坛"),
            ("bjing", "北海"),
            ("里屯", "三里屯"),
            ("朝阳", "潮阳"),
            ("ijing", "北京"),
            ("chyq", "重庆"),
            ("", "北京"),
            (" ", "北京"),
        ] {
            assert!(!Prefix::parse(typed).matches(text), "{typed} → {text}");
        }
    }

    #[test]
    fn a_whole_match_takes_all_of_the_text() {
        assert!(Prefix::parse("三里tun").matches_whole("三里屯"));
        assert!(Prefix::parse("chaoyq").matches_whole("朝阳区"));
        assert!(!Prefix::parse("三里").matches_whole("三里屯"));
        assert!(!Prefix::parse("三里屯").matches_whole("三里"));
    }

    #[test]
    fn keys_are_few_and_short() {
        let long = "长".repeat(100);
        assert!(completion_keys(&long).iter().all(|key| key.len() <= MAX_KEY_CHARS));
        assert!(completion_keys(&"重庆长沙 ".repeat(20)).len() <= MAX_TEXT_KEYS);
        assert!(Prefix::parse(&"xian".repeat(100)).keys().len() <= MAX_PREFIX_KEYS);
        assert!(Prefix::parse("").keys().is_empty() && Prefix::parse("  …🏠").keys().is_empty());
    }

    fn completer(texts: &[(&str, u32)]) -> Completer {
        let kind = CompletionKind::Place;
        Completer::new(
            texts
                .iter()
                .map(|(text, weight)| Completion { text: (*text).into(), kind, weight: *weight })
                .collect(),
        )
    }

    #[test]
    fn the_exact_text_is_first_then_beginnings_then_the_weightiest() {
        let completer =
            completer(&[("朝阳公园", 900), ("朝阳", 1), ("北京朝阳", 5000), ("朝阳区", 950), ("朝阳区", 3)]);
        let texts = |typed| {
            let found = completer.complete(&Prefix::parse(typed), 10);
            found.into_iter().map(|c| c.text.clone()).collect::<Vec<_>>()
        };
        assert_eq!(texts("朝阳"), ["朝阳", "朝阳区", "朝阳公园", "北京朝阳"]);
        assert_eq!(texts("cyg"), ["朝阳公园"]);
        assert_eq!(texts("zy").len(), 4, "the other reading of 朝 is found");
        assert_eq!(completer.complete(&Prefix::parse("chaoyang"), 2).len(), 2);
        assert_eq!(
            completer.complete(&Prefix::parse("cy"), 9).iter().filter(|c| c.text == "朝阳区").count(),
            1
        );
    }
}
