use domain_coupon::{Violation, Violations};
use domain_ids::{HomestayId, HostId};
use domain_money::Fen;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Facilities, GeoPoint, RoomType, Version};

/// A homestay as its host describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Homestay {
    /// Identity.
    pub id: HomestayId,
    /// Raised by every change, that of deletion included, and never lowered: the greater one is the newer one.
    pub version: Version,
    /// Who may change it.
    pub host: HostId,
    /// 1 to [`limits::TITLE_CHARS`] characters.
    pub title: String,
    /// Up to [`limits::SUBTITLE_CHARS`] characters.
    pub subtitle: String,
    /// Up to [`limits::INFO_CHARS`] characters.
    pub info: String,
    /// Where it is.
    pub location: GeoPoint,
    /// 1 to [`limits::PLACE_CHARS`] characters, without 市, for example 北京.
    pub city: String,
    /// Up to [`limits::PLACE_CHARS`] characters, for example 朝阳区.
    pub district: String,
    /// For a night.
    pub price: Fen,
    /// What guests say.
    pub rating: Rating,
    /// Nights sold so far.
    pub sales: u32,
    /// What kind of room.
    pub room_type: RoomType,
    /// Guests it takes, 1 to [`limits::CAPACITY`].
    pub capacity: u16,
    /// What it has.
    pub facilities: Facilities,
    /// Address of its picture, `https://…`; empty if it has none.
    pub cover: String,
    /// Whether guests find it.
    pub row_state: RowState,
    /// Whether it is still there.
    pub state: State,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Whether guests find a homestay. The roadmap's codes are 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// They do not.
    Unpublished,
    /// They do.
    Published,
}

/// Whether a homestay is still there. A deleted one stays in the table for a while, so that its version is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is.
    Present,
    /// It was deleted then.
    Deleted(Timestamp),
}

/// The mean of guests' ratings, 0 to 5 stars, and how many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// Hundredths of a star, 0 to 500. Without ratings it says nothing.
    pub hundredths: u16,
    /// How many ratings.
    pub count: u32,
}

/// Bounds of a homestay. They keep its item under 24 KB.
pub mod limits {
    /// Characters of a title.
    pub const TITLE_CHARS: usize = 200;
    /// Characters of a subtitle.
    pub const SUBTITLE_CHARS: usize = 200;
    /// Characters of the description.
    pub const INFO_CHARS: usize = 5_000;
    /// Characters of a city or a district.
    pub const PLACE_CHARS: usize = 40;
    /// Guests.
    pub const CAPACITY: u16 = 50;
    /// Fen a night: a million yuan.
    pub const PRICE_FEN: u64 = 100_000_000;
    /// Characters of a picture's address.
    pub const COVER_CHARS: usize = 500;
    /// Hundredths of a star.
    pub const RATING_HUNDREDTHS: u16 = 500;
}

/// The fields of a new homestay, each well-formed but not yet checked against its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHomestay {
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
    /// See [`Homestay::room_type`].
    pub room_type: RoomType,
    /// See [`Homestay::capacity`].
    pub capacity: u16,
    /// See [`Homestay::facilities`].
    pub facilities: Facilities,
    /// See [`Homestay::cover`].
    pub cover: String,
    /// See [`Homestay::row_state`].
    pub row_state: RowState,
    /// See [`Homestay::rating`]. A host cannot say it; an import and the review service can.
    pub rating: Rating,
    /// See [`Homestay::sales`]. A host cannot say it; an import and the order service can.
    pub sales: u32,
}

/// Fields to change; `None` leaves one as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HomestayChange {
    /// See [`Homestay::title`].
    pub title: Option<String>,
    /// See [`Homestay::subtitle`].
    pub subtitle: Option<String>,
    /// See [`Homestay::info`].
    pub info: Option<String>,
    /// See [`Homestay::location`].
    pub location: Option<GeoPoint>,
    /// See [`Homestay::city`].
    pub city: Option<String>,
    /// See [`Homestay::district`].
    pub district: Option<String>,
    /// See [`Homestay::price`].
    pub price: Option<Fen>,
    /// See [`Homestay::room_type`].
    pub room_type: Option<RoomType>,
    /// See [`Homestay::capacity`].
    pub capacity: Option<u16>,
    /// See [`Homestay::facilities`].
    pub facilities: Option<Facilities>,
    /// See [`Homestay::cover`].
    pub cover: Option<String>,
    /// See [`Homestay::row_state`].
    pub row_state: Option<RowState>,
    /// See [`Homestay::rating`].
    pub rating: Option<Rating>,
    /// See [`Homestay::sales`].
    pub sales: Option<u32>,
}

impl Homestay {
    /// A new one of `host`.
    pub fn create(
        id: HomestayId,
        host: HostId,
        new: NewHomestay,
        now: Timestamp,
    ) -> Result<Self, Violations> {
        let homestay = Self {
            id,
            version: Version::FIRST,
            host,
            title: new.title,
            subtitle: new.subtitle,
            info: new.info,
            location: new.location,
            city: new.city,
            district: new.district,
            price: new.price,
            rating: new.rating,
            sales: new.sales,
            room_type: new.room_type,
            capacity: new.capacity,
            facilities: new.facilities,
            cover: new.cover,
            row_state: new.row_state,
            state: State::Present,
            created_at: now,
            updated_at: now,
        };
        homestay.check()?;
        Ok(homestay)
    }

