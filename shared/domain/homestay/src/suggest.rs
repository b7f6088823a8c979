use std::collections::{HashMap, HashSet};
use std::ops::Range;

use domain_coupon::{StoreError, Violation, Violations};
use domain_ids::HomestayId;
use domain_text::{Completer, Completion, CompletionKind, Part, Prefix, TextQuery};
use futures_util::future::join;
use jiff::{SignedDuration, Timestamp};

use crate::{
    Filters, IndexError, IndexQuery, MAX_SEARCH_CHARS, Match, Ranking, SearchIndex, Sort, Start, TitleFound,
    remembered::Remembered,
};

/// Proposals at once: more than that nobody reads while typing.
pub const MAX_SUGGESTIONS: u16 = 20;

/// Popular queries that are remembered.
pub const MAX_POPULAR: usize = 100;

/// How long popular queries are used: they are counted by the hour.
const POPULAR_FRESH_FOR: SignedDuration = SignedDuration::from_mins(1);

/// How long places are used: a city comes with its first homestay, not by the minute.
const PLACES_FRESH_FOR: SignedDuration = SignedDuration::from_mins(10);

/// How long after a failure neither is read again.
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// Words of the index among which places are looked up.
const PLACE_WORDS: usize = 50_000;

/// What many have searched for of late.
pub trait PopularQueries: Sync {
    /// Up to `limit` of them, the most popular first.
    fn popular(&self, limit: usize) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;
}

/// Completes what somebody is typing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestHomestays {
    typed: String,
    limit: usize,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// What it is completed to.
    pub text: String,
    /// What it is.
    pub kind: CompletionKind,
    /// Which homestay, if it is the title of one.
    pub homestay: Option<HomestayId>,
    /// The text in pieces, what was typed marked.
    pub parts: Vec<Part>,
}

/// What was found to propose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestions {
    /// The proposals: places, queries, titles, in this order, the best of each first.
    pub items: Vec<Suggestion>,
    /// Whether nothing was missing that could not be read.
    pub is_complete: bool,
}

/// What an execution environment remembers of places and popular queries.
#[derive(Debug)]
pub struct SuggestMemory {
    places: Remembered<Completer>,
    popular: Remembered<Popular>,
}

#[derive(Debug)]
struct Popular {
    /// The most popular first.
    queries: Vec<String>,
    completer: Completer,
}

impl Default for SuggestMemory {
    fn default() -> Self {
        Self {
            places: Remembered::new(PLACES_FRESH_FOR, RETRY_AFTER),
            popular: Remembered::new(POPULAR_FRESH_FOR, RETRY_AFTER),
        }
    }
}

impl SuggestHomestays {
    /// Checks what a caller asks for.
    pub fn new(typed: &str, limit: u16) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        let short = typed.chars().count() <= MAX_SEARCH_CHARS;
        wrong.check(short, Violation::new("q", "must be at most 200 characters"));
        wrong.check((1..=MAX_SUGGESTIONS).contains(&limit), Violation::new("limit", "must be 1 to 20"));
        wrong.into_result()?;
        Ok(Self { typed: typed.trim().to_owned(), limit: limit.into() })
    }
}

impl SuggestMemory {
    /// Reads what is not known yet or too old, so that the next [`suggest`] finds it.
    pub async fn refresh(&self, index: &impl SearchIndex, popular: &impl PopularQueries, now: Timestamp) {
        join(self.places.get(now, places(index, now)), self.popular.get(now, queries(popular))).await;
    }
}

