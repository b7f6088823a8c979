#![expect(clippy::float_arithmetic, reason = "places on Earth; no money")]

use std::{f64::consts::PI, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{GeoPoint, InvalidPoint};

/// In which datum a caller tells a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Datum {
    /// That of Chinese maps, in which places are kept.
    #[default]
    Gcj02,
    /// That of GPS devices.
    Wgs84,
}

/// No such datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not gcj02 or wgs84")]
pub struct InvalidDatum;

impl Datum {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gcj02 => "gcj02",
            Self::Wgs84 => "wgs84",
        }
    }

    /// The place at `lat` and `lon` in degrees of this datum.
    pub fn point(self, lat: f64, lon: f64) -> Result<GeoPoint, InvalidPoint> {
        match self {
            Self::Gcj02 => GeoPoint::new(lat, lon),
            Self::Wgs84 => wgs84_to_gcj02(lat, lon),
        }
    }
}

impl FromStr for Datum {
    type Err = InvalidDatum;

    fn from_str(text: &str) -> Result<Self, InvalidDatum> {
        [Self::Gcj02, Self::Wgs84].into_iter().find(|datum| datum.name() == text).ok_or(InvalidDatum)
    }
}

/// The semi-major axis of the Krasovsky 1940 ellipsoid, in metres.
const AXIS_M: f64 = 6_378_245.0;

/// The square of its first eccentricity.
const ECCENTRICITY_2: f64 = 0.006_693_421_622_965_943;

/// The place that a GPS device tells as `lat` and `lon`, in GCJ-02.
///
/// The offset is the published approximation (<https://en.wikipedia.org/wiki/Restrictions_on_geographic_data_in_China>), within a
/// metre or two of the secret original. It applies within a box around mainland China; elsewhere both are the same.
pub fn wgs84_to_gcj02(lat: f64, lon: f64) -> Result<GeoPoint, InvalidPoint> {
    if !((0.829_3..=55.827_1).contains(&lat) && (72.004..=137.834_7).contains(&lon)) {
        return GeoPoint::new(lat, lon);
    }
    let (x, y) = (lon - 105.0, lat - 35.0);
    let latitude = lat.to_radians();
    let magic = (-ECCENTRICITY_2 * latitude.sin()).mul_add(latitude.sin(), 1.0);
    // Radii of curvature of the ellipsoid: along the meridian, and of the parallel.
    let meridian = AXIS_M * (1.0 - ECCENTRICITY_2) / (magic * magic.sqrt());
    let parallel = AXIS_M / magic.sqrt() * latitude.cos();
    GeoPoint::new(lat + (north_m(x, y) / meridian).to_degrees(), lon + (east_m(x, y) / parallel).to_degrees())
}

fn north_m(x: f64, y: f64) -> f64 {
    let polynomial = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * x.abs().sqrt();
    polynomial + ripple(x) + wave(y, [20.0, 1.0, 40.0, 3.0]) + wave(y, [160.0, 12.0, 320.0, 30.0])
}

fn east_m(x: f64, y: f64) -> f64 {
    let polynomial = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * x.abs().sqrt();
    polynomial + ripple(x) + wave(x, [20.0, 1.0, 40.0, 3.0]) + wave(x, [150.0, 12.0, 300.0, 30.0])
}

fn ripple(x: f64) -> f64 {
    ((6.0 * x * PI).sin() + (2.0 * x * PI).sin()) * 20.0 * 2.0 / 3.0
}

/// Two sines of amplitudes and divisors of the half period.
fn wave(at: f64, [first, first_period, second, second_period]: [f64; 4]) -> f64 {
    (first * (at * PI / first_period).sin() + second * (at * PI / second_period).sin()) * 2.0 / 3.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_places_are_within_ten_metres() {
        // Shanghai, Shenzhen, Beijing: pairs that the free converters are tested with.
        for (wgs84, gcj02) in [
            ((31.177_427_6, 121.527_210_6), (31.175_303_983_6, 121.531_541_859_2)),
            ((22.543_847, 113.912_316), (22.540_796_131_7, 113.917_176_480_8)),
            ((39.911_954, 116.377_817), (39.913_345_455_4, 116.384_047_224_6)),
        ] {
            let converted = wgs84_to_gcj02(wgs84.0, wgs84.1).unwrap();
            let known = GeoPoint::new(gcj02.0, gcj02.1).unwrap();
            assert!(converted.distance_m(known) < 10.0, "{converted:?} {known:?}");
        }
    }

    #[test]
    fn elsewhere_both_are_the_same() {
        for (lat, lon) in [(48.8584, 2.2945), (-33.8568, 151.2153), (35.6586, 139.7454)] {
            assert_eq!(wgs84_to_gcj02(lat, lon), GeoPoint::new(lat, lon));
        }
        assert_eq!(wgs84_to_gcj02(f64::NAN, 116.0), Err(InvalidPoint));
    }

    #[test]
    fn a_datum_has_one_name() {
        for datum in [Datum::Gcj02, Datum::Wgs84] {
            assert_eq!(datum.name().parse(), Ok(datum));
            assert_eq!(serde_json::to_value(datum).unwrap(), datum.name());
        }
        assert_eq!("WGS84".parse::<Datum>(), Err(InvalidDatum));
    }

    proptest! {
        #[test]
        fn the_offset_is_never_more_than_a_kilometre(lat in 18.0..53.0, lon in 74.0..135.0) {
            let moved = wgs84_to_gcj02(lat, lon).unwrap().distance_m(GeoPoint::new(lat, lon).unwrap());
            prop_assert!((1.0..1_000.0).contains(&moved), "{moved}");
        }
    }
}
