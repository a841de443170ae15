//! Schemathesis reads the OpenAPI document of the running daemon and holds every answer against it.

use std::path::Path;
use std::process::Command;

use super::done;
use crate::daemon::{Daemon, config};
use crate::support::Scratch;

/// What a prefix looks like, something that might be a capture, and a password.
const HOOKS: &str = "\
import schemathesis
from hypothesis import strategies as st

schemathesis.openapi.format('ip-prefix', st.ip_addresses().map(lambda address: f'{address}/{address.max_prefixlen}'))
schemathesis.openapi.media_type('application/vnd.tcpdump.pcap', st.binary(max_size=200))
schemathesis.openapi.format('password', st.text(alphabet='abcdefghij klmno', min_size=12, max_size=64))
";

/// What all runs say.
const ALWAYS: [&str; 11] = [
    "--checks",
    "all",
    "--phases",
    "examples,coverage,fuzzing",
    "--seed",
    "7",
    "--max-examples",
    "5",
    "--generation-database",
    "none",
    "--no-color",
];
/// A reload (a configuration that is taken, too) lets go of connections, so a request is sent again then; and whoever asks these could
/// end what it asks by.
const BY_ITSELF: &str = r"^/api/v1/(reload|configuration|me/password|(tokens|users)/\{.*)$";
/// It does not end.
const STREAM: &str = "^/api/v1/events$";

#[test]
fn schemathesis_finds_no_answer_that_the_document_does_not_say() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/schemathesis");
    if !program.exists() {
        let what = "skipped: needs schemathesis in .venv; `scripts/setup python` makes it";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have it");
        eprintln!("{what}");
        return;
    }
    let runs = [
        (
            "most",
            vec![
                "--request-timeout",
                "20",
                "--exclude-path-regex",
                BY_ITSELF,
                "--exclude-path",
                "/api/v1/events",
            ],
        ),
        (
            "itself",
            vec!["--request-timeout", "20", "--request-retries", "6", "--include-path-regex", BY_ITSELF],
        ),
        // what came of a stream by then is the answer
        ("stream", vec!["--request-timeout", "1", "--include-path-regex", STREAM]),
    ];
    // side by side, each with a daemon of its own
    std::thread::scope(|scope| {
        let runs = runs.map(|(name, more)| {
            let program = &program;
            (name, scope.spawn(move || checked(program, name, &more)))
        });
        for (name, run) in runs {
            let (success, said) = run.join().unwrap();
            assert!(success, "{name}: {said}");
        }
    });
}

/// Whether a daemon answers as it says; and what was found.
fn checked(program: &Path, name: &str, more: &[&str]) -> (bool, String) {
    let scratch = Scratch::new(&format!("access-schema-{name}"));
    let file = config(&scratch, "", "anonymous = \"none\"\nrequests_per_second = 100000");
    let daemon = Daemon::start(&file);
    done(&["user", "add", "checker", "--role", "admin", "-c", &file]);
    let made = done(&["token", "add", "checker", "-c", &file]);
    let hooks = scratch.file("hooks.py", HOOKS.as_bytes());
    let api = daemon.ready["api"].as_str().unwrap();
    let out = Command::new(program)
        .args(["run", &format!("{api}/api/v1/openapi.json")])
        .args(ALWAYS)
        .args(more)
        .args(["-H", &format!("Authorization: Bearer {}", made["token"].as_str().unwrap())])
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", Path::new(&hooks).parent().unwrap())
        .current_dir(Path::new(&hooks).parent().unwrap())
        .output()
        .unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.success(), said)
}