/// Completes what `command` says: to places where there are homestays, to popular queries, to titles. Without anything typed, to
/// the popular queries.
///
/// What cannot be read is left out. An error only if nothing is left.
pub async fn suggest<I: SearchIndex, P: PopularQueries>(
    index: &I,
    popular: &P,
    memory: &SuggestMemory,
    command: &SuggestHomestays,
    now: Timestamp,
) -> Result<Suggestions, IndexError> {
    let read_popular = memory.popular.get(now, queries(popular));
    if command.typed.is_empty() {
        let known = read_popular.await;
        let queries = known.iter().flat_map(|known| &known.queries).take(command.limit);
        let items =
            queries.map(|text| proposal(text, CompletionKind::Query, None, &Prefix::default())).collect();
        return Ok(Suggestions { items, is_complete: known.is_some() });
    }
    let prefix = Prefix::parse(&command.typed);
    if prefix.keys().is_empty() {
        return Ok(Suggestions { items: Vec::new(), is_complete: true });
    }
    let read_places = memory.places.get(now, places(index, now));
    let known = join(read_places, read_popular);
    let ((places, popular), titles) = join(known, index.titles(&prefix, command.limit)).await;
    let mut is_complete = places.is_some() && popular.is_some();
    let (titles, failure) = match titles {
        Ok(titles) => (titles, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    is_complete &= failure.is_none();
    let places = places.iter().flat_map(|places| places.complete(&prefix, command.limit));
    let queries = popular.iter().flat_map(|known| known.completer.complete(&prefix, command.limit));
    let items = merge(places, queries, &titles, &prefix, command.limit);
    match failure {
        Some(error) if items.is_empty() => Err(error),
        Some(_) | None => Ok(Suggestions { items, is_complete }),
    }
}

/// Places first: they narrow down most. Then what others have looked for, then single homestays. Three of ten are places at
/// least and three queries, if there are as many; what one kind does not need the next one gets.
fn merge<'a>(
    places: impl Iterator<Item = &'a Completion>,
    queries: impl Iterator<Item = &'a Completion>,
    titles: &[TitleFound],
    prefix: &Prefix,
    limit: usize,
) -> Vec<Suggestion> {
    let mut seen = HashSet::new();
    let mut distinct = |text: &str| seen.insert(same(text));
    let places: Vec<&str> = places.map(|place| place.text.as_str()).filter(|text| distinct(text)).collect();
    let queries: Vec<&str> = queries.map(|query| query.text.as_str()).filter(|text| distinct(text)).collect();
    let titles: Vec<&TitleFound> = titles.iter().filter(|title| distinct(&title.title)).collect();
    let [places_taken, queries_taken, titles_taken] =
        share(limit, [places.len(), queries.len(), titles.len()]);
    let places = places.into_iter().take(places_taken).map(|text| (text, CompletionKind::Place, None));
    let queries = queries.into_iter().take(queries_taken).map(|text| (text, CompletionKind::Query, None));
    let titles = titles
        .into_iter()
        .take(titles_taken)
        .map(|title| (title.title.as_str(), CompletionKind::Title, Some(&title.id)));
    let chosen = places.chain(queries).chain(titles);
    chosen.map(|(text, kind, homestay)| proposal(text, kind, homestay.cloned(), prefix)).collect()
}

/// How many of each kind `limit` has room for.
fn share(limit: usize, offered: [usize; 3]) -> [usize; 3] {
    let third = (limit * 3).div_ceil(10);
    let mut left = limit;
    let mut taken = [third, third, limit].map(|quota| (quota, 0));
    for ((quota, taken), offered) in taken.iter_mut().zip(offered) {
        *taken = offered.min(*quota).min(left);
        left -= *taken;
    }
    for ((_, taken), offered) in taken.iter_mut().zip(offered) {
        let more = (offered - *taken).min(left);
        *taken += more;
        left -= more;
    }
    taken.map(|(_, taken)| taken)
}

/// What two proposals have in common that read as one.
fn same(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).flat_map(char::to_lowercase).collect()
}

fn proposal(text: &str, kind: CompletionKind, homestay: Option<HomestayId>, prefix: &Prefix) -> Suggestion {
    Suggestion { text: text.to_owned(), kind, homestay, parts: parts(prefix, text) }
}

/// `text` in pieces, the one marked that stands for what was typed.
fn parts(prefix: &Prefix, text: &str) -> Vec<Part> {
    let Range { start, end } = prefix.stretch(text).unwrap_or_default();
    let pieces = [(0, start, false), (start, end, true), (end, text.len(), false)];
    let pieces = pieces.into_iter().filter_map(|(from, to, matched)| Some((text.get(from..to)?, matched)));
    pieces
        .filter(|(piece, _)| !piece.is_empty())
        .map(|(piece, matched)| Part { text: piece.to_owned(), matched })
        .collect()
}

async fn queries(popular: &impl PopularQueries) -> Result<Popular, StoreError> {
    let mut queries = popular.popular(MAX_POPULAR).await?;
    queries.truncate(MAX_POPULAR);
    let completions = (0_u32..).zip(&queries).map(|(rank, query)| Completion {
        text: query.clone(),
        kind: CompletionKind::Query,
        weight: u32::MAX - rank,
    });
    Ok(Popular { completer: Completer::new(completions.collect()), queries })
}

/// Cities and districts of the index, and places of the gazetteer that its homestays speak of; each counts as much as there are
/// homestays.
async fn places(index: &impl SearchIndex, now: Timestamp) -> Result<Completer, IndexError> {
    let everything = IndexQuery {
        text: TextQuery::default(),
        matching: Match::All,
        filters: Filters::default(),
        near: None,
        sort: Sort::Newest,
        ranking: Ranking::default(),
        start: Start::Offset(0),
        limit: 1,
        facets: true,
        now,
    };
    let (found, words) = join(index.search(&everything), index.words(PLACE_WORDS)).await;
    let facets = found?.facets.unwrap_or_default();
    let place = |text: &str, weight: u64| Completion {
        text: text.to_owned(),
        kind: CompletionKind::Place,
        weight: u32::try_from(weight).unwrap_or(u32::MAX),
    };
    let named = facets.cities.iter().chain(&facets.districts).filter(|(name, _)| !name.is_empty());
    let mut completions: Vec<Completion> = named.map(|(name, count)| place(name, *count)).collect();
    // Without the words, the cities and districts are better than nothing.
    let words: HashMap<String, u32> = words.unwrap_or_default().into_iter().collect();
    let spoken_of =
        domain_text::places().filter_map(|(name, _)| Some(place(name, u64::from(*words.get(name)?))));
    completions.extend(spoken_of);
    Ok(Completer::new(completions))
}
