use std::sync::Arc;

use domain_coupon::{Violation, Violations};
use domain_text::{Analyzer, Highlighter, Part, Speller, TextQuery};
use jiff::{
    SignedDuration, Timestamp,
    civil::Date,
    tz::{Offset, TimeZone},
};
use sha2::{Digest, Sha256};

use crate::{
    Document, Facets, Filters, GeoPoint, Hit, IndexError, IndexQuery, MAX_LIMIT, MAX_OFFSET, Match, Near,
    Position, SearchIndex, SearchRules, Sort, Start, homestay::limits, remembered::Remembered,
};

/// Characters of a keyword. Its analysis looks at fewer still ([`domain_text::MAX_KEYWORD_CHARS`]): a longer one is no wish
/// for a homestay.
pub const MAX_SEARCH_CHARS: usize = 200;

/// Metres around a point: further away is another trip.
pub const MAX_RADIUS_M: f64 = 200_000.0;

/// Nights of a stay.
pub const MAX_NIGHTS: i32 = 60;

/// Queries that one search puts to an index at most.
pub const MAX_CALLS: u8 = 4;

/// Hits with which a search is content. Fewer do not fill a screen, and something that says the same in other words, or has
/// most of it, is worth a second query.
const ENOUGH: u64 = 5;

/// How many times as many homestays a correction must find to be taken for what was meant, where what was typed finds some.
const CORRECTION_FINDS: u64 = 10;

/// Words that a spelling is compared with: all of a market, and the tail of its typing errors is left out.
const VOCABULARY_WORDS: usize = 50_000;

/// How long the vocabulary is used. A word that is new meanwhile is found; it is only not proposed.
const VOCABULARY_FRESH_FOR: SignedDuration = SignedDuration::from_mins(10);

/// How long after a failure to read it the index is not asked again.
const VOCABULARY_RETRY_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// Characters of the description that are shown around what was asked for.
const EXCERPT_CHARS: usize = 120;

/// What a caller asks for, each field well-formed by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRequest {
    /// What was typed.
    pub keyword: String,
    /// Whether another spelling may be searched for in its place. If not, it is only proposed.
    pub autocorrect: bool,
    /// What else.
    pub filters: Filters,
    /// Where.
    pub point: Option<GeoPoint>,
    /// How far around it, in metres.
    pub radius_m: Option<f64>,
    /// The day of arrival.
    pub check_in: Option<Date>,
    /// The day of departure.
    pub check_out: Option<Date>,
    /// In which order.
    pub sort: Sort,
    /// From where on.
    pub page: Page,
    /// How many.
    pub page_size: u16,
    /// Whether to count facets; unless said, on the first page.
    pub facets: Option<bool>,
}

/// Which page of what is found.
#[derive(Debug, Clone, PartialEq)]
pub enum Page {
    /// By number, from 1.
    Number(u32),
    /// What follows a page.
    After(Continuation),
}

/// Where a page of a search ended, and how the search had been understood until there: it is not decided anew, or pages
/// would not be of one list.
#[derive(Debug, Clone, PartialEq)]
pub struct Continuation {
    /// The last hit.
    pub position: Position,
    /// How much of the keyword is asked for.
    pub matching: Match,
    /// The keyword that is searched for in place of the one typed.
    pub corrected: Option<String>,
    /// What counted as new.
    pub as_of: Timestamp,
    /// Of which search; see [`FindHomestays::fingerprint`].
    pub of: u64,
}

/// Finds homestays.
#[derive(Debug, Clone, PartialEq)]
pub struct FindHomestays {
    keyword: String,
    autocorrect: bool,
    filters: Filters,
    near: Option<Near>,
    stay: Option<Stay>,
    sort: Sort,
    page: Page,
    page_size: u16,
    facets: bool,
}

/// The nights that a guest wants to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// The day of arrival.
    pub check_in: Date,
    /// The day of departure.
    pub check_out: Date,
}

