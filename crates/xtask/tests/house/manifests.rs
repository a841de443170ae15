//! What every crate owes the workspace.

use super::workspace::{packages, root, text};

#[test]
fn every_crate_has_the_workspaces_lints_version_and_licence() {
    for package in packages() {
        let manifest = std::fs::read_to_string(package.folder.join("Cargo.toml")).unwrap();
        let name = &package.name;
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{name}: [lints] workspace = true is missing"
        );
        assert!(
            manifest.contains("rust-version.workspace = true"),
            "{name}: rust-version is not the workspace's"
        );
        assert!(manifest.contains("license.workspace = true"), "{name}: license is not the workspace's");
        assert!(manifest.contains("description = "), "{name}: a description is missing");
        assert_eq!(package.license.as_deref(), Some("MIT OR Apache-2.0"), "{name}");
        assert!(package.rust_version.is_some(), "{name}: the resolver needs rust-version to pick what fits");
    }
}

#[test]
fn both_licences_are_there() {
    assert!(text("LICENSE-MIT").unwrap().starts_with("MIT License"));
    assert!(text("LICENSE-APACHE").unwrap().contains("Version 2.0, January 2004"));
}

#[test]
fn a_crates_own_clippy_file_repeats_what_still_holds() {
    for package in packages() {
        let own = package.folder.join("clippy.toml");
        let Ok(own) = std::fs::read_to_string(own) else { continue };
        for word in ["std::env::set_var", "std::collections::HashMap", "std::collections::HashSet"] {
            assert!(own.contains(word), "{}/clippy.toml drops the ban on {word}", package.name);
        }
    }
    assert!(root().join("clippy.toml").exists());
}
