//! A configuration that can be shown: what only its owner may know is left out.

/// What stands where a secret stood.
pub(crate) const HIDDEN: &str = "(hidden)";
/// Keys whose values are secrets, by the last word of their name.
const SECRET: [&str; 7] = ["secret", "password", "token", "key", "md5", "webhook", "passphrase"];
/// The sections of channels: an address there may be all that one needs to write to it.
const CHANNELS: &str = "notify.";

/// The text without what only its owner may know.
pub(crate) fn veiled(text: &str) -> String {
    let mut section = String::new();
    let mut out = String::new();
    for line in text.lines() {
        if let Some(name) = line.trim().strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        }
        out.push_str(&veiled_line(&section, line));
        out.push('\n');
    }
    out
}

/// Whether the value of this key, by its whole path, is a secret. What is only referred to is none.
pub(super) fn is_secret(path: &str, value: &str) -> bool {
    let key = path.rsplit('.').next().unwrap_or_default();
    !value.contains("${") && (is_named(key) || is_way(path, key) || has_login(value))
}

fn veiled_line(section: &str, line: &str) -> String {
    let Some((key, value)) = line.split_once('=') else { return line.to_owned() };
    let name = key.trim().trim_matches('"');
    // secrets may stand in an inline table or in an address: then all of the line's value goes
    let inline = value.trim_start().starts_with(['{', '['])
        && SECRET
            .iter()
            .any(|word| value.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == *word));
    let way = is_way(&format!("{section}."), name) && !value.contains("${");
    if !key.trim_start().starts_with('#') && (is_named(name) || inline || way || has_login(value)) {
        return format!("{key}= \"{HIDDEN}\"");
    }
    line.to_owned()
}

fn is_named(key: &str) -> bool {
    SECRET.contains(&key.rsplit(['.', '_', '-']).next().unwrap_or_default())
}

fn is_way(path: &str, key: &str) -> bool {
    path.starts_with(CHANNELS) && key == "url"
}

fn has_login(value: &str) -> bool {
    let rest = value.split_once("://").map(|(_, rest)| rest);
    rest.is_some_and(|rest| rest.split('/').next().is_some_and(|host| host.contains('@')))
}

#[cfg(test)]
mod tests {
    use super::veiled;

    #[test]
    fn secrets_do_not_leave_and_their_places_do() {
        for secret in [
            "password = \"x\"",
            "smtp_password = \"x\"",
            "hook = { url = \"https://h\", secret = \"x\" }",
            "url = \"https://user:x@host/\"",
            "  md5 = \"x\"",
            "[notify.noc]\nurl = \"https://hooks.example.net/x\"",
        ] {
            assert!(veiled(secret).ends_with("= \"(hidden)\"\n"), "{secret}");
        }
        for plain in [
            "md5_file = \"/etc/key\"",
            "listen = \"127.0.0.1:1\"",
            "[api]",
            "# a = b",
            "url = \"https://host/a@b\"",
        ] {
            assert_eq!(veiled(plain), format!("{plain}\n"));
        }
    }
}
