//! What the dashboard's packages owe whoever builds it.

use super::workspace::text;

#[test]
fn the_lock_file_of_the_dashboard_says_what_is_taken_and_not_from_where() {
    let lock = text("web/package-lock.json").unwrap();
    assert!(
        !lock.contains("\"resolved\""),
        "npm wrote download addresses into web/package-lock.json: web/.npmrc forbids it"
    );
    assert!(lock.contains("\"integrity\": \"sha512-"), "nothing says what is taken");
    assert!(text("web/.npmrc").unwrap().lines().any(|line| line == "omit-lockfile-registry-resolved=true"));
    // each package stands there with its version alone
    let package = text("web/package.json").unwrap();
    let floating = package.lines().filter(|line| line.contains(": \"^") || line.contains(": \"~"));
    assert_eq!(floating.count(), 0, "web/package.json pins no version");
}