    /// This one changed, with the next version.
    pub fn changed(&self, change: HomestayChange, now: Timestamp) -> Result<Self, Violations> {
        let old = self.clone();
        let homestay = Self {
            id: old.id,
            version: self.version.next(),
            host: old.host,
            title: change.title.unwrap_or(old.title),
            subtitle: change.subtitle.unwrap_or(old.subtitle),
            info: change.info.unwrap_or(old.info),
            location: change.location.unwrap_or(old.location),
            city: change.city.unwrap_or(old.city),
            district: change.district.unwrap_or(old.district),
            price: change.price.unwrap_or(old.price),
            rating: change.rating.unwrap_or(old.rating),
            sales: change.sales.unwrap_or(old.sales),
            room_type: change.room_type.unwrap_or(old.room_type),
            capacity: change.capacity.unwrap_or(old.capacity),
            facilities: change.facilities.unwrap_or(old.facilities),
            cover: change.cover.unwrap_or(old.cover),
            row_state: change.row_state.unwrap_or(old.row_state),
            state: old.state,
            created_at: old.created_at,
            updated_at: now,
        };
        homestay.check()?;
        Ok(homestay)
    }

    /// This one deleted, with the next version.
    #[must_use]
    pub fn deleted(&self, now: Timestamp) -> Self {
        Self { version: self.version.next(), state: State::Deleted(now), updated_at: now, ..self.clone() }
    }

    /// Whether guests find it.
    pub fn is_visible(&self) -> bool {
        self.state == State::Present && self.row_state == RowState::Published
    }

    fn check(&self) -> Result<(), Violations> {
        let chars = |text: &str, least: usize, most: usize| {
            (least..=most).contains(&text.chars().count()) && !text.chars().any(is_control)
        };
        let mut violations = Violations::default();
        let title = chars(&self.title, 1, limits::TITLE_CHARS) && !self.title.trim().is_empty();
        violations
            .check(title, Violation::new("title", "must be 1 to 200 characters, not all of them spaces"));
        violations.check(
            chars(&self.subtitle, 0, limits::SUBTITLE_CHARS),
            Violation::new("subtitle", "must be up to 200 characters"),
        );
        violations.check(
            chars(&self.info, 0, limits::INFO_CHARS),
            Violation::new("info", "must be up to 5,000 characters"),
        );
        let city = chars(&self.city, 1, limits::PLACE_CHARS) && !self.city.trim().is_empty();
        violations.check(city, Violation::new("city", "must be 1 to 40 characters"));
        violations.check(
            chars(&self.district, 0, limits::PLACE_CHARS),
            Violation::new("district", "must be up to 40 characters"),
        );
        violations.check(
            (1..=limits::PRICE_FEN).contains(&self.price.get()),
            Violation::new("priceFen", "must be 1 to 100,000,000"),
        );
        violations.check(
            (1..=limits::CAPACITY).contains(&self.capacity),
            Violation::new("capacity", "must be 1 to 50"),
        );
        violations.check(
            self.rating.hundredths <= limits::RATING_HUNDREDTHS,
            Violation::new("rating", "must be 0 to 5"),
        );
        let cover = self.cover.is_empty()
            || (self.cover.starts_with("https://") && chars(&self.cover, 1, limits::COVER_CHARS));
        violations.check(cover, Violation::new("cover", "must be an https address of up to 500 characters"));
        violations.into_result()
    }
}

fn is_control(character: char) -> bool {
    character.is_control() && !matches!(character, '\n' | '\r' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{NOW, homestay, new_homestay};

    #[test]
    fn each_limit_names_its_field() {
        let bad = NewHomestay {
            title: " ".to_owned(),
            subtitle: "x".repeat(201),
            info: "x".repeat(5_001),
            city: String::new(),
            district: "x".repeat(41),
            price: Fen::new(0),
            capacity: 51,
            rating: Rating { hundredths: 501, count: 1 },
            cover: "http://example.com/a.jpg".to_owned(),
            ..new_homestay()
        };
        let error = Homestay::create("h-1".parse().unwrap(), "host".parse().unwrap(), bad, NOW).unwrap_err();
        let fields: Vec<_> = error.iter().map(|violation| violation.field).collect();
        assert_eq!(
            fields,
            ["title", "subtitle", "info", "city", "district", "priceFen", "capacity", "rating", "cover"]
        );
    }

    #[test]
    fn every_change_raises_the_version_and_so_does_deleting() {
        let first = homestay("h-1");
        let second =
            first.changed(HomestayChange { sales: Some(9), ..HomestayChange::default() }, NOW).unwrap();
        let third = second.deleted(NOW);
        assert!(first.version < second.version && second.version < third.version);
        assert!(second.is_visible() && !third.is_visible());
    }

    #[test]
    fn an_unpublished_homestay_is_not_visible() {
        let change = HomestayChange { row_state: Some(RowState::Unpublished), ..HomestayChange::default() };
        assert!(!homestay("h-1").changed(change, NOW).unwrap().is_visible());
    }
}
