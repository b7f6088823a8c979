use crate::{Synonyms, TextQuery};

/// Takes text apart. Cheap to clone; loading the dictionary is not.
#[derive(Debug, Clone)]
pub struct Analyzer {}

/// What a text is found by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysed {
    /// Its words and the words within them, folded, in order of position.
    pub words: Vec<Token>,
    /// Full pinyin of its words, every reading that is in use, without tones and spaces.
    pub pinyin: Vec<String>,
    /// Initials of the pinyin of its words.
    pub initials: Vec<String>,
}

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The word, folded: NFKC, lower case, simplified.
    pub text: String,
    /// Which word of the text it is, from 0; a word within a word has the position of the whole.
    pub position: u32,
    /// Where it begins in the text as given, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Analyzer {
    /// With the dictionary of the house.
    pub fn new() -> Self {
        Self {}
    }

    /// What `text` is found by.
    pub fn document(&self, text: &str) -> Analysed {
        let _ = text;
        Analysed::default()
    }

    /// What `keyword` asks for. Never fails: what is no word is looked for as it is.
    pub fn query(&self, keyword: &str, synonyms: &Synonyms) -> TextQuery {
        let _ = (keyword, synonyms);
        TextQuery::default()
    }
}

impl Default for Analyzer {
    fn default() -> Self {
        Self::new()
    }
}
