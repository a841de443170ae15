//! Growth, resumption, proofs.

use ledger::log::{Damage, audit};
use ledger::tile::{self, ENTRY_MAX, Kind, Tile};
use ledger::{Hash, Log, Proof, tree};
use proptest::prelude::*;

use crate::disk::{Kept, ORIGIN, entries, policy};

/// RFC 6962 §2.1, as it stands there.
fn by_definition(entries: &[Vec<u8>]) -> Hash {
    match entries {
        [] => Hash::empty(),
        [one] => Hash::leaf(one),
        many => {
            let split = many.len().next_power_of_two() / 2;
            Hash::node(by_definition(&many[..split]), by_definition(&many[split..]))
        }
    }
}

#[test]
fn the_root_is_the_one_of_the_rfc_however_the_log_grew() {
    let all = entries(600);
    for count in [0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 600] {
        for at_once in [1, 2, 255, 256, 1000] {
            let kept = Kept::of(&all[..count], at_once);
            assert_eq!(kept.log.root(), by_definition(&all[..count]), "{count} by {at_once}");
            assert_eq!(kept.root(count as u64), kept.log.root(), "from its tiles: {count} by {at_once}");
            assert_eq!(kept.resumed().unwrap(), kept.log, "{count} by {at_once}");
        }
    }
}

#[test]
fn a_log_of_70000_has_the_files_that_the_specification_counts() {
    let kept = Kept::of(&entries(70_000), 10_000);
    let count = |prefix: &str| kept.disk.0.keys().filter(|path| path.starts_with(prefix)).count();
    assert_eq!(
        (count("tile/0/"), count("tile/1/"), count("tile/2/"), count("tile/entries/")),
        (274, 2, 1, 274)
    );
    for path in
        ["tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"]
    {
        assert!(kept.disk.0.contains_key(path), "{path}");
    }
    assert_eq!(kept.resumed().unwrap(), kept.log);
    let far = Tile { kind: Kind::Hashes(0), index: 1_234_067, width: 256 };
    assert_eq!(far.to_string(), "tile/0/x001/x234/067");
    assert_eq!(Tile { kind: Kind::Entries, index: 0, width: 1 }.to_string(), "tile/entries/000.p/1");
}

#[test]
fn every_entry_is_proven_and_no_other_passes_for_it() {
    let all = entries(1_100);
    let kept = Kept::of(&all, 300);
    for (entry, index) in all.iter().zip(0_u64..) {
        let proof = kept.prove(index);
        let receipt = policy().receipt(entry, &proof).unwrap();
        assert_eq!((receipt.index(), receipt.size(), receipt.origin()), (index, 1_100, ORIGIN));
        assert_eq!(receipt.proof_text(), proof.to_string());
        assert_eq!(Proof::parse(&proof.to_string()), Ok(proof.clone()));
        let other = &all[usize::try_from((index + 1) % 1_100).unwrap()];
        assert!(policy().receipt(other, &proof).is_err(), "{index}");
        let elsewhere = Proof { index: (index + 1) % 1_100, ..proof };
        assert!(policy().receipt(entry, &elsewhere).is_err(), "{index}");
    }
}

#[test]
fn one_changed_bit_anywhere_is_refused() {
    let all = entries(300);
    let kept = Kept::of(&all, 300);
    let proof = kept.prove(123).to_string();
    let entry = &all[123];
    assert!(policy().receipt(entry, &Proof::parse(&proof).unwrap()).is_ok());
    for at in 0..entry.len() * 8 {
        let mut changed = entry.clone();
        changed[at / 8] ^= 1 << (at % 8);
        assert!(policy().receipt(&changed, &Proof::parse(&proof).unwrap()).is_err(), "entry, bit {at}");
    }
    for at in 0..proof.len() * 8 {
        let mut changed = proof.clone().into_bytes();
        changed[at / 8] ^= 1 << (at % 8);
        let believed = String::from_utf8(changed)
            .ok()
            .and_then(|text| Proof::parse(&text).ok())
            .is_some_and(|proof| policy().receipt(entry, &proof).is_ok());
        assert!(!believed, "proof, bit {at}");
    }
}

