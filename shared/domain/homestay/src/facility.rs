use std::{collections::BTreeSet, str::FromStr};

use serde::{Deserialize, Serialize};

/// An enum whose values have one name each on the wire, in the index and in text.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal, $chinese:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name on the wire and in the index.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// What it is called in Chinese: people search for it in these words.
            pub const fn chinese(self) -> &'static str {
                match self { $(Self::$variant => $chinese,)+ }
            }
        }
    };
}

named! {
    /// What kind of room a homestay is.
    RoomType {
        /// All of a house or flat.
        Entire = "entire", "整套";
        /// A room for one.
        Single = "single", "单人间";
        /// A room with one large bed.
        Double = "double", "大床房";
        /// A room with two beds.
        Twin = "twin", "双床房";
        /// A suite for a family.
        Family = "family", "家庭房";
        /// A room in somebody's home, of whatever size.
        Private = "private", "独立房间";
        /// A bed in a room that is shared.
        Shared = "shared", "合住";
    }
}

named! {
    /// What a homestay has.
    Facility {
        /// Wireless internet.
        Wifi = "wifi", "无线网络";
        /// A place to park.
        Parking = "parking", "停车位";
        /// Breakfast.
        Breakfast = "breakfast", "早餐";
        /// Air conditioning.
        AirConditioning = "air_conditioning", "空调";
        /// Heating.
        Heating = "heating", "暖气";
        /// A kitchen to cook in.
        Kitchen = "kitchen", "厨房";
        /// A washing machine.
        Washer = "washer", "洗衣机";
        /// A lift.
        Elevator = "elevator", "电梯";
        /// A projector.
        Projector = "projector", "投影";
        /// A bath tub.
        Bathtub = "bathtub", "浴缸";
        /// A courtyard or garden.
        Garden = "garden", "院子";
        /// A place to barbecue.
        Barbecue = "barbecue", "烧烤";
        /// A pool.
        Pool = "pool", "泳池";
        /// Karaoke.
        Karaoke = "karaoke", "KTV";
        /// Pets are welcome.
        Pets = "pets", "可带宠物";
        /// Without steps.
        StepFree = "step_free", "无障碍";
        /// A door that opens by code, at any hour.
        SelfCheckIn = "self_check_in", "自助入住";
        /// Workplace.
        Desk = "desk", "书桌";
    }
}

/// No such facility or room type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a name that is known")]
pub struct InvalidFacility;

impl FromStr for Facility {
    type Err = InvalidFacility;

    fn from_str(text: &str) -> Result<Self, InvalidFacility> {
        Self::ALL.iter().copied().find(|facility| facility.name() == text).ok_or(InvalidFacility)
    }
}

impl FromStr for RoomType {
    type Err = InvalidFacility;

    fn from_str(text: &str) -> Result<Self, InvalidFacility> {
        Self::ALL.iter().copied().find(|room_type| room_type.name() == text).ok_or(InvalidFacility)
    }
}

/// What a homestay has, in one order.
pub type Facilities = BTreeSet<Facility>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_wire_are_the_names_in_text() {
        for facility in Facility::ALL {
            assert_eq!(serde_json::to_value(facility).unwrap(), facility.name());
            assert_eq!(facility.name().parse(), Ok(*facility));
        }
        for room_type in RoomType::ALL {
            assert_eq!(serde_json::to_value(room_type).unwrap(), room_type.name());
            assert_eq!(room_type.name().parse(), Ok(*room_type));
        }
    }
}
