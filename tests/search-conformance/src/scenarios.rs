//! The scenarios, each on an index of its own.

#![expect(clippy::float_arithmetic, reason = "degrees, metres and scores; no money")]

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use domain_homestay::{
    Boosts, Bucket, CAPACITY_STEPS, Change, Document, Facilities, Facility, Filters, Found, GenerationId,
    Generations, GeoPoint, Held, IndexAdmin as _, IndexError, IndexQuery, IndexWriter as _, Match, Near,
    PRICE_STEPS, Position, RATING_STEPS, Ranking, Rating, RoomType, SearchIndex as _, Sort, Start, Version,
};
use domain_money::Fen;
use domain_text::{Alternative, Clause, Prefix, Synonyms, Term, TermKind, TextQuery};
use jiff::{SignedDuration, Timestamp};

use crate::build::{NOW, analyzer, at, document, everything, gone, id, put, text};
use crate::{Backend, Scenario};

macro_rules! scenarios {
    ($($name:ident),+ $(,)?) => {
        pub(crate) fn all<B: Backend>() -> Vec<Scenario<B>> {
            vec![$(Scenario { name: stringify!($name), run: |backend| Box::pin($name(backend)) }),+]
        }
    };
}

scenarios![
    a_keyword_is_found_wherever_it_stands_and_best_in_the_title,
    a_word_within_a_word_is_found,
    a_synonym_is_found_behind_what_was_typed,
    full_pinyin_is_found_also_of_characters_read_in_two_ways,
    initials_are_found,
    a_beginning_of_a_word_is_found,
    a_beginning_of_pinyin_is_found,
    hanzi_pinyin_and_letters_are_mixed,
    all_most_and_any_clauses_are_asked_for,
    a_light_clause_adds_to_the_score_and_is_not_required,
    light_clauses_alone_are_required,
    all_terms_of_an_alternative_must_be_in_one_field,
    a_word_counts_by_the_boost_of_its_field,
    a_filter_by_price_includes_its_bounds,
    a_filter_by_rating_includes_its_bounds,
    a_filter_by_facilities_wants_all_of_them,
    a_filter_by_room_types_wants_one_of_them,
    a_filter_by_place_wants_the_very_name,
    a_filter_by_capacity_wants_enough,
    filters_and_a_keyword_are_all_wanted,
    a_radius_includes_what_is_on_it_and_nothing_beyond,
    a_radius_of_nothing_finds_what_is_there,
    a_radius_crosses_the_180th_meridian,
    a_radius_goes_around_a_pole,
    distances_are_told_and_sorted_by,
    each_sort_orders_and_breaks_ties_by_id,
    the_composite_order_is_text_times_factors,
    the_composite_order_weighs_what_it_is_told,
    better_text_wins_among_equals,
    pages_by_number_are_the_long_list,
    pages_by_cursor_are_the_long_list,
    a_cursor_goes_on_behind_what_is_gone,
    a_page_beyond_the_end_is_empty,
    facets_count_what_was_found,
    facets_are_not_counted_unasked,
    the_total_is_of_all_pages,
    what_is_unpublished_or_deleted_is_not_found,
    what_comes_back_is_found_again,
    a_later_version_wins_in_whatever_order,
    a_change_that_comes_twice_changes_nothing,
    of_a_batch_the_greatest_version_of_each_wins,
    what_was_replaced_is_not_found_by_its_old_words,
    a_generation_is_built_beside_the_live_one_and_switched_to,
    changes_go_to_every_generation,
    a_generation_is_rolled_back_to_and_has_what_was_written_since,
    a_generation_is_discarded_unless_it_is_live,
    steps_of_a_rebuild_may_be_repeated,
    a_generation_that_is_not_known_is_missing,
    held_versions_are_told,
    a_scan_lists_all_in_the_order_of_ids,
    what_is_gone_is_forgotten_unless_it_came_back,
    titles_go_on_from_what_was_typed,
    words_are_counted,
    whatever_is_typed_is_no_syntax,
    an_empty_index_finds_nothing,
    without_a_live_generation_everything_is_missing,
    what_was_applied_survives_the_process,
];

/// Names a generation.
///
/// # Panics
///
/// If `name` cannot.
pub(crate) fn generation(name: &str) -> GenerationId {
    name.parse().unwrap_or_else(|_| panic!("{name} names no generation"))
}

/// An index under test with one generation that is live.
struct Subject<'a, B: Backend> {
    backend: &'a B,
    index: B::Index,
}

impl<'a, B: Backend> Subject<'a, B> {
    async fn with(backend: &'a B, documents: impl IntoIterator<Item = Document>) -> anyhow::Result<Self> {
        let index = backend.fresh().await;
        index.prepare(&generation("one")).await?;
        let subject = Self { backend, index };
        let changes: Vec<Change> = documents.into_iter().map(|document| put(document, 1)).collect();
        if !changes.is_empty() {
            subject.apply(&changes).await?;
        }
        subject.backend.refresh(&subject.index).await;
        Ok(subject)
    }

    async fn apply(&self, changes: &[Change]) -> anyhow::Result<()> {
        let applied = self.index.apply(changes).await?;
        ensure!(
            applied.applied + applied.outdated == changes.len(),
            "each change is applied or outdated: {applied:?}"
        );
        self.backend.refresh(&self.index).await;
        Ok(())
    }

    async fn find(&self, query: &IndexQuery) -> anyhow::Result<Found> {
        Ok(self.index.search(query).await?)
    }

    /// The ids that `query` finds, in order; says so unless they are `expected`.
    async fn finds(&self, query: &IndexQuery, expected: &[&str]) -> anyhow::Result<()> {
        let found = ids(&self.find(query).await?);
        ensure!(found == expected, "{query:?}\nfinds {found:?}, not {expected:?}");
        Ok(())
    }

    /// The same whatever the order.
    async fn finds_all(&self, query: &IndexQuery, expected: &[&str]) -> anyhow::Result<()> {
        let mut found = ids(&self.find(query).await?);
        found.sort();
        ensure!(found == expected, "{query:?}\nfinds {found:?}, not {expected:?}");
        Ok(())
    }
}

fn ids(found: &Found) -> Vec<String> {
    found.hits.iter().map(|hit| hit.document.id.to_string()).collect()
}

fn titled(name: &str, title: &str) -> Document {
    Document { title: title.to_owned(), ..document(name) }
}

fn filtered(filters: Filters) -> IndexQuery {
    IndexQuery { filters, ..everything() }
}

fn term(kind: TermKind, text: &str) -> Term {
    Term { kind, text: text.to_owned() }
}

/// A clause as the analysis makes them.
fn clause(terms: impl IntoIterator<Item = Term>, weight: f32) -> Clause {
    let terms: Vec<Term> = terms.into_iter().collect();
    let typed = terms.iter().map(|term| term.text.as_str()).collect::<Vec<_>>().join(" ");
    Clause { typed, alternatives: vec![Alternative { terms, weight: 1.0 }], weight }
}

fn word(text: &str, weight: f32) -> Clause {
    clause([term(TermKind::Word, text)], weight)
}

fn clauses(clauses: impl IntoIterator<Item = Clause>) -> IndexQuery {
    IndexQuery {
        text: TextQuery { clauses: clauses.into_iter().collect() },
        sort: Sort::Composite,
        ..everything()
    }
}

