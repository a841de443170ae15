//! Nothing leaves without its entry in the ledger.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::daemon::Daemon;
use crate::ledger::{House, on_a_small_disk};
use crate::support::{spillway, stderr};

const REQUEST: &str = r#"
recipient = "abuse@hoster.example"
recipient_source = "RDAP"
recipient_class = "hoster"
purpose = "abuse-report"
jurisdiction = "DE"
tlp = "green"
pap = "green"
consent = "not-needed"
customer = "acme"
data = ["source-addresses"]
profile = "recipients-sources"
extent = "minimised"
retention_days = 30
expires_days = 7
ticket = "T-17"
[basis]
kind = "legitimate-interest"
[counts]
sources = 1
"#;

/// An order that forbids to speak of it.
const ORDER: &str = r#"
recipient = "Staatsanwaltschaft"
recipient_source = "the order"
recipient_class = "law-enforcement"
purpose = "investigation"
jurisdiction = "DE"
tlp = "red"
pap = "red"
consent = "forbidden"
data = ["source-addresses", "payload"]
profile = "as-ordered"
extent = "named-data"
retention_days = 3650
expires_days = 7
ticket = "T-18"
embargo_until = "2020-01-01T00:00:00Z"
customer_may_know = false
[basis]
kind = "production-order"
instrument = "eu-2023-1543"
reference = "Az 1"
emergency = true
"#;

const PAYLOAD: &[u8] = b"{\"source\":\"203.0.113.9\"}";

/// The kernel keeps who logged in, whoever runs a command then: these have no names in `/etc/passwd`.
const LOGGED_IN: &str = "echo \"$0\" >/proc/self/loginuid && exec \"$@\"";

#[derive(Clone, Copy)]
struct Person(&'static str);

const ALICE: Person = Person("60001");
const BOB: Person = Person("60002");

/// Whether somebody can be somebody else here: not in every container, whoever is root there.
fn persons() -> bool {
    let output = Command::new("/bin/sh").args(["-c", LOGGED_IN, ALICE.0, "true"]).output().unwrap();
    if !output.status.success() {
        eprintln!("skipped: needs a kernel that keeps who logged in (/proc/self/loginuid), and root");
    }
    output.status.success()
}

fn told(output: Output) -> Result<Value, String> {
    match output.status.code() {
        Some(0) => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        _ => Err(stderr(&output)),
    }
}

struct Desk(House);

impl Desk {
    fn new(name: &str, more: &str) -> Self {
        Self(House::new(&format!("disclosure-{name}"), more))
    }

    fn run(&self, args: &[&str]) -> Result<Value, String> {
        told(spillway(self.line(args)))
    }

    /// As somebody who logged in.
    fn run_as(&self, who: Person, args: &[&str]) -> Result<Value, String> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", LOGGED_IN, who.0, env!("CARGO_BIN_EXE_spillway")]).args(self.line(args));
        told(command.env("NO_COLOR", "1").env_remove("COLUMNS").output().unwrap())
    }

    fn line<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        [&["disclosure"], args, &["-c", &self.0.config, "-o", "json"]].concat()
    }

    fn begin(&self, request: &str) -> Value {
        self.begin_with(request, PAYLOAD)
    }

    fn begin_with(&self, request: &str, payload: &[u8]) -> Value {
        let request = self.0.scratch.file("request.toml", request.as_bytes());
        let payload = self.0.scratch.file("payload", payload);
        self.run(&["new", &request, "--payload", &payload, "--as", "alice"]).unwrap()
    }

    fn path(&self, name: &str) -> String {
        self.0.scratch.path(name).to_str().unwrap().to_owned()
    }
}

