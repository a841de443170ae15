//! A key that never stands in a log.

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

    /// The key.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

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
}
