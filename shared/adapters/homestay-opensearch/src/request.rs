//! From a query to the JSON that `OpenSearch` is asked with. Everything a guest typed is a value in it, never a piece of a query
//! language.
#![expect(clippy::float_arithmetic, reason = "relevance is an estimate; no money")]

use domain_homestay::{
    Boosts, CAPACITY_STEPS, Facility, Filters, IndexQuery, Match, Near, PRICE_STEPS, Position, RATING_STEPS,
    Ranking, RoomType, Sort, Start,
};
use domain_money::Fen;
use domain_text::{Alternative, Clause, Term, TermKind, TextQuery};
use serde_json::{Map, Value, json};

/// Cities and districts that facets count.
const FACET_PLACES: usize = 50;

/// Clauses that weigh at least that much are the ones that have to match.
const STRONG: f32 = 0.5;

/// UTF-16 units of the longest term that the `whitespace` analyzer makes; a longer one is nowhere, and costs a node dearly.
const LONGEST_TERM: usize = 255;

/// The body of a search; `snapshot` is the point in time that it is to be of, and how long that is kept from now on.
pub(crate) fn search(query: &IndexQuery, snapshot: Option<(&str, &str)>) -> Value {
    let mut body = Map::new();
    body.insert("query".to_owned(), scored(query));
    body.insert("sort".to_owned(), sort(query));
    body.insert("size".to_owned(), query.limit.into());
    body.insert("track_total_hits".to_owned(), true.into());
    body.insert("track_scores".to_owned(), true.into());
    body.insert("_source".to_owned(), json!(["doc"]));
    match &query.start {
        Start::Offset(0) => {}
        Start::Offset(offset) => {
            body.insert("from".to_owned(), (*offset).into());
        }
        Start::After(position) => {
            body.insert("search_after".to_owned(), after(query, position));
        }
    }
    if let Some((id, keep_alive)) = snapshot {
        body.insert("pit".to_owned(), json!({ "id": id, "keep_alive": keep_alive }));
    }
    if query.facets {
        body.insert("aggs".to_owned(), facets());
    }
    Value::Object(body)
}

/// The score counts in the composite order alone; in another one it is that of the text.
fn scored(query: &IndexQuery) -> Value {
    let found = found(query);
    match query.sort {
        Sort::Composite => composite(&found, &query.ranking, query.near.as_ref(), query.now.as_millisecond()),
        Sort::PriceAsc | Sort::PriceDesc | Sort::Distance | Sort::Rating | Sort::Newest => found,
    }
}

/// [`Ranking`]'s formula in the functions of `OpenSearch`: `ln2p` is ln(2 + x), `exp` with a decay of ½ is ½^(distance / scale).
fn composite(text: &Value, ranking: &Ranking, near: Option<&Near>, now_ms: i64) -> Value {
    let quality = |field: &str, factor: f32| json!({ "field_value_factor": { "field": field, "factor": factor, "modifier": "ln2p", "missing": 0 } });
    let functions = [quality("ratingQuality", ranking.rating), quality("salesQuality", ranking.sales)];
    let mut query = product(text, &functions, "multiply");
    if let Some(near) = near {
        let decay = json!({ "location": {
            "origin": { "lat": near.point.lat(), "lon": near.point.lon() },
            "scale": format!("{}m", ranking.distance_half_m),
            "decay": 0.5,
        } });
        let functions = [
            json!({ "weight": ranking.distance_floor }),
            json!({ "exp": decay, "weight": 1.0 - ranking.distance_floor }),
        ];
        query = product(&query, &functions, "sum");
    }
    let half_ms = i64::from(ranking.freshness_half_days) * 86_400_000;
    let decay = json!({ "createdAtMs": { "origin": now_ms, "scale": half_ms, "decay": 0.5 } });
    product(&query, &[json!({ "weight": 1.0 }), json!({ "exp": decay, "weight": ranking.freshness })], "sum")
}

