//! A file that is written past the page cache: for what has to be on the disk when it is done, and is not read soon again.
//! No octet is copied into memory of the kernel, and the sync at the end has next to nothing left to do.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::fcntl::OFlag;

/// Disks take whole blocks only, from and to places that are multiples of it: the largest that is usual.
pub(super) const BLOCK: usize = 4096;

/// See above.
pub(super) struct Past {
    /// `None`: the file system or its disk does not do that; the file is written like any other.
    past: Option<File>,
    file: File,
    at: u64,
}

impl Past {
    /// Creates or overwrites the file.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        let past = OpenOptions::new().write(true).custom_flags(OFlag::O_DIRECT.bits()).open(path).ok();
        Ok(Self { past, file, at: 0 })
    }

    /// Appends. Whole blocks that begin at [`skew`] go past the cache; all else goes through it.
    pub(super) fn put(&mut self, octets: &[u8]) -> io::Result<()> {
        let suits =
            octets.len().is_multiple_of(BLOCK) && self.at.is_multiple_of(BLOCK as u64) && skew(octets) == 0;
        let written = match &self.past {
            Some(past) if suits => match past.write_all_at(octets, self.at) {
                // Of a disk with larger blocks. What was written of it is written once more.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => None,
                written => Some(written),
            },
            _ => Some(self.file.write_all_at(octets, self.at)),
        };
        match written {
            Some(written) => written?,
            None => {
                self.past = None;
                self.file.write_all_at(octets, self.at)?;
            }
        }
        self.at += octets.len() as u64;
        Ok(())
    }
}

/// Octets from the first one to where a block of memory begins.
pub(super) fn skew(octets: &[u8]) -> usize {
    octets.as_ptr().addr().wrapping_neg() % BLOCK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_what_was_put_whether_it_suits_a_disk_or_not() {
        let path = std::env::temp_dir().join(format!("spillway-past-{}", std::process::id()));
        let room: Vec<u8> = (0..16 * BLOCK).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let whole = &room[skew(&room)..];
        for can in [true, false] {
            let mut past = Past::create(&path).unwrap();
            past.past = past.past.filter(|_| can);
            let (mut put, mut rest) = (Vec::new(), whole);
            // Suits; odd length, after which no place suits; odd memory.
            for length in [2 * BLOCK, BLOCK, 100, BLOCK, 4 * BLOCK + 1, 7] {
                let (part, behind) = rest.split_at(length);
                past.put(part).unwrap();
                put.extend_from_slice(part);
                rest = behind;
            }
            drop(past);
            assert_eq!(std::fs::read(&path).unwrap(), put);
        }
        std::fs::remove_file(path).unwrap();
    }
}
