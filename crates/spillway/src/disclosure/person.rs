//! Who does something to a disclosure: the account that the kernel knows, not the name that somebody gives.
//!
//! Linux keeps the user who logged in through `sudo` and `su` (`/proc/self/loginuid`, set by pam_loginuid); where nobody logged in,
//! as in a container, it is the user who runs the command. Whoever shares an account is one person with all who share it.

/// Where the kernel says who logged in.
const LOGIN: &str = "/proc/self/loginuid";

/// `NAME (ACCOUNT)`, or the account alone where no other name is given.
pub fn person(named: Option<&str>) -> String {
    let account = account();
    // Nobody calls himself another account: the account is what stands in the last brackets.
    let name = named.map(|name| name.chars().filter(|c| !c.is_control()).collect::<String>());
    match name.as_deref().map(str::trim) {
        Some(name) if !name.is_empty() && name != account => format!("{name} ({account})"),
        _ => account,
    }
}

/// Who logged in; else who runs this.
fn account() -> String {
    let login = std::fs::read_to_string(LOGIN).ok().and_then(|text| text.trim().parse::<u32>().ok());
    let uid = login.filter(|uid| *uid != u32::MAX).unwrap_or_else(|| nix::unistd::getuid().as_raw());
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| format!("uid {uid}"), |user| user.name)
}

#[cfg(test)]
mod tests {
    use ::ledger::disclosure::account;

    use super::*;

    #[test]
    fn a_name_that_somebody_gives_himself_is_beside_the_account() {
        let own = person(None);
        for name in ["alice", "Bob (root)", "carol (", "x)", "", " ", "two\nlines"] {
            let said = person(Some(name));
            assert_eq!(account(&said), account(&own), "{said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }
}