/// The score of `query` times what becomes of `functions` together.
fn product(query: &Value, functions: &[Value], together: &str) -> Value {
    json!({ "function_score": {
        "query": query,
        "functions": functions,
        "score_mode": together,
        "boost_mode": "multiply",
    } })
}

/// What has the text, and is what it must be; its score is that of the text, or 1 without one.
fn found(query: &IndexQuery) -> Value {
    let text = if query.text.is_empty() {
        json!({ "match_all": {} })
    } else {
        text(&query.text, query.matching, &query.ranking.boosts)
    };
    json!({ "bool": { "must": [text], "filter": filters(&query.filters, query.near.as_ref()) } })
}

fn text(query: &TextQuery, matching: Match, boosts: &Boosts) -> Value {
    let clauses = |strong: bool| -> Vec<Value> {
        let those = query.clauses.iter().filter(|clause| (clause.weight >= STRONG) == strong);
        those.map(|it| clause(it, boosts)).collect()
    };
    let (strong, weak) = (clauses(true), clauses(false));
    let (needed, rest) = if strong.is_empty() { (weak, Vec::new()) } else { (strong, weak) };
    let at_least = matching.at_least(needed.len());
    let needed = json!({ "bool": { "should": needed, "minimum_should_match": at_least } });
    if rest.is_empty() { needed } else { json!({ "bool": { "must": [needed], "should": rest } }) }
}

/// The best of the alternatives, in the best of the fields.
fn clause(clause: &Clause, boosts: &Boosts) -> Value {
    let ways = clause.alternatives.iter();
    let mut ways: Vec<Value> = ways
        .flat_map(|alternative| ways_of(alternative, boosts, clause.weight * alternative.weight))
        .collect();
    match (ways.pop(), ways.is_empty()) {
        (None, _) => json!({ "match_none": {} }),
        (Some(only), true) => only,
        (Some(last), false) => {
            ways.push(last);
            json!({ "dis_max": { "queries": ways } })
        }
    }
}

/// All terms of an alternative in each field that may have its words. Pinyin and initials have one field each, so that without
/// words there is one way.
fn ways_of(alternative: &Alternative, boosts: &Boosts, weight: f32) -> Vec<Value> {
    let words = [
        ("title", boosts.title),
        ("subtitle", boosts.subtitle),
        ("facts", boosts.facts),
        ("info", boosts.info),
    ];
    let is_word = |term: &Term| matches!(term.kind, TermKind::Word | TermKind::WordPrefix);
    let ways = if alternative.terms.iter().any(is_word) { words.len() } else { 1 };
    words
        .into_iter()
        .take(ways)
        .filter_map(|words| {
            let mut terms: Vec<Value> =
                alternative.terms.iter().map(|term| look_up(term, words, boosts, weight)).collect();
            match (terms.pop()?, terms.is_empty()) {
                (only, true) => Some(only),
                (last, false) => {
                    terms.push(last);
                    Some(json!({ "bool": { "must": terms } }))
                }
            }
        })
        .collect()
}

/// A term in its field, that of words being `words`.
fn look_up(term: &Term, words: (&str, f32), boosts: &Boosts, weight: f32) -> Value {
    if !(1..=LONGEST_TERM).contains(&term.text.encode_utf16().count()) {
        return json!({ "match_none": {} });
    }
    let (how, (field, boost)) = match term.kind {
        TermKind::Word => ("term", words),
        TermKind::WordPrefix => ("prefix", words),
        TermKind::Pinyin => ("term", ("pinyin", boosts.pinyin)),
        TermKind::PinyinPrefix => ("prefix", ("pinyin", boosts.pinyin)),
        TermKind::Initials => ("term", ("initials", boosts.initials)),
    };
    json!({ how: { field: { "value": term.text, "boost": boost * weight } } })
}

