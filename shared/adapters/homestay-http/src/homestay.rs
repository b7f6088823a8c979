//! Homestays as hosts, operators and guests spell them.
#![expect(clippy::float_arithmetic, reason = "stars and degrees; no money")]

use std::fmt;

use coupon_http::fit;
use domain_coupon::{Violation, Violations};
use domain_homestay::{
    Datum, Facility, GeoPoint, Homestay, HomestayChange, HomestayPosition, NewHomestay, Rating, RoomType,
    RowState,
};
use domain_ids::{HomestayId, HostId};
use domain_money::Fen;
use jiff::Timestamp;
use platform_http::{Problem, Request, cursor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new homestay. Numbers beyond their bounds are refused by the field's name.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "title": "三里屯阳光大床房", "subtitle": "近地铁", "info": "安静，带院子", "lat": 39.936, "lon": 116.4546, "city": "北京",
    "district": "朝阳区", "priceFen": 29_900, "roomType": "double", "capacity": 2, "facilities": ["wifi", "projector"],
    "cover": "https://example.com/cover.jpg", "rowState": "published"
}))]
pub struct CreateHomestayRequest {
    /// 1 to 200 characters.
    title: String,
    /// Up to 200 characters.
    #[serde(default)]
    subtitle: String,
    /// Up to 5,000 characters.
    #[serde(default)]
    info: String,
    /// Degrees north.
    #[schema(minimum = -90, maximum = 90)]
    lat: f64,
    /// Degrees east.
    #[schema(minimum = -180, maximum = 180)]
    lon: f64,
    /// In which datum the place is told: `gcj02` (that of Chinese maps, without it) or `wgs84` (that of GPS devices).
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "gcj02")]
    datum: Datum,
    /// 1 to 40 characters, without 市.
    city: String,
    /// Up to 40 characters.
    #[serde(default)]
    district: String,
    /// For a night, in fen.
    #[schema(minimum = 1, maximum = 100_000_000)]
    price_fen: i64,
    /// `entire`, `single`, `double`, `twin`, `family`, `private` or `shared`.
    #[schema(value_type = String, example = "double")]
    room_type: RoomType,
    /// Guests it takes.
    #[schema(minimum = 1, maximum = 50)]
    capacity: i64,
    /// What it has, for example `wifi`, `parking`, `breakfast`.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required = false)]
    facilities: Vec<Facility>,
    /// Address of its picture, `https://…`, up to 500 characters.
    #[serde(default)]
    cover: String,
    /// `published` (code 1) or `unpublished` (code 0, without it).
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "published")]
    row_state: Option<RowState>,
    /// Whose it is; the caller's without it. For operators only.
    #[schema(value_type = Option<String>)]
    host_id: Option<HostId>,
    /// Stars, with at most two decimals. For operators only, with `ratingCount`.
    #[schema(minimum = 0, maximum = 5)]
    rating: Option<f64>,
    /// How many ratings. For operators only, with `rating`.
    rating_count: Option<u32>,
    /// Nights sold. For operators only.
    sales: Option<u32>,
}

