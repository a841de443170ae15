//! How values spread over packets: one value, shares of several, or `random`.

use core::fmt;
use std::collections::BTreeMap;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Values of one map; more is no fingerprint.
const VALUES_MAX: usize = 4_096;
/// Octets of a value; a DNS name has 255.
const VALUE_MAX: usize = 1_024;

/// How values spread.
#[derive(Clone, Debug, PartialEq)]
pub enum Spread {
    /// All have this one; ports only.
    One(u16),
    /// The share of each, 0 to 1; `others` stands for the rest.
    Shares(BTreeMap<String, f64>),
    /// No value stands out.
    Random,
}

impl Serialize for Spread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(port) => serializer.serialize_u16(*port),
            Self::Shares(shares) => shares.serialize(serializer),
            Self::Random => serializer.serialize_str("random"),
        }
    }
}

impl<'de> Deserialize<'de> for Spread {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Spread;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port, shares of values, or \"random\"")
    }

    fn visit_u64<E: de::Error>(self, port: u64) -> Result<Spread, E> {
        u16::try_from(port).map(Spread::One).map_err(|_| E::custom(format_args!("{port} is no port")))
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Spread, E> {
        if word == "random" {
            Ok(Spread::Random)
        } else {
            Err(E::invalid_value(de::Unexpected::Str(word), &self))
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Spread, A::Error> {
        let mut shares = BTreeMap::new();
        while let Some((value, share)) = map.next_entry::<String, f64>()? {
            if value.len() > VALUE_MAX {
                return Err(de::Error::custom(format_args!("a value of {} octets", value.len())));
            }
            if !(0.0..=1.0).contains(&share) {
                return Err(de::Error::custom(format_args!("{share} is no share; shares are 0 to 1")));
            }
            if shares.insert(value, share).is_some() {
                return Err(de::Error::custom("a value that stands twice"));
            }
            if shares.len() > VALUES_MAX {
                return Err(de::Error::custom(format_args!("more than {VALUES_MAX} values")));
            }
        }
        Ok(Spread::Shares(shares))
    }
}
