//! What a text is found by: its words and the words within them, their pinyin, their initials.

use rustc_hash::FxHashSet;

use crate::fold::{self, Class, Folded, Run};
use crate::known::known;
use crate::lexicon::lexicon;
use crate::pinyin::characters;
use crate::{Synonyms, TextQuery, parse};

/// Characters of a Latin word that are indexed; what goes on longer is no word.
pub(crate) const MAX_WORD_CHARS: usize = 64;

/// Takes text apart. Cheap to make and to clone: the dictionary is loaded once per process, by whoever needs it first.
#[derive(Debug, Clone, Copy)]
pub struct Analyzer(());

/// What a text is found by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysed {
    /// Its words and the words within them, folded, in order of position.
    pub words: Vec<Token>,
    /// Full pinyin, every reading that is in use, without tones and spaces, each once: of its words and the words within
    /// them, and of every two neighbouring characters, so that what no dictionary knows is found by its pairs.
    pub pinyin: Vec<String>,
    /// Initials of the pinyin of its words of two characters and more, and of every two such words that are neighbours.
    pub initials: Vec<String>,
}

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The word, folded: NFKD without marks, lower case, simplified.
    pub text: String,
    /// Which word of the text it is, from 0; a word within a word has the position of the whole.
    pub position: u32,
    /// Where it begins in the text as given, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Analyzer {
    /// With the dictionary of the house, loaded when it is first needed.
    pub fn new() -> Self {
        Self(())
    }

    /// Loads all that documents and queries need, if nobody has. Worth a thread of its own at a cold start; who asks
    /// meanwhile waits for it.
    pub fn load() -> Self {
        let _ = lexicon();
        let _ = known();
        Self(())
    }

    /// What `text` is found by.
    pub fn document(&self, text: &str) -> Analysed {
        let mut analysed = Analysed::default();
        let (mut pinyin, mut initials) = (FxHashSet::default(), FxHashSet::default());
        let once = |seen: &mut FxHashSet<String>, all: &mut Vec<String>, text: &str| {
            if !seen.contains(text) {
                seen.insert(text.to_owned());
                all.push(text.to_owned());
            }
        };
        let folded = fold::fold(text);
        let mut walk = Walk::new(&folded, |entry| match entry.kind {
            EntryKind::Word => analysed.words.push(Token::from(entry)),
            EntryKind::Pinyin => once(&mut pinyin, &mut analysed.pinyin, entry.text),
            EntryKind::Initials => once(&mut initials, &mut analysed.initials, entry.text),
        });
        for run in fold::runs(&folded) {
            walk.run(run, true);
        }
        analysed
    }

    /// Its words alone, as [`document`](Self::document) has them: of a long text that nobody types the pinyin of, at half
    /// the price.
    pub fn words(&self, text: &str) -> Vec<Token> {
        let mut words = Vec::new();
        let folded = fold::fold(text);
        let mut walk = Walk::new(&folded, |entry| words.push(Token::from(entry)));
        for run in fold::runs(&folded) {
            walk.run(run, false);
        }
        words
    }

    /// What `keyword` asks for. Never fails: what is no word is looked for as it is.
    pub fn query(&self, keyword: &str, synonyms: &Synonyms) -> TextQuery {
        parse::query(keyword, synonyms)
    }
}

impl Default for Analyzer {
    fn default() -> Self {
        Self::new()
    }
}

/// Something that a text is found by, and where it stands in it.
pub(crate) struct Entry<'a> {
    pub kind: EntryKind,
    pub text: &'a str,
    pub position: u32,
    pub start: usize,
    pub end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum EntryKind {
    Word,
    Pinyin,
    Initials,
}

impl From<Entry<'_>> for Token {
    fn from(Entry { text, position, start, end, .. }: Entry<'_>) -> Self {
        Self { text: text.to_owned(), position, start, end }
    }
}

