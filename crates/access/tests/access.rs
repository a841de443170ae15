//! Access through its door: who is let in, as what, and what stays written.

#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use access::{Access, AccessError, Actor, Deed, Issue, Outcome, Permission, Role, Via};
use base::{Prefix, Span, Timestamp};

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("spillway-access-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

fn p(text: &str) -> Prefix {
    text.parse().unwrap()
}

#[test]
fn the_first_administrator_is_made_once_and_the_file_is_its_owners() {
    let folder = Folder::new("first");
    let first = Access::open(folder.path()).unwrap().first(NOW).unwrap().unwrap();
    let access = Access::open(folder.path()).unwrap();
    assert!(access.first(NOW).unwrap().is_none());
    let actor = access.by_token(&first.token, NOW).unwrap().unwrap();
    assert_eq!((actor.name.as_str(), actor.role().as_str()), ("admin", "admin"));
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let (mode, content) =
            (entry.metadata().unwrap().permissions().mode(), std::fs::read(entry.path()).unwrap());
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
        let secret = first.token.rsplit('_').next().unwrap().as_bytes();
        assert!(
            !content.windows(secret.len()).any(|part| part == secret),
            "the secret is in {:?}",
            entry.path()
        );
    }
}

#[test]
fn a_token_holds_until_it_is_over_revoked_or_its_user_is_gone() {
    let folder = Folder::new("tokens");
    let access = Access::open(folder.path()).unwrap();
    access.add_user("alice", Role::Operator, &[], None, NOW).unwrap();
    let issue =
        |expires_at| Issue { user: "alice".into(), label: "ci".into(), expires_at, ..Issue::default() };
    let hour = NOW.plus(Span::from_secs(3_600));
    let (short, long) =
        (access.issue(&issue(Some(hour)), NOW).unwrap(), access.issue(&issue(None), NOW).unwrap());
    assert!(access.by_token(&short.secret, NOW).unwrap().is_some());
    assert!(access.by_token(&short.secret, hour).unwrap().is_none());
    for place in [4, 20, 21, 84] {
        let mut wrong = long.secret.clone().into_bytes();
        wrong[place] = if wrong[place] == b'0' { b'1' } else { b'0' };
        assert!(access.by_token(&String::from_utf8(wrong).unwrap(), NOW).unwrap().is_none(), "{place}");
    }
    for wrong in ["", "spw_", "spw__", &long.secret[..84], &format!("{}0", long.secret)] {
        assert!(access.by_token(wrong, NOW).unwrap().is_none(), "{wrong}");
    }
    assert!(matches!(access.revoke(&short.token.id, Some("bob")), Err(AccessError::Missing(_))));
    access.revoke(&short.token.id, Some("alice")).unwrap();
    assert!(access.by_token(&short.secret, NOW).unwrap().is_none());
    access.remove_user("alice").unwrap();
    assert!(access.by_token(&long.secret, NOW).unwrap().is_none());
    assert!(access.tokens(None, "", 10).unwrap().is_empty());
}

#[test]
fn a_token_may_be_less_than_its_user_and_never_more() {
    let folder = Folder::new("narrow");
    let access = Access::open(folder.path()).unwrap();
    access.add_user("alice", Role::Operator, &[], None, NOW).unwrap();
    access.add_user("acme", Role::Customer, &[p("192.0.2.0/24")], None, NOW).unwrap();
    let of = |user: &str, role, prefixes: &[Prefix]| {
        let issue = Issue { user: user.into(), role, prefixes: prefixes.to_vec(), ..Issue::default() };
        let issued = access.issue(&issue, NOW).unwrap();
        access.by_token(&issued.secret, NOW).unwrap().unwrap()
    };
    assert!(of("alice", None, &[]).may(Permission::Mitigate));
    assert!(!of("alice", Some(Role::Viewer), &[]).may(Permission::Mitigate));
    assert!(!of("alice", Some(Role::Admin), &[]).may(Permission::ManageAccess));
    assert!(of("alice", Some(Role::Admin), &[]).may(Permission::Mitigate));
    let raised = of("acme", Some(Role::Admin), &[]);
    assert!(!raised.may(Permission::Mitigate) && !raised.sees(&p("198.51.100.0/24")));
    let half = of("acme", Some(Role::Customer), &[p("192.0.2.128/25"), p("198.51.100.0/24")]);
    assert!(half.sees(&p("192.0.2.200/32")));
    assert!(!half.sees(&p("192.0.2.1/32")) && !half.sees(&p("198.51.100.1/32")));
    assert!(!Actor::anonymous().may(Permission::Own) && Actor::anonymous().may(Permission::SeeAttacks));
}

