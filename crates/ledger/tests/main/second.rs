//! What the crates `tlog_tiles` and `signed_note` say to the same octets.

use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::{
    Checkpoint, Hash, HashReader, check_record, check_tree, prove_record, prove_tree, tree_hash,
};

use crate::disk::{Kept, entries, signer};

/// Hashes as that crate stores them: one list, in its own order.
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn theirs(hash: ledger::Hash) -> Hash {
    Hash(hash.0)
}

#[test]
fn their_trees_and_proofs_are_ours() {
    let all = entries(700);
    let mut stored = Stored(Vec::new());
    for (entry, index) in all.iter().zip(0_u64..) {
        let more = tlog_tiles::stored_hashes(index, entry, &stored).unwrap();
        stored.0.extend(more);
    }
    let kept = Kept::of(&all, 123);
    for size in [1, 2, 5, 255, 256, 257, 600, 700] {
        let root = theirs(kept.root(size));
        assert_eq!(root, tree_hash(size, &stored).unwrap(), "{size}");
        for index in [0, size / 3, size / 2, size - 1] {
            let ours = ledger::tree::inclusion(&mut kept.reader(), index, size).unwrap();
            let ours: Vec<Hash> = ours.into_iter().map(theirs).collect();
            assert_eq!(ours, prove_record(size, index, &stored).unwrap(), "{index} of {size}");
            let leaf = tlog_tiles::record_hash(&all[usize::try_from(index).unwrap()]);
            assert!(check_record(&ours, size, root, index, leaf).is_ok(), "{index} of {size}");
        }
        for old in [1, size.div_ceil(3), size.div_ceil(2), size] {
            let ours = ledger::tree::consistency(&mut kept.reader(), old, size).unwrap();
            let ours: Vec<Hash> = ours.into_iter().map(theirs).collect();
            assert_eq!(ours, prove_tree(size, old, &stored).unwrap(), "{old} to {size}");
            assert!(check_tree(&ours, size, root, old, theirs(kept.root(old))).is_ok(), "{old} to {size}");
        }
    }
}

#[test]
fn they_read_our_checkpoint_and_believe_its_signature() {
    let kept = Kept::of(&entries(300), 300);
    let file = kept.checkpoint().signed(&signer());
    let note = Note::from_bytes(file.as_bytes()).unwrap();
    let verifier = StandardVerifier::new(&signer().verifier().to_string()).unwrap();
    let (believed, others) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((believed.len(), others.len()), (1, 0));
    let checkpoint = Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!((checkpoint.size(), checkpoint.hash()), (300, &theirs(kept.log.root())));
}

#[test]
fn we_believe_what_they_sign() {
    let kept = Kept::of(&entries(300), 300);
    let mut note = Note::new(kept.checkpoint().to_string().as_bytes(), &[]).unwrap();
    let theirs = StandardSigner::new(&signer().secret()).unwrap();
    note.add_sigs(&[&theirs]).unwrap();
    let file = String::from_utf8(note.to_bytes()).unwrap();
    assert_eq!(file, kept.checkpoint().signed(&signer()));
    assert_eq!(crate::disk::policy().believe(&file).unwrap(), kept.checkpoint());
}