/// A search that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSearch {
    /// Parameters that are not valid, alone or together.
    #[error(transparent)]
    Fields(#[from] Violations),
    /// It goes on with another search than the one it repeats.
    #[error("the continuation is that of another search")]
    Foreign,
}

impl FindHomestays {
    /// Checks what a caller asks for at `now`.
    pub fn new(request: SearchRequest, now: Timestamp) -> Result<Self, InvalidSearch> {
        let mut wrong = Violations::default();
        let keyword_chars = request.keyword.chars().count();
        wrong.check(
            keyword_chars <= MAX_SEARCH_CHARS,
            Violation::new("keyword", "must be at most 200 characters"),
        );
        check_filters(&request.filters, &mut wrong);
        check_place(&request, &mut wrong);
        let stay = check_stay(&request, now, &mut wrong);
        let page_size = request.page_size;
        wrong.check((1..=MAX_LIMIT).contains(&page_size), Violation::new("pageSize", "must be 1 to 100"));
        if let Page::Number(number) = request.page {
            wrong.check(number >= 1, Violation::new("page", "must be 1 or more"));
            let skipped = u64::from(number.saturating_sub(1)) * u64::from(page_size);
            let reachable = skipped <= u64::from(MAX_OFFSET);
            wrong.check(
                reachable,
                Violation::new("page", "must skip at most 9900 homestays: go on with nextCursor"),
            );
        }
        wrong.into_result()?;
        let is_first = request.page == Page::Number(1);
        let command = Self {
            near: request.point.map(|point| Near { point, radius_m: request.radius_m }),
            keyword: request.keyword,
            autocorrect: request.autocorrect,
            filters: request.filters,
            stay,
            sort: request.sort,
            page: request.page,
            page_size,
            facets: request.facets.unwrap_or(is_first),
        };
        match &command.page {
            Page::After(continuation) if continuation.of != command.fingerprint() => {
                Err(InvalidSearch::Foreign)
            }
            Page::After(_) | Page::Number(_) => Ok(command),
        }
    }

    /// What was typed.
    pub fn keyword(&self) -> &str {
        &self.keyword
    }

    /// Where the guest wants to be.
    pub fn near(&self) -> Option<&Near> {
        self.near.as_ref()
    }

    /// Which nights.
    pub fn stay(&self) -> Option<Stay> {
        self.stay
    }

    /// In which order.
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// Which page.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// How many hits a page has.
    pub fn page_size(&self) -> u16 {
        self.page_size
    }

    /// Whether it asks for the beginning: what a guest sees first, and what counts as a search.
    pub fn is_first_page(&self) -> bool {
        self.page == Page::Number(1)
    }

    /// Tells this search from others, whichever page it asks for: a continuation of one is none of another. No secret, and
    /// not for storage: it may change with a new version.
    pub fn fingerprint(&self) -> u64 {
        let parts =
            format!("{:?}", (&self.keyword, &self.autocorrect, &self.filters, &self.near, &self.sort));
        let digest = Sha256::digest(parts);
        digest.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
    }
}

