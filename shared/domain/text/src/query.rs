use serde::{Deserialize, Serialize};

/// Characters of a keyword that are looked at; what follows is ignored. A longer one is a mistake or an attack.
pub const MAX_KEYWORD_CHARS: usize = 100;

/// What somebody typed, as an index understands it: an empty one matches everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TextQuery {
    /// One for each thing that was asked for, in the order typed.
    pub clauses: Vec<Clause>,
}

/// One thing that was asked for. A document has it if it has one of the alternatives; the best one counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clause {
    /// What was typed for it, folded.
    pub typed: String,
    /// Ways to say it, the most literal first; never empty.
    pub alternatives: Vec<Alternative>,
    /// How much it matters, 1 for an ordinary word; less for one that says little (的, near, homestay).
    pub weight: f32,
}

/// One way to say it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// All of them, in one field of the document; never empty, mostly one.
    pub terms: Vec<Term>,
    /// How well it says it: 1 for what was typed, less for a synonym or a guess.
    pub weight: f32,
}

/// What is looked up in the index.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Term {
    /// Among which terms of the document.
    pub kind: TermKind,
    /// The term as [`Analyzer::document`](crate::Analyzer::document) makes it.
    pub text: String,
}

/// What a term of a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TermKind {
    /// A word, in [`Analysed::words`](crate::Analysed::words).
    Word,
    /// The beginning of a word.
    WordPrefix,
    /// A word's full pinyin, in [`Analysed::pinyin`](crate::Analysed::pinyin).
    Pinyin,
    /// The beginning of a word's full pinyin.
    PinyinPrefix,
    /// The initials of a word's pinyin, in [`Analysed::initials`](crate::Analysed::initials).
    Initials,
}

impl TextQuery {
    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }
}
