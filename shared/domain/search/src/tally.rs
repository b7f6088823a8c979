use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain_ids::{HomestayId, SearchId};
use jiff::{Timestamp, civil::Date};

use crate::{
    ClickPosition, ClientDigest, Counters, Fact, Hour, Keyword, KeywordCount, Noted, What,
    counters::{merged, top},
};

/// Keywords of a client that count in an hour: more is a program.
pub const MAX_VOTES_OF_A_CLIENT: usize = 20;

/// Results of one search that count as opened.
pub const MAX_CLICKS_OF_A_SEARCH: usize = 50;

/// Keywords of an hour that are kept with their counts, the most frequent ones: 2,000 of the longest are 240 KB, of the 400 KB
/// that an item may have.
pub const MAX_KEYWORDS_OF_AN_HOUR: usize = 2_000;

/// Keywords of an hour that may become popular queries. Fifty are shown.
pub const MAX_VOTED_OF_AN_HOUR: usize = 500;

/// Keywords of a day that are kept, by searches and by searches that found nothing.
pub const MAX_KEYWORDS_OF_A_DAY: usize = 300;

/// Clients of a keyword and hour that are kept, to tell how many different ones it has on a day: the smallest digests, so
/// that the smallest of several hours are among them.
pub const MAX_WITNESSES: usize = 10;

/// An hour, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourSummary {
    /// Which.
    pub hour: Hour,
    /// Of how many facts. They only become more.
    pub facts: u64,
    /// How often each thing happened.
    pub totals: Counters,
    /// Keywords, the most frequent first: at most [`MAX_KEYWORDS_OF_AN_HOUR`].
    pub keywords: Vec<KeywordCount>,
    /// Keywords that may become popular, those with the most clients first: at most [`MAX_VOTED_OF_AN_HOUR`].
    pub votes: Vec<KeywordVotes>,
}

/// How many clients searched for a keyword in an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeywordVotes {
    /// The keyword: it may be shown.
    pub keyword: Keyword,
    /// Clients.
    pub votes: u64,
    /// Some of the clients, in order: at most [`MAX_WITNESSES`].
    pub witnesses: Vec<u64>,
}

/// A day of business, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaySummary {
    /// Which.
    pub day: Date,
    /// Of how many facts.
    pub facts: u64,
    /// How often each thing happened.
    pub totals: Counters,
    /// The keywords searched for most, at most [`MAX_KEYWORDS_OF_A_DAY`].
    pub keywords: Vec<KeywordCount>,
    /// The keywords that most often found nothing, at most [`MAX_KEYWORDS_OF_A_DAY`].
    pub zero_result_keywords: Vec<KeywordCount>,
}

impl DaySummary {
    /// The day of these hours.
    pub fn of(day: Date, hours: &[HourSummary]) -> Self {
        let mut totals = Counters::default();
        for hour in hours {
            totals += &hour.totals;
        }
        let keywords = merged(hours.iter().flat_map(|hour| &hour.keywords));
        Self {
            day,
            facts: hours.iter().map(|hour| hour.facts).sum(),
            totals,
            zero_result_keywords: top(keywords.clone(), MAX_KEYWORDS_OF_A_DAY, |count| {
                count.zero_result_searches
            }),
            keywords: top(keywords, MAX_KEYWORDS_OF_A_DAY, |count| count.searches),
        }
    }
}

/// Counts the facts of an hour. What comes out depends on which facts were added, not on their order or how often.
#[derive(Debug)]
pub struct HourTally {
    hour: Hour,
    searches: HashMap<SearchId, SearchNote>,
    clicks: HashMap<SearchId, BTreeSet<Click>>,
    clicks_added: u64,
    /// A keyword is kept once, and is its place in `texts` elsewhere: there are millions of searches.
    places: HashMap<Keyword, u32>,
    texts: Vec<Keyword>,
}

#[derive(Debug, Clone, Copy)]
struct SearchNote {
    keyword: KeywordNote,
    found: bool,
    client: ClientDigest,
}

#[derive(Debug, Clone, Copy)]
enum KeywordNote {
    Nothing,
    Hidden,
    Text(u32),
}

/// In the order of time.
type Click = (Timestamp, ClickPosition, HomestayId);

impl HourTally {
    /// Nothing counted yet.
    pub fn new(hour: Hour) -> Self {
        Self {
            hour,
            searches: HashMap::new(),
            clicks: HashMap::new(),
            clicks_added: 0,
            places: HashMap::new(),
            texts: Vec::new(),
        }
    }

