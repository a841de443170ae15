//! The dashboard in a real browser: `spillway demo` as somebody starts it, Chromium, and `web/tests/dashboard.mjs`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::support::{Scratch, spillway, stderr};

/// All steps together, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(300);

/// Ends the demonstration in order, so that it removes its folder.
pub(crate) struct Demo(pub(crate) Child);

impl Drop for Demo {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        let end = format!("kill -TERM {}", self.0.id());
        let _ = Command::new("sh").args(["-c", &end]).status();
        let _ = self.0.wait();
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What is missing for a browser; where `CI` is set, that is a failure.
pub(crate) fn missing(browser: &Path) -> bool {
    let absent: Vec<&str> = [
        (!browser.exists(), "chromium (scripts/setup web)"),
        (!root().join("web/node_modules/playwright-core").is_dir(), "web/node_modules (make web)"),
        (!root().join("web/dist/index.html").is_file(), "web/dist (make web, then build again)"),
    ]
    .into_iter()
    .filter_map(|(absent, what)| absent.then_some(what))
    .collect();
    assert!(absent.is_empty() || std::env::var_os("CI").is_none(), "CI lacks {}", absent.join(", "));
    if !absent.is_empty() {
        eprintln!("skipped: no {}", absent.join(", "));
    }
    !absent.is_empty()
}

/// Where it is on Debian.
pub(crate) fn browser() -> PathBuf {
    PathBuf::from("/usr/bin/chromium")
}

/// Where screenshots go.
pub(crate) fn shots() -> PathBuf {
    root().join("target/web-screenshots")
}

/// Runs a browser's steps to their end.
pub(crate) fn run(steps: &mut Command) {
    let mut steps = steps.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = steps.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            let _ = steps.kill();
            let _ = steps.wait();
            panic!("the steps above took more than {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(status.success(), "see the lines above, and {}", shots().display());
}

/// Something that waits to leave the demonstration's house, for two persons to agree to.
fn prepare(scratch: &Scratch) {
    let folders = std::fs::read_dir(scratch.path("")).unwrap().flatten().map(|one| one.path());
    let folder = folders.into_iter().find(|path| path.join("spillway.toml").is_file()).unwrap();
    let amber = crate::disclosure::REQUEST
        .replace("green", "amber")
        .replace("source-addresses", "aggregates")
        .replace("recipients-sources", "aggregates-only")
        .replace("customer = \"acme\"\n", "");
    let request = scratch.file("request.toml", amber.as_bytes());
    let payload = scratch.file("report.json", b"{\"sources\": 12}\n");
    let config = folder.join("spillway.toml");
    let begun =
        spillway(["disclosure", "new", &request, "--payload", &payload, "-c", config.to_str().unwrap()]);
    assert!(begun.status.success(), "{}", stderr(&begun));
}

#[test]
fn the_dashboard_works_in_a_browser() {
    let browser = browser();
    if missing(&browser) {
        return;
    }
    let scratch = Scratch::new("web-demo");
    let demo = Command::new(env!("CARGO_BIN_EXE_spillway"))
        .args(["demo", "--stay"])
        .env("TMPDIR", scratch.path(""))
        .env("DEMO_SEED", "7")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    let mut demo = Demo(demo.unwrap());
    let lines = BufReader::new(demo.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    // what it says later must not find a closed pipe
    let (send, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || lines.for_each(|line| drop(send.send(line))));
    let deadline = Instant::now() + Duration::from_secs(30);
    let link = loop {
        let line = told.recv_timeout(deadline.saturating_duration_since(Instant::now())).unwrap();
        if let Some(at) = line.find("http://").filter(|_| line.contains("/#/login/")) {
            break line.get(at..).unwrap().trim().to_owned();
        }
    };
    prepare(&scratch);
    let mut steps = Command::new(root().join("scripts/web"));
    steps.args(["node", "tests/dashboard.mjs", &link]).args([browser, shots()]);
    run(&mut steps);
}

#[test]
fn the_page_has_a_strict_policy_and_is_there_without_web_files_too() {
    let scratch = Scratch::new("web-page");
    let daemon = Daemon::start(&crate::daemon::config(&scratch, "", ""));
    let (status, page) = daemon.get("/");
    assert_eq!(status, 200);
    let built = page.contains("<div id=\"app\">");
    assert!(built || page.contains("<code>make</code>"), "{page}");
    let asked =
        page.split('"').find_map(|part| part.strip_prefix("/assets/").filter(|name| name.ends_with(".js")));
    if let Some(name) = asked {
        assert_eq!(daemon.get(&format!("/assets/{name}")).0, 200);
    }
    assert_eq!(daemon.get("/assets/nosuch.js").0, 404);
    assert_eq!(daemon.get("/assets/..%2f..%2fetc%2fpasswd").0, 404);
    assert_eq!(daemon.get("/assets/index.html").0, 404);
    assert_eq!(
        daemon.json("/api/v1/greeting"),
        serde_json::json!({"banner": null, "anonymous": true, "demo": false})
    );
    let told = daemon.json("/api/v1/traffic");
    assert!(told["items"].is_array(), "{told}");
}
