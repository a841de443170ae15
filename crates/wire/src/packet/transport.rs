//! Ports, TCP's flags, ICMP's types.

use super::{Behind, Headers, ICMP, ICMP6, TCP, Tcp, UDP};

#[inline(always)]
pub(super) fn transport<'a>(headers: &mut Headers, behind: &mut Behind<'a>, bytes: &'a [u8], len: u32) {
    behind.transport = bytes;
    behind.payload = &[];
    if headers.fragment.is_later() {
        return;
    }
    match headers.protocol {
        TCP => {
            headers.ports = ports(bytes);
            if let Some(tcp) = tcp_header(bytes) {
                let header_len = 20 + tcp.options_len;
                headers.payload_len = Some(len.saturating_sub(u32::from(header_len)));
                headers.tcp = Some(tcp);
                behind.payload = bytes.get(usize::from(header_len)..).unwrap_or(&[]);
            }
        }
        UDP => {
            headers.ports = ports(bytes);
            if headers.ports.is_some() {
                headers.payload_len = Some(len.saturating_sub(8));
                behind.payload = bytes.get(8..).unwrap_or(&[]);
            }
        }
        ICMP | ICMP6 => {
            if let Some([kind, code]) = bytes.first_chunk::<2>() {
                headers.icmp = Some((*kind, *code));
                headers.payload_len = Some(len.saturating_sub(8));
            }
        }
        _ => {}
    }
}

#[inline]
fn ports(bytes: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d] = *bytes.first_chunk::<4>()?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

/// RFC 9293 §3.1. Where the header is cut behind its flags, the window is 0.
#[inline(always)]
fn tcp_header(bytes: &[u8]) -> Option<Tcp> {
    let (word, window) = if let Some([.., a, b, c, d]) = bytes.first_chunk::<16>() {
        (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]))
    } else {
        let [.., a, b] = bytes.first_chunk::<14>()?;
        (u16::from_be_bytes([*a, *b]), 0)
    };
    let words = word >> 12;
    let options_len = u8::try_from(words.saturating_sub(5) * 4).unwrap_or(40);
    Some(Tcp { flags: word & 0x0fff, window, options_len })
}
