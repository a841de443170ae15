//! `ipcrypt-pfx` (draft-denis-ipcrypt-deterministic, section "Prefix-Preserving Encryption"): each bit of an address is flipped or
//! not by what two AES-128 make of the bits before it. What is before each is known at once where an address is concealed, so that all
//! blocks of an address go through the processor side by side; a test holds it against the `ipcrypt-rs` crate, which goes bit by bit.

use std::net::IpAddr;

use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes128, Block};
use base::prefix::{narrow, wide};

/// Octets of a key: one half for each AES.
pub const KEY_LEN: usize = 32;

/// Bits of an address as [`wide`] has it.
const BITS: usize = 128;
/// Bits before those of an IPv4 address.
const MAPPED: usize = 96;
/// Blocks made at a time: an IPv4 address.
const AT_ONCE: usize = BITS - MAPPED;

/// The cipher under one key.
pub(super) struct Pfx {
    front: Aes128,
    back: Aes128,
}

impl Pfx {
    /// `None` where the halves of the key are equal: they would cancel each other.
    pub(super) fn new(key: &[u8; KEY_LEN]) -> Option<Self> {
        let (front, back) = key.split_at(KEY_LEN / 2);
        if front == back {
            return None;
        }
        Some(Self { front: Aes128::new_from_slice(front).ok()?, back: Aes128::new_from_slice(back).ok()? })
    }

    /// An address in its place.
    pub(super) fn encrypt(&self, address: IpAddr) -> IpAddr {
        let plain = wide(address);
        let flips = (begin(address)..BITS).step_by(AT_ONCE).map(|at| self.flips::<AT_ONCE>(plain, at));
        narrow(flips.fold(plain, |address, flips| address ^ flips))
    }

    /// The address that was there. Bit by bit: each has to be known before the next.
    pub(super) fn decrypt(&self, address: IpAddr) -> IpAddr {
        narrow((begin(address)..BITS).fold(wide(address), |plain, at| plain ^ self.flips::<1>(plain, at)))
    }

    /// Which of `COUNT` bits from `from` on are flipped, in their places.
    fn flips<const COUNT: usize>(&self, plain: u128, from: usize) -> u128 {
        let mut front: [Block; COUNT] = std::array::from_fn(|more| {
            let at = from + more;
            // The bits before, and a one above them that says how many they are.
            let before = plain.checked_shr(u32::try_from(BITS - at).unwrap_or(u32::MAX)).unwrap_or(0);
            (before | 1 << at).to_be_bytes().into()
        });
        let mut back = front;
        self.front.encrypt_blocks(&mut front);
        self.back.encrypt_blocks(&mut back);
        let bits = front
            .into_iter()
            .zip(back)
            .map(|(front, back)| (u128::from_be_bytes(front.into()) ^ u128::from_be_bytes(back.into())) & 1);
        (from..).zip(bits).fold(0, |flips, (at, bit)| flips | bit << (BITS - 1 - at))
    }
}

/// The first bit that may be flipped.
fn begin(address: IpAddr) -> usize {
    if address.is_ipv4() { MAPPED } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipcrypt_rs::IpcryptPfx;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    proptest! {
        #[test]
        fn it_is_what_another_makes(key in any::<[u8; KEY_LEN]>(), v4 in any::<u32>(), v6 in any::<u128>()) {
            let (ours, other) = (Pfx::new(&key).unwrap(), IpcryptPfx::new(key));
            // IPv6 that stands for IPv4 is IPv4 here: what calls this turns it first.
            let v6 = v6 | 1 << 127;
            for address in [IpAddr::V4(Ipv4Addr::from_bits(v4)), IpAddr::V6(Ipv6Addr::from_bits(v6))] {
                let concealed = ours.encrypt(address);
                prop_assert_eq!(concealed, other.encrypt_ipaddr(address));
                prop_assert_eq!(ours.decrypt(concealed), other.decrypt_ipaddr(concealed));
            }
        }
    }
}
