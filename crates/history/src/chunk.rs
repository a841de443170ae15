//! Some columns of up to a row group of samples, as filters and groupings read them.

use base::Timestamp;
use base::prefix::narrow;

use crate::batch::{Batch, DIRECTIONS};
use crate::column::{Column, Kind};
use crate::sample::{Direction, Sample};

/// Nothing stands here, in columns that may be without.
pub(crate) const ABSENT: u64 = u64::MAX;
/// Nothing stands here, among keys.
pub(crate) const NO_KEY: u32 = u32::MAX;

/// What stands in a column.
#[derive(Clone, Debug)]
pub(crate) enum Cells {
    /// Numbers and instants; [`ABSENT`] where nothing stands, in columns that may be without.
    Numbers(Vec<u64>),
    /// Addresses by [`base::prefix::wide`], through keys.
    Addresses(Vec<u32>, Vec<u128>),
    /// Texts, through keys.
    Texts(Vec<u32>, Vec<Box<str>>),
}

/// Some columns of some samples.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    rows: usize,
    columns: [Option<Cells>; Column::ALL.len()],
    /// How many samples each row stands for; `None`: one.
    weights: Option<Vec<u64>>,
}

impl Chunk {
    /// Without columns.
    pub(crate) fn new(rows: usize) -> Self {
        Self { rows, columns: core::array::from_fn(|_| None), weights: None }
    }

    /// Whose rows stand for so many samples each.
    pub(crate) fn weighing(rows: usize, weights: Vec<u64>) -> Self {
        Self { weights: Some(weights), ..Self::new(rows) }
    }

    /// How many samples the row at `place` stands for.
    pub(crate) fn weight(&self, place: usize) -> u64 {
        self.weights.as_ref().map_or(1, |weights| weights.get(place).copied().unwrap_or(0))
    }

    /// These columns of a batch, of the samples at these places; `None`: of all of them.
    pub(crate) fn of(batch: &Batch, places: Option<&[u32]>, columns: &[Column]) -> Self {
        let mut chunk = Self::new(places.map_or(batch.len(), <[u32]>::len));
        for column in columns {
            let cells = match places {
                Some(places) => {
                    let place = |place: &u32| usize::try_from(*place).unwrap_or(usize::MAX);
                    cells(batch, places.iter().map(place), *column)
                }
                None => cells(batch, 0..batch.len(), *column),
            };
            chunk.put(*column, cells);
        }
        chunk
    }

    /// Puts a column in.
    pub(crate) fn put(&mut self, column: Column, cells: Cells) {
        if let Some(slot) = self.columns.get_mut(column.place()) {
            *slot = Some(cells);
        }
    }

    /// Number of samples.
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// A column, where it is here.
    pub(crate) fn cells(&self, column: Column) -> Option<&Cells> {
        self.columns.get(column.place())?.as_ref()
    }

    /// A number of the sample at `place`.
    pub(crate) fn number(&self, column: Column, place: usize) -> Option<u64> {
        let Cells::Numbers(values) = self.cells(column)? else { return None };
        let value = *values.get(place)?;
        (column.is_always_there() || value != ABSENT).then_some(value)
    }

    /// An address of the sample at `place`.
    pub(crate) fn address(&self, column: Column, place: usize) -> Option<u128> {
        let Cells::Addresses(keys, values) = self.cells(column)? else { return None };
        values.get(usize::try_from(*keys.get(place)?).ok()?).copied()
    }

    fn text(&self, column: Column, place: usize) -> Option<&str> {
        let Cells::Texts(keys, values) = self.cells(column)? else { return None };
        values.get(usize::try_from(*keys.get(place)?).ok()?).map(AsRef::as_ref)
    }

    /// The sample at `place`; `None` beyond the end, or where a column is missing that every sample has.
    pub(crate) fn sample(&self, place: usize) -> Option<Sample<'_>> {
        let small = |column| self.number(column, place).and_then(|number| u16::try_from(number).ok());
        let wide = |column| self.number(column, place).and_then(|number| u32::try_from(number).ok());
        let is_out = self.text(Column::Direction, place)? == Direction::Out.name();
        Some(Sample {
            at: Timestamp::from_nanos(self.number(Column::Time, place)?),
            target: narrow(self.address(Column::Target, place)?),
            foreign: narrow(self.address(Column::Foreign, place)?),
            direction: if is_out { Direction::Out } else { Direction::In },
            protocol: u8::try_from(self.number(Column::Proto, place)?).ok()?,
            target_port: small(Column::TargetPort),
            foreign_port: small(Column::ForeignPort),
            tcp_flags: small(Column::TcpFlags),
            class: self.text(Column::Class, place)?,
            packets: self.number(Column::Packets, place)?,
            bytes: self.number(Column::Bytes, place)?,
            rate: wide(Column::Rate),
            asn: wide(Column::Asn),
            country: self.text(Column::Country, place),
            attack: self.text(Column::Attack, place),
            customer: self.text(Column::Customer, place),
            exporter: narrow(self.address(Column::Exporter, place)?),
            input_if: wide(Column::InputIf),
            output_if: wide(Column::OutputIf),
        })
    }
}

fn cells(batch: &Batch, places: impl Iterator<Item = usize>, column: Column) -> Cells {
    match column.kind() {
        Kind::Time | Kind::Number(_) => {
            let number = |place| batch.cell(place, column).and_then(|value| u64::try_from(value).ok());
            Cells::Numbers(places.map(|place| number(place).unwrap_or(ABSENT)).collect())
        }
        Kind::Address => {
            let values: Vec<u128> = places.map(|place| batch.cell(place, column).unwrap_or(0)).collect();
            let keys = (0..values.len()).map(|place| u32::try_from(place).unwrap_or(NO_KEY));
            Cells::Addresses(keys.collect(), values)
        }
        Kind::Text => {
            let key = |place| batch.cell(place, column).and_then(|value| u32::try_from(value).ok());
            let keys = places.map(|place| key(place).unwrap_or(NO_KEY)).collect();
            let values = if column == Column::Direction {
                DIRECTIONS.iter().map(|name| (*name).into()).collect()
            } else {
                batch.texts().to_vec()
            };
            Cells::Texts(keys, values)
        }
    }
}
