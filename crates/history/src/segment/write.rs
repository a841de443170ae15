//! Samples into a segment.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};
use base::Prefix;
use base::map::Seed;
use base::prefix::narrow;
use hashbrown::HashMap;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::{GROUP, NETWORKS, TARGETS, VERSION, schema};
use crate::batch::{Batch, DIRECTIONS};
use crate::column::{Column, Kind};
use crate::error::HistoryError;

/// A segment that is being written; samples stand in it as they are handed in.
pub(crate) struct Sink<W: Write + Send> {
    writer: ArrowWriter<W>,
    path: PathBuf,
    targets: String,
    rows: u64,
}

impl<W: Write + Send> Sink<W> {
    /// Begins; `path` is for messages. `sorted`: all will come in the order of (target, time).
    pub(crate) fn new(out: W, path: &Path, sorted: bool) -> Result<Self, HistoryError> {
        let writer = ArrowWriter::try_new(out, schema::schema(), Some(properties(sorted)));
        let writer = writer.map_err(|cause| refused(path, cause))?;
        Ok(Self { writer, path: path.to_owned(), targets: String::new(), rows: 0 })
    }

    /// Writes a row group: the samples at these places, at most [`GROUP`] of them.
    pub(crate) fn group(&mut self, batch: &Batch, places: &[usize]) -> Result<(), HistoryError> {
        let targets = || places.iter().filter_map(|place| Some(batch.key(*place)?.0));
        let (Some(least), Some(greatest)) = (targets().min(), targets().max()) else { return Ok(()) };
        self.targets.push_str(&format!("{} {}\n", narrow(least), narrow(greatest)));
        let columns = Column::ALL.map(|column| array(batch, places, column));
        let written = RecordBatch::try_new(schema::schema(), columns.to_vec())
            .map_err(ParquetError::from)
            .and_then(|columns| self.writer.write(&columns))
            .and_then(|()| self.writer.flush());
        written.map_err(|cause| refused(&self.path, cause))?;
        self.rows += u64::try_from(places.len()).unwrap_or(0);
        Ok(())
    }

    /// Samples so far.
    pub(crate) const fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes the footer, with the own networks where they are known, and gives back what was written to.
    pub(crate) fn finish(mut self, networks: &[Prefix]) -> Result<W, HistoryError> {
        let networks: String = networks.iter().map(|network| format!("{network}\n")).collect();
        let targets = std::mem::take(&mut self.targets);
        for (key, value) in [(VERSION.0, VERSION.1.to_owned()), (TARGETS, targets), (NETWORKS, networks)] {
            self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        self.writer.into_inner().map_err(|cause| refused(&self.path, cause))
    }
}

/// Writes a whole batch in its order and lets the disk have it.
pub(crate) fn write_sorted(batch: &Batch, path: &Path, networks: &[Prefix]) -> Result<u64, HistoryError> {
    let file = File::create(path).map_err(HistoryError::disk(path))?;
    let mut sink = Sink::new(file, path, true)?;
    for places in batch.sorted().chunks(GROUP) {
        sink.group(batch, places)?;
    }
    let file = sink.finish(networks)?;
    file.sync_all().map_err(HistoryError::disk(path))?;
    file.metadata().map(|data| data.len()).map_err(HistoryError::disk(path))
}

fn refused(path: &Path, cause: ParquetError) -> HistoryError {
    let cause = match cause {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => std::io::Error::other(cause),
        },
        cause => std::io::Error::other(cause),
    };
    HistoryError::disk(path)(cause)
}

fn properties(is_sorted: bool) -> WriterProperties {
    let sorted = [Column::Target, Column::Time].map(|column| SortingColumn {
        column_idx: i32::try_from(column.place()).unwrap_or(0),
        descending: false,
        nulls_first: false,
    });
    let time = ColumnPath::from(Column::Time.name());
    WriterProperties::builder()
        .set_created_by(format!("spillway {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::LZ4_RAW)
        .set_max_row_group_row_count(Some(GROUP))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        // Times differ: their differences are short.
        .set_column_dictionary_enabled(time.clone(), false)
        .set_column_encoding(time, Encoding::DELTA_BINARY_PACKED)
        .set_sorting_columns(is_sorted.then(|| sorted.to_vec()))
        .build()
}

fn array(batch: &Batch, places: &[usize], column: Column) -> ArrayRef {
    let cells = || places.iter().map(|place| batch.cell(*place, column));
    match column.kind() {
        Kind::Time => {
            let times =
                cells().map(|cell| cell.and_then(|nanos| i64::try_from(nanos).ok()).unwrap_or(i64::MAX));
            Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone(schema::ZONE))
        }
        Kind::Number(0xff) => {
            Arc::new(UInt8Array::from_iter(cells().map(|cell| cell.and_then(|v| u8::try_from(v).ok()))))
        }
        Kind::Number(0xffff) => {
            Arc::new(UInt16Array::from_iter(cells().map(|cell| cell.and_then(|v| u16::try_from(v).ok()))))
        }
        Kind::Number(0xffff_ffff) => {
            Arc::new(UInt32Array::from_iter(cells().map(|cell| cell.and_then(|v| u32::try_from(v).ok()))))
        }
        Kind::Number(_) => {
            Arc::new(UInt64Array::from_iter(cells().map(|cell| cell.and_then(|v| u64::try_from(v).ok()))))
        }
        Kind::Address => dictionary(cells(), |address| narrow(address).to_string()),
        Kind::Text if column == Column::Direction => {
            dictionary(cells(), |number| DIRECTIONS.get(usize::from(number != 0)).unwrap_or(&"").to_string())
        }
        Kind::Text => dictionary(cells(), |number| {
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            batch.texts().get(place).map(ToString::to_string).unwrap_or_default()
        }),
    }
}

/// Texts, each once, and which one stands where.
fn dictionary(cells: impl Iterator<Item = Option<u128>>, text: impl Fn(u128) -> String) -> ArrayRef {
    let mut known: HashMap<u128, i32, Seed> = HashMap::with_hasher(Seed::default());
    let mut texts: Vec<String> = Vec::new();
    let mut last = (None, None);
    let keys: Int32Array = cells
        .map(|cell| {
            if last.0 == Some(cell) {
                return last.1;
            }
            let key = cell.map(|number| {
                *known.entry(number).or_insert_with(|| {
                    texts.push(text(number));
                    i32::try_from(texts.len() - 1).unwrap_or(0)
                })
            });
            last = (Some(cell), key);
            key
        })
        .collect();
    Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(StringArray::from(texts))))
}
