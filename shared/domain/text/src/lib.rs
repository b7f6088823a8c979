//! What Chinese text means to a search: words, synonyms, pinyin, initials, typing errors, completions.
//!
//! One analysis serves every index: what is indexed comes from [`Analyzer::document`], what is asked for from
//! [`Analyzer::query`], and both agree here, not in the configuration of a search engine.

mod analyzer;
mod complete;
mod highlight;
mod query;
mod spell;
mod synonyms;

pub use analyzer::{Analysed, Analyzer, Token};
pub use complete::{Completer, Completion, CompletionKind, Prefix, completion_keys};
pub use highlight::{Part, highlight};
pub use query::{Alternative, Clause, MAX_KEYWORD_CHARS, Term, TermKind, TextQuery};
pub use spell::Speller;
pub use synonyms::{InvalidSynonyms, Synonyms};
