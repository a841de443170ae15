//! A key that never stands in a log.

use std::path::PathBuf;

use toml::Spanned;

/// Octets that nothing prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// From a file's or a variable's content: the end of its line is no part of it. `None`: there is nothing, or more than
    /// the kernel takes (80 octets, `TCP_MD5SIG_MAXKEYLEN`).
    pub(super) fn new(content: &[u8]) -> Option<Self> {
        let key = content.trim_ascii_end();
        (1..=80).contains(&key.len()).then(|| Self(key.to_vec()))
    }

    /// From its base64 (RFC 4648 §4), with or without padding, white space around it apart. `None`: it is no such text, or not 16
    /// to 256 octets.
    pub(in crate::config) fn base64(content: &[u8]) -> Option<Self> {
        let text = content.trim_ascii();
        let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
        let mut key = Vec::new();
        for group in digits.chunks(4) {
            let mut bits = 0u32;
            for digit in group {
                let value = match digit {
                    b'A'..=b'Z' => digit - b'A',
                    b'a'..=b'z' => digit - b'a' + 26,
                    b'0'..=b'9' => digit - b'0' + 52,
                    b'+' => 62,
                    b'/' => 63,
                    _ => return None,
                };
                bits = bits << 6 | u32::from(value);
            }
            let [_, octets @ ..] = (bits << (6 * (4 - group.len()))).to_be_bytes();
            key.extend(octets.iter().take(group.len() * 3 / 4));
        }
        (16..=256).contains(&key.len()).then_some(Self(key))
    }

    /// What a file or a variable holds, by which of both keys is there, with its place in the file and its own name; `None`:
    /// neither is.
    pub(in crate::config) fn found(
        [file_key, env_key]: [&str; 2],
        file: Option<&Spanned<PathBuf>>,
        env: Option<&Spanned<String>>,
    ) -> Option<Found> {
        let unusable = |place: &str, cause: &dyn std::fmt::Display| {
            format!("the key in {place} cannot be used: {cause}")
        };
        match (file, env) {
            (None, None) => None,
            (Some(file), Some(_)) => {
                Some((file.span().start, Err(format!("{file_key} and {env_key} are both there; keep one"))))
            }
            (Some(file), None) => {
                let place = file.get_ref().display().to_string();
                let read = std::fs::read(file.get_ref()).map_err(|cause| unusable(&place, &cause));
                Some((file.span().start, read.map(|content| (place, content))))
            }
            (None, Some(name)) => {
                let place = format!("${}", name.get_ref());
                let read = std::env::var(name.get_ref()).map_err(|cause| unusable(&place, &cause));
                Some((name.span().start, read.map(|content| (place, content.into_bytes()))))
            }
        }
    }

    /// The key.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

/// Where the key to it stands in the file; and its own name and content, or why there is none.
pub(in crate::config) type Found = (usize, Result<(String, Vec<u8>), String>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_printed_and_has_a_length() {
        let secret = Secret::new(b"hunter2\n").unwrap();
        assert_eq!(secret.octets(), b"hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert_eq!(Secret::new(b"\n"), None);
        assert_eq!(Secret::new(&[b'x'; 81]), None);
    }

    #[test]
    fn base64_is_read_as_its_rfc_has_it() {
        // RFC 4648 §10, each behind sixteen octets.
        let front = b"0123456789abcdef01";
        for (end, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("\u{fb}\u{ff}", "w7vDvw=="),
        ] {
            let secret = Secret::base64(format!(" MDEyMzQ1Njc4OWFiY2RlZjAx{text}\n").as_bytes()).unwrap();
            assert_eq!(secret.octets(), [&front[..], end.as_bytes()].concat());
        }
        for wrong in
            ["", "Zg==", "MDEyMzQ1Njc4OWFiY2RlZjAx!", "key \"a\" { secret \"MDEyMzQ1Njc4OWFiY2RlZjAx\"; };"]
        {
            assert_eq!(Secret::base64(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
