//! The columns as Arrow types.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::column::{Column, Kind};

/// What time stands in.
pub(super) const ZONE: &str = "UTC";

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields = Column::ALL.map(|column| Field::new(column.name(), of(column), !column.is_always_there()));
    Arc::new(Schema::new(fields.to_vec()))
});

/// All columns.
pub(super) fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// What a column is.
fn of(column: Column) -> DataType {
    match column.kind() {
        Kind::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some(ZONE.into())),
        Kind::Number(0xff) => DataType::UInt8,
        Kind::Number(0xffff) => DataType::UInt16,
        Kind::Number(0xffff_ffff) => DataType::UInt32,
        Kind::Number(_) => DataType::UInt64,
        Kind::Address | Kind::Text => {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
        }
    }
}