#[test]
fn a_disclosure_goes_all_the_way_and_its_recipient_checks_it_offline() {
    if !persons() {
        return;
    }
    let desk = Desk::new("way", "");
    let begun = desk.begin(REQUEST);
    let id = begun["id"].as_str().unwrap();
    assert_eq!(begun["step"], "minimised");
    let out = desk.path("out");
    let said = desk.run(&["send", id, "--to-folder", &out]).unwrap_err();
    assert!(said.contains("nothing is sent") && said.contains("a person has to agree"), "{said}");
    assert!(!Path::new(&out).exists());
    let said = desk.run_as(BOB, &["approve", id, "--as", "bob", "--sha256", "00"]).unwrap_err();
    assert!(said.contains("look again"), "{said}");
    let sha256 = begun["payload_sha256"].as_str().unwrap();
    assert_eq!(
        desk.run_as(BOB, &["approve", id, "--as", "bob", "--sha256", sha256]).unwrap()["step"],
        "reviewed"
    );
    let sent = desk.run(&["send", id, "--to-folder", &out]).unwrap();
    assert_eq!((&sent["step"], &sent["ledgered"]), (&"sent".into(), &0.into()));
    let file = |end: &str| format!("{out}/{id}{end}");
    assert_eq!(std::fs::read(file("")).unwrap(), PAYLOAD);
    let verify = || {
        spillway([
            "ledger",
            "verify",
            &file(".tlog-proof"),
            &file(""),
            "--policy",
            &file(".policy"),
            "-o",
            "json",
        ])
    };
    let output = verify();
    assert!(output.status.success(), "{}", stderr(&output));
    std::fs::write(file(""), b"{\"source\":\"203.0.113.8\"}").unwrap();
    assert!(!verify().status.success());
    assert!(desk.run(&["send", id, "--to-folder", &out]).unwrap_err().contains("was sent already"));
    assert_eq!(desk.run(&["mark", id, "acknowledged"]).unwrap()["step"], "acknowledged");
    let said = desk.run(&["mark", id, "bounced"]).unwrap_err();
    assert!(said.contains("cannot become"), "{said}");
    let list = desk.run(&["list"]).unwrap();
    assert_eq!(list["items"][0]["id"], id);
    let entry = String::from_utf8(desk.0.view().entry(0).unwrap()).unwrap();
    for secret in ["203.0.113", "acme", "alice", "bob", "hoster.example", "T-17"] {
        assert!(!entry.contains(secret), "{secret} in {entry}");
    }
}

#[test]
fn the_daemon_counts_what_left_and_nothing_that_it_may_not_speak_of() {
    if !persons() {
        return;
    }
    let desk = Desk::new("counted", "");
    let begun = desk.begin(REQUEST);
    let (id, sha256) = (begun["id"].as_str().unwrap(), begun["payload_sha256"].as_str().unwrap());
    desk.run_as(BOB, &["approve", id, "--as", "bob", "--sha256", sha256]).unwrap();
    desk.run(&["send", id, "--to-folder", &desk.path("out")]).unwrap();
    // Another one that left, but an order forbids to speak of it.
    let folder = |id: &str| desk.0.scratch.path("state").join("disclosures").join(id);
    let mut case: Value =
        serde_json::from_slice(&std::fs::read(folder(id).join("case.json")).unwrap()).unwrap();
    case["draft"]["id"] = "secret".into();
    case["draft"]["embargo_until"] = "2099-01-01T00:00:00Z".into();
    std::fs::create_dir(folder("secret")).unwrap();
    std::fs::write(folder("secret").join("case.json"), case.to_string()).unwrap();
    let daemon = Daemon::start(&desk.0.config);
    let (_, page) = daemon.get("/metrics");
    let line = "spillway_reports_sent_total{format=\"abuse-report\",result=\"sent\"} 1";
    assert!(page.lines().any(|one| one == line), "{page}");
    assert_eq!(daemon.sum("spillway_reports_sent_total"), 1.0);
    // The file goes at the end of its time, and the count stays.
    std::fs::remove_dir_all(folder(id)).unwrap();
    assert_eq!(daemon.sum("spillway_reports_sent_total"), 1.0);
}