fn check_filters(filters: &Filters, wrong: &mut Violations) {
    let ordered = |min: Option<u64>, max: Option<u64>| min.zip(max).is_none_or(|(min, max)| min <= max);
    let fen = |price: Option<domain_money::Fen>| price.map(domain_money::Fen::get);
    wrong.check(
        fen(filters.min_price).is_none_or(|price| price <= limits::PRICE_FEN),
        Violation::new("minPriceFen", "must be at most 100000000"),
    );
    wrong.check(
        fen(filters.max_price).is_none_or(|price| price <= limits::PRICE_FEN),
        Violation::new("maxPriceFen", "must be at most 100000000"),
    );
    wrong.check(
        ordered(fen(filters.min_price), fen(filters.max_price)),
        Violation::new("maxPriceFen", "must be at least minPriceFen"),
    );
    let rating =
        |rating: Option<u16>| rating.is_none_or(|hundredths| hundredths <= limits::RATING_HUNDREDTHS);
    wrong.check(rating(filters.min_rating), Violation::new("minRating", "must be 0 to 5"));
    wrong.check(rating(filters.max_rating), Violation::new("maxRating", "must be 0 to 5"));
    wrong.check(
        ordered(filters.min_rating.map(u64::from), filters.max_rating.map(u64::from)),
        Violation::new("maxRating", "must be at least minRating"),
    );
    let place = |place: &Option<String>| {
        place.as_ref().is_none_or(|name| (1..=limits::PLACE_CHARS).contains(&name.chars().count()))
    };
    wrong.check(place(&filters.city), Violation::new("city", "must be 1 to 40 characters"));
    wrong.check(place(&filters.district), Violation::new("district", "must be 1 to 40 characters"));
    let capacity = filters.capacity.is_none_or(|guests| (1..=limits::CAPACITY).contains(&guests));
    wrong.check(capacity, Violation::new("capacity", "must be 1 to 50"));
}

fn check_place(request: &SearchRequest, wrong: &mut Violations) {
    if let Some(radius_m) = request.radius_m {
        let sensible = radius_m > 0.0 && radius_m <= MAX_RADIUS_M;
        wrong.check(sensible, Violation::new("radiusKm", "must be more than 0 and at most 200"));
        wrong.check(request.point.is_some(), Violation::new("radiusKm", "must come with lat and lon"));
    }
    wrong.check(
        request.sort != Sort::Distance || request.point.is_some(),
        Violation::new("sort", "must come with lat and lon to be distance"),
    );
}

/// Days are those of Asia/Shanghai, where the homestays are.
fn check_stay(request: &SearchRequest, now: Timestamp, wrong: &mut Violations) -> Option<Stay> {
    let today = now.to_zoned(TimeZone::fixed(Offset::constant(8))).date();
    match (request.check_in, request.check_out) {
        (None, None) => None,
        (Some(_), None) => {
            wrong.check(false, Violation::new("checkOut", "must come with checkIn"));
            None
        }
        (None, Some(_)) => {
            wrong.check(false, Violation::new("checkIn", "must come with checkOut"));
            None
        }
        (Some(check_in), Some(check_out)) => {
            wrong.check(check_in >= today, Violation::new("checkIn", "must not be in the past"));
            let nights = (check_out - check_in).get_days();
            wrong.check(nights >= 1, Violation::new("checkOut", "must be after checkIn"));
            wrong.check(
                nights <= MAX_NIGHTS,
                Violation::new("checkOut", "must be at most 60 nights after checkIn"),
            );
            Some(Stay { check_in, check_out })
        }
    }
}

/// What [`find`] works with.
#[derive(Debug)]
pub struct Finder<'a, I> {
    /// Where homestays are found.
    pub index: &'a I,
    /// Takes keywords apart.
    pub analyzer: &'a Analyzer,
    /// The words of the index.
    pub vocabulary: &'a Vocabulary,
    /// What operators have set.
    pub rules: &'a SearchRules,
}

/// What was found, and how the search was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundHomestays {
    /// What was searched for in the end.
    pub keyword: String,
    /// What was typed, if [`keyword`](Self::keyword) is something else, which finds so much more that it was probably meant.
    pub corrected_from: Option<String>,
    /// A spelling that finds more.
    pub did_you_mean: Option<String>,
    /// How much of the keyword each has.
    pub matching: Match,
    /// The keyword as it was understood.
    pub query: TextQuery,
    /// What counted as new.
    pub as_of: Timestamp,
    /// How many there are in all.
    pub total: u64,
    /// Those of this page.
    pub hits: Vec<Hit>,
    /// Counts, if they were asked for.
    pub facets: Option<Facets>,
    /// Where the next page begins, if there may be one.
    pub next: Option<Continuation>,
    /// Queries that it took.
    pub calls: u8,
}

