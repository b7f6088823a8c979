use domain_ids::HomestayId;
use domain_money::Fen;
use jiff::Timestamp;

use crate::{Facilities, Facility, GeoPoint, Homestay, NewHomestay, Rating, RoomType, RowState};

pub(crate) const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

pub(crate) fn new_homestay() -> NewHomestay {
    NewHomestay {
        title: "三里屯阳光大床房".to_owned(),
        subtitle: "近地铁".to_owned(),
        info: "安静".to_owned(),
        location: GeoPoint::new(39.936, 116.4546).unwrap(),
        city: "北京".to_owned(),
        district: "朝阳区".to_owned(),
        price: Fen::new(29_900),
        room_type: RoomType::Double,
        capacity: 2,
        facilities: Facilities::from([Facility::Wifi]),
        cover: String::new(),
        row_state: RowState::Published,
        rating: Rating { hundredths: 480, count: 12 },
        sales: 30,
    }
}

pub(crate) fn homestay(id: &str) -> Homestay {
    let id: HomestayId = id.parse().unwrap();
    Homestay::create(id, "host".parse().unwrap(), new_homestay(), NOW).unwrap()
}
