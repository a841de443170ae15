//! The API's certificate: the operator's, or one that the first run makes and signs itself.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

use crate::config::{Config, TlsFiles};

/// Files of the self-signed one in the state folder.
const CERTIFICATE: &str = "api.crt";
const KEY: &str = "api.key";
/// Octets of such files at most.
const FILE_MAX: u64 = 1 << 20;

/// What connections are secured with.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    /// For the handshake.
    pub(super) server: Arc<ServerConfig>,
    /// SHA-256 of the certificate, in hexadecimal digits.
    pub(super) fingerprint: String,
}

impl Tls {
    /// As the configuration has it; `None`: it is spoken plainly, on loopback.
    ///
    /// # Errors
    /// The files cannot be used.
    pub(super) fn of(config: &Config) -> anyhow::Result<Option<Self>> {
        if !config.api.is_secured() {
            return Ok(None);
        }
        let files = match &config.api.tls {
            Some(TlsFiles { certificate: Some(certificate), key: Some(key) }) => {
                (certificate.clone(), key.clone())
            }
            _ => {
                let own = (config.state_dir.join(CERTIFICATE), config.state_dir.join(KEY));
                make(&own.0, &own.1, config.api.listen)?;
                own
            }
        };
        Self::load(&files.0, &files.1).map(Some)
    }

    fn load(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let (shown, secret) = (certificate.display(), key.display());
        let chain = read(certificate)?;
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&chain).collect::<Result<_, _>>().map_err(|wrong| {
                anyhow::anyhow!("{shown} holds no certificate in PEM ({wrong}); see `api.tls`")
            })?;
        let Some(first) = chain.first() else { bail!("{shown} holds no certificate in PEM; see `api.tls`") };
        let fingerprint = Sha256::digest(first).iter().map(|octet| format!("{octet:02x}")).collect();
        let meta =
            std::fs::metadata(key).with_context(|| format!("cannot read the key {secret} (`api.tls`)"))?;
        if meta.mode() & 0o077 != 0 {
            bail!("the key {secret} is open to others: `chmod 600 {secret}`");
        }
        let key = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|wrong| anyhow::anyhow!("{secret} holds no key in PEM ({wrong}); see `api.tls`"))?;
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS cannot be spoken")?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .with_context(|| format!("{shown} and {secret} do not go together (`api.tls`)"))?;
        Ok(Self { server: Arc::new(server), fingerprint })
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {shown} (`api.tls`)"))?.len();
    if size > FILE_MAX {
        bail!("{shown} is too long for a certificate or key (`api.tls`)");
    }
    std::fs::read(path).with_context(|| format!("cannot read {shown} (`api.tls`)"))
}

/// Makes both where they are not there yet: for the address, the machine's name and `localhost`.
fn make(certificate: &Path, key: &Path, listen: SocketAddr) -> anyhow::Result<()> {
    if certificate.exists() && key.exists() {
        return Ok(());
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String =
        host.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).collect();
    let mut names = vec!["localhost".to_owned(), listen.ip().to_string()];
    names.extend((!host.is_empty()).then_some(host));
    let made = rcgen::generate_simple_self_signed(names).context("cannot make a certificate for the API")?;
    write(key, &made.signing_key.serialize_pem(), 0o600)?;
    write(certificate, &made.cert.pem(), 0o644)
}

/// Anew: half of a pair is of no use.
fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let shown = path.display();
    let _ = std::fs::remove_file(path);
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.with_context(|| format!("cannot write {shown}"))
}