/// What changes; a field that is absent stays as it is.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"rowState": "unpublished"}))]
pub struct PatchHomestayRequest {
    /// A new title.
    title: Option<String>,
    /// A new subtitle.
    subtitle: Option<String>,
    /// A new description.
    info: Option<String>,
    /// Degrees north, with `lon`.
    #[schema(minimum = -90, maximum = 90)]
    lat: Option<f64>,
    /// Degrees east, with `lat`.
    #[schema(minimum = -180, maximum = 180)]
    lon: Option<f64>,
    /// In which datum the place is told: `gcj02` (without it) or `wgs84`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "gcj02")]
    datum: Datum,
    /// Another city.
    city: Option<String>,
    /// Another district.
    district: Option<String>,
    /// For a night, in fen.
    #[schema(minimum = 1, maximum = 100_000_000)]
    price_fen: Option<i64>,
    /// Another type of room.
    #[schema(value_type = Option<String>)]
    room_type: Option<RoomType>,
    /// Guests it takes.
    #[schema(minimum = 1, maximum = 50)]
    capacity: Option<i64>,
    /// All that it has.
    #[schema(value_type = Option<Vec<String>>)]
    facilities: Option<Vec<Facility>>,
    /// Another picture; empty for none.
    cover: Option<String>,
    /// `published` (code 1): guests find it. `unpublished` (code 0): they do not.
    #[schema(value_type = Option<String>, example = "unpublished")]
    row_state: Option<RowState>,
    /// Stars, with at most two decimals. For operators only, with `ratingCount`.
    #[schema(minimum = 0, maximum = 5)]
    rating: Option<f64>,
    /// How many ratings. For operators only, with `rating`.
    rating_count: Option<u32>,
    /// Nights sold. For operators only.
    sales: Option<u32>,
}

impl CreateHomestayRequest {
    /// The fields as the domain takes them, and whose it is to be if the caller says so; or what is out of place.
    pub fn parse(self) -> Result<(NewHomestay, Option<HostId>), Violations> {
        let mut wrong = Violations::default();
        let location = place(self.lat, self.lon, self.datum, &mut wrong);
        let rating = rating(self.rating, self.rating_count, &mut wrong);
        wrong.into_result()?;
        let new = NewHomestay {
            title: self.title,
            subtitle: self.subtitle,
            info: self.info,
            location: location.ok_or_else(Violations::default)?,
            city: self.city,
            district: self.district,
            price: Fen::new(fit(self.price_fen)),
            room_type: self.room_type,
            capacity: fit(self.capacity),
            facilities: self.facilities.into_iter().collect(),
            cover: self.cover,
            row_state: self.row_state.unwrap_or(RowState::Unpublished),
            rating: rating.unwrap_or_default(),
            sales: self.sales.unwrap_or_default(),
        };
        Ok((new, self.host_id))
    }
}

impl PatchHomestayRequest {
    /// The change as the domain takes it, or what is out of place.
    pub fn parse(self) -> Result<HomestayChange, Violations> {
        let mut wrong = Violations::default();
        wrong
            .check(self.lon.is_none() || self.lat.is_some(), Violation::new("lat", "must be there with lon"));
        wrong
            .check(self.lat.is_none() || self.lon.is_some(), Violation::new("lon", "must be there with lat"));
        let location = self.lat.zip(self.lon).and_then(|(lat, lon)| place(lat, lon, self.datum, &mut wrong));
        let rating = rating(self.rating, self.rating_count, &mut wrong);
        wrong.into_result()?;
        Ok(HomestayChange {
            title: self.title,
            subtitle: self.subtitle,
            info: self.info,
            location,
            city: self.city,
            district: self.district,
            price: self.price_fen.map(|price| Fen::new(fit(price))),
            room_type: self.room_type,
            capacity: self.capacity.map(fit),
            facilities: self.facilities.map(|facilities| facilities.into_iter().collect()),
            cover: self.cover,
            row_state: self.row_state,
            rating,
            sales: self.sales,
        })
    }
}

fn place(lat: f64, lon: f64, datum: Datum, wrong: &mut Violations) -> Option<GeoPoint> {
    wrong.check((-90.0..=90.0).contains(&lat), Violation::new("lat", "must be -90 to 90"));
    wrong.check((-180.0..=180.0).contains(&lon), Violation::new("lon", "must be -180 to 180"));
    datum.point(lat, lon).ok()
}

fn rating(stars: Option<f64>, count: Option<u32>, wrong: &mut Violations) -> Option<Rating> {
    wrong.check(
        stars.is_some() || count.is_none(),
        Violation::new("rating", "must be there with ratingCount"),
    );
    wrong.check(
        count.is_some() || stars.is_none(),
        Violation::new("ratingCount", "must be there with rating"),
    );
    let hundredths = hundredths(stars?);
    wrong.check(hundredths.is_some(), Violation::new("rating", "must be 0 to 5, with at most two decimals"));
    Some(Rating { hundredths: hundredths?, count: count? })
}

