use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

/// Characters of a keyword that are kept. What a search takes may be longer; what is beyond tells one query from another
/// no better, and would let a caller choose how much we store.
pub const MAX_KEYWORD_CHARS: usize = 100;

/// Characters of a keyword that others may see: longer ones are sentences, not popular queries.
pub const MAX_SHOWN_CHARS: usize = 30;

/// Digits of a keyword that others may see, at most: a telephone number without its area code has seven.
const MAX_SHOWN_DIGITS: usize = 6;

/// What somebody searched for, folded so that two spellings of it are one: compatibility forms (full-width letters), case and
/// runs of white space make no difference. Not empty, and at most [`MAX_KEYWORD_CHARS`] long.
///
/// It has no `Debug` that says it: what people search for is theirs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyword(Arc<str>);

impl Keyword {
    /// Folds what somebody typed; none where nothing is left of it.
    pub fn fold(text: &str) -> Option<Self> {
        let folded = single_spaced(
            text.nfkc().filter(|ch| !ch.is_control() || ch.is_whitespace()).flat_map(char::to_lowercase),
        );
        (!folded.is_empty()).then(|| Self(folded.into()))
    }

    /// The keyword as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it contains any of these, which are folded like keywords themselves.
    pub fn contains_any(&self, parts: &[Keyword]) -> bool {
        parts.iter().any(|part| self.0.contains(part.as_str()))
    }

    /// Whether others may see it, as far as its shape tells: popular queries are public, and people paste telephone numbers,
    /// mail addresses, street addresses and links into search boxes.
    ///
    /// It must have a letter; it must have nothing but letters, digits and the marks of names; it must not be long; and it
    /// must not look like any of these four.
    pub fn may_be_shown(&self) -> bool {
        let chars: Vec<char> = self.0.chars().collect();
        chars.len() <= MAX_SHOWN_CHARS
            && chars.iter().any(|ch| ch.is_alphabetic())
            && chars.iter().all(|&ch| {
                ch.is_alphanumeric() || matches!(ch, ' ' | '-' | '·' | '\'' | '&' | '+' | '/' | '.')
            })
            && chars.iter().filter(|&&ch| is_digit(ch)).count() <= MAX_SHOWN_DIGITS
            && !looks_like_link(&chars)
            && !looks_like_address(&chars)
            && !looks_like_street(&self.0)
    }
}

/// A digit in any script, and the Chinese numerals in which telephone numbers are disguised.
fn is_digit(ch: char) -> bool {
    ch.is_numeric() || "〇零一二三四五六七八九".contains(ch)
}

/// `example.com`, also in the middle; `st. regis` and `2.5` are none. The characters allowed exclude `@` and `:` already.
fn looks_like_link(chars: &[char]) -> bool {
    let is_dot = |window: &[char]| matches!(window, [before, '.', after] if before.is_alphanumeric() && after.is_alphabetic());
    chars.windows(3).any(is_dot) || chars.starts_with(&['w', 'w', 'w'])
}

/// A numeral before what counts houses, stairs or doors: 88号, 3栋, 1201室. Not so a line of the underground (2号线), a
/// terminal (3号航站楼) and what a flat has (3室1厅).
fn looks_like_address(chars: &[char]) -> bool {
    chars.iter().enumerate().any(|(at, ch)| {
        let (before, after) = (chars.get(..at).unwrap_or_default(), chars.get(at + 1..).unwrap_or_default());
        let digits = before.iter().rev().take_while(|&&ch| is_digit(ch) || ch == '十' || ch == '百').count();
        match ch {
            '号' => digits > 0 && !matches!(after, ['线', ..] | ['地', '铁', ..] | ['航', '站', ..]),
            '栋' | '幢' | '弄' | '座' | '巷' => digits > 0,
            '单' => digits > 0 && after.first() == Some(&'元'),
            '室' => digits > 1,
            _ => false,
        }
    })
}

/// `12 Main Street`.
fn looks_like_street(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    let is_street = |word: &str| {
        matches!(
            word.trim_end_matches('.'),
            "street" | "st" | "road" | "rd" | "avenue" | "ave" | "lane" | "lu" | "jie" | "hutong"
        )
    };
    words.iter().any(|word| word.starts_with(|ch: char| ch.is_ascii_digit()))
        && words.iter().any(|word| is_street(word))
}

