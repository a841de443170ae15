//! The least of HTTP/1.1 that asks over a connection that stays, and listens to events.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::run::Outcome;

/// Longest answer that is read.
const ANSWER_MAX: usize = 64 << 20;

/// A connection over which one request goes after the other.
pub(super) struct Client {
    host: String,
    stream: BufReader<TcpStream>,
}

impl Client {
    /// To the daemon at this port of the loopback.
    pub(super) fn connect(port: u16) -> Outcome<Self> {
        let host = format!("127.0.0.1:{port}");
        let failed = |e: std::io::Error| format!("http://{host}: {e}");
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(failed)?;
        Ok(Self { stream: BufReader::new(stream), host })
    }

    /// Asks; the status and how many octets were answered. With a `body` it is posted as JSON.
    pub(super) fn ask(&mut self, path: &str, body: Option<&str>) -> Outcome<(u16, usize)> {
        let method = if body.is_some() { "POST" } else { "GET" };
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).map_err(|e| format!("{path}: {e}"))?;
        self.answer().map_err(|why| format!("{path}: {why}"))
    }

    fn answer(&mut self) -> Outcome<(u16, usize)> {
        let status = self.line()?;
        let status =
            status.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or("no status in the answer")?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => {
                    length = value.trim().parse().map_err(|_| format!("its length is {value}"))?;
                }
                Some(("transfer-encoding", _)) => chunked = true,
                Some(_) => {}
                None => break,
            }
        }
        if !chunked {
            self.skip(length)?;
            return Ok((status, length));
        }
        let mut whole = 0;
        loop {
            let line = self.line()?;
            let length = usize::from_str_radix(&line, 16).map_err(|_| format!("a chunk of {line}"))?;
            self.skip(length.saturating_add(2))?;
            whole += length;
            if length == 0 {
                return Ok((status, whole));
            }
        }
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).map_err(|e| e.to_string())?;
        if read == 0 { Err("the connection ended".to_owned()) } else { Ok(line.trim_end().to_owned()) }
    }

    fn skip(&mut self, length: usize) -> Outcome {
        if length > ANSWER_MAX {
            return Err(format!("an answer of {length} octets"));
        }
        let mut body = (&mut self.stream).take(u64::try_from(length).unwrap_or(u64::MAX));
        std::io::copy(&mut body, &mut std::io::sink()).map(|_| ()).map_err(|e| e.to_string())
    }

    /// Asks for events and gives back the connection over which they come.
    pub(super) fn listen(mut self) -> Outcome<TcpStream> {
        let request = format!(
            "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n",
            self.host
        );
        self.stream.get_mut().write_all(request.as_bytes()).map_err(|e| e.to_string())?;
        let status = self.line()?;
        if status.contains(" 200") { Ok(self.stream.into_inner()) } else { Err(format!("events: {status}")) }
    }
}
