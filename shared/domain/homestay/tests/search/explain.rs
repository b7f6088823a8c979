use domain_homestay::{
    Explanation, FindHomestays, Finder, MatchField, SearchRequest, SearchRules, Sort, Vocabulary, find,
};
use domain_text::{Analyzer, TermKind};

use crate::{
    fake::{FakeIndex, NOW, document},
    find::{point, request},
};

async fn explained(request: SearchRequest) -> Explanation {
    let mut homestay = document("h-1", "三里屯投影公寓");
    "有浴缸".clone_into(&mut homestay.info);
    let index = FakeIndex::of([homestay]);
    let (analyzer, vocabulary, rules) = (Analyzer::new(), Vocabulary::default(), SearchRules::default());
    let finder = Finder { index: &index, analyzer: &analyzer, vocabulary: &vocabulary, rules: &rules };
    let command = FindHomestays::new(request, NOW).unwrap();
    let found = find(&finder, &command, NOW).await.unwrap();
    Explanation::of(&analyzer, &rules.ranking, &command, &found, &found.hits[0])
}

#[tokio::test]
async fn the_factors_multiply_to_the_score() {
    let near = SearchRequest { point: Some(point()), ..request("三里屯") };
    for request in [near, request("三里屯"), request("")] {
        let why = explained(request).await;
        let product = why.text.unwrap() * why.rating * why.sales * why.distance * why.freshness;
        assert!((product - why.score).abs() < 1e-4 * why.score, "{why:?}");
    }
    let everything = explained(request("")).await;
    assert!((everything.text.unwrap() - 1.0).abs() < 1e-4 && everything.clauses.is_empty());
}

#[tokio::test]
async fn a_clause_says_what_of_it_is_where() {
    let why = explained(request("三里屯 浴缸 朝阳区")).await;
    let has = |typed: &str, field, kind, terms: &str| {
        let clause = why.clauses.iter().find(|clause| clause.typed == typed).unwrap();
        clause
            .matches
            .iter()
            .any(|found| (found.field, found.kind, found.terms.as_str()) == (field, kind, terms))
    };
    assert!(has("三里屯", MatchField::Title, TermKind::Word, "三里屯"), "{why:?}");
    assert!(has("浴缸", MatchField::Info, TermKind::Word, "浴缸"), "{why:?}");
    assert!(has("朝阳区", MatchField::Facts, TermKind::Word, "朝阳区"), "{why:?}");
    let pinyin = explained(request("sanlitun")).await;
    let kinds: Vec<TermKind> = pinyin.clauses[0].matches.iter().map(|found| found.kind).collect();
    assert!(kinds.contains(&TermKind::Pinyin), "{pinyin:?}");
}

#[tokio::test]
async fn in_another_order_the_text_has_no_part() {
    let why = explained(SearchRequest { sort: Sort::PriceAsc, ..request("三里屯") }).await;
    assert_eq!(why.text, None);
    assert!(why.rating > 0.0 && why.freshness >= 1.0);
}
