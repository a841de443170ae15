//! Numbers that say what they are.
//!
//! A count seen through a sampler is [`Sampled`]; only [`Sampled::scaled`] makes an [`Estimated`] of it, and only
//! [`PacketCount::per`] and [`ByteCount::per`] make rates.

use alloc::string::String;
use core::fmt;
use core::iter::Sum;
use core::ops::{Add, AddAssign};
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Span;

macro_rules! count {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
                counts.fold(Self(0), Add::add)
            }
        }
    };
}

count!(
    /// A number of packets.
    PacketCount
);
count!(
    /// A number of layer-3 octets.
    ByteCount
);

/// Packets per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct PacketRate(pub f64);

/// Bits per second on layer 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct BitRate(pub f64);

impl PacketCount {
    /// The rate over `span`; `None` over no time at all.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    pub fn per(self, span: Span) -> Option<PacketRate> {
        (span > Span::ZERO).then(|| PacketRate(self.0 as f64 / span.as_secs_f64()))
    }
}

impl ByteCount {
    /// The rate over `span`; `None` over no time at all.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    pub fn per(self, span: Span) -> Option<BitRate> {
        (span > Span::ZERO).then(|| BitRate(self.0 as f64 * 8.0 / span.as_secs_f64()))
    }
}

/// A count as the sampler let it through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampled<T>(pub T);

/// A count as it probably was before the sampler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Estimated<T>(T);

macro_rules! scaled {
    ($name:ident) => {
        impl Sampled<$name> {
            /// Times the N of 1:N, saturating.
            pub const fn scaled(self, rate: u32) -> Estimated<$name> {
                Estimated($name(self.0.0.saturating_mul(rate as u64)))
            }
        }
    };
}
scaled!(PacketCount);
scaled!(ByteCount);

impl<T: Copy> Estimated<T> {
    /// The estimate.
    pub const fn get(self) -> T {
        self.0
    }
}

/// A number with an SI prefix and three significant digits: `1.07 M`, `40.0 k`, `312 `.
fn si(f: &mut fmt::Formatter<'_>, value: f64, unit: &str) -> fmt::Result {
    let (scaled, prefix) = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]
        .into_iter()
        .find(|(step, _)| libm::fabs(value) >= *step)
        .map_or((value, ""), |(step, prefix)| (value / step, prefix));
    let digits = match libm::fabs(scaled) {
        a if a >= 100.0 || a == 0.0 => 0,
        a if a >= 10.0 => 1,
        _ => 2,
    };
    write!(f, "{scaled:.digits$} {prefix}{unit}")
}

/// `200 kpps`.
impl fmt::Display for PacketRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        si(f, self.0, "pps")
    }
}

/// `1.20 Gbps`.
impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        si(f, self.0, "bps")
    }
}

/// `1.20 GB`.
impl fmt::Display for ByteCount {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        si(f, self.0 as f64, "B")
    }
}

/// A rate text without a unit, or with one that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRate {
    /// What was written.
    pub found: String,
    /// What would have been right.
    pub example: &'static str,
}

impl fmt::Display for BadRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a rate with its unit; write it like \"{}\"", self.found, self.example)
    }
}

impl core::error::Error for BadRate {}

fn rate(text: &str, units: &[(&str, f64)], example: &'static str) -> Result<f64, BadRate> {
    let bad = || BadRate { found: text.into(), example };
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.' || *b == b'_').count();
    let (number, unit) = trimmed.split_at_checked(digits).ok_or_else(bad)?;
    let number: f64 = number.replace('_', "").parse().map_err(|_| bad())?;
    let unit = unit.trim();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
    Ok(number * factor)
}

impl FromStr for PacketRate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        rate(text, &[("pps", 1.0), ("kpps", 1e3), ("Mpps", 1e6), ("Gpps", 1e9)], "20 kpps").map(Self)
    }
}

impl FromStr for BitRate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        rate(text, &[("bps", 1.0), ("kbps", 1e3), ("Mbps", 1e6), ("Gbps", 1e9), ("Tbps", 1e12)], "2 Gbps")
            .map(Self)
    }
}

macro_rules! rate_serde {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_f64(self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            /// From text with a unit; a bare number is an error that shows the right form.
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a rate with its unit, like \"20 kpps\" or \"2 Gbps\"")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }
    };
}
rate_serde!(PacketRate);
rate_serde!(BitRate);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_rate_without_unit_is_refused_with_the_right_form() {
        let err = "2000".parse::<BitRate>().unwrap_err();
        assert_eq!(err.to_string(), "`2000` is not a rate with its unit; write it like \"2 Gbps\"");
        assert_eq!("2 Gbps".parse(), Ok(BitRate(2e9)));
        assert_eq!("20kpps".parse(), Ok(PacketRate(20e3)));
        assert!("2 gbps".parse::<BitRate>().is_err());
    }

    #[test]
    fn rates_read_well() {
        assert_eq!(PacketRate(200_000.0).to_string(), "200 kpps");
        assert_eq!(BitRate(1.204e9).to_string(), "1.20 Gbps");
        assert_eq!(PacketRate(0.0).to_string(), "0 pps");
        assert_eq!(ByteCount(999).to_string(), "999 B");
    }

    #[test]
    fn only_scaling_makes_an_estimate() {
        assert_eq!(Sampled(PacketCount(3)).scaled(1000).get(), PacketCount(3000));
        assert_eq!(ByteCount(125).per(Span::from_secs(1)), Some(BitRate(1000.0)));
        assert_eq!(ByteCount(125).per(Span::ZERO), None);
    }
}
