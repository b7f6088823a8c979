//! What the house knows by heart: words, places, readings. Read once per process from the files in `data/`.

use std::io::BufReader;
use std::sync::OnceLock;

use jieba_rs::Jieba;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::fold;
use crate::pinyin::Readings;

static DICTIONARY: &str = include_str!("../data/dictionary.tsv");
static WORDS: &str = include_str!("../data/words.tsv");
static PLACES: &str = include_str!("../data/places.tsv");
static LATIN: &str = include_str!("../data/latin.txt");

/// How much a word of the query matters that says little about what is wanted (民宿 on a market of homestays).
pub(crate) const GENERIC_WEIGHT: f32 = 0.4;
/// How much one matters that says next to nothing (的, 附近).
pub(crate) const STOP_WEIGHT: f32 = 0.1;

/// A name on the map.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub name: &'static str,
    pub weight: u32,
    pub reading: &'static str,
}

pub(crate) struct Lexicon {
    jieba: Jieba,
    pub readings: Readings,
    /// Words of the domain and places: the first to be thought of when something is abbreviated.
    pub domain: Vec<(&'static str, u32)>,
    weights: FxHashMap<&'static str, f32>,
    latin: FxHashSet<&'static str>,
}

/// The lexicon, loaded by whoever asks first.
pub(crate) fn lexicon() -> &'static Lexicon {
    static LEXICON: OnceLock<Lexicon> = OnceLock::new();
    LEXICON.get_or_init(Lexicon::load)
}

fn rows(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Words of `words.tsv` with their kind and frequency.
fn own_words() -> impl Iterator<Item = (&'static str, &'static str, u32)> {
    rows(WORDS).flat_map(|row| {
        let mut columns = row.split('\t');
        let (kind, frequency) = (columns.next().unwrap_or(""), columns.next().unwrap_or(""));
        let frequency = frequency.parse().unwrap_or(1);
        columns.next().unwrap_or("").split(' ').map(move |word| (kind, word, frequency))
    })
}

/// The gazetteer, and the sights and quarters of `words.tsv`, which have no reading of their own.
pub(crate) fn places() -> impl Iterator<Item = Place> {
    let gazetteer = rows(PLACES).filter_map(|row| {
        let mut columns = row.split('\t');
        let (name, _level) = (columns.next()?, columns.next()?);
        Some(Place { name, weight: columns.next()?.parse().ok()?, reading: columns.next()? })
    });
    let sights = own_words().filter_map(|(kind, name, _)| {
        let weight = match kind {
            "sight" => 600,
            "area" => 500,
            _ => return None,
        };
        Some(Place { name, weight, reading: "" })
    });
    gazetteer.chain(sights)
}

/// Words of the general dictionary that somebody may type in pinyin: those used often.
pub(crate) fn frequent_words() -> impl Iterator<Item = (&'static str, u32)> {
    rows(DICTIONARY).filter_map(|row| {
        let (word, frequency) = row.split_once('\t')?;
        Some((word, frequency.parse().ok()?))
    })
}

/// The general dictionary without its heading, which is none that jieba reads.
fn general() -> &'static [u8] {
    DICTIONARY.split_once('\n').map_or(DICTIONARY, |(_, rest)| rest).as_bytes()
}

fn is_han(word: &str) -> bool {
    fold::fold(word).iter().all(|f| f.class == fold::Class::Han)
}

impl Lexicon {
    fn load() -> Self {
        let mut jieba = Jieba::empty();
        // The file is ours and a test reads it; with a broken one every text would still be cut, into characters.
        let _ = jieba.load_dict(&mut BufReader::new(general()));
        let mut weights = FxHashMap::default();
        let mut domain = Vec::new();
        for place in places().filter(|place| !place.reading.is_empty()) {
            // Short names of districts are ordinary words too (和平, 城关): their frequency is that of a rare word.
            if !jieba.has_word(place.name) {
                let _ = jieba.add_word(place.name, Some(place.weight as usize), None);
            }
            domain.push((place.name, place.weight));
        }
        for (kind, word, frequency) in own_words() {
            match kind {
                "generic" => {
                    weights.insert(word, GENERIC_WEIGHT);
                }
                "stop" => {
                    weights.insert(word, STOP_WEIGHT);
                }
                _ => domain.push((word, frequency)),
            }
            // A character alone is as frequent as the general dictionary says, or every word would fall apart.
            if word.chars().count() > 1 && is_han(word) {
                let _ = jieba.add_word(word, Some(frequency as usize), None);
            }
        }
        let latin: FxHashSet<&str> = rows(LATIN).flat_map(str::split_whitespace).collect();
        for word in
            ["home", "house", "apartment", "apt", "room", "rooms", "hotel", "hostel", "homestay", "minsu"]
        {
            weights.insert(word, GENERIC_WEIGHT);
        }
        for word in
            ["the", "in", "of", "and", "to", "with", "for", "from", "at", "a", "an", "on", "near", "fujin"]
        {
            weights.insert(word, STOP_WEIGHT);
        }
        Self { jieba, readings: Readings::load(), domain, weights, latin }
    }

    /// `run` of hanzi as words, each by its number of characters.
    pub fn cut(&self, run: &str) -> Vec<usize> {
        self.jieba.cut(run, false).into_iter().map(|token| token.word.chars().count()).collect()
    }

    pub fn has_word(&self, word: &str) -> bool {
        self.jieba.has_word(word)
    }

    /// How much a word of a query matters.
    pub fn weight(&self, word: &str) -> f32 {
        self.weights.get(word).copied().unwrap_or(1.0)
    }

    /// Whether it is a word of titles that is no pinyin, whatever it could be read as.
    pub fn is_latin_word(&self, word: &str) -> bool {
        self.latin.contains(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_files_are_well_formed() {
        Jieba::with_dict(&mut BufReader::new(general())).unwrap();
        for place in places() {
            let syllables = place.reading.split(' ').count();
            assert!(place.reading.is_empty() || syllables == place.name.chars().count(), "{place:?}");
        }
        for (kind, word, frequency) in own_words() {
            assert!(
                ["lodging", "room", "amenity", "scene", "sight", "area", "generic", "stop"].contains(&kind),
                "{kind}"
            );
            assert!(frequency > 1 && !word.is_empty(), "{kind}: {word}");
            assert_eq!(fold::key(word), word, "words are kept folded");
        }
        assert!(frequent_words().count() > 40_000);
    }
}
