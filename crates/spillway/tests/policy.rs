//! What holds for whom with the real daemon: from the command line, over HTTP, over a crash, and in the kernel.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

use serde_json::{Value, json};

use crate::access::{call, done};
use crate::daemon::{Daemon, attacked, calls, config, script, wait};
use crate::support::{Scratch, spillway, stderr};

const MORE: &str = "[customers.acme]\nnetworks = [\"198.18.7.0/24\"]\nprofile = \"web\"\n\
                    [customers.other]\nnetworks = [\"198.18.8.0/24\"]\nprofile = \"dns\"\n\
                    [target.\"198.18.7.7\"]\nfloor = \"500 pps\"\n";

/// Runs a command that fails; what it says.
fn refused(args: &[&str]) -> String {
    let out = spillway(args.iter().copied());
    assert!(!out.status.success(), "{args:?}");
    let said = stderr(&out);
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    said
}

fn token(config: &str, name: &str, more: &[&str]) -> String {
    done(&[&["user", "add", name, "-c", config], more].concat());
    done(&["token", "add", name, "-c", config])["token"].as_str().unwrap().to_owned()
}

fn ask(daemon: &Daemon, method: &str, path: &str, token: &str, body: Option<&Value>) -> (u16, Value) {
    let (status, _, body) = call(daemon, method, path, Some(token), body);
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

/// What people write to an attack and hand on of it; and its rule in other languages.
fn said_of_it(daemon: &Daemon, c: &str, attack: &str, rule: &str) {
    let at = ["--api", daemon.ready["api"].as_str().unwrap(), "-c", c];
    fn all<'a>(args: &[&'a str], at: &[&'a str]) -> Vec<&'a str> {
        [args, at].concat()
    }
    let noted =
        done(&all(&["attack", "note", attack, "the <customer> knows", "--as", "alice", "-o", "json"], &at));
    assert!(noted["actor"].as_str().unwrap().starts_with("alice"), "{noted}");
    let notes = done(&all(&["attack", "notes", attack, "-o", "json"], &at));
    assert_eq!(notes["items"][0]["text"], "the <customer> knows");
    assert!(refused(&all(&["attack", "note", "0000000000000000", "x"], &at)).contains("no attack"));
    let report = done(&all(&["attack", "report", attack, "--format", "json"], &at));
    assert_eq!((&report["attack"]["id"], &report["explanation"]["attack"]), (&json!(attack), &json!(attack)));
    assert_eq!(report["notes"], notes["items"]);
    let text = |args: &[&str]| String::from_utf8(spillway(all(args, &at)).stdout).unwrap();
    let page = text(&["attack", "report", attack, "--format", "html"]);
    assert!(page.starts_with("<!doctype html>") && page.contains("the &lt;customer&gt; knows"), "{page}");
    let plain = text(&["attack", "report", attack]);
    assert!(plain.contains(attack) && plain.contains("the <customer> knows"), "{plain}");
    let shown = done(&["rule", "show", rule, "-o", "json", "-c", c]);
    assert_eq!((&shown["rule"], &shown["attack"]), (&json!(rule), &json!(attack)));
    let local = |args: &[&str]| String::from_utf8(spillway([args, &["-c", c]].concat()).stdout).unwrap();
    let nft = local(&["rule", "export", "--to", "nftables", rule]);
    assert!(nft.contains("table inet spillway") && nft.contains(rule), "{nft}");
    let hex: Value =
        serde_json::from_str(local(&["rule", "export", "--to", "flowspec-hex"]).lines().next().unwrap())
            .unwrap();
    assert!(hex["id"].is_string(), "{hex}");
    assert!(refused(&["rule", "show", "nothing", "-c", c]).contains("there is no rule nothing"));
    assert!(
        refused(&["rule", "extend", rule, "--for", "1h", "--reason", "x", "-c", c])
            .contains("there is no rule")
    );
}

#[test]
fn how_far_to_go_is_said_for_a_prefix_and_outlives_a_kill() {
    let scratch = Scratch::new("policy-mode");
    let config = config(&scratch, "", MORE);
    let c = config.as_str();
    let daemon = Daemon::start(c);
    let show = |prefix: &str| done(&["target", "show", prefix, "-o", "json", "-c", c]);
    let before = show("198.18.7.7");
    assert_eq!(before["values"]["mode"], json!({"value": "observe", "from": {"kind": "configuration"}}));
    assert_eq!(before["values"]["floor_pps"]["from"]["name"], "198.18.7.7/32");
    assert_eq!(before["values"]["multiple"]["from"], json!({"kind": "profile", "name": "web"}));
    let set = [
        "target",
        "mode",
        "198.18.7.0/24",
        "suggest",
        "--for",
        "2h",
        "--reason",
        "a try",
        "--as",
        "alice",
        "-o",
        "json",
    ];
    let made = done(&[&set[..], &["-c", c]].concat());
    assert_eq!((&made["kind"], &made["mode"]), (&json!("mode"), &json!("suggest")));
    assert!(made["owner"].as_str().unwrap().starts_with("alice"), "{made}");
    daemon.signal("-KILL");
    daemon.ended();
    let daemon = Daemon::start(c);
    let after = show("198.18.7.7");
    assert_eq!(after["values"]["mode"]["value"], "suggest");
    assert_eq!(after["values"]["mode"]["from"]["until"], made["until"]);
    let table = spillway(["target", "show", "198.18.7.7", "-o", "table", "-c", c]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("profile web") && table.contains("person alice"), "{table}");
    // What becomes of an attack goes by it.
    let attack = attacked(&daemon);
    let rule = wait("a suggested rule", || {
        let rules = daemon.json("/api/v1/rules")["items"].as_array().unwrap().clone();
        rules.into_iter().find(|rule| rule["state"] == "suggested")
    });
    assert_eq!(rule["attack"], attack["id"]);
    let listed = done(&["rule", "list", "-o", "json", "-c", c]);
    assert!(listed["items"].as_array().unwrap().iter().any(|one| one["rule"] == rule["id"]), "{listed}");
    said_of_it(&daemon, c, attack["id"].as_str().unwrap(), rule["id"].as_str().unwrap());
    // A person takes it back: an exception, told with the attack without the name of anybody, and over a crash.
    let id = rule["id"].as_str().unwrap();
    assert!(refused(&["rule", "enable", id, "--reason", "x", "-c", c]).contains("is not disabled"));
    let off = done(&["rule", "disable", id, "--for", "2h", "--reason", "a moment", "-o", "json", "-c", c]);
    assert_eq!(off["exceptions"][0]["attack"], attack["id"], "{off}");
    done(&["rule", "enable", id, "--reason", "the moment is over", "-o", "json", "-c", c]);
    assert_eq!(done(&["exception", "list", "-o", "json", "-c", c])["items"], json!([]));
    let back = done(&["rule", "withdraw", id, "--reason", "it is ours", "-o", "json", "-c", c]);
    let number = back["exceptions"][0]["id"].as_u64().unwrap();
    let explained = wait("the exception in the attack", || {
        let document = daemon.json(&format!("/api/v1/attacks/{}", attack["id"].as_str().unwrap()));
        let lines = document["explain"].as_array().unwrap().clone();
        lines.into_iter().find(|line| line.as_str().unwrap().starts_with(&format!("exception {number}:")))
    });
    assert!(explained.as_str().unwrap().contains("taken back by a person"), "{explained}");
    // What a rule would have hit, by the samples that are kept.
    let hit = wait("samples of what came", || {
        let found =
            done(&["rule", "preview", "dst 198.18.0.0/16 -> drop", "--last", "10m", "-o", "json", "-c", c]);
        let of = |whose: &str| found["rules"][0][whose]["packets"].as_u64().unwrap_or(0);
        let packets = of("attacks") + of("others");
        (packets > 0).then_some(packets)
    });
    assert!(hit > 100, "{hit}");
    // A person calls the attack over, and whoever is killed then calls it so again.
    let under_attack = attack["id"].as_str().unwrap();
    let close = ["attack", "close", under_attack, "--reason", "a load test", "-o", "json", "-c", c];
    let closed = done(&close);
    assert_eq!((&closed["kind"], &closed["attack"]), (&json!("close"), &attack["id"]));
    daemon.signal("-KILL");
    daemon.ended();
    let daemon = Daemon::start(c);
    let over = wait("the attack to be over", || {
        let document = daemon.json(&format!("/api/v1/attacks/{under_attack}"));
        (document["state"] == "over").then_some(document)
    });
    let lines = over["explain"].as_array().unwrap().iter();
    assert!(lines.into_iter().any(|line| line.as_str().unwrap().contains("a person closed it")), "{over}");
    assert!(refused(&close).contains("there is no attack"));
    let exceptions = done(&["exception", "list", "-o", "json", "-c", c]);
    assert_eq!(exceptions["items"][0]["id"], number);
    assert_eq!(show("198.18.7.7")["exceptions"][0]["attack"], attack["id"]);
    let number = number.to_string();
    done(&["exception", "end", &number, "--reason", "checked", "-c", c]);
    assert!(
        refused(&["exception", "end", &number, "--reason", "again", "-c", c])
            .contains("there is no exception")
    );
    done(&["target", "mode", "198.18.7.0/24", "inherit", "--reason", "done", "-c", c]);
    assert_eq!(show("198.18.7.7")["values"]["mode"]["value"], "observe");
    // All of it stands in the audit trail, and in the ledger, which names nobody.
    let trail = done(&["audit", "-o", "json", "-c", c]);
    let actions: Vec<&str> =
        trail["items"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    for action in ["target.mode", "rule.withdraw", "exception.end", "attack.close"] {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
    wait("the ledger", || {
        let size = daemon.json("/api/v1/ledger")["size"].as_u64()?;
        let entries = (0..size).map(|index| daemon.get(&format!("/api/v1/ledger/{index}")).1);
        (entries.filter(|entry| entry.contains("\"operation\"")).count() >= 5).then_some(())
    });
}

/// With a program that bans, for it is what acts where there are neither filters nor routers.
#[test]
fn the_mode_of_all_is_changed_while_the_daemon_runs_and_the_panic_button_stops_all() {
    let scratch = Scratch::new("policy-general");
    let (program, folder) = script(&scratch);
    let exec = format!(
        "[notify.exec]\npath = \"{}\"\n{MORE}[target.\"198.18.9.0/24\"]\nmode = \"observe\"\n",
        program.display()
    );
    let top = "mode = \"observe\"\ncompat = \"fastnetmon\"";
    let config = config(&scratch, top, &exec);
    let c = config.as_str();
    let bans = || {
        let of = |word: &str| calls(&folder).iter().filter(|(said, _)| said.ends_with(word)).count();
        (of(" ban"), of(" unban"))
    };
    let daemon = Daemon::start(c);
    let shown = done(&["mode", "-o", "json", "-c", c]);
    assert_eq!(shown["mode"], json!({"value": "observe", "from": {"kind": "configuration"}}));
    assert_eq!(shown["narrower"][0]["prefix"], "198.18.9.0/24");
    let attack = attacked(&daemon);
    let target = attack["target"].as_str().unwrap();
    assert_eq!(bans(), (0, 0), "it observes");
    for args in [vec!["mode", "enforce"], vec!["mode", "--clear"], vec!["mode", "--for", "2h"]] {
        let out = spillway(args.iter().copied().chain(["-c", c]));
        assert_eq!(out.status.code(), Some(2), "{args:?}: {}", stderr(&out));
    }
    assert!(refused(&["mode", "--clear", "--reason", "x", "-c", c]).contains("which says observe"));
    // at once: the attack goes on, and is met
    let set = done(&["mode", "enforce", "--reason", "a drill", "--as", "alice", "-o", "json", "-c", c]);
    assert_eq!((&set["was"], &set["mode"]), (&json!("observe"), &json!("enforce")));
    assert!(set["notes"].to_string().contains("which bans"), "{set}");
    attacked(&daemon);
    wait("a ban", || (bans().0 > 0).then_some(()));
    let status = daemon.json("/api/v1/status");
    assert!(
        status["mode"] == "enforce" && status["mode_reason"].as_str().unwrap().contains("alice"),
        "{status}"
    );
    let text = spillway(["config", "diff", "-o", "text", "-c", c]);
    assert!(
        String::from_utf8_lossy(&text.stdout).contains("the mode in force is enforce: alice"),
        "{text:?}"
    );
    let found = done(&["doctor", "-o", "json", "-c", c]).to_string();
    assert!(found.contains("the mode is enforce") && found.contains("the file says observe"), "{found}");
    // over a kill, with the roles of the API, and to the end of the file's own mode
    daemon.signal("-KILL");
    daemon.ended();
    let daemon = Daemon::start(c);
    assert_eq!(daemon.json("/api/v1/mode")["mode"]["value"], "enforce");
    let viewer = token(c, "vera", &["--role", "viewer"]);
    let acme = token(c, "acme", &["--role", "customer", "--customer", "acme"]);
    let operator = token(c, "carol", &["--role", "operator"]);
    let back = json!({"mode": "inherit", "reason": "over"});
    assert_eq!(ask(&daemon, "GET", "/api/v1/mode", &viewer, None).0, 200);
    assert_eq!(ask(&daemon, "GET", "/api/v1/mode", &acme, None).0, 403);
    assert_eq!(ask(&daemon, "POST", "/api/v1/mode", &viewer, Some(&back)).0, 403);
    // the panic button: what acts is undone, and everything else goes on
    attacked(&daemon);
    wait("a ban after the restart", || (bans().0 > bans().1).then_some(()));
    let pressed = done(&["panic", "--reason", "wrong target", "-o", "json", "-c", c]);
    assert_eq!(pressed, json!({"panic": true, "withdrawn": 0}));
    wait("the ban to be undone", || (bans().0 == bans().1).then_some(()));
    assert_eq!(daemon.json("/api/v1/mode")["mode"]["value"], "observe");
    assert!(daemon.json("/api/v1/attacks")["items"].to_string().contains(target), "attacks are still told");
    done(&["panic", "off", "--reason", "found", "-o", "json", "-c", c]);
    assert_eq!(daemon.json("/api/v1/mode")["mode"]["value"], "enforce");
    assert_eq!(ask(&daemon, "POST", "/api/v1/mode", &operator, Some(&back)).0, 200);
    assert_eq!(daemon.json("/api/v1/mode")["mode"]["value"], "observe");
    let suggest = json!({"mode": "suggest", "hold": 3600, "reason": "a week is over"});
    let (status, set) = ask(&daemon, "POST", "/api/v1/mode", &operator, Some(&suggest));
    assert_eq!((status, &set["owner"]), (200, &json!("carol")), "{set}");
    let text = std::fs::read_to_string(c).unwrap();
    std::fs::write(c, text.replace("mode = \"observe\"\ncompat", "mode = \"enforce\"\ncompat")).unwrap();
    done(&["control", "reload", "-c", c]);
    wait("the file's own mode", || (daemon.json("/api/v1/mode")["mode"]["value"] == "enforce").then_some(()));
    assert_eq!(daemon.json("/api/v1/mode")["why"], Value::Null);
    let trail = done(&["audit", "-o", "json", "-c", c]).to_string();
    for action in ["\"mode\"", "\"panic\"", "\"resume\""] {
        assert!(trail.contains(action), "{action}: {trail}");
    }
}

#[test]
fn a_customer_keeps_its_own_list_and_touches_nothing_of_another_one() {
    let scratch = Scratch::new("policy-customer");
    let config = config(&scratch, "", MORE);
    let c = config.as_str();
    let daemon = Daemon::start(c);
    let acme = token(c, "acme", &["--role", "customer", "--customer", "acme"]);
    let other = token(c, "other", &["--role", "customer", "--customer", "other"]);
    let operator = token(c, "carol", &["--role", "operator"]);
    let allow = |destination: &str| json!({"source": "203.0.113.0/24", "destination": destination, "protocol": 6, "port": 443, "hold": 3600, "reason": "monitoring"});
    let (status, made) = ask(&daemon, "POST", "/api/v1/allow", &acme, Some(&allow("198.18.7.0/24")));
    assert_eq!((status, &made["ceiling"]), (201, &json!("1000 pps")), "{made}");
    let (status, said) = ask(&daemon, "POST", "/api/v1/allow", &acme, Some(&allow("198.18.8.0/24")));
    assert_eq!(status, 404, "{said}");
    let foreign = json!({"source": "198.18.8.9/32", "destination": "198.18.7.0/24", "reason": "x"});
    assert_eq!(ask(&daemon, "POST", "/api/v1/allow", &acme, Some(&foreign)).0, 409);
    let much =
        json!({"source": "203.0.113.1/32", "destination": "198.18.7.1/32", "ceiling": "none", "reason": "x"});
    assert_eq!(ask(&daemon, "POST", "/api/v1/allow", &acme, Some(&much)).0, 409);
    assert_eq!(ask(&daemon, "POST", "/api/v1/allow", &operator, Some(&much)).0, 201);
    // Each sees its own; of what the operator added for it, not who did.
    let (_, listed) = ask(&daemon, "GET", "/api/v1/allow", &acme, None);
    let owners: Vec<Value> =
        listed["items"].as_array().unwrap().iter().map(|one| one["owner"].clone()).collect();
    assert_eq!(owners, [json!("acme"), Value::Null]);
    assert_eq!(ask(&daemon, "GET", "/api/v1/allow", &other, None).1["items"], json!([]));
    let remove = |id: &Value| format!("/api/v1/allow/{id}/remove");
    let why = json!({"reason": "over"});
    assert_eq!(ask(&daemon, "POST", &remove(&made["id"]), &other, Some(&why)).0, 404);
    assert_eq!(
        ask(&daemon, "POST", &remove(&json!(2)), &acme, Some(&why)).0,
        404,
        "what the operator added is the operator's"
    );
    assert_eq!(ask(&daemon, "POST", &remove(&made["id"]), &acme, Some(&why)).0, 200);
    // Why this policy? For its own prefix alone, and nothing else is for a customer to say.
    let (status, shown) = ask(&daemon, "GET", "/api/v1/targets/policy?prefix=198.18.7.7", &acme, None);
    assert_eq!((status, &shown["profile"]["name"]), (200, &json!("web")));
    for path in ["/api/v1/targets/policy?prefix=198.18.8.8", "/api/v1/targets/policy?prefix=198.18.0.0/16"] {
        let (status, said) = ask(&daemon, "GET", path, &acme, None);
        assert_eq!(status, 404, "{path}: {said}");
    }
    let mode = json!({"prefix": "198.18.7.0/24", "mode": "observe", "reason": "x"});
    assert_eq!(ask(&daemon, "POST", "/api/v1/targets/mode", &acme, Some(&mode)).0, 403);
    let (status, set) = ask(&daemon, "POST", "/api/v1/targets/mode", &operator, Some(&mode));
    assert_eq!((status, &set["mode"]), (200, &json!("observe")));
    let (_, shown) = ask(&daemon, "GET", "/api/v1/targets/policy?prefix=198.18.7.7", &acme, None);
    assert!(
        shown["values"]["mode"]["from"]["kind"] == "person" && !shown.to_string().contains("carol"),
        "{shown}"
    );
    let (_, targets) = ask(&daemon, "GET", "/api/v1/targets", &acme, None);
    assert!(
        targets.to_string().contains("198.18.7.7") && !targets.to_string().contains("198.18.8"),
        "{targets}"
    );
    assert_eq!(daemon.sum("spillway_api_withheld_total"), 0.0);
}

#[test]
fn mistakes_about_policies_are_told_in_one_line() {
    let scratch = Scratch::new("policy-mistakes");
    let config = config(&scratch, "", MORE);
    let c = config.as_str();
    assert!(refused(&["target", "show", "198.18.7.7", "-c", c]).contains("is `spillway run` up"));
    let _daemon = Daemon::start(c);
    for (args, said) in [
        (vec!["target", "mode", "192.0.2.1", "enforce", "--reason", "x"], "not inside `networks`"),
        (vec!["target", "mode", "198.18.7.7", "enforce", "--reason", " "], "needs a reason"),
        (vec!["allow", "add", "0.0.0.0/0", "--to", "198.18.7.7", "--reason", "x"], "too wide"),
        (vec!["allow", "remove", "7", "--reason", "x"], "there is no allowed source 7"),
        (vec!["rule", "add", "dst 198.18.7.7 proto udp -> drop", "--reason", "x"], "no filters"),
        (vec!["rule", "withdraw", "abc", "--reason", "x"], "there is no rule abc"),
        (
            vec!["allow", "add", "203.0.113.9", "--to", "198.18.7.7", "--ceiling", "5", "--reason", "x"],
            "5 kpps",
        ),
    ] {
        let all: Vec<&str> = args.iter().copied().chain(["-c", c]).collect();
        let error = refused(&all);
        assert!(error.contains(said), "{args:?}: {error}");
    }
    let profiles = done(&["target", "profiles", "-o", "json", "-c", c]);
    assert!(profiles["items"].as_array().unwrap().len() >= 12);
}