fn filters(filters: &Filters, near: Option<&Near>) -> Vec<Value> {
    let term = |field: &str, value: &str| json!({ "term": { field: value } });
    // A bound beyond what the field can hold is an error to a domain.
    let bounded = |bound: u64| Value::from(i64::try_from(bound).unwrap_or(i64::MAX));
    let range = |field: &str, least: Option<u64>, most: Option<u64>| {
        let bounds = [("gte", least), ("lte", most)];
        let bounds: Map<String, Value> =
            bounds.into_iter().filter_map(|(name, bound)| Some((name.to_owned(), bounded(bound?)))).collect();
        (!bounds.is_empty()).then(|| json!({ "range": { field: bounds } }))
    };
    let mut all = vec![json!({ "term": { "visible": true } })];
    all.extend(range("priceFen", filters.min_price.map(Fen::get), filters.max_price.map(Fen::get)));
    let (least, most) = (filters.min_rating.map(u64::from), filters.max_rating.map(u64::from));
    all.extend(range("ratingHundredths", least, most));
    all.extend(range("capacity", filters.capacity.map(u64::from), None));
    all.extend(filters.facilities.iter().map(|facility| term("facilities", facility.name())));
    if !filters.room_types.is_empty() {
        let names: Vec<&str> = filters.room_types.iter().map(|it| it.name()).collect();
        all.push(json!({ "terms": { "roomType": names } }));
    }
    all.extend(filters.city.as_deref().map(|city| term("city", city)));
    all.extend(filters.district.as_deref().map(|district| term("district", district)));
    if let Some(Near { point, radius_m: Some(radius) }) = near {
        all.push(json!({ "geo_distance": {
            "distance": format!("{radius}m"),
            "location": { "lat": point.lat(), "lon": point.lon() },
        } }));
    }
    all
}

/// Equals are ordered by id.
fn sort(query: &IndexQuery) -> Value {
    let first = match query.sort {
        Sort::Composite => json!({ "_score": "desc" }),
        Sort::PriceAsc => json!({ "priceFen": "asc" }),
        Sort::PriceDesc => json!({ "priceFen": "desc" }),
        Sort::Rating => json!({ "ratingHundredths": "desc" }),
        Sort::Newest => json!({ "createdAtMs": "desc" }),
        Sort::Distance => match &query.near {
            Some(near) => json!({ "_geo_distance": {
                "location": { "lat": near.point.lat(), "lon": near.point.lon() },
                "order": "asc",
                "unit": "m",
            } }),
            // Nobody says from where: all are as far.
            None => return json!([{ "id": "asc" }]),
        },
    };
    json!([first, { "id": "asc" }])
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "fen, hundredths and milliseconds are whole numbers below 2^53"
)]
fn after(query: &IndexQuery, position: &Position) -> Value {
    let key = match query.sort {
        Sort::Distance if query.near.is_none() => return json!([position.id.as_str()]),
        Sort::Composite | Sort::Distance => json!(position.key),
        Sort::PriceAsc | Sort::PriceDesc | Sort::Rating | Sort::Newest => json!(position.key as i64),
    };
    json!([key, position.id.as_str()])
}

fn facets() -> Value {
    let terms = |field: &str, size: usize| json!({ "terms": { "field": field, "size": size } });
    let from = |steps: &[u16]| steps.iter().map(|step| json!({ "from": step })).collect::<Vec<_>>();
    let ends = PRICE_STEPS.iter().skip(1).map(Some).chain([None]);
    let prices: Vec<Value> = PRICE_STEPS
        .iter()
        .zip(ends)
        .map(|(from, to)| to.map_or_else(|| json!({ "from": from }), |to| json!({ "from": from, "to": to })))
        .collect();
    json!({
        "cities": terms("city", FACET_PLACES),
        "districts": terms("district", FACET_PLACES),
        "roomTypes": terms("roomType", RoomType::ALL.len()),
        "facilities": terms("facilities", Facility::ALL.len()),
        "prices": { "range": { "field": "priceFen", "ranges": prices } },
        "ratings": { "range": { "field": "ratingHundredths", "ranges": from(&RATING_STEPS) } },
        "capacities": { "range": { "field": "capacity", "ranges": from(&CAPACITY_STEPS) } },
    })
}

