use domain_ids::{HomestayId, HostId};
use domain_money::Fen;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Facilities, GeoPoint, Homestay, Rating, RoomType};

/// Counts the changes of a homestay: the greater one is the newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(u64);

impl Version {
    /// That of a new homestay.
    pub const FIRST: Self = Self(1);

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// As it was stored.
    pub const fn from_stored(version: u64) -> Self {
        Self(version)
    }

    /// As a number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What an index is to know of a homestay, from this version on.
///
/// An index applies a change if it holds no version of the homestay that is as great, else ignores it: so changes may
/// come twice and in any order. What is gone stays in the index as its version alone, lest an older change bring it back.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which homestay.
    pub id: HomestayId,
    /// As of which version.
    pub version: Version,
    /// What is to be found; `None` if it must not be found: deleted, or not published.
    pub document: Option<Document>,
}

/// A homestay as it is found and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// See [`Homestay::id`].
    pub id: HomestayId,
    /// See [`Homestay::host`].
    pub host: HostId,
    /// See [`Homestay::title`].
    pub title: String,
    /// See [`Homestay::subtitle`].
    pub subtitle: String,
    /// See [`Homestay::info`].
    pub info: String,
    /// See [`Homestay::location`].
    pub location: GeoPoint,
    /// See [`Homestay::city`].
    pub city: String,
    /// See [`Homestay::district`].
    pub district: String,
    /// See [`Homestay::price`].
    pub price: Fen,
    /// See [`Homestay::rating`].
    pub rating: Rating,
    /// See [`Homestay::sales`].
    pub sales: u32,
    /// See [`Homestay::room_type`].
    pub room_type: RoomType,
    /// See [`Homestay::capacity`].
    pub capacity: u16,
    /// See [`Homestay::facilities`].
    pub facilities: Facilities,
    /// See [`Homestay::cover`].
    pub cover: String,
    /// See [`Homestay::created_at`].
    pub created_at: Timestamp,
}

impl Change {
    /// What an index is to know of `homestay`.
    pub fn of(homestay: &Homestay) -> Self {
        let document = homestay.is_visible().then(|| Document::of(homestay));
        Self { id: homestay.id.clone(), version: homestay.version, document }
    }
}

impl Document {
    /// What is found and shown of `homestay`, visible or not.
    pub fn of(homestay: &Homestay) -> Self {
        let homestay = homestay.clone();
        Self {
            id: homestay.id,
            host: homestay.host,
            title: homestay.title,
            subtitle: homestay.subtitle,
            info: homestay.info,
            location: homestay.location,
            city: homestay.city,
            district: homestay.district,
            price: homestay.price,
            rating: homestay.rating,
            sales: homestay.sales,
            room_type: homestay.room_type,
            capacity: homestay.capacity,
            facilities: homestay.facilities,
            cover: homestay.cover,
            created_at: homestay.created_at,
        }
    }

    /// What a guest who asks for a place may call the one it is at, and what else of its facts people type as words: city,
    /// district, kind of room, what it has.
    pub fn facts(&self) -> String {
        let facilities = self.facilities.iter().map(|facility| facility.chinese());
        let words = [self.city.as_str(), self.district.as_str(), self.room_type.chinese()];
        words.into_iter().chain(facilities).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{NOW, homestay};

    #[test]
    fn what_is_deleted_is_known_by_its_version_alone() {
        let deleted = homestay("h-1").deleted(NOW);
        let change = Change::of(&deleted);
        assert_eq!((change.version, change.document), (deleted.version, None));
    }

    #[test]
    fn facts_are_words_that_people_type() {
        assert_eq!(Document::of(&homestay("h-1")).facts(), "北京 朝阳区 大床房 无线网络");
    }

    #[test]
    fn a_document_survives_being_stored() {
        let document = Document::of(&homestay("h-1"));
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<Document>(&json).unwrap(), document);
    }
}