#[test]
fn a_changed_payload_or_an_edited_file_skips_no_step() {
    if !persons() {
        return;
    }
    let desk = Desk::new("edited", "");
    let begun = desk.begin(REQUEST);
    let id = begun["id"].as_str().unwrap();
    desk.run_as(BOB, &["approve", id, "--as", "bob"]).unwrap();
    std::fs::write(begun["payload"].as_str().unwrap(), b"something else").unwrap();
    let out = desk.path("out");
    let said = desk.run(&["send", id, "--to-folder", &out]).unwrap_err();
    assert!(said.contains("was changed since"), "{said}");
    // somebody writes the number of another entry into the file
    std::fs::write(begun["payload"].as_str().unwrap(), PAYLOAD).unwrap();
    let other = desk.begin(REQUEST);
    let other = other["id"].as_str().unwrap();
    desk.run_as(BOB, &["approve", other, "--as", "bob"]).unwrap();
    desk.run(&["send", other, "--eml", &desk.path("mail.eml")]).unwrap();
    let case = desk.path(&format!("state/disclosures/{id}/case.json"));
    let text = std::fs::read_to_string(&case).unwrap().replace("\"ledgered\": null", "\"ledgered\": 0");
    std::fs::write(&case, text).unwrap();
    let said = desk.run(&["send", id, "--to-folder", &out]).unwrap_err();
    assert!(said.contains("the receipt is of another entry"), "{said}");
    assert!(!Path::new(&out).exists());
}

