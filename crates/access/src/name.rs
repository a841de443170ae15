//! Names of users: short, plain, and not mistaken for anything else in a journal.

use crate::AccessError;

/// Octets of a name at most.
pub const NAME_MAX: usize = 32;
/// Names that journals use for what is nobody.
const TAKEN: &[&str] = &["anonymous", "engine", "system"];

/// Whether this can be a user's name.
///
/// # Errors
/// It cannot.
pub fn check_name(name: &str) -> Result<(), AccessError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = name.len() <= NAME_MAX
        && name.starts_with(plain)
        && name.chars().all(|c| plain(c) || matches!(c, '.' | '_' | '-'));
    if !fits {
        return Err(AccessError::Wrong(format!(
            "a name is 1 to {NAME_MAX} of a-z, 0-9, `.`, `_` and `-`, and begins with a letter or digit"
        )));
    }
    if TAKEN.contains(&name) {
        return Err(AccessError::Wrong(format!("the name {name} means nobody in journals: take another")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_plain() {
        for good in ["a", "alice", "noc-2", "7of9", "a.b_c"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "Alice", "a b", "a(b)", "engine", "é", &"a".repeat(33)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
