//! What Chinese text means to a search: words, synonyms, pinyin, initials, typing errors, completions.
//!
//! One analysis serves every index: what is indexed comes from [`Analyzer::document`], what is asked for from
//! [`Analyzer::query`], and both agree here, not in the configuration of a search engine.
//!
//! # What an index does with it
//!
//! A document gets three fields for each text: its words with their positions, its pinyin and its initials
//! ([`Analysed`]); none of them needs an analyzer in the engine. A query is clauses, each a list of alternatives, each a
//! list of terms ([`TextQuery`]): a document has a clause if one field of it has all terms of one alternative, and the
//! best such alternative counts, its weight times that of the clause.
//!
//! | typed | what is looked for |
//! |---|---|
//! | 大床房 | the word; its synonyms; words that begin so |
//! | 国家体育场 | the word; 鸟巢; 国家 and 体育场 |
//! | 海晟 (in no dictionary) | the pair as documents have it; 海 and 晟 |
//! | sanlitun | the Latin word; the pinyin; pinyin that begins so; `sanli` and `litun` |
//! | sanlitundachuangfang, san li tun | the words that the letters are pinyin of |
//! | bj, cyq, bjms | the Latin word; initials; initials of two words |
//! | 三里tun, 大chuang, bj民宿 | the known word that the mixture is for; else its parts |
//!
//! # What it costs
//!
//! The dictionary is loaded once per process, by whoever needs it first: [`Analyzer::load`] in a thread at a cold start
//! takes it off the first request. `data/README.md` says where the words come from and under which licences.

mod analyzer;
mod complete;
mod fold;
mod highlight;
mod known;
mod lexicon;
mod parse;
mod pinyin;
mod query;
mod spell;
mod synonyms;

pub use analyzer::{Analysed, Analyzer, Token};
pub use complete::{Completer, Completion, CompletionKind, Prefix, completion_keys};
pub use highlight::{Highlighter, Part};
pub use pinyin::pinyin;
pub use query::{Alternative, Clause, MAX_KEYWORD_CHARS, Term, TermKind, TextQuery};
pub use spell::Speller;
pub use synonyms::{InvalidSynonyms, Synonyms};

/// Names on the map that searches are completed to, each with a weight: cities before districts before quarters.
pub fn places() -> impl Iterator<Item = (&'static str, u32)> {
    lexicon::places().map(|place| (place.name, place.weight))
}
