//! Sampling rates of one exporter.

/// Rates by domain and sampler.
#[derive(Debug, Default)]
pub(crate) struct Rates {}
