//! Time stamps, by an authority that OpenSSL plays on loopback.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{bagit, sealed, signer, verified};
use crate::support::{Scratch, free_port, stderr};

const CONFIG: &str = "[req]\ndistinguished_name=dn\nprompt=no\nx509_extensions=v3\n[dn]\nCN=Test TSA\n[v3]\n\
    basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n\
    [tsa]\ndefault_tsa=one\n[one]\nserial=SERIAL\ncrypto_device=builtin\nsigner_cert=CERT\nsigner_key=KEY\nsigner_digest=sha256\n\
    default_policy=1.2.3.4.1\ndigests=sha256\naccuracy=secs:1\nordering=no\ntsa_name=no\ness_cert_id_chain=no\n";

/// A key and certificate for stamping; none where OpenSSL is missing.
fn authority(scratch: &Scratch) -> Option<PathBuf> {
    let (cert, key) = (scratch.path("tsa.pem"), scratch.path("tsa.key"));
    let text = CONFIG
        .replace("SERIAL", scratch.path("serial").to_str().unwrap())
        .replace("CERT", cert.to_str().unwrap())
        .replace("KEY", key.to_str().unwrap());
    scratch.file("serial", b"01\n");
    let config = scratch.file("tsa.cnf", text.as_bytes());
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-config", &config, "-keyout"])
        .args([key.as_os_str(), "-out".as_ref(), cert.as_os_str()])
        .output();
    let Ok(made) = made else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "openssl is needed");
        eprintln!("skipped: needs openssl");
        return None;
    };
    assert!(made.status.success(), "{made:?}");
    Some(config.into())
}

/// Answers one request; what it does with the request's octets is up to `change`.
fn answer_once(listener: TcpListener, config: PathBuf, folder: PathBuf, change: fn(&mut Vec<u8>)) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let body = loop {
        let n = stream.read(&mut buffer).unwrap();
        request.extend(&buffer[..n]);
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).into_owned();
            assert!(head.contains("Content-Type: application/timestamp-query"), "{head}");
            let length: usize = head.split("Content-Length: ").nth(1).unwrap().trim().parse().unwrap();
            if request.len() >= end + 4 + length {
                break request[end + 4..].to_vec();
            }
        }
        assert!(n > 0, "no whole request");
    };
    let (query, reply) = (folder.join("served.tsq"), folder.join("served.tsr"));
    let mut body = body;
    change(&mut body);
    std::fs::write(&query, body).unwrap();
    let out = Command::new("openssl")
        .args(["ts", "-reply", "-section", "one", "-config"])
        .args([
            config.as_os_str(),
            "-queryfile".as_ref(),
            query.as_os_str(),
            "-out".as_ref(),
            reply.as_os_str(),
        ])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let answer = std::fs::read(reply).unwrap();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&answer).unwrap();
}

fn sealed_with(scratch: &Scratch, config: &Path, change: fn(&mut Vec<u8>)) -> anyhow::Result<PathBuf> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/tsr", listener.local_addr().unwrap());
    let (config, folder) = (config.to_owned(), scratch.path("served"));
    std::fs::create_dir_all(&folder).unwrap();
    let server = std::thread::spawn(move || answer_once(listener, config, folder, change));
    let bag = sealed(&scratch.path("attack"), Some(&signer()), Some(&url.parse().unwrap()));
    server.join().unwrap();
    bag
}

#[test]
fn a_stamp_is_taken_from_an_authority_and_verifies_with_openssl() {
    let scratch = Scratch::new("evidence-stamp");
    let Some(config) = authority(&scratch) else { return };
    let bag = sealed_with(&scratch, &config, |_| {}).unwrap();
    let (out, report) = verified(&bag, &[]);
    assert!(out.status.success(), "{}", stderr(&out));
    assert_eq!(report["stamped"], true);
    assert!(bagit(&bag).is_none_or(|out| out.status.success()));
    let check = |data: &Path| {
        Command::new("openssl")
            .args(["ts", "-verify", "-data"])
            .args([data.as_os_str(), "-in".as_ref(), bag.join("timestamp/tagmanifest.tsr").as_os_str()])
            .arg("-CAfile")
            .arg(scratch.path("tsa.pem"))
            .output()
            .unwrap()
    };
    let good = check(&bag.join("tagmanifest-sha256.txt"));
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    assert!(String::from_utf8_lossy(&[good.stdout, good.stderr].concat()).contains("Verification: OK"));
    assert!(!check(&bag.join("manifest-sha256.txt")).status.success(), "of another file");
    let by_query = Command::new("openssl")
        .args(["ts", "-verify", "-queryfile"])
        .args([bag.join("timestamp/tagmanifest.tsq"), "-in".into(), bag.join("timestamp/tagmanifest.tsr")])
        .arg("-CAfile")
        .arg(scratch.path("tsa.pem"))
        .output()
        .unwrap();
    assert!(by_query.status.success(), "{}", String::from_utf8_lossy(&by_query.stderr));
}

#[test]
fn a_stamp_over_something_else_is_refused_and_the_bag_stays_open() {
    let scratch = Scratch::new("evidence-wrong-stamp");
    let Some(config) = authority(&scratch) else { return };
    // an octet of the digest on its way
    let wrong = sealed_with(&scratch, &config, |query| query[30] ^= 1).unwrap_err();
    assert!(format!("{wrong:#}").contains("over something else"), "{wrong:#}");
    assert!(!verified(&scratch.path("attack").join("evidence"), &[]).0.status.success());
}

#[test]
fn an_authority_that_is_not_there_is_said_with_a_remedy() {
    let scratch = Scratch::new("evidence-no-stamp");
    let url = format!("http://127.0.0.1:{}/", free_port());
    let wrong = sealed(&scratch.path("attack"), None, Some(&url.parse().unwrap())).unwrap_err();
    assert!(wrong.to_string().contains("leave out the time stamp"), "{wrong:#}");
}
