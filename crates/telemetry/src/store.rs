//! Templates of one exporter.

/// Templates by domain.
#[derive(Debug, Default)]
pub(crate) struct Store {}
