//! What stands in a fingerprint.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr as _;

use base::Prefix;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::Spread;
use ledger::text::hex;

/// Vectors of one fingerprint; more is none.
const VECTORS_MAX: usize = 1_000;
/// Sources of one vector.
const SOURCES_MAX: usize = 1_000_000;
/// Tags, shapes and tools.
const WORDS_MAX: usize = 1_000;

/// A fingerprint of an attack. Lengths in octets of frames, rates in bits and packets per second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Its parts.
    #[serde(deserialize_with = "capped::<_, _, VECTORS_MAX>")]
    pub attack_vectors: Vec<Vector>,
    /// Address or prefix, or `Anonymous`.
    pub target: String,
    /// Words for people.
    #[serde(deserialize_with = "capped::<_, _, WORDS_MAX>")]
    pub tags: Vec<String>,
    /// Its name: see [`Fingerprint::content_key`]; of the dissector an MD5.
    pub key: String,
    /// First packet.
    pub time_start: String,
    /// Last packet.
    pub time_end: String,
    /// Whole seconds.
    pub duration_seconds: u64,
    /// Flows, where it was made of flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_flows: Option<u64>,
    /// Million octets.
    pub total_megabytes: u64,
    /// Packets.
    pub total_packets: u64,
    /// Distinct sources, also those that are not listed.
    pub total_ips: u64,
    /// Bits per second on average.
    pub avg_bps: u64,
    /// Packets per second on average.
    pub avg_pps: u64,
    /// Octets per packet on average.
    #[serde(rename = "avg_Bpp")]
    pub avg_octets_per_packet: u64,
    /// What the format has no place for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spillway: Option<Ours>,
}

/// One part of an attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vector {
    /// The service whose answers it is, or `null`.
    pub service: Option<String>,
    /// `TCP`, `UDP`, `ICMP`, …
    pub protocol: String,
    /// Of the octets, 0 to 1.
    pub fraction_of_attack: Option<f64>,
    /// Source ports.
    pub source_port: Spread,
    /// Destination ports.
    pub destination_ports: Spread,
    /// TCP flags as tshark draws them.
    pub tcp_flags: Option<Spread>,
    /// Flows, where it was made of flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nr_flows: Option<u64>,
    /// Packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nr_packets: Option<u64>,
    /// Million octets.
    pub nr_megabytes: u64,
    /// First packet.
    pub time_start: String,
    /// Whole seconds.
    pub duration_seconds: u64,
    /// Sources; of ours only those that sent by proof.
    #[serde(deserialize_with = "capped::<_, _, SOURCES_MAX>")]
    pub source_ips: Vec<Place>,
    /// What the frames hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ethernet_type: Option<Spread>,
    /// Octets of frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_len: Option<Spread>,
    /// Fragment offsets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fragmentation_offset: Option<Spread>,
    /// TTLs as they arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Spread>,
    /// Names that were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_query_name: Option<Spread>,
    /// Types that were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_query_type: Option<Spread>,
    /// ICMP types.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "ICMP type")]
    pub icmp_type: Option<Spread>,
    /// What the format has no place for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spillway: Option<OursOfVector>,
}

/// What the format has no place for, of the attack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ours {
    /// Its id.
    pub attack: String,
    /// Names the set of all that attacked, 16 bits in hexadecimal digits.
    pub sources: String,
    /// Sources that sent by proof but found no place.
    pub left_out: u64,
    /// Layer-3 bits in the busiest second.
    pub peak_bps: u64,
    /// Packets in the busiest second.
    pub peak_pps: u64,
    /// N of 1:N; `null` where nobody told.
    pub sampling: Option<u32>,
    /// How far it may go.
    pub tlp: String,
}

/// What the format has no place for, of a vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OursOfVector {
    /// Its name in our documents.
    pub name: String,
    /// Shapes of its packets, the most frequent first.
    #[serde(deserialize_with = "capped::<_, _, WORDS_MAX>")]
    pub shapes: Vec<String>,
    /// Share of forged sources: lower end, estimate, upper end.
    pub forged: Option<[f64; 3]>,
    /// Tools and botnets whose shape it has.
    #[serde(deserialize_with = "capped::<_, _, WORDS_MAX>")]
    pub tools: Vec<String>,
}

/// A source: an address, or the network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub Prefix);

impl Place {
    /// As communities learn it: an IPv6 host's network stands for it.
    pub fn of(address: IpAddr) -> Self {
        Self(if address.is_ipv4() { Prefix::host(address) } else { Prefix::of(address, 64) })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_host() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl Visitor<'_> for Reading {
            type Value = Place;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address or a prefix")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Place, E> {
                let address = IpAddr::from_str(text).map(Prefix::host);
                let prefix = address.or_else(|_| Prefix::from_str(text));
                prefix.map(Place).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Reading)
    }
}

impl Fingerprint {
    /// The SHA-256 of what it says, as compact JSON in the order of the format with an empty key. Fields that a database adds
    /// do not count.
    pub fn content_key(&self) -> String {
        let said = Self { key: String::new(), ..self.clone() };
        // strings, numbers that are finite and maps with text keys are always JSON
        hex(&Sha256::digest(serde_json::to_vec(&said).unwrap_or_default()))
    }
}

/// A list that ends.
fn capped<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Reading<T, const MAX: usize>(core::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Reading<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(one) = seq.next_element()? {
                if list.len() >= MAX {
                    return Err(de::Error::invalid_length(MAX + 1, &self));
                }
                list.push(one);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_seq(Reading::<T, MAX>(core::marker::PhantomData))
}
