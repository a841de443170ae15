//! Data sets that came before their template.

/// Sets of one exporter that wait.
#[derive(Debug, Default)]
pub(crate) struct Waiting {}
