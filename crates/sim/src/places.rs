//! Where the world's addresses are: a made-up table in the form that `[intel] places` takes, so that a map lives without any file
//! about the real Internet. Countries are codes that ISO 3166 leaves to users, numbers of networks those for documentation, and no
//! such city is there.

/// The table, as text: `prefix,asn,country,city,latitude,longitude`. The world's own networks stand there, too.
pub const TABLE: &str = include_str!("places.csv");

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use base::Prefix;

    use super::*;
    use crate::population::internet;

    fn rows() -> Vec<(Prefix, Vec<&'static str>)> {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        let rows = lines.map(|line| line.split(',').collect::<Vec<_>>());
        rows.map(|row| (row[0].parse().unwrap(), row)).collect()
    }

    #[test]
    fn nearly_everybody_is_somewhere_in_both_families() {
        let rows = rows();
        for like in ["192.0.2.1", "2001:db8::1"] {
            let like: IpAddr = like.parse().unwrap();
            let placed = (0..2_000u64)
                .filter(|seed| rows.iter().any(|(prefix, _)| prefix.contains(internet(*seed, like))));
            // a few are nowhere, so that what is unknown is seen too
            assert!((1_700..2_000).contains(&placed.count()), "{like}");
        }
    }

    #[test]
    fn nothing_in_it_is_real() {
        for (prefix, row) in rows() {
            let asn: u32 = row[1].parse().unwrap();
            assert!((64_496..=64_511).contains(&asn) || (65_536..=65_551).contains(&asn), "{prefix}");
            let country = row[2].as_bytes();
            assert!(matches!(country, [b'Q', b'M'..=b'Z'] | [b'X', b'A'..=b'Z']), "{prefix}");
            let (latitude, longitude): (f64, f64) = (row[4].parse().unwrap(), row[5].parse().unwrap());
            assert!(latitude.abs() < 75.0 && longitude.abs() <= 180.0, "{prefix}");
        }
    }
}
