//! Values with a unit or a form of their own, and the sentences that show it.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use base::Span;
use base::units::{BadRate, BitRate, PacketRate};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// Reads text with `FromStr`; anything else is an error that shows the right form.
struct Text<T>(&'static str, std::marker::PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

pub(super) fn text<'de, T, D>(deserializer: D, form: &'static str) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(Text(form, std::marker::PhantomData))
}

/// A length of time.
pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    text(deserializer, "a length of time with its unit, like \"15m\", \"90s\" or \"250ms\"")
}

/// A length of time that may be wrong for where it stands.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Wait(#[serde(deserialize_with = "span")] pub(super) Span);

/// An attack that pulses is one attack, so that its end is not believed at once; nor for ever not.
pub(super) fn quiet<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    const QUIET: [Span; 2] = [Span::from_secs(10), Span::from_secs(3600)];
    let asked = span(deserializer)?;
    let [least, most] = QUIET;
    let fits = (least..=most).contains(&asked);
    fits.then_some(asked).ok_or_else(|| de::Error::custom(format!("quiet must be {least} to {most}")))
}

/// The time in which one of `N per UNIT` comes. A month has 30 days and a year 365.
pub(super) fn budget<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    text(deserializer, "a number of false alarms and its time, like \"1 per week\"").map(|PerTime(span)| span)
}

struct PerTime(Span);

impl FromStr for PerTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "`{text}` is not a number of false alarms and its time; write 1 to 1000, like \"1 per week\", \"2 per day\", \"3 per month\" or \"5 per year\""
            )
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let [number, "per", unit] = words.as_slice() else { return Err(bad()) };
        let days = match *unit {
            "day" => 1,
            "week" => 7,
            "month" => 30,
            "year" => 365,
            _ => return Err(bad()),
        };
        let number: u64 = number.parse().ok().filter(|n| (1..=1000).contains(n)).ok_or_else(bad)?;
        Ok(Self(Span::from_nanos(Span::from_secs(days * 86_400).nanos() / number)))
    }
}

/// Above this rate of packets is an attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Packets(pub(super) f64);

/// A rate of layer-3 bits; as a limit, what is above it is an attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bits(pub(super) f64);

macro_rules! limit {
    ($name:ident, $rate:ident, $form:literal) => {
        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let $rate(rate) = text.parse().map_err(|wrong: BadRate| wrong.to_string())?;
                if rate > 0.0 && rate.is_finite() {
                    return Ok(Self(rate));
                }
                Err(format!("a limit of `{text}` cannot be kept to; leave the key out for no limit"))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text(deserializer, $form)
            }
        }
    };
}
limit!(Packets, PacketRate, "a rate with its unit, like \"20 kpps\"");
limit!(Bits, BitRate, "a rate with its unit, like \"1 Gbps\"");

/// Address and port of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address(pub(super) SocketAddr);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            format!(
                "`{text}` is not an address with its port; write it like \"192.0.2.10:6343\" or \"[2001:db8::10]:6343\""
            )
        })
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "an address with its port, like \"192.0.2.10:6343\"")
    }
}

/// A number of octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Octets(pub(super) usize);

impl FromStr for Octets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a size with its unit; write it like \"16 MiB\"");
        let trimmed = text.trim();
        let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = trimmed.split_at_checked(digits).ok_or_else(bad)?;
        let number: usize = number.parse().map_err(|_| bad())?;
        let shift = match unit.trim() {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => return Err(bad()),
        };
        number.checked_mul(1 << shift).map(Self).ok_or_else(bad)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a size with its unit, like \"16 MiB\"")
    }
}

/// N of 1:N. The one number without a unit: it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OneIn(pub(super) u32);

impl<'de> Deserialize<'de> for OneIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl Visitor<'_> for Form {
            type Value = OneIn;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sampling rate: 1000, or the same as \"1:1000\"; 1 means unsampled")
            }

            fn visit_i64<E: de::Error>(self, n: i64) -> Result<OneIn, E> {
                let unfit = || E::invalid_value(de::Unexpected::Signed(n), &self);
                u32::try_from(n).ok().filter(|n| *n > 0).map(OneIn).ok_or_else(unfit)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneIn, E> {
                let number = text.trim().strip_prefix("1:").and_then(|n| n.parse().ok());
                let unfit = || E::invalid_value(de::Unexpected::Str(text), &self);
                number.filter(|n| *n > 0).map(OneIn).ok_or_else(unfit)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// The role of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// To a transit provider, a peer or an exchange.
    External,
    /// Between own routers, or to own servers.
    Internal,
    /// To a customer.
    Customer,
}

impl From<Role> for telemetry::interface::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::External => Self::External,
            Role::Internal => Self::Internal,
            Role::Customer => Self::Customer,
        }
    }
}
