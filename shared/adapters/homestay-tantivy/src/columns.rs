#![expect(clippy::float_arithmetic, reason = "distances and estimates; no money")]

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use domain_homestay::{GeoPoint, Quality, Ranking};
use tantivy::SegmentReader;
use tantivy::columnar::{Column, StrColumn};

use crate::schema::{column, standing};

/// The numbers of a segment, unpacked: a filter, a sort or a facet is then a walk through an array. About 48 bytes a
/// homestay; a segment never changes, so they are read once.
///
/// What is gone is there too, as zeros, and not visible.
pub(crate) struct Columns {
    pub visible: Vec<bool>,
    /// By id: the place of its id among those of the segment.
    pub id: Vec<u32>,
    pub lat: Vec<i32>,
    pub lon: Vec<i32>,
    /// Fen; a million yuan fits.
    pub price: Vec<u32>,
    pub rating: Vec<u16>,
    pub capacity: Vec<u16>,
    pub room_type: Vec<u8>,
    pub facilities: Vec<u32>,
    /// The place of the name among those of the segment.
    pub city: Vec<u32>,
    pub district: Vec<u32>,
    pub created: Vec<i64>,
    pub quality_rating: Vec<f32>,
    pub quality_sales: Vec<f32>,
    /// Those of best standing first when sorted by it.
    pub standing: Vec<f32>,
    pub ids: Option<StrColumn>,
    pub names: Option<StrColumn>,
    pub cities: Option<StrColumn>,
    pub districts: Option<StrColumn>,
    /// The factors of stars and sales, multiplied, for the weights that were asked for last: operators seldom change them.
    factors: Mutex<Option<Factors>>,
    /// Where each is on a sphere of radius 1, once somebody asks for what is near.
    places: OnceLock<Box<[[f32; 3]]>>,
}

struct Factors {
    rating: f32,
    sales: f32,
    values: Arc<[f32]>,
}

/// A place that no name has.
pub(crate) const NOWHERE: u32 = u32::MAX;

impl Columns {
    pub fn load(reader: &SegmentReader) -> tantivy::Result<Self> {
        let fast = reader.fast_fields();
        let docs = reader.max_doc() as usize;
        let unsigned = |name: &str| fast.column_opt::<u64>(name).map(|values| column(values, docs, 0));
        let signed = |name: &str| fast.column_opt::<i64>(name).map(|values| column(values, docs, 0));
        let float = |name: &str| fast.column_opt::<f64>(name).map(|values| column(values, docs, 0.0));
        let ords = |values: Option<&StrColumn>| {
            let ords = values.map(|values| values.ords().clone());
            column(ords, docs, u64::from(NOWHERE)).into_iter().map(to_u32).collect::<Vec<_>>()
        };
        let (ids, names) = (fast.str(column::ID)?, fast.str(column::NAME)?);
        let (cities, districts) = (fast.str(column::CITY)?, fast.str(column::DISTRICT)?);
        let quality_rating: Vec<f32> = float(column::QUALITY_RATING)?.into_iter().map(to_f32).collect();
        let quality_sales: Vec<f32> = float(column::QUALITY_SALES)?.into_iter().map(to_f32).collect();
        let ranking = Ranking::default();
        let standing = quality_rating
            .iter()
            .zip(&quality_sales)
            .map(|(rating, sales)| standing(&ranking, Quality { rating: *rating, sales: *sales }))
            .collect();
        Ok(Self {
            visible: unsigned(column::VISIBLE)?.into_iter().map(|visible| visible == 1).collect(),
            id: ords(ids.as_ref()),
            lat: signed(column::LAT)?.into_iter().map(to_i32).collect(),
            lon: signed(column::LON)?.into_iter().map(to_i32).collect(),
            price: unsigned(column::PRICE)?.into_iter().map(to_u32).collect(),
            rating: unsigned(column::RATING)?.into_iter().map(to_u16).collect(),
            capacity: unsigned(column::CAPACITY)?.into_iter().map(to_u16).collect(),
            room_type: unsigned(column::ROOM_TYPE)?
                .into_iter()
                .map(|place| u8::try_from(place).unwrap_or(u8::MAX))
                .collect(),
            facilities: unsigned(column::FACILITIES)?.into_iter().map(to_u32).collect(),
            city: ords(cities.as_ref()),
            district: ords(districts.as_ref()),
            created: signed(column::CREATED)?,
            quality_rating,
            quality_sales,
            standing,
            ids,
            names,
            cities,
            districts,
            factors: Mutex::default(),
            places: OnceLock::new(),
        })
    }

    /// Where each is on a sphere of radius 1.
    pub fn places(&self) -> &[[f32; 3]] {
        let place = |(lat, lon): (&i32, &i32)| point(*lat, *lon).map_or([0.0; 3], GeoPoint::on_unit_sphere);
        self.places.get_or_init(|| self.lat.iter().zip(&self.lon).map(place).collect())
    }

    /// The factors of stars and sales of every homestay.
    pub fn factors(&self, ranking: &Ranking) -> Arc<[f32]> {
        let mut factors = self.factors.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(clippy::float_cmp, reason = "the same weights as before, to the bit")]
        let known = factors.as_ref().filter(|it| it.rating == ranking.rating && it.sales == ranking.sales);
        if let Some(known) = known {
            return Arc::clone(&known.values);
        }
        let qualities = self.quality_rating.iter().zip(&self.quality_sales);
        let values: Arc<[f32]> = qualities
            .map(|(rating, sales)| standing(ranking, Quality { rating: *rating, sales: *sales }))
            .collect();
        *factors =
            Some(Factors { rating: ranking.rating, sales: ranking.sales, values: Arc::clone(&values) });
        values
    }
}

/// Where something is, as the columns have it.
pub(crate) fn point(lat: i32, lon: i32) -> Option<GeoPoint> {
    GeoPoint::new(f64::from(lat) / 1e6, f64::from(lon) / 1e6).ok()
}

fn column<T>(values: Option<Column<T>>, docs: usize, default: T) -> Vec<T>
where
    T: PartialOrd + Copy + Send + Sync + std::fmt::Debug + 'static,
{
    let mut all = vec![default; docs];
    if let Some(values) = values {
        values.first_or_default_col(default).get_range(0, &mut all);
    }
    all
}

fn to_u32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn to_i32(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(0)
}

fn to_u16(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "it was one when it was stored")]
fn to_f32(value: f64) -> f32 {
    value as f32
}
