//! Who may do what, from the matrix that the API asks.

use access::{Role, matrix};

const HEAD: &str = "# Roles\n\n\
    The API checks every request against this table; `spillway roles` prints it. A customer sees and changes its own prefixes alone. Whoever \
    may use the control socket (the daemon's own user and root, on its machine) may do everything, and stands in the audit trail.\n\n";

/// The page.
pub(super) fn page() -> String {
    let mut out = HEAD.to_owned();
    let names = Role::ALL.map(Role::name);
    out.push_str(&format!("| permission | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len())));
    for (permission, allowed) in matrix() {
        let cells = allowed.map(|yes| if yes { "yes" } else { "" });
        out.push_str(&format!("| `{permission}` | {} |\n", cells.join(" | ")));
    }
    out.push_str("\n## Which endpoint takes which permission\n\n");
    for (permission, _) in matrix() {
        let at: Vec<String> = api::endpoints()
            .filter(|(_, _, needed)| *needed == permission)
            .map(|(verb, path, _)| format!("`{verb} {path}`"))
            .collect();
        out.push_str(&format!(
            "* `{permission}`: {}\n",
            if at.is_empty() { "-".to_owned() } else { at.join(", ") }
        ));
    }
    out
}
