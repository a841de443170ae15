//! Files with a prefix a line.

use std::path::Path;

use base::Prefix;

/// Reads one: IPv4 and IPv6 mixed, a bare address is a host, `#` begins a comment.
pub(super) fn read(path: &Path) -> anyhow::Result<(Vec<Prefix>, Vec<u8>)> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|e| anyhow::anyhow!("{name}: {e}; check the name"))?;
    let mut prefixes = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|octet| *octet == b'\n')) {
        let text = std::str::from_utf8(line)
            .map_err(|_| anyhow::anyhow!("{name}:{number}: not text; give one prefix a line"))?;
        let text = text.split('#').next().unwrap_or_default().trim();
        if !text.is_empty() {
            let prefix = text.parse().map_err(|e| anyhow::anyhow!("{name}:{number}: {e}"))?;
            prefixes.push(prefix);
        }
    }
    Ok((prefixes, bytes))
}
