//! Vectors that are told by what clients do with their connections, not by counts of packets.
//!
//! One file a behaviour, one line in [`BEHAVIOURS`]. A behaviour says which of a client's doings count, from which rate on they
//! are looked at, and what speaks for an attack.

use alloc::format;

use super::{connection_flood, http, slow, tls_handshake};
use crate::connections::Conduct;
use crate::evidence::Terms;

/// What the clients of one server did since their doings rose above the floor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Doings {
    /// Doings per second; for held connections their number.
    pub rate: f64,
    /// What is looked at from here on, in the same unit.
    pub floor: f64,
    /// What this server is used to.
    pub usual: f64,
    /// Connections per second in which something was asked and answered; for held ones, those of ten seconds.
    pub fruitful: f64,
    /// Clients that did it.
    pub sources: u64,
    /// Share of the busiest.
    pub source_top: f64,
    /// Share of the doings that come from clients with many of them a second, for longer than a page takes to load.
    pub heavy: f64,
    /// Share of the connections whose client had opened another one before.
    pub repeats: f64,
    /// Requests in a connection.
    pub per_connection: f64,
    /// Requests among the examples.
    pub examples: u64,
    /// Of these, the share of the commonest, by its first octets.
    pub same: f64,
    /// And the share of different ones.
    pub different: f64,
    /// Of the held connections, those whose clients go on sending a little.
    pub trickling: f64,
    /// Visitors that would be waiting if the server hung, at three times the usual pace.
    pub waiting: f64,
}

/// A way to behave.
#[derive(Debug)]
pub struct Behaviour {
    /// The vector's fixed name.
    pub name: &'static str,
    /// How many doings of this kind a count holds.
    pub count: fn(&Conduct) -> u32,
    /// Doings a second (or held connections) from which a server's clients are looked at.
    pub floor: f64,
    /// Whether the count is a number of connections told once a second, not of events.
    pub gauge: bool,
    /// What speaks for and against an attack.
    pub judge: fn(&Doings, &mut Terms),
}

/// Every behaviour.
pub static BEHAVIOURS: [&Behaviour; 4] =
    [&connection_flood::BEHAVIOUR, &tls_handshake::BEHAVIOUR, &http::BEHAVIOUR, &slow::BEHAVIOUR];

/// How much of it there is, against what is harmless or usual.
pub(super) fn volume(d: &Doings, what: &str, base: f64, terms: &mut Terms) {
    let over = d.rate / d.floor.max(3.0 * d.usual);
    let weight = if over < 1.0 { -6.0 } else { base + libm::log(over).min(4.0) };
    terms.say(
        weight,
        format!(
            "{:.0} {what}, {over:.1} times what is harmless or three times what is usual here ({:.0}), from {} clients",
            d.rate,
            d.floor.max(3.0 * d.usual),
            d.sources
        ),
    );
}

/// Connections without purpose, against those that have one.
pub(super) fn purpose(d: &Doings, what: &str, terms: &mut Terms) {
    let share = d.rate / (d.rate + d.fruitful).max(1e-9);
    let weight = match share {
        s if s >= 0.5 => 5.0,
        s if s < 0.2 => -6.0,
        _ => 0.0,
    };
    terms.say(weight, format!("{:.0} % of the connections {what}", share * 100.0));
}
