//! Samples that are asked for, for other programs: as a segment of their own, or as lines.

use std::io::Write;
use std::path::Path;

use base::Timestamp;

use crate::batch::Batch;
use crate::column::Column;
use crate::error::HistoryError;
use crate::filter::Filter;
use crate::query::{Archive, Scanned, Work, walk};
use crate::sample::Sample;
use crate::segment::{GROUP, Sink};

/// What was exported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Samples.
    pub rows: u64,
    /// What was looked at.
    pub scanned: Scanned,
}

/// Writes the samples that are asked for as Parquet, in the order of the segments they come from, newest hour first; `path` is for
/// messages.
///
/// # Errors
/// The folder cannot be read, or what is written to refuses.
pub fn export<W: Write + Send>(
    archive: Archive<'_>,
    filter: &Filter,
    (from, to): (Timestamp, Timestamp),
    work: &mut Work<'_>,
    (out, path): (W, &Path),
) -> Result<(W, Exported), HistoryError> {
    let mut parcel = Parcel::new(out, path)?;
    let scanned = walk(archive, filter, (from, to), work, &mut |sample| parcel.push(sample))?;
    let (out, rows) = parcel.finish()?;
    Ok((out, Exported { rows, scanned }))
}

/// Samples that are handed in one by one, as a segment of their own.
pub struct Parcel<W: Write + Send> {
    sink: Sink<W>,
    batch: Batch,
}

impl<W: Write + Send> Parcel<W> {
    /// Begins; `path` is for messages.
    ///
    /// # Errors
    /// What is written to refuses.
    pub fn new(out: W, path: &Path) -> Result<Self, HistoryError> {
        Ok(Self { sink: Sink::new(out, path, false)?, batch: Batch::default() })
    }

    /// One more.
    ///
    /// # Errors
    /// What is written to refuses.
    pub fn push(&mut self, sample: &Sample<'_>) -> Result<(), HistoryError> {
        self.batch.push(sample);
        if self.batch.len() == GROUP { self.write() } else { Ok(()) }
    }

    /// Ends it: what was written to, and how many samples it has.
    ///
    /// # Errors
    /// What is written to refuses.
    pub fn finish(mut self) -> Result<(W, u64), HistoryError> {
        self.write()?;
        let rows = self.sink.rows();
        Ok((self.sink.finish(&[])?, rows))
    }

    fn write(&mut self) -> Result<(), HistoryError> {
        let batch = std::mem::take(&mut self.batch);
        let places: Vec<usize> = (0..batch.len()).collect();
        self.sink.group(&batch, &places)
    }
}

/// The names of all columns, as a line of CSV.
pub fn csv_header() -> String {
    let mut out = String::new();
    crate::query::line(&mut out, Column::ALL.iter().map(|column| column.name()));
    out
}

/// A sample as a line of CSV; nothing where nothing stands.
pub fn csv_line(sample: &Sample<'_>) -> String {
    fn may<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(String::new, |value| value.to_string())
    }
    let cells = [
        sample.at.to_string(),
        sample.target.to_string(),
        sample.foreign.to_string(),
        sample.direction.name().to_owned(),
        sample.protocol.to_string(),
        may(sample.target_port),
        may(sample.foreign_port),
        may(sample.tcp_flags),
        sample.class.to_owned(),
        sample.packets.to_string(),
        sample.bytes.to_string(),
        may(sample.rate),
        may(sample.asn),
        may(sample.country),
        may(sample.attack),
        may(sample.customer),
        sample.exporter.to_string(),
        may(sample.input_if),
        may(sample.output_if),
    ];
    let mut out = String::new();
    crate::query::line(&mut out, cells.iter().map(String::as_str));
    out
}