#[test]
fn users_are_checked_and_the_last_administrator_stays() {
    let folder = Folder::new("users");
    let access = Access::open(folder.path()).unwrap();
    access.first(NOW).unwrap();
    let add = |name: &str, role, prefixes: &[Prefix], password| {
        access.add_user(name, role, prefixes, password, NOW)
    };
    assert!(matches!(add("Bob", Role::Viewer, &[], None), Err(AccessError::Wrong(_))));
    assert!(matches!(add("bob", Role::Customer, &[], None), Err(AccessError::Conflict(_))));
    assert!(matches!(add("bob", Role::Viewer, &[p("::/0")], None), Err(AccessError::Conflict(_))));
    assert!(matches!(add("bob", Role::Viewer, &[], Some("short")), Err(AccessError::Wrong(_))));
    assert!(matches!(add("admin", Role::Viewer, &[], None), Err(AccessError::Conflict(_))));
    assert!(matches!(access.remove_user("admin"), Err(AccessError::Conflict(_))));
    assert!(matches!(access.set_role("admin", Role::Viewer, &[]), Err(AccessError::Conflict(_))));
    add("root-2", Role::Admin, &[], None).unwrap();
    // another role ends sessions, and holds for tokens at once
    let cookie = access.open_session("root-2", NOW).unwrap().cookie;
    let secret = access.issue(&Issue { user: "root-2".into(), ..Issue::default() }, NOW).unwrap().secret;
    assert!(matches!(access.set_role("root-2", Role::Customer, &[]), Err(AccessError::Conflict(_))));
    assert!(matches!(access.set_role("nobody", Role::Viewer, &[]), Err(AccessError::Missing(_))));
    let given = access.set_role("root-2", Role::Customer, &[p("192.0.2.0/24")]).unwrap();
    assert_eq!(access.user("root-2").unwrap(), Some(given));
    assert!(access.by_session(&cookie, NOW).unwrap().is_none());
    let actor = access.by_token(&secret, NOW).unwrap().unwrap();
    assert!(!actor.may(Permission::ManageAccess) && !actor.sees(&p("198.51.100.0/24")));
    access.set_role("root-2", Role::Admin, &[]).unwrap();
    access.remove_user("admin").unwrap();
    assert!(matches!(access.remove_user("admin"), Err(AccessError::Missing(_))));
    assert_eq!(access.users("", 10).unwrap().len(), 1);
}

#[test]
fn a_password_opens_a_session_and_another_password_ends_it() {
    let folder = Folder::new("sessions");
    let access = Access::open(folder.path()).unwrap();
    access.add_user("alice", Role::Operator, &[], Some("correct horse battery"), NOW).unwrap();
    access.add_user("bot", Role::Viewer, &[], None, NOW).unwrap();
    assert!(access.is_password("alice", "correct horse battery").unwrap());
    for (name, guess) in [("alice", "correct horse batterz"), ("alice", ""), ("bot", ""), ("nobody", "x")] {
        assert!(!access.is_password(name, guess).unwrap(), "{name} {guess}");
    }
    let opened = access.open_session("alice", NOW).unwrap();
    let actor = access.by_session(&opened.cookie, NOW).unwrap().unwrap();
    assert!(matches!(actor.via, Via::Session { .. }));
    assert!(actor.meant_it(Some(&opened.csrf)) && !actor.meant_it(None) && !actor.meant_it(Some("x")));
    assert!(access.by_session(&opened.cookie, opened.expires_at).unwrap().is_none());
    access.set_password("alice", "another long one").unwrap();
    assert!(access.by_session(&opened.cookie, NOW).unwrap().is_none());
    let first = access.open_session("alice", NOW).unwrap();
    for n in 1..=20 {
        access.open_session("alice", NOW.plus(Span::from_secs(n))).unwrap();
    }
    assert!(access.by_session(&first.cookie, NOW).unwrap().is_none(), "the oldest of 21 ends");
}

