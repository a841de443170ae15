//! Values by prefix that come and go, found by what they cover.

use std::collections::BTreeMap;

use base::Prefix;

/// Lengths from 0 to 128, of both families.
const LENGTHS: usize = 129;

/// Values by prefix. Only lengths that are in use are looked for.
#[derive(Clone, Debug)]
pub(crate) struct Covering<V> {
    entries: BTreeMap<Prefix, V>,
    /// How many entries of each length there are: IPv4, then IPv6.
    lengths: Box<[[u32; LENGTHS]; 2]>,
}

impl<V> Default for Covering<V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), lengths: Box::new([[0; LENGTHS]; 2]) }
    }
}

impl<V> Covering<V> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The value of just this prefix, to be changed.
    pub(crate) fn get_mut(&mut self, prefix: &Prefix) -> Option<&mut V> {
        self.entries.get_mut(prefix)
    }

    /// Puts a value in.
    pub(crate) fn insert(&mut self, prefix: Prefix, value: V) {
        if self.entries.insert(prefix, value).is_none()
            && let Some(count) = self.count(&prefix)
        {
            *count = count.saturating_add(1);
        }
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, prefix: &Prefix) {
        if self.entries.remove(prefix).is_some()
            && let Some(count) = self.count(prefix)
        {
            *count = count.saturating_sub(1);
        }
    }

    /// Keeps what the function says.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Prefix, &mut V) -> bool) {
        let mut gone = Vec::new();
        self.entries.retain(|prefix, value| {
            let stays = keep(prefix, value);
            if !stays {
                gone.push(*prefix);
            }
            stays
        });
        for count in gone.iter().filter_map(|prefix| index(prefix)) {
            let slot = self.lengths.get_mut(count.0).and_then(|lengths| lengths.get_mut(count.1));
            slot.into_iter().for_each(|count| *count = count.saturating_sub(1));
        }
    }

    /// What covers this prefix, itself included, the longest first.
    pub(crate) fn covering(&self, prefix: Prefix) -> impl Iterator<Item = (Prefix, &V)> {
        let lengths = self.lengths.get(usize::from(!prefix.is_ipv4()));
        let in_use = move |bits: &u8| {
            lengths.and_then(|lengths| lengths.get(usize::from(*bits))).is_some_and(|count| *count > 0)
        };
        (0..=prefix.bits()).rev().filter(in_use).filter_map(move |bits| {
            let wider = Prefix::of(prefix.addr(), bits);
            self.entries.get(&wider).map(|value| (wider, value))
        })
    }

    fn count(&mut self, prefix: &Prefix) -> Option<&mut u32> {
        let (family, bits) = index(prefix)?;
        self.lengths.get_mut(family)?.get_mut(bits)
    }
}

fn index(prefix: &Prefix) -> Option<(usize, usize)> {
    let bits = usize::from(prefix.bits());
    (bits < LENGTHS).then(|| (usize::from(!prefix.is_ipv4()), bits))
}