fn near(point: GeoPoint, radius_m: Option<f64>) -> IndexQuery {
    IndexQuery { near: Some(Near { point, radius_m }), sort: Sort::Distance, ..everything() }
}

fn is_close(a: f64, b: f64, share: f64) -> bool {
    (a - b).abs() <= share * a.abs().max(b.abs()).max(1e-9)
}

async fn a_keyword_is_found_wherever_it_stands_and_best_in_the_title<B: Backend>(
    backend: &B,
) -> anyhow::Result<()> {
    let subject = Subject::with(
        backend,
        [
            Document { info: "走路五分钟到什刹海".to_owned(), ..document("info") },
            Document { subtitle: "近什刹海".to_owned(), ..document("subtitle") },
            Document { title: "什刹海旁的院子".to_owned(), ..document("title") },
            Document { facilities: Facilities::from([Facility::Projector]), ..document("facts") },
            document("none"),
        ],
    )
    .await?;
    subject.finds_all(&text("什刹海"), &["info", "subtitle", "title"]).await?;
    let best = ids(&subject.find(&text("什刹海")).await?);
    ensure!(best.first().is_some_and(|best| best == "title"), "the title counts most: {best:?}");
    subject.finds(&text("投影"), &["facts"]).await?;
    subject.finds_all(&text("北京"), &["facts", "info", "none", "subtitle", "title"]).await
}

async fn a_word_within_a_word_is_found<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [titled("a", "北京大学旁"), document("b")]).await?;
    subject.finds_all(&text("大学"), &["a"]).await
}

async fn a_synonym_is_found_behind_what_was_typed<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(
        backend,
        [titled("other", "温馨四合院"), titled("typed", "温馨小院"), titled("z", "公寓")],
    )
    .await?;
    let synonyms = Synonyms::parse(["四合院, 小院"])?;
    let query = IndexQuery { text: analyzer().query("小院", &synonyms), ..text("") };
    subject.finds(&query, &["typed", "other"]).await?;
    subject.finds(&text("小院"), &["typed"]).await
}

async fn full_pinyin_is_found_also_of_characters_read_in_two_ways<B: Backend>(
    backend: &B,
) -> anyhow::Result<()> {
    let elsewhere = |name: &str, city: &str| Document { city: city.to_owned(), ..document(name) };
    let subject = Subject::with(
        backend,
        [titled("a", "三里屯的家"), elsewhere("b", "重庆"), elsewhere("c", "厦门"), elsewhere("d", "长沙")],
    )
    .await?;
    for (typed, expected) in
        [("sanlitun", "a"), ("SanLiTun", "a"), ("chongqing", "b"), ("xiamen", "c"), ("changsha", "d")]
    {
        subject.finds(&text(typed), &[expected]).await?;
    }
    Ok(())
}

async fn initials_are_found<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [titled("a", "三里屯的家"), document("b")]).await?;
    subject.finds(&text("slt"), &["a"]).await?;
    subject.finds(&clauses([clause([term(TermKind::Initials, "slt")], 1.0)]), &["a"]).await
}

async fn a_beginning_of_a_word_is_found<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject =
        Subject::with(backend, [titled("a", "loft"), titled("b", "studio"), titled("c", "lobby")]).await?;
    let query = |text| clauses([clause([term(TermKind::WordPrefix, text)], 1.0)]);
    subject.finds_all(&query("lo"), &["a", "c"]).await?;
    subject.finds_all(&query("lof"), &["a"]).await?;
    subject.finds_all(&query("loft"), &["a"]).await?;
    subject.finds_all(&query("lofts"), &[]).await?;
    subject.finds_all(&query("oft"), &[]).await
}

async fn a_beginning_of_pinyin_is_found<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [titled("a", "三里屯"), titled("b", "五道口")]).await?;
    let query = clauses([clause([term(TermKind::PinyinPrefix, "sanli")], 1.0)]);
    subject.finds_all(&query, &["a"]).await?;
    subject.finds_all(&clauses([clause([term(TermKind::Pinyin, "sanlitun")], 1.0)]), &["a"]).await?;
    subject.finds_all(&clauses([clause([term(TermKind::Pinyin, "sanl")], 1.0)]), &[]).await
}

async fn hanzi_pinyin_and_letters_are_mixed<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(
        backend,
        [titled("a", "三里屯 loft 投影"), titled("b", "三里屯公寓"), titled("c", "五道口 loft")],
    )
    .await?;
    for typed in ["三里屯 loft", "sanlitun loft", "slt LOFT", "三里屯loft", "loft 投影", "touying slt"]
    {
        subject.finds(&text(typed), &["a"]).await?;
    }
    Ok(())
}

async fn all_most_and_any_clauses_are_asked_for<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(
        backend,
        [
            titled("abc", "loft studio garden"),
            titled("ab", "loft studio"),
            titled("a", "loft"),
            // Clauses may be had in different fields.
            Document {
                title: "loft".to_owned(),
                subtitle: "studio".to_owned(),
                info: "garden".to_owned(),
                ..document("spread")
            },
        ],
    )
    .await?;
    let query = |matching| IndexQuery {
        matching,
        ..clauses([word("loft", 1.0), word("studio", 1.0), word("garden", 1.0)])
    };
    subject.finds_all(&query(Match::All), &["abc", "spread"]).await?;
    subject.finds_all(&query(Match::Most), &["ab", "abc", "spread"]).await?;
    subject.finds_all(&query(Match::Any), &["a", "ab", "abc", "spread"]).await
}

async fn a_light_clause_adds_to_the_score_and_is_not_required<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject =
        Subject::with(backend, [titled("a", "loft one"), titled("b", "loft near"), titled("c", "near one")])
            .await?;
    for matching in [Match::All, Match::Most, Match::Any] {
        let query = IndexQuery { matching, ..clauses([word("loft", 1.0), word("near", 0.3)]) };
        subject.finds(&query, &["b", "a"]).await?;
    }
    Ok(())
}

async fn light_clauses_alone_are_required<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject =
        Subject::with(backend, [titled("a", "near home"), titled("b", "near"), titled("c", "loft")]).await?;
    let query = |matching| IndexQuery { matching, ..clauses([word("near", 0.1), word("home", 0.4)]) };
    subject.finds_all(&query(Match::All), &["a"]).await?;
    subject.finds_all(&query(Match::Any), &["a", "b"]).await
}

async fn all_terms_of_an_alternative_must_be_in_one_field<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(
        backend,
        [
            titled("one", "loft studio"),
            Document { title: "loft".to_owned(), subtitle: "studio".to_owned(), ..document("two") },
            titled("half", "loft"),
        ],
    )
    .await?;
    let both = clause([term(TermKind::Word, "loft"), term(TermKind::Word, "studio")], 1.0);
    subject.finds_all(&clauses([both]), &["one"]).await
}