    /// Adds a fact of the hour.
    pub fn add(&mut self, fact: Fact) {
        match fact.what {
            What::Searched { keyword, found, client } => {
                let keyword = match keyword {
                    Noted::Nothing => KeywordNote::Nothing,
                    Noted::Hidden => KeywordNote::Hidden,
                    Noted::Text(keyword) => KeywordNote::Text(self.place(keyword)),
                };
                self.searches.insert(fact.search, SearchNote { keyword, found, client });
            }
            What::Clicked { at, homestay, position } => {
                let is_new = self.clicks.entry(fact.search).or_default().insert((at, position, homestay));
                self.clicks_added += u64::from(is_new);
            }
        }
    }

    fn place(&mut self, keyword: Keyword) -> u32 {
        if let Some(place) = self.places.get(&keyword) {
            return *place;
        }
        let place = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(keyword.clone());
        self.places.insert(keyword, place);
        place
    }

    /// What was counted.
    pub fn finish(self) -> HourSummary {
        let facts = u64::try_from(self.searches.len()).unwrap_or(u64::MAX).saturating_add(self.clicks_added);
        let mut totals = Counters::default();
        let mut counts: BTreeMap<u32, [u64; 3]> = BTreeMap::new();
        for (search, note) in &self.searches {
            let clicks = self.clicks.get(search).map_or((0, None), opened);
            totals += &counters(*note, clicks);
            if let KeywordNote::Text(place) = note.keyword {
                let [searches, zero, opened] = counts.entry(place).or_default();
                *searches += 1;
                *zero += u64::from(!note.found);
                *opened += clicks.0;
            }
        }
        let keyword =
            |place: u32| usize::try_from(place).ok().and_then(|place| self.texts.get(place)).cloned();
        let keywords = counts.into_iter().filter_map(|(place, [searches, zero_result_searches, clicks])| {
            Some(KeywordCount { keyword: keyword(place)?, searches, zero_result_searches, clicks })
        });
        let keywords = top(keywords.collect(), MAX_KEYWORDS_OF_AN_HOUR, |count| count.searches);
        let votes = self.votes().into_iter().filter_map(|(place, mut clients)| {
            let votes = u64::try_from(clients.len()).unwrap_or(u64::MAX);
            clients.sort_unstable();
            clients.truncate(MAX_WITNESSES);
            Some(KeywordVotes { keyword: keyword(place)?, votes, witnesses: clients })
        });
        let mut votes: Vec<KeywordVotes> = votes.collect();
        votes.sort_by(|a, b| b.votes.cmp(&a.votes).then_with(|| a.keyword.cmp(&b.keyword)));
        votes.truncate(MAX_VOTED_OF_AN_HOUR);
        HourSummary { hour: self.hour, facts, totals, keywords, votes }
    }

    /// The clients of each keyword that found something: each client once, and of each client the first keywords alone.
    fn votes(&self) -> BTreeMap<u32, Vec<u64>> {
        let mut cast: Vec<(ClientDigest, SearchId, u32)> = self
            .searches
            .iter()
            .filter(|(_, note)| note.found)
            .filter_map(|(search, note)| match note.keyword {
                KeywordNote::Text(place) => Some((note.client, *search, place)),
                KeywordNote::Nothing | KeywordNote::Hidden => None,
            })
            .collect();
        // A search's id sorts by its time.
        cast.sort_unstable();
        let mut votes: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for ballot in cast.chunk_by(|a, b| a.0 == b.0) {
            let mut seen: Vec<u32> = Vec::new();
            for (client, _, place) in ballot {
                if seen.len() == MAX_VOTES_OF_A_CLIENT {
                    break;
                }
                if !seen.contains(place) {
                    seen.push(*place);
                    votes.entry(*place).or_default().push(witness(*client));
                }
            }
        }
        votes
    }
}

/// Half of a digest tells the clients of a day apart well enough.
fn witness(client: ClientDigest) -> u64 {
    client.0.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// How many results were opened, and where the first stood.
fn opened(clicks: &BTreeSet<Click>) -> (u64, Option<ClickPosition>) {
    let first = clicks.first().map(|(_, position, _)| *position);
    let homestays: BTreeSet<&HomestayId> = clicks.iter().map(|(_, _, homestay)| homestay).collect();
    let number = homestays.len().min(MAX_CLICKS_OF_A_SEARCH);
    (u64::try_from(number).unwrap_or(u64::MAX), first)
}

fn counters(note: SearchNote, (clicks, first): (u64, Option<ClickPosition>)) -> Counters {
    Counters {
        searches: 1,
        keyword_searches: u64::from(!matches!(note.keyword, KeywordNote::Nothing)),
        zero_result_searches: u64::from(!note.found),
        clicked_searches: u64::from(first.is_some()),
        clicks,
        reciprocal_ranks_millionths: first.map_or(0, ClickPosition::reciprocal_millionths),
    }
}