/// At most [`MAX_KEYWORD_CHARS`] of the characters, without white space at the ends, and with a single space for each run
/// of it.
pub(crate) fn single_spaced(chars: impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    let mut length = 0;
    let mut gap = false;
    for ch in chars {
        if ch.is_whitespace() {
            gap = length > 0;
            continue;
        }
        if length + usize::from(gap) >= MAX_KEYWORD_CHARS {
            break;
        }
        if gap {
            text.push(' ');
            length += 1;
            gap = false;
        }
        text.push(ch);
        length += 1;
    }
    text
}

impl fmt::Debug for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyword")
    }
}

impl Serialize for Keyword {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Keyword {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::fold(&text).ok_or_else(|| serde::de::Error::custom("an empty keyword"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> bool {
        Keyword::fold(text).unwrap().may_be_shown()
    }

    #[test]
    fn two_spellings_are_one_keyword() {
        for (typed, folded) in [
            ("  三里屯 ", "三里屯"),
            ("ＬＯＦＴ　公寓", "loft 公寓"),
            ("Great\t\n Wall", "great wall"),
            ("a\u{0}b", "ab"),
            ("①室", "1室"),
        ] {
            assert_eq!(Keyword::fold(typed).unwrap().as_str(), folded, "{typed:?}");
        }
        for nothing in ["", " \t", "\u{0}", "\u{3000}"] {
            assert_eq!(Keyword::fold(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn what_people_look_for_may_be_shown() {
        for text in [
            "三里屯",
            "大床房",
            "2号线",
            "3号航站楼",
            "三室一厅",
            "3室1厅",
            "近地铁 wifi",
            "798",
            "798艺术区",
            "loft",
            "st. regis",
            "独栋别墅",
            "五一 北京",
            "l'hotel",
            "b&b",
            "十渡",
            "上海路",
            "bj minsu",
        ] {
            assert_eq!(shown(text), text != "798", "{text}");
        }
    }

    #[test]
    fn what_belongs_to_somebody_is_not_shown() {
        for text in [
            "13800138000",
            "电话138 0013 8000",
            "房东010-62345678",
            "一三八零零一三八零零零",
            "１３８００１３８０００ 张",
            "ann@example.com",
            "example.com",
            "www.example",
            "http://example.com/a",
            "看 t.cn/abc",
            "朝阳区建国路88号",
            "建国路八十八号",
            "望京soho 3栋",
            "5单元",
            "1201室",
            "12弄",
            "12 main street",
            "110101199003077758",
            "<script>",
            "😀民宿",
            "a\u{202e}b",
            "！！！",
            "2026",
            &"长".repeat(31),
        ] {
            assert!(!shown(text), "{text}");
        }
        assert!(shown(&"长".repeat(30)));
    }

    #[test]
    fn a_part_is_found_whatever_its_spelling() {
        let blocked = ["ＢＡＤ".to_owned(), "违禁".to_owned()].map(|text| Keyword::fold(&text).unwrap());
        for text in ["a bad word", "bad", "有违禁词"] {
            assert!(Keyword::fold(text).unwrap().contains_any(&blocked), "{text}");
        }
        assert!(!Keyword::fold("good").unwrap().contains_any(&blocked));
    }

    #[test]
    fn a_keyword_is_not_logged() {
        assert_eq!(format!("{:?}", Keyword::fold("secret")), "Some(Keyword)");
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once_and_has_an_end(text in ".{0,300}") {
            if let Some(once) = Keyword::fold(&text) {
                prop_assert!((1..=MAX_KEYWORD_CHARS).contains(&once.as_str().chars().count()));
                prop_assert_eq!(once.as_str().trim(), once.as_str());
                let _ = once.may_be_shown();
            }
        }

        #[test]
        fn a_keyword_of_letters_reads_back(text in "[a-z一-龥 ]{1,120}") {
            if let Some(once) = Keyword::fold(&text) {
                prop_assert_eq!(Keyword::fold(once.as_str()).unwrap(), once);
            }
        }
    }
}