/// What of a homestay was asked for, marked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Highlights {
    /// The title, if any of it was.
    pub title: Option<Vec<Part>>,
    /// A stretch of the description, if any of it was.
    pub info: Option<Vec<Part>>,
}

impl Highlights {
    /// What of `document` the query asks for that `highlighter` is of.
    pub fn of(highlighter: &Highlighter<'_>, document: &Document) -> Self {
        Self {
            title: highlighter.highlight(&document.title, limits::TITLE_CHARS),
            info: highlighter.highlight(&document.info, EXCERPT_CHARS),
        }
    }
}

/// Finds what `command` asks for.
///
/// First what has all of the keyword. What is ordered by relevance and finds fewer than five asks for another spelling of all of
/// it, which is taken if it finds ten times as many and the guest does not insist on the one typed; else for most of it, and if
/// nothing has even that, for any of it. What guests have ordered by something else (price, distance) is loosened only if nothing
/// is found, since the least relevant could come first there. At most [`MAX_CALLS`] queries, and once in ten minutes the words of
/// the index.
///
/// How far it is loosened depends on how many there are, not on the page, so that all pages of a search are of one list; a
/// continuation says how far the page before was.
pub async fn find<I: SearchIndex>(
    finder: &Finder<'_, I>,
    command: &FindHomestays,
    now: Timestamp,
) -> Result<FoundHomestays, IndexError> {
    let mut search = Search { finder, command, as_of: to_hour(now), calls: 0 };
    match &command.page {
        Page::Number(number) => {
            let skipped = number.saturating_sub(1).saturating_mul(u32::from(command.page_size));
            search.decide(Start::Offset(skipped), now).await
        }
        Page::After(continuation) => {
            search.as_of = continuation.as_of;
            let keyword = continuation.corrected.as_ref().unwrap_or(&command.keyword);
            let start = Start::After(continuation.position.clone());
            let found = search.ask(keyword, continuation.matching, &start).await?;
            let corrected_from = continuation.corrected.as_ref().map(|_| command.keyword.clone());
            Ok(search.found(Attempt { corrected_from, ..found }, None))
        }
    }
}

/// A search under way.
struct Search<'a, I> {
    finder: &'a Finder<'a, I>,
    command: &'a FindHomestays,
    as_of: Timestamp,
    calls: u8,
}

/// What one query found.
struct Attempt {
    keyword: String,
    corrected_from: Option<String>,
    text: TextQuery,
    matching: Match,
    found: crate::Found,
}

