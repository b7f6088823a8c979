use std::ops::RangeInclusive;

use domain_homestay::{GeoPoint, IndexQuery, Near, metres_between};
use tantivy::columnar::StrColumn;

use crate::columns::{Columns, point};
use crate::schema::{facilities, micro, room_type};

/// The filters of a query, in the terms of a segment.
pub(crate) struct Filter<'a> {
    columns: &'a Columns,
    price: Option<RangeInclusive<u32>>,
    rating: Option<RangeInclusive<u16>>,
    capacity: Option<u16>,
    facilities: u32,
    room_types: Option<u32>,
    city: Option<u32>,
    district: Option<u32>,
    area: Option<Area>,
    near: Option<Here<'a>>,
}

/// Where the guest wants to be, and where everything is.
struct Here<'a> {
    point: GeoPoint,
    place: [f32; 3],
    places: &'a [[f32; 3]],
}

/// A circle and the box around it, in millionths of a degree.
struct Area {
    lat: RangeInclusive<i32>,
    west: i32,
    east: i32,
    radius_m: f64,
}

/// One that passed.
pub(crate) struct Passed {
    /// Metres to where the guest wants to be: no less than that; 0 if nobody says where that is.
    pub least_m: f64,
}

impl<'a> Filter<'a> {
    /// `None` if nothing in the segment can pass.
    pub fn of(query: &IndexQuery, columns: &'a Columns) -> std::io::Result<Option<Self>> {
        let filters = &query.filters;
        let fen = |fen: domain_money::Fen| u32::try_from(fen.get()).unwrap_or(u32::MAX);
        let price = (filters.min_price.is_some() || filters.max_price.is_some())
            .then(|| filters.min_price.map_or(0, fen)..=filters.max_price.map_or(u32::MAX, fen));
        let rating = (filters.min_rating.is_some() || filters.max_rating.is_some())
            .then(|| filters.min_rating.unwrap_or(0)..=filters.max_rating.unwrap_or(u16::MAX));
        let city = match &filters.city {
            None => None,
            Some(name) => match place(columns.cities.as_ref(), name)? {
                None => return Ok(None),
                found => found,
            },
        };
        let district = match &filters.district {
            None => None,
            Some(name) => match place(columns.districts.as_ref(), name)? {
                None => return Ok(None),
                found => found,
            },
        };
        let room_types = (!filters.room_types.is_empty())
            .then(|| filters.room_types.iter().fold(0, |all, wanted| all | bit(room_type(*wanted))));
        Ok(Some(Self {
            columns,
            price,
            rating,
            capacity: filters.capacity,
            facilities: facilities(&filters.facilities),
            room_types,
            city,
            district,
            area: query.near.as_ref().and_then(Area::of),
            near: query.near.map(|near| Here {
                point: near.point,
                place: near.point.on_unit_sphere(),
                places: columns.places(),
            }),
        }))
    }

    /// Metres to where the guest wants to be.
    pub fn distance_m(&self, doc: usize) -> Option<f64> {
        let at = point(*self.columns.lat.get(doc)?, *self.columns.lon.get(doc)?)?;
        Some(self.near.as_ref()?.point.distance_m(at))
    }

    /// Whether a homestay that was not deleted is found.
    pub fn passes(&self, doc: usize) -> Option<Passed> {
        let columns = self.columns;
        let passes = columns.visible.get(doc) == Some(&true)
            && self.city.is_none_or(|city| columns.city.get(doc) == Some(&city))
            && self.district.is_none_or(|district| columns.district.get(doc) == Some(&district))
            && within(self.price.as_ref(), &columns.price, doc)
            && within(self.rating.as_ref(), &columns.rating, doc)
            && self.capacity.is_none_or(|least| columns.capacity.get(doc).is_some_and(|it| *it >= least))
            && (self.facilities == 0
                || columns.facilities.get(doc).is_some_and(|it| it & self.facilities == self.facilities))
            && self
                .room_types
                .is_none_or(|any| columns.room_type.get(doc).is_some_and(|it| any & bit(*it) != 0));
        if !passes {
            return None;
        }
        let Some(near) = &self.near else { return Some(Passed { least_m: 0.0 }) };
        if let Some(area) = &self.area
            && !area.has(*columns.lat.get(doc)?, *columns.lon.get(doc)?)
        {
            return None;
        }
        let distance_m = metres_between(near.place, *near.places.get(doc)?);
        let it = Passed { least_m: *distance_m.start() };
        match &self.area {
            Some(area) if *distance_m.end() > area.radius_m => {
                let within = it.least_m <= area.radius_m && self.distance_m(doc)? <= area.radius_m;
                within.then_some(it)
            }
            Some(_) | None => Some(it),
        }
    }
}

impl Area {
    fn of(near: &Near) -> Option<Self> {
        let radius_m = near.radius_m?;
        let (south_west, north_east) = near.point.around(radius_m);
        Some(Self {
            lat: micro(south_west.lat())..=micro(north_east.lat()),
            west: micro(south_west.lon()),
            east: micro(north_east.lon()),
            radius_m,
        })
    }

    fn has(&self, lat: i32, lon: i32) -> bool {
        // Its west is east of its east where it crosses the 180th meridian.
        let lon_within = if self.west <= self.east {
            lon >= self.west && lon <= self.east
        } else {
            lon >= self.west || lon <= self.east
        };
        self.lat.contains(&lat) && lon_within
    }
}

fn within<T: PartialOrd>(range: Option<&RangeInclusive<T>>, values: &[T], doc: usize) -> bool {
    range.is_none_or(|range| values.get(doc).is_some_and(|value| range.contains(value)))
}

fn bit(place: u8) -> u32 {
    1_u32.checked_shl(place.into()).unwrap_or(0)
}

/// The place of `name` in the segment, if anything there has it.
fn place(names: Option<&StrColumn>, name: &str) -> std::io::Result<Option<u32>> {
    let Some(names) = names else { return Ok(None) };
    Ok(names.dictionary().term_ord(name)?.and_then(|place| u32::try_from(place).ok()))
}