async fn a_word_counts_by_the_boost_of_its_field<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(
        backend,
        [
            titled("title", "loft"),
            Document { subtitle: "loft".to_owned(), ..document("subtitle") },
            Document { info: "loft".to_owned(), ..document("info") },
        ],
    )
    .await?;
    let boosted = |title: f32, subtitle: f32, info: f32| {
        let boosts = Boosts { title, subtitle, info, ..Boosts::default() };
        IndexQuery { ranking: Ranking { boosts, ..Ranking::default() }, ..clauses([word("loft", 1.0)]) }
    };
    subject.finds(&boosted(90.0, 9.0, 0.9), &["title", "subtitle", "info"]).await?;
    subject.finds(&boosted(0.9, 9.0, 90.0), &["info", "subtitle", "title"]).await
}

async fn a_filter_by_price_includes_its_bounds<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let priced = |name: &str, fen| Document { price: Fen::new(fen), ..document(name) };
    let documents = [priced("a", 9_999), priced("b", 10_000), priced("c", 20_000), priced("d", 100_000_000)];
    let subject = Subject::with(backend, documents).await?;
    let query = |min: Option<u64>, max: Option<u64>| {
        filtered(Filters { min_price: min.map(Fen::new), max_price: max.map(Fen::new), ..Filters::default() })
    };
    subject.finds_all(&query(Some(10_000), Some(20_000)), &["b", "c"]).await?;
    subject.finds_all(&query(Some(10_001), None), &["c", "d"]).await?;
    subject.finds_all(&query(None, Some(9_999)), &["a"]).await?;
    subject.finds_all(&query(Some(20_001), Some(10_000)), &[]).await?;
    subject.finds_all(&query(None, Some(u64::MAX)), &["a", "b", "c", "d"]).await
}

async fn a_filter_by_rating_includes_its_bounds<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let rated =
        |name: &str, hundredths| Document { rating: Rating { hundredths, count: 9 }, ..document(name) };
    let documents = [rated("a", 449), rated("b", 450), rated("c", 500), document("unrated")];
    let subject = Subject::with(backend, documents).await?;
    let query = |min_rating, max_rating| filtered(Filters { min_rating, max_rating, ..Filters::default() });
    subject.finds_all(&query(Some(450), None), &["b", "c"]).await?;
    subject.finds_all(&query(Some(449), Some(450)), &["a", "b"]).await?;
    subject.finds_all(&query(Some(501), None), &[]).await
}

async fn a_filter_by_facilities_wants_all_of_them<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let with = |name: &str, facilities: &[Facility]| Document {
        facilities: facilities.iter().copied().collect(),
        ..document(name)
    };
    let documents = [
        with("a", &[Facility::Wifi]),
        with("b", &[Facility::Wifi, Facility::Desk]),
        with("c", Facility::ALL),
        document("d"),
    ];
    let subject = Subject::with(backend, documents).await?;
    let query = |facilities: &[Facility]| {
        filtered(Filters { facilities: facilities.iter().copied().collect(), ..Filters::default() })
    };
    subject.finds_all(&query(&[Facility::Wifi]), &["a", "b", "c"]).await?;
    subject.finds_all(&query(&[Facility::Wifi, Facility::Desk]), &["b", "c"]).await?;
    subject.finds_all(&query(Facility::ALL), &["c"]).await
}

async fn a_filter_by_room_types_wants_one_of_them<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let kind = |name: &str, room_type| Document { room_type, ..document(name) };
    let documents = [kind("a", RoomType::Entire), kind("b", RoomType::Shared), kind("c", RoomType::Twin)];
    let subject = Subject::with(backend, documents).await?;
    let query =
        |room_types: &[RoomType]| filtered(Filters { room_types: room_types.to_vec(), ..Filters::default() });
    subject.finds_all(&query(&[RoomType::Shared]), &["b"]).await?;
    subject.finds_all(&query(&[RoomType::Shared, RoomType::Entire]), &["a", "b"]).await?;
    subject.finds_all(&query(&[RoomType::Family]), &[]).await
}

async fn a_filter_by_place_wants_the_very_name<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let located = |name: &str, city: &str, district: &str| Document {
        city: city.to_owned(),
        district: district.to_owned(),
        ..document(name)
    };
    let documents = [
        located("a", "北京", "朝阳区"),
        located("b", "北京", "海淀区"),
        located("c", "长春", "朝阳区"),
        located("d", "New York", ""),
    ];
    let subject = Subject::with(backend, documents).await?;
    let query = |city: Option<&str>, district: Option<&str>| {
        filtered(Filters {
            city: city.map(str::to_owned),
            district: district.map(str::to_owned),
            ..Filters::default()
        })
    };
    subject.finds_all(&query(Some("北京"), None), &["a", "b"]).await?;
    subject.finds_all(&query(None, Some("朝阳区")), &["a", "c"]).await?;
    subject.finds_all(&query(Some("北京"), Some("朝阳区")), &["a"]).await?;
    subject.finds_all(&query(Some("New York"), None), &["d"]).await?;
    subject.finds_all(&query(Some("New"), None), &[]).await?;
    subject.finds_all(&query(None, Some("朝阳")), &[]).await
}

async fn a_filter_by_capacity_wants_enough<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let sized = |name: &str, capacity| Document { capacity, ..document(name) };
    let subject = Subject::with(backend, [sized("a", 1), sized("b", 4), sized("c", 50)]).await?;
    let query = |capacity| filtered(Filters { capacity: Some(capacity), ..Filters::default() });
    subject.finds_all(&query(1), &["a", "b", "c"]).await?;
    subject.finds_all(&query(4), &["b", "c"]).await?;
    subject.finds_all(&query(51), &[]).await
}

async fn filters_and_a_keyword_are_all_wanted<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let loft = |name: &str, fen| Document { price: Fen::new(fen), ..titled(name, "loft") };
    let far = Document { location: at(31.2, 121.5), ..loft("far", 100) };
    let subject =
        Subject::with(backend, [loft("a", 100), loft("dear", 900), far, titled("other", "studio")]).await?;
    let query = IndexQuery {
        filters: Filters { max_price: Some(Fen::new(500)), ..Filters::default() },
        near: Some(Near { point: at(39.9, 116.4), radius_m: Some(5_000.0) }),
        ..text("loft")
    };
    subject.finds(&query, &["a"]).await
}

async fn a_radius_includes_what_is_on_it_and_nothing_beyond<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let centre = at(39.9087, 116.3975);
    let placed = |name: &str, lat: f64, lon: f64| Document { location: at(lat, lon), ..document(name) };
    // The corner of the box around the circle is within the box and not within the circle.
    let documents = [
        placed("centre", 39.9087, 116.3975),
        placed("near", 39.93, 116.41),
        placed("north", 39.9530, 116.3975),
        placed("corner", 39.9490, 116.4500),
        placed("beyond", 39.9540, 116.3975),
    ];
    let subject = Subject::with(backend, documents).await?;
    let expected: Vec<(&str, f64)> = vec![
        ("centre", 0.0),
        ("near", centre.distance_m(at(39.93, 116.41))),
        ("north", centre.distance_m(at(39.9530, 116.3975))),
        ("beyond", centre.distance_m(at(39.9540, 116.3975))),
        ("corner", centre.distance_m(at(39.9490, 116.4500))),
    ];
    let within = |radius: f64| -> Vec<&str> {
        expected.iter().filter(|(_, distance)| *distance <= radius).map(|(name, _)| *name).collect()
    };
    for radius in [1.0, 2_700.0, 4_940.0, 5_000.0, 6_000.0, 200_000.0] {
        subject.finds(&near(centre, Some(radius)), &within(radius)).await?;
    }
    ensure!(within(5_000.0).len() == 3 && within(6_000.0).len() == 4, "the scenario tests what it says");
    Ok(())
}

