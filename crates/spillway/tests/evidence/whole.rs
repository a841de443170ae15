//! Nothing of a bag can be changed, added or taken away unseen.

use std::path::Path;

use intel::bag::verify;
use spillway::evidence::{add_proof, contents};

use super::{bagit, files, sealed, signer};
use crate::support::Scratch;

/// Whether ours says that it is whole.
fn whole(bag: &Path) -> bool {
    contents(bag).is_ok_and(|found| verify(&found, &[]).valid)
}

#[test]
fn one_changed_bit_in_any_file_is_seen_by_others_and_by_us() {
    let scratch = Scratch::new("evidence-bits");
    let bag = sealed(&scratch.path("a"), Some(&signer()), None).unwrap();
    add_proof(&bag, "seal", "c2sp.org/tlog-proof@v1\n").unwrap();
    if bagit(&bag).is_some_and(|out| !out.status.success()) {
        panic!("{:?}", bagit(&bag));
    }
    assert!(whole(&bag));
    let all = files(&bag);
    assert_eq!(all.len(), 15, "{all:?}");
    for file in &all {
        let good = std::fs::read(file).unwrap();
        // theirs: one bit in the middle
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 1;
        std::fs::write(file, &bad).unwrap();
        assert!(
            bagit(&bag).is_none_or(|out| !out.status.success()),
            "{} changed, bagit says valid",
            file.display()
        );
        // ours: each octet, one bit after the other
        let step = 1 + good.len() / 400;
        for at in (0..good.len()).step_by(step) {
            bad.clone_from(&good);
            bad[at] ^= 1 << (at / step % 8);
            std::fs::write(file, &bad).unwrap();
            assert!(!whole(&bag), "{} octet {at} changed", file.display());
        }
        std::fs::write(file, good).unwrap();
    }
    assert!(whole(&bag));
}

#[test]
fn a_file_more_or_less_is_seen_and_named() {
    let scratch = Scratch::new("evidence-files");
    let bag = sealed(&scratch.path("a"), Some(&signer()), None).unwrap();
    for file in files(&bag) {
        let good = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let report = verify(&contents(&bag).unwrap(), &[]);
        let name = file.strip_prefix(&bag).unwrap().to_str().unwrap();
        assert!(report.faults.iter().any(|fault| fault.path == name), "{name}: {:?}", report.faults);
        std::fs::write(&file, good).unwrap();
    }
    for more in ["data/more.txt", "more.txt", "signature/more.txt", "metadata/more.json"] {
        std::fs::write(bag.join(more), "x").unwrap();
        let report = verify(&contents(&bag).unwrap(), &[]);
        let named = |fault: &intel::bag::Fault| fault.path == more && fault.what.starts_with("added");
        assert!(report.faults.iter().any(named), "{more}: {:?}", report.faults);
        std::fs::remove_file(bag.join(more)).unwrap();
    }
    std::os::unix::fs::symlink("/etc/hostname", bag.join("data/link")).unwrap();
    let wrong = contents(&bag).unwrap_err().to_string();
    assert!(wrong.contains("no links"), "{wrong}");
    std::fs::remove_file(bag.join("data/link")).unwrap();
    assert!(whole(&bag));
}

#[test]
fn an_open_bag_is_not_a_sealed_one() {
    let scratch = Scratch::new("evidence-open");
    let folder = scratch.path("open");
    let recorder = spillway::evidence::Recorder::open(
        &folder,
        spillway::evidence::About::default(),
        super::cases::at(0),
    )
    .unwrap();
    recorder.finish().unwrap();
    let report = verify(&contents(&folder).unwrap(), &[]);
    assert!(!report.valid);
    assert!(report.faults.iter().any(|fault| fault.what.contains("not sealed")), "{:?}", report.faults);
    assert!(add_proof(&folder, "seal", "x").unwrap_err().to_string().contains("whole"));
    assert!(contents(&scratch.path("nowhere")).unwrap_err().to_string().contains("no bag"));
}
