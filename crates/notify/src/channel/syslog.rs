//! RFC 5424, a line for each event.

use std::io::{ErrorKind, Read as _, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;

use base::{Span, Timestamp};

use super::{Channel, Failure, duration, line};
use crate::{Event, EventKind, Message, SCHEMA_NAME, Severity, Syslog, Target, words};

/// A datagram has to fit in one of UDP; more is cut to its words.
const DATAGRAM_MAX: usize = 60_000;
/// How long the far end of a stream may take to close after it read.
const LINGER: Span = Span::from_secs(1);

/// Writes to a log.
pub(super) struct Logger {
    settings: Syslog,
    timeout: Span,
    sender: String,
}

impl Logger {
    pub(super) fn new(settings: Syslog, timeout: Span, sender: &str) -> Self {
        Self { settings, timeout, sender: sender.to_owned() }
    }

    /// One event as RFC 5424 §6 has it.
    fn line(&self, message: &Message, event: &Event) -> String {
        let severity = match (event.kind, &event.attack) {
            (EventKind::AttackStarted, Some(attack)) if attack.severity == Severity::Attack => 2,
            (EventKind::AttackStarted, _) => 4,
            (EventKind::Test, _) => 6,
            _ => 5,
        };
        let priority = u32::from(self.settings.facility.0) * 8 + severity;
        let mut data = format!("[spillway@32473 schema=\"{SCHEMA_NAME}\" id=\"{}\"", message.id);
        if let Some(attack) = &event.attack {
            for (name, value) in [
                ("attack_id", attack.id.as_str()),
                ("target", &attack.target.to_string()),
                ("class", &attack.class),
                ("severity", attack.severity.name()),
            ] {
                data.push_str(&format!(" {name}=\"{}\"", escaped(value)));
            }
        }
        data.push(']');
        let test = if message.test { "[TEST] " } else { "" };
        let words = format!("{test}{}", line(&words::line(event)));
        let text = if self.settings.json {
            let alone = Message { events: vec![event.clone()], ..message.clone() };
            Some(alone.json()).filter(|json| json.len() < DATAGRAM_MAX).unwrap_or(words)
        } else {
            words
        };
        let (at, host, kind) = (stamp(event.at), host(&self.sender), event.kind.name());
        format!("<{priority}>1 {at} {host} spillway - {kind} {data} {text}")
    }

    fn write(&self, lines: &[String]) -> std::io::Result<String> {
        match &self.settings.target {
            Target::Udp(to) => {
                let to = address(to)?;
                let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any)?;
                // Connected, so that a refusal comes back with the next datagram.
                socket.connect(to)?;
                lines.iter().try_for_each(|line| socket.send(line.as_bytes()).map(drop))?;
                Ok("sent; UDP has no answer".to_owned())
            }
            Target::Tcp(to) => {
                let mut stream = TcpStream::connect_timeout(&address(to)?, duration(self.timeout))?;
                stream.set_write_timeout(Some(duration(self.timeout)))?;
                stream.write_all(counted(lines).as_bytes())?;
                stream.shutdown(Shutdown::Write)?;
                stream.set_read_timeout(Some(duration(LINGER)))?;
                ended(stream.read(&mut [0; 64]))
            }
            Target::Unix(path) => self.write_here(path, lines),
        }
    }

    fn write_here(&self, path: &Path, lines: &[String]) -> std::io::Result<String> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(duration(self.timeout)))?;
        match socket.connect(path) {
            Ok(()) => lines.iter().try_for_each(|line| socket.send(line.as_bytes()).map(drop))?,
            // A stream listens there.
            Err(cause) if cause.raw_os_error() == Some(EPROTOTYPE) => {
                let mut stream = UnixStream::connect(path)?;
                stream.set_write_timeout(Some(duration(self.timeout)))?;
                stream.write_all(counted(lines).as_bytes())?;
            }
            Err(cause) => return Err(cause),
        }
        Ok("written to the socket".to_owned())
    }
}

/// `EPROTOTYPE` of Linux: the socket is of another type.
const EPROTOTYPE: i32 = 91;

impl Channel for Logger {
    fn send(&mut self, message: &Message, _: &str, _: Timestamp) -> Result<String, Failure> {
        let lines: Vec<String> = message.events.iter().map(|event| self.line(message, event)).collect();
        self.write(&lines).map_err(|cause| Failure::passing(cause.to_string()))
    }
}

/// Whether the far end read to the end or broke off.
fn ended(read: std::io::Result<usize>) -> std::io::Result<String> {
    match read {
        Ok(_) => Ok("taken; the far end closed".to_owned()),
        Err(cause) if matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok("sent; syslog over TCP has no answer".to_owned())
        }
        Err(cause) => Err(cause),
    }
}

fn address(to: &str) -> std::io::Result<std::net::SocketAddr> {
    to.to_socket_addrs()?.next().ok_or_else(|| std::io::Error::new(ErrorKind::NotFound, "no such host"))
}

/// RFC 6587 §3.4.1.
fn counted(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{} {line}", line.len())).collect()
}

/// RFC 5424 §6.2.3 takes six digits of a second at most.
fn stamp(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((front, digits)) => format!("{front}.{}Z", digits.chars().take(6).collect::<String>()),
        None => text,
    }
}

/// RFC 5424 §6.3.3.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

/// A HOSTNAME has no spaces and is ASCII.
fn host(name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_graphic).take(255).collect();
    if plain.is_empty() { "-".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_and_values_are_those_of_the_rfc() {
        assert_eq!(stamp(Timestamp::from_nanos(1_700_000_000_123_456_789)), "2023-11-14T22:13:20.123456Z");
        assert_eq!(escaped("a\"b]c\\"), "a\\\"b\\]c\\\\");
        assert_eq!((host("my host"), host(" ")), ("myhost".to_owned(), "-".to_owned()));
        assert_eq!(counted(&["ab".to_owned(), "ü".to_owned()]), "2 ab2 ü");
    }
}
