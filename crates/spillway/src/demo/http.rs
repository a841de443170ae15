//! The little of HTTP/1.1 that is needed to ask a daemon on loopback (RFC 9112).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};

/// Answers longer than this are not believed.
const ANSWER_MAX: u64 = 8 << 20;
/// For each of connecting, writing and reading.
const PATIENCE: Duration = Duration::from_secs(3);

/// The body of `GET path`.
pub(super) fn get(base: &str, path: &str) -> anyhow::Result<String> {
    let place = base.strip_prefix("http://").unwrap_or(base);
    let address: SocketAddr = place.parse().with_context(|| format!("{base}: not an address"))?;
    let mut stream =
        TcpStream::connect_timeout(&address, PATIENCE).with_context(|| format!("{base}: no answer"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut bytes).with_context(|| format!("{base}{path}: no answer"))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{base}{path}: not text"))?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| anyhow!("{base}{path}: not HTTP"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    if status != "200" {
        bail!("{base}{path}: status {status}");
    }
    let chunked = lines.any(|line| line.to_ascii_lowercase().replace(' ', "") == "transfer-encoding:chunked");
    if chunked {
        dechunk(body).ok_or_else(|| anyhow!("{base}{path}: broken off"))
    } else {
        Ok(body.to_owned())
    }
}

/// RFC 9112 §7.1.
fn dechunk(mut body: &str) -> Option<String> {
    let mut out = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(out);
        }
        out.push_str(rest.get(..size)?);
        body = rest.get(size..)?.strip_prefix("\r\n")?;
    }
}

/// The sum over all labels of a metric in the text format of Prometheus; `None` when there is no such metric.
pub(super) fn metric(text: &str, name: &str) -> Option<f64> {
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

    #[test]
    fn chunks_are_put_together() {
        assert_eq!(dechunk("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").as_deref(), Some("abcde"));
        assert_eq!(dechunk("3\r\nab"), None);
    }
}
