//! How alike both backends rank: the same queries over the real listings, and how many of the first ten are the same.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use domain_homestay::{
    Change, GeoPoint, IndexAdmin, IndexQuery, IndexWriter, Match, Near, SearchIndex, Sort,
};
use domain_ids::HomestayId;
use homestay_tantivy::TantivyIndex;
use jiff::Timestamp;
use search_conformance::{Backend, analyzer, text};

use crate::servers::OnServer;

/// Below that they are not one search on two technologies.
const LEAST_OVERLAP: f64 = 0.9;

const DEPTH: u16 = 10;

/// After the last review of the listings.
const NOW: Timestamp = Timestamp::constant(1_614_556_800, 0);

const QUERIES: &[(&str, &[&str])] = &[
    (
        "keyword",
        &[
            "三里屯",
            "四合院",
            "大床房",
            "国贸 公寓",
            "鸟巢",
            "望京 整套",
            "什刹海",
            "五道口 独立房间",
            "故宫",
            "南锣鼓巷 民宿",
            "北京大学",
            "天安门 家庭房",
            "loft",
            "hutong courtyard",
        ],
    ),
    (
        "pinyin",
        &["sanlitun", "wangjing", "gugong", "guomao", "tiananmen", "dachuangfang", "sihe yuan", "chaoyang"],
    ),
    ("initials", &["slt", "wdk", "gm", "tam", "wj", "dcf"]),
    ("mixed", &["三里屯 loft", "guomao 公寓", "大chuang", "slt 公寓", "近地铁 zhengtao", "北京 sihe"]),
    ("beginning", &["三里", "sanli", "天安", "wangj"]),
    ("near", &["", "公寓", "四合院", "loft"]),
];

fn query(kind: &str, keyword: &str) -> IndexQuery {
    let near = (kind == "near")
        .then(|| Near { point: GeoPoint::new(39.936, 116.4546).unwrap(), radius_m: Some(5_000.0) });
    IndexQuery { matching: Match::Most, near, sort: Sort::Composite, limit: DEPTH, now: NOW, ..text(keyword) }
}

async fn first(index: &impl SearchIndex, query: &IndexQuery) -> Vec<HomestayId> {
    index.search(query).await.unwrap().hits.into_iter().map(|hit| hit.document.id).collect()
}

/// Prints the overlap of the first ten, by kind of query and in all, and how fast the node takes documents.
#[allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a measurement"
)]
pub async fn measure(backend: &OnServer) {
    let Some(homestays) = testing::listings() else {
        println!("SKIPPED overlap@10: the real listings are not there");
        return;
    };
    let changes: Vec<Change> = homestays.iter().map(Change::of).collect();
    let generation = "g-1".parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let embedded = TantivyIndex::new(folder.path().join("search"), analyzer());
    embedded.prepare(&generation).await.unwrap();
    embedded.apply(&changes).await.unwrap();
    embedded.refresh();
    let domain = backend.fresh().await;
    domain.prepare(&generation).await.unwrap();
    let start = Instant::now();
    domain.apply(&changes).await.unwrap();
    let took = start.elapsed().as_secs_f64();
    println!(
        "{} documents into the node in {took:.1} s: {:.0}/s",
        changes.len(),
        changes.len() as f64 / took
    );
    domain.refresh().await.unwrap();

    let mut overlaps: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for &(kind, keywords) in QUERIES {
        for &keyword in keywords {
            let query = query(kind, keyword);
            let (a, b) = (first(&domain, &query).await, first(&embedded, &query).await);
            let longest = a.len().max(b.len());
            if longest == 0 {
                println!("{kind} {keyword:?}: nothing found by either");
                continue;
            }
            let known: HashSet<&HomestayId> = a.iter().collect();
            let same = b.iter().filter(|id| known.contains(id)).count();
            let overlap = same as f64 / longest as f64;
            if overlap < 1.0 {
                println!("{kind} {keyword:?}: {same} of {longest}");
            }
            overlaps.entry(kind).or_default().push(overlap);
        }
    }
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    for (kind, of_kind) in &overlaps {
        println!("overlap@10 {kind:<10} {:.3} of {} queries", mean(of_kind), of_kind.len());
    }
    let all: Vec<f64> = overlaps.into_values().flatten().collect();
    println!("overlap@10 in all     {:.3} of {} queries", mean(&all), all.len());
    assert!(mean(&all) >= LEAST_OVERLAP, "the backends do not rank alike");
}