async fn a_radius_of_nothing_finds_what_is_there<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject =
        Subject::with(backend, [document("a"), Document { location: at(39.91, 116.4), ..document("b") }])
            .await?;
    // A metre: indexes keep places to a centimetre or so.
    subject.finds(&near(at(39.9, 116.4), Some(1.0)), &["a"]).await
}

async fn a_radius_crosses_the_180th_meridian<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let placed = |name: &str, lat: f64, lon: f64| Document { location: at(lat, lon), ..document(name) };
    let documents =
        [placed("east", -17.0, -179.95), placed("west", -17.0, 179.9), placed("far", -17.0, 170.0)];
    let subject = Subject::with(backend, documents).await?;
    subject.finds(&near(at(-17.0, 179.97), Some(50_000.0)), &["west", "east"]).await?;
    subject.finds(&near(at(-17.0, -179.97), Some(50_000.0)), &["east", "west"]).await
}

async fn a_radius_goes_around_a_pole<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let placed = |name: &str, lat: f64, lon: f64| Document { location: at(lat, lon), ..document(name) };
    let documents = [placed("a", 89.5, 10.0), placed("b", 89.6, -170.0), placed("c", 80.0, 10.0)];
    let subject = Subject::with(backend, documents).await?;
    subject.finds_all(&near(at(89.9, 100.0), Some(100_000.0)), &["a", "b"]).await
}

async fn distances_are_told_and_sorted_by<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let centre = at(39.9087, 116.3975);
    let places = [("c", at(31.2304, 121.4737)), ("a", at(39.9360, 116.4546)), ("b", at(22.5431, 114.0579))];
    let documents = places.map(|(name, location)| Document { location, ..document(name) });
    let subject = Subject::with(backend, documents).await?;
    subject.finds(&near(centre, None), &["a", "c", "b"]).await?;
    for sort in Sort::ALL {
        let query = IndexQuery { sort, ..near(centre, None) };
        for hit in subject.find(&query).await?.hits {
            let distance = centre.distance_m(hit.document.location);
            let told = hit.distance_m.context("the distance is told")?;
            // Indexes keep places to a centimetre or so.
            ensure!(is_close(told, distance, 1e-4), "{told} m is {distance} m, sorted by {sort:?}");
        }
    }
    let untold = subject.find(&everything()).await?.hits;
    ensure!(untold.iter().all(|hit| hit.distance_m.is_none()), "no distance from nowhere");
    Ok(())
}

/// Homestays of which many are equal in each respect.
fn various(count: u32) -> Vec<Document> {
    (0..count)
        .map(|number| {
            // Not in the order of their ids, lest the order of writing passes for it.
            let number = number * 7 % count;
            Document {
                price: Fen::new(10_000 + u64::from(number % 4) * 1_000),
                rating: Rating { hundredths: u16::try_from(400 + number % 3 * 50).unwrap_or(0), count: 10 },
                created_at: NOW - SignedDuration::from_hours(24 * i64::from(number % 5)),
                location: at(39.9 + f64::from(number % 6) * 0.01, 116.4),
                ..titled(&format!("h-{number:03}"), "loft")
            }
        })
        .collect()
}

/// What `sort` orders by, small ones first.
fn key(sort: Sort, document: &Document) -> i64 {
    match sort {
        Sort::PriceAsc => i64::try_from(document.price.get()).unwrap_or(i64::MAX),
        Sort::PriceDesc => -i64::try_from(document.price.get()).unwrap_or(i64::MAX),
        Sort::Rating => -i64::from(document.rating.hundredths),
        Sort::Newest => -document.created_at.as_millisecond(),
        #[expect(clippy::cast_possible_truncation, reason = "metres on Earth")]
        Sort::Distance => at(39.9, 116.4).distance_m(document.location) as i64,
        // All have one text and one place, if this is what is asked for.
        Sort::Composite => 0,
    }
}

async fn each_sort_orders_and_breaks_ties_by_id<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let documents = various(30);
    let subject = Subject::with(backend, documents.clone()).await?;
    for sort in [Sort::PriceAsc, Sort::PriceDesc, Sort::Rating, Sort::Newest, Sort::Distance] {
        let mut expected = documents.clone();
        expected.sort_by(|a, b| key(sort, a).cmp(&key(sort, b)).then(a.id.cmp(&b.id)));
        let expected: Vec<&str> = expected.iter().map(|document| document.id.as_str()).collect();
        subject.finds(&IndexQuery { sort, ..near(at(39.9, 116.4), None) }, &expected).await?;
        // The order is the same with a keyword.
        let text = text("loft").text;
        subject.finds(&IndexQuery { sort, text, ..near(at(39.9, 116.4), None) }, &expected).await?;
    }
    let equal: Vec<Document> = (0..9).map(|number| titled(&format!("e-{}", 8 - number), "studio")).collect();
    let names: Vec<String> = (0..9).map(|number| format!("e-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let subject = Subject::with(backend, equal).await?;
    subject.finds(&text("studio"), &names).await?;
    subject.finds(&IndexQuery { sort: Sort::Composite, ..everything() }, &names).await
}

/// Homestays that differ in whatever the composite order looks at, one thing at a time and all at once.
fn ranked() -> Vec<Document> {
    let mut documents = Vec::new();
    for number in 0..24_u32 {
        documents.push(Document {
            rating: Rating {
                hundredths: u16::try_from(300 + number * 37 % 200).unwrap_or(0),
                count: number * 13 % 40,
            },
            sales: number * 97 % 900,
            location: at(39.9 + f64::from(number * 5 % 24) * 0.003, 116.4),
            created_at: NOW - SignedDuration::from_hours(24 * i64::from(number * 11 % 200)),
            ..titled(&format!("r-{number:02}"), "loft")
        });
    }
    documents
}

fn ensure_order(hits: &[domain_homestay::Hit], expected: &BTreeMap<String, f64>) -> anyhow::Result<()> {
    ensure!(hits.len() == expected.len(), "{} of {} were found", hits.len(), expected.len());
    let mut last = f64::INFINITY;
    for hit in hits {
        let score = expected.get(hit.document.id.as_str()).copied().context("it is one of them")?;
        // Indexes compute in single precision: what differs by less may come in either order.
        ensure!(score <= last * 1.000_1, "{} with {score} comes behind one with {last}", hit.document.id);
        last = score;
    }
    Ok(())
}

async fn the_composite_order_is_text_times_factors<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let documents = ranked();
    let subject = Subject::with(backend, documents.clone()).await?;
    let ranking = Ranking::default();
    for place in [None, Some(Near { point: at(39.91, 116.41), radius_m: None })] {
        let factors: BTreeMap<String, f64> = documents
            .iter()
            .map(|document| {
                (document.id.to_string(), f64::from(ranking.factor(document, place.as_ref(), NOW)))
            })
            .collect();
        // Without a keyword the text is 1: the score is the factor.
        let found = subject.find(&IndexQuery { near: place, sort: Sort::Composite, ..everything() }).await?;
        ensure_order(&found.hits, &factors)?;
        for hit in &found.hits {
            let factor = factors.get(hit.document.id.as_str()).copied().unwrap_or(0.0);
            let score = f64::from(hit.score);
            ensure!(is_close(score, factor, 1e-3), "{} has {score}, not {factor}", hit.document.id);
        }
        // With one that all have alike, the order is that of the factors, and scores have one ratio to them.
        let found = subject.find(&IndexQuery { near: place, ..clauses([word("loft", 1.0)]) }).await?;
        ensure_order(&found.hits, &factors)?;
        let ratios: Vec<f64> = found
            .hits
            .iter()
            .map(|hit| f64::from(hit.score) / factors.get(hit.document.id.as_str()).copied().unwrap_or(1.0))
            .collect();
        let first = ratios.first().copied().context("some were found")?;
        ensure!(
            ratios.iter().all(|ratio| is_close(*ratio, first, 1e-3)),
            "text scores of equals: {ratios:?}"
        );
    }
    Ok(())
}

