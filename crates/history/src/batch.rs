//! Samples in memory, packed; texts stand once.

use std::sync::Arc;

use base::Timestamp;
use base::map::Seed;
use base::prefix::{narrow, wide};
use hashbrown::HashMap;

use crate::column::Column;
use crate::order::Order;
use crate::sample::{Direction, Sample};

/// Texts, each once, by number.
#[derive(Clone, Debug)]
struct Words {
    numbers: HashMap<Box<str>, u32, Seed>,
    texts: Vec<Box<str>>,
}

/// No text.
const NONE: u32 = u32::MAX;

impl Words {
    fn number(&mut self, text: Option<&str>) -> u32 {
        let Some(text) = text else { return NONE };
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(NONE);
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }

    fn text(&self, number: u32) -> Option<&str> {
        self.texts.get(usize::try_from(number).ok()?).map(AsRef::as_ref)
    }
}

/// A sample without texts.
#[derive(Clone, Copy, Debug)]
struct Row {
    at: Timestamp,
    target: u128,
    foreign: u128,
    exporter: u128,
    packets: u64,
    bytes: u64,
    class: u32,
    country: u32,
    attack: u32,
    customer: u32,
    rate: Option<u32>,
    asn: Option<u32>,
    input_if: Option<u32>,
    output_if: Option<u32>,
    target_port: Option<u16>,
    foreign_port: Option<u16>,
    tcp_flags: Option<u16>,
    direction: Direction,
    protocol: u8,
}

/// Samples in the order in which they came.
#[derive(Clone, Debug)]
pub struct Batch {
    words: Words,
    rows: Vec<Row>,
    /// Of a batch that nothing is added to any more: by what questions find their way in it.
    order: Option<Order>,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            words: Words { numbers: HashMap::with_hasher(Seed::default()), texts: Vec::new() },
            rows: Vec::new(),
            order: None,
        }
    }
}

impl Batch {
    /// Takes one more.
    pub fn push(&mut self, sample: &Sample<'_>) {
        self.order = None;
        let row = Row {
            at: sample.at,
            target: wide(sample.target),
            foreign: wide(sample.foreign),
            exporter: wide(sample.exporter),
            packets: sample.packets,
            bytes: sample.bytes,
            class: self.words.number(Some(sample.class)),
            country: self.words.number(sample.country),
            attack: self.words.number(sample.attack),
            customer: self.words.number(sample.customer),
            rate: sample.rate,
            asn: sample.asn,
            input_if: sample.input_if,
            output_if: sample.output_if,
            target_port: sample.target_port,
            foreign_port: sample.foreign_port,
            tcp_flags: sample.tcp_flags,
            direction: sample.direction,
            protocol: sample.protocol,
        };
        self.rows.push(row);
    }

    /// With room for so many: one that grows is copied over and over.
    pub(crate) fn with_room(rows: usize) -> Self {
        Self { rows: Vec::with_capacity(rows), ..Self::default() }
    }

    /// When each sample was received.
    pub(crate) fn instants(&self) -> impl Iterator<Item = Timestamp> {
        self.rows.iter().map(|row| row.at)
    }

    /// Number of samples.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// None.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The sample at `place`.
    pub fn get(&self, place: usize) -> Option<Sample<'_>> {
        self.rows.get(place).map(|row| self.sample(row))
    }

    /// All samples.
    pub fn iter(&self) -> impl Iterator<Item = Sample<'_>> {
        self.rows.iter().map(|row| self.sample(row))
    }

    /// What stands in a column, as a number: an address as [`wide`] makes it, a text by its place in [`Self::texts`].
    pub(crate) fn cell(&self, place: usize, column: Column) -> Option<u128> {
        let row = self.rows.get(place)?;
        let word = |number: u32| (number != NONE).then_some(u128::from(number));
        match column {
            Column::Time => Some(u128::from(row.at.nanos())),
            Column::Target => Some(row.target),
            Column::Foreign => Some(row.foreign),
            Column::Exporter => Some(row.exporter),
            Column::Direction => Some(u128::from(row.direction == Direction::Out)),
            Column::Proto => Some(u128::from(row.protocol)),
            Column::TargetPort => row.target_port.map(u128::from),
            Column::ForeignPort => row.foreign_port.map(u128::from),
            Column::TcpFlags => row.tcp_flags.map(u128::from),
            Column::Packets => Some(u128::from(row.packets)),
            Column::Bytes => Some(u128::from(row.bytes)),
            Column::Rate => row.rate.map(u128::from),
            Column::Asn => row.asn.map(u128::from),
            Column::InputIf => row.input_if.map(u128::from),
            Column::OutputIf => row.output_if.map(u128::from),
            Column::Class => word(row.class),
            Column::Country => word(row.country),
            Column::Attack => word(row.attack),
            Column::Customer => word(row.customer),
        }
    }

    /// The texts that [`Self::cell`] numbers; those of the direction are [`DIRECTIONS`].
    pub(crate) fn texts(&self) -> &[Box<str>] {
        &self.words.texts
    }

    /// Time and target of the sample at `place`.
    pub(crate) fn key(&self, place: usize) -> Option<(u128, Timestamp)> {
        self.rows.get(place).map(|row| (row.target, row.at))
    }

    /// Earliest and latest instant.
    pub fn times(&self) -> Option<(Timestamp, Timestamp)> {
        let at = |row: &Row| row.at;
        Some((self.rows.iter().map(at).min()?, self.rows.iter().map(at).max()?))
    }

    /// Nothing more will come: from now on questions about a target or a time need not look at all of it. What went out went to none of
    /// `home` (ranges as [`wide`] makes addresses).
    pub(crate) fn settle(&mut self, home: &Arc<[(u128, u128)]>) {
        let targets = self.rows.iter().map(|row| row.target).collect();
        self.order = self.times().and_then(|times| Order::of(targets, times, home));
    }

    /// What [`Self::settle`] left.
    pub(crate) const fn order(&self) -> Option<&Order> {
        self.order.as_ref()
    }

    /// Places in the order of (target, time); equal ones as they came.
    pub(crate) fn sorted(&self) -> Vec<usize> {
        let mut keys: Vec<(u128, Timestamp, usize)> =
            self.rows.iter().enumerate().map(|(place, row)| (row.target, row.at, place)).collect();
        keys.sort_unstable();
        keys.into_iter().map(|(.., place)| place).collect()
    }

    fn sample(&self, row: &Row) -> Sample<'_> {
        Sample {
            at: row.at,
            target: narrow(row.target),
            foreign: narrow(row.foreign),
            direction: row.direction,
            protocol: row.protocol,
            target_port: row.target_port,
            foreign_port: row.foreign_port,
            tcp_flags: row.tcp_flags,
            class: self.words.text(row.class).unwrap_or_default(),
            packets: row.packets,
            bytes: row.bytes,
            rate: row.rate,
            asn: row.asn,
            country: self.words.text(row.country),
            attack: self.words.text(row.attack),
            customer: self.words.text(row.customer),
            exporter: narrow(row.exporter),
            input_if: row.input_if,
            output_if: row.output_if,
        }
    }
}

/// Texts of the direction, by [`Batch::cell`].
pub(crate) const DIRECTIONS: [&str; 2] = ["in", "out"];
