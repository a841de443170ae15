//! Nothing leaves without its entry in the ledger.

mod approval;
mod payload;
mod persons;

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::daemon::Daemon;
use crate::ledger::{House, on_a_small_disk};
use crate::support::{spillway, stderr};

pub(crate) const REQUEST: &str = r#"
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
    let desk = Desk::new("way", "");
    let begun = desk.begin(REQUEST);
    let id = begun["id"].as_str().unwrap();
    assert_eq!(begun["step"], "minimised");
    let out = desk.path("out");
    let said = desk.run(&["send", id, "--to-folder", &out]).unwrap_err();
    assert!(said.contains("nothing is sent") && said.contains("a person has to agree"), "{said}");
    assert!(!Path::new(&out).exists());
    let said = desk.run(&["approve", id, "--as", "bob", "--sha256", "00"]).unwrap_err();
    assert!(said.contains("look again"), "{said}");
    let sha256 = begun["payload_sha256"].as_str().unwrap();
    assert_eq!(desk.run(&["approve", id, "--as", "bob", "--sha256", sha256]).unwrap()["step"], "reviewed");
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
    let desk = Desk::new("counted", "");
    let begun = desk.begin(REQUEST);
    let (id, sha256) = (begun["id"].as_str().unwrap(), begun["payload_sha256"].as_str().unwrap());
    desk.run(&["approve", id, "--as", "bob", "--sha256", sha256]).unwrap();
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
    let desk = Desk::new("edited", "");
    let begun = desk.begin(REQUEST);
    let id = begun["id"].as_str().unwrap();
    desk.run(&["approve", id, "--as", "bob"]).unwrap();
    std::fs::write(begun["payload"].as_str().unwrap(), b"something else").unwrap();
    let out = desk.path("out");
    let said = desk.run(&["send", id, "--to-folder", &out]).unwrap_err();
    assert!(said.contains("was changed since"), "{said}");
    // somebody writes the number of another entry into the file
    std::fs::write(begun["payload"].as_str().unwrap(), PAYLOAD).unwrap();
    let other = desk.begin(REQUEST);
    let other = other["id"].as_str().unwrap();
    desk.run(&["approve", other, "--as", "bob"]).unwrap();
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
    let desk = Desk::new("full", "");
    let request = desk.0.scratch.file("request.toml", REQUEST.as_bytes());
    let payload = desk.0.scratch.file("payload", PAYLOAD);
    let script = format!(
        r#"
d() {{ "$SPILLWAY" disclosure "$@" -c "$CONFIG" -o json; }}
d new {request} --payload {payload} --as alice >"$OUT/begun"
id=$(sed -n 's/^  "id": "\(.*\)",$/\1/p' "$OUT/begun"); echo "$id" >"$OUT/id"
d approve "$id" >"$OUT/approved"
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
