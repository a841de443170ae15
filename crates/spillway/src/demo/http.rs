//! Asking the daemon of the demonstration.

use anyhow::bail;

use crate::client;

/// The body of `GET path`.
pub(super) fn get(base: &str, path: &str) -> anyhow::Result<String> {
    match client::get(base, path)? {
        (200, body) => Ok(body),
        (status, _) => bail!("{base}{path}: status {status}"),
    }
}

/// The sum over all labels of a metric in the text format of Prometheus; `None` when there is no such metric.
pub(crate) fn metric(text: &str, name: &str) -> Option<f64> {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let rest = match rest.strip_prefix('{') {
            Some(labels) => labels.rsplit_once('}')?.1,
            None => rest.starts_with(' ').then_some(rest)?,
        };
        rest.split_whitespace().next()?.parse::<f64>().ok()
    };
    text.lines().filter_map(value).fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels_and_not_mixed_up() {
        let text = "# TYPE a_total counter\na_total{x=\"1\"} 3\na_total{x=\"}\"} 4\na_total_more 9\nb 1.5\n";
        assert_eq!(metric(text, "a_total"), Some(7.0));
        assert_eq!(metric(text, "b"), Some(1.5));
        assert_eq!(metric(text, "a"), None);
    }
}