async fn the_composite_order_weighs_what_it_is_told<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let documents = ranked();
    let subject = Subject::with(backend, documents.clone()).await?;
    let nothing =
        Ranking { rating: 0.0, sales: 0.0, freshness: 0.0, distance_floor: 1.0, ..Ranking::default() };
    let place = Near { point: at(39.91, 116.41), radius_m: None };
    for ranking in [
        nothing,
        Ranking { rating: 100.0, ..nothing },
        Ranking { sales: 100.0, ..nothing },
        Ranking { freshness: 100.0, freshness_half_days: 1, ..nothing },
        Ranking { freshness: 3.0, freshness_half_days: 3_650, ..nothing },
        Ranking { distance_floor: 0.0, distance_half_m: 500, ..nothing },
    ] {
        let factors: BTreeMap<String, f64> = documents
            .iter()
            .map(|document| (document.id.to_string(), f64::from(ranking.factor(document, Some(&place), NOW))))
            .collect();
        let query = IndexQuery { near: Some(place), sort: Sort::Composite, ranking, ..everything() };
        ensure_order(&subject.find(&query).await?.hits, &factors).with_context(|| format!("{ranking:?}"))?;
    }
    Ok(())
}

async fn better_text_wins_among_equals<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(
        backend,
        [
            titled("long", "loft with many other words that say something else"),
            titled("short", "loft"),
            Document { subtitle: "loft studio".to_owned(), ..titled("both", "loft studio") },
        ],
    )
    .await?;
    let query = IndexQuery { matching: Match::Any, ..clauses([word("loft", 1.0), word("studio", 1.0)]) };
    subject.finds(&query, &["both", "short", "long"]).await
}

async fn pages_by_number_are_the_long_list<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, various(37)).await?;
    for sort in Sort::ALL {
        let all = IndexQuery { sort, ..near(at(39.9, 116.4), None) };
        let list = ids(&subject.find(&all).await?);
        ensure!(list.len() == 37, "all are found");
        let mut pages = Vec::new();
        for offset in (0..40).step_by(10) {
            let page = IndexQuery { start: Start::Offset(offset), limit: 10, ..all.clone() };
            let found = subject.find(&page).await?;
            ensure!(found.total == 37, "the total is {} on each page", found.total);
            pages.extend(ids(&found));
        }
        ensure!(pages == list, "sorted by {sort:?}: {pages:?}\nare not {list:?}");
    }
    Ok(())
}

async fn pages_by_cursor_are_the_long_list<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, various(37)).await?;
    for sort in Sort::ALL {
        for keyword in ["", "loft"] {
            let text = text(keyword).text;
            let all = IndexQuery { sort, text, ..near(at(39.9, 116.4), None) };
            let list = ids(&subject.find(&all).await?);
            let mut pages = Vec::new();
            let mut start = Start::Offset(0);
            for _ in 0..20 {
                let found = subject.find(&IndexQuery { start, limit: 4, ..all.clone() }).await?;
                let Some(hit) = found.hits.last() else { break };
                start = Start::After(sent(hit.position.clone()));
                pages.extend(ids(&found));
            }
            ensure!(pages == list, "sorted by {sort:?}: {pages:?}\nare not {list:?}");
        }
    }
    Ok(())
}

/// A cursor that went to a client and came back: its key as decimal digits, and the last bit of it lost.
fn sent(position: Position) -> Position {
    let key = position.key;
    let key = if key.fract() == 0.0 { key } else { key.next_up() };
    Position { key, ..position }
}

async fn a_cursor_goes_on_behind_what_is_gone<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject =
        Subject::with(backend, [document("a"), document("b"), document("c"), document("d")]).await?;
    let query = IndexQuery { sort: Sort::PriceAsc, limit: 2, ..everything() };
    let found = subject.find(&query).await?;
    ensure!(ids(&found) == ["a", "b"], "the first page has two");
    let mut position = found.hits.last().context("there is a last one")?.position.clone();
    subject.apply(&[gone("b", 2)]).await?;
    // Without a state that is kept for the reader.
    position.snapshot = None;
    subject.finds(&IndexQuery { start: Start::After(position), ..query }, &["c", "d"]).await
}

async fn a_page_beyond_the_end_is_empty<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, various(5)).await?;
    for sort in Sort::ALL {
        let all = IndexQuery { sort, limit: 5, ..near(at(39.9, 116.4), None) };
        for offset in [5, 6, 9_900] {
            let found = subject.find(&IndexQuery { start: Start::Offset(offset), ..all.clone() }).await?;
            ensure!(
                found.hits.is_empty() && found.total == 5,
                "{offset}: {} of {}",
                found.hits.len(),
                found.total
            );
        }
        let last = subject.find(&all).await?.hits.pop().context("five were found")?;
        let found = subject.find(&IndexQuery { start: Start::After(last.position), ..all }).await?;
        ensure!(found.hits.is_empty(), "nothing comes behind the last one");
    }
    Ok(())
}

async fn facets_count_what_was_found<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let documents = [
        Document {
            price: Fen::new(9_999),
            rating: Rating { hundredths: 450, count: 3 },
            capacity: 1,
            facilities: Facilities::from([Facility::Wifi, Facility::Pool]),
            ..titled("a", "loft")
        },
        Document {
            price: Fen::new(10_000),
            rating: Rating { hundredths: 500, count: 3 },
            capacity: 12,
            facilities: Facilities::from([Facility::Wifi]),
            room_type: RoomType::Twin,
            ..titled("b", "loft")
        },
        Document {
            price: Fen::new(500_000),
            city: "上海".to_owned(),
            district: String::new(),
            ..titled("c", "loft")
        },
        titled("d", "studio"),
    ];
    let subject = Subject::with(backend, documents).await?;
    // Facets are of everything that was found, not of the page.
    let found = subject.find(&IndexQuery { facets: true, limit: 1, ..text("loft") }).await?;
    ensure!(found.total == 3 && found.hits.len() == 1, "three are found");
    let facets = found.facets.context("facets were asked for")?;
    let names = |counts: &[(String, u64)]| -> Vec<String> {
        counts.iter().map(|(name, count)| format!("{name} {count}")).collect()
    };
    ensure!(names(&facets.cities) == ["北京 2", "上海 1"], "cities: {:?}", facets.cities);
    ensure!(names(&facets.districts) == ["东城区 2"], "districts: {:?}", facets.districts);
    ensure!(facets.room_types == [(RoomType::Entire, 2), (RoomType::Twin, 1)], "{:?}", facets.room_types);
    ensure!(facets.facilities == [(Facility::Wifi, 2), (Facility::Pool, 1)], "{:?}", facets.facilities);
    let buckets = |froms: &[u64], counts: &[u64]| -> Vec<Bucket> {
        froms.iter().zip(counts).map(|(from, count)| Bucket { from: *from, count: *count }).collect()
    };
    ensure!(facets.prices == buckets(&PRICE_STEPS, &[1, 1, 0, 0, 0, 1]), "{:?}", facets.prices);
    let froms = RATING_STEPS.map(u64::from);
    ensure!(facets.ratings == buckets(&froms, &[2, 2, 1]), "{:?}", facets.ratings);
    let froms = CAPACITY_STEPS.map(u64::from);
    ensure!(facets.capacities == buckets(&froms, &[3, 2, 1, 1, 1]), "{:?}", facets.capacities);
    Ok(())
}

