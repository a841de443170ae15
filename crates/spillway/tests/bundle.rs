//! `spillway support bundle`: what helps, and nothing that is nobody's business.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use spillway::support::config::redacted;
use spillway::support::scrub::Scrub;

use crate::daemon::{Daemon, attacked};
use crate::support::{Scratch, spillway, stderr};

/// Every one of them is planted somewhere, and none may be found.
const SECRETS: [&str; 12] = [
    "pLanTed-webhook-secret",
    "pLanTed-bearer",
    "T00000000/B00000000/pLanTedSlackPath",
    "123456:pLanTed-telegram",
    "pLanTed-mail-password",
    "pLanTed-in-a-file",
    "pLanTed-in-the-environment",
    "spw_pLanTed1_0123456789abcdefghijklmnop",
    "pLanTedKeyMaterialMIIEvQ",
    "pLanTed-login-in-an-address",
    "pLanTed customer name",
    "pLanTed-in-a-comment",
];

#[test]
fn secrets_are_planted_everywhere_and_none_leaves() {
    let scratch = Scratch::new("bundle");
    let secret = scratch.file("secret", b"pLanTed-in-a-file\n");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "# {comment}\nnetworks = [\"198.18.0.0/16\"]\nstate_dir = \"{state}\"\nmode = \"suggest\"\n\
         [listen]\nsflow = \"127.0.0.1:0\"\nnetflow = \"127.0.0.1:0\"\n[api]\nlisten = \"127.0.0.1:0\"\n\
         [customers.\"pLanTed customer name\"]\nnetworks = [\"198.18.7.0/24\"]\n\
         [notify.hook]\nkind = \"webhook\"\nurl = \"https://robot:pLanTed-login-in-an-address@127.0.0.1:9/x\"\nsecret = \"pLanTed-webhook-secret\"\n\
         [notify.other]\nkind = \"webhook\"\nurl = \"https://127.0.0.1:9/y\"\nsecret = \"${{file:{secret}}}\"\ntoken = \"pLanTed-bearer\"\n\
         [notify.slack]\nkind = \"slack\"\nurl = \"https://127.0.0.1:9/services/T00000000/B00000000/pLanTedSlackPath\"\n\
         [notify.telegram]\nkind = \"telegram\"\ntoken = \"123456:pLanTed-telegram\"\nchat = \"1\"\n\
         [notify.mail]\nkind = \"email\"\nserver = \"127.0.0.1\"\nuser = \"u\"\npassword = \"pLanTed-mail-password\"\nfrom = \"a@example.net\"\nto = [\"b@example.net\"]\n",
        comment = "pLanTed-in-a-comment",
        state = scratch.path("state").display(),
    );
    let file = scratch.file("spillway.toml", text.as_bytes());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let log = scratch.file(
        "daemon.log",
        b"first administrator: user admin, token spw_pLanTed1_0123456789abcdefghijklmnop\n\
          password: pLanTed-in-the-environment\n\
          the other side said: Authorization: Bearer pLanTed-bearer\n\
          -----BEGIN PRIVATE KEY-----\npLanTedKeyMaterialMIIEvQ\n-----END PRIVATE KEY-----\n\
          an exporter at 203.0.113.99:6343 and [2001:db8:77::99]:6343 is silent; customer pLanTed customer name\n\
          198.18.7.7 is attacked by 203.0.113.99.\n",
    );
    let daemon = Daemon::start(&file);
    attacked(&daemon);
    let api = daemon.ready["api"].as_str().unwrap();
    let archive = scratch.path("bundle.tar");
    let bundle = |path: &std::path::Path, more: &[&str]| {
        let args = ["support", "bundle", "-c", &file, "--api", api, "--log", &log, "-o", "json", "--file"];
        let output =
            spillway(args.iter().copied().chain([path.to_str().unwrap()]).chain(more.iter().copied()));
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let told = bundle(&archive, &[]);
    assert_eq!(std::fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
    let mut names = Vec::new();
    let mut whole = String::new();
    for entry in tar::Archive::new(std::fs::File::open(&archive).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        names.push(entry.path().unwrap().display().to_string());
        std::io::Read::read_to_string(&mut entry, &mut whole).unwrap();
    }
    for name in [
        "README.txt",
        "version.txt",
        "configuration.json",
        "doctor.json",
        "kernel.txt",
        "files.txt",
        "metrics.txt",
        "exporters.json",
        "attacks.json",
        "rules.json",
        "log.txt",
    ] {
        assert!(names.contains(&format!("spillway-support/{name}")), "{name} is not in {names:?}; {told:#}");
    }
    assert_eq!(told["content"].as_array().unwrap().len(), names.len());
    assert!(
        whole.contains("templates-missing") || whole.contains("\"check\": \"daemon\""),
        "the doctor was not asked"
    );
    for secret in SECRETS {
        let at = whole.find(secret).map(|at| whole.get(at.saturating_sub(80)..(at + 80).min(whole.len())));
        assert!(at.is_none(), "{secret} leaves: {at:?}");
    }
    for address in ["203.0.113.99", "2001:db8:77::99", "a@example.net"] {
        assert!(!whole.contains(address), "{address} leaves");
    }
    // What helps is there: one's own addresses, words that choose, counters.
    for helps in [
        "198.18.7.7",
        "tcp-syn-flood",
        "\"mode\": \"suggest\"",
        "spillway_ingest_datagrams_total",
        "127.0.0.1",
        "is silent",
    ] {
        assert!(whole.contains(helps), "{helps} is missing");
    }
    let clear = scratch.path("clear.tar");
    bundle(&clear, &["--with-addresses"]);
    let whole = String::from_utf8_lossy(&std::fs::read(&clear).unwrap()).into_owned();
    assert!(whole.contains("203.0.113.99"));
    assert!(SECRETS.iter().all(|secret| !whole.contains(secret)));
    // It is never written over.
    let again = spillway(["support", "bundle", "-c", &file, "--file", archive.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("--file"), "{}", stderr(&again));
}

#[test]
fn addresses_become_numbers_and_everything_else_stays() {
    let own = vec!["198.18.0.0/16".parse().unwrap(), "2001:db8::/48".parse().unwrap()];
    let mut scrub = Scrub::new(["hush hush".to_owned()].into(), own.clone(), false);
    for (text, clean) in [
        ("198.18.0.1 and 127.0.0.1 and ::1 stay", "198.18.0.1 and 127.0.0.1 and ::1 stay"),
        ("203.0.113.5, 203.0.113.6.", "ipv4-1, ipv4-2."),
        ("203.0.113.5:53 -> 203.0.113.6/32", "ipv4-1:53 -> ipv4-2/32"),
        ("[2001:db8:1::5]:53 2001:db8:1::5: x", "[ipv6-3]:53 ipv6-3: x"),
        ("host203.0.113.5x at 20:15:37.123, 0.1.0, f00::", "hostipv4-1x at 20:15:37.123, 0.1.0, ipv6-4"),
        ("it is hush hush, and \"hush hush\"", "it is (hidden), and \"(hidden)\""),
        ("https://user:pass@host/x https://host/@", "https://(hidden)@host/x https://host/@"),
        ("a token spw_ab_CD-9 here", "a token (hidden) here"),
        ("{\"api_key\": \"x\", \"n\": 1}", "{\"api_key\": \"(hidden)\", \"n\": 1}"),
        ("Authorization: Basic eDp5\nnext", "Authorization: (hidden)\nnext"),
        ("secrets are kept well", "secrets are kept well"),
    ] {
        assert_eq!(scrub.text(text), clean);
    }
    let mut clear = Scrub::new([].into(), own, true);
    assert_eq!(clear.text("203.0.113.5 spw_x"), "203.0.113.5 (hidden)");
}

#[test]
fn of_a_configuration_only_what_is_harmless_is_kept() {
    let text = "mode = \"observe\"\nuser = \"somebody\"\n[a]\ntoken = 12345\nlisten = \"192.0.2.1:1\"\nsize = 7\n[customers.acme]\nnetworks = [\"192.0.2.0/24\"]\n[x]\nnew_word = \"who knows\"\n";
    let (document, hidden) = redacted(text).unwrap();
    assert_eq!(
        document,
        serde_json::json!({
            "mode": "observe", "user": "(hidden)", "a": {"token": "(hidden)", "listen": "192.0.2.1:1", "size": 7},
            "customers": {"customers-1": {"networks": ["192.0.2.0/24"]}}, "x": {"new_word": "(hidden)"},
        })
    );
    assert_eq!(hidden.into_iter().collect::<Vec<_>>(), ["12345", "acme", "somebody", "who knows"]);
    assert!(redacted("no = toml = at all").is_err());
}