#[test]
fn what_has_one_way_of_being_written_is_read_in_no_other() {
    let kept = Kept::of(&entries(5), 5);
    let proof = kept.prove(3).to_string();
    for (from, to, why) in [
        ("@v1", "@v2", "line 1"),
        ("index 3", "index 03", "line 2"),
        ("index 3", "extra !!\nindex 3", "line 2: the extra"),
        ("index 3", "index 3\nAAAA", "line 3"),
        ("\n\n", "\n", "line 6: not a hash"),
    ] {
        let changed = proof.replacen(from, to, 1);
        let refused = Proof::parse(&changed).map(|proof| policy().receipt(&entries(5)[3], &proof));
        match refused {
            Err(said) => assert!(said.to_string().contains(why), "{said}"),
            // the empty line before the signatures is the first one then
            Ok(receipt) => assert!(receipt.is_err(), "{changed}"),
        }
    }
    let with_extra = proof.replacen("index", "extra aGVsbG8=\nindex", 1);
    let read = Proof::parse(&with_extra).unwrap();
    assert_eq!(read.extra.as_deref(), Some(&b"hello"[..]));
    assert_eq!(read.to_string(), with_extra);
}

#[test]
fn an_entry_that_does_not_fit_changes_nothing() {
    let log = Kept::of(&entries(3), 3).log;
    let long = vec![0; ENTRY_MAX + 1];
    assert_eq!(log.append([&long[1..]]).unwrap().0.size(), 4);
    let refused = log.append([&long[..]]).unwrap_err();
    assert!(refused.to_string().contains("log a hash of it instead"), "{refused}");
    assert_eq!(log.append([]).unwrap().1.writes, []);
}

#[test]
fn files_that_are_not_what_was_signed_are_found() {
    let kept = Kept::of(&entries(700), 100);
    let of_earlier_heads =
        |path: &str| path.contains(".p/") && !path.ends_with("/002.p/188") && path != "tile/1/000.p/2";
    for path in kept.disk.0.keys().filter(|path| !of_earlier_heads(path)) {
        let mut bad = kept.clone();
        let content = bad.disk.0.get_mut(path).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 4;
        assert!(audit(&bad.checkpoint(), &bad.disk, |_, _| ()).is_err(), "{path} changed");
        bad.disk.0.get_mut(path).unwrap().truncate(middle);
        assert!(
            audit(&bad.checkpoint(), &bad.disk, |_, _| ()).is_err() || path.starts_with("tile/1"),
            "{path} cut"
        );
        bad.disk.0.remove(path);
        let audited = audit(&bad.checkpoint(), &bad.disk, |_, _| ());
        assert!(
            matches!(audited, Err(Damage::File(_))) || path.starts_with("tile/1"),
            "{path} gone: {audited:?}"
        );
    }
    let mut shown = Vec::new();
    audit(&kept.checkpoint(), &kept.disk, |index, entry| shown.push((index, entry.to_vec()))).unwrap();
    assert_eq!(shown, (0..700).zip(entries(700)).collect::<Vec<_>>());
    let other = ledger::Checkpoint { root: Hash::of(b"another"), ..kept.checkpoint() };
    assert_eq!(Log::resume(&other, &kept.disk), Err(Damage::Root { size: 700 }));
}

proptest! {
    #[test]
    fn later_heads_continue_earlier_ones_and_no_others(a in 0_u64..600, b in 0_u64..600, bit in 0_usize..256, at in 0_usize..70) {
        let kept = KEPT.with(Clone::clone);
        let (old, new) = (a.min(b), a.max(b));
        let proof = tree::consistency(&mut kept.reader(), old, new).unwrap();
        let (before, after) = (kept.root(old), kept.root(new));
        prop_assert!(tree::is_consistent((old, before), (new, after), &proof));
        let mut changed = proof.clone();
        let flip = |hash: &mut Hash| hash.0[bit / 8] ^= 1 << (bit % 8);
        if let Some(hash) = changed.get_mut(at) {
            flip(hash);
            prop_assert!(!tree::is_consistent((old, before), (new, after), &changed));
        }
        let (mut other_before, mut other_after) = (before, after);
        flip(&mut other_before);
        flip(&mut other_after);
        prop_assert!(!tree::is_consistent((old, other_before), (new, after), &proof));
        // of nothing, everything is a continuation
        prop_assert!(old == 0 || !tree::is_consistent((old, before), (new, other_after), &proof));
        prop_assert!(old == new || old == 0 || !tree::is_consistent((old + 1, before), (new, after), &proof));
        prop_assert!(!tree::is_consistent((old, before), (new, after), &[proof, vec![Hash::empty()]].concat()));
    }

    #[test]
    fn bundles_are_read_as_they_are_written(all in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
        let mut bundle = Vec::new();
        for entry in &all {
            tile::push_entry(&mut bundle, entry).unwrap();
        }
        let read = tile::entries(&bundle).unwrap();
        prop_assert_eq!(&read, &all.iter().map(Vec::as_slice).collect::<Vec<_>>());
        if !all.is_empty() {
            prop_assert_eq!(tile::entries(&bundle[..bundle.len() - 1]).is_none_or(|read| read.len() < all.len()), true);
        }
    }
}

thread_local! {
    static KEPT: Kept = Kept::of(&entries(600), 64);
}
