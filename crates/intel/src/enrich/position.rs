//! Where on the Earth something is: as coarse as a dot on a map may be.

/// Hundredths of a degree, which is about a kilometre.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    latitude: i16,
    longitude: i16,
}

impl Position {
    /// From degrees, north and east positive; `None` where there is no such place.
    pub fn of(latitude: f64, longitude: f64) -> Option<Self> {
        let hundredths = |degrees: f64, most: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "at most 18000")]
            (-most..=most).contains(&degrees).then(|| libm::round(degrees * 100.0) as i16)
        };
        Some(Self { latitude: hundredths(latitude, 90.0)?, longitude: hundredths(longitude, 180.0)? })
    }

    /// Degrees, north positive.
    pub fn latitude(self) -> f64 {
        f64::from(self.latitude) / 100.0
    }

    /// Degrees, east positive.
    pub fn longitude(self) -> f64 {
        f64::from(self.longitude) / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_come_back_and_what_is_nowhere_is_none() {
        let place = Position::of(-33.868, 151.207).unwrap();
        assert_eq!((place.latitude(), place.longitude()), (-33.87, 151.21));
        for (latitude, longitude) in [(90.1, 0.0), (0.0, -180.5), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(Position::of(latitude, longitude), None);
        }
        assert!(Position::of(-90.0, 180.0).is_some());
    }
}
