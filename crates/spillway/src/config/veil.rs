//! A configuration that can be shown: what only its owner may know is left out.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What stands where a secret stood.
pub(crate) const HIDDEN: &str = "(hidden)";
/// Keys whose values are secrets, by the last word of their name.
const SECRET: [&str; 7] = ["secret", "password", "token", "key", "md5", "webhook", "passphrase"];
/// The sections of channels: an address there may be all that one needs to write to it.
const CHANNELS: &str = "notify.";

/// The text without what only its owner may know.
///
/// What the parser finds goes by its place, whatever it spans; then each line is looked at once more, for what does not parse.
pub(crate) fn veiled(text: &str) -> String {
    by_line(&by_place(text), false)
}

/// The text as it may leave the house: what is commented out is looked at, too.
pub(crate) fn veiled_for_others(text: &str) -> String {
    by_line(&by_place(text), true)
}

/// Without values that the parser knows to be secrets; as it is where it does not parse.
fn by_place(text: &str) -> String {
    let mut secrets = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        within("", table.get_ref(), &mut secrets);
    }
    // From the end, so that places before stay what they are.
    secrets.sort_unstable_by_key(|place: &Range<usize>| std::cmp::Reverse(place.start));
    let mut out = text.to_owned();
    for place in secrets {
        out.replace_range(place, &format!("\"{HIDDEN}\""));
    }
    out
}

fn within(path: &str, table: &DeTable<'_>, secrets: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        let name: &str = key.get_ref();
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        inside(&path, name, value, secrets);
    }
}

fn inside(path: &str, key: &str, value: &Spanned<DeValue<'_>>, secrets: &mut Vec<Range<usize>>) {
    let is_secret = match value.get_ref() {
        DeValue::Table(table) => return within(path, table, secrets),
        DeValue::Array(all) if !is_named(key) => {
            return all.iter().for_each(|one| inside(path, key, one, secrets));
        }
        DeValue::String(text) => {
            is_named(key) || is_way(path, key) && !text.contains("${") || has_login(text)
        }
        _ => is_named(key),
    };
    if is_secret {
        secrets.push(value.span());
    }
}

fn by_line(text: &str, comments: bool) -> String {
    let mut section = String::new();
    let mut out = String::new();
    for line in text.lines() {
        let rest = if comments { line.trim_start_matches(['#', ' ', '\t']) } else { line };
        if let Some(name) = rest.trim().strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        }
        out.push_str(line.strip_suffix(rest).unwrap_or_default());
        out.push_str(&veiled_line(&section, rest));
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
    use super::{veiled, veiled_for_others};

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

    #[test]
    fn secrets_are_found_however_they_are_written() {
        let text = "a = 1\n[notify]\nchat.url = \"https://hooks/LEAK\"\n[notify.\"noc\"] # x\nto = [\n  \"https://user:LEAK@h/\",\n]\n\
            password = \"\"\"\nLEAK\nLEAK = 1\"\"\"\n[[dns.server]]\n'key' = 'LEAK'\ntoken = [\n\"LEAK\"]\nport = 53\n\
            [api]\nurl = \"https://h/${env:X}\"\n";
        let told = veiled(text);
        assert!(!told.contains("LEAK"), "{told}");
        assert!(
            told.contains("port = 53") && told.contains("${env:X}") && told.starts_with("a = 1\n"),
            "{told}"
        );
        assert!(toml::from_str::<toml::Table>(&told).is_ok(), "{told}");
    }

    #[test]
    fn what_is_commented_out_does_not_leave_the_house() {
        let text = "# a = b\n# password = \"LEAK\"\n#[notify.noc]\n# url = \"https://hooks/LEAK\"\n";
        assert_eq!(veiled(text), text, "its owner sees it");
        let told = veiled_for_others(text);
        assert_eq!(told, "# a = b\n# password = \"(hidden)\"\n#[notify.noc]\n# url = \"(hidden)\"\n");
    }
}
