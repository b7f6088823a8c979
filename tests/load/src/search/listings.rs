//! Real listings, several times over.

use anyhow::{Context, Result};
use domain_homestay::{GeoPoint, Homestay};
use fastrand::Rng;

/// Each listing `copies` times, under ids and within a kilometre or two of places of its own.
pub fn multiplied(copies: usize) -> Result<Vec<Homestay>> {
    let listings =
        testing::listings().context("the real listings are not there: see shared/testing/src/listings.rs")?;
    let mut random = Rng::with_seed(1);
    let mut all = Vec::with_capacity(listings.len() * copies);
    for copy in 0..copies {
        for listing in &listings {
            let mut homestay = listing.clone();
            if copy > 0 {
                homestay.id = format!("{}-{copy}", homestay.id).parse()?;
                let (lat, lon) = (homestay.location.lat(), homestay.location.lon());
                let mut near = |degrees: f64| degrees + (random.f64() - 0.5) / 40.0;
                homestay.location = GeoPoint::new(near(lat), near(lon))?;
            }
            all.push(homestay);
        }
    }
    Ok(all)
}
