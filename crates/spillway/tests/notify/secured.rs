//! Certificates and passwords.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Receiver, closed, secret};
use crate::daemon::{config, wait};
use crate::support::{Scratch, spillway, stderr};

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let scratch = Scratch::new("notify-tls");
    let (key, certificate) = (scratch.path("key.pem"), scratch.path("cert.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "1",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    if !made.is_ok_and(|out| out.status.success()) {
        let what = "skipped: needs openssl; `scripts/setup python` installs it";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have it");
        return eprintln!("{what}");
    }
    let serve = "import http.server,ssl,sys\nclass H(http.server.BaseHTTPRequestHandler):\n  def do_POST(s):\n    s.rfile.read(int(s.headers['Content-Length'])); s.send_response(204); s.end_headers()\n  def log_message(*_): pass\nh=http.server.ThreadingHTTPServer(('127.0.0.1',0),H)\nc=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[1],sys.argv[2])\nh.socket=c.wrap_socket(h.socket,server_side=True)\nprint(h.server_address[1],flush=True)\nh.serve_forever()";
    let mut server = Command::new("python3")
        .args(["-c", serve])
        .args([&certificate, &key])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let hook = |name: &str, ca: &str| {
        format!("[notify.{name}]\nkind = \"webhook\"\nurl = \"https://localhost:{}/\"\n{ca}\n", port.trim())
    };
    let ours = format!("ca = \"{}\"", certificate.display());
    let file = config(&scratch, "", &(hook("known", &ours) + &hook("unknown", "")));
    let test = |name: &str| spillway(["notify", "test", name, "-c", &file, "-o", "text"]);
    let (known, unknown) = (test("known"), test("unknown"));
    let _ = server.kill();
    let _ = server.wait();
    assert!(known.status.success(), "{}", stderr(&known));
    assert!(String::from_utf8_lossy(&known.stdout).contains("HTTP 204"));
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("certificate"), "{}", stderr(&unknown));
}

#[test]
fn mail_goes_by_starttls_with_a_password_that_nobody_else_sees() {
    let scratch = Scratch::new("notify-starttls");
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = scratch.file("mail.crt", made.cert.pem().as_bytes());
    let key = closed(&scratch, "mail.key", &made.signing_key.serialize_pem());
    let Some(far) = Receiver::start_with(&scratch, &[&certificate, &key]) else { return };
    let channel = |name: &str, port: &Value, ca: &str, password: &str| {
        format!(
            "[notify.{name}]\nkind = \"email\"\nserver = \"127.0.0.1\"\nport = {port}\nca = \"{ca}\"\nuser = \"noc\"\npassword = \"${{file:{password}}}\"\n\
             from = \"spillway@example.net\"\nto = [\"noc@example.net\"]\ntimeout = \"5s\"\n"
        )
    };
    let password = secret(&scratch);
    let wrong = closed(&scratch, "wrong.secret", "guess");
    let (covered, plain) = (&far.ports["starttls"], &far.ports["smtp"]);
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let other = scratch.file("other.crt", other.cert.pem().as_bytes());
    let more = [
        channel("good", covered, &certificate, &password),
        channel("guess", covered, &certificate, &wrong),
        channel("bare", plain, &certificate, &password),
        channel("stranger", covered, &other, &password),
    ];
    let file = config(&scratch, "", &more.concat());
    let test = |name: &str| spillway(["notify", "test", name, "-c", &file, "-o", "text"]);
    let good = test("good");
    assert!(good.status.success(), "{}", stderr(&good));
    let mail = wait("the mail", || far.got("mail").pop());
    assert_eq!(
        (&mail["tls"], &mail["user"], &mail["wrong"]),
        (&Value::Bool(true), &Value::from("noc"), &Value::from(""))
    );
    // a wrong password, a server without STARTTLS, a certificate that nobody vouches for: nothing is sent
    for name in ["guess", "bare", "stranger"] {
        let refused = test(name);
        assert!(!refused.status.success(), "{name}");
        assert!(stderr(&refused).contains("the test did not arrive"), "{}", stderr(&refused));
    }
    assert_eq!(far.got("mail").len(), 1);
}
