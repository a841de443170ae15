//! Asking a running daemon: one GET (or one document, posted), one answer (RFC 9112, in the form of HTTP/1.0, so that the end of the answer is its end); or an
//! answer that goes on ([`follow`]).
//!
//! [`get`] is for plain loopback. [`Api`] also speaks TLS, to the very certificate that the configuration names, and brings a token.

pub(crate) mod follow;
mod pinned;
mod reach;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;

pub(crate) use reach::Reach;

/// For connecting, and for each read and write.
const PATIENCE: Duration = Duration::from_secs(5);
/// No answer is longer.
const ANSWER_MAX: u64 = 64 << 20;

/// Status and body of `GET path` at `http://ADDRESS:PORT`.
pub fn get(api: &str, path: &str) -> anyhow::Result<(u16, String)> {
    Api::plain(api)?.get(path)
}

/// A daemon that can be asked.
#[derive(Clone, Debug)]
pub struct Api {
    /// As it is shown.
    url: String,
    address: SocketAddr,
    /// `None`: plainly.
    tls: Option<Arc<ClientConfig>>,
    token: Option<String>,
}

impl Api {
    /// On loopback, without credentials.
    ///
    /// # Errors
    /// It is no such address.
    pub fn plain(url: &str) -> anyhow::Result<Self> {
        let place = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
        let address = place
            .parse()
            .with_context(|| format!("`{url}` is not an address; write it like http://127.0.0.1:8646"))?;
        Ok(Self { url: url.to_owned(), address, tls: None, token: None })
    }

    /// As it is shown.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Status and body of `GET path`.
    ///
    /// # Errors
    /// Nobody answers, or with something else than HTTP.
    pub fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        self.ask(path, None)
    }

    /// Status and body of `GET path`, or of `POST path` with a document.
    fn ask(&self, path: &str, document: Option<&Value>) -> anyhow::Result<(u16, String)> {
        let api = &self.url;
        let answer = self.exchange(self.connect(PATIENCE)?, path, document);
        // In words: a pipe that broke here is not that of standard output, whose end is no error.
        let answer = answer.map_err(|cause| anyhow::anyhow!("{api}{path}: broken off: {cause}"))?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        match (status, answer.split_once("\r\n\r\n")) {
            (Some(status), Some((_, body))) => Ok((status, body.to_owned())),
            _ => bail!("{api} does not speak HTTP; if it speaks TLS, write https://"),
        }
    }

    /// A connection on which nobody waits longer than this for an answer to go on.
    fn connect(&self, patience: Duration) -> anyhow::Result<Box<dyn Line>> {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE)
            .with_context(|| format!("no daemon answers at {}; is `spillway run` up?", self.url))?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::IpAddress(self.address.ip().into());
        let connection = ClientConnection::new(Arc::clone(tls), name)?;
        Ok(Box::new(StreamOwned::new(connection, stream)))
    }

    /// The document at this path.
    ///
    /// # Errors
    /// There is none, or it may not be seen; in words with their remedy.
    pub fn json(&self, path: &str) -> anyhow::Result<Value> {
        let (status, body) = self.get(path)?;
        self.understand(path, status, &body)
    }

    /// The document at this path; `None`: there is none, or it is not for this role.
    ///
    /// # Errors
    /// Nobody answers, or the credentials do not hold.
    pub(crate) fn find(&self, path: &str) -> anyhow::Result<Option<Value>> {
        match self.get(path)? {
            (403 | 404, _) => Ok(None),
            (status, body) => self.understand(path, status, &body).map(Some),
        }
    }

    /// What is answered to a document; a question that is too long for a path.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub(crate) fn post(&self, path: &str, document: &Value) -> anyhow::Result<Value> {
        let (status, body) = self.ask(path, Some(document))?;
        self.understand(path, status, &body)
    }

    /// The document of an answer.
    fn understand(&self, path: &str, status: u16, body: &str) -> anyhow::Result<Value> {
        if status == 200 {
            return serde_json::from_str(body).with_context(|| {
                format!("{}{path}: the answer cannot be read; is it another version?", self.url)
            });
        }
        let problem: Value = serde_json::from_str(body).unwrap_or_default();
        let said = |key: &str| problem.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        match status {
            401 | 403 => bail!(
                "{}: {}; give a token in SPILLWAY_TOKEN or with --token-file (`spillway token add` makes one)",
                self.url,
                said("detail")
            ),
            404 => bail!("{}; {}", said("detail"), said("hint")),
            status => {
                bail!("{} answers with status {status}: {}; {}", self.url, said("detail"), said("hint"))
            }
        }
    }

    fn exchange(
        &self,
        mut stream: impl Line,
        path: &str,
        document: Option<&Value>,
    ) -> std::io::Result<String> {
        match document {
            None => self.request(&mut stream, path, "")?,
            Some(document) => {
                let body = document.to_string();
                let kind = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
                self.head(&mut stream, "POST", path, &kind)?;
                stream.write_all(body.as_bytes())?;
                stream.flush()?;
            }
        }
        let mut answer = Vec::new();
        match stream.take(ANSWER_MAX).read_to_end(&mut answer) {
            // An end without the farewell of TLS is an end, too, where something was said.
            Err(end) if end.kind() == ErrorKind::UnexpectedEof && !answer.is_empty() => {}
            Err(cause) => return Err(cause),
            Ok(_) => {}
        }
        String::from_utf8(answer).map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "it is not text"))
    }

    /// Asks; `more` are further lines of the header.
    fn request(&self, stream: &mut impl Line, path: &str, more: &str) -> std::io::Result<()> {
        self.head(stream, "GET", path, more)?;
        stream.flush()
    }

    fn head(&self, stream: &mut impl Line, method: &str, path: &str, more: &str) -> std::io::Result<()> {
        let token = self
            .token
            .as_ref()
            .map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        let host = self.address;
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: {host}\r\n{token}{more}\r\n")
    }
}

/// A connection, plain or not.
trait Line: Read + Write {}

impl<T: Read + Write> Line for T {}