#[test]
fn the_audit_trail_is_only_added_to() {
    let folder = Folder::new("audit");
    let access = Access::open(folder.path()).unwrap();
    let deed = |n: u32| Deed { action: format!("test.{n}"), reason: "why".into(), ..Deed::default() };
    let actor = Actor::new("alice".into(), Via::Local, Role::Operator, Vec::new());
    let numbers: Vec<i64> = (0..5).map(|n| access.about_to(&actor, &deed(n), NOW).unwrap()).collect();
    let outcome = Outcome { at: NOW, done: false, said: Some("no".into()), after: None };
    access.came_of(numbers[0], &outcome).unwrap();
    assert!(access.came_of(numbers[0], &outcome).is_err(), "an outcome is said once");
    let page = access.audit(None, 3).unwrap();
    assert_eq!(page.iter().map(|entry| entry.number).collect::<Vec<_>>(), [5, 4, 3]);
    let rest = access.audit(Some(3), 10).unwrap();
    assert_eq!(rest.iter().map(|entry| entry.outcome.is_some()).collect::<Vec<_>>(), [false, true]);
    let db = rusqlite_of(folder.path());
    for sql in [
        "DELETE FROM audit",
        "UPDATE audit SET actor = 'x'",
        "DELETE FROM outcomes",
        "UPDATE outcomes SET done = 1",
    ] {
        assert!(db.execute(sql, []).unwrap_err().to_string().contains("only added to"), "{sql}");
    }
}

#[test]
fn a_file_of_a_newer_build_is_refused_in_one_line() {
    let folder = Folder::new("newer");
    drop(Access::open(folder.path()).unwrap());
    rusqlite_of(folder.path()).pragma_update(None, "user_version", 99).unwrap();
    let why = Access::open(folder.path()).unwrap_err().to_string();
    assert!(why.contains("newer build (schema 99") && !why.contains('\n'), "{why}");
}

fn rusqlite_of(folder: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join("access.db")).unwrap()
}

#[test]
fn a_link_opens_one_session_once_and_for_minutes() {
    let folder = Folder::new("link");
    let access = Access::open(folder.path()).unwrap();
    assert!(access.make_link("alice", NOW).is_err());
    access.add_user("alice", Role::Operator, &[], None, NOW).unwrap();
    let link = access.make_link("alice", NOW).unwrap();
    // beside the daemon, as `spillway demo` makes it
    let daemon = Access::open(folder.path()).unwrap();
    assert_eq!(daemon.use_link("another", NOW).unwrap(), None);
    assert_eq!(daemon.use_link(&link.secret, NOW).unwrap().as_deref(), Some("alice"));
    assert_eq!(daemon.use_link(&link.secret, NOW).unwrap(), None);
    let late = access.make_link("alice", NOW).unwrap();
    let then = NOW.plus(Span::from_secs(access::LINK_SECS));
    assert_eq!(access.use_link(&late.secret, then).unwrap(), None);
    // the oldest go, and all go with their user
    let links: Vec<_> =
        (0..9).map(|n| access.make_link("alice", NOW.plus(Span::from_secs(n))).unwrap()).collect();
    assert_eq!(access.use_link(&links[0].secret, NOW).unwrap(), None);
    access.remove_user("alice").unwrap();
    assert_eq!(access.use_link(&links[8].secret, NOW).unwrap(), None);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!content.windows(64).any(|part| part == links[8].secret.as_bytes()));
    }
}
