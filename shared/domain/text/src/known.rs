//! Words by their pinyin: what letters that were typed may stand for.
#![expect(clippy::float_arithmetic, reason = "costs are logarithms of frequencies")]

use std::sync::OnceLock;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::analyzer::initials;
use crate::complete::{Completer, Completion, CompletionKind, Prefix};
use crate::lexicon::{frequent_words, lexicon};
use crate::pinyin::{MAX_SYLLABLE, begins_syllable, is_syllable};

/// General words from this frequency on may be typed in pinyin; of rarer ones most letters would be some.
const MIN_FREQUENCY: u32 = 800;
/// A place's weight is 1,000 at most; it is typed as often as a general word of twenty times that frequency.
const PLACE_FREQUENCY: u32 = 20;
/// Letters of the longest word that is looked for in a run.
const MAX_WORD_LETTERS: usize = 30;
/// Words that share a pinyin and are worth knowing: the most frequent.
const MAX_HOMOPHONES: usize = 2;
/// Characters of the words that may be typed in a mixture of hanzi and letters.
const MAX_MIXED_CHARS: usize = 8;

/// The natural logarithm of all frequencies together, about.
const TOTAL: f32 = 17.0;
/// What a syllable costs that belongs to no known word: more than any word, so that words are found first.
const SYLLABLE: f32 = 13.0;
/// What the beginning of a known word costs at the end.
const WORD_BEGINNING: f32 = 11.0;
/// What initials cost: they are the last thing that letters beside pinyin are taken for (zhongqing is no zhongqi ng).
const INITIALS: f32 = 20.0;

pub(crate) struct Known {
    /// By pinyin: what it costs, and the words that have it.
    pinyin: FxHashMap<String, (f32, Vec<&'static str>)>,
    /// Every pinyin, in order, to look for beginnings.
    sorted: Vec<String>,
    initials: FxHashSet<String>,
    mixed: Completer,
}

/// A piece of a run of letters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Segment {
    pub from: usize,
    pub to: usize,
    pub kind: SegmentKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SegmentKind {
    /// The pinyin of a known word.
    Word,
    /// Syllables that are no known word.
    Syllables,
    /// The beginning of a word, or of a syllable after others.
    Beginning,
    /// Initials of a known word.
    Initials,
}

/// What is known, made by whoever asks first.
pub(crate) fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(Known::load)
}

