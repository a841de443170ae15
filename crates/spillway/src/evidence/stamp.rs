//! Asking a time stamping authority over HTTP (RFC 3161, section 3.4). The answer is signed, so the way there need not be.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use intel::bag::timestamp::{ANSWER_MAX, granted, query};
use ring::rand::{SecureRandom as _, SystemRandom};

/// For connecting, and for each read and write.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where one asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Name or address, with a port.
    place: String,
    path: String,
}

impl FromStr for Authority {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "`{url}` is no authority; write it like http://tsa.example.net/tsr (its answer is signed, so http does)"
            )
        };
        let rest = url.strip_prefix("http://").ok_or_else(bad)?;
        let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
        if place.is_empty() || rest.contains(|c: char| c.is_control() || c == ' ') {
            return Err(bad());
        }
        let port = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let place = if port { place.to_owned() } else { format!("{place}:80") };
        Ok(Self { place, path: format!("/{path}") })
    }
}

impl Authority {
    /// The request for a SHA-256, and the answer to it.
    ///
    /// # Errors
    /// When it does not answer, or not that it stamped this digest.
    pub fn stamp(&self, digest: &[u8; 32]) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
        let place = &self.place;
        let mut nonce = [0; 8];
        SystemRandom::new().fill(&mut nonce).map_err(|_| anyhow!("the system gives no random numbers"))?;
        let query = query(digest, nonce);
        let remedy = "leave out the time stamp, or try again later";
        let answer = self
            .post(&query)
            .with_context(|| format!("time stamping authority {place}: no answer; {remedy}"))?;
        granted(&answer, digest)
            .map_err(|wrong| anyhow!("time stamping authority {place}: {wrong}; {remedy}"))?;
        Ok((query, answer))
    }

    fn post(&self, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        let address = self.place.to_socket_addrs()?.next().context("its name has no address")?;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // HTTP/1.0: the end of the answer is its end
        let head = format!(
            "POST {} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/timestamp-query\r\nContent-Length: {}\r\n\r\n",
            self.path,
            self.place,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        let mut answer = Vec::new();
        let most = u64::try_from(ANSWER_MAX).unwrap_or(u64::MAX) + 65_536;
        stream.take(most).read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("it does not speak HTTP")?;
        let (head, body) = answer.split_at_checked(end + 4).unwrap_or_default();
        let head = String::from_utf8_lossy(head);
        if head.split(' ').nth(1) != Some("200") {
            bail!("it says `{}`", head.lines().next().unwrap_or_default());
        }
        Ok(body.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_url() {
        let of = |url: &str| url.parse::<Authority>().map(|one| (one.place, one.path));
        assert_eq!(of("http://tsa.example/tsr"), Ok(("tsa.example:80".into(), "/tsr".into())));
        assert_eq!(of("http://[::1]:318"), Ok(("[::1]:318".into(), "/".into())));
        for wrong in ["tsa.example", "https://tsa.example/", "http:///x", "http://a/ b", "http://a\r\n/"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
