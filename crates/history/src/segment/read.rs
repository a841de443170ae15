//! Columns out of a segment.

use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Int32Type, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use base::Prefix;
use base::prefix::wide;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::statistics::Statistics;

use super::{GROUP, NETWORKS, TARGETS, VERSION, schema};
use crate::chunk::{ABSENT, Cells, Chunk, NO_KEY};
use crate::column::{Column, Kind};
use crate::error::HistoryError;
use crate::filter::{self, Bounds, Known, Missing};

/// A segment that is open for reading; it can be read to its end though it be deleted meanwhile.
#[derive(Debug)]
pub(crate) struct Segment {
    file: File,
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    /// Least and greatest target of each row group.
    targets: Vec<(u128, u128)>,
    /// What were the own networks.
    networks: Vec<Prefix>,
}

impl Segment {
    /// Opens a file.
    pub(crate) fn open(path: &Path) -> Result<Self, HistoryError> {
        File::open(path).map_err(HistoryError::disk(path)).and_then(|file| Self::from_file(file, path))
    }

    /// Reads the footer of a file that was opened.
    pub(crate) fn from_file(file: File, path: &Path) -> Result<Self, HistoryError> {
        let torn = |why: &dyn ToString| HistoryError::torn(path, why.to_string());
        let metadata =
            ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|why| torn(&why))?;
        let pairs = metadata.metadata().file_metadata().key_value_metadata();
        let value = |key: &str| {
            let pair = pairs?.iter().find(|pair| pair.key == key)?;
            pair.value.as_deref()
        };
        if value(VERSION.0) != Some(VERSION.1) || metadata.schema().fields() != schema::schema().fields() {
            return Err(torn(&"it has other columns; another version or another program wrote it"));
        }
        let wide = |text: &str| text.parse::<IpAddr>().ok().map(wide);
        let range = |line: &str| line.split_once(' ').and_then(|(min, max)| Some((wide(min)?, wide(max)?)));
        let targets: Option<Vec<_>> = value(TARGETS).unwrap_or_default().lines().map(range).collect();
        let groups = metadata.metadata().row_groups();
        let targets = targets.filter(|targets| targets.len() == groups.len());
        if groups.iter().any(|group| usize::try_from(group.num_rows()).is_ok_and(|rows| rows > GROUP)) {
            return Err(torn(&"a row group is larger than any that we write"));
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            targets: targets.ok_or_else(|| torn(&"its targets do not fit its row groups"))?,
            networks: value(NETWORKS)
                .unwrap_or_default()
                .lines()
                .filter_map(|line| line.parse().ok())
                .collect(),
            metadata,
        })
    }

    /// What were the own networks when it was written; empty: that is not known.
    pub(crate) fn networks(&self) -> &[Prefix] {
        &self.networks
    }

    /// Row groups.
    pub(crate) const fn groups(&self) -> usize {
        self.targets.len()
    }

    /// Samples of a row group.
    pub(crate) fn rows(&self, group: usize) -> usize {
        let groups = self.metadata.metadata().row_groups();
        groups.get(group).and_then(|group| usize::try_from(group.num_rows()).ok()).unwrap_or(0)
    }

    /// What statistics say of a row group.
    pub(crate) const fn bounds(&self, group: usize) -> GroupBounds<'_> {
        GroupBounds { segment: self, group }
    }

    /// Reads columns of a row group.
    pub(crate) fn read(&self, group: usize, columns: &[Column]) -> Result<Chunk, HistoryError> {
        let rows = self.rows(group);
        let mut chunk = Chunk::new(rows);
        if columns.is_empty() {
            return Ok(chunk);
        }
        let torn = |why: &dyn ToString| HistoryError::torn(&self.path, why.to_string());
        let file = self.file.try_clone().map_err(HistoryError::disk(&self.path))?;
        let mask = ProjectionMask::roots(
            self.metadata.parquet_schema(),
            columns.iter().map(|column| column.place()),
        );
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(rows.max(1))
            .build();
        let mut reader = reader.map_err(|why| torn(&why))?;
        let batch = reader.next().ok_or_else(|| torn(&"a row group is empty"))?.map_err(|why| torn(&why))?;
        if batch.num_rows() != rows {
            return Err(torn(&"a row group is shorter than it says"));
        }
        for column in columns {
            let cells = cells(&batch, *column).ok_or_else(|| torn(&format!("column {}", column.name())))?;
            chunk.put(*column, cells);
        }
        Ok(chunk)
    }
}