/// Hundredths of a star, if they are a whole number from 0 to 500.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within the range that is checked"
)]
fn hundredths(stars: f64) -> Option<u16> {
    let hundredths = (stars * 100.0).round();
    let whole = (stars * 100.0 - hundredths).abs() < 1e-6;
    ((0.0..=500.0).contains(&hundredths) && whole).then_some(hundredths as u16)
}

/// A homestay as guests see it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HomestayView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: HomestayId,
    /// What it is called.
    pub title: String,
    /// What is said beside the title.
    pub subtitle: String,
    /// What is said of it.
    pub info: String,
    /// The city, without 市.
    pub city: String,
    /// The district.
    pub district: String,
    /// Degrees north, in GCJ-02.
    pub lat: f64,
    /// Degrees east, in GCJ-02.
    pub lon: f64,
    /// For a night, in fen.
    #[schema(value_type = u64)]
    pub price_fen: Fen,
    /// Stars, 0 to 5; absent without ratings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 4.85)]
    pub rating: Option<f64>,
    /// How many ratings.
    pub rating_count: u32,
    /// Nights sold.
    pub sales: u32,
    /// What kind of room.
    #[schema(value_type = String, example = "double")]
    pub room_type: RoomType,
    /// Guests it takes.
    pub capacity: u16,
    /// What it has.
    #[schema(value_type = Vec<String>)]
    pub facilities: Vec<Facility>,
    /// Address of its picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover: Option<String>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<&Homestay> for HomestayView {
    fn from(homestay: &Homestay) -> Self {
        let Rating { hundredths, count } = homestay.rating;
        Self {
            id: homestay.id.clone(),
            title: homestay.title.clone(),
            subtitle: homestay.subtitle.clone(),
            info: homestay.info.clone(),
            city: homestay.city.clone(),
            district: homestay.district.clone(),
            lat: homestay.location.lat(),
            lon: homestay.location.lon(),
            price_fen: homestay.price,
            rating: (count > 0).then(|| f64::from(hundredths) / 100.0),
            rating_count: count,
            sales: homestay.sales,
            room_type: homestay.room_type,
            capacity: homestay.capacity,
            facilities: homestay.facilities.iter().copied().collect(),
            cover: (!homestay.cover.is_empty()).then(|| homestay.cover.clone()),
            created_at: homestay.created_at,
        }
    }
}

/// A homestay as its host, and operators, see it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnHomestayView {
    /// What guests see of it.
    #[serde(flatten)]
    pub homestay: HomestayView,
    /// Whose it is.
    #[schema(value_type = String)]
    pub host_id: HostId,
    /// Whether guests find it: `published` (code 1) or `unpublished` (code 0).
    #[schema(value_type = String, example = "published")]
    pub row_state: RowState,
    /// Counts the changes; the entity tag.
    pub version: u64,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<&Homestay> for OwnHomestayView {
    fn from(homestay: &Homestay) -> Self {
        Self {
            homestay: HomestayView::from(homestay),
            host_id: homestay.host.clone(),
            row_state: homestay.row_state,
            version: homestay.version.get(),
            updated_at: homestay.updated_at,
        }
    }
}

/// Part of a host's homestays, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HomestayList {
    /// The homestays.
    pub items: Vec<OwnHomestayView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The text form of a [`HomestayPosition`], before it is made opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomestayCursor(pub HomestayPosition);

impl fmt::Display for HomestayCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "h{}.{}", self.0.created_at.as_millisecond(), self.0.id)
    }
}

impl HomestayCursor {
    /// Where the page begins that the caller asks for, or 400 `invalid-cursor`.
    pub fn from_query(request: &Request) -> Result<Option<HomestayPosition>, Problem> {
        match cursor::from_query(request)? {
            Some(text) => parse(&text).map(Some).ok_or_else(cursor::invalid),
            None => Ok(None),
        }
    }

