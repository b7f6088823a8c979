//! Words that mean the same.

use std::collections::BTreeMap;

use crate::fold;

/// Words of one rule. More are no synonyms but a category, which is a filter.
const MAX_WORDS: usize = 32;
/// Characters of one word.
const MAX_CHARS: usize = 40;
/// Rules of a list: it is loaded by every function and kept in memory.
const MAX_RULES: usize = 10_000;

static HOUSE: &str = include_str!("../data/synonyms.txt");

/// Words that mean the same, or that one word means another.
///
/// Solr's format, as `OpenSearch` reads it: `大床房, 双人房` for words that mean each other, `民居 => 民宿` for one direction; `#`
/// begins a comment. Unlike there, what was typed is looked for too, before what it means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synonyms {
    /// By folded word without spaces, what else it may be called, as written.
    meanings: BTreeMap<String, Vec<String>>,
}

/// The list of synonyms cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {must}")]
pub struct InvalidSynonyms {
    /// Which line, from 1.
    pub line: usize,
    /// What it must be.
    pub must: &'static str,
}

impl Synonyms {
    /// Reads one rule from each line.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidSynonyms> {
        let mut synonyms = Self::default();
        let mut rules = 0_usize;
        for (number, given) in lines.into_iter().enumerate() {
            let invalid = |must| InvalidSynonyms { line: number + 1, must };
            let rule = given.split('#').next().unwrap_or_default().trim();
            if rule.is_empty() {
                continue;
            }
            rules += 1;
            if rules > MAX_RULES {
                return Err(invalid("a list has at most 10000 rules"));
            }
            let mut sides = rule.split("=>");
            match (sides.next(), sides.next(), sides.next()) {
                (Some(one), None, None) => {
                    let all = words(one).map_err(invalid)?;
                    if all.len() < 2 {
                        return Err(invalid("a rule has two words at least, or an arrow"));
                    }
                    for word in &all {
                        synonyms.add(word, &all);
                    }
                }
                (Some(from), Some(to), None) => {
                    let to = words(to).map_err(invalid)?;
                    for word in words(from).map_err(invalid)? {
                        synonyms.add(word, &to);
                    }
                }
                (_, _, _) => return Err(invalid("a rule has one arrow at most")),
            }
        }
        Ok(synonyms)
    }

    /// Those of the house: of homestays, for a market without a list of its own.
    pub fn house() -> Self {
        // A test reads the file; without it there are no synonyms, and search goes on.
        Self::parse(HOUSE.lines()).unwrap_or_default()
    }

    /// These, and the ones of `more` in addition.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        for (word, meanings) in more.meanings {
            self.add(&word, &meanings.iter().map(String::as_str).collect::<Vec<_>>());
        }
        self
    }

    fn add(&mut self, word: &str, meanings: &[&str]) {
        let key = fold::key(word);
        for meaning in meanings {
            if fold::key(meaning) == key {
                continue;
            }
            let known = self.meanings.entry(key.clone()).or_default();
            if known.iter().all(|other| other != meaning) {
                known.push((*meaning).to_owned());
            }
        }
    }

    /// What else a word, folded and without spaces, may be called.
    pub(crate) fn of(&self, key: &str) -> &[String] {
        self.meanings.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.meanings.is_empty()
    }
}

fn words(side: &str) -> Result<Vec<&str>, &'static str> {
    let words: Vec<&str> = side.split([',', '，']).map(str::trim).collect();
    if words.len() > MAX_WORDS {
        return Err("a rule has at most 32 words");
    }
    for word in &words {
        if word.chars().count() > MAX_CHARS {
            return Err("a word has at most 40 characters");
        }
        if fold::key(word).is_empty() {
            return Err("a word has a letter, a digit or a character of Chinese");
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Synonyms, InvalidSynonyms> {
        Synonyms::parse(text.lines())
    }

    #[test]
    fn words_of_a_rule_mean_each_other_and_an_arrow_has_one_direction() {
        let synonyms =
            parse("# rooms\n大床房, 双人房 ，大床\n\nWi-Fi, 无线 # of the air\n民居 => 民宿").unwrap();
        assert_eq!(synonyms.of("双人房"), ["大床房", "大床"]);
        assert_eq!(synonyms.of("wifi"), ["无线"]);
        assert_eq!(synonyms.of("民居"), ["民宿"]);
        assert!(synonyms.of("民宿").is_empty());
    }

    #[test]
    fn rules_that_share_a_word_are_not_run_together() {
        let synonyms = parse("a1, b1\nb1, c1").unwrap();
        assert_eq!(synonyms.of("b1"), ["a1", "c1"]);
        assert_eq!(synonyms.of("a1"), ["b1"]);
    }

    #[test]
    fn a_list_that_cannot_be_read_says_which_line() {
        for (text, line, must) in [
            ("a, b\nc", 2, "a rule has two words at least, or an arrow"),
            ("a => b => c", 1, "a rule has one arrow at most"),
            ("\na, , b", 2, "a word has a letter, a digit or a character of Chinese"),
            ("=> b", 1, "a word has a letter, a digit or a character of Chinese"),
            ("a =>", 1, "a word has a letter, a digit or a character of Chinese"),
        ] {
            assert_eq!(parse(text), Err(InvalidSynonyms { line, must }), "{text}");
        }
        assert!(parse(&format!("a, {}", "b".repeat(41))).is_err());
        assert!(parse(&vec!["a"; 33].join(",")).is_err());
        assert!(Synonyms::parse(vec!["a,b"; MAX_RULES + 1]).is_err());
    }

    #[test]
    fn a_list_can_be_added_to_another() {
        let both = parse("大床房, 双人房").unwrap().and(parse("大床房, 大床\nWi-Fi, 无线").unwrap());
        assert_eq!(both.of("大床房"), ["双人房", "大床"]);
        assert_eq!(both.of("wifi"), ["无线"]);
    }

    #[test]
    fn the_list_of_the_house_can_be_read() {
        Synonyms::parse(HOUSE.lines()).unwrap();
        assert!(Synonyms::house().of("大床房").contains(&"双人房".to_owned()));
    }
}
