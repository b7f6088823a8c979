#![expect(clippy::float_arithmetic, reason = "scores and distances; no money")]

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use domain_homestay::{
    Document, Found, Hit, IndexError, IndexQuery, MAX_LIMIT, MAX_OFFSET, Position, Sort, Start,
};
use domain_ids::HomestayId;
use jiff::Timestamp;
use tantivy::columnar::TermOrdHit;
use tantivy::query::{EnableScoring, Weight};
use tantivy::schema::Value as _;
use tantivy::{DocAddress, TantivyDocument};

use crate::columns::Columns;
use crate::error::{self, Cause};
use crate::facets::{Counts, Tally};
use crate::filter::{Filter, Passed};
use crate::schema::Fields;
use crate::text;
use crate::view::{Segment, View};

/// What `query` asks for, of `view`: one walk over what matches the keyword counts, sorts and tallies.
pub(crate) fn search(fields: &Fields, view: &View, query: &IndexQuery) -> Result<Found, IndexError> {
    let weight = if query.text.is_empty() {
        None
    } else {
        let text = text::query(fields, view, &query.text, query.matching, &query.ranking.boosts)
            .map_err(error::engine)?;
        Some(text.weight(EnableScoring::enabled_from_searcher(&view.searcher)).map_err(error::engine)?)
    };
    let (skip, after) = match &query.start {
        Start::Offset(offset) => ((*offset).min(MAX_OFFSET) as usize, None),
        Start::After(position) => (0, Some(position)),
    };
    let limit = usize::from(query.limit.min(MAX_LIMIT));
    let mut total = 0;
    let mut facets = query.facets.then(Tally::default);
    let mut best = Vec::new();
    for (number, segment) in (0..).zip(&view.segments) {
        let columns = segment.columns().map_err(error::engine)?;
        let Some(filter) = Filter::of(query, columns).map_err(error::file)? else { continue };
        let counts = query.facets.then(|| Counts::new(columns));
        let mut pass = Pass {
            query,
            columns,
            filter,
            factors: columns.factors(&query.ranking),
            number,
            wanted: skip + limit,
            after: after
                .map(|position| After::of(query.sort, position, columns))
                .transpose()
                .map_err(error::file)?,
            total: 0,
            counts,
            best: BinaryHeap::new(),
        };
        pass.walk(segment, weight.as_deref()).map_err(error::engine)?;
        total += pass.total;
        if let (Some(facets), Some(counts)) = (&mut facets, pass.counts) {
            facets.add(columns, &counts).map_err(error::file)?;
        }
        best.extend(pass.best);
    }
    let page = page(view, best, skip, limit)?;
    let hits = page.iter().map(|one| hit(fields, view, query, one)).collect::<Result<_, _>>()?;
    Ok(Found { total, hits, facets: facets.map(Tally::facets) })
}

/// One that may be given: the smaller the better, as a whole.
struct Candidate {
    /// What it is ordered by; turned around where great ones come first.
    rank: f64,
    /// Its id's place in its segment.
    ord: u32,
    segment: u32,
    doc: u32,
    /// The score of the keyword, or 1.
    text: f32,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.total_cmp(&other.rank).then(self.ord.cmp(&other.ord))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}

/// A key as it is compared. A cursor went through JSON, which may change the last bit of a number: scores are compared as
/// the `f32` they are, metres by the millimetre.
#[expect(clippy::cast_possible_truncation, reason = "a score was one")]
fn exact(sort: Sort, key: f64) -> f64 {
    match sort {
        Sort::Composite => f64::from(key as f32),
        Sort::Distance => (key * 1e3).round() / 1e3,
        Sort::PriceAsc | Sort::PriceDesc | Sort::Rating | Sort::Newest => key.round(),
    }
}

fn rank(sort: Sort, key: f64) -> f64 {
    let key = exact(sort, key);
    if sort.is_ascending() { key } else { -key }
}

/// Where a page begins, in a segment.
struct After {
    rank: f64,
    /// The first id behind the cursor's.
    ord: u32,
}

impl After {
    fn of(sort: Sort, position: &Position, columns: &Columns) -> std::io::Result<Self> {
        let ord = match &columns.ids {
            None => 0,
            Some(ids) => match ids.dictionary().term_ord_or_next(position.id.as_str())? {
                TermOrdHit::Exact(ord) => ord.saturating_add(1),
                TermOrdHit::Next(ord) => ord,
            },
        };
        Ok(Self { rank: rank(sort, position.key), ord: u32::try_from(ord).unwrap_or(u32::MAX) })
    }