    /// As a caller gets it.
    pub fn encode(&self) -> String {
        cursor::encode(&self.to_string())
    }
}

fn parse(text: &str) -> Option<HomestayPosition> {
    let (created_at, id) = text.strip_prefix('h')?.split_once('.')?;
    let created_at = Timestamp::from_millisecond(created_at.parse().ok()?).ok()?;
    let id = id.parse().ok()?;
    (created_at >= Timestamp::UNIX_EPOCH).then_some(HomestayPosition { created_at, id })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn create(members: &Value) -> Result<(NewHomestay, Option<HostId>), Vec<&'static str>> {
        let mut body = json!({
            "title": "t", "lat": 39.9, "lon": 116.4, "city": "北京", "priceFen": 100, "roomType": "double", "capacity": 2,
        });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let request: CreateHomestayRequest = serde_json::from_value(body).unwrap();
        request.parse().map_err(|violations| violations.iter().map(|violation| violation.field).collect())
    }

    fn patch(body: Value) -> Result<HomestayChange, Vec<&'static str>> {
        let request: PatchHomestayRequest = serde_json::from_value(body).unwrap();
        request.parse().map_err(|violations| violations.iter().map(|violation| violation.field).collect())
    }

    #[test]
    fn a_new_homestay_is_not_published_unless_it_says_so() {
        assert_eq!(create(&json!({})).unwrap().0.row_state, RowState::Unpublished);
        assert_eq!(create(&json!({ "rowState": "published" })).unwrap().0.row_state, RowState::Published);
    }

    #[test]
    fn a_place_is_kept_in_the_datum_of_chinese_maps() {
        let gps =
            create(&json!({ "lat": 39.911_954, "lon": 116.377_817, "datum": "wgs84" })).unwrap().0.location;
        let map = GeoPoint::new(39.913_345, 116.384_047).unwrap();
        assert!(gps.distance_m(map) < 10.0, "{gps:?}");
        assert_eq!(create(&json!({ "lat": 91, "lon": -181 })), Err(vec!["lat", "lon"]));
        assert_eq!(patch(json!({ "lat": 39.9 })), Err(vec!["lon"]));
        assert_eq!(patch(json!({ "lon": 116.4 })), Err(vec!["lat"]));
    }

    #[test]
    fn stars_come_with_their_number_and_two_decimals() {
        let rating = Rating { hundredths: 485, count: 7 };
        assert_eq!(create(&json!({ "rating": 4.85, "ratingCount": 7 })).unwrap().0.rating, rating);
        for (stars, field) in [
            (json!({ "rating": 4.855, "ratingCount": 7 }), "rating"),
            (json!({ "rating": 5.01, "ratingCount": 7 }), "rating"),
            (json!({ "rating": -0.01, "ratingCount": 7 }), "rating"),
            (json!({ "rating": 4.8 }), "ratingCount"),
            (json!({ "ratingCount": 7 }), "rating"),
        ] {
            assert_eq!(patch(stars.clone()), Err(vec![field]), "{stars}");
        }
    }

    proptest! {
        #[test]
        fn every_hundredth_reads_back(number in 0_u16..=500) {
            let text = serde_json::to_string(&(f64::from(number) / 100.0)).unwrap();
            prop_assert_eq!(hundredths(serde_json::from_str(&text).unwrap()), Some(number));
        }

        #[test]
        fn a_position_reads_back(ms in 0_i64..253_402_207_200_000, id in "[A-Za-z0-9_-]{1,64}") {
            let created_at = Timestamp::from_millisecond(ms).unwrap();
            let position = HomestayPosition { created_at, id: id.parse().unwrap() };
            prop_assert_eq!(parse(&HomestayCursor(position.clone()).to_string()), Some(position));
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = parse(&text);
        }
    }
}
