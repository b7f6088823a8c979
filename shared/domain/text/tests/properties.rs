//! What holds of any text, and of real titles where they are there.

use std::collections::HashSet;

use domain_text::{
    Alternative, Analysed, Analyzer, Completer, Completion, CompletionKind, Highlighter, MAX_KEYWORD_CHARS,
    Prefix, Speller, Synonyms, Term, TermKind, completion_keys, pinyin,
};
use proptest::prelude::*;

/// Any text, and text made of what titles and keywords are made of.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("三里屯"),
        Just("大床房"),
        Just("大"),
        Just("chuang"),
        Just("loft"),
        Just("BJ"),
        Just("xi'an"),
        Just(" "),
        Just("，"),
        Just("🏠"),
        Just("\u{0}"),
        Just("\u{202e}"),
        Just("مرحبا"),
        Just("ü"),
        Just("u\u{308}"),
        Just("㎡"),
        Just("臺灣"),
        Just("301医院"),
        Just("的"),
        Just("san"),
        Just("里"),
        Just("bjms"),
        Just("０１"),
        Just("İ"),
        Just("ﬁ"),
        Just("𠮷"),
        Just("한국"),
    ];
    prop_oneof![any::<String>(), prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())]
}

/// What is typed for a text that has some of it: it, its pinyin, its initials, their beginnings; and the text.
fn spoken() -> impl Strategy<Value = (String, String)> {
    let hanzi = "[三里屯大床房北京重庆朝阳长城什刹海万俟乐旅行音·]{1,12}";
    (hanzi, 0_usize..12, 1_usize..6, 0..4, any::<bool>()).prop_map(|(text, from, chars, how, whole)| {
        let some: String = text.chars().skip(from).take(chars).collect();
        let syllables = pinyin(&some);
        let typed = match how {
            0 => some,
            1 => syllables.concat(),
            2 => syllables.join(" "),
            _ => syllables.iter().filter_map(|syllable| syllable.chars().next()).collect(),
        };
        let beginning = typed.chars().count().saturating_sub(usize::from(!whole));
        (typed.chars().take(beginning).collect(), text)
    })
}

fn has(document: &Analysed, Term { kind, text }: &Term) -> bool {
    match kind {
        TermKind::Word => document.words.iter().any(|token| token.text == *text),
        TermKind::WordPrefix => document.words.iter().any(|token| token.text.starts_with(text)),
        TermKind::Pinyin => document.pinyin.contains(text),
        TermKind::PinyinPrefix => document.pinyin.iter().any(|pinyin| pinyin.starts_with(text)),
        TermKind::Initials => document.initials.contains(text),
    }
}

