//! StayRTR, a real cache, on a loopback port.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base::Timestamp;
use steer::ownership::{Client, Output, Settings, Validity};

use super::{at, prefix};

const PROGRAM: &str = "/usr/bin/stayrtr";

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets the client talk until it has a table.
fn talk(client: &mut Client, port: u16) {
    let mut stream: Option<TcpStream> = None;
    let now = || -> Timestamp { at(1) };
    // A look waits a second at most.
    for _ in 0..60 {
        if client.vrps().is_some() {
            return;
        }
        client.handle_timeout(now());
        while let Some(output) = client.poll_output() {
            match output {
                Output::Connect => {
                    let tries = (0..600).find_map(|_| {
                        std::thread::sleep(Duration::from_millis(50));
                        TcpStream::connect(("127.0.0.1", port)).ok()
                    });
                    let connected = tries.expect("it listens within thirty seconds");
                    stream = Some(connected);
                    client.connected(now());
                }
                Output::Send(octets) => stream.as_mut().unwrap().write_all(&octets).unwrap(),
                Output::Close(why) => {
                    println!("closed: {why}");
                    stream = None;
                }
                Output::Changed => {}
            }
        }
        let Some(open) = stream.as_mut() else { continue };
        open.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut octets = [0; 1000];
        match open.read(&mut octets) {
            Ok(0) => {
                stream = None;
                client.disconnected(now());
            }
            Ok(count) => client.receive(now(), octets.get(..count).unwrap()),
            Err(error) => assert!(
                matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
                "{error}"
            ),
        }
    }
    panic!("it tells nothing");
}

#[test]
fn a_real_cache_tells_what_it_was_given() {
    if !Path::new(PROGRAM).exists() {
        assert!(std::env::var_os("CI").is_none(), "{PROGRAM} is not there");
        println!("skipped: {PROGRAM} is not there; apt-get install stayrtr");
        return;
    }
    let folder = std::env::temp_dir().join(format!("spillway-stayrtr-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("vrps.json");
    std::fs::write(
        &file,
        r#"{"metadata": {"buildtime": "2026-01-01T00:00:00Z"}, "roas": [
            {"prefix": "198.51.100.0/24", "maxLength": 24, "asn": "AS64500"},
            {"prefix": "203.0.113.0/24", "maxLength": 32, "asn": "AS64500"},
            {"prefix": "2001:db8::/32", "maxLength": 48, "asn": "AS64500"},
            {"prefix": "192.0.2.0/24", "maxLength": 24, "asn": "AS64999"}
        ]}"#,
    )
    .unwrap();
    for version in ["2", "1", "0"] {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let bind = format!("127.0.0.1:{port}");
        let mut command = Command::new(PROGRAM);
        command.args([
            "-bind",
            &bind,
            "-metrics.addr",
            "127.0.0.1:0",
            "-checktime=false",
            "-protocol",
            version,
        ]);
        command.arg("-cache").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running(command.spawn().unwrap());
        let mut client = Client::new(at(0), Settings::default());
        talk(&mut client, port);
        let vrps = client.vrps().unwrap();
        assert_eq!(vrps.len(), 4, "version {version}");
        for (text, validity) in [
            ("198.51.100.0/24", Validity::Valid),
            ("198.51.100.7/32", Validity::Invalid { up_to: Some(24) }),
            ("203.0.113.7/32", Validity::Valid),
            ("192.0.2.7/32", Validity::Invalid { up_to: None }),
            ("2001:db8:7::/48", Validity::Valid),
            ("2001:db9::/32", Validity::NotFound),
        ] {
            assert_eq!(vrps.validity(prefix(text), 64_500), validity, "version {version}: {text}");
        }
        drop(running);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
