//! Schemathesis reads the OpenAPI document of the running daemon and holds every answer against it.

use std::path::Path;
use std::process::Command;

use super::done;
use crate::daemon::{Daemon, config};
use crate::support::Scratch;

/// What a prefix looks like, and something that might be a capture; and what would end the credentials that it comes with is left out.
const HOOKS: &str = "\
import schemathesis
from hypothesis import strategies as st

schemathesis.openapi.format('ip-prefix', st.ip_addresses().map(lambda address: f'{address}/{address.max_prefixlen}'))
schemathesis.openapi.media_type('application/vnd.tcpdump.pcap', st.binary(max_size=200))
schemathesis.openapi.format('password', st.text(alphabet='abcdefghij klmno', min_size=12, max_size=64))
";

#[test]
fn schemathesis_finds_no_answer_that_the_document_does_not_say() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/schemathesis");
    if !program.exists() {
        let what = "skipped: needs schemathesis in .venv; `scripts/setup python` makes it";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have it");
        eprintln!("{what}");
        return;
    }
    let scratch = Scratch::new("access-schema");
    let file = config(&scratch, "", "anonymous = \"none\"\nrequests_per_second = 100000");
    let daemon = Daemon::start(&file);
    done(&["user", "add", "checker", "--role", "admin", "-c", &file]);
    let made = done(&["token", "add", "checker", "-c", &file]);
    let hooks = scratch.file("hooks.py", HOOKS.as_bytes());
    let api = daemon.ready["api"].as_str().unwrap();
    let out = Command::new(program)
        .args([
            "run",
            &format!("{api}/api/v1/openapi.json"),
            "--checks",
            "all",
            "--phases",
            "examples,coverage,fuzzing",
        ])
        .args([
            "--seed",
            "7",
            "--max-examples",
            "5",
            "--request-timeout",
            "20",
            "--generation-database",
            "none",
            "--no-color",
        ])
        // a stream does not end, a reload (a configuration that is taken, too) lets go of connections, and these end the checker itself
        .args(["--exclude-path", "/api/v1/events", "--exclude-path", "/api/v1/reload"])
        .args(["--exclude-path", "/api/v1/configuration"])
        .args([
            "--exclude-path",
            "/api/v1/me/password",
            "--exclude-path-regex",
            "^/api/v1/(tokens|users)/\\{",
        ])
        .args(["-H", &format!("Authorization: Bearer {}", made["token"].as_str().unwrap())])
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", Path::new(&hooks).parent().unwrap())
        .current_dir(Path::new(&hooks).parent().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}\n{}", String::from_utf8_lossy(&out.stderr));
}
