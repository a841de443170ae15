//! What would leave, as somebody looks at it before agreeing: the beginning of a text, or what is in an archive.

use ::ledger::Hash;

use super::look::is_text;
use crate::capture::is_magic;

/// Octets of a text that are shown; who needs more reads the file.
const SHOWN_MAX: usize = 64 << 10;
/// Files of an archive that are named.
const FILES_MAX: usize = 1_000;

/// A look at a payload, with the digest of all of it.
pub(crate) fn glance(payload: &[u8]) -> api::PayloadShown {
    let (kind, text, files) = if is_text(payload) {
        ("text", Some(beginning(payload)), Vec::new())
    } else if is_magic(payload) {
        ("capture", None, Vec::new())
    } else {
        let files = files(payload);
        (if files.is_empty() { "other" } else { "archive" }, None, files)
    };
    api::PayloadShown {
        payload_sha256: Hash::of(payload).to_string(),
        octets: u64::try_from(payload.len()).unwrap_or(u64::MAX),
        kind: kind.to_owned(),
        cut: text.as_ref().is_some_and(|text| text.len() < payload.len()) || files.len() == FILES_MAX,
        text,
        files,
    }
}

/// As many whole characters as are shown.
fn beginning(payload: &[u8]) -> String {
    let front = payload.get(..SHOWN_MAX).unwrap_or(payload);
    front.utf8_chunks().next().map(|chunk| chunk.valid().to_owned()).unwrap_or_default()
}

/// What is in a tar archive, up to where it is none.
fn files(payload: &[u8]) -> Vec<api::EvidenceFile> {
    let mut archive = tar::Archive::new(payload);
    let entries = archive.entries().into_iter().flatten().map_while(Result::ok);
    let named = entries.map(|entry| api::EvidenceFile {
        path: String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
        octets: entry.header().entry_size().unwrap_or(0),
    });
    named.take(FILES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_and_its_digest_is_of_all() {
        let long = "ä".repeat(SHOWN_MAX);
        let shown = glance(format!("x{long}").as_bytes());
        assert_eq!((shown.kind.as_str(), shown.cut, shown.octets), ("text", true, 131_073));
        let text = shown.text.unwrap();
        assert_eq!((text.len(), text.chars().last()), (SHOWN_MAX - 1, Some('ä')));
        assert_eq!(shown.payload_sha256, Hash::of(format!("x{long}").as_bytes()).to_string());
        let short = glance(b"{}");
        assert_eq!((short.text.as_deref(), short.cut), (Some("{}"), false));
    }

    #[test]
    fn an_archive_names_its_files_and_what_is_none_names_nothing() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(3);
        archive.append_data(&mut header, "evidence/data/sources.csv", &b"a,b"[..]).unwrap();
        let packed = archive.into_inner().unwrap();
        let shown = glance(&packed);
        let files: Vec<_> = shown.files.iter().map(|file| (file.path.as_str(), file.octets)).collect();
        assert_eq!((shown.kind.as_str(), files), ("archive", vec![("evidence/data/sources.csv", 3)]));
        for (noise, kind) in
            [(&b"\x1f\x8b\x08\0"[..], "other"), (b"\xa1\xb2\xc3\xd4", "capture"), (&[0; 4096], "other")]
        {
            let shown = glance(noise);
            assert_eq!((shown.kind.as_str(), shown.files.len(), shown.text), (kind, 0, None), "{noise:?}");
        }
    }
}
