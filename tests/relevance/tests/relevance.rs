//! Every judged query on the embedded index, through the code that answers guests. Needs the real listings.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use comfy_table::Table;
use domain_homestay::{
    Change, Document, Filters, FindHomestays, Finder, GenerationId, Homestay, IndexAdmin, IndexWriter, Page,
    SearchRequest, SearchRules, Sort, Vocabulary, find,
};
use domain_text::Analyzer;
use homestay_tantivy::TantivyIndex;
use jiff::Timestamp;
use relevance::{DEPTH, Merit, Query, best_of};

/// What must be reached: by all queries together, and by those of each kind, a little below what they reach.
const NDCG: f64 = 0.90;
const NDCG_OF_A_KIND: f64 = 0.80;
const ZERO_RESULTS: f64 = 0.01;

/// After the last review of the listings.
const NOW: Timestamp = Timestamp::constant(1_614_556_800, 0);

fn request(query: &Query) -> SearchRequest {
    SearchRequest {
        keyword: query.keyword.clone(),
        filters: Filters::default(),
        point: query.near.map(|near| near.point),
        radius_m: query.near.and_then(|near| near.radius_m),
        check_in: None,
        check_out: None,
        autocorrect: true,
        sort: Sort::Composite,
        page: Page::Number(1),
        page_size: u16::try_from(DEPTH).unwrap(),
        facets: Some(false),
    }
}

async fn index(homestays: &[Homestay], folder: &std::path::Path) -> TantivyIndex {
    let index = TantivyIndex::new(folder, Analyzer::new());
    index.prepare(&"g-judged".parse::<GenerationId>().unwrap()).await.unwrap();
    for batch in homestays.chunks(5_000) {
        let changes: Vec<Change> = batch.iter().map(Change::of).collect();
        index.apply(&changes).await.unwrap();
    }
    index
}

#[tokio::test]
async fn guests_find_what_they_mean() {
    let Some(homestays) = testing::listings() else {
        println!("SKIPPED: the real listings are not there");
        return;
    };
    let documents: Vec<Document> = homestays.iter().map(Document::of).collect();
    let folder = tempfile::tempdir().unwrap();
    let index = index(&homestays, folder.path()).await;
    let (analyzer, vocabulary, rules) = (Analyzer::new(), Vocabulary::default(), SearchRules::default());
    let finder = Finder { index: &index, analyzer: &analyzer, vocabulary: &vocabulary, rules: &rules };

    let mut merits: BTreeMap<String, Merit> = BTreeMap::new();
    let mut all = Merit::default();
    let mut worst = Vec::new();
    for query in Query::all().unwrap() {
        let command = FindHomestays::new(request(&query), NOW).unwrap();
        let found = find(&finder, &command, NOW).await.unwrap();
        let grades: Vec<u8> = found.hits.iter().map(|hit| query.grade(&hit.document)).collect();
        let best = best_of(&query, documents.iter());
        let mut own = Merit::default();
        for merit in [&mut own, &mut all, merits.entry(query.kind.clone()).or_default()] {
            merit.add(&grades, &best);
        }
        worst.push((own.ndcg(), query, grades, found.hits.first().map(|hit| hit.document.title.clone())));
    }

    let mut table = Table::new();
    table.set_header(["kind", "queries", "nDCG@10", "MRR", "zero results"]);
    let named = merits.iter().map(|(kind, merit)| (kind.as_str(), merit)).chain([("all", &all)]);
    for (kind, merit) in named {
        table.add_row([
            kind.to_owned(),
            merit.queries.to_string(),
            format!("{:.3}", merit.ndcg()),
            format!("{:.3}", merit.mean_reciprocal_rank()),
            format!("{:.1} %", merit.zero_results() * 100.0),
        ]);
    }
    println!("{table}\nThe worst:");
    worst.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
    for (ndcg, query, grades, first) in worst.iter().take(25) {
        println!(
            "{ndcg:.2} {} {:?} {grades:?} {}",
            query.kind,
            query.keyword,
            first.as_deref().unwrap_or("-")
        );
    }

    assert!(all.ndcg() >= NDCG, "nDCG@10 {:.3}", all.ndcg());
    assert!(all.zero_results() <= ZERO_RESULTS, "{:.3} found nothing", all.zero_results());
    for (kind, merit) in merits {
        assert!(merit.ndcg() >= NDCG_OF_A_KIND, "{kind}: nDCG@10 {:.3}", merit.ndcg());
    }
}