async fn facets_are_not_counted_unasked<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [document("a")]).await?;
    ensure!(subject.find(&everything()).await?.facets.is_none(), "nobody asked");
    Ok(())
}

async fn the_total_is_of_all_pages<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, various(60)).await?;
    let found = subject.find(&IndexQuery { limit: 1, ..text("loft") }).await?;
    ensure!(found.total == 60 && found.hits.len() == 1, "{} of {}", found.hits.len(), found.total);
    Ok(())
}

async fn what_is_unpublished_or_deleted_is_not_found<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [titled("a", "loft"), titled("b", "loft")]).await?;
    subject.apply(&[gone("a", 2)]).await?;
    subject.finds(&text("loft"), &["b"]).await?;
    subject.finds(&everything(), &["b"]).await?;
    let found = subject.find(&IndexQuery { facets: true, ..everything() }).await?;
    let facets = found.facets.context("facets were asked for")?;
    ensure!(found.total == 1 && facets.cities.iter().all(|(_, count)| *count == 1), "{facets:?}");
    ensure!(facets.prices.iter().map(|bucket| bucket.count).sum::<u64>() == 1, "{facets:?}");
    // One that the index never had is not found either, nor counted.
    subject.apply(&[gone("c", 1)]).await?;
    ensure!(subject.find(&everything()).await?.total == 1, "what is gone is not counted");
    for sort in Sort::ALL {
        subject.finds(&IndexQuery { sort, ..near(at(0.0, 0.0), None) }, &["b"]).await?;
    }
    Ok(())
}

async fn what_comes_back_is_found_again<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [titled("a", "loft")]).await?;
    subject.apply(&[gone("a", 2)]).await?;
    subject.finds(&text("loft"), &[]).await?;
    subject.apply(&[put(titled("a", "loft"), 3)]).await?;
    subject.finds(&text("loft"), &["a"]).await
}

async fn a_later_version_wins_in_whatever_order<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, []).await?;
    subject.apply(&[put(titled("a", "studio"), 2)]).await?;
    subject.apply(&[put(titled("a", "loft"), 1)]).await?;
    subject.finds(&text("studio"), &["a"]).await?;
    subject.finds(&text("loft"), &[]).await?;
    // An older one does not bring back what is gone.
    subject.apply(&[gone("a", 4)]).await?;
    subject.apply(&[put(titled("a", "studio"), 3)]).await?;
    subject.finds(&everything(), &[]).await?;
    // Even if nothing was ever there.
    subject.apply(&[gone("b", 2)]).await?;
    let applied = subject.index.apply(&[put(document("b"), 1)]).await?;
    ensure!((applied.applied, applied.outdated) == (0, 1), "{applied:?}");
    subject.backend.refresh(&subject.index).await;
    subject.finds(&everything(), &[]).await
}

async fn a_change_that_comes_twice_changes_nothing<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, []).await?;
    let changes = [put(titled("a", "loft"), 1), put(titled("b", "loft"), 7), gone("c", 2)];
    let first = subject.index.apply(&changes).await?;
    ensure!((first.applied, first.outdated) == (3, 0), "{first:?}");
    let again = subject.index.apply(&changes).await?;
    ensure!((again.applied, again.outdated) == (0, 3), "{again:?}");
    subject.backend.refresh(&subject.index).await;
    subject.finds_all(&text("loft"), &["a", "b"]).await
}

async fn of_a_batch_the_greatest_version_of_each_wins<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, []).await?;
    let version = |version: u64| put(titled("a", &format!("loft{version}")), version);
    subject.apply(&[version(2), version(5), version(3), put(document("b"), 1), gone("b", 2)]).await?;
    let held = subject.index.held(&generation("one"), &[id("a"), id("b")]).await?;
    let expected = [(5, true), (2, false)]
        .map(|(version, visible)| Some(Held { version: Version::from_stored(version), visible }));
    ensure!(held == expected, "{held:?}");
    let found = subject.find(&everything()).await?;
    let titles: Vec<&str> = found.hits.iter().map(|hit| hit.document.title.as_str()).collect();
    ensure!(titles == ["loft5"], "{titles:?}");
    subject.apply(&[]).await
}

async fn what_was_replaced_is_not_found_by_its_old_words<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [titled("a", "loft"), titled("b", "loft")]).await?;
    for version in 2..12 {
        subject.apply(&[put(titled("a", if version % 2 == 0 { "studio" } else { "loft" }), version)]).await?;
    }
    subject.finds_all(&text("loft"), &["a", "b"]).await?;
    subject.apply(&[put(titled("a", "studio"), 12)]).await?;
    subject.finds_all(&text("loft"), &["b"]).await?;
    subject.finds_all(&text("studio"), &["a"]).await?;
    let found = subject.find(&everything()).await?;
    ensure!(found.total == 2, "each is there once: {}", found.total);
    Ok(())
}

async fn a_generation_is_built_beside_the_live_one_and_switched_to<B: Backend>(
    backend: &B,
) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [titled("old", "loft")]).await?;
    let (one, two) = (generation("one"), generation("two"));
    let index = &subject.index;
    index.build(&two).await?;
    let expected = Generations { live: Some(one.clone()), building: Some(two.clone()), previous: None };
    ensure!(index.generations().await? == expected, "one is live and two is built");
    index.apply_to(&two, &[put(titled("new", "loft"), 1)]).await?;
    subject.backend.refresh(index).await;
    subject.finds(&text("loft"), &["old"]).await?;
    index.switch(&two).await?;
    subject.backend.refresh(index).await;
    subject.finds(&text("loft"), &["new"]).await?;
    let expected = Generations { live: Some(two), building: None, previous: Some(one) };
    ensure!(index.generations().await? == expected, "two is live and one was");
    Ok(())
}

async fn changes_go_to_every_generation<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [document("a")]).await?;
    let index = &subject.index;
    index.build(&generation("two")).await?;
    index.switch(&generation("two")).await?;
    index.build(&generation("three")).await?;
    subject.apply(&[put(document("b"), 3)]).await?;
    for name in ["one", "two", "three"] {
        let held = index.held(&generation(name), &[id("b")]).await?;
        let expected = [Some(Held { version: Version::from_stored(3), visible: true })];
        ensure!(held == expected, "{name}: {held:?}");
    }
    Ok(())
}