    fn is_before(&self, rank: f64, ord: u32) -> bool {
        match rank.total_cmp(&self.rank) {
            Ordering::Less => false,
            Ordering::Equal => ord >= self.ord,
            Ordering::Greater => true,
        }
    }
}

/// A walk over a segment.
struct Pass<'a> {
    query: &'a IndexQuery,
    columns: &'a Columns,
    filter: Filter<'a>,
    factors: Arc<[f32]>,
    number: u32,
    wanted: usize,
    after: Option<After>,
    total: u64,
    counts: Option<Counts>,
    /// The worst of the best on top.
    best: BinaryHeap<Candidate>,
}

impl Pass<'_> {
    fn walk(&mut self, segment: &Segment, weight: Option<&dyn Weight>) -> tantivy::Result<()> {
        let alive = segment.reader.alive_bitset();
        match weight {
            Some(weight) => weight.for_each(&segment.reader, &mut |doc, score| {
                if alive.is_none_or(|alive| alive.is_alive(doc)) {
                    self.visit(doc, score);
                }
            })?,
            None => {
                for doc in 0..segment.reader.max_doc() {
                    if alive.is_none_or(|alive| alive.is_alive(doc)) {
                        self.visit(doc, 1.0);
                    }
                }
            }
        }
        Ok(())
    }

    fn visit(&mut self, doc: u32, text: f32) {
        let at = doc as usize;
        let Some(Passed { least_m }) = self.filter.passes(at) else { return };
        self.total += 1;
        if let Some(counts) = &mut self.counts {
            counts.count(self.columns, at);
        }
        if self.wanted == 0 {
            return;
        }
        let worst =
            if self.best.len() < self.wanted { None } else { self.best.peek().map(|worst| worst.rank) };
        let Some(key) = self.key(at, text, least_m, worst) else { return };
        let (rank, ord) = (rank(self.query.sort, key), self.columns.id.get(at).copied().unwrap_or(0));
        if self.after.as_ref().is_some_and(|after| !after.is_before(rank, ord)) {
            return;
        }
        let candidate = Candidate { rank, ord, segment: self.number, doc, text };
        if worst.is_none() {
            self.best.push(candidate);
        } else if let Some(mut top) = self.best.peek_mut()
            && candidate < *top
        {
            *top = candidate;
        }
    }

    /// What the homestay is ordered by; `None` if that cannot be better than `worst`.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have 41 bits")]
    fn key(&self, at: usize, text: f32, least_m: f64, worst: Option<f64>) -> Option<f64> {
        let columns = self.columns;
        Some(match self.query.sort {
            Sort::Composite => return self.score(at, text, least_m, worst),
            Sort::PriceAsc | Sort::PriceDesc => f64::from(*columns.price.get(at)?),
            Sort::Distance if self.query.near.is_none() => 0.0,
            Sort::Distance if worst.is_some_and(|worst| least_m > worst) => return None,
            Sort::Distance => self.filter.distance_m(at)?,
            Sort::Rating => f64::from(*columns.rating.get(at)?),
            Sort::Newest => *columns.created.get(at)? as f64,
        })
    }

    /// `text × Ranking::factor`, term by term as it is there.
    fn score(&self, at: usize, text: f32, least_m: f64, worst: Option<f64>) -> Option<f64> {
        let ranking = &self.query.ranking;
        let standing = *self.factors.get(at)?;
        // Nothing else makes it greater than being new and here does.
        let most = f64::from(text) * f64::from(standing) * (1.0 + f64::from(ranking.freshness)) * 1.000_01;
        let too_little = |most: f64| worst.is_some_and(|worst| -most > worst);
        if too_little(most) {
            return None;
        }
        let distance = match self.query.near {
            None => 1.0,
            Some(_) if too_little(most * f64::from(ranking.distance_factor(least_m))) => return None,
            Some(_) => ranking.distance_factor(self.filter.distance_m(at)?),
        };
        let created = Timestamp::from_millisecond(*self.columns.created.get(at)?).ok()?;
        let freshness = ranking.freshness_factor(created, self.query.now);
        Some(f64::from(text * (standing * distance * freshness)))
    }
}