proptest! {
    #[test]
    fn tokens_stand_in_the_text_in_order(text in text()) {
        let analysed = Analyzer::new().document(&text);
        let mut position = 0;
        for token in &analysed.words {
            prop_assert!(token.start < token.end && text.get(token.start..token.end).is_some());
            prop_assert!(!token.text.is_empty() && token.position >= position && token.position <= position + 1);
            prop_assert!(!token.text.contains(char::is_whitespace));
            position = token.position;
        }
        let unique: HashSet<&String> = analysed.pinyin.iter().collect();
        prop_assert_eq!(unique.len(), analysed.pinyin.len());
    }

    #[test]
    fn folding_is_done_once(text in text()) {
        let analyzer = Analyzer::new();
        for token in analyzer.document(&text).words {
            let again = analyzer.document(&token.text);
            prop_assert!(again.words.iter().any(|same| same.text == token.text), "{token:?} {again:?}");
        }
    }

    #[test]
    fn a_keyword_makes_a_query_within_its_limits(keyword in text()) {
        let query = Analyzer::new().query(&keyword, &Synonyms::house());
        prop_assert!(query.clauses.len() <= 12);
        for clause in &query.clauses {
            prop_assert!((1..=8).contains(&clause.alternatives.len()), "{clause:?}");
            prop_assert!(clause.weight > 0.0 && clause.weight <= 1.0);
            for alternative in &clause.alternatives {
                prop_assert!((1..=8).contains(&alternative.terms.len()));
                prop_assert!(alternative.weight > 0.0 && alternative.weight <= 1.0);
                prop_assert!(alternative.terms.iter().all(|term| !term.text.is_empty()));
            }
        }
    }

    #[test]
    fn what_is_beyond_the_limit_is_not_looked_at(keyword in text()) {
        let filled = format!("{}{keyword}", "房 ".repeat(MAX_KEYWORD_CHARS / 2));
        let analyzer = Analyzer::new();
        let synonyms = Synonyms::house();
        prop_assert_eq!(analyzer.query(&filled, &synonyms).clauses.len(), 1);
    }

    #[test]
    fn a_text_is_found_by_itself(text in text()) {
        let short: String = text.chars().take(20).collect();
        let analyzer = Analyzer::new();
        let document = analyzer.document(&short);
        // Mixtures of hanzi and letters are taken for the word that they are typed for, not for themselves.
        let mixed = short.chars().any(|ch| ch.is_ascii_alphanumeric() || ch.is_alphabetic() && !('\u{4e00}'..='\u{9fff}').contains(&ch));
        for clause in analyzer.query(&short, &Synonyms::default()).clauses {
            let found = clause.alternatives.iter().any(|a| a.terms.iter().all(|term| has(&document, term)));
            prop_assert!(found || mixed, "{clause:?}");
        }
    }

    #[test]
    fn the_parts_of_a_highlight_are_the_text(text in text(), keyword in text(), max_chars in 1_usize..80) {
        let analyzer = Analyzer::new();
        let query = analyzer.query(&keyword, &Synonyms::house());
        if let Some(parts) = Highlighter::new(&query).highlight(&text, max_chars) {
            let joined: String = parts.iter().map(|part| part.text.as_str()).collect();
            prop_assert!(text.contains(&joined));
            prop_assert!(joined.chars().count() <= max_chars);
            if text.chars().count() <= max_chars {
                prop_assert_eq!(joined, text);
            }
            prop_assert!(parts.iter().any(|part| part.matched) && parts.iter().all(|part| !part.text.is_empty()));
            prop_assert!(parts.windows(2).all(|two| !(two[0].matched && two[1].matched) && two[0].matched != two[1].matched));
        }
    }

    #[test]
    fn a_text_is_marked_if_its_index_has_what_is_asked_for((keyword, own) in spoken(), other in text()) {
        let query = Analyzer::new().query(&keyword, &Synonyms::house());
        let clauses = query.clauses.iter().filter(|clause| clause.weight >= 0.2);
        let ways: Vec<&Alternative> = clauses.flat_map(|clause| &clause.alternatives).collect();
        let highlighter = Highlighter::new(&query);
        for text in [own, other] {
            let document = Analyzer::new().document(&text);
            let found = ways.iter().any(|way| way.terms.iter().all(|term| has(&document, term)));
            prop_assert_eq!(highlighter.highlight(&text, usize::MAX).is_some(), found, "{} {:?}", text, query);
        }
    }

    #[test]
    fn what_matches_is_found_by_its_keys(text in text(), typed in text()) {
        let prefix = Prefix::parse(&typed);
        prop_assert!(prefix.keys().len() <= 6);
        let keys = completion_keys(&text);
        prop_assert!(keys.len() <= 16 && keys.iter().all(|key| key.chars().count() <= 12 && !key.is_empty()));
        prop_assert!(!prefix.matches(&text) || !prefix.keys().is_empty());
    }

    #[test]
    fn a_beginning_of_a_text_is_completed_to_it(text in "[三里屯大床房北京重庆朝阳长城 a-z]{1,12}", chars in 1_usize..12) {
        let beginning: String = text.chars().take(chars).collect();
        prop_assume!(beginning.chars().any(|ch| ch != ' '));
        let kind = CompletionKind::Title;
        let completer = Completer::new(vec![Completion { text: text.clone(), kind, weight: 1 }]);
        let prefix = Prefix::parse(&beginning);
        prop_assert!(prefix.matches(&text));
        // More letters than a key tells apart may be read in too many ways for all of them to be looked up.
        let letters = beginning.chars().filter(char::is_ascii_alphabetic).count();
        prop_assert!(letters > 0 || !completer.complete(&prefix, 1).is_empty());
    }

    #[test]
    fn initials_and_full_pinyin_are_completed_to_the_text(text in "[三里屯大床房北京民宿国贸望京天安门]{1,6}") {
        let kind = CompletionKind::Place;
        let completer = Completer::new(vec![Completion { text: text.clone(), kind, weight: 1 }]);
        let syllables = pinyin(&text);
        let initials: String = syllables.iter().map(|syllable| &syllable[..1]).collect();
        prop_assert!(Prefix::parse(&syllables.concat()).matches(&text));
        prop_assert!(Prefix::parse(&syllables.join(" ")).matches(&text));
        prop_assert_eq!(completer.complete(&Prefix::parse(&initials), 1).len(), 1);
        prop_assert_eq!(completer.complete(&Prefix::parse(&syllables.join(" ")), 1).len(), 1);
    }

    #[test]
    fn a_speller_takes_any_keyword_and_leaves_its_own_words(keyword in text(), words in prop::collection::vec((text(), 0_u32..100), 0..20)) {
        let speller = Speller::new(words.clone());
        if let Some(corrected) = speller.correct(&keyword) {
            prop_assert!(!corrected.is_empty());
        }
        let frequent = Speller::new(["三里屯", "故宫", "loft"].map(|word| (word.to_owned(), 50)));
        prop_assert_eq!(frequent.correct("三里屯 loft"), None);
    }

    #[test]
    fn synonyms_take_any_lines(lines in prop::collection::vec(text(), 0..10)) {
        let _ = Synonyms::parse(lines.iter().map(String::as_str));
    }
}

/// Reads the real titles beside the checkout, where they are; they are no part of the project.
#[test]
fn real_titles_are_found_by_their_own_words() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/data/listings/beijing.csv");
    let Ok(file) = std::fs::read_to_string(path) else {
        println!("skipped: no real listings at ../shared/data/listings/beijing.csv");
        return;
    };
    let analyzer = Analyzer::new();
    let sanlitun = analyzer.query("sanlitun", &Synonyms::house());
    let highlighter = Highlighter::new(&sanlitun);
    let (mut hanzi, mut pinyin) = (0, 0);
    for row in file.lines().filter(|row| row.contains("三里屯")) {
        hanzi += 1;
        pinyin += usize::from(highlighter.highlight(row, 100).is_some());
    }
    println!("{pinyin} of {hanzi} titles with 三里屯 are found by sanlitun");
    assert!(hanzi > 100);
    assert_eq!(pinyin, hanzi);
}
