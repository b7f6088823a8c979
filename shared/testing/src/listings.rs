//! Real listings as homestays.
#![expect(clippy::float_arithmetic, reason = "a listings file tells money and stars as decimal numbers")]

use std::{error::Error, io::Read, path::Path};

use domain_homestay::{
    Facilities, Facility, Homestay, NewHomestay, Rating, RoomType, RowState, wgs84_to_gcj02,
};
use domain_ids::HostId;
use domain_money::Fen;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// Where the real listings are, if they are there: beside the checkout, never in it.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/listings/beijing.csv");

/// The city of that file.
const CITY: &str = "北京";

/// What the ids of these homestays begin with.
const SOURCE: &str = "listings";

/// Words of a title that say what a homestay has. A homestay whose title says that it has none of it has none.
const WORDS: [(Facility, &[&str]); 18] = [
    (Facility::Wifi, &["wifi", "无线", "网络", "宽带"]),
    (Facility::Parking, &["停车", "车位"]),
    (Facility::Breakfast, &["早餐", "早饭"]),
    (Facility::AirConditioning, &["空调"]),
    (Facility::Heating, &["暖气", "地暖", "供暖"]),
    (Facility::Kitchen, &["厨房", "做饭", "可炊"]),
    (Facility::Washer, &["洗衣机"]),
    (Facility::Elevator, &["电梯"]),
    (Facility::Projector, &["投影", "巨幕"]),
    (Facility::Bathtub, &["浴缸", "泡澡"]),
    (Facility::Garden, &["院子", "小院", "庭院", "独院", "院落", "四合院", "花园"]),
    (Facility::Barbecue, &["烧烤", "bbq"]),
    (Facility::Pool, &["泳池", "游泳"]),
    (Facility::Karaoke, &["ktv", "卡拉ok"]),
    (Facility::Pets, &["宠物"]),
    (Facility::StepFree, &["无障碍"]),
    (Facility::SelfCheckIn, &["自助入住", "密码锁", "智能锁"]),
    (Facility::Desk, &["书桌", "办公"]),
];

/// What in front of a word takes it back.
const NEGATIONS: [&str; 3] = ["没", "无", "没有"];

/// Words of a title that say what kind of room it is, the first one that is there.
const ROOMS: [(RoomType, &[&str]); 4] = [
    (RoomType::Family, &["家庭房", "亲子", "家庭套", "家庭"]),
    (RoomType::Twin, &["双床", "标间", "标准间"]),
    (RoomType::Double, &["大床"]),
    (RoomType::Single, &["单人"]),
];

/// A row of a listings file.
#[derive(Deserialize)]
struct Row {
    room_id: String,
    host_id: String,
    neighbourhood: String,
    name: String,
    latitude: f64,
    longitude: f64,
    room_type: String,
    accommodates: f64,
    price: f64,
    first_review: String,
    number_of_reviews: u32,
    review_scores_rating: Option<f64>,
}

/// A listing, read; not yet checked against the limits of a homestay.
#[derive(Debug, Clone)]
pub struct Listing {
    /// What the file calls it.
    pub external_id: String,
    /// Whose it is.
    pub host: HostId,
    /// What is said of it.
    pub new: NewHomestay,
    /// When it was first reviewed.
    pub created_at: Timestamp,
}

/// The real listings as homestays in the order of their file, those that no homestay can be left out; `None` where the file is
/// not there: then a test says so and is skipped.
///
/// What the file does not say is made by rule: the kind of room and the facilities by words of the title, nights sold by the
/// number of reviews.
pub fn listings() -> Option<Vec<Homestay>> {
    let file = std::fs::File::open(Path::new(FILE)).ok()?;
    let listings = read_listings(file, CITY).expect("the real listings can be read");
    Some(listings.into_iter().filter_map(|listing| listing.homestay(SOURCE)).collect())
}

/// The listings of a file with the columns of Inside Airbnb: prices in yuan, ratings from 0 to 100, places in WGS-84.
pub fn read_listings(file: impl Read, city: &str) -> Result<Vec<Listing>, Box<dyn Error + Send + Sync>> {
    csv::Reader::from_reader(file).deserialize().map(|row| listing(row?, city)).collect()
}

