//! Folding: what is the same to a searcher becomes the same character, and knows where it stood.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

static TRADITIONAL: &str = include_str!("../data/traditional.txt");

/// A character of the folded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Folded {
    pub ch: char,
    pub class: Class,
    /// Where the character of the text as given begins that it comes from, in bytes, and where that ends.
    pub start: usize,
    pub end: usize,
}

/// What a character is to a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A character of Chinese.
    Han,
    /// A letter or digit.
    Alphanumeric,
    /// Anything else (space, punctuation, emoji, control): it parts words and is dropped.
    Separator,
}

impl Class {
    fn of(ch: char) -> Self {
        match ch {
            'a'..='z' | '0'..='9' => Self::Alphanumeric,
            '\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}' => {
                Self::Han
            }
            other if other.is_alphanumeric() => Self::Alphanumeric,
            _ => Self::Separator,
        }
    }
}

/// `text` folded: compatibility forms (full width, ligatures), marks (é, ǐ; but ü of lü and nü becomes v, as it is
/// typed), case and traditional characters are gone. Marks go by decomposition, so that the composed and the decomposed
/// form of a letter come out alike.
pub(crate) fn fold(text: &str) -> Vec<Folded> {
    let mut folded: Vec<Folded> = Vec::with_capacity(text.len() / 2 + 4);
    for (start, given) in text.char_indices() {
        let end = start + given.len_utf8();
        if given.is_ascii() {
            let ch = given.to_ascii_lowercase();
            folded.push(Folded { ch, class: Class::of(ch), start, end });
            continue;
        }
        decompose_compatible(given, |part| {
            if is_combining_mark(part) {
                accent(&mut folded, part, end);
                return;
            }
            for ch in part.to_lowercase() {
                let ch = simplified(ch);
                folded.push(Folded { ch, class: Class::of(ch), start, end });
            }
        });
    }
    folded
}

/// A mark belongs to the letter before it, also where that is highlighted.
fn accent(folded: &mut [Folded], mark: char, end: usize) {
    let Some((last, before)) = folded.split_last_mut() else { return };
    if mark == '\u{308}' && last.ch == 'u' && before.last().is_some_and(|b| matches!(b.ch, 'l' | 'n')) {
        last.ch = 'v';
    }
    last.end = last.end.max(end);
}

/// The characters of [`fold`] only, without separators.
pub(crate) fn key(text: &str) -> String {
    fold(text).into_iter().filter(|f| f.class != Class::Separator).map(|f| f.ch).collect()
}

fn simplified(ch: char) -> char {
    static TABLE: OnceLock<FxHashMap<char, char>> = OnceLock::new();
    if ch < '\u{3400}' {
        return ch;
    }
    let table = TABLE.get_or_init(|| {
        let pairs = TRADITIONAL.lines().filter(|line| !line.starts_with('#'));
        pairs.filter_map(|line| Some((line.chars().next()?, line.chars().nth(1)?))).collect()
    });
    table.get(&ch).copied().unwrap_or(ch)
}

/// `folded[from..to]`, all of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub class: Class,
    pub from: usize,
    pub to: usize,
}

/// The runs of `folded`, separators left out.
pub(crate) fn runs(folded: &[Folded]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (at, f) in folded.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.class == f.class && run.to == at => run.to = at + 1,
            _ => runs.push(Run { class: f.class, from: at, to: at + 1 }),
        }
    }
    runs.retain(|run| run.class != Class::Separator);
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_case_marks_and_traditional_characters_are_folded() {
        for (given, folded) in [
            ("Ｌｏｆｔ公寓", "loft公寓"),
            ("臺北１０１", "台北101"),
            ("Běijīng café", "beijingcafe"),
            ("Be\u{30c}ijing", "beijing"),
            ("lǜ nǚ Lüshun", "lvnvlvshun"),
            ("①室 ㎡", "1室m2"),
            ("🏠【民宿】\u{0}～大床房！", "民宿大床房"),
            ("乾县", "乾县"),
        ] {
            assert_eq!(key(given), folded, "{given}");
        }
    }

    #[test]
    fn a_folded_character_knows_where_it_stood() {
        let text = "①Ａé臺";
        for f in fold(text) {
            assert!(text.is_char_boundary(f.start) && text.is_char_boundary(f.end) && f.start < f.end);
        }
        let places: Vec<&str> = fold(text).iter().map(|f| &text[f.start..f.end]).collect();
        assert_eq!(places, ["①", "Ａ", "é", "臺"]);
    }
}
