//! TLS: made at the first run, or the operator's; and nobody without credentials.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use sha2::{Digest as _, Sha256};

use crate::daemon::{Daemon, config};
use crate::support::{Scratch, spillway, stderr};

/// A GET over TLS that trusts this certificate alone.
fn get(address: &str, certificate: &CertificateDer<'static>, path: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let mut tls = Stream::new(&mut connection, &mut stream);
    write!(tls, "GET {path} HTTP/1.1\r\nHost: brain.example\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // an end without the close of TLS is an end, too
    let _ = tls.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_first_run_elsewhere_than_on_loopback_speaks_tls_and_knows_nobody() {
    let scratch = Scratch::new("access-tls");
    let text = format!(
        "networks = [\"198.18.0.0/16\"]\nstate_dir = \"{}\"\n[listen]\nsflow = \"127.0.0.1:0\"\n[api]\nlisten = \"0.0.0.0:0\"\n",
        scratch.path("state").display()
    );
    let config = scratch.file("spillway.toml", text.as_bytes());
    let daemon = Daemon::start(&config);
    let api = daemon.ready["api"].as_str().unwrap();
    let address = api.strip_prefix("https://0.0.0.0").unwrap();
    let address = format!("127.0.0.1{address}");
    let pem = std::fs::read(scratch.path("state/api.crt")).unwrap();
    let certificate = CertificateDer::from_pem_slice(&pem).unwrap();
    let fingerprint: String =
        Sha256::digest(&certificate).iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(daemon.ready["api_certificate"], fingerprint);
    let mode = std::fs::metadata(scratch.path("state/api.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(get(&address, &certificate, "/healthz").starts_with("HTTP/1.1 200"));
    for path in ["/api/v1/attacks", "/metrics", "/readyz"] {
        assert!(get(&address, &certificate, path).starts_with("HTTP/1.1 401"), "{path}");
    }
    // whoever speaks plainly gets nothing, and hinders nobody
    let mut plain = TcpStream::connect(&address).unwrap();
    write!(plain, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(get(&address, &certificate, "/healthz").starts_with("HTTP/1.1 200"));
    // the certificate stays the same
    drop(daemon);
    let again = Daemon::start(&config);
    assert_eq!(again.ready["api_certificate"], fingerprint);
}

#[test]
fn what_contradicts_itself_about_the_api_is_refused() {
    let scratch = Scratch::new("access-wrong");
    for (more, said) in [
        ("anonymous = \"viewer\"\n[api.tls]", "plain loopback alone"),
        ("[api.tls]\ncertificate = \"/x\"", "needs both"),
        ("requests_per_second = 0", "must be 1 to"),
        ("anonymous = \"admin\"", "admin"),
    ] {
        let file = config(&scratch, "", more);
        let out = spillway(["check", "-c", &file]);
        assert!(!out.status.success() && stderr(&out).contains(said), "{more}: {}", stderr(&out));
    }
}

#[test]
fn an_api_behind_tls_is_asked_with_a_token() {
    let scratch = Scratch::new("access-client");
    let file = config(&scratch, "", "[api.tls]");
    let daemon = Daemon::start(&file);
    let api = daemon.ready["api"].as_str().unwrap();
    assert!(api.starts_with("https://"), "{api}");
    assert!(spillway(["user", "add", "vera", "--role", "viewer", "-c", &file]).status.success());
    let made = spillway(["token", "add", "vera", "-c", &file, "-o", "json"]);
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let token = scratch.file("token", made["token"].as_str().unwrap().as_bytes());
    let asked = spillway(["status", "-c", &file, "--api", api, "--token-file", &token, "-o", "json"]);
    assert!(asked.status.success(), "{}", stderr(&asked));
    let status: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!(status["ready"], true);
    let nobody = spillway(["status", "-c", &file, "--api", api]);
    assert!(!nobody.status.success() && stderr(&nobody).contains("SPILLWAY_TOKEN"), "{}", stderr(&nobody));
    // whoever stands there with another certificate hears no token
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
    let other = scratch.file("other.crt", other.as_bytes());
    let args = ["status", "--api", api, "--certificate", &other, "--token-file", &token];
    let wrong = spillway(args);
    assert!(stderr(&wrong).contains("another certificate"), "{}", stderr(&wrong));
    let plain = spillway(["status", "-c", &file, "--api", &api.replace("https", "http")]);
    assert!(!plain.status.success(), "{}", stderr(&plain));
}
