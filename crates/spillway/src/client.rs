//! Asking a running daemon: one GET, one answer (RFC 9112, in the form of HTTP/1.0, so that the end of the answer is its end).

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// For connecting, and for each read and write.
const PATIENCE: Duration = Duration::from_secs(5);
/// No answer is longer.
const ANSWER_MAX: u64 = 64 << 20;

/// Status and body of `GET path` at `http://ADDRESS:PORT`.
pub fn get(api: &str, path: &str) -> anyhow::Result<(u16, String)> {
    let place = api.strip_prefix("http://").unwrap_or(api).trim_end_matches('/');
    let address: SocketAddr = place
        .parse()
        .with_context(|| format!("`{api}` is not an address; write it like http://127.0.0.1:8646"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)
        .with_context(|| format!("no daemon answers at {api}; is `spillway run` up?"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {place}\r\n\r\n")?;
    let mut answer = String::new();
    stream
        .take(ANSWER_MAX)
        .read_to_string(&mut answer)
        .with_context(|| format!("{api}{path}: broken off"))?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    match (status, answer.split_once("\r\n\r\n")) {
        (Some(status), Some((_, body))) => Ok((status, body.to_owned())),
        _ => bail!("{api} does not speak HTTP"),
    }
}
