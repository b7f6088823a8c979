use domain_ids::{HomestayId, SearchId};
use jiff::{SignedDuration, Timestamp};

use crate::{CLICKS_COUNT_FOR, ClickPosition, ClientDigest, Hour, Keyword, Salt, SearchEvent, searched_at};

/// How old a search may be when something of it arrives, to be counted: longer than a queue is behind after a bad night.
/// What was stored of the hour is still whole then.
pub const EVENTS_COUNT_FOR: SignedDuration = SignedDuration::from_hours(48);

/// How far the clocks of two functions are apart, at most.
pub(crate) const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

/// What is kept of an event. The same event is the same fact, however often it comes; facts in any order are one set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// The search that it is about.
    pub search: SearchId,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Somebody searched.
    Searched {
        /// For what.
        keyword: Noted,
        /// Whether anything was found.
        found: bool,
        /// Who.
        client: ClientDigest,
    },
    /// Somebody opened a result.
    Clicked {
        /// When.
        at: Timestamp,
        /// What.
        homestay: HomestayId,
        /// Where it stood.
        position: ClickPosition,
    },
}

/// What is kept of a keyword.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noted {
    /// There was none.
    Nothing,
    /// There was one that looks like somebody's own (`Keyword::may_be_shown`): that there was one is all that is kept.
    Hidden,
    /// There was this one.
    Text(Keyword),
}

/// Why an event is not counted. It is none that our functions send, or it comes too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCounted {
    /// Its search is older than [`EVENTS_COUNT_FOR`].
    #[error("the search is too long ago")]
    TooLate,
    /// Its search is yet to come.
    #[error("the search is yet to come")]
    TooEarly,
    /// It is a click before its search, or longer after it than [`CLICKS_COUNT_FOR`].
    #[error("the click is too far from its search")]
    Astray,
}

impl Fact {
    /// What is kept of `event`. `salt` is that of the day of the search.
    pub fn of(event: &SearchEvent, salt: &Salt) -> Self {
        let what = match event {
            SearchEvent::Searched(event) => What::Searched {
                keyword: event.keyword.as_ref().map_or(Noted::Nothing, |keyword| {
                    if keyword.may_be_shown() { Noted::Text(keyword.clone()) } else { Noted::Hidden }
                }),
                found: event.total > 0,
                client: event.client.digest(salt),
            },
            SearchEvent::Clicked(event) => {
                What::Clicked { at: event.at, homestay: event.homestay.clone(), position: event.position }
            }
        };
        Self { search: event.search(), what }
    }

    /// The hour of the search, in which the fact is counted whenever it comes.
    pub fn hour(&self) -> Hour {
        Hour::of(searched_at(self.search))
    }
}

/// Whether an event that arrives at `now` may be counted.
pub fn check(event: &SearchEvent, now: Timestamp) -> Result<(), NotCounted> {
    let searched = searched_at(event.search());
    let age = now.duration_since(searched);
    if age > EVENTS_COUNT_FOR {
        return Err(NotCounted::TooLate);
    }
    if age < -CLOCKS_APART {
        return Err(NotCounted::TooEarly);
    }
    if let SearchEvent::Clicked(event) = event {
        let after = event.at.duration_since(searched);
        if after < -CLOCKS_APART || after > CLICKS_COUNT_FOR {
            return Err(NotCounted::Astray);
        }
    }
    Ok(())
}
