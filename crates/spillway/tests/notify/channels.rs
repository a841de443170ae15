//! Every channel, from an attack to what the far end got.

use std::io::Read as _;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;

use serde_json::Value;

use super::{Receiver, SECRET, closed, program, secret};
use crate::daemon::{Daemon, attacked, config, wait};
use crate::support::Scratch;

#[test]
fn every_channel_tells_of_an_attack_in_one_schema() {
    let scratch = Scratch::new("notify-all");
    let Some(far) = Receiver::start(&scratch) else { return };
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = scratch.path("log.sock");
    let unix = UnixDatagram::bind(&here).unwrap();
    let (tell, told) = program(&scratch);
    let more = format!(
        r#"
[notify.hook]
kind = "webhook"
url = "{hook}"
secret = "${{file:{secret}}}"
group_wait = "100ms"
[notify.chat]
kind = "slack"
url = "${{file:{url}}}"
group_wait = "100ms"
[notify.bot]
kind = "telegram"
endpoint = "{root}"
token = "${{file:{token}}}"
chat = "-100"
group_wait = "100ms"
[notify.mail]
kind = "email"
server = "127.0.0.1"
port = {smtp}
tls = "none"
from = "spillway@example.net"
to = ["noc@example.net", "boss@example.net"]
group_wait = "100ms"
[notify.udp]
kind = "syslog"
target = "udp://{udp}"
format = "json"
group_wait = "100ms"
[notify.tcp]
kind = "syslog"
target = "tcp://{tcp}"
group_wait = "100ms"
[notify.unix]
kind = "syslog"
target = "unix://{here}"
facility = "daemon"
group_wait = "100ms"
[notify.tell]
kind = "exec"
path = "{tell}"
group_wait = "100ms"
[notify.others]
kind = "webhook"
url = "{others}"
prefixes = ["198.18.99.0/24"]
group_wait = "100ms"
[customers."seven"]
networks = ["198.18.7.0/24"]
[log]
format = "json"
"#,
        hook = far.url("/ok"),
        secret = secret(&scratch),
        url = closed(&scratch, "slack.url", &far.url("/slack")),
        root = far.url(""),
        token = closed(&scratch, "bot.token", "T"),
        smtp = far.ports["smtp"],
        udp = udp.local_addr().unwrap(),
        tcp = tcp.local_addr().unwrap(),
        here = here.display(),
        others = far.url("/others"),
    );
    let daemon = Daemon::start(&config(&scratch, "", &more));
    let attack = attacked(&daemon);
    let (id, came) =
        (attack["id"].as_str().unwrap(), |path: &str| wait(path, || far.got(path).into_iter().next()));

    let hook = came("/ok");
    assert_eq!((&hook["signed"], &hook["wrong"]), (&Value::Bool(true), &Value::from("")), "{hook}");
    let (body, first) = (&hook["body"], &hook["body"]["events"][0]);
    assert_eq!((&body["schema"], &body["id"]), (&Value::from("spillway.notification/1"), &hook["id"]));
    assert_eq!((first["kind"].as_str(), first["attack"]["id"].as_str()), (Some("attack_started"), Some(id)));
    assert_eq!(first["attack"]["customers"], serde_json::json!(["seven"]));
    assert_eq!(first["attack"]["target"], "198.18.7.7/32");

    let says =
        |text: &Value| text.as_str().unwrap().starts_with("attack started: tcp-syn-flood on 198.18.7.7/32");
    assert!(says(&came("/slack")["body"]["text"]));
    let bot = came("/botT/sendMessage");
    assert!(says(&bot["body"]["text"]) && bot["body"]["chat_id"] == "-100");
    let mail = came("mail");
    assert_eq!(mail["wrong"], "");
    assert_eq!(mail["rcpt"], serde_json::json!(["noc@example.net", "boss@example.net"]));
    assert_eq!(mail["id"], format!("<{}@example.net>", mail["body"]["id"].as_str().unwrap()));
    assert!(mail["subject"].as_str().unwrap().starts_with("[spillway] attack started"), "{mail}");

    let mut octets = [0; 65_536];
    let count = udp.recv(&mut octets).unwrap();
    let line = String::from_utf8_lossy(&octets[..count]).into_owned();
    assert!(line.starts_with("<130>1 20"), "{line}");
    let json: Value = serde_json::from_str(line.split_once("] ").unwrap().1).unwrap();
    assert_eq!(json["events"][0]["attack"]["id"], id);
    let mut line = String::new();
    tcp.accept().unwrap().0.read_to_string(&mut line).unwrap();
    let (length, line) = line.split_once(' ').unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), line.len());
    assert!(line.contains(&format!("attack_id=\"{id}\"")) && line.contains("] attack started: "), "{line}");
    let count = unix.recv(&mut octets).unwrap();
    assert!(String::from_utf8_lossy(&octets[..count]).starts_with("<26>1 "));

    let told: Value = wait("the program", || serde_json::from_slice(&std::fs::read(&told).ok()?).ok());
    assert_eq!(told["events"][0]["attack"]["id"], id);
    wait("all of it to be counted", || {
        let (_, text) = daemon.get("/metrics");
        let sent = |channel: &str| {
            text.contains(&format!("spillway_notifications_total{{channel=\"{channel}\",result=\"sent\"}} 1"))
        };
        ["hook", "chat", "bot", "mail", "udp", "tcp", "unix", "tell"]
            .iter()
            .all(|one| sent(one))
            .then_some(())
    });
    assert!(far.got("/others").is_empty(), "it is not about them");

    // Each line of the log that speaks of the attack says so in a field.
    daemon.signal("-TERM");
    let (_, log) = daemon.ended();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |message: &'static str| lines.iter().filter(move |line| line["message"] == message);
    assert_eq!(of("attack").next().unwrap()["attack_id"], id);
    assert!(of("notified").count() >= 8 && of("notified").all(|line| line["attack_id"] == id));
    assert!(
        !log.contains(SECRET) && !log.contains("/slack") && !log.contains("botT"),
        "no secret in the log"
    );
}
