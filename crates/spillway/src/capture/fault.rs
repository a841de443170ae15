//! What is wrong with a file, where, and what to do about it.

/// One line: `FILE: what, at which place; remedy`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {what}; {remedy}")]
pub struct CaptureError {
    /// As the user named it.
    pub file: String,
    /// What is wrong, with its place.
    pub what: String,
    /// What helps.
    pub remedy: &'static str,
}

/// Remedy for damage behind good packets.
pub(super) const USED_BEFORE: &str =
    "everything before it was used; copy the file again or repair it with `pcapfix`";

/// Remedy for what is no capture.
pub(super) const GIVE_CAPTURE: &str =
    "give a pcap or pcapng file as `tcpdump -w` writes it (raw export datagrams must be named *.dat)";

/// The first octets of a file that is no capture, in words.
pub(super) fn describe(start: &[u8]) -> (&'static str, &'static str) {
    match start {
        [0x1f, 0x8b, ..] => ("compressed with gzip", "unpack it first: `gunzip FILE`"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("compressed with zstd", "unpack it first: `unzstd FILE`"),
        [0xfd, b'7', b'z', b'X', ..] => ("compressed with xz", "unpack it first: `unxz FILE`"),
        [b'B', b'Z', b'h', ..] => ("compressed with bzip2", "unpack it first: `bunzip2 FILE`"),
        [b'P', b'K', 3, 4, ..] => ("a zip archive", "unpack it first: `unzip FILE`"),
        [0xa1, 0xb2, 0xcd, 0x34, ..] | [0x34, 0xcd, 0xb2, 0xa1, ..] => {
            ("a pcap of the old \"modified\" kind", "convert it: `editcap -F pcapng FILE NEW`")
        }
        [b's', b'n', b'o', b'o', b'p', ..] => ("a snoop capture", "convert it: `editcap -F pcapng FILE NEW`"),
        _ if is_text(start) => ("not a capture but text", GIVE_CAPTURE),
        _ => ("not a capture: no pcap or pcapng header", GIVE_CAPTURE),
    }
}

fn is_text(start: &[u8]) -> bool {
    let readable = |b: &u8| b.is_ascii_graphic() || b.is_ascii_whitespace() || *b >= 0x80;
    !start.is_empty() && start.iter().all(readable)
}