async fn a_generation_is_rolled_back_to_and_has_what_was_written_since<B: Backend>(
    backend: &B,
) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [titled("a", "loft")]).await?;
    let (one, two) = (generation("one"), generation("two"));
    let index = &subject.index;
    index.build(&two).await?;
    index.switch(&two).await?;
    subject.apply(&[put(titled("b", "loft"), 1)]).await?;
    subject.finds(&text("loft"), &["b"]).await?;
    index.roll_back(&one).await?;
    subject.backend.refresh(index).await;
    subject.finds_all(&text("loft"), &["a", "b"]).await?;
    let expected = Generations { live: Some(one.clone()), building: None, previous: Some(two.clone()) };
    ensure!(index.generations().await? == expected, "one is live again");
    index.roll_back(&one).await?;
    ensure!(index.generations().await? == expected, "a repeated step changes nothing");
    // And forth again.
    index.roll_back(&two).await?;
    subject.backend.refresh(index).await;
    subject.finds(&text("loft"), &["b"]).await
}

async fn a_generation_is_discarded_unless_it_is_live<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [titled("a", "loft")]).await?;
    let (one, two) = (generation("one"), generation("two"));
    let index = &subject.index;
    index.build(&two).await?;
    subject.apply(&[put(titled("b", "loft"), 1)]).await?;
    index.discard(&two).await?;
    index.discard(&two).await?;
    index.discard(&one).await?;
    let expected = Generations { live: Some(one), ..Generations::default() };
    ensure!(index.generations().await? == expected, "the live one alone is left");
    subject.finds_all(&text("loft"), &["a", "b"]).await?;
    // A name may be used again, and nothing is left of what it named.
    index.build(&two).await?;
    let held = index.held(&two, &[id("b")]).await?;
    ensure!(held == [None], "{held:?}");
    Ok(())
}

async fn steps_of_a_rebuild_may_be_repeated<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [titled("a", "loft")]).await?;
    let (one, two) = (generation("one"), generation("two"));
    let index = &subject.index;
    index.prepare(&one).await?;
    index.prepare(&one).await?;
    subject.finds(&text("loft"), &["a"]).await?;
    index.build(&two).await?;
    index.apply_to(&two, &[put(titled("a", "loft"), 1)]).await?;
    // Repeated, it is not made anew.
    index.build(&two).await?;
    let held = index.held(&two, &[id("a")]).await?;
    ensure!(held.first().is_some_and(Option::is_some), "what was built is kept");
    index.switch(&two).await?;
    index.switch(&two).await?;
    let expected = Generations { live: Some(two.clone()), building: None, previous: Some(one) };
    ensure!(index.generations().await? == expected, "it was switched once");
    // Late steps of a rebuild that is over do not empty what is live.
    index.build(&two).await?;
    index.prepare(&generation("three")).await?;
    ensure!(index.generations().await? == expected, "nothing has changed");
    subject.backend.refresh(index).await;
    subject.finds(&text("loft"), &["a"]).await?;
    // Another one takes the place of the one that is built.
    index.build(&generation("three")).await?;
    index.build(&generation("four")).await?;
    ensure!(index.generations().await?.building == Some(generation("four")), "the last one is built");
    Ok(())
}

async fn a_generation_that_is_not_known_is_missing<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [document("a")]).await?;
    let (index, other) = (&subject.index, generation("other"));
    ensure!(matches!(index.switch(&other).await, Err(IndexError::Missing)), "it cannot be switched to");
    ensure!(matches!(index.roll_back(&other).await, Err(IndexError::Missing)), "it cannot be rolled back to");
    ensure!(
        matches!(index.apply_to(&other, &[gone("a", 9)]).await, Err(IndexError::Missing)),
        "nor written to"
    );
    ensure!(matches!(index.held(&other, &[id("a")]).await, Err(IndexError::Missing)), "nor asked");
    ensure!(matches!(index.scan(&other, None, 1).await, Err(IndexError::Missing)), "nor listed");
    ensure!(index.discard(&other).await.is_ok(), "it is gone already");
    Ok(())
}

async fn held_versions_are_told<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [document("a")]).await?;
    let great = 1 << 40;
    subject.apply(&[gone("b", great), put(document("a"), 3)]).await?;
    let held = subject.index.held(&generation("one"), &[id("b"), id("none"), id("a"), id("a")]).await?;
    let held: Vec<Option<(u64, bool)>> =
        held.into_iter().map(|held| held.map(|held| (held.version.get(), held.visible))).collect();
    ensure!(held == [Some((great, false)), None, Some((3, true)), Some((3, true))], "{held:?}");
    ensure!(subject.index.held(&generation("one"), &[]).await?.is_empty(), "nothing of nothing");
    Ok(())
}

async fn a_scan_lists_all_in_the_order_of_ids<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, various(23)).await?;
    subject.apply(&[gone("h-003", 2), put(titled("h-004", "x"), 5), gone("z", 1)]).await?;
    let one = generation("one");
    let mut listed: Vec<(String, u64, bool)> = Vec::new();
    let mut after = None;
    for _ in 0..20 {
        let some = subject.index.scan(&one, after.as_ref(), 5).await?;
        ensure!(some.len() <= 5, "no more than asked for");
        after = some.last().map(|(id, _)| id.clone());
        listed.extend(some.into_iter().map(|(id, held)| (id.to_string(), held.version.get(), held.visible)));
        if after.is_none() {
            break;
        }
    }
    let mut expected: Vec<(String, u64, bool)> = (0..23)
        .map(|number| match number {
            3 => ("h-003".to_owned(), 2, false),
            4 => ("h-004".to_owned(), 5, true),
            _ => (format!("h-{number:03}"), 1, true),
        })
        .collect();
    expected.push(("z".to_owned(), 1, false));
    ensure!(listed == expected, "{listed:?}");
    let middle = subject.index.scan(&one, Some(&id("h-0205")), 1).await?;
    ensure!(middle.first().is_some_and(|(found, _)| *found == id("h-021")), "behind one that is not there");
    Ok(())
}

async fn what_is_gone_is_forgotten_unless_it_came_back<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [document("visible")]).await?;
    subject.apply(&[gone("old", 2), gone("newer", 5)]).await?;
    let one = generation("one");
    let at_version = |name: &str, version| (id(name), Version::from_stored(version));
    let all = [at_version("old", 2), at_version("newer", 4), at_version("visible", 9), at_version("none", 1)];
    subject.index.forget(&one, &all).await?;
    subject.backend.refresh(&subject.index).await;
    let held = subject.index.held(&one, &[id("old"), id("newer"), id("visible")]).await?;
    let there: Vec<bool> = held.iter().map(Option::is_some).collect();
    ensure!(there == [false, true, true], "{held:?}");
    let listed = subject.index.scan(&one, None, 10).await?;
    ensure!(listed.len() == 2, "{listed:?}");
    subject.index.forget(&one, &all).await?;
    Ok(())
}