#[test]
fn a_mail_carries_payload_and_proof() {
    let desk = Desk::new("mail", "[ledger]\nautomatic_abuse_reports = true");
    let begun = desk.begin(REQUEST);
    let id = begun["id"].as_str().unwrap();
    // no person has to agree, as the configuration says
    assert_eq!(begun["step"], "reviewed");
    desk.run(&["send", id, "--eml", &desk.path("mail.eml")]).unwrap();
    let mail = std::fs::read_to_string(desk.path("mail.eml")).unwrap();
    assert!(mail.starts_with("To: abuse@hoster.example\r\n"), "{mail}");
    let payload: String =
        mail.split("filename=\"").nth(1).unwrap().split("\r\n\r\n").nth(1).unwrap().lines().take(1).collect();
    assert_eq!(ledger::text::from_base64(&payload).unwrap(), PAYLOAD);
    assert_eq!(mail.matches("Content-Type: application/octet-stream").count(), 2);

    // A report of XARF goes in the three parts that abuse desks read by program, octet for octet.
    let report = r#"{
  "xarf_version": "4.2.0",
  "report_id": "6e5c3f2a-0b1d-5c4e-8f7a-9b8c7d6e5f4a",
  "reporter": {"org": "Example", "contact": "abuse@example.net", "domain": "example.net"},
  "category": "vulnerability",
  "type": "open_service",
  "source_identifier": "203.0.113.9",
  "description": "203.0.113.9 runs a service."
}
"#;
    let begun = desk.begin_with(REQUEST, report.as_bytes());
    let id = begun["id"].as_str().unwrap();
    desk.run(&["send", id, "--eml", &desk.path("report.eml")]).unwrap();
    let mail = std::fs::read_to_string(desk.path("report.eml")).unwrap();
    let (head, parts) = mail.split_once("\r\n\r\n").unwrap();
    for line in [
        "From: abuse@example.net",
        "To: abuse@hoster.example",
        "Subject: [XARF] open service: 203.0.113.9",
        "Message-ID: <6e5c3f2a-0b1d-5c4e-8f7a-9b8c7d6e5f4a@example.net>",
        "Content-Type: multipart/report; report-type=feedback-report;",
    ] {
        assert!(head.lines().any(|one| one == line), "{line}: {head}");
    }
    assert!(head.lines().any(|line| line.starts_with("Date: ")), "{head}");
    let boundary = head.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
    let parts: Vec<&str> = parts.split(&format!("--{boundary}")).collect();
    let [_, people, feedback, json, end] = parts[..] else { panic!("{mail}") };
    assert_eq!(end, "--\r\n");
    assert!(people.starts_with("\r\nContent-Type: text/plain"), "{people}");
    assert!(feedback.contains("Content-Type: message/feedback-report\r\n\r\nFeedback-Type: xarf\r\n"));
    assert!(json.starts_with("\r\nContent-Type: application/json"), "{json}");
    let content = |part: &str| {
        let text: String = part.split_once("\r\n\r\n").unwrap().1.split_whitespace().collect();
        ledger::text::from_base64(&text).unwrap()
    };
    assert_eq!(content(json), report.as_bytes());
    // The proof goes with what is said to people, and whoever saves both can check them.
    let said = String::from_utf8(content(people)).unwrap().replace("\r\n", "\n");
    assert!(
        said.starts_with("203.0.113.9 runs a service.\n\nDisclosure ") && said.contains("TLP:GREEN"),
        "{said}"
    );
    let from = said.find("c2sp.org/tlog-proof@v1\n").unwrap();
    let proof = desk.0.scratch.file("report.tlog-proof", &said.as_bytes()[from..]);
    let json = desk.0.scratch.file("xarf.json", &content(json));
    let policy = desk.0.place().policy();
    let output = spillway(["ledger", "verify", &proof, &json, "--policy", policy.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn an_order_under_embargo_takes_two_persons_and_stays_sealed_until_its_day() {
    if !persons() {
        return;
    }
    let desk = Desk::new("order", "");
    let begun = desk.begin(ORDER);
    let id = begun["id"].as_str().unwrap();
    assert!(begun["due"].is_string());
    desk.run_as(ALICE, &["approve", id, "--as", "alice"]).unwrap();
    let out = desk.path("out");
    let said = desk.run(&["send", id, "--to-folder", &out]).unwrap_err();
    assert!(said.contains("two persons"), "{said}");
    desk.run_as(BOB, &["approve", id, "--as", "bob"]).unwrap();
    desk.run(&["send", id, "--to-folder", &out]).unwrap();
    let entry: Value = serde_json::from_slice(&desk.0.view().entry(0).unwrap()).unwrap();
    let sealed = entry["what"]["sealed"].as_object().unwrap();
    assert_eq!(sealed.keys().collect::<Vec<_>>(), ["commitment"]);
    let file = |end: &str| format!("{out}/{id}{end}");
    let output =
        spillway(["ledger", "verify", &file(".tlog-proof"), &file(""), "--policy", &file(".policy")]);
    assert!(output.status.success(), "who has it can check it: {}", stderr(&output));
    let report =
        || serde_json::from_slice::<Value>(&desk.0.ledger(&["report", "-o", "json"]).stdout).unwrap();
    assert_eq!(report()["halves"][0]["sealed"], 1);
    // its embargo is over
    assert_eq!(desk.run(&["unseal", id]).unwrap()["unsealed"], 1);
    assert_eq!(
        (&report()["halves"][0]["sealed"], &report()["halves"][0]["unsealed"]),
        (&1.into(), &1.into())
    );
    let opened: Value = serde_json::from_slice(&desk.0.view().entry(1).unwrap()).unwrap();
    assert_eq!(opened["what"]["unsealed"]["record"]["recipient_class"], "law-enforcement");
    assert!(desk.run(&["unseal", id]).unwrap_err().contains("was opened by entry 1"));
}

#[test]
fn an_embargo_that_lasts_is_kept() {
    if !persons() {
        return;
    }
    let desk = Desk::new("embargo", "");
    let begun = desk.begin(&ORDER.replace("2020-01-01", "2499-01-01"));
    let id = begun["id"].as_str().unwrap();
    desk.run_as(ALICE, &["approve", id, "--as", "alice"]).unwrap();
    desk.run_as(BOB, &["approve", id, "--as", "bob"]).unwrap();
    desk.run(&["send", id, "--to-folder", &desk.path("out")]).unwrap();
    assert!(desk.run(&["unseal", id]).unwrap_err().contains("stays sealed until 2499"));
}

#[test]
fn persons_are_accounts_whatever_they_call_themselves() {
    if !persons() {
        return;
    }
    let desk = Desk::new("persons", "");
    let request = desk.0.scratch.file("request.toml", REQUEST.replace("green", "amber").as_bytes());
    let payload = desk.0.scratch.file("payload", PAYLOAD);
    let begun = desk.run_as(ALICE, &["new", &request, "--payload", &payload, "--as", "Alice A."]).unwrap();
    assert_eq!(begun["draft"]["author"], "Alice A. (uid 60001)");
    let id = begun["id"].as_str().unwrap();
    // Whatever she calls herself, and whoever she says she is, she is one person.
    for name in ["bob", "Bob (uid 60002)", "x)"] {
        assert_eq!(desk.run_as(ALICE, &["approve", id, "--as", name]).unwrap()["step"], "minimised");
    }
    let out = desk.path("out");
    let said = desk.run(&["send", id, "--to-folder", &out]).unwrap_err();
    assert!(said.contains("two persons"), "{said}");
    let shown = desk.run_as(BOB, &["approve", id]).unwrap();
    assert_eq!((&shown["step"], shown["approvals"].as_array().unwrap().len()), (&"reviewed".into(), 2));
    // A file that was edited gives nobody a voice.
    let case = desk.path(&format!("state/disclosures/{id}/case.json"));
    let text = std::fs::read_to_string(&case).unwrap().replace("\"uid 60002\"", "\"Bob (uid 60001)\"");
    std::fs::write(&case, text).unwrap();
    assert!(desk.run(&["send", id, "--to-folder", &out]).unwrap_err().contains("two persons"));
}

/// An attack that is over, by its sources alone.
fn attack(desk: &Desk, id: &str, lines: &str) {
    let folder = desk.0.scratch.path("state/evidence").join(id);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("sources.jsonl"), lines).unwrap();
    std::fs::write(folder.join("attack.json"), r#"{"id":"x","targets":["198.51.100.7/32"]}"#).unwrap();
}

const SOURCES: &str = r#"{"address":"203.0.113.9","verdict":"reflector","confidence":0.97,"reasons":["P1"],"packets":9}
{"address":"192.0.2.10","verdict":"legitimate","confidence":0.95,"reasons":["H1"],"packets":9}
{"address":"192.0.2.11","verdict":"unknown","confidence":0.5,"reasons":[],"packets":9}
{"address":"10.9.8.7","verdict":"spoofed","confidence":0.99,"reasons":["B1"],"packets":9}
{"address":"192.0.2.12","verdict":"bot","confidence":0.9,"reasons":["F1"],"packets":9}
{"address":"2001:db8:1::5","verdict":"legitimate","confidence":0.9,"reasons":["H1"],"packets":9}
{"address":"2001:db8:2::5","verdict":"reflector","confidence":0.9,"reasons":["P1"],"packets":9}
{"address":"2001:db8:2::6","verdict":"unknown","confidence":0.9,"reasons":[],"packets":9}
"#;

#[test]
fn honest_forged_and_unknown_sources_do_not_leave_in_a_report_and_an_order_may_have_them() {
    let desk = Desk::new("looked", "");
    attack(&desk, "00f1a2b3c4d5e6f7", SOURCES);
    attack(&desk, "1122334455667788", "");
    let request = desk.0.scratch.file("request.toml", REQUEST.as_bytes());
    let begin = |payload: &[u8], more: &[&str]| {
        let payload = desk.0.scratch.file("payload", payload);
        desk.run(&[&["new", &request, "--payload", &payload], more].concat())
    };
    let named = ["--attack", "00f1a2b3c4d5e6f7"];
    let begun = begin(b"203.0.113.9\n2001:db8:2::/64\n8.8.8.8\n", &named).unwrap();
    let compared = &begun["compared"];
    assert_eq!(
        (&compared["names"], &compared["told"], &compared["attacks"]),
        (&3.into(), &2.into(), &1.into())
    );
    for (payload, place) in [
        (&b"{\n\"a\": \"192.0.2.10\"}"[..], "line 2: 192.0.2.10 is legitimate in attack 00f1a2b3c4d5e6f7"),
        (b"a\nb\n192[.]0[.]2[.]11", "line 3: 192.0.2.11 is unknown"),
        (b"7.8.9.10.in-addr.arpa", "line 1: 10.9.8.7 is spoofed"),
        // a class without its proof is not told of
        (b"x 192.0.2.12:80", "192.0.2.12 is bot"),
        (b"2001:db8:1::/64", "2001:db8:1::/64 is legitimate"),
        (b"2001:DB8:2:0:0::6", "2001:db8:2::6 is unknown"),
    ] {
        for more in [&named[..], &[]] {
            let said = begin(payload, more).unwrap_err();
            assert!(said.contains(place) && said.contains("only an order gets such"), "{said}");
        }
    }
    let said = begin(b"203.0.113.9", &["--attack", "8899aabbccddeeff"]).unwrap_err();
    assert!(said.contains("no sources of an attack there"), "{said}");
    let said = begin(b"\x1f\x8b\x08\0", &[]).unwrap_err();
    assert!(said.contains("neither text nor a capture"), "{said}");
    // In a capture, and in one that is encoded in a report.
    let packet = crate::evidence::cases::tcp_sample([192, 0, 2, 10].into(), [198, 51, 100, 7]);
    let capture = crate::support::pcap(101, &[packet.octets]);
    assert!(begin(&capture, &named).unwrap_err().contains("packet 1: 192.0.2.10 is legitimate"));
    let report = format!("{{\n\"payload\": \"{}\"}}", ledger::text::base64(&capture));
    let said = begin(report.as_bytes(), &named).unwrap_err();
    assert!(said.contains("line 2, encoded there: packet 1: 192.0.2.10"), "{said}");
    // A draft that says that no source is in it has none, and one that hides the target hides it.
    let other = |from: &str, to: &str, payload: &str| {
        let request = desk.0.scratch.file("other.toml", REQUEST.replace(from, to).as_bytes());
        let payload = desk.0.scratch.file("payload", payload.as_bytes());
        desk.run(&["new", &request, "--payload", &payload, "--attack", "00f1a2b3c4d5e6f7"]).unwrap_err()
    };
    let said = other("[\"source-addresses\"]", "[\"aggregates\"]", "203.0.113.9");
    assert!(said.contains("is a source, and the draft says that none is in it"), "{said}");
    let said = other("recipients-sources", "target-hidden", "203.0.113.9 to 198.51.100.7");
    assert!(said.contains("198.51.100.7 is the target"), "{said}");
    // What is written into the file later is looked into, too.
    let begun = begin(b"203.0.113.9\n", &named).unwrap();
    std::fs::write(begun["payload"].as_str().unwrap(), b"192.0.2.11").unwrap();
    for step in [&["approve"][..], &["send", "--to-folder", "/nowhere"]] {
        let said =
            desk.run(&[&step[..1], &[begun["id"].as_str().unwrap()], &step[1..]].concat()).unwrap_err();
        assert!(said.contains("192.0.2.11 is unknown"), "{said}");
    }
    let order = desk.0.scratch.file("order.toml", ORDER.as_bytes());
    let payload = desk.0.scratch.file("payload", b"192.0.2.10, 10.9.8.7");
    let begun = desk.run(&["new", &order, "--payload", &payload]).unwrap();
    assert!(begun["compared"].is_null(), "{begun}");
}

#[test]
fn an_order_gets_the_complete_bag_or_what_it_names_packed_by_the_workflow() {
    if !persons() {
        return;
    }
    let desk = Desk::new("bag", "");
    let folder = desk.0.scratch.path("state/evidence/00f1a2b3c4d5e6f7");
    let bag = crate::evidence::sealed(&folder, None, None).unwrap();
    let seal = ledger::Hash::of(&std::fs::read(bag.join("tagmanifest-sha256.txt")).unwrap()).to_string();
    let plain = ORDER.replace("embargo_until = \"2020-01-01T00:00:00Z\"\ncustomer_may_know = false\n", "");
    let file = |name: &str, extent: &str| {
        let text = plain.replace("extent = \"named-data\"", extent);
        desk.0.scratch.file(name, text.as_bytes())
    };
    let complete = file("complete.toml", "extent = \"complete-bag\"");
    let named = file("named.toml", "extent = \"named-data\"\nfiles = [\"data/sources.csv\"]");
    let refused = |args: &[&str], why: &str| {
        let said = desk.run(&[&["new"], args].concat()).unwrap_err();
        assert!(said.contains(why), "{said} for {why}");
    };
    let payload = desk.0.scratch.file("payload", PAYLOAD);
    refused(&[&complete, "--payload", &payload], "name it with --bag");
    refused(&[&complete, "--bag", "8899aabbccddeeff"], "no sealed bag");
    refused(&[&complete, "--bag", "00f1a2b3c4d5e6f7", "--payload", &payload], "leave --payload out");
    let odd = file("odd.toml", "extent = \"named-data\"\nfiles = [\"data/nothing\"]");
    refused(&[&odd, "--bag", "00f1a2b3c4d5e6f7"], "`data/nothing` is no file of the bag; it has: ");

    let begun = desk.run(&["new", &complete, "--bag", "00f1a2b3c4d5e6f7"]).unwrap();
    assert_eq!(begun["draft"]["bag"], seal.as_str());
    let again = desk.run(&["new", &complete, "--bag", bag.to_str().unwrap()]).unwrap();
    assert_eq!(again["payload_sha256"], begun["payload_sha256"], "the same bag is the same file");
    let id = begun["id"].as_str().unwrap();
    // Nothing else goes in its place.
    let kept = std::fs::read(begun["payload"].as_str().unwrap()).unwrap();
    std::fs::write(begun["payload"].as_str().unwrap(), b"something else").unwrap();
    let said = desk.run_as(ALICE, &["approve", id]).unwrap_err();
    assert!(said.contains("not what was packed from the sealed bag"), "{said}");
    std::fs::write(begun["payload"].as_str().unwrap(), kept).unwrap();
    let out = desk.path("out");
    desk.run_as(ALICE, &["approve", id]).unwrap();
    assert!(desk.run(&["send", id, "--to-folder", &out]).unwrap_err().contains("two persons"));
    desk.run_as(BOB, &["approve", id]).unwrap();
    desk.run(&["send", id, "--to-folder", &out]).unwrap();
    // The ledger names the bag, and whoever has the archive has the bag, to the last bit.
    let entry: Value = serde_json::from_slice(&desk.0.view().entry(0).unwrap()).unwrap();
    let record = &entry["what"]["disclosure"];
    assert_eq!((&record["bag"], &record["extent"]), (&seal.as_str().into(), &"complete-bag".into()));
    let got = unpacked(&desk, &format!("{out}/{id}"), "got");
    assert_eq!(walk(&got.join("evidence")), walk(&bag));
    let verified = spillway(["evidence", "verify", got.join("evidence").to_str().unwrap()]);
    assert!(verified.status.success(), "{}", stderr(&verified));

    let begun = desk.run(&["new", &named, "--bag", "00f1a2b3c4d5e6f7"]).unwrap();
    let got = unpacked(&desk, begun["payload"].as_str().unwrap(), "part");
    let files = ["data/sources.csv", "manifest-sha256.txt", "tagmanifest-sha256.txt"];
    assert_eq!(walk(&got.join("evidence")).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), files);

    // A minimised derivative names the bag that it is from, and is compared with its sources.
    let derived = plain.replace("as-ordered", "target-shown").replace("named-data", "minimised");
    let derived = desk.0.scratch.file("derived.toml", derived.replace(", \"payload\"", "").as_bytes());
    let payload = desk.0.scratch.file("payload", b"203.0.113.5");
    let begun = desk.run(&["new", &derived, "--payload", &payload, "--bag", "00f1a2b3c4d5e6f7"]).unwrap();
    assert_eq!((&begun["draft"]["bag"], &begun["compared"]["told"]), (&seal.as_str().into(), &1.into()));
    refused(&[&derived, "--payload", &payload], "names the bag it is from");
    let payload = desk.0.scratch.file("payload", b"192.0.2.53");
    refused(&[&derived, "--payload", &payload, "--bag", "00f1a2b3c4d5e6f7"], "192.0.2.53 is legitimate");

    // A bag that is not as it was sealed goes nowhere.
    std::fs::write(bag.join("data/rules.txt"), b"other rules").unwrap();
    refused(&[&complete, "--bag", "00f1a2b3c4d5e6f7"], "not as it was sealed: ");
}

fn unpacked(desk: &Desk, archive: &str, name: &str) -> std::path::PathBuf {
    let to = desk.0.scratch.path(name);
    tar::Archive::new(std::fs::File::open(archive).unwrap()).unpack(&to).unwrap();
    to
}

/// All files with what is in them, by name.
fn walk(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                all.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

#[test]
fn a_draft_that_lacks_something_is_refused_with_its_place() {
    let desk = Desk::new("lacks", "");
    let payload = desk.0.scratch.file("payload", PAYLOAD);
    for (from, to, why) in [
        ("ticket = \"T-17\"\n", "", "missing field `ticket`"),
        ("tlp = \"green\"", "tlp = \"greem\"", ":7: unknown variant `greem`"),
        ("DE", "Germany", "jurisdiction: is two capital letters"),
        ("extent = \"minimised\"", "extent = \"named-data\"", "only a production or preservation order"),
        (
            "extent = \"minimised\"",
            "extent = \"complete-bag\"",
            "is packed from where it is: name it with --bag",
        ),
    ] {
        let request = desk.0.scratch.file("request.toml", REQUEST.replace(from, to).as_bytes());
        let said = desk.run(&["new", &request, "--payload", &payload]).unwrap_err();
        assert!(said.contains(why), "{said} for {why}");
    }
    let example = spillway(["disclosure", "new", "--example"]);
    let request = desk.0.scratch.file("request.toml", &example.stdout);
    assert_eq!(desk.run(&["new", &request, "--payload", &payload]).unwrap()["step"], "minimised");
}

#[test]
fn with_the_ledgers_disk_full_nothing_is_sent() {
    if !persons() {
        return;
    }
    let desk = Desk::new("full", "");
    let request = desk.0.scratch.file("request.toml", REQUEST.as_bytes());
    let payload = desk.0.scratch.file("payload", PAYLOAD);
    let script = format!(
        r#"
d() {{ "$SPILLWAY" disclosure "$@" -c "$CONFIG" -o json; }}
d new {request} --payload {payload} --as alice >"$OUT/begun"
id=$(sed -n 's/^  "id": "\(.*\)",$/\1/p' "$OUT/begun"); echo "$id" >"$OUT/id"
( echo 60002 >/proc/self/loginuid; d approve "$id" >"$OUT/approved" )
head -c 2m /dev/zero >"$STATE/ballast" 2>/dev/null
d send "$id" --to-folder "$OUT/sent" >"$OUT/refused" 2>"$OUT/said"; echo "$?" >"$OUT/status"
ls "$OUT/sent" >"$OUT/leaked" 2>/dev/null
rm "$STATE/ballast"
d send "$id" --to-folder "$OUT/sent" >"$OUT/again" 2>&1
"$SPILLWAY" ledger report -c "$CONFIG" -o json >"$OUT/report"
exit 0
"#
    );
    if on_a_small_disk(&desk.0, &script).is_none() {
        return;
    }
    let read = |name: &str| std::fs::read_to_string(desk.path(name)).unwrap();
    assert_eq!(read("status").trim(), "1", "{} {}", read("begun"), read("said"));
    assert!(read("said").contains("nothing is sent: the ledger cannot be written"), "{}", read("said"));
    assert_eq!(read("leaked"), "", "something left without its entry");
    let id = read("id");
    assert_eq!(
        std::fs::read(desk.path(&format!("sent/{}", id.trim()))).unwrap(),
        PAYLOAD,
        "{}",
        read("again")
    );
    let report: Value = serde_json::from_str(&read("report")).unwrap();
    assert_eq!(report["halves"][0]["recipients"]["hoster"], 1);
}