/// Titles that go on from one of `keys`, of best standing first.
pub(crate) fn titles(keys: &[String], size: usize) -> Value {
    let prefixes: Vec<Value> =
        keys.iter().map(|key| json!({ "prefix": { "completionKeys": { "value": key } } })).collect();
    json!({
        "query": { "bool": { "filter": [
            { "term": { "visible": true } },
            { "bool": { "should": prefixes, "minimum_should_match": 1 } },
        ] } },
        "sort": [{ "quality": "desc" }, { "id": "asc" }],
        "size": size,
        "track_total_hits": false,
        "_source": ["doc.id", "doc.title"],
    })
}

/// The words that most have.
pub(crate) fn words(size: usize) -> Value {
    json!({
        "query": { "term": { "visible": true } },
        "size": 0,
        "track_total_hits": false,
        "aggs": { "words": { "terms": { "field": "words", "size": size } } },
    })
}

/// What is held behind `after`, in the order of ids.
pub(crate) fn scan(after: Option<&str>, size: usize) -> Value {
    let mut body = json!({
        "query": { "match_all": {} },
        "sort": [{ "id": "asc" }],
        "size": size,
        "track_total_hits": false,
        "_source": ["version", "visible"],
    });
    if let (Some(after), Some(body)) = (after, body.as_object_mut()) {
        body.insert("search_after".to_owned(), json!([after]));
    }
    body
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain_homestay::GeoPoint;
    use insta::assert_json_snapshot;
    use jiff::Timestamp;

    use super::*;

    fn term(kind: TermKind, text: &str) -> Term {
        Term { kind, text: text.to_owned() }
    }

    fn clause_of(alternatives: &[(&[Term], f32)], weight: f32) -> Clause {
        let alternatives = alternatives
            .iter()
            .map(|(terms, weight)| Alternative { terms: terms.to_vec(), weight: *weight })
            .collect();
        Clause { typed: String::new(), alternatives, weight }
    }

    fn query() -> IndexQuery {
        IndexQuery {
            text: TextQuery::default(),
            matching: Match::All,
            filters: Filters::default(),
            near: None,
            sort: Sort::Composite,
            ranking: Ranking {
                rating: 2.0,
                sales: 1.0,
                distance_floor: 0.25,
                distance_half_m: 3_000,
                freshness: 0.5,
                freshness_half_days: 90,
                boosts: Boosts {
                    title: 5.0,
                    subtitle: 2.0,
                    facts: 3.0,
                    info: 1.0,
                    pinyin: 2.0,
                    initials: 1.0,
                },
            },
            start: Start::Offset(0),
            limit: 20,
            facets: false,
            now: Timestamp::constant(1_700_000_000, 0),
        }
    }

    /// The same whether or not some other crate has `serde_json` keep the order of keys.
    fn sorted(json: Value) -> Value {
        match json {
            Value::Array(values) => values.into_iter().map(sorted).collect(),
            Value::Object(map) => {
                let sorted_map: BTreeMap<String, Value> =
                    map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
                sorted_map.into_iter().collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => json,
        }
    }

    fn near(radius_m: Option<f64>) -> Near {
        Near { point: GeoPoint::new(39.936, 116.454_6).unwrap(), radius_m }
    }

    #[test]
    fn all_of_the_best_first() {
        assert_json_snapshot!(sorted(search(&query(), None)));
    }

    #[test]
    fn everything_that_can_be_asked_for() {
        let query = IndexQuery {
            text: TextQuery {
                clauses: vec![
                    clause_of(
                        &[
                            (&[term(TermKind::Word, "大床房")], 1.0),
                            (&[term(TermKind::Word, "双人"), term(TermKind::WordPrefix, "房")], 0.5),
                            (&[term(TermKind::Pinyin, "dachuangfang")], 0.5),
                        ],
                        1.0,
                    ),
                    clause_of(
                        &[(&[term(TermKind::Initials, "slt"), term(TermKind::PinyinPrefix, "san")], 1.0)],
                        1.0,
                    ),
                    clause_of(&[(&[term(TermKind::Word, "的")], 1.0)], 0.25),
                ],
            },
            matching: Match::Most,
            filters: Filters {
                min_price: Some(Fen::new(10_000)),
                max_price: Some(Fen::new(30_000)),
                min_rating: Some(450),
                max_rating: None,
                facilities: [Facility::Wifi, Facility::Parking].into(),
                room_types: vec![RoomType::Double, RoomType::Twin],
                city: Some("北京".to_owned()),
                district: Some("朝阳区".to_owned()),
                capacity: Some(2),
            },
            near: Some(near(Some(5_000.0))),
            start: Start::Offset(40),
            facets: true,
            ..query()
        };
        assert_json_snapshot!(sorted(search(&query, None)));
    }

    #[test]
    fn a_cursor_goes_on_in_its_snapshot() {
        let position = Position { key: 29_900.0, id: "h-1".parse().unwrap(), snapshot: None };
        let by_price = IndexQuery { sort: Sort::PriceAsc, start: Start::After(position.clone()), ..query() };
        assert_json_snapshot!(sorted(search(&by_price, Some(("pit", "60s")))));
        let position = Position { key: 1_234.5, ..position };
        let by_distance = IndexQuery {
            sort: Sort::Distance,
            near: Some(near(None)),
            start: Start::After(position),
            ..query()
        };
        assert_json_snapshot!(sorted(search(&by_distance, None)));
    }

    #[test]
    fn weak_clauses_count_and_are_not_needed_unless_there_are_no_others() {
        let strong = || clause_of(&[(&[term(TermKind::Word, "床")], 1.0)], 1.0);
        let weak = || clause_of(&[(&[term(TermKind::Word, "的")], 1.0)], 0.1);
        let needed = |clauses: Vec<Clause>, matching| {
            let text = text(&TextQuery { clauses }, matching, &Boosts::default());
            let needed = text.pointer("/bool/must/0/bool").or_else(|| text.pointer("/bool")).unwrap().clone();
            (needed["should"].as_array().unwrap().len(), needed["minimum_should_match"].as_u64().unwrap())
        };
        assert_eq!(needed(vec![strong(), weak(), strong(), strong()], Match::Most), (3, 2));
        assert_eq!(needed(vec![strong(), weak()], Match::All), (1, 1));
        assert_eq!(needed(vec![weak(), weak()], Match::All), (2, 2));
        assert_eq!(needed(vec![strong(), weak(), strong()], Match::Any), (2, 1));
    }

    #[test]
    fn what_a_guest_types_is_a_value_and_nothing_else() {
        let evil = r#"" } }, "script": { "source": "* OR _exists_:a"#;
        let clauses = vec![clause_of(&[(&[term(TermKind::Word, evil)], 1.0)], 1.0)];
        let filters = Filters { city: Some(evil.to_owned()), ..Filters::default() };
        let body = search(&IndexQuery { text: TextQuery { clauses }, filters, ..query() }, None);
        let read: Value = serde_json::from_str(&body.to_string()).unwrap();
        assert_eq!(read, body);
        assert!(read.pointer("/query/script").is_none() && !body.to_string().contains("query_string"));
    }

    #[test]
    fn other_questions() {
        assert_json_snapshot!(sorted(json!([
            titles(&["bj".to_owned(), "beij".to_owned()], 50),
            words(1_000),
            scan(None, 100),
            scan(Some("h-1"), 100)
        ])));
    }
}