impl<I: SearchIndex> Search<'_, I> {
    async fn decide(mut self, start: Start, now: Timestamp) -> Result<FoundHomestays, IndexError> {
        let typed = &self.command.keyword;
        let all = self.ask(typed, Match::All, &start).await?;
        if all.found.total >= self.enough() || all.text.is_empty() {
            return Ok(self.found(all, None));
        }
        let mut proposal = None;
        if let Some(correction) = self.correction(typed, now).await {
            let corrected = self.ask(&correction, Match::All, &start).await?;
            let is_meant = corrected.found.total >= all.found.total.saturating_mul(CORRECTION_FINDS).max(1);
            if is_meant && self.command.autocorrect {
                let corrected_from = Some(typed.clone());
                return Ok(self.found(Attempt { corrected_from, ..corrected }, None));
            }
            proposal = (corrected.found.total > all.found.total).then_some(correction);
        }
        let most = self.looser(&all, Match::Most, &start).await?;
        let best = most.filter(|most| most.found.total > all.found.total).unwrap_or(all);
        if best.found.total > 0 {
            return Ok(self.found(best, proposal));
        }
        let any = self.looser(&best, Match::Any, &start).await?;
        Ok(self.found(any.unwrap_or(best), proposal))
    }

    fn enough(&self) -> u64 {
        if self.command.sort == Sort::Composite { ENOUGH } else { 1 }
    }

    /// The same keyword, but less of it, unless that asks for as much as `before`.
    async fn looser(
        &mut self,
        before: &Attempt,
        matching: Match,
        start: &Start,
    ) -> Result<Option<Attempt>, IndexError> {
        let clauses = counted_clauses(&before.text);
        if matching.at_least(clauses) >= before.matching.at_least(clauses) {
            return Ok(None);
        }
        self.ask(&before.keyword, matching, start).await.map(Some)
    }

    async fn ask(&mut self, keyword: &str, matching: Match, start: &Start) -> Result<Attempt, IndexError> {
        let query = self.query(keyword, matching, start.clone());
        self.calls += 1;
        let found = self.finder.index.search(&query).await?;
        Ok(Attempt { keyword: keyword.to_owned(), corrected_from: None, text: query.text, matching, found })
    }

    fn query(&self, keyword: &str, matching: Match, start: Start) -> IndexQuery {
        let Finder { analyzer, rules, .. } = self.finder;
        IndexQuery {
            text: analyzer.query(keyword, &rules.synonyms),
            matching,
            filters: self.command.filters.clone(),
            near: self.command.near,
            sort: self.command.sort,
            ranking: rules.ranking,
            start,
            limit: self.command.page_size,
            facets: self.command.facets,
            now: self.as_of,
        }
    }

    async fn correction(&self, typed: &str, now: Timestamp) -> Option<String> {
        let speller = self.finder.vocabulary.speller(self.finder.index, now).await?;
        speller.correct(typed).filter(|correction| correction != typed)
    }

    fn found(self, attempt: Attempt, did_you_mean: Option<String>) -> FoundHomestays {
        let Attempt { keyword, corrected_from, text, matching, found } = attempt;
        let hits = found.hits.len();
        let may_go_on = match &self.command.page {
            Page::Number(number) => {
                let skipped = u64::from(number.saturating_sub(1)) * u64::from(self.command.page_size);
                skipped + hits as u64 != found.total
            }
            // How many went before is not known, and others may have come or gone meanwhile.
            Page::After(_) => true,
        };
        let is_full = hits >= usize::from(self.command.page_size);
        let last = found.hits.last().filter(|_| is_full && may_go_on);
        let next = last.map(|hit| Continuation {
            position: hit.position.clone(),
            matching,
            corrected: corrected_from.as_ref().map(|_| keyword.clone()),
            as_of: self.as_of,
            of: self.command.fingerprint(),
        });
        FoundHomestays {
            keyword,
            corrected_from,
            did_you_mean,
            matching,
            query: text,
            as_of: self.as_of,
            total: found.total,
            hits: found.hits,
            facets: found.facets,
            next,
            calls: self.calls,
        }
    }
}

/// What is new is seen from the hour: freshness halves in months, and pages that are asked for by number one after the other,
/// and answers that an index remembers, are of one order.
fn to_hour(now: Timestamp) -> Timestamp {
    let seconds = now.as_second();
    Timestamp::from_second(seconds - seconds.rem_euclid(3_600)).unwrap_or(now)
}

/// Clauses of which [`Match`] asks for some; see there.
fn counted_clauses(text: &TextQuery) -> usize {
    let heavy = text.clauses.iter().filter(|clause| clause.weight >= 0.5).count();
    if heavy == 0 { text.clauses.len() } else { heavy }
}

/// What an execution environment remembers of the words of an index, read when the first spelling has to be looked at.
#[derive(Debug)]
pub struct Vocabulary(Remembered<Speller>);

impl Default for Vocabulary {
    fn default() -> Self {
        Self(Remembered::new(VOCABULARY_FRESH_FOR, VOCABULARY_RETRY_AFTER))
    }
}

impl Vocabulary {
    /// The words of `index`, or none where it cannot tell: a spelling is not looked at then.
    async fn speller<I: SearchIndex>(&self, index: &I, now: Timestamp) -> Option<Arc<Speller>> {
        self.0.get(now, async { index.words(VOCABULARY_WORDS).await.map(Speller::new) }).await
    }
}
