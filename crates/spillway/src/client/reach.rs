//! Which daemon is asked, and with whose credentials: what commands that look at a running daemon have in common.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::{Api, pinned};
use crate::config::{Config, DEFAULT_PATH, TlsFiles};

/// Where a token is looked for.
const TOKEN: &str = "SPILLWAY_TOKEN";

/// Which daemon, and how it is reached.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Reach {
    /// The configuration of the daemon
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub(crate) config: PathBuf,
    /// The daemon's API, http://ADDRESS:PORT or https://ADDRESS:PORT [default: as the configuration says]
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
    /// A file whose first line is a token [default: the variable SPILLWAY_TOKEN; none is needed on plain loopback to look]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The certificate that the API has, PEM [default: as the configuration says]
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

impl Reach {
    /// The daemon that is meant.
    ///
    /// # Errors
    /// The configuration is wrong, or a file cannot be read.
    pub(crate) fn api(&self) -> anyhow::Result<Api> {
        let config = Config::load(&self.config);
        let (url, secured) = match (&self.api, &config) {
            (Some(url), _) => (url.clone(), url.starts_with("https://")),
            (None, Ok(config)) => {
                let (address, secured) = (near(config.api.listen), config.api.is_secured());
                (format!("{}://{address}", if secured { "https" } else { "http" }), secured)
            }
            (None, Err(problems)) => {
                let first = problems.first().map(ToString::to_string).unwrap_or_default();
                bail!("no daemon to ask: {first}; or name its API with --api URL")
            }
        };
        let plain = url.replacen("https://", "http://", 1);
        let mut api = Api::plain(&plain)?;
        if secured {
            let certificate = self.certificate.clone().or_else(|| config.as_ref().ok().map(certificate));
            let Some(path) = certificate else {
                bail!(
                    "{url}: name the API's certificate with --certificate FILE: `api.crt` in the daemon's state folder, where it made its own"
                )
            };
            api.tls = Some(
                read(&path)
                    .and_then(|pem| pinned::client(&pem))
                    .with_context(|| path.display().to_string())?,
            );
        }
        api.url = url;
        api.token = self.token()?;
        Ok(api)
    }

    fn token(&self) -> anyhow::Result<Option<String>> {
        let text = match &self.token_file {
            Some(path) => Some(std::fs::read_to_string(path).with_context(|| path.display().to_string())?),
            None => std::env::var(TOKEN).ok(),
        };
        let token = text.map(|text| text.lines().next().unwrap_or_default().trim().to_owned());
        match token {
            Some(token) if token.is_empty() => Ok(None),
            Some(token) if token.chars().any(|c| c.is_whitespace() || c.is_control()) => {
                bail!("that is no token: a token is one word that begins with spw_")
            }
            token => Ok(token),
        }
    }
}

/// From this machine: an address for all of its own is reached on loopback.
fn near(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(any) if any.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(any) if any.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Where the certificate of the API is.
fn certificate(config: &Config) -> PathBuf {
    match &config.api.tls {
        Some(TlsFiles { certificate: Some(certificate), .. }) => certificate.clone(),
        _ => config.state_dir.join("api.crt"),
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).context("cannot be read; are you the daemon's user?")
}
