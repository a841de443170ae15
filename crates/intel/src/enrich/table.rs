//! A table of places of one's own, as text: a network a line, and what is known of it.
//!
//! ```text
//! # prefix, asn, country, city, latitude, longitude: degrees, north and east positive; what is not known is left empty
//! 192.0.2.0/24,64500,QM,Sampleton,51.5,9.1
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::Prefix;
use base::prefix::PrefixTable;

use super::{Place, Position};

/// Lines of a table at most.
const LINES_MAX: usize = 1 << 20;
/// Octets of a city's name at most.
const CITY_MAX: usize = 100;

/// See above. The longest network that holds an address tells of it.
#[derive(Clone, Debug, Default)]
pub struct Table {
    longest: PrefixTable<Place>,
    all: BTreeMap<Prefix, Place>,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}; write prefix,asn,country,city,latitude,longitude")]
pub struct Misread {
    /// Counted from 1.
    pub line: usize,
    /// What it is.
    pub what: String,
}

impl Table {
    /// From the text of a file.
    ///
    /// # Errors
    /// The first line that cannot be read.
    pub fn read(text: &str) -> Result<Self, Misread> {
        let mut all = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: String| Misread { line: number + 1, what };
            if all.len() >= LINES_MAX {
                return Err(wrong(format!("more than {LINES_MAX} networks")));
            }
            let (prefix, place) = entry(line).map_err(wrong)?;
            if all.insert(prefix, place).is_some() {
                return Err(wrong(format!("{prefix} stands there twice")));
            }
        }
        let entries = all.iter().map(|(prefix, place)| (*prefix, place.clone()));
        Ok(Self { longest: PrefixTable::new(entries), all })
    }

    /// What it says of an address.
    pub fn place(&self, address: IpAddr) -> Option<&Place> {
        self.longest.longest(address)
    }

    /// Its networks inside another one, by address.
    pub fn within(&self, network: Prefix) -> impl Iterator<Item = (Prefix, &Place)> {
        self.all
            .iter()
            .filter(move |(prefix, _)| network.covers(prefix))
            .map(|(prefix, place)| (*prefix, place))
    }
}

fn entry(line: &str) -> Result<(Prefix, Place), String> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [prefix, asn, country, city, latitude, longitude] = fields.as_slice() else {
        return Err(format!("{} fields instead of 6", fields.len()));
    };
    let prefix: Prefix = prefix.parse().map_err(|_| format!("`{prefix}` is no prefix"))?;
    let given = |text: &&str| !text.is_empty();
    let asn = Some(*asn)
        .filter(given)
        .map(|text| text.parse::<u32>().map_err(|_| format!("`{text}` is no number of a network")));
    let country = Some(*country).filter(given).map(|text| {
        let fits = text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_uppercase());
        if fits { Ok(text.to_owned()) } else { Err(format!("`{text}` is no country of two capitals")) }
    });
    let city = Some(*city).filter(given).map(|text| {
        let fits = text.len() <= CITY_MAX && !text.contains(char::is_control);
        if fits { Ok(text.to_owned()) } else { Err(format!("a city's name has at most {CITY_MAX} octets")) }
    });
    let position = match (*latitude, *longitude) {
        ("", "") => None,
        (latitude, longitude) => {
            let degrees = latitude.parse().ok().zip(longitude.parse().ok());
            let position = degrees.and_then(|(latitude, longitude)| Position::of(latitude, longitude));
            Some(position.ok_or_else(|| format!("`{latitude},{longitude}` is nowhere"))?)
        }
    };
    let place = Place {
        asn: asn.transpose()?,
        prefix: None,
        country: country.transpose()?,
        city: city.transpose()?,
        position,
    };
    Ok((prefix, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_network_tells_and_both_families_are_there() {
        let table = Table::read(
            "# ours\n192.0.2.0/24,64500,QM,Sampleton,51.5,9.1\n\n192.0.2.128/25,,,Mockville,,\n2001:db8::/32,,QN,,-33.9,151.2\n",
        )
        .unwrap();
        let place = |address: &str| table.place(address.parse().unwrap()).cloned();
        let first = place("192.0.2.1").unwrap();
        assert_eq!((first.asn, first.country.as_deref()), (Some(64_500), Some("QM")));
        assert_eq!(first.position, Position::of(51.5, 9.1));
        let second = place("192.0.2.200").unwrap();
        assert_eq!((second.city.as_deref(), second.position), (Some("Mockville"), None));
        assert_eq!(place("2001:db8::1").unwrap().country.as_deref(), Some("QN"));
        assert_eq!(place("198.51.100.1"), None);
        assert_eq!(table.within("192.0.0.0/16".parse().unwrap()).count(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        for (line, why) in [
            ("192.0.2.0/24", "line 2: 1 fields instead of 6"),
            ("x,,,,,", "`x` is no prefix"),
            ("192.0.2.0/24,x,,,,", "`x` is no number of a network"),
            ("192.0.2.0/24,,Germany,,,", "`Germany` is no country"),
            ("192.0.2.0/24,,,,91,0", "`91,0` is nowhere"),
            ("192.0.2.0/24,,,,1,", "`1,` is nowhere"),
        ] {
            let wrong = Table::read(&format!("# a comment\n{line}\n")).unwrap_err().to_string();
            assert!(wrong.contains(why), "{wrong}");
        }
        assert!(Table::read("192.0.2.0/24,,,,,\n192.0.2.0/24,1,,,,\n").unwrap_err().what.contains("twice"));
    }
}