/// Goes through the runs of a text and says all that each is found by, in order of position.
pub(crate) struct Walk<'a, V> {
    folded: &'a [Folded],
    visit: V,
    position: u32,
    /// The text of the entry that is being said; one for all of them.
    text: String,
}

impl<'a, V: FnMut(Entry<'_>)> Walk<'a, V> {
    pub fn new(folded: &'a [Folded], visit: V) -> Self {
        Self { folded, visit, position: 0, text: String::new() }
    }

    /// The words of a run, and if it is to be `read` aloud all that it sounds like, which takes as long again.
    pub fn run(&mut self, run: Run, read: bool) {
        match run.class {
            Class::Han => self.hanzi(run.from, run.to, read),
            Class::Alphanumeric => self.latin(run.from, run.to),
            Class::Separator => {}
        }
    }

    /// Says that `text` is found at `folded[from..to]`.
    fn say(&mut self, kind: EntryKind, from: usize, to: usize) {
        let (Some(first), Some(last)) = (self.folded.get(from), self.folded.get(to.saturating_sub(1))) else {
            return;
        };
        let (position, start, end) = (self.position, first.start, last.end);
        (self.visit)(Entry { kind, text: &self.text, position, start, end });
    }

    fn word(&mut self, from: usize, to: usize) {
        self.text.clear();
        self.text.extend(self.folded.get(from..to).unwrap_or_default().iter().map(|f| f.ch));
        self.say(EntryKind::Word, from, to);
    }

    /// A run of letters and digits is a word, and so are the letters and the digits in it (ps5, 301室).
    fn latin(&mut self, from: usize, to: usize) {
        let to = to.min(from + MAX_WORD_CHARS);
        self.word(from, to);
        let digit = |at: usize| self.folded.get(at).is_some_and(|f| f.ch.is_numeric());
        let cuts: Vec<usize> = (from + 1..to).filter(|at| digit(*at) != digit(at - 1)).collect();
        if !cuts.is_empty() {
            let mut start = from;
            for end in cuts.into_iter().chain([to]) {
                self.word(start, end);
                start = end;
            }
        }
        self.position += 1;
    }

    fn hanzi(&mut self, from: usize, to: usize, read: bool) {
        let chars = characters(self.folded, from, to);
        let run: String = chars.iter().collect();
        let lengths = lexicon().cut(&run);
        let reading = if read { lexicon().readings.read(&chars, &lengths) } else { Vec::new() };
        let mut at = 0;
        let mut before: Option<String> = None;
        for (index, length) in lengths.iter().copied().enumerate() {
            self.hanzi_word(from, &chars, &reading, at, at + length);
            for (start, end) in inner_words(&chars, at, at + length) {
                self.hanzi_word(from, &chars, &reading, start, end);
            }
            // Characters that no word joins are a name more often than not: every two of them count as a word.
            if length == 1 && lengths.get(index + 1) == Some(&1) {
                self.word(from + at, from + at + 2);
            }
            for pair in at..(at + length).min(chars.len().saturating_sub(1)) {
                self.pinyin(from, &chars, &reading, pair, pair + 2);
            }
            let own =
                (read && length > 1).then(|| initials(reading.get(at..at + length).unwrap_or_default()));
            if let (Some(before), Some(own)) = (&before, &own) {
                self.text.clear();
                self.text.extend([before.as_str(), own]);
                self.say(EntryKind::Initials, from + at, from + at + length);
            }
            before = own;
            at += length;
            self.position += 1;
        }
    }

    fn hanzi_word(
        &mut self,
        from: usize,
        chars: &[char],
        reading: &[&'static str],
        start: usize,
        end: usize,
    ) {
        self.word(from + start, from + end);
        self.pinyin(from, chars, reading, start, end);
        if end - start > 1 {
            self.each_reading(chars, reading, start, end, |walk, way| {
                walk.text.extend(way.iter().filter_map(|syllable| syllable.chars().next()));
                if !walk.text.is_empty() {
                    walk.say(EntryKind::Initials, from + start, from + end);
                }
            });
        }
    }

    fn pinyin(&mut self, from: usize, chars: &[char], reading: &[&'static str], start: usize, end: usize) {
        self.each_reading(chars, reading, start, end, |walk, way| {
            walk.text.extend(way.iter().copied());
            if !walk.text.is_empty() {
                walk.say(EntryKind::Pinyin, from + start, from + end);
            }
        });
    }

    /// Every reading in use of `chars[start..end]`, if it is read aloud, each with a text that is empty.
    fn each_reading(
        &mut self,
        chars: &[char],
        reading: &[&'static str],
        start: usize,
        end: usize,
        mut with: impl FnMut(&mut Self, &[&'static str]),
    ) {
        let (Some(chars), Some(right)) = (chars.get(start..end), reading.get(start..end)) else { return };
        let others = lexicon().readings.others(chars, right);
        for way in std::iter::once(right).chain(others.iter().map(Vec::as_slice)) {
            self.text.clear();
            with(self, way);
        }
    }
}

pub(crate) fn initials(reading: &[&str]) -> String {
    reading.iter().filter_map(|syllable| syllable.chars().next()).collect()
}

/// Words of the dictionary within the word `chars[start..end]`, of two characters and more.
fn inner_words(chars: &[char], start: usize, end: usize) -> Vec<(usize, usize)> {
    let mut inner = Vec::new();
    if end - start < 3 {
        return inner;
    }
    let mut word = String::new();
    for from in start..end - 1 {
        for to in from + 2..=end {
            if (from, to) == (start, end) {
                continue;
            }
            word.clear();
            word.extend(chars.get(from..to).unwrap_or_default());
            if lexicon().has_word(&word) {
                inner.push((from, to));
            }
        }
    }
    inner
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Analyzer::new().document(text).words.into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn words_of_the_domain_and_of_the_map_stay_whole_and_their_parts_are_found_too() {
        let all = words("北京三里屯大床房民宿");
        assert_eq!(all, ["北京", "三里屯", "三里", "大床房", "大床", "民宿"]);
    }

    #[test]
    fn words_alone_are_the_same_words() {
        for text in ["北京三里屯大床房民宿", "海晟国际公寓 PS5投影", "重庆·长沙，厦门301室"]
        {
            assert_eq!(Analyzer::new().words(text), Analyzer::new().document(text).words, "{text}");
        }
    }

    #[test]
    fn numbers_and_latin_words_are_words() {
        assert_eq!(words("近301医院，Sanlitun LOFT·798"), ["近", "301", "医院", "sanlitun", "loft", "798"]);
        assert_eq!(words("PS5投影"), ["ps5", "ps", "5", "投影"]);
    }

    #[test]
    fn characters_that_no_word_joins_are_found_in_pairs() {
        let all = words("海晟国际公寓");
        assert!(all.contains(&"海晟".to_owned()) && all.contains(&"国际".to_owned()), "{all:?}");
    }

    #[test]
    fn a_token_stands_where_it_stood_in_the_text_as_given() {
        let text = "🏠ＬＯＦＴ　臺灣「民宿」";
        let document = Analyzer::new().document(text);
        let given: Vec<(&str, &str)> =
            document.words.iter().map(|t| (t.text.as_str(), &text[t.start..t.end])).collect();
        assert_eq!(given, [("loft", "ＬＯＦＴ"), ("台湾", "臺灣"), ("民宿", "民宿")]);
    }

    #[test]
    fn pinyin_has_words_pairs_and_other_readings() {
        let document = Analyzer::new().document("重庆大床房");
        for expected in ["chongqing", "zhongqing", "dachuangfang", "dachuang", "chuangfang", "qingda"] {
            assert!(document.pinyin.contains(&expected.to_owned()), "{expected}: {:?}", document.pinyin);
        }
        for expected in ["cq", "zq", "dcf", "cqdcf"] {
            assert!(document.initials.contains(&expected.to_owned()), "{expected}: {:?}", document.initials);
        }
    }
}