fn listing(row: Row, city: &str) -> Result<Listing, Box<dyn Error + Send + Sync>> {
    let hundredths = number(row.review_scores_rating.unwrap_or_default() * 5.0);
    let rating = match row.review_scores_rating {
        Some(_) => Rating { hundredths: u16::try_from(hundredths)?, count: row.number_of_reviews },
        None => Rating::default(),
    };
    let title = row.name.trim().to_owned();
    Ok(Listing {
        external_id: row.room_id,
        host: row.host_id.parse()?,
        created_at: format!("{}T00:00:00+08:00", row.first_review).parse()?,
        new: NewHomestay {
            location: wgs84_to_gcj02(row.latitude, row.longitude)?,
            city: city.to_owned(),
            district: row.neighbourhood,
            price: Fen::new(number(row.price * 100.0)),
            rating,
            sales: row.number_of_reviews,
            room_type: room_type(&row.room_type, &title),
            capacity: u16::try_from(number(row.accommodates))?,
            facilities: facilities(&title),
            title,
            subtitle: String::new(),
            info: String::new(),
            cover: String::new(),
            row_state: RowState::Published,
        },
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "negative numbers become 0")]
fn number(value: f64) -> u64 {
    value.round() as u64
}

fn facilities(title: &str) -> Facilities {
    let title = title.to_lowercase();
    let says = |word: &&str| {
        title.match_indices(*word).any(|(at, _)| !NEGATIONS.iter().any(|no| title[..at].ends_with(no)))
    };
    WORDS.iter().filter(|(_, words)| words.iter().any(says)).map(|(facility, _)| *facility).collect()
}

fn room_type(kind: &str, title: &str) -> RoomType {
    let said = ROOMS.iter().find(|(_, words)| words.iter().any(|word| title.contains(word)));
    match (kind, said) {
        ("Shared room", _) => RoomType::Shared,
        (_, Some((room_type, _))) => *room_type,
        ("Private room", None) => RoomType::Private,
        (_, None) => RoomType::Entire,
    }
}

impl Listing {
    /// The homestay that it becomes, as an import of `source` makes it; `None` if there can be none.
    pub fn homestay(self, source: &str) -> Option<Homestay> {
        let id = format!("{source}-{}", self.external_id).parse().ok()?;
        Homestay::create(id, self.host, self.new, self.created_at).ok()
    }

    /// The row of an import file that it becomes, in GCJ-02.
    pub fn import_row(&self) -> Value {
        let Self { external_id, host, new, created_at } = self;
        let facilities: Vec<&str> = new.facilities.iter().map(|facility| facility.name()).collect();
        json!({
            "externalId": external_id,
            "hostId": host,
            "title": new.title,
            "lat": new.location.lat(),
            "lon": new.location.lon(),
            "city": new.city,
            "district": new.district,
            "priceFen": new.price,
            "rating": f64::from(new.rating.hundredths) / 100.0,
            "ratingCount": new.rating.count,
            "sales": new.sales,
            "roomType": new.room_type,
            "capacity": new.capacity,
            "facilities": facilities.join("|"),
            "rowState": new.row_state,
            "createdAt": created_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "room_id,host_id,neighbourhood,name,latitude,longitude,room_type,accommodates,bedrooms,beds,price,\
        instant_bookable,first_review,last_review,number_of_reviews,review_scores_rating\n";

    fn one(name: &str, kind: &str) -> Listing {
        let row = format!(
            "7,9,朝阳区,{name},39.911954,116.377817,{kind},2,1,1,8142.910000000002,t,2020-02-29,2021-01-01,12,92.0\n"
        );
        read_listings(format!("{HEADER}{row}").as_bytes(), "北京").unwrap().remove(0)
    }

    #[test]
    fn a_listing_becomes_a_homestay() {
        let listing = one("带小院可烧烤的KTV民宿，没电梯", "Entire home/apt");
        let row = listing.import_row();
        let homestay = listing.homestay("demo").unwrap();
        assert_eq!((homestay.id.as_str(), homestay.host.as_str()), ("demo-7", "9"));
        assert_eq!(
            (homestay.price, homestay.rating),
            (Fen::new(814_291), Rating { hundredths: 460, count: 12 })
        );
        assert_eq!(homestay.created_at, "2020-02-28T16:00:00Z".parse().unwrap());
        let has: Vec<Facility> = homestay.facilities.iter().copied().collect();
        assert_eq!(has, [Facility::Garden, Facility::Barbecue, Facility::Karaoke]);
        assert!((homestay.location.lat() - 39.913_345).abs() < 1e-4);
        assert_eq!((&row["rating"], &row["priceFen"]), (&json!(4.6), &json!(814_291)));
        assert_eq!(
            (&row["facilities"], &row["roomType"]),
            (&json!("garden|barbecue|karaoke"), &json!("entire"))
        );
    }

    #[test]
    fn a_title_says_what_kind_of_room() {
        for (name, kind, room_type) in [
            ("温馨大床房", "Private room", RoomType::Double),
            ("复式双床", "Private room", RoomType::Twin),
            ("亲子家庭房", "Entire home/apt", RoomType::Family),
            ("大床位", "Shared room", RoomType::Shared),
            ("次卧", "Private room", RoomType::Private),
            ("次卧", "Hotel room", RoomType::Entire),
        ] {
            assert_eq!(one(name, kind).new.room_type, room_type, "{name}");
        }
        assert_eq!(one(" ", "Private room").homestay("demo"), None, "nothing is called nothing");
    }

    #[test]
    fn the_real_listings_are_read_if_they_are_there() {
        let Some(listings) = listings() else {
            println!("skipped: no real listings at ../shared/data/listings/beijing.csv");
            return;
        };
        assert!(listings.len() > 9_000, "{}", listings.len());
        assert!(listings.iter().all(Homestay::is_visible));
    }
}
