#![expect(clippy::float_arithmetic, reason = "distances on a sphere; no money")]

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// The mean radius of the Earth as Lucene has it, so that every index tells the same distance.
pub const EARTH_RADIUS_M: f64 = 6_371_008.771_4;

/// A place on Earth in GCJ-02, the datum of Chinese maps, to a millionth of a degree (about 0.1 m).
///
/// WGS-84, which GPS devices tell, is up to 600 m apart from it: it is converted at the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "LatLon", into = "LatLon")]
pub struct GeoPoint {
    lat_e6: i32,
    lon_e6: i32,
}

#[derive(Serialize, Deserialize)]
struct LatLon {
    lat: f64,
    lon: f64,
}

/// Latitude or longitude is no number on Earth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("latitude is -90 to 90 and longitude -180 to 180")]
pub struct InvalidPoint;

impl GeoPoint {
    /// At `lat` and `lon` in degrees.
    pub fn new(lat: f64, lon: f64) -> Result<Self, InvalidPoint> {
        // Not a number is in no range.
        if (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon) {
            Ok(Self { lat_e6: micro(lat), lon_e6: micro(lon) })
        } else {
            Err(InvalidPoint)
        }
    }

    /// Degrees north.
    pub fn lat(self) -> f64 {
        f64::from(self.lat_e6) / 1e6
    }

    /// Degrees east.
    pub fn lon(self) -> f64 {
        f64::from(self.lon_e6) / 1e6
    }

    /// Metres to `other` along the sphere (haversine).
    pub fn distance_m(self, other: Self) -> f64 {
        let (lat, other_lat) = (self.lat().to_radians(), other.lat().to_radians());
        let half_lat = ((other_lat - lat) / 2.0).sin();
        let half_lon = ((other.lon() - self.lon()).to_radians() / 2.0).sin();
        let a = half_lat.mul_add(half_lat, lat.cos() * other_lat.cos() * half_lon * half_lon);
        2.0 * EARTH_RADIUS_M * a.min(1.0).sqrt().asin()
    }

    /// The point on a sphere of radius 1; see [`metres_between`].
    #[expect(clippy::cast_possible_truncation, reason = "to half a metre on Earth")]
    pub fn on_unit_sphere(self) -> [f32; 3] {
        let (lat, lon) = (self.lat().to_radians(), self.lon().to_radians());
        [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()].map(|coordinate| coordinate as f32)
    }

    /// The south-west and north-east corners of a box that has everything within `radius_m` metres; its west is east of its
    /// east where it crosses the 180th meridian.
    pub fn around(self, radius_m: f64) -> (Self, Self) {
        // A little more, so that rounding never leaves out what is within.
        let lat_span = (radius_m / EARTH_RADIUS_M).to_degrees() * 1.001 + 1e-5;
        let (south, north) = (self.lat() - lat_span, self.lat() + lat_span);
        let widest = south.abs().max(north.abs());
        let lon_span = if widest >= 89.9 { 180.0 } else { lat_span / widest.to_radians().cos() * 1.001 };
        let corner = |lat: f64, lon: f64| Self { lat_e6: micro(lat.clamp(-90.0, 90.0)), lon_e6: micro(lon) };
        if lon_span >= 180.0 {
            return (corner(south, -180.0), corner(north, 180.0));
        }
        (corner(south, wrap(self.lon() - lon_span)), corner(north, wrap(self.lon() + lon_span)))
    }
}

/// Metres along the sphere between two points of [`GeoPoint::on_unit_sphere`]: at least, and at most. A metre or two apart for
/// what is within a hundred kilometres, and computed in a tenth of the time of [`GeoPoint::distance_m`], which is not needed
/// where this settles the matter.
pub fn metres_between(a: [f32; 3], b: [f32; 3]) -> RangeInclusive<f64> {
    // Half the last place of each coordinate of both.
    const ROUNDED_M: f64 = 1.0;
    let squares = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(b)).powi(2));
    let chord_squared: f64 = squares.sum();
    let chord_m = chord_squared.sqrt() * EARTH_RADIUS_M;
    // An arc of up to 60° is longer than its chord by less than a twentieth of its square.
    let most = if chord_squared <= 1.0 {
        chord_m.mul_add(1.0 + chord_squared / 20.0, ROUNDED_M)
    } else {
        std::f64::consts::PI * EARTH_RADIUS_M
    };
    (chord_m - ROUNDED_M)..=most
}

fn wrap(lon: f64) -> f64 {
    if lon < -180.0 {
        lon + 360.0
    } else if lon > 180.0 {
        lon - 360.0
    } else {
        lon
    }
}

#[expect(clippy::cast_possible_truncation, reason = "180 million fits")]
fn micro(degrees: f64) -> i32 {
    (degrees * 1e6).round() as i32
}

impl TryFrom<LatLon> for GeoPoint {
    type Error = InvalidPoint;

    fn try_from(LatLon { lat, lon }: LatLon) -> Result<Self, InvalidPoint> {
        Self::new(lat, lon)
    }
}

impl From<GeoPoint> for LatLon {
    fn from(point: GeoPoint) -> Self {
        Self { lat: point.lat(), lon: point.lon() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point() -> impl Strategy<Value = GeoPoint> {
        (-89.0..89.0, -180.0..180.0).prop_map(|(lat, lon)| GeoPoint::new(lat, lon).unwrap())
    }

    proptest! {
        #[test]
        fn distance_is_symmetric_and_zero_to_itself(a in point(), b in point()) {
            prop_assert!((a.distance_m(b) - b.distance_m(a)).abs() < 1e-3);
            prop_assert!(a.distance_m(a) < 1e-3);
        }

        #[test]
        fn the_distance_is_between_its_bounds(a in point(), b in point(), near in -0.01..0.01_f64) {
            let neighbour = GeoPoint::new(a.lat() + near, (a.lon() + near).clamp(-180.0, 180.0)).unwrap();
            for b in [b, neighbour, a] {
                let bounds = metres_between(a.on_unit_sphere(), b.on_unit_sphere());
                prop_assert!(bounds.contains(&a.distance_m(b)), "{bounds:?} {}", a.distance_m(b));
            }
            let bounds = metres_between(a.on_unit_sphere(), neighbour.on_unit_sphere());
            prop_assert!(bounds.end() - bounds.start() < 2.1);
        }

        #[test]
        fn what_is_within_the_radius_is_within_the_box(a in point(), b in point(), radius in 1.0..2e6) {
            let (south_west, north_east) = a.around(radius);
            let lon_within = if south_west.lon() <= north_east.lon() {
                (south_west.lon()..=north_east.lon()).contains(&b.lon())
            } else {
                b.lon() >= south_west.lon() || b.lon() <= north_east.lon()
            };
            let within = (south_west.lat()..=north_east.lat()).contains(&b.lat()) && lon_within;
            prop_assert!(within || a.distance_m(b) > radius);
        }
    }

    #[test]
    fn the_gate_of_heavenly_peace_is_5_km_from_sanlitun() {
        let tiananmen = GeoPoint::new(39.908_7, 116.397_5).unwrap();
        let sanlitun = GeoPoint::new(39.936_0, 116.454_6).unwrap();
        assert!((5_600.0..5_900.0).contains(&tiananmen.distance_m(sanlitun)));
    }

    #[test]
    fn what_is_not_on_earth_is_refused() {
        for (lat, lon) in [(f64::NAN, 0.0), (0.0, f64::NAN), (90.1, 0.0), (0.0, -180.1), (f64::INFINITY, 0.0)]
        {
            assert_eq!(GeoPoint::new(lat, lon), Err(InvalidPoint));
        }
    }
}