async fn titles_go_on_from_what_was_typed<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let good = |name: &str, title: &str, count| Document {
        rating: Rating { hundredths: 490, count },
        ..titled(name, title)
    };
    let subject = Subject::with(
        backend,
        [
            good("b", "三里屯阳光大床房", 10),
            good("a", "三里屯公寓", 100),
            good("c", "三元桥的家", 1),
            good("d", "五道口", 50),
        ],
    )
    .await?;
    for (typed, expected) in [
        ("三", vec!["a", "b", "c"]),
        ("三里", vec!["a", "b"]),
        ("sanli", vec!["a", "b"]),
        ("slt", vec!["a", "b"]),
        ("三里屯阳", vec!["b"]),
        ("wudao", vec!["d"]),
        ("王府井", vec![]),
        ("", vec![]),
        ("\"*\u{0}", vec![]),
    ] {
        let found = subject.index.titles(&Prefix::parse(typed), 5).await?;
        let names: Vec<&str> = found.iter().map(|found| found.id.as_str()).collect();
        ensure!(names == expected, "{typed:?} is completed to {found:?}, not {expected:?}");
    }
    let found = subject.index.titles(&Prefix::parse("三"), 1).await?;
    ensure!(found.len() == 1 && found.iter().all(|found| found.title == "三里屯公寓"), "{found:?}");
    subject.apply(&[gone("a", 2), put(titled("b", "国贸"), 2)]).await?;
    let found = subject.index.titles(&Prefix::parse("三里"), 5).await?;
    ensure!(found.is_empty(), "what is gone or renamed is not proposed: {found:?}");
    Ok(())
}

async fn words_are_counted<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(
        backend,
        [
            titled("a", "loft studio"),
            titled("b", "loft"),
            Document { info: "garden".to_owned(), ..titled("c", "loft") },
        ],
    )
    .await?;
    let words = subject.index.words(100).await?;
    let count = |word: &str| words.iter().find(|(known, _)| known == word).map_or(0, |(_, count)| *count);
    ensure!(count("loft") == 3 && count("studio") == 1, "words of titles: {words:?}");
    ensure!(count("北京") == 3, "words of facts: {words:?}");
    ensure!(count("garden") == 0, "words of descriptions are not asked for: {words:?}");
    ensure!(words.is_sorted_by(|a, b| a.1 >= b.1), "most first: {words:?}");
    let few = subject.index.words(2).await?;
    ensure!(few.len() == 2 && few.iter().all(|(_, count)| *count == 3), "{few:?}");
    Ok(())
}

async fn whatever_is_typed_is_no_syntax<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, [titled("a", "loft"), document("b")]).await?;
    let long = "长".repeat(10_000);
    let words = "word ".repeat(2_000);
    for typed in [
        "\" OR 1=1 --",
        "title:*",
        "{\"match_all\":{}}",
        "*",
        "?",
        "loft~2 AND +(",
        "/.*/",
        "[a TO z]",
        "\\",
        "\u{0}",
        "a\u{0}b",
        "😀🏠",
        "\u{202e}\u{feff}",
        "_id:a",
        "🈳",
        &long,
        &words,
    ] {
        for matching in [Match::All, Match::Most, Match::Any] {
            let query = IndexQuery { matching, ..text(typed) };
            let found = subject.find(&query).await.with_context(|| format!("{typed:.40?}"))?;
            // What holds no word asks for nothing and finds all; a word that none has finds none.
            ensure!(query.text.is_empty() || found.total <= 2, "{typed:.40?}");
        }
        // As terms, without analysis: they are looked up as they are.
        for kind in [
            TermKind::Word,
            TermKind::WordPrefix,
            TermKind::Pinyin,
            TermKind::PinyinPrefix,
            TermKind::Initials,
        ] {
            let query = clauses([clause([term(kind, typed)], 1.0)]);
            let found = subject.find(&query).await.with_context(|| format!("{kind:?} {typed:.40?}"))?;
            ensure!(found.total == 0, "{kind:?} {typed:.40?} finds {:?}", ids(&found));
        }
        let place =
            Filters { city: Some(typed.to_owned()), district: Some(typed.to_owned()), ..Filters::default() };
        subject.finds(&filtered(place), &[]).await?;
        subject.index.titles(&Prefix::parse(typed), 5).await.with_context(|| format!("{typed:.40?}"))?;
    }
    subject.finds(&text("loft"), &["a"]).await
}

async fn an_empty_index_finds_nothing<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let subject = Subject::with(backend, []).await?;
    for sort in Sort::ALL {
        let query = IndexQuery { sort, facets: true, ..near(at(39.9, 116.4), Some(1_000.0)) };
        let found = subject.find(&query).await?;
        ensure!(found.total == 0 && found.hits.is_empty(), "{found:?}");
        let facets = found.facets.context("facets were asked for")?;
        ensure!(facets.cities.is_empty() && facets.prices.len() == PRICE_STEPS.len(), "{facets:?}");
        let position = Position { key: 1.0, id: id("a"), snapshot: None };
        let found = subject.find(&IndexQuery { start: Start::After(position), ..query }).await?;
        ensure!(found.hits.is_empty(), "{found:?}");
    }
    subject.finds(&text("三里屯 loft slt"), &[]).await?;
    ensure!(subject.index.titles(&Prefix::parse("三"), 5).await?.is_empty(), "no titles");
    ensure!(subject.index.words(5).await?.is_empty(), "no words");
    ensure!(subject.index.scan(&generation("one"), None, 5).await?.is_empty(), "no homestays");
    Ok(())
}

async fn without_a_live_generation_everything_is_missing<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let index = backend.fresh().await;
    ensure!(index.generations().await? == Generations::default(), "there is none");
    ensure!(matches!(index.search(&everything()).await, Err(IndexError::Missing)), "nothing is searched");
    ensure!(matches!(index.titles(&Prefix::parse("三"), 5).await, Err(IndexError::Missing)), "no titles");
    ensure!(matches!(index.words(5).await, Err(IndexError::Missing)), "no words");
    ensure!(
        matches!(index.apply(&[put(document("a"), 1)]).await, Err(IndexError::Missing)),
        "nothing is written"
    );
    ensure!(
        matches!(index.held(&generation("one"), &[id("a")]).await, Err(IndexError::Missing)),
        "nothing is held"
    );
    ensure!(
        matches!(index.switch(&generation("one")).await, Err(IndexError::Missing)),
        "nothing to switch to"
    );
    index.prepare(&generation("one")).await?;
    ensure!(index.search(&everything()).await?.total == 0, "now there is one");
    Ok(())
}

async fn what_was_applied_survives_the_process<B: Backend>(backend: &B) -> anyhow::Result<()> {
    let Subject { index, .. } = Subject::with(backend, [titled("a", "loft")]).await?;
    index.apply(&[put(titled("b", "loft"), 1), gone("c", 4)]).await?;
    let index = backend.reopen(index).await;
    backend.refresh(&index).await;
    let subject = Subject { backend, index };
    subject.finds_all(&text("loft"), &["a", "b"]).await?;
    let held = subject.index.held(&generation("one"), &[id("c")]).await?;
    ensure!(held == [Some(Held { version: Version::from_stored(4), visible: false })], "{held:?}");
    let now: Timestamp = NOW;
    ensure!(subject.find(&IndexQuery { now, ..everything() }).await?.total == 2, "both are there");
    Ok(())
}
