use std::collections::HashMap;

use domain_homestay::{Bucket, CAPACITY_STEPS, Facets, Facility, PRICE_STEPS, RATING_STEPS, RoomType};
use tantivy::columnar::StrColumn;

use crate::columns::Columns;

/// Names of a facet that are told.
const NAMES: usize = 50;

/// What is counted in one segment, by the place of a value in its columns.
pub(crate) struct Counts {
    cities: Vec<u64>,
    districts: Vec<u64>,
    room_types: [u64; RoomType::ALL.len()],
    facilities: [u64; Facility::ALL.len()],
    /// By the last step that is not greater; the first place is for none.
    prices: [u64; PRICE_STEPS.len() + 1],
    ratings: [u64; RATING_STEPS.len() + 1],
    capacities: [u64; CAPACITY_STEPS.len() + 1],
}

impl Counts {
    pub fn new(columns: &Columns) -> Self {
        let places =
            |names: Option<&StrColumn>| vec![0; names.map_or(0, |names| names.dictionary().num_terms())];
        Self {
            cities: places(columns.cities.as_ref()),
            districts: places(columns.districts.as_ref()),
            room_types: [0; _],
            facilities: [0; _],
            prices: [0; _],
            ratings: [0; _],
            capacities: [0; _],
        }
    }

    pub fn count(&mut self, columns: &Columns, at: usize) {
        add(&mut self.cities, columns.city.get(at).map(|place| *place as usize));
        add(&mut self.districts, columns.district.get(at).map(|place| *place as usize));
        add(&mut self.room_types, columns.room_type.get(at).map(|place| usize::from(*place)));
        let mut facilities = columns.facilities.get(at).copied().unwrap_or(0);
        while facilities != 0 {
            add(&mut self.facilities, Some(facilities.trailing_zeros() as usize));
            facilities &= facilities - 1;
        }
        let price = columns.price.get(at).copied().map_or(0, u64::from);
        add(&mut self.prices, Some(PRICE_STEPS.partition_point(|step| *step <= price)));
        let rating = columns.rating.get(at).copied().unwrap_or(0);
        add(&mut self.ratings, Some(RATING_STEPS.partition_point(|step| *step <= rating)));
        let capacity = columns.capacity.get(at).copied().unwrap_or(0);
        add(&mut self.capacities, Some(CAPACITY_STEPS.partition_point(|step| *step <= capacity)));
    }
}

fn add(counts: &mut [u64], place: Option<usize>) {
    if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
        *count += 1;
    }
}

/// What is counted in all segments.
#[derive(Default)]
pub(crate) struct Tally {
    cities: HashMap<String, u64>,
    districts: HashMap<String, u64>,
    room_types: [u64; RoomType::ALL.len()],
    facilities: [u64; Facility::ALL.len()],
    prices: [u64; PRICE_STEPS.len() + 1],
    ratings: [u64; RATING_STEPS.len() + 1],
    capacities: [u64; CAPACITY_STEPS.len() + 1],
}

impl Tally {
    pub fn add(&mut self, columns: &Columns, counts: &Counts) -> std::io::Result<()> {
        names(&mut self.cities, columns.cities.as_ref(), &counts.cities)?;
        names(&mut self.districts, columns.districts.as_ref(), &counts.districts)?;
        sum(&mut self.room_types, &counts.room_types);
        sum(&mut self.facilities, &counts.facilities);
        sum(&mut self.prices, &counts.prices);
        sum(&mut self.ratings, &counts.ratings);
        sum(&mut self.capacities, &counts.capacities);
        Ok(())
    }

    pub fn facets(self) -> Facets {
        let room_types = RoomType::ALL.iter().copied().zip(self.room_types).collect();
        let facilities = Facility::ALL.iter().copied().zip(self.facilities).collect();
        let prices = PRICE_STEPS.iter().zip(self.prices.iter().skip(1));
        Facets {
            cities: most_first(self.cities.into_iter().collect(), |name| name.as_str()),
            districts: most_first(self.districts.into_iter().collect(), |name| name.as_str()),
            room_types: most_first(room_types, |room_type| room_type.name()),
            facilities: most_first(facilities, |facility| facility.name()),
            prices: prices.map(|(from, count)| Bucket { from: *from, count: *count }).collect(),
            ratings: or_more(&RATING_STEPS, &self.ratings),
            capacities: or_more(&CAPACITY_STEPS, &self.capacities),
        }
    }
}

fn sum(all: &mut [u64], counts: &[u64]) {
    for (all, count) in all.iter_mut().zip(counts) {
        *all += count;
    }
}

fn names(all: &mut HashMap<String, u64>, names: Option<&StrColumn>, counts: &[u64]) -> std::io::Result<()> {
    let Some(names) = names else { return Ok(()) };
    let mut name = String::new();
    for (place, count) in (0..).zip(counts).filter(|(_, count)| **count > 0) {
        // A homestay without a district is in none that could be asked for.
        if names.ord_to_str(place, &mut name)? && !name.is_empty() {
            *all.entry(name.clone()).or_default() += count;
        }
    }
    Ok(())
}

fn most_first<T>(mut counts: Vec<(T, u64)>, name: impl Fn(&T) -> &str) -> Vec<(T, u64)> {
    counts.retain(|(_, count)| *count > 0);
    counts.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| name(a).cmp(name(b))));
    counts.truncate(NAMES);
    counts
}

/// "So many or more" of counts by step: each has those of the steps after it too.
fn or_more(steps: &[u16], counts: &[u64]) -> Vec<Bucket> {
    let mut count = 0;
    let steps = steps.iter().zip(counts.iter().skip(1)).rev();
    let mut buckets: Vec<Bucket> = steps
        .map(|(from, step)| {
            count += step;
            Bucket { from: u64::from(*from), count }
        })
        .collect();
    buckets.reverse();
    buckets
}