/// The candidates of the page, in order. Ids are looked up where keys are equal only, and only around the page.
fn page(
    view: &View,
    mut best: Vec<Candidate>,
    skip: usize,
    limit: usize,
) -> Result<Vec<(Candidate, HomestayId)>, IndexError> {
    // Within a segment the place of an id says its order; among segments only the id does.
    best.sort_by(|a, b| a.rank.total_cmp(&b.rank).then(a.segment.cmp(&b.segment)).then(a.ord.cmp(&b.ord)));
    let mut page = Vec::with_capacity(limit);
    let mut seen = 0;
    let mut rest = best.into_iter().peekable();
    while let Some(first) = rest.next() {
        if page.len() >= limit {
            break;
        }
        let rank = first.rank;
        let mut equals = vec![first];
        while let Some(next) = rest.next_if(|next| next.rank.total_cmp(&rank).is_eq()) {
            equals.push(next);
        }
        if seen + equals.len() <= skip {
            seen += equals.len();
            continue;
        }
        let first = skip.saturating_sub(seen);
        seen += first;
        take_by_id(view, equals, first, limit - page.len(), &mut page)?;
    }
    Ok(page)
}

/// Of `equals`, which are in the order of segments and within one in that of ids, those from the place `first` on, up to
/// `limit`, in the order of ids.
fn take_by_id(
    view: &View,
    equals: Vec<Candidate>,
    first: usize,
    limit: usize,
    page: &mut Vec<(Candidate, HomestayId)>,
) -> Result<(), IndexError> {
    let mut segments: Vec<ById> = Vec::new();
    for candidate in equals {
        match segments.last_mut() {
            Some(last) if last.segment == candidate.segment => last.rest.push_back(candidate),
            _ => segments.push(ById {
                segment: candidate.segment,
                rest: VecDeque::from([candidate]),
                looked_up: VecDeque::new(),
            }),
        }
    }
    let mut first = first;
    if let [only] = segments.as_mut_slice() {
        only.rest.drain(..first.min(only.rest.len()));
        first = 0;
    }
    // The next of each segment, the smallest id on top: few more ids are looked up than have to be passed.
    let mut next = BinaryHeap::new();
    for (number, segment) in segments.iter_mut().enumerate() {
        next.extend(segment.next(view)?.map(|(id, candidate)| Reverse((id, number, candidate))));
    }
    let mut passed = 0;
    while passed < first + limit
        && let Some(Reverse((id, number, candidate))) = next.pop()
        && let Some(segment) = segments.get_mut(number)
    {
        next.extend(segment.next(view)?.map(|(id, candidate)| Reverse((id, number, candidate))));
        if passed >= first {
            page.push((candidate, id.parse().map_err(|_| error::corrupt(Cause::Id))?));
        }
        passed += 1;
    }
    Ok(())
}

/// Candidates of a segment in the order of their ids, whose ids are looked up some at a time: they lie in blocks, and one
/// block is read as fast as one id.
struct ById {
    segment: u32,
    rest: VecDeque<Candidate>,
    looked_up: VecDeque<(String, Candidate)>,
}

impl ById {
    /// Ids that are looked up at a time.
    const SOME: usize = 128;

    fn next(&mut self, view: &View) -> Result<Option<(String, Candidate)>, IndexError> {
        if self.looked_up.is_empty() {
            let some: Vec<Candidate> = self.rest.drain(..Self::SOME.min(self.rest.len())).collect();
            let ids = view.ids(self.segment, some.iter().map(|candidate| candidate.ord))?;
            self.looked_up.extend(ids.into_iter().zip(some));
        }
        Ok(self.looked_up.pop_front())
    }
}

fn hit(
    fields: &Fields,
    view: &View,
    query: &IndexQuery,
    (candidate, id): &(Candidate, HomestayId),
) -> Result<Hit, IndexError> {
    let document = document(fields, view, candidate)?;
    let distance_m = query.near.map(|near| near.point.distance_m(document.location));
    let score = candidate.text * query.ranking.factor(&document, query.near.as_ref(), query.now);
    let key = if query.sort.is_ascending() { candidate.rank } else { -candidate.rank };
    Ok(Hit { document, score, distance_m, position: Position { key, id: id.clone(), snapshot: None } })
}

fn document(fields: &Fields, view: &View, candidate: &Candidate) -> Result<Document, IndexError> {
    let address = DocAddress::new(candidate.segment, candidate.doc);
    let stored: TantivyDocument = view.searcher.doc(address).map_err(error::engine)?;
    let json = stored.get_first(fields.document).and_then(|value| value.as_bytes());
    let json = json.ok_or_else(|| error::corrupt(Cause::NoDocument))?;
    serde_json::from_slice(json).map_err(|error| error::corrupt(Cause::Document(error)))
}
