//! Raw export datagrams: files named `*.dat`, one datagram each.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use base::Timestamp;

use super::fault::CaptureError;
use super::reader::is_magic;

/// Longest UDP payload.
const DATAGRAM_MAX: usize = 65_535;

/// The datagram in a `*.dat` file; `None` when the file is not named so, or is a capture all the same.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, CaptureError> {
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("dat")) {
        return Ok(None);
    }
    let bad = |what: String, remedy| CaptureError { file: path.display().to_string(), what, remedy };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(DATAGRAM_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|e| bad(e.to_string(), "check the name"))?;
    if is_magic(&bytes) {
        return Ok(None);
    }
    match bytes.len() {
        0 => Err(bad("the file is empty".into(), "a *.dat file holds one export datagram")),
        n if n > DATAGRAM_MAX => Err(bad(
            format!("longer than a datagram can be, at offset {DATAGRAM_MAX}"),
            "a *.dat file holds one export datagram",
        )),
        _ => Ok(Some(bytes)),
    }
}

/// The time that an export datagram claims to be sent at; for sFlow, which tells none, the agent's uptime.
pub fn export_time(bytes: &[u8]) -> Timestamp {
    let word = |at: usize| {
        let field = bytes.get(at..).and_then(|b| b.first_chunk::<4>());
        u64::from(u32::from_be_bytes(field.copied().unwrap_or_default()))
    };
    match bytes {
        [0, 5 | 9, ..] => Timestamp::from_secs(word(8)),
        [0, 10, ..] => Timestamp::from_secs(word(4)),
        // RFC 3176's successor: version, address type, address, sub-agent, sequence number, uptime.
        [0, 0, 0, 5, 0, 0, 0, 1, ..] => Timestamp::from_millis(word(20)),
        [0, 0, 0, 5, 0, 0, 0, 2, ..] => Timestamp::from_millis(word(32)),
        _ => Timestamp::ZERO,
    }
}