impl Known {
    fn load() -> Self {
        let mut words: FxHashMap<&'static str, u32> = FxHashMap::default();
        let lexicon = lexicon();
        let domain = lexicon.domain.iter().map(|(word, weight)| match *weight {
            place @ ..=1_000 => (*word, place * PLACE_FREQUENCY),
            frequency => (*word, frequency),
        });
        let general =
            frequent_words().filter(|(word, frequency)| *frequency >= MIN_FREQUENCY && word.len() >= 6);
        let mut short = Vec::new();
        for (word, frequency) in domain.chain(general) {
            let best = words.entry(word).or_default();
            *best = frequency.max(*best);
        }
        let mut by_frequency: Vec<(&'static str, u32)> = words.into_iter().collect();
        by_frequency.sort_unstable_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
        let mut known = Self {
            pinyin: FxHashMap::default(),
            sorted: Vec::new(),
            initials: FxHashSet::default(),
            mixed: Completer::default(),
        };
        for (word, frequency) in &by_frequency {
            let chars: Vec<char> = word.chars().collect();
            let reading = lexicon.readings.read(&chars, &[chars.len()]);
            if chars.len() < 2 || reading.iter().any(|syllable| syllable.is_empty()) {
                continue;
            }
            if chars.len() <= MAX_MIXED_CHARS {
                let (text, weight) = ((*word).to_owned(), *frequency);
                short.push(Completion { text, kind: CompletionKind::Place, weight });
            }
            known.initials.insert(initials(&reading));
            let cost = TOTAL - logarithm(*frequency);
            let (_, homophones) = known.pinyin.entry(reading.concat()).or_insert((cost, Vec::new()));
            if homophones.len() < MAX_HOMOPHONES {
                homophones.push(word);
            }
        }
        known.sorted = known.pinyin.keys().cloned().collect();
        known.sorted.sort_unstable();
        known.mixed = Completer::new(short);
        known
    }

    /// Words with this pinyin, the most frequent first.
    pub fn words(&self, pinyin: &str) -> &[&'static str] {
        self.pinyin.get(pinyin).map(|(_, words)| words.as_slice()).unwrap_or_default()
    }

    pub fn has_initials(&self, letters: &str) -> bool {
        self.initials.contains(letters)
    }

    /// Whether letters begin the pinyin of a known word.
    pub fn begins(&self, letters: &str) -> bool {
        let at = self.sorted.partition_point(|pinyin| pinyin.as_str() < letters);
        self.sorted.get(at).is_some_and(|pinyin| pinyin.starts_with(letters))
    }

    /// Known words that `typed`, hanzi and letters, is for: the whole of them, and those that only begin so.
    pub fn mixed(&self, typed: &str, limit: usize) -> (Vec<&str>, Vec<&str>) {
        let prefix = Prefix::parse(typed);
        // A few more than wanted: whole ones may stand behind weightier longer ones.
        let found = self.mixed.complete(&prefix, limit * 8);
        let texts = found.into_iter().map(|completion| completion.text.as_str());
        let (mut whole, mut beginning): (Vec<&str>, Vec<&str>) =
            texts.partition(|text| prefix.matches_whole(text));
        whole.truncate(limit);
        beginning.truncate(limit);
        (whole, beginning)
    }

    /// `letters` as pinyin: the cheapest sequence of known words, syllables and initials; with `open` the last of them may
    /// be a beginning. `None` if it cannot be pinyin.
    pub fn segment(&self, letters: &str, open: bool) -> Option<Vec<Segment>> {
        let length = letters.len();
        let mut best: Vec<Option<(f32, Segment)>> = vec![None; length + 1];
        for from in 0..length {
            let so_far = match (from, best.get(from)?) {
                (0, _) => 0.0,
                (_, Some((cost, _))) => *cost,
                (_, None) => continue,
            };
            for to in from + 1..=length.min(from + MAX_WORD_LETTERS) {
                let Some(piece) = letters.get(from..to) else { continue };
                let Some((cost, kind)) = self.price(piece, from, open && to == length) else { continue };
                let slot = best.get_mut(to)?;
                if slot.as_ref().is_none_or(|(known, _)| so_far + cost < *known) {
                    *slot = Some((so_far + cost, Segment { from, to, kind }));
                }
            }
        }
        let mut segments = Vec::new();
        let mut end = length;
        while end > 0 {
            let (_, segment) = best.get(end)?.clone()?;
            end = segment.from;
            segments.push(segment);
        }
        segments.reverse();
        // More initials than one are no pinyin, but a Latin word that happens to fall apart so (st-an-da-rd).
        let initials = segments.iter().filter(|segment| segment.kind == SegmentKind::Initials).count();
        (initials <= 1 && initials < segments.len()).then(|| joined(segments))
    }

    fn price(&self, piece: &str, from: usize, last: bool) -> Option<(f32, SegmentKind)> {
        if let Some((cost, _)) = self.pinyin.get(piece) {
            return Some((*cost, SegmentKind::Word));
        }
        if piece.len() <= MAX_SYLLABLE && is_syllable(piece) {
            return Some((SYLLABLE, SegmentKind::Syllables));
        }
        if last && piece.len() > 2 && self.begins(piece) {
            return Some((WORD_BEGINNING, SegmentKind::Beginning));
        }
        if last && from > 0 && piece.len() <= MAX_SYLLABLE && begins_syllable(piece) {
            return Some((SYLLABLE, SegmentKind::Beginning));
        }
        let consonants = piece.bytes().all(|b| b.is_ascii_lowercase() && !b"aeiouv".contains(&b));
        let initials = consonants && (2..=5).contains(&piece.len()) && self.initials.contains(piece);
        initials.then_some((INITIALS, SegmentKind::Initials))
    }
}

/// Syllables that are neighbours are one unknown name.
fn joined(segments: Vec<Segment>) -> Vec<Segment> {
    let mut all: Vec<Segment> = Vec::with_capacity(segments.len());
    for segment in segments {
        match all.last_mut() {
            Some(last) if last.kind == SegmentKind::Syllables => match segment.kind {
                SegmentKind::Syllables | SegmentKind::Beginning => {
                    last.to = segment.to;
                    last.kind = segment.kind;
                }
                SegmentKind::Word | SegmentKind::Initials => all.push(segment),
            },
            _ => all.push(segment),
        }
    }
    all
}

/// `letters` as the fewest syllables; the last one may be a beginning. Empty if they are none.
pub(crate) fn syllables(letters: &str) -> Vec<&str> {
    let length = letters.len();
    let mut best: Vec<Option<(usize, usize)>> = vec![None; length + 1];
    if let Some(first) = best.first_mut() {
        *first = Some((0, 0));
    }
    for from in 0..length {
        let Some(Some((count, _))) = best.get(from).copied() else { continue };
        for to in from + 1..=length.min(from + MAX_SYLLABLE) {
            let Some(piece) = letters.get(from..to) else { continue };
            let price = if is_syllable(piece) {
                2
            } else if to == length && begins_syllable(piece) {
                3
            } else {
                continue;
            };
            if let Some(slot) = best.get_mut(to)
                && slot.is_none_or(|(known, _)| count + price < known)
            {
                *slot = Some((count + price, from));
            }
        }
    }
    let mut pieces = Vec::new();
    let mut end = length;
    while end > 0 {
        let Some(Some((_, from))) = best.get(end).copied() else { return Vec::new() };
        pieces.extend(letters.get(from..end));
        end = from;
    }
    pieces.reverse();
    pieces
}

#[expect(clippy::cast_precision_loss, reason = "a logarithm of a frequency needs no exact integer")]
fn logarithm(frequency: u32) -> f32 {
    (frequency.max(1) as f32).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(letters: &str) -> Option<Vec<String>> {
        let segments = known().segment(letters, true)?;
        Some(segments.iter().map(|s| letters[s.from..s.to].to_owned()).collect())
    }

    #[test]
    fn a_run_of_letters_is_taken_apart_into_known_words() {
        for (letters, expected) in [
            ("sanlitundachuangfang", "sanlitun dachuangfang"),
            ("beijingminsu", "beijing minsu"),
            ("bjminsu", "bj minsu"),
            ("xian", "xian"),
            ("chongqingjiefangbei", "chongqing jiefangbei"),
            ("sanlit", "sanlit"),
            ("haishengguojigongyu", "haisheng guoji gongyu"),
            ("chaoyangqu", "chaoyangqu"),
        ] {
            assert_eq!(pieces(letters).unwrap().join(" "), expected, "{letters}");
        }
        for other in ["loft", "standard", "bj", "qwrt", "villa"] {
            assert_eq!(pieces(other), None, "{other}");
        }
    }

    #[test]
    fn syllables_are_as_few_as_may_be() {
        assert_eq!(syllables("sanlitun"), ["san", "li", "tun"]);
        assert_eq!(syllables("sanlit"), ["san", "li", "t"]);
        assert_eq!(syllables("loft"), Vec::<&str>::new());
    }

    #[test]
    fn mixtures_find_known_words() {
        assert_eq!(known().mixed("三里tun", 2).0, ["三里屯"]);
        assert!(known().mixed("chaoyq", 2).0.contains(&"朝阳区"));
        let (whole, beginning) = known().mixed("大chuang", 3);
        assert!(whole.contains(&"大床") && beginning.contains(&"大床房"), "{whole:?} {beginning:?}");
    }
}
