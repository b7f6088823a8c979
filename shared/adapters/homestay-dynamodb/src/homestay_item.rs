use std::error::Error;

use domain_homestay::{
    Facilities, GeoPoint, Homestay, ImportMark, Rating, RoomType, RowState, State, StoredHomestay, Version,
};
use domain_ids::{HomestayId, HostId};
use domain_money::Fen;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::keys::{self, Item};

/// How long it is known that a homestay was deleted, and as which version: an index that is further behind is rebuilt.
const DELETED_KEPT_SECONDS: i64 = 30 * 24 * 60 * 60;

/// A homestay as it is stored. Times are milliseconds since 1970; one that is deleted has no content.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HomestayItem {
    id: HomestayId,
    version: u64,
    host: HostId,
    created_at: i64,
    updated_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<i64>,
    #[serde(flatten)]
    content: Option<ContentItem>,
}

/// What is said of a homestay, as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContentItem {
    title: String,
    subtitle: String,
    info: String,
    location: GeoPoint,
    city: String,
    district: String,
    price_fen: Fen,
    rating: Rating,
    sales: u32,
    room_type: RoomType,
    capacity: u16,
    facilities: Facilities,
    cover: String,
    row_state: RowState,
}

/// Every attribute that a homestay may have beside its key and [`IMPORTED`]: one that a version has not is removed.
pub(crate) const ATTRIBUTES: [&str; 22] = [
    "id",
    "version",
    "host",
    "createdAt",
    "updatedAt",
    "deletedAt",
    "title",
    "subtitle",
    "info",
    "location",
    "city",
    "district",
    "priceFen",
    "rating",
    "sales",
    "roomType",
    "capacity",
    "facilities",
    "cover",
    "rowState",
    "hostPk",
    "ttl",
];

/// The attribute that says which import wrote the homestay last; whoever else writes it leaves it alone.
pub(crate) const IMPORTED: &str = "imported";

/// An image of the stream, or an item, is not the homestay it should be.
#[derive(Debug, thiserror::Error)]
#[error("not a readable homestay")]
pub struct Unreadable(#[source] Box<dyn Error + Send + Sync>);

/// The attributes of a homestay, without its key.
pub(crate) fn write(homestay: &Homestay) -> Result<Item, serde_dynamo::Error> {
    let deleted_at = match homestay.state {
        State::Present => None,
        State::Deleted(at) => Some(at),
    };
    let content = || ContentItem {
        title: homestay.title.clone(),
        subtitle: homestay.subtitle.clone(),
        info: homestay.info.clone(),
        location: homestay.location,
        city: homestay.city.clone(),
        district: homestay.district.clone(),
        price_fen: homestay.price,
        rating: homestay.rating,
        sales: homestay.sales,
        room_type: homestay.room_type,
        capacity: homestay.capacity,
        facilities: homestay.facilities.clone(),
        cover: homestay.cover.clone(),
        row_state: homestay.row_state,
    };
    let mut item: Item = serde_dynamo::to_item(HomestayItem {
        id: homestay.id.clone(),
        version: homestay.version.get(),
        host: homestay.host.clone(),
        created_at: homestay.created_at.as_millisecond(),
        updated_at: homestay.updated_at.as_millisecond(),
        deleted_at: deleted_at.map(Timestamp::as_millisecond),
        content: deleted_at.is_none().then(content),
    })?;
    match deleted_at {
        None => item.insert("hostPk".into(), keys::text(keys::host(&homestay.host))),
        Some(at) => item.insert("ttl".into(), keys::number(at.as_second() + DELETED_KEPT_SECONDS)),
    };
    Ok(item)
}

/// The homestay of an item, or of an image of the table's stream; `None` if it is something else that the table holds.
///
/// One that is deleted comes without content.
pub fn homestay_from_image(image: impl Into<serde_dynamo::Item>) -> Result<Option<Homestay>, Unreadable> {
    let image = image.into();
    match image.get("sk") {
        Some(serde_dynamo::AttributeValue::S(sk)) if sk == keys::HOMESTAY => parse(image).map(Some),
        Some(serde_dynamo::AttributeValue::S(_)) => Ok(None),
        _ => Err(Unreadable("no sort key".into())),
    }
}

pub(crate) fn parse(item: impl Into<serde_dynamo::Item>) -> Result<Homestay, Unreadable> {
    let item: HomestayItem =
        serde_dynamo::from_item(item.into()).map_err(|error| Unreadable(Box::new(error)))?;
    let time = |ms| Timestamp::from_millisecond(ms).map_err(|error| Unreadable(Box::new(error)));
    let state = match item.deleted_at {
        None => State::Present,
        Some(at) => State::Deleted(time(at)?),
    };
    let content = match (state, item.content) {
        (State::Deleted(_), _) => stripped()?,
        (State::Present, Some(content)) => content,
        (State::Present, None) => return Err(Unreadable("its content is missing or not readable".into())),
    };
    Ok(Homestay {
        id: item.id,
        version: Version::from_stored(item.version),
        host: item.host,
        title: content.title,
        subtitle: content.subtitle,
        info: content.info,
        location: content.location,
        city: content.city,
        district: content.district,
        price: content.price_fen,
        rating: content.rating,
        sales: content.sales,
        room_type: content.room_type,
        capacity: content.capacity,
        facilities: content.facilities,
        cover: content.cover,
        row_state: content.row_state,
        state,
        created_at: time(item.created_at)?,
        updated_at: time(item.updated_at)?,
    })
}

/// Stands in for the content of a homestay that is deleted.
fn stripped() -> Result<ContentItem, Unreadable> {
    Ok(ContentItem {
        title: String::new(),
        subtitle: String::new(),
        info: String::new(),
        location: GeoPoint::new(0.0, 0.0).map_err(|error| Unreadable(Box::new(error)))?,
        city: String::new(),
        district: String::new(),
        price_fen: Fen::new(0),
        rating: Rating::default(),
        sales: 0,
        room_type: RoomType::Entire,
        capacity: 0,
        facilities: Facilities::new(),
        cover: String::new(),
        row_state: RowState::Unpublished,
    })
}

/// The homestay with the mark of the import that wrote it last.
pub(crate) fn parse_stored(mut item: Item) -> Result<StoredHomestay, Unreadable> {
    let mark = item.remove(IMPORTED).map(serde_dynamo::from_attribute_value::<_, ImportMark>).transpose();
    let mark = mark.map_err(|error| Unreadable(Box::new(error)))?;
    Ok(StoredHomestay { homestay: parse(item)?, mark })
}
