//! The rules of homestays: what a host may say of one, how it gets into a search index, how it is found.
//!
//! The table is the truth. Every change of a [`Homestay`] raises its version; its stream carries the changes to every
//! [`IndexWriter`], where the greater version wins, whatever the order and however often ([`Change`]). What is found, and in
//! which order, is the same on every [`SearchIndex`]: the analysis is that of `domain-text`, the order that of [`Ranking`].
//!
//! No AWS, no HTTP, no clock, no randomness.

mod change;
mod facility;
mod geo;
mod homestay;
mod index;
mod query;
mod ranking;
mod rules;

#[cfg(test)]
mod fixtures;

pub use change::{Change, Document, Version};
pub use facility::{Facilities, Facility, InvalidFacility, RoomType};
pub use geo::{EARTH_RADIUS_M, GeoPoint, InvalidPoint};
pub use homestay::{Homestay, HomestayChange, NewHomestay, Rating, RowState, State, limits};
pub use index::{
    Applied, GenerationId, Generations, Held, IndexAdmin, IndexError, IndexWriter, InvalidGeneration, SearchIndex,
    TitleFound,
};
pub use query::{
    Bucket, CAPACITY_STEPS, Facets, Filters, Found, Hit, IndexQuery, MAX_LIMIT, MAX_OFFSET, Match, Near, PRICE_STEPS,
    Position, RATING_STEPS, Sort, Start,
};
pub use ranking::{Boosts, InvalidRanking, Quality, Ranking};
pub use rules::{InvalidRules, MAX_BLOCKED, SearchRules};
