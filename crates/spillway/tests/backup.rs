//! Backups of a daemon that runs: whole or nothing, and one goes on from them.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::daemon::{Daemon, attacked, config, wait};
use crate::support::{Scratch, spillway, stderr};

/// Says no, in one line with all of these words.
fn refuses(args: &[&str], words: &[&str]) {
    let output = spillway(args.iter().copied());
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

fn done(args: &[&str]) -> Value {
    let out = spillway(args.iter().copied());
    assert!(out.status.success(), "{args:?}: {}", stderr(&out));
    serde_json::from_slice(&out.stdout).unwrap_or(Value::Null)
}

#[test]
fn a_backup_of_a_running_daemon_is_restored_to_one_that_goes_on_and_whose_ledger_verifies() {
    let scratch = Scratch::new("backup");
    let file = config(&scratch, "", "");
    let daemon = Daemon::start(&file);
    done(&["user", "add", "alice", "--role", "admin", "--reason", "the first day", "-c", &file]);
    let attack = attacked(&daemon);
    let id = attack["id"].as_str().unwrap();
    wait("the attack in the store, and the ledger's first entry", || {
        let writer = store::Writer::open(&scratch.path("state")).unwrap();
        let row = writer.reader().unwrap().attack(id).unwrap();
        (row.is_some()
            && writer.snapshot("core").unwrap().is_some()
            && scratch.path("state/ledger/log/checkpoint").exists())
        .then_some(())
    });
    let path = |name: &str| scratch.path(name).to_str().unwrap().to_owned();
    let (whole, bare, to) = (path("whole.tar"), path("bare.tar"), path("restored"));
    let made = done(&["backup", "create", &whole, "--with-keys", "-c", &file]);
    assert_eq!((&made["keys"], &made["flows"]), (&json!(true), &json!(false)));
    done(&["backup", "create", &bare, "-c", &file]);
    assert_eq!(std::fs::metadata(&whole).unwrap().permissions().mode() & 0o777, 0o600);
    let seen = done(&["backup", "verify", &whole]);
    assert_eq!((&seen["whole"], &seen["files"]), (&json!(true), &made["files"]));
    assert!(seen["backup"]["databases"]["spillway.db"].as_u64().unwrap() >= 1, "{seen}");
    refuses(&["backup", "create", &whole, "-c", &file], &["exists", "name a new file"]);

    // Others can open it, and hold it against its sums.
    let listing = Command::new("tar").args(["-tf", &bare]).output().unwrap();
    let names = String::from_utf8(listing.stdout).unwrap();
    assert!(names.starts_with("backup.json\n") && names.ends_with("SHA256SUMS\n"), "{names}");
    assert!(!names.contains(".key") && !names.contains("ledger/key") && !names.contains("tags"), "{names}");
    let other = scratch.path("other");
    std::fs::create_dir(&other).unwrap();
    let check =
        format!("tar -xf {bare} -C {0} && cd {0} && sha256sum --quiet -c SHA256SUMS", other.display());
    assert!(Command::new("sh").args(["-c", &check]).status().unwrap().success());

    daemon.signal("-KILL");
    daemon.ended();
    let restored = done(&["restore", &whole, "--to", &to]);
    assert!(restored["ledger"].as_u64().unwrap() >= 1, "{restored}");
    refuses(&["restore", &whole, "--to", &to], &["is not empty"]);
    let text = std::fs::read_to_string(format!("{to}/configuration/spillway.toml")).unwrap();
    let again = scratch.file("again.toml", text.replace("/state\"", "/restored\"").as_bytes());
    let daemon = Daemon::start(&again);
    let found = daemon.json(&format!("/api/v1/attacks/{id}"));
    assert_eq!(found["started_at"], attack["started_at"]);
    assert_eq!(done(&["user", "list", "-o", "json", "-c", &again])["items"][0]["name"], "admin");
    wait("an entry behind the old ones", || {
        let (_, body) = daemon.get("/api/v1/ledger");
        let size = serde_json::from_str::<Value>(&body).ok()?["size"].as_u64()?;
        (size > restored["ledger"].as_u64()?).then_some(())
    });
    let report = spillway(["ledger", "report", "-c", &again]);
    assert!(report.status.success(), "{}", stderr(&report));

    // Without keys the ledger is readable and says what it lacks.
    let bare_to = path("bare");
    done(&["restore", &bare, "--to", &bare_to]);
    let last = scratch.file("bare.toml", text.replace("/state\"", "/bare\"").as_bytes());
    assert!(spillway(["ledger", "head", "-c", &last]).status.success());
    refuses(
        &["ledger", "erase", "0", "--reason", "trying", "-c", &last],
        &["key is missing", "from a backup"],
    );
    assert!(!Path::new(&format!("{bare_to}/ledger/key")).exists(), "no other key takes its place");
}

#[test]
fn a_damaged_or_newer_backup_is_refused_with_its_place_and_touches_nothing() {
    let scratch = Scratch::new("backup-damaged");
    let file = config(&scratch, "", "");
    let daemon = Daemon::start(&file);
    wait("the ledger", || scratch.path("state/ledger/log/checkpoint").exists().then_some(()));
    let path = |name: &str| scratch.path(name).to_str().unwrap().to_owned();
    let whole = path("whole.tar");
    done(&["backup", "create", &whole, "-c", &file]);
    drop(daemon);
    let octets = std::fs::read(&whole).unwrap();
    let to = path("to");
    let refused = |name: &str, octets: &[u8], words: &[&str]| {
        let file = scratch.file(name, octets);
        refuses(&["backup", "verify", &file], words);
        refuses(&["restore", &file, "--to", &to], words);
        assert!(!Path::new(&to).exists(), "{name}");
    };
    refused("cut.tar", &octets[..octets.len() / 2], &["cut.tar", "behind `state/"]);
    // behind the head of the second entry: in the middle of a database
    let mut flipped = octets.clone();
    flipped[octets.len() / 3] ^= 1;
    refused("flipped.tar", &flipped, &["flipped.tar is damaged", "`"]);
    refused("text.tar", b"this is no archive", &["text.tar"]);
    refused("empty.tar", b"", &["empty.tar ends behind ``"]);
    let archive = |entries: &[(&str, &str)]| {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, text) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            tar.append(&header, text.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap()
    };
    refused(
        "newer.tar",
        &archive(&[("backup.json", "{\"format\":2,\"new\":true}")]),
        &["newer build (format 2, this one knows 1)"],
    );
    let head = "{\"format\":1,\"build\":\"9.9\",\"made_at\":\"x\",\"keys\":true,\"flows\":false,\"evidence\":false,\"databases\":{}}";
    refused("out.tar", &archive(&[("backup.json", head), ("../../out", "x")]), &["leaves its folder"]);
    refused("foreign.tar", &archive(&[("notes.txt", "x")]), &["no backup"]);
    // whole, and of a database that only a newer build knows
    let newer = head.replace("{}}", "{\"access.db\":999}}");
    let sum = Command::new("sh")
        .args(["-c", &format!("printf %s '{newer}' | sha256sum | cut -d' ' -f1")])
        .output()
        .unwrap();
    let sums = format!("{}  backup.json\n", String::from_utf8(sum.stdout).unwrap().trim());
    let later = scratch.file("later.tar", &archive(&[("backup.json", &newer), ("SHA256SUMS", &sums)]));
    done(&["backup", "verify", &later]);
    refuses(
        &["restore", &later, "--to", &to],
        &["`access.db` was written by a newer build (9.9; schema 999"],
    );
    assert!(!Path::new(&to).exists());
}

#[test]
fn kill_9_while_a_backup_is_made_leaves_nothing_that_verifies() {
    let scratch = Scratch::new("backup-killed");
    let file = config(&scratch, "", "");
    drop(Daemon::start(&file));
    // Much to read, and nothing on the disk.
    let large = std::fs::File::create(scratch.path("state/peace")).unwrap();
    large.set_len(4 << 30).unwrap();
    let to = scratch.path("killed.tar");
    let part = scratch.path("killed.tar.part");
    let mut child = Command::new(env!("CARGO_BIN_EXE_spillway"))
        .args(["backup", "create", to.to_str().unwrap(), "-c", &file])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait("the writing", || std::fs::metadata(&part).is_ok_and(|about| about.len() > 1 << 20).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!to.exists());
    refuses(&["backup", "verify", part.to_str().unwrap()], &["killed.tar.part"]);
    // The next one goes over it.
    large.set_len(10).unwrap();
    done(&["backup", "create", to.to_str().unwrap(), "-c", &file]);
    done(&["backup", "verify", to.to_str().unwrap()]);
    assert!(!part.exists() && !scratch.path("killed.tar.copies").exists());
}

#[test]
fn a_half_restored_folder_is_no_state_folder() {
    let scratch = Scratch::new("backup-half");
    let file = config(&scratch, "", "");
    std::fs::create_dir_all(scratch.path("state/.restoring")).unwrap();
    refuses(&["run", "-c", &file], &["half restored", "restore again"]);
}

#[test]
fn a_database_of_a_newer_build_is_refused_in_one_line() {
    let scratch = Scratch::new("backup-newer");
    let key = scratch.file("dns.key", b"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let more = format!(
        "[routing]\nasn = 64512\nrouter_id = \"192.0.2.1\"\n[routing.peers.edge]\naddress = \"127.0.0.1:1\"\nasn = 64500\ncarries = [\"flowspec\"]\n\
         [notify.hook]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:1/\"\n\
         [dns.main]\nserver = \"127.0.0.1:1\"\nzone = \"example.net\"\nnames = [\"www.example.net\"]\nto = [\"203.0.113.80\"]\nkey_name = \"k\"\nkey_file = \"{key}\"\n"
    );
    let file = config(&scratch, "", &more);
    let checked = spillway(["check", "-c", &file]);
    assert!(checked.status.success(), "{}", stderr(&checked));
    for name in ["spillway.db", "access.db", "routing.db", "notify.db", "dns.db"] {
        let folder = scratch.path("state");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let db = rusqlite::Connection::open(folder.join(name)).unwrap();
        db.pragma_update(None, "user_version", 999).unwrap();
        drop(db);
        let output = spillway(["run", "-c", &file]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        let text = stderr(&output);
        // besides the log
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("spillway: ")).collect();
        assert_eq!(lines.len(), 1, "{name}: {text}");
        assert!(
            lines[0].contains(name) && lines[0].contains("written by a newer build (schema 999"),
            "{text}"
        );
    }
}

#[test]
fn what_a_configuration_would_change_is_told_by_key() {
    let scratch = Scratch::new("config-diff");
    let file =
        config(&scratch, "", "[notify.hook]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:1/secret\"\n");
    let alone = spillway(["config", "diff", "-c", &file]);
    assert!(stderr(&alone).contains("no daemon answers"), "{}", stderr(&alone));
    let daemon = Daemon::start(&file);
    let same = spillway(["config", "diff", "-c", &file]);
    assert_eq!((same.status.code(), same.stdout.len()), (Some(0), 0), "{}", stderr(&same));
    let text = std::fs::read_to_string(&file).unwrap();
    let new = format!("mode = \"suggest\"\n{}", text.replace("/secret", "/other"));
    let proposed = scratch.file("new.toml", new.as_bytes());
    let diff = spillway(["config", "diff", &proposed, "-c", &file, "-o", "text"]);
    assert_eq!(diff.status.code(), Some(3), "{}", stderr(&diff));
    assert_eq!(
        String::from_utf8(diff.stdout).unwrap(),
        "+ mode = \"suggest\"\n- notify.hook.url = (hidden)\n+ notify.hook.url = (hidden)\n"
    );
    std::fs::File::create(&file).unwrap().write_all(new.as_bytes()).unwrap();
    let own = spillway(["config", "diff", "-c", &file, "-o", "json"]);
    assert_eq!(own.status.code(), Some(3));
    let told: Value = serde_json::from_slice(&own.stdout).unwrap();
    assert_eq!(
        told["changes"][0],
        json!({"key": "mode", "from": null, "to": "\"suggest\"", "restart": false})
    );
    assert!(spillway(["control", "reload", "-c", &file]).status.success());
    wait("the new configuration", || {
        spillway(["config", "diff", "-c", &file]).status.success().then_some(())
    });
    let broken = scratch.file("broken.toml", b"netwroks = []\n");
    let broken = spillway(["config", "diff", &broken, "-c", &file]);
    assert!(
        broken.status.code() == Some(1) && stderr(&broken).contains("did you mean"),
        "{}",
        stderr(&broken)
    );
    drop(daemon);
}

#[test]
fn the_schema_is_a_schema_and_takes_what_check_takes() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
    if !python.exists() {
        let what = "skipped: needs .venv; `scripts/setup python` makes it";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have it");
        eprintln!("{what}");
        return;
    }
    let scratch = Scratch::new("config-schema");
    let schema = spillway(["config", "schema"]);
    assert!(schema.status.success(), "{}", stderr(&schema));
    let schema = scratch.file("schema.json", &schema.stdout);
    let starter = spillway(["init", "--yes", "--network", "198.51.100.0/24", "-c", "-"]);
    let starter = String::from_utf8(starter.stdout).unwrap();
    // with all that is commented out as a default taken, too
    let defaults: String = starter
        .lines()
        .map(|line| {
            line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n"
        })
        .collect();
    let most = config(
        &scratch,
        "mode = \"enforce\"",
        "[exporters.\"192.0.2.1\"]\nsampling = \"1:512\"\n[exporters.\"192.0.2.1\".interfaces]\n17 = { role = \"external\", speed = \"100 Gbps\" }\n\
         [groups.default]\nincoming = { packets = \"1 Mpps\" }\n[routing]\nasn = 64512\nrouter_id = \"192.0.2.1\"\n[routing.approvals]\nblackhole = 2\nflowspec = \"automatic\"\n\
         [routing.peers.edge]\naddress = \"192.0.2.2\"\nasn = 64500\ncarries = [\"flowspec\"]\nhold_time = \"90s\"\n[dataplane]\nchallenge = true\n\
         [notify.hook]\nkind = \"webhook\"\nurl = \"https://h.example/\"\nevents = [\"trouble_started\"]\n",
    );
    let good = [
        scratch.file("starter.toml", starter.as_bytes()),
        scratch.file("defaults.toml", defaults.as_bytes()),
        most,
    ];
    for file in &good {
        let checked = spillway(["check", "-c", file]);
        assert!(checked.status.success(), "{}", stderr(&checked));
    }
    let smallest = "networks = [\"198.18.0.0/16\"]\n[listen]\nsflow = \"127.0.0.1:6343\"\n";
    let wrong = [
        "netwroks = []\n",
        "mode = \"observ\"\n",
        "[listen]\nsflow = 5\n",
        "[rules]\nlease = 900\n",
        "[notify.x]\nurl = \"https://h/\"\n",
    ];
    let wrong: Vec<String> = wrong
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let whole = if text.starts_with('[') {
                smallest.replace("[listen]\nsflow = \"127.0.0.1:6343\"\n", "") + text
            } else {
                (*text).to_owned() + smallest
            };
            let file = scratch.file(&format!("wrong{at}.toml"), whole.as_bytes());
            assert!(!spillway(["check", "-c", &file]).status.success(), "{text}");
            file
        })
        .collect();
    let script = "import json,sys,tomllib,jsonschema\n\
        schema=json.load(open(sys.argv[1])); check=jsonschema.Draft202012Validator\n\
        check.check_schema(schema)\n\
        for at in sys.argv[2:]:\n\
        \x20 errors=[f'{\".\".join(map(str,e.absolute_path))}: {e.message}' for e in check(schema).iter_errors(tomllib.load(open(at,'rb')))]\n\
        \x20 print(json.dumps(errors))\n";
    let out = Command::new(python).args(["-c", script, &schema]).args(&good).args(&wrong).output().unwrap();
    assert!(out.status.success(), "{}", stderr(&out));
    let said = String::from_utf8(out.stdout).unwrap();
    let found: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (file, errors) in good.iter().chain(&wrong).zip(&found) {
        assert_eq!(errors.as_array().unwrap().is_empty(), good.contains(file), "{file}: {errors}");
    }
}