/// What statistics say of one row group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupBounds<'a> {
    segment: &'a Segment,
    group: usize,
}

impl Bounds for GroupBounds<'_> {
    fn known(&self, column: Column) -> (Known, Missing) {
        if column == Column::Target {
            let range = self.segment.targets.get(self.group);
            return (range.map_or(Known::Nothing, |(min, max)| Known::Numbers(*min, *max)), Missing::Never);
        }
        if column == Column::Foreign {
            let home = self.segment.networks.iter().flat_map(filter::ranges).collect();
            return (Known::Home(home), Missing::Never);
        }
        let group = self.segment.metadata.metadata().row_groups().get(self.group);
        let statistics = group
            .and_then(|group| group.columns().get(column.place()))
            .and_then(|column| column.statistics());
        let Some(statistics) = statistics else { return (Known::Nothing, Missing::Perhaps) };
        let rows = u64::try_from(self.segment.rows(self.group)).ok();
        let missing = match statistics.null_count_opt() {
            _ if column.is_always_there() => Missing::Never,
            Some(0) => Missing::Never,
            nulls if nulls.is_some() && nulls == rows => Missing::Always,
            _ => Missing::Perhaps,
        };
        (known(column, statistics).unwrap_or(Known::Nothing), missing)
    }
}

fn known(column: Column, statistics: &Statistics) -> Option<Known> {
    match (column.kind(), statistics) {
        // All numbers are unsigned, and ordered so.
        (Kind::Number(_), Statistics::Int32(values)) => {
            let wide = |value: &i32| u128::from(value.cast_unsigned());
            Some(Known::Numbers(values.min_opt().map(wide)?, values.max_opt().map(wide)?))
        }
        (Kind::Number(_) | Kind::Time, Statistics::Int64(values)) => {
            let wide = |value: &i64| u128::from(value.cast_unsigned());
            Some(Known::Numbers(values.min_opt().map(wide)?, values.max_opt().map(wide)?))
        }
        (Kind::Text, Statistics::ByteArray(values)) if values.min_is_exact() && values.max_is_exact() => {
            let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
            Some(Known::Texts(text(statistics.min_bytes_opt()?)?, text(statistics.max_bytes_opt()?)?))
        }
        _ => None,
    }
}

fn cells(batch: &RecordBatch, column: Column) -> Option<Cells> {
    let array = batch.column_by_name(column.name())?;
    match column.kind() {
        Kind::Time => numbers::<TimestampNanosecondType>(array, i64::cast_unsigned),
        Kind::Number(0xff) => numbers::<UInt8Type>(array, u64::from),
        Kind::Number(0xffff) => numbers::<UInt16Type>(array, u64::from),
        Kind::Number(0xffff_ffff) => numbers::<UInt32Type>(array, u64::from),
        Kind::Number(_) => numbers::<UInt64Type>(array, u64::from),
        Kind::Address => {
            let (keys, texts) = keyed(array)?;
            Some(Cells::Addresses(keys, super::quad::addresses(texts)?))
        }
        Kind::Text => {
            let (keys, texts) = keyed(array)?;
            Some(Cells::Texts(keys, texts.iter().map(|text| text.unwrap_or_default().into()).collect()))
        }
    }
}

fn numbers<T: ArrowPrimitiveType>(array: &ArrayRef, widen: impl Fn(T::Native) -> u64) -> Option<Cells> {
    let array = array.as_primitive_opt::<T>()?;
    if array.null_count() == 0 {
        return Some(Cells::Numbers(array.values().iter().map(|value| widen(*value)).collect()));
    }
    Some(Cells::Numbers(array.iter().map(|value| value.map_or(ABSENT, &widen)).collect()))
}

fn keyed(array: &ArrayRef) -> Option<(Vec<u32>, &arrow_array::StringArray)> {
    let array = array.as_dictionary_opt::<Int32Type>()?;
    let texts = array.values().as_string_opt::<i32>()?;
    let key = |key: i32| u32::try_from(key).unwrap_or(NO_KEY);
    let keys = array.keys();
    let keys = if keys.null_count() == 0 {
        keys.values().iter().map(|value| key(*value)).collect()
    } else {
        keys.iter().map(|value| value.map_or(NO_KEY, key)).collect()
    };
    Some((keys, texts))
}
